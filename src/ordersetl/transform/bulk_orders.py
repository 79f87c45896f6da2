"""Orders whose fields certainly keep every rule, as typed columns; which they are is decided by patterns alone.

The patterns are narrower than the rules of models.py. An order that fits none of them is left to the models.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from ordersetl.star.frames import CHARGE_SCHEMA, ITEM_SCHEMA
from ordersetl.star.values import QTY_LIMIT
from ordersetl.transform.bulk_certainty import is_certain
from ordersetl.transform.bulk_refunds import read_refunds
from ordersetl.transform.bulk_values import (
    LARGE,
    NUMBER,
    TIME,
    all_of,
    fits_id,
    fits_text,
    holds_floats,
    is_absent_or,
    is_sure,
    read_id_text,
    read_number,
    read_times,
    strip_quotes,
)
from ordersetl.transform.columns import CHARGED_SCHEMA
from ordersetl.transform.fields import METADATA_FIELDS, USER_FIELDS, FieldTables

__all__ = ["FittingOrders", "read_fitting_orders"]

_IDS = {"order_id", "user_id", "sku"}
_EXTRAS = {"discount": "discounts", "tax": "taxes", "name": "names"}
"""Optional fields of items, and the column that counts an order's items that have one."""
_CHARGES = ("discount", "tax", "shipping")
_LABELS = ("status", *METADATA_FIELDS, *USER_FIELDS)


class FittingOrders(NamedTuple):
    """Orders that fit the fast path, without their day: CHARGED_SCHEMA, ITEM_SCHEMA, REFUND_ITEM_SCHEMA.

    ``left`` are the positions of the other records.
    """

    orders: pl.DataFrame
    items: pl.DataFrame
    refunds: pl.DataFrame
    left: pl.Series


def read_fitting_orders(tables: FieldTables, skipped: pl.Series | None = None) -> FittingOrders:
    """Find out which orders fit, and read these.

    Args:
        tables: fields of records, as JSON text.
        skipped: positions of records that are no orders; the tables may hold lines and refunds of theirs.
    """
    records, items = tables.orders, tables.items
    floats = {name for table in (records, items) for name in _IDS & {*table.columns} if holds_floats(table[name])}
    typed_items = _read_items(items, floats)
    worth = pl.col("worth") if "total" in items.columns else pl.col("price")
    per_order = typed_items.group_by("pos", maintain_order=True).agg(
        items_fit=pl.col("fits").all(),
        items=pl.len(),
        unpriced=worth.null_count(),
        total=pl.col("amount").sum(),
        **_summarize_extras(typed_items),
    )
    refunds = read_refunds(tables)
    joined = records.join(per_order, on="pos", how="left", maintain_order="left")
    if refunds.summary.height:
        joined = joined.join(refunds.summary, on="pos", how="left", maintain_order="left")
    created = read_times(joined["created_at"])
    changed = joined["updated_at"].ne_missing(joined["created_at"]).arg_true()  # most orders never are
    updated = created.clone().scatter(changed, read_times(joined["updated_at"].gather(changed)))
    typed = joined.with_columns(*_order_columns(joined, floats), created_at_order=created, updated_at_order=updated)
    typed = typed.with_columns(_order_fits(typed).alias("fits"))
    fitting = typed.filter("fits")
    certain = fitting["sure"] if "sure" in fitting.columns else is_certain(fitting, typed_items)
    left = pl.concat([typed.filter(~pl.col("fits"))["pos"], fitting["pos"].filter(~certain)])
    orders = _orders_of(fitting if certain.all() else fitting.filter(certain), typed_items)
    others = left if skipped is None else pl.concat([left, skipped])
    kept, refunded = (
        rows.filter(~pl.col("pos").is_in(others.implode())) if rows.height and len(others) else rows
        for rows in (typed_items, refunds.parts)
    )
    return FittingOrders(orders, _complete(kept, ITEM_SCHEMA), refunded, left)


def _read_items(items: pl.DataFrame, floats: Collection[str]) -> pl.DataFrame:
    """Typed items, the ``amount`` that each comes to and whether it ``fits``; with totals also what is ``worth`` it."""
    amounts = [name for name in ("price", "total", "discount", "tax") if name in items.columns]
    typed = items.select("pos", *_item_columns(items, floats, amounts))
    amount = pl.col("qty").cast(pl.Float64) * pl.col("price").cast(pl.Float64)
    if "total" not in amounts:
        return typed.with_columns(amount=amount).with_columns(_item_fits(amounts).alias("fits"))
    total = pl.col("total").cast(pl.Float64)
    return (
        typed.with_columns(amount=pl.coalesce(total, amount), worth=pl.coalesce("total", "price"))
        # what a unit comes to must not be too much either
        .with_columns(fits=_item_fits(amounts) & (total / pl.col("qty").cast(pl.Float64) < LARGE).fill_null(value=True))
    )


def _complete(rows: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The columns of a schema, null where they were not read."""
    there = {*rows.columns}
    return rows.select(name if name in there else pl.lit(None, kind).alias(name) for name, kind in schema.items())


def _summarize_extras(items: pl.DataFrame) -> dict[str, pl.Expr]:
    """Aggregates of an order's optional item fields: how many have each, and the largest sum."""
    given = [name for name in _EXTRAS if name in items.columns]
    sums = [pl.col(name).cast(pl.Float64).sum() for name in given if name != "name"]
    extras = {"extras": pl.max_horizontal(*sums)} if sums else {}
    return {**{_EXTRAS[name]: pl.col(name).count() for name in given}, **extras}


def _orders_of(fitting: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """CHARGED_SCHEMA of the records that fit, without their day; an absent amount is the sum of the lines."""
    without = fitting.filter(pl.col("order_amount").is_null()).select("pos")
    if without.height:
        given = items.join(without, on="pos", how="semi")
        amount = (pl.col("qty") * pl.col("price")).cast(ITEM_SCHEMA["qty"])
        if "total" in given.columns:
            price = pl.when(pl.col("total").is_null()).then(pl.col("price"))
            amount = pl.coalesce("total", (pl.col("qty") * price).cast(ITEM_SCHEMA["qty"]))
        sums = given.group_by("pos").agg(summed=amount.sum().cast(ITEM_SCHEMA["qty"]))
        fitting = fitting.join(sums, on="pos", how="left").with_columns(
            order_amount=pl.coalesce("order_amount", "summed")
        )
    there = {*fitting.columns}
    renamed = {f"user_{name}": pl.col(name) for name in USER_FIELDS if name in there}
    cancelled = pl.col("cancelled_at").is_not_null() if "cancelled_at" in there else pl.lit(value=False)
    if "is_cancelled" in there:
        cancelled |= pl.col("is_cancelled")
    orders = fitting.with_columns(
        updated_at_order=pl.coalesce("updated_at_order", "created_at_order"), cancelled=cancelled, **renamed
    )
    return _complete(orders, CHARGED_SCHEMA)


def _item_columns(items: pl.DataFrame, floats: Collection[str], amounts: Sequence[str]) -> list[pl.Expr]:
    has_names = "name" in items.columns
    optional = [is_absent_or(name, NUMBER) for name in amounts] + [fits_text("name")] * has_names + is_sure(items)
    return [
        *read_id_text("sku", floats),
        read_number("qty").alias("qty"),
        *(read_number(name).alias(name) for name in amounts),
        *([strip_quotes("name").alias("name")] * has_names),
        fits_id("sku").alias("sku_fits"),
        pl.col("qty").str.contains(NUMBER).fill_null(value=False).alias("qty_fits"),
        all_of(*optional).alias("optional_fit"),
    ]


def _item_fits(amounts: Sequence[str]) -> pl.Expr:
    return all_of(
        pl.col("sku_fits"),
        pl.col("qty_fits") & (pl.col("qty") > 0) & (pl.col("qty") < int(QTY_LIMIT)),
        pl.col("amount").fill_null(0.0) < LARGE,
        *(pl.col(name).fill_null(0) < int(LARGE) for name in amounts),
        pl.col("optional_fit"),
    )


def _order_columns(records: pl.DataFrame, floats: Collection[str]) -> list[pl.Expr]:
    charges = [name for name in _CHARGES if name in records.columns]
    labels = [name for name in _LABELS if name in records.columns]
    columns = [
        *read_id_text("order_id", floats),
        fits_id("order_id").alias("order_id_fits"),
        *read_id_text("user_id", floats),
        (pl.col("user_id").is_null() | fits_id("user_id")).alias("user_id_fits"),
        read_number("amount").alias("order_amount"),
        all_of(*(is_absent_or(name, NUMBER) for name in ("amount", *charges))).alias("amounts_fit"),
        pl.col("created_at").str.contains(TIME).alias("created_at_fits"),
        is_absent_or("updated_at", TIME).alias("updated_at_fits"),
        *(read_number(name).alias(f"order_{name}") for name in charges),
        *(strip_quotes(name).alias(name) for name in labels),
        strip_quotes("currency").str.to_uppercase().alias("currency"),
        all_of(*map(fits_text, labels)).alias("labels_fit"),
        # upper case may add bytes or letters outside ASCII
        (fits_text("currency") & pl.col("currency").str.contains(r"^[ -~]*$").fill_null(value=True)).alias(
            "currency_fits"
        ),
    ]
    if "cancelled_at" in records.columns:
        readable = pl.lit(read_times(records["cancelled_at"])).is_not_null() & is_absent_or("cancelled_at", TIME)
        columns.append((pl.col("cancelled_at").is_null() | readable).alias("cancelled_at_fits"))
    return columns


def _order_fits(typed: pl.DataFrame) -> pl.Expr:
    amounts = [name for name in typed.columns if name in CHARGE_SCHEMA]
    optional = [name for name in ("refunds_fit", "cancelled_at_fits") if name in typed.columns]
    return all_of(
        pl.col("order_id_fits"),
        pl.col("created_at_fits"),
        pl.col("created_at_order").is_not_null(),
        pl.col("updated_at_fits"),
        pl.col("updated_at").is_null() | pl.col("updated_at_order").is_not_null(),
        pl.col("user_id_fits"),
        pl.col("amounts_fit"),
        pl.col("items_fit"),
        pl.col("order_amount").is_not_null() | (pl.col("unpriced") == 0),
        pl.col("total") < LARGE,
        pl.col("items") * int(QTY_LIMIT) < LARGE,
        *([pl.col("extras") < LARGE] if "extras" in typed.columns else []),
        *(pl.col(name).fill_null(0) < int(LARGE) for name in amounts),
        *(pl.col(name).fill_null(value=True) for name in optional),
        pl.col("labels_fit"),
        pl.col("currency_fits"),
    )
