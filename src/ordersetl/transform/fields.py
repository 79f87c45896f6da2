"""DuckDB parses order records: the JSON text of each field that the star schema knows."""

import json
import os
from functools import cache

import duckdb
import msgspec
import polars as pl

__all__ = [
    "CHARGE_FIELDS",
    "ITEM_FIELDS",
    "METADATA_FIELDS",
    "OPTIONAL_NAMES",
    "ORDER_FIELDS",
    "REFUND_FIELDS",
    "REFUND_ITEM_FIELDS",
    "USER_FIELDS",
    "FieldTables",
    "read_fields",
    "read_json",
    "split_tables",
]

_TRICKY = r"\\u(?:00[0-7]|[dD][89a-fA-F])"
"""An escaped ASCII character, with which keys could be spelled, or half a surrogate pair, which may lack the other."""

ORDER_FIELDS = ("order_id", "user_id", "amount", "currency", "created_at", "updated_at", "status")
METADATA_FIELDS = ("source", "promo")
USER_FIELDS = ("email", "country")
CHARGE_FIELDS = ("discount", "tax", "shipping", "cancelled_at")
ITEM_FIELDS = ("sku", "qty", "price", "discount", "tax", "name")
REFUND_FIELDS = ("refund_id", "created_at", "amount")
REFUND_ITEM_FIELDS = ("sku", "qty", "amount")
"""The fields of a payload that the star schema knows, besides the names of what holds them, and ``deleted``."""

OPTIONAL_NAMES = (*CHARGE_FIELDS, "name", "user", "refunds")
"""Names that many shops never send: each that is read costs time, so only those are that a sample mentions."""
_SAMPLES = 512


def read_fields(records: pl.Series) -> pl.DataFrame | None:
    """Fields of the records, one row each and in their order; null where a field is absent, null or of another shape.

    The columns are the names of the payload, ``source`` and ``promo`` those of ``metadata``, ``email``, ``country`` and
    ``user_name`` those of ``user``, each value as JSON text; numbers went through doubles, and of a repeated key the
    first counts. ``items`` and ``refunds`` are lists of such structs, whose own items too; ``price_keys`` is how
    many of the items have a price, null included. A record with tricky escapes is all null.

    Of OPTIONAL_NAMES only those have columns that one of some records mentions, taken throughout: the text of another
    record may yet hold one that was not read.

    Args:
        records: JSON texts, valid as far as msgspec can tell.

    Returns:
        None where DuckDB refuses one of them.
    """
    sample = records.gather_every(1 + len(records) // _SAMPLES)
    mentioned = frozenset(name for name in OPTIONAL_NAMES if sample.str.contains(f'"{name}"', literal=True).any())
    return read_json(records, _query(mentioned))


def read_json(records: pl.Series, query: str) -> pl.DataFrame | None:
    """What a query says of ``given``, whose column ``record`` are these JSON texts; None where DuckDB refuses one.

    A record with tricky escapes is null.
    """
    tricky = records.str.contains(_TRICKY).fill_null(value=False)
    given = records.set(tricky, None) if tricky.any() else records
    with _open_database(os.getpid()).cursor() as connection:
        connection.register("given", _ArrowStream(given.to_frame("record")))
        try:
            return pl.DataFrame(connection.sql(query))
        except duckdb.Error:
            return None


class FieldTables(msgspec.Struct, frozen=True):
    """Fields of the generic API as JSON text, by ``pos``: of ``orders`` and of their ``items``, named as there.

    ``refunds`` and ``refund_items`` are numbered by ``refund``; None where no order has any. A boolean ``sure``, where
    there is one, says of a row whether its texts are certain.
    """

    orders: pl.DataFrame
    items: pl.DataFrame
    refunds: pl.DataFrame | None = None
    refund_items: pl.DataFrame | None = None


def split_tables(records: pl.DataFrame) -> FieldTables:
    """The tables of records with ``pos`` and the columns that :func:`read_fields` gives."""
    items = records.select("pos", "items").explode("items", empty_as_null=False, keep_nulls=False).unnest("items")
    orders = records.drop("items", "refunds", strict=False)
    given = records.filter(pl.col("refunds").list.len() > 0).select("pos", "refunds") if "refunds" in records else None
    if given is None or given.is_empty():
        return FieldTables(orders, items)
    refunds = given.explode("refunds").unnest("refunds").with_row_index("refund")
    of_refunds = refunds.filter(pl.col("items").list.len() > 0).select("pos", "refund", "items")
    return FieldTables(orders, items, refunds, of_refunds.explode("items").unnest("items"))


@cache
def _query(mentioned: frozenset[str]) -> str:
    """The query for the fields that are always read and these of OPTIONAL_NAMES."""
    order_fields = (*ORDER_FIELDS, *(name for name in CHARGE_FIELDS if name in mentioned))
    items = [name for name in ITEM_FIELDS if name in mentioned or name not in OPTIONAL_NAMES]
    shape: dict[str, object] = {
        **dict.fromkeys(order_fields, "JSON"),
        "items": [dict.fromkeys(items, "JSON")],
        "metadata": dict.fromkeys(METADATA_FIELDS, "JSON"),
    }
    columns = [*(f"o.{name}" for name in order_fields), "o.items"]
    if "refunds" in mentioned:
        refund_items = dict.fromkeys(REFUND_ITEM_FIELDS, "JSON")
        shape["refunds"] = [{**dict.fromkeys(REFUND_FIELDS, "JSON"), "items": [refund_items]}]
        columns += ["o.refunds", "o.refunds IS NOT NULL AS has_refunds"]
    if "user" in mentioned:
        shape["user"] = dict.fromkeys((*USER_FIELDS, "name"), "JSON")
        columns += ["o.user IS NOT NULL AS has_user", *(f"o.user.{name} AS {name}" for name in USER_FIELDS)]
        columns.append("o.user.name AS user_name")
    columns += ["o.metadata IS NOT NULL AS has_metadata", *(f"o.metadata.{name} AS {name}" for name in METADATA_FIELDS)]
    return f"""
    SELECT {", ".join(columns)},
           CASE WHEN list_contains([x.price IS NULL FOR x IN o.items], true)
                THEN len(json_extract(record, '$.items[*].price')) ELSE len(o.items) END AS price_keys
    FROM (SELECT record, from_json(record, '{json.dumps(shape)}') AS o FROM given)
    """


class _ArrowStream:
    """A frame as Arrow's C stream alone, as which DuckDB reads it without pyarrow."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


@cache
def _open_database(process: int) -> duckdb.DuckDBPyConnection:
    """The database of a process, its memory used again from chunk to chunk; a forked process needs its own."""
    del process
    return duckdb.connect(config={"threads": 1})
