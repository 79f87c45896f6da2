"""Validate orders of the generic API in bulk, wherever the columns show for certain what the models would say.

msgspec cuts pages into the texts of their records, DuckDB parses these, Polars looks at the columns. A record *fits*
this fast path when every rule of models.py certainly holds for it, by patterns that are narrower than the rules; its
values are then read by expressions. Any other record is a *fallback*: it goes to the models, one by one, as the text
it came in. So the bulk path never rejects, and never decides.

What makes a record that seems to fit a fallback: a repeated key (DuckDB takes the first, JSON parsers the last), a
number that DuckDB, which reads doubles, may have rounded onto a tie or off its fraction, and nesting.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from ordersetl.source.page import Page, split_records
from ordersetl.star.frames import ITEM_SCHEMA, REFUND_ITEM_SCHEMA
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
    read_id_text,
    read_number,
    read_times,
    strip_quotes,
)
from ordersetl.transform.columns import CHARGED_SCHEMA
from ordersetl.transform.fields import METADATA_FIELDS, USER_FIELDS, read_fields

__all__ = ["NOTHING_READ", "PAGE_BITS", "BulkOrders", "FallbackRecord", "read_bulk"]

PAGE_BITS = 32
"""An order's position in its batch: page << PAGE_BITS | index in the page."""

_IDS = {"order_id", "user_id", "sku"}
_EXTRAS = {"discount": "discounts", "tax": "taxes", "name": "names"}
"""Optional fields of items, and the column that counts an order's items that have one."""
_CHARGES = ("discount", "tax", "shipping")
_LABELS = ("status", *METADATA_FIELDS, *USER_FIELDS)


@dataclass(frozen=True)
class FallbackRecord:
    """A record that the models must validate; ``text`` is its JSON."""

    pos: int
    text: str


@dataclass(frozen=True)
class BulkOrders:
    """What was read of ``pages`` in bulk, and what was not.

    ``orders`` fit (CHARGED_SCHEMA, no day yet), ``items`` (ITEM_SCHEMA) and ``refunds`` (REFUND_ITEM_SCHEMA) are
    theirs. Every record of the pages is in ``orders`` or in ``fallback``, once; nothing of any other page is.
    """

    orders: pl.DataFrame
    items: pl.DataFrame
    refunds: pl.DataFrame
    fallback: Sequence[FallbackRecord]
    pages: frozenset[int]


NOTHING_READ = BulkOrders(
    orders=pl.DataFrame(schema=CHARGED_SCHEMA),
    items=pl.DataFrame(schema=ITEM_SCHEMA),
    refunds=pl.DataFrame(schema=REFUND_ITEM_SCHEMA),
    fallback=(),
    pages=frozenset(),
)


def read_bulk(pages: Sequence[Page]) -> BulkOrders:
    """Read the pages in bulk, as far as that is safe; the models must read the others."""
    positions: list[int] = []
    texts: list[bytes] = []
    read = set()
    for page in pages:
        found = split_records(page)
        if found is None:
            continue
        read.add(page.number)
        positions.extend(range(page.number << PAGE_BITS, (page.number << PAGE_BITS) + len(found)))
        texts.extend(found)
    if not texts:
        return NOTHING_READ
    records = pl.DataFrame({"pos": positions, "record": texts}, schema={"pos": pl.UInt64, "record": pl.Binary})
    del texts
    records = records.with_columns(pl.col("record").cast(pl.String))
    fields = read_fields(records["record"])
    if fields is None:  # something in there that DuckDB refuses and others read: the models see to it
        return NOTHING_READ
    return _sort_out(pl.concat([records, fields], how="horizontal"), frozenset(read))


def _sort_out(records: pl.DataFrame, pages: frozenset[int]) -> BulkOrders:
    items = records.select("pos", "items").explode("items", empty_as_null=False, keep_nulls=False).unnest("items")
    floats = {name for table in (records, items) for name in _IDS & {*table.columns} if holds_floats(table[name])}
    typed_items = (
        items.select("pos", *_item_columns(floats))
        .with_columns(amount=pl.col("qty").cast(pl.Float64) * pl.col("price").cast(pl.Float64))
        .with_columns(_item_fits().alias("fits"))
    )
    per_order = typed_items.group_by("pos", maintain_order=True).agg(
        items_fit=pl.col("fits").all(),
        items=pl.len(),
        unpriced=pl.col("price").null_count(),
        total=pl.col("amount").sum(),
        **_summarize_extras(typed_items),
    )
    refunds = read_refunds(records)
    joined = records.drop("items", "refunds").join(per_order, on="pos", how="left", maintain_order="left")
    joined = joined.join(refunds.summary, on="pos", how="left", maintain_order="left")
    created = read_times(joined["created_at"])
    changed = joined["updated_at"].ne_missing(joined["created_at"]).arg_true()  # most orders never are
    updated = created.clone().scatter(changed, read_times(joined["updated_at"].gather(changed)))
    typed = joined.with_columns(
        *_order_columns(floats),
        created_at_order=created,
        updated_at_order=updated,
        cancelled_time=read_times(joined["cancelled_at"]),
    ).with_columns(fits=_order_fits())
    fitting = typed.filter("fits")
    certain = is_certain(fitting, typed_items)
    rest = (typed.filter(~pl.col("fits")), fitting.filter(~certain))
    fallback = pl.concat(part.select("pos", "record") for part in rest)
    orders = _orders_of(fitting if certain.all() else fitting.filter(certain), typed_items)
    kept = typed_items.join(orders.select("pos"), on="pos", how="semi").select(*ITEM_SCHEMA)
    refunded = refunds.parts.join(orders.select("pos"), on="pos", how="semi")
    return BulkOrders(orders, kept, refunded, [FallbackRecord(pos, text) for pos, text in fallback.iter_rows()], pages)


def _summarize_extras(items: pl.DataFrame) -> dict[str, pl.Expr]:
    """Aggregates of an order's optional item fields: how many have each, and the largest sum; most shops send none."""
    given = [name for name in _EXTRAS if items[name].null_count() < items.height]
    counts = {count: pl.col(name).count() if name in given else pl.lit(0, pl.UInt32) for name, count in _EXTRAS.items()}
    sums = [pl.col(name).cast(pl.Float64).sum() for name in given if name != "name"]
    return {**counts, "extras": pl.max_horizontal(*sums) if sums else pl.lit(0.0)}


def _orders_of(fitting: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """CHARGED_SCHEMA of the records that fit, without their day; an absent amount is the sum of the lines."""
    without = fitting.filter(pl.col("order_amount").is_null()).select("pos")
    if without.height:
        sums = (
            items.join(without, on="pos", how="semi")
            .group_by("pos")
            .agg(summed=(pl.col("qty") * pl.col("price")).cast(ITEM_SCHEMA["qty"]).sum().cast(ITEM_SCHEMA["qty"]))
        )
        fitting = fitting.join(sums, on="pos", how="left").with_columns(
            order_amount=pl.coalesce("order_amount", "summed")
        )
    return fitting.with_columns(
        dt=pl.lit(None, pl.Date()),
        updated_at_order=pl.coalesce("updated_at_order", "created_at_order"),
        cancelled=pl.col("cancelled_at").is_not_null(),
        user_email=pl.col("email"),
        user_country=pl.col("country"),
    ).select(*CHARGED_SCHEMA)


def _item_columns(floats: Collection[str]) -> list[pl.Expr]:
    return [
        *read_id_text("sku", floats),
        read_number("qty").alias("qty"),
        *(read_number(name).alias(name) for name in ("price", "discount", "tax")),
        strip_quotes("name").alias("name"),
        pl.lit(None, ITEM_SCHEMA["total"]).alias("total"),
        fits_id("sku").alias("sku_fits"),
        pl.col("qty").str.contains(NUMBER).fill_null(value=False).alias("qty_fits"),
        is_absent_or("price", NUMBER).alias("price_fits"),
        (is_absent_or("discount", NUMBER) & is_absent_or("tax", NUMBER) & fits_text("name")).alias("rest_fits"),
    ]


def _item_fits() -> pl.Expr:
    return all_of(
        pl.col("sku_fits"),
        pl.col("qty_fits") & (pl.col("qty") > 0) & (pl.col("qty") < int(QTY_LIMIT)),
        pl.col("price_fits"),
        pl.col("amount").fill_null(0.0) < LARGE,
        *(pl.col(name).fill_null(0) < int(LARGE) for name in ("price", "discount", "tax")),
        pl.col("rest_fits"),
    )


def _order_columns(floats: Collection[str]) -> list[pl.Expr]:
    return [
        *read_id_text("order_id", floats),
        fits_id("order_id").alias("order_id_fits"),
        *read_id_text("user_id", floats),
        (pl.col("user_id").is_null() | fits_id("user_id")).alias("user_id_fits"),
        read_number("amount").alias("order_amount"),
        is_absent_or("amount", NUMBER).alias("amount_fits"),
        pl.col("created_at").str.contains(TIME).alias("created_at_fits"),
        is_absent_or("updated_at", TIME).alias("updated_at_fits"),
        *(read_number(name).alias(f"order_{name}") for name in _CHARGES),
        all_of(*(is_absent_or(name, NUMBER) for name in _CHARGES)).alias("charges_fit"),
        is_absent_or("cancelled_at", TIME).alias("cancelled_at_fits"),
        *(strip_quotes(name).alias(name) for name in _LABELS),
        strip_quotes("currency").str.to_uppercase().alias("currency"),
        all_of(*map(fits_text, _LABELS)).alias("labels_fit"),
        # upper case may add bytes or letters outside ASCII
        (fits_text("currency") & pl.col("currency").str.contains(r"^[ -~]*$").fill_null(value=True)).alias(
            "currency_fits"
        ),
    ]


def _order_fits() -> pl.Expr:
    return all_of(
        pl.col("order_id_fits"),
        pl.col("created_at_fits"),
        pl.col("created_at_order").is_not_null(),
        pl.col("updated_at_fits"),
        pl.col("updated_at").is_null() | pl.col("updated_at_order").is_not_null(),
        pl.col("user_id_fits"),
        pl.col("amount_fits"),
        pl.col("items_fit"),
        pl.col("order_amount").is_not_null() | (pl.col("unpriced") == 0),
        pl.col("total") < LARGE,
        pl.col("items") * int(QTY_LIMIT) < LARGE,
        pl.col("extras") < LARGE,
        pl.col("charges_fit"),
        *(pl.col(f"order_{name}").fill_null(0) < int(LARGE) for name in _CHARGES),
        pl.col("refunds_fit").fill_null(value=True),
        pl.col("cancelled_at").is_null() | (pl.col("cancelled_at_fits") & pl.col("cancelled_time").is_not_null()),
        pl.col("labels_fit"),
        pl.col("currency_fits"),
    )
