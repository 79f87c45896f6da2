"""Pure functions on frames: the arithmetic of the star schema.

Two typed frames come out of validation, and are what staged files hold:

* *orders*: one row per order version: ``pos`` (place in the batch), ``dt``, and the order's columns;
* *lines*: one row per order version and SKU: ``pos``, ``dt``, ``sku``, ``qty``, ``item_price``, ``line_amount``,
  ``net_amount``.

Money and quantities are exact: DECIMAL(18,4), or integers of 0.0001 as Int128 where a formula multiplies.
"""

import io
from datetime import date

import polars as pl

from ordersetl.tables import FACT_ORDER

__all__ = [
    "ITEM_SCHEMA",
    "LINE_SCHEMA",
    "ORDER_SCHEMA",
    "enrich",
    "merge_lines",
    "revenue_by_currency",
    "to_csv",
]

_FACT = FACT_ORDER.schema
_MONEY = _FACT["net_amount"]

ORDER_SCHEMA: dict[str, pl.DataType] = {
    "pos": pl.UInt64(),
    "dt": pl.Date(),
    "order_id": pl.String(),
    **{
        name: _FACT[name]
        for name in (
            "user_id",
            "order_amount",
            "currency",
            "created_at_order",
            "updated_at_order",
            "status",
            "source",
            "promo",
        )
    },
}
"""Typed orders. ``pos`` is page << 32 | index in the page, the first page being 1."""

ITEM_SCHEMA: dict[str, pl.DataType] = {"pos": pl.UInt64(), "sku": pl.String(), "qty": _MONEY, "price": _MONEY}
"""Valid items as the payload has them: any number per order and SKU."""

LINE_SCHEMA: dict[str, pl.DataType] = {
    "pos": pl.UInt64(),
    "dt": pl.Date(),
    **{name: _FACT[name] for name in ("sku", "qty", "item_price", "line_amount", "net_amount")},
}
"""Typed lines, at the grain (order version, SKU)."""

_TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%6f"
_DATE_FORMAT = "%Y-%m-%d"


def merge_lines(orders: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Bring items to the grain (order version, SKU) and give each row its share of the order's amount.

    ``line_amount`` is the sum of qty x price, each product rounded half-even to four digits; ``item_price`` is
    ``line_amount`` over the quantity of the priced items, half-even. The shares are :func:`_shares`.

    Args:
        orders: ORDER_SCHEMA, each ``pos`` once.
        items: ITEM_SCHEMA; every ``pos`` is one of ``orders``.

    Returns:
        LINE_SCHEMA, sorted by (pos, sku), no null but in ``item_price`` and ``line_amount``.
    """
    priced = items.with_columns(
        line_amount=(pl.col("qty") * pl.col("price")).cast(_MONEY),
        priced_qty=pl.when(pl.col("price").is_not_null()).then(pl.col("qty")),
    ).sort("pos", "sku", maintain_order=True)
    first = pl.col("pos").ne_missing(pl.col("pos").shift(1)) | pl.col("sku").ne_missing(pl.col("sku").shift(1))
    marked = priced.with_columns(first=first)
    lines = marked.filter("first")
    if lines.height < marked.height:
        repeated = marked.with_columns(row=pl.col("first").cum_sum() - 1).filter(
            ~(pl.col("first") & pl.col("first").shift(-1, fill_value=True))
        )
        summed = repeated.group_by("row").agg(_sum_or_null(c).alias(c) for c in ("qty", "line_amount", "priced_qty"))
        lines = lines.with_columns(lines[c].scatter(summed["row"], summed[c]) for c in summed.columns[1:])
    whole = lines.join(orders.select("pos", "dt", "order_amount"), on="pos", how="left", maintain_order="left")
    return (
        whole.with_columns(_unit_price().alias("item_price"))
        .with_columns(_shares(whole).alias("net_amount"))
        .select(*LINE_SCHEMA)
    )


def _sum_or_null(column: str) -> pl.Expr:
    """Sum of what is not null; null where nothing is."""
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).cast(_MONEY)


def _units(column: str) -> pl.Expr:
    """A DECIMAL(18,4) as an integer of 0.0001."""
    return pl.col(column).to_physical().cast(pl.Int128)


def _money(units: pl.Expr) -> pl.Expr:
    """An integer of 0.0001 as DECIMAL(18,4)."""
    return (units.cast(pl.Decimal(38, 4)) / pl.lit(10_000)).cast(_MONEY)


def _unit_price() -> pl.Expr:
    """``line_amount / priced_qty`` at four digits, half-even, in exact integers."""
    amount, qty = _units("line_amount") * 10_000, _units("priced_qty")
    whole = amount // qty
    rest = (amount - whole * qty) * 2
    up = (rest > qty) | ((rest == qty) & (whole % 2 == 1))
    return _money(whole + up.cast(pl.Int128))


def _shares(lines: pl.DataFrame) -> pl.Series:
    """Each row's share of its order's amount, by cumulative rounding.

    With A the order's amount and w_i the weights (``line_amount``; ``qty`` where all are 0 or null) in units of
    0.0001, C_i their running sum in SKU order and W their total: net_i = A*C_i // W - A*C_{i-1} // W. The shares sum
    to A exactly, none is negative, and each is less than one unit from its exact share. (The method of cumulative
    rounding; see "Cascade rounding", Wikipedia.) A*C stays below 10^36, within Int128.

    ``lines`` is sorted by (pos, sku).
    """
    weighed = lines.select(
        "pos", amount=_units("order_amount"), by_amount=_units("line_amount").fill_null(0), by_qty=_units("qty")
    ).with_columns(
        begins=pl.col("pos").ne_missing(pl.col("pos").shift(1)), ends=pl.col("pos").ne_missing(pl.col("pos").shift(-1))
    )
    weighed = weighed.with_columns(
        weight=pl.when(_total("by_amount") > 0).then(pl.col("by_amount")).otherwise(pl.col("by_qty"))
    )
    running = pl.col("weight").cum_sum() - _before("weight")
    shared = weighed.with_columns(upto=pl.col("amount") * running // _total("weight")).select(
        share=pl.col("upto") - pl.when("begins").then(0).otherwise(pl.col("upto").shift(1))
    )
    return shared.select(_money(pl.col("share"))).to_series()


def _before(column: str) -> pl.Expr:
    """Running sum of all orders before the row's own; a window function would be fifty times slower."""
    return pl.when("begins").then(pl.col(column).cum_sum() - pl.col(column)).forward_fill()


def _total(column: str) -> pl.Expr:
    """Sum over the row's order."""
    return pl.when("ends").then(pl.col(column).cum_sum()).backward_fill() - _before(column)


def enrich(rows: pl.DataFrame, users: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Give rows the reference data as it stands now: ``dt`` and FACT_ORDER's columns, the rows in their order.

    Args:
        rows: rows of fact_order with ``dt``, with or without their earlier enrichment.
        users: DIM_USER, each user once.
        products: DIM_PRODUCT, each SKU once.
    """
    bare = rows.drop("user_country", "product_name", "product_category", "list_price", strict=False)
    countries = users.select("user_id", user_country="country")
    catalogue = products.select("sku", product_name="name", product_category="category", list_price="price")
    return (
        bare.join(countries, on="user_id", how="left", maintain_order="left")
        .join(catalogue, on="sku", how="left", maintain_order="left")
        .select("dt", *FACT_ORDER.names)
    )


def revenue_by_currency(rows: pl.DataFrame) -> dict[date, dict[str, str]]:
    """Additive revenue (``net_amount``) by day and currency as decimal text, sorted; "" stands for no currency."""
    by = ["dt", pl.col("currency").fill_null("")]
    sums = rows.group_by(by).agg(pl.col("net_amount").sum().cast(pl.Decimal(38, 4))).sort("dt", "currency")
    found: dict[date, dict[str, str]] = {}
    for day, currency, amount in sums.iter_rows():
        found.setdefault(day, {})[currency] = f"{amount:.4f}"
    return found


def to_csv(table: pl.DataFrame) -> bytes:
    """The table's CSV: UTF-8, header, RFC 4180 quotes, LF, null as the empty unquoted field."""
    buffer = io.BytesIO()  # without it the text would be decoded, and encoded again
    table.write_csv(
        buffer, datetime_format=_TIME_FORMAT, date_format=_DATE_FORMAT, line_terminator="\n", quote_style="necessary"
    )
    return buffer.getvalue()
