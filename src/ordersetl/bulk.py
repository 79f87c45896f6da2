"""Validate orders of the generic API in bulk, wherever the columns prove what the models would say.

DuckDB takes the pages apart, Polars looks at the columns. A record is *plain* when every rule of models.py holds for
it beyond doubt, judged by patterns that are narrower than the rules; its values are then read by expressions. Any
other record is *doubtful* and goes to the models, one by one. So the bulk path never rejects, and never decides.

What makes a record doubtful that looks plain: a key that stands twice (DuckDB takes the first, JSON parsers the last)
and text with escapes. A page is doubtful as a whole where DuckDB, which reads numbers as doubles, wrote one shorter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_

import duckdb
import polars as pl

from ordersetl.models import QTY_LIMIT, TEXT_BYTES
from ordersetl.star import ITEM_SCHEMA, ORDER_SCHEMA

__all__ = ["NOTHING_READ", "PAGE_BITS", "BulkOrders", "DoubtfulRecord", "is_readable", "read_bulk"]

PAGE_BITS = 32
"""An order's place in its batch: page << PAGE_BITS | index in the page."""

_TRICKY_PAGE = (
    r"\\u[dD][89a-fA-F]"  # a surrogate: paired ones are fine, lone ones are not
    r"|\\u00[0-7]"  # an escaped ASCII character: keys could be spelled with it
    r"|\bNaN\b|\bInfinity\b"
)
_ORDERS_KEY = r'"orders"\s*:'
_LONG_NUMBER = r"[\s:,\[]-?[0-9][0-9.]{15,}"
"""A number of 15 digits or more: a double may not keep all of them.

Where DuckDB's text of a page holds as many of them as the page itself, none was shortened. Then a number below 10^9
rounds to four digits as the original does: a tie has at most 14 digits, so it is a double of its own, and the two lie
on the same side of it.
"""

_SHAPE = """{
 "order_id": "JSON", "user_id": "JSON", "amount": "JSON", "currency": "JSON", "created_at": "JSON",
 "updated_at": "JSON", "status": "JSON", "items": [{"sku": "JSON", "qty": "JSON", "price": "JSON"}],
 "metadata": {"source": "JSON", "promo": "JSON"}
}"""
_QUERY = f"""
SELECT page, index, record, o.order_id, o.user_id, o.amount, o.currency, o.created_at, o.updated_at, o.status, o.items,
       CASE WHEN list_contains([x.price IS NULL FOR x IN o.items], true)
            THEN len(json_extract(record, '$.items[*].price')) ELSE len(o.items) END AS price_keys,
       o.metadata IS NOT NULL AS has_metadata, o.metadata.source AS source, o.metadata.promo AS promo
FROM (
  SELECT page, index, record, from_json(record, '{_SHAPE}') AS o
  FROM (
    SELECT page, generate_subscripts(records, 1) - 1 AS index, unnest(records) AS record
    FROM (
      SELECT unnest($1::UBIGINT[]) AS page,
             unnest(list_transform($2::VARCHAR[], lambda body: SHAPED)) AS records
    )
  )
)
"""
_BARE = """from_json(body, '["JSON"]')"""
_WRAPPED = """from_json(body, '{"orders": ["JSON"]}').orders"""

_END = r"[!-~\p{L}\p{N}]"
"""First and last character of a text that stripping leaves alone for certain."""
_TEXT = rf'^(?:"{_END}(?:.*{_END})?"|-?[0-9]{{1,18}})$'
_NUMBER = r'^"?(?:[0-9]{1,9}(?:\.[0-9]{1,20})?|[0-9]{10,14}(?:\.[0-9])?)"?$'
_TIME = (
    r'^"(?:197[1-9]|19[89][0-9]|20[0-9][0-9]|21[0-8][0-9])-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]'
    r'(?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?"$'
)
_LARGE = 9e13
"""Amounts from here on are left to the models: a float cannot tell them from 10^14."""

_KEYS = ("order_id", "user_id", "amount", "currency", "created_at", "updated_at", "status", "source", "promo")


@dataclass(frozen=True)
class DoubtfulRecord:
    """A record that the models must judge; ``text`` is its JSON."""

    pos: int
    text: str


@dataclass(frozen=True)
class BulkOrders:
    """Plain orders (ORDER_SCHEMA) and their items (ITEM_SCHEMA), and the records in doubt, of ``pages``.

    Every record of these pages is in ``orders`` or in ``doubtful``, once; nothing of any other page is.
    """

    orders: pl.DataFrame
    items: pl.DataFrame
    doubtful: Sequence[DoubtfulRecord]
    pages: frozenset[int]


NOTHING_READ = BulkOrders(pl.DataFrame(schema=ORDER_SCHEMA), pl.DataFrame(schema=ITEM_SCHEMA), (), frozenset())


def is_readable(bodies: Sequence[str]) -> list[bool]:
    """Whether each page can be taken apart in bulk without losing anything of what it says."""
    texts = pl.Series("body", bodies, dtype=pl.String)
    return (
        (~texts.str.contains(_TRICKY_PAGE) & (texts.str.count_matches(_ORDERS_KEY) <= 1))
        .fill_null(value=False)
        .to_list()
    )


def read_bulk(pages: Sequence[tuple[int, str]]) -> BulkOrders:
    """Read the pages (number, body) in bulk, as far as that is safe; the models must read the others.

    The pages must be readable by :func:`is_readable`.
    """
    frames = []
    with duckdb.connect(config={"threads": 1}) as connection:
        for shape, bare in ((_BARE, True), (_WRAPPED, False)):
            chosen = [(number, body) for number, body in pages if body.lstrip()[:1].startswith("[") == bare]
            if not chosen:
                continue
            query = _QUERY.replace("SHAPED", shape)
            try:
                found = connection.sql(query, params=[[n for n, _ in chosen], [body for _, body in chosen]])
                frames.append(pl.DataFrame(found))
            except duckdb.Error:  # something in there that DuckDB refuses and others read: the models see to it
                return NOTHING_READ
    if not frames:
        return NOTHING_READ
    records = pl.concat(frames)
    shortened = _pages_with_shortened_numbers(pages, records)
    read = frozenset(number for number, _ in pages) - shortened
    return _sort_out(records.filter(~pl.col("page").is_in(list(shortened))), read)


def _pages_with_shortened_numbers(pages: Sequence[tuple[int, str]], records: pl.DataFrame) -> frozenset[int]:
    given = pl.DataFrame(pages, schema={"page": pl.UInt64, "body": pl.String}, orient="row").select(
        "page", given=pl.col("body").str.count_matches(_LONG_NUMBER)
    )
    written = records.group_by("page").agg(written=(pl.lit(",") + pl.col("record")).str.count_matches(_LONG_NUMBER).sum())
    compared = given.join(written, on="page", how="left").filter(pl.col("given") != pl.col("written").fill_null(0))
    return frozenset(compared["page"])


def _sort_out(records: pl.DataFrame, pages: frozenset[int]) -> BulkOrders:
    records = records.with_columns(pos=(pl.col("page") * (1 << PAGE_BITS) + pl.col("index")).cast(pl.UInt64))
    items = (
        records.lazy()
        .select("pos", "items")
        .explode("items", empty_as_null=False, keep_nulls=False)
        .unnest("items")
        .collect()
    )
    judged = items.select("pos", *_item_columns()).with_columns(_item_is_plain().alias("plain"))
    per_order = judged.group_by("pos").agg(
        plain_items=pl.col("plain").all(),
        items=pl.len(),
        unpriced=pl.col("price").null_count(),
        total=pl.col("amount").sum(),
    )
    joined = records.drop("items").join(per_order, on="pos", how="left")
    typed = joined.with_columns(_order_columns()).with_columns(_order_is_plain().alias("plain"))
    plain = typed.filter("plain")
    doubtful = typed.filter(~pl.col("plain")).select("pos", pl.col("record").fill_null("null"))
    orders = _orders_of(plain, judged)
    kept = judged.join(orders.select("pos"), on="pos", how="semi").select(*ITEM_SCHEMA)
    return BulkOrders(orders, kept, [DoubtfulRecord(pos, text) for pos, text in doubtful.iter_rows()], pages)


def _orders_of(plain: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """ORDER_SCHEMA of plain records; an absent amount is the sum of the lines."""
    without = plain.filter(pl.col("order_amount").is_null()).select("pos")
    if without.height:
        sums = (
            items.join(without, on="pos", how="semi")
            .group_by("pos")
            .agg(summed=(pl.col("qty") * pl.col("price")).cast(ITEM_SCHEMA["qty"]).sum().cast(ITEM_SCHEMA["qty"]))
        )
        plain = plain.join(sums, on="pos", how="left").with_columns(
            order_amount=pl.coalesce("order_amount", "summed")
        )
    return plain.with_columns(dt=pl.col("created_at_order").dt.date()).select(*ORDER_SCHEMA)


def _item_columns() -> list[pl.Expr]:
    qty, price = _decimal("qty"), _decimal("price")
    return [
        _text("sku").alias("sku"),
        qty.alias("qty"),
        price.alias("price"),
        (qty.cast(pl.Float64) * price.cast(pl.Float64)).alias("amount"),
        _is_plain_id("sku").alias("sku_is_plain"),
        pl.col("qty").str.contains(_NUMBER).fill_null(value=False).alias("qty_is_plain"),
        _is_absent_or("price", _NUMBER).alias("price_is_plain"),
    ]


def _item_is_plain() -> pl.Expr:
    return _all(
        pl.col("sku_is_plain"),
        pl.col("qty_is_plain") & (pl.col("qty") > 0) & (pl.col("qty") < int(QTY_LIMIT)),
        pl.col("price_is_plain") & (pl.col("price").is_not_null() | pl.col("amount").is_null()),
        pl.col("amount").fill_null(0.0) < _LARGE,
        pl.col("price").fill_null(0) < int(_LARGE),
    )


def _order_columns() -> list[pl.Expr]:
    created, updated = _time("created_at"), _time("updated_at")
    return [
        _text("order_id").alias("order_id"),
        _is_plain_id("order_id").alias("order_id_is_plain"),
        _text("user_id").alias("user_id"),
        (pl.col("user_id").is_null() | _is_plain_id("user_id")).alias("user_id_is_plain"),
        _decimal("amount").alias("order_amount"),
        (_is_absent_or("amount", _NUMBER) & (pl.col("amount").is_null() | _decimal("amount").is_not_null())).alias(
            "amount_is_plain"
        ),
        created.alias("created_at_order"),
        pl.coalesce(updated, created).alias("updated_at_order"),
        (_is_absent_or("updated_at", _TIME) & (pl.col("updated_at").is_null() | updated.is_not_null())).alias(
            "updated_at_is_plain"
        ),
        (pl.col("created_at").str.contains(_TIME) & created.is_not_null()).fill_null(value=False).alias(
            "created_at_is_plain"
        ),
        *(_text(name).alias(name) for name in ("status", "source", "promo")),
        _text("currency").str.to_uppercase().alias("currency"),
        (_is_plain_text("status") & _is_plain_text("source") & _is_plain_text("promo")).alias("labels_are_plain"),
        # upper case may add bytes or letters outside ASCII
        (_is_plain_text("currency") & pl.col("currency").str.contains(r"^[ -~]*$").fill_null(value=True)).alias(
            "currency_is_plain"
        ),
        _has_each_key_once().alias("keys_are_plain"),
    ]


def _order_is_plain() -> pl.Expr:
    return _all(
        pl.col("order_id_is_plain"),
        pl.col("created_at_is_plain"),
        pl.col("updated_at_is_plain"),
        pl.col("user_id_is_plain"),
        pl.col("amount_is_plain"),
        pl.col("plain_items"),
        pl.col("order_amount").is_not_null() | (pl.col("unpriced") == 0),
        pl.col("total") < _LARGE,
        pl.col("items") * int(QTY_LIMIT) < _LARGE,
        pl.col("labels_are_plain"),
        pl.col("currency_is_plain"),
        pl.col("keys_are_plain"),
        ~pl.col("record").str.contains("\\", literal=True),
    )


def _has_each_key_once() -> pl.Expr:
    r"""Every key of the record is accounted for by one value that was read, so that none stands twice.

    The text is DuckDB's own writing, without escapes where it is plain: a key is followed by ``":`` with no space, and
    nothing else holds these two characters. A value that was read accounts for one key; a known key without a value
    accounts for one more where the text holds it with null. Where that leaves keys over, they may be unknown ones:
    then each known key is counted by itself.
    """
    record = pl.col("record")
    present = {
        **{name: _is_present(name, pl.col(name).is_not_null()) for name in _KEYS},
        "metadata": _is_present("metadata", pl.col("has_metadata")),
        "items": pl.lit(1, pl.UInt32),
        "sku": pl.col("items"),
        "qty": pl.col("items"),
        "price": pl.col("price_keys").cast(pl.UInt32),
    }
    accounted = record.str.count_matches('":', literal=True) == pl.sum_horizontal(present.values())
    counted = _all(*(record.str.count_matches(f'"{name}":', literal=True) == times for name, times in present.items()))
    return pl.when(accounted).then(pl.lit(value=True)).otherwise(counted)


def _is_present(name: str, has_value: pl.Expr) -> pl.Expr:
    with_null = pl.col("record").str.contains(f'"{name}":null', literal=True)
    return pl.when(has_value).then(1).otherwise(with_null.cast(pl.UInt32)).cast(pl.UInt32)


def _all(*conditions: pl.Expr) -> pl.Expr:
    return reduce(and_, conditions).fill_null(value=False)


def _text(name: str) -> pl.Expr:
    return pl.col(name).str.strip_chars('"')


def _decimal(name: str) -> pl.Expr:
    return _text(name).cast(ITEM_SCHEMA["qty"], strict=False)


def _time(name: str) -> pl.Expr:
    """Naive UTC of a time in one of the plain forms. Each form has a fast path of its own; the rest is slower."""
    text = _text(name)
    zulu = text.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", strict=False)
    with_zone = pl.when(text.str.contains(r"(?:Z|[+-][0-9]{2}:[0-9]{2})$")).then(text).otherwise(text + "Z")
    other = (
        pl.when(zulu.is_null())
        .then(with_zone)
        .str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        .dt.replace_time_zone(None)
    )
    return pl.coalesce(zulu, other)


def _is_plain_id(name: str) -> pl.Expr:
    fits = pl.col(name).str.len_bytes() <= TEXT_BYTES
    return (pl.col(name).str.contains(_TEXT) & fits).fill_null(value=False)


def _is_plain_text(name: str) -> pl.Expr:
    return pl.col(name).is_null() | _is_plain_id(name)


def _is_absent_or(name: str, pattern: str) -> pl.Expr:
    return pl.col(name).str.contains(pattern).fill_null(value=True)
