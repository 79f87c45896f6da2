"""Typed frames between the stages, and pure functions on the rows of the star schema.

Three typed frames come out of validation, and are what staged files hold:

* *orders*: one row per order version: ``pos`` (position in the batch), ``dt``, and the order's columns; a version with
  which its order leaves has only ``pos``, ``order_id`` and ``updated_at_order``, the rest is null;
* *lines*: one row per order version and SKU: ``pos``, ``dt``, ``sku``, and the line's measures;
* *refunds*: one row per order version, refund and SKU: ``pos``, ``dt``, and the columns of fact_refund.

Money and quantities are exact: DECIMAL(18,4), or integers of 0.0001 as Int128 where a formula multiplies.
"""

import io
from datetime import date

import polars as pl

from ordersetl.star.schema import FACT_ORDER, FACT_REFUND

__all__ = [
    "CHARGE_SCHEMA",
    "ITEM_SCHEMA",
    "LINE_SCHEMA",
    "ORDER_SCHEMA",
    "PAGE_BITS",
    "REFUND_ITEM_SCHEMA",
    "REFUND_SCHEMA",
    "enrich",
    "format_times",
    "join_position",
    "split_position",
    "sum_by_currency",
    "to_csv",
]

_FACT = FACT_ORDER.schema
_MONEY = _FACT["net_amount"]
PAGE_BITS = 32
"""Of an order's position in its batch: page << PAGE_BITS | index in the page."""
_POSITION: dict[str, pl.DataType] = {"pos": pl.UInt64()}

ORDER_SCHEMA: dict[str, pl.DataType] = {
    **_POSITION,
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
            "cancelled",
        )
    },
    "user_email": pl.String(),
    "user_country": pl.String(),
}
"""Typed orders. The first page of ``pos`` is 1. ``user_email`` and ``user_country`` are what the order itself says of
its user."""

CHARGE_SCHEMA: dict[str, pl.DataType] = {"order_discount": _MONEY, "order_tax": _MONEY, "order_shipping": _MONEY}
"""What an order's payload says of the whole order, before :func:`ordersetl.star.lines.merge_lines` shares it."""

ITEM_SCHEMA: dict[str, pl.DataType] = {
    **_POSITION,
    "sku": pl.String(),
    "qty": _MONEY,
    "price": _MONEY,
    "discount": _MONEY,
    "tax": _MONEY,
    "name": pl.String(),
    "total": _MONEY,
}
"""Valid items as the payload has them: any number per order and SKU. A ``total`` counts, and not the ``price``."""

REFUND_ITEM_SCHEMA: dict[str, pl.DataType] = {
    **_POSITION,
    **{name: FACT_REFUND.schema[name] for name in ("refund_id", "sku", "qty", "refund_amount", "refunded_at")},
}
"""Parts of refunds: what names an SKU, and of each refund the rest, without SKU; any number per refund and SKU."""

LINE_SCHEMA: dict[str, pl.DataType] = {
    **_POSITION,
    "dt": pl.Date(),
    **{
        name: _FACT[name]
        for name in (
            "sku",
            "qty",
            "item_price",
            "line_amount",
            "net_amount",
            "discount_amount",
            "tax_amount",
            "shipping_amount",
            "refunded_amount",
            "product_name",
        )
    },
}
"""Typed lines, at the grain (order version, SKU). ``product_name`` is what the order itself says."""

REFUND_SCHEMA: dict[str, pl.DataType] = {**_POSITION, "dt": pl.Date(), **FACT_REFUND.schema}
"""Typed refunds, at the grain (order version, refund, SKU)."""

_TIME = _FACT["created_at_order"]
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%6f"
_DATE_FORMAT = "%Y-%m-%d"


def join_position(page: int, index: int) -> int:
    """The position in a batch of a record of a page."""
    return page << PAGE_BITS | index


def split_position(position: int) -> tuple[int, int]:
    """Number of the page and index in it."""
    return position >> PAGE_BITS, position & ((1 << PAGE_BITS) - 1)


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


def sum_by_currency(rows: pl.DataFrame, amount: str) -> dict[date, dict[str, str]]:
    """Sums of a column of amounts by day (``dt``) and currency as decimal text, sorted; "" where there is none."""
    by = ["dt", pl.col("currency").fill_null("")]
    sums = rows.group_by(by).agg(pl.col(amount).sum().cast(pl.Decimal(38, 4))).sort("dt", "currency")
    found: dict[date, dict[str, str]] = {}
    for day, currency, total in sums.iter_rows():
        found.setdefault(day, {})[currency] = f"{total:.4f}"
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
