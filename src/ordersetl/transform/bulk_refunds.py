"""Refunds in bulk, as parts, where they certainly fit the models' rules; other orders are fallbacks."""

import msgspec
import polars as pl

from ordersetl.star.frames import REFUND_ITEM_SCHEMA
from ordersetl.star.values import QTY_LIMIT
from ordersetl.transform.bulk_values import (
    LARGE,
    NUMBER,
    TIME,
    all_of,
    fits_text,
    is_absent_or,
    is_sure,
    read_number,
    read_times,
    strip_quotes,
)
from ordersetl.transform.fields import REFUND_ITEM_FIELDS, FieldTables

__all__ = ["BulkRefunds", "read_refunds"]

_MONEY = REFUND_ITEM_SCHEMA["refund_amount"]
_ITEM_TEXTS: dict[str, pl.DataType] = {
    "pos": pl.UInt64(),
    "refund": pl.UInt32(),
    **dict.fromkeys(REFUND_ITEM_FIELDS, pl.String()),
}
_SUMMARY_SCHEMA: dict[str, pl.DataType] = {
    "pos": pl.UInt64(),
    "refunds_fit": pl.Boolean(),
    **dict.fromkeys(("refund_id", "refund_items", "refund_amount", "refund_sku", "refund_qty"), pl.UInt32()),
}


class BulkRefunds(msgspec.Struct, frozen=True):
    """``parts`` of refunds (REFUND_ITEM_SCHEMA), and a ``summary`` of the orders that have any.

    The summary has a row an order: ``pos``, whether its ``refunds_fit``, and how many of their fields have a value:
    ``refund_id`` (and ``created_at``), ``refund_items``, ``refund_amount`` of refunds and of their items,
    ``refund_sku`` and ``refund_qty``.
    """

    parts: pl.DataFrame
    summary: pl.DataFrame


def read_refunds(tables: FieldTables) -> BulkRefunds:
    """Read the refunds of records as their JSON texts."""
    given, given_items = tables.refunds, tables.refund_items
    if given is None:
        return BulkRefunds(pl.DataFrame(schema=REFUND_ITEM_SCHEMA), pl.DataFrame(schema=_SUMMARY_SCHEMA))
    times = read_times(given["created_at"])
    refunds = given.with_columns(
        refund_amount=read_number("amount"),
        refunded_at=times,
        fits=all_of(
            pl.col("refund_id").is_not_null() & fits_text("refund_id"),
            pl.col("created_at").str.contains(TIME) & times.is_not_null(),
            pl.col("amount").str.contains(NUMBER) & (read_number("amount") < int(LARGE)),
            *is_sure(given),
        ),
    )
    if given_items is None:
        given_items = pl.DataFrame(schema=_ITEM_TEXTS)
    items = given_items.with_columns(
        refund_id=refunds["refund_id"].gather(given_items["refund"]),
        refunded_at=times.gather(given_items["refund"]),
        qty=read_number("qty"),
        refund_amount=read_number("amount"),
        fits=all_of(
            fits_text("sku"),
            is_absent_or("qty", NUMBER) & (read_number("qty").fill_null(0) < int(QTY_LIMIT)),
            pl.col("amount").str.contains(NUMBER) & (read_number("amount") < int(LARGE)),
            *is_sure(given_items),
        ),
        has_qty=pl.col("qty").is_not_null(),
        sku=strip_quotes("sku"),
    )
    return BulkRefunds(_list_parts(refunds, items), _summarize(refunds, items))


def _list_parts(refunds: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """What names an SKU, and the rest of each refund, as :func:`ordersetl.transform.charges.split_refund` has them."""
    names = pl.col("sku").is_not_null()
    of_items = items.group_by("refund").agg(
        named=pl.col("refund_amount").filter(names).sum(),
        qty=pl.when((~names & pl.col("qty").is_not_null()).any()).then(pl.col("qty").filter(~names).sum()),
    )
    rest = refunds.join(of_items, on="refund", how="left").with_columns(
        sku=pl.lit(None, pl.String()),
        qty=pl.col("qty").cast(_MONEY, strict=False),
        refund_amount=(pl.col("refund_amount") - pl.col("named").fill_null(0)).cast(_MONEY, strict=False),
    )
    parts = [rest, items.filter(names)]
    return pl.concat(
        [part.with_columns(refund_id=strip_quotes("refund_id")).select(*REFUND_ITEM_SCHEMA) for part in parts]
    )


def _summarize(refunds: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Whether all of an order's refunds fit, their sums too, and how many of their fields have a value."""
    per_item = items.group_by("pos").agg(
        items_fit=pl.col("fits").all(),
        named=pl.col("refund_amount").cast(pl.Float64).sum(),
        items=pl.len(),
        refund_sku=pl.col("sku").count(),
        refund_qty=pl.col("has_qty").sum(),
    )
    per_order = refunds.group_by("pos").agg(
        pl.col("fits").all(),
        amount=pl.col("refund_amount").cast(pl.Float64).sum(),
        refund_id=pl.len(),
        refund_items=pl.col("items").count() if "items" in refunds.columns else pl.lit(0, pl.UInt32),
    )
    return (
        per_order.join(per_item, on="pos", how="left")
        .select(
            "pos",
            refunds_fit=all_of(
                pl.col("fits"),
                pl.col("items_fit").fill_null(value=True),
                pl.col("amount") < LARGE,
                pl.col("named").fill_null(0) < LARGE,
                pl.col("items").fill_null(0) * int(QTY_LIMIT) < LARGE,
            ),
            refund_amount=pl.col("refund_id") + pl.col("items").fill_null(0),
            refund_id="refund_id",
            refund_items="refund_items",
            refund_sku=pl.col("refund_sku").fill_null(0),
            refund_qty=pl.col("refund_qty").fill_null(0),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in _SUMMARY_SCHEMA.items())
    )
