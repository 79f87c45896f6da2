"""Validate orders of the generic API in bulk, wherever the columns prove what the models would say.

msgspec cuts pages into the texts of their records, DuckDB parses these, Polars looks at the columns. A record *fits*
this fast path when every rule of models.py certainly holds for it, by patterns that are narrower than the rules; its
values are then read by expressions. Any other record is a *fallback*: it goes to the models, one by one, as the text
it came in. So the bulk path never rejects, and never decides.

What makes a record that seems to fit a fallback: a repeated key (DuckDB takes the first, JSON parsers the last), a
number that DuckDB, which reads doubles, may have rounded onto a tie or off its fraction, and nesting.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_

import polars as pl

from ordersetl.source.page import Page, split_records
from ordersetl.star.frames import ITEM_SCHEMA
from ordersetl.star.values import QTY_LIMIT, TEXT_BYTES
from ordersetl.transform.bulk_certainty import is_certain
from ordersetl.transform.columns import CHARGED_SCHEMA
from ordersetl.transform.fields import read_fields

__all__ = ["NOTHING_READ", "PAGE_BITS", "BulkOrders", "FallbackRecord", "read_bulk"]

PAGE_BITS = 32
"""An order's position in its batch: page << PAGE_BITS | index in the page."""

_END = r"[!#-\[\]-~\p{L}\p{N}]"
"""First and last character of a text that stripping leaves alone for certain."""
_TEXT = rf'^(?:"{_END}(?:[^\\]*{_END})?"|[0-9]{{1,18}})$'
_ID = rf'^(?:"{_END}(?:[^\\]*{_END})?"|[0-9]{{1,18}}|[0-9]{{1,15}}\.0)$'
_NUMBER = r'^"?(?:[0-9]{1,9}(?:\.(?:[0-9]{1,4}|[0-9]{4}[0-46-9]|[0-9]{6,20}))?|[0-9]{10,14})"?$'
"""A number that rounds to four digits as the one in the payload does, of which DuckDB wrote the double.

The two lie on the same side of a tie, or else the double is the tie itself: below 10^9 that has 14 digits at most, so
it is the shortest text of its double. From there on only whole numbers are certain.
"""
_TIME = (
    r'^"(?:197[1-9]|19[89][0-9]|20[0-9][0-9]|21[0-8][0-9])-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]'
    r'(?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?"$'
)
_IDS = {"order_id", "user_id", "sku"}
_EXTRAS = {"discount": "discounts", "tax": "taxes", "name": "names"}
"""Optional fields of items, and the column that counts an order's items that have one."""
_CHARGES = ("discount", "tax", "shipping")
_LABELS = ("status", "source", "promo", "email", "country")
_LARGE = 9e13
"""Amounts from here on are left to the models: a float cannot tell them from 10^14."""


@dataclass(frozen=True)
class FallbackRecord:
    """A record that the models must validate; ``text`` is its JSON."""

    pos: int
    text: str


@dataclass(frozen=True)
class BulkOrders:
    """Orders that fit (CHARGED_SCHEMA, no day yet), their items (ITEM_SCHEMA), and the fallback records, of ``pages``.

    Every record of these pages is in ``orders`` or in ``fallback``, once; nothing of any other page is.
    """

    orders: pl.DataFrame
    items: pl.DataFrame
    fallback: Sequence[FallbackRecord]
    pages: frozenset[int]


NOTHING_READ = BulkOrders(pl.DataFrame(schema=CHARGED_SCHEMA), pl.DataFrame(schema=ITEM_SCHEMA), (), frozenset())


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
    floats = {name for table in (records, items) for name in _IDS & {*table.columns} if _holds_floats(table[name])}
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
    joined = records.drop("items").join(per_order, on="pos", how="left", maintain_order="left")
    created = _read_times(joined["created_at"])
    changed = joined["updated_at"].ne_missing(joined["created_at"]).arg_true()  # most orders never are
    updated = created.clone().scatter(changed, _read_times(joined["updated_at"].gather(changed)))
    typed = joined.with_columns(
        *_order_columns(floats),
        created_at_order=created,
        updated_at_order=updated,
        cancelled_time=_read_times(joined["cancelled_at"]),
    ).with_columns(fits=_order_fits())
    fitting = typed.filter("fits")
    certain = is_certain(fitting, typed_items)
    rest = (typed.filter(~pl.col("fits")), fitting.filter(~certain))
    fallback = pl.concat(part.select("pos", "record") for part in rest)
    orders = _orders_of(fitting if certain.all() else fitting.filter(certain), typed_items)
    kept = typed_items.join(orders.select("pos"), on="pos", how="semi").select(*ITEM_SCHEMA)
    return BulkOrders(orders, kept, [FallbackRecord(pos, text) for pos, text in fallback.iter_rows()], pages)


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
        *_id("sku", floats),
        _decimal("qty").alias("qty"),
        *(_decimal(name).alias(name) for name in ("price", "discount", "tax")),
        _text("name").alias("name"),
        _fits_id("sku").alias("sku_fits"),
        pl.col("qty").str.contains(_NUMBER).fill_null(value=False).alias("qty_fits"),
        _is_absent_or("price", _NUMBER).alias("price_fits"),
        (_is_absent_or("discount", _NUMBER) & _is_absent_or("tax", _NUMBER) & _fits_text("name")).alias("rest_fits"),
    ]


def _item_fits() -> pl.Expr:
    return _all(
        pl.col("sku_fits"),
        pl.col("qty_fits") & (pl.col("qty") > 0) & (pl.col("qty") < int(QTY_LIMIT)),
        pl.col("price_fits"),
        pl.col("amount").fill_null(0.0) < _LARGE,
        *(pl.col(name).fill_null(0) < int(_LARGE) for name in ("price", "discount", "tax")),
        pl.col("rest_fits"),
    )


def _order_columns(floats: Collection[str]) -> list[pl.Expr]:
    return [
        *_id("order_id", floats),
        _fits_id("order_id").alias("order_id_fits"),
        *_id("user_id", floats),
        (pl.col("user_id").is_null() | _fits_id("user_id")).alias("user_id_fits"),
        _decimal("amount").alias("order_amount"),
        _is_absent_or("amount", _NUMBER).alias("amount_fits"),
        pl.col("created_at").str.contains(_TIME).alias("created_at_fits"),
        _is_absent_or("updated_at", _TIME).alias("updated_at_fits"),
        *(_decimal(name).alias(f"order_{name}") for name in _CHARGES),
        _all(*(_is_absent_or(name, _NUMBER) for name in _CHARGES)).alias("charges_fit"),
        (pl.col("refunds").is_null() | (pl.col("refunds") == "[]")).alias("has_no_refunds"),
        _is_absent_or("cancelled_at", _TIME).alias("cancelled_at_fits"),
        *(_text(name).alias(name) for name in _LABELS),
        _text("currency").str.to_uppercase().alias("currency"),
        _all(*map(_fits_text, _LABELS)).alias("labels_fit"),
        # upper case may add bytes or letters outside ASCII
        (_fits_text("currency") & pl.col("currency").str.contains(r"^[ -~]*$").fill_null(value=True)).alias(
            "currency_fits"
        ),
    ]


def _order_fits() -> pl.Expr:
    return _all(
        pl.col("order_id_fits"),
        pl.col("created_at_fits"),
        pl.col("created_at_order").is_not_null(),
        pl.col("updated_at_fits"),
        pl.col("updated_at").is_null() | pl.col("updated_at_order").is_not_null(),
        pl.col("user_id_fits"),
        pl.col("amount_fits"),
        pl.col("items_fit"),
        pl.col("order_amount").is_not_null() | (pl.col("unpriced") == 0),
        pl.col("total") < _LARGE,
        pl.col("items") * int(QTY_LIMIT) < _LARGE,
        pl.col("extras") < _LARGE,
        pl.col("charges_fit"),
        *(pl.col(f"order_{name}").fill_null(0) < int(_LARGE) for name in _CHARGES),
        pl.col("has_no_refunds"),
        pl.col("cancelled_at").is_null() | (pl.col("cancelled_at_fits") & pl.col("cancelled_time").is_not_null()),
        pl.col("labels_fit"),
        pl.col("currency_fits"),
    )


def _all(*conditions: pl.Expr) -> pl.Expr:
    return reduce(and_, conditions).fill_null(value=False)


def _text(name: str) -> pl.Expr:
    return pl.col(name).str.strip_chars('"')


def _id(name: str, floats: Collection[str]) -> tuple[pl.Expr, pl.Expr]:
    """An id's text, and whether it is a double without a fraction; a string ends with its quote."""
    if name not in floats:
        return _text(name).alias(name), pl.lit(value=False).alias(f"{name}_is_float")
    is_float = pl.col(name).str.ends_with(".0").fill_null(value=False)
    return pl.col(name).str.strip_suffix(".0").str.strip_chars('"').alias(name), is_float.alias(f"{name}_is_float")


def _holds_floats(ids: pl.Series) -> bool:
    return bool(ids.str.ends_with(".0").any())


def _decimal(name: str) -> pl.Expr:
    return _text(name).cast(ITEM_SCHEMA["qty"], strict=False)


def _read_times(values: pl.Series) -> pl.Series:
    """Naive UTC of times in one of the forms that fit. The usual form has a fast path; the rest is slower."""
    text = values.str.strip_chars('"')
    times = text.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", strict=False, cache=False)
    rest = (times.is_null() & text.is_not_null()).arg_true()
    if rest.is_empty():
        return times
    other = pl.DataFrame({"text": text.gather(rest)}).select(
        pl.when(pl.col("text").str.contains(r"(?:Z|[+-][0-9]{2}:[0-9]{2})$"))
        .then(pl.col("text"))
        .otherwise(pl.col("text") + "Z")
        .str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        .dt.replace_time_zone(None)
    )
    return times.scatter(rest, other.to_series())


def _fits_id(name: str, pattern: str = _ID) -> pl.Expr:
    fits = pl.col(name).str.len_bytes() <= TEXT_BYTES
    return (pl.col(name).str.contains(pattern) & fits).fill_null(value=False)


def _fits_text(name: str) -> pl.Expr:
    return pl.col(name).is_null() | _fits_id(name, _TEXT)


def _is_absent_or(name: str, pattern: str) -> pl.Expr:
    return pl.col(name).str.contains(pattern).fill_null(value=True)
