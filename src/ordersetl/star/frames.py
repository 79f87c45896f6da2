"""Pure functions on frames: the arithmetic of the star schema.

Two typed frames come out of validation, and are what staged files hold:

* *orders*: one row per order version: ``pos`` (position in the batch), ``dt``, and the order's columns; a version with
  which its order leaves has only ``pos``, ``order_id`` and ``updated_at_order``, the rest is null;
* *lines*: one row per order version and SKU: ``pos``, ``dt``, ``sku``, ``qty``, ``item_price``, ``line_amount``,
  ``net_amount``.

Money and quantities are exact: DECIMAL(18,4), or integers of 0.0001 as Int128 where a formula multiplies.
"""

import io
from datetime import date

import polars as pl

from ordersetl.star.schema import FACT_ORDER

__all__ = [
    "ITEM_SCHEMA",
    "LINE_SCHEMA",
    "ORDER_SCHEMA",
    "enrich",
    "format_times",
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

_TIME = _FACT["created_at_order"]
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%6f"
_DATE_FORMAT = "%Y-%m-%d"


def merge_lines(orders: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Bring items to the grain (order version, SKU) and give each row its share of the order's amount.

    ``line_amount`` is the sum of qty x price, each product rounded half-even to four digits, as Polars multiplies
    decimals; ``item_price`` is the exact average over the priced items, sum(qty x price) / sum(qty), rounded half-even:
    where an SKU has one priced item, or one price, it is that price. The shares are :func:`_shares`.

    Args:
        orders: ORDER_SCHEMA, each ``pos`` once; one that leaves has no items.
        items: ITEM_SCHEMA, each of a quantity above 0; every ``pos`` is one of ``orders``.

    Returns:
        LINE_SCHEMA, sorted by (pos, sku), no null but in ``item_price`` and ``line_amount``.
    """
    priced = items.with_columns(
        line_amount=(pl.col("qty") * pl.col("price")).cast(_MONEY), item_price=pl.col("price")
    ).sort("pos", "sku", maintain_order=True)
    first = pl.col("pos").ne_missing(pl.col("pos").shift(1)) | pl.col("sku").ne_missing(pl.col("sku").shift(1))
    marked = priced.with_columns(first=first)
    lines = marked.filter("first")
    if lines.height < marked.height:
        repeated = marked.with_columns(row=pl.col("first").cum_sum() - 1).filter(
            ~(pl.col("first") & pl.col("first").shift(-1, fill_value=True))
        )
        summed = repeated.group_by("row").agg(
            *(_sum_or_null(c).alias(c) for c in ("qty", "line_amount")), item_price=_average_price()
        )
        lines = lines.with_columns(lines[c].scatter(summed["row"], summed[c]) for c in summed.columns[1:])
    joined = lines.join(orders.select("pos", "dt", "order_amount"), on="pos", how="left", maintain_order="left")
    return (
        joined.with_columns(share=_shares(joined))
        .with_columns(
            net_amount=(pl.col("share").cast(pl.Decimal(38, 4)) / pl.lit(10_000)).cast(_MONEY),
        )
        .select(*LINE_SCHEMA)
    )


def _sum_or_null(column: str) -> pl.Expr:
    """Sum of what is not null; null where nothing is."""
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).cast(_MONEY)


def _average_price() -> pl.Expr:
    """Sum of qty x price over the sum of qty, both over what has a price, half-even; null where nothing has one.

    In integers: with N = sum(qty x price) in 10^-8 and D = sum(qty) in 10^-4 the price is N / D in 10^-4. N stays
    below 10^38: each product is below 10^22, and so are as many of them as a chunk can hold.
    """
    is_priced = pl.col("price").is_not_null()
    qty = _units("qty").cast(pl.Int128).filter(is_priced)
    worth = (qty * _units("price").cast(pl.Int128).filter(is_priced)).sum()
    total = pl.when(is_priced.any()).then(qty.sum())
    price = worth // total
    over = 2 * (worth - price * total)
    rounded = price + ((over > total) | ((over == total) & (price % 2 == 1))).cast(pl.Int128)
    return (rounded.cast(pl.Decimal(38, 4)) / pl.lit(10_000)).cast(_MONEY)


def _units(column: str) -> pl.Expr:
    """A DECIMAL(18,4) as an integer of 0.0001, Int128."""
    return pl.col(column).to_physical()


def _shares(lines: pl.DataFrame) -> pl.Series:
    """Each row's share of its order's amount, by cumulative rounding, in units of 0.0001.

    With A the order's amount and w_i the weights (``line_amount``; ``qty`` where all are 0 or null) in units of
    0.0001, C_i their running sum in SKU order and W their total: net_i = A*C_i // W - A*C_{i-1} // W. The shares sum
    to A exactly, none is negative, and each is less than one unit from its exact share. (The method of cumulative
    rounding; see "Cascade rounding", Wikipedia.) A*C stays below 10^36, within Int128.

    ``lines`` is sorted by (pos, sku).
    """
    amount, by_amount, by_qty = lines.select(
        _units("order_amount"), _units("line_amount").fill_null(0), _units("qty")
    ).get_columns()
    begins = lines["pos"].ne_missing(lines["pos"].shift(1))
    ends = begins.shift(-1, fill_value=True)
    order = begins.cum_sum() - 1
    _, priced = _sums(by_amount, ends)
    weight = by_qty.zip_with((priced == 0).gather(order), by_amount)
    before, total = _sums(weight, ends)
    upto = amount * (weight.cum_sum() - before.gather(order)) // total.gather(order)
    return upto - upto.shift(1, fill_value=0).set(begins, 0)


def _sums(weight: pl.Series, ends: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Of each order, the sum of all orders before it and its own; a window function would be fifty times slower."""
    upto = weight.cum_sum().filter(ends)
    before = upto.shift(1, fill_value=0)
    return before, upto - before


def enrich(rows: pl.DataFrame, users: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Give rows the current reference data: ``dt`` and FACT_ORDER's columns, the rows in their order.

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
    """Additive revenue (``net_amount``) by day and currency as decimal text, sorted; "" where there is none."""
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


def format_times(table: pl.DataFrame) -> pl.DataFrame:
    """The table with its times as :func:`to_csv` writes them; equal neighbours are formatted once."""
    return table.with_columns(_format(table[name]) for name, kind in table.schema.items() if kind == _TIME)


def _format(times: pl.Series) -> pl.Series:
    runs = times.rle_id()
    first = runs.ne_missing(runs.shift(1))
    return times.filter(first).dt.to_string(_TIME_FORMAT).gather(runs).alias(times.name)
