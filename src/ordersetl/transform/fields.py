"""DuckDB parses order records: the JSON text of each field that the star schema knows."""

import os
from functools import cache

import duckdb
import polars as pl

__all__ = ["read_fields"]

_TRICKY = r"\\u(?:00[0-7]|[dD][89a-fA-F])"
"""An escaped ASCII character, with which keys could be spelled, or half a surrogate pair, which may lack the other."""

_SHAPE = """{
 "order_id": "JSON", "user_id": "JSON", "amount": "JSON", "currency": "JSON", "created_at": "JSON",
 "updated_at": "JSON", "status": "JSON", "discount": "JSON", "tax": "JSON", "shipping": "JSON",
 "refunds": [{
  "refund_id": "JSON", "created_at": "JSON", "amount": "JSON",
  "items": [{"sku": "JSON", "qty": "JSON", "amount": "JSON"}]
 }],
 "cancelled_at": "JSON", "user": {"email": "JSON", "country": "JSON", "name": "JSON"},
 "items": [{"sku": "JSON", "qty": "JSON", "price": "JSON", "discount": "JSON", "tax": "JSON", "name": "JSON"}],
 "metadata": {"source": "JSON", "promo": "JSON"}
}"""
_QUERY = f"""
SELECT o.order_id, o.user_id, o.amount, o.currency, o.created_at, o.updated_at, o.status, o.items,
       o.discount, o.tax, o.shipping, o.cancelled_at, o.refunds, o.refunds IS NOT NULL AS has_refunds,
       o.user IS NOT NULL AS has_user, o.user.email AS email, o.user.country AS country, o.user.name AS user_name,
       CASE WHEN list_contains([x.price IS NULL FOR x IN o.items], true)
            THEN len(json_extract(record, '$.items[*].price')) ELSE len(o.items) END AS price_keys,
       o.metadata IS NOT NULL AS has_metadata, o.metadata.source AS source, o.metadata.promo AS promo
FROM (SELECT record, from_json(record, '{_SHAPE}') AS o FROM given)
"""


def read_fields(records: pl.Series) -> pl.DataFrame | None:
    """Fields of the records, one row each and in their order; null where a field is absent, null or of another shape.

    The columns are the names of the payload, ``source`` and ``promo`` those of ``metadata``, ``email``, ``country`` and
    ``user_name`` those of ``user``, each value as JSON text; numbers went through doubles, and of a repeated key the
    first counts. ``items`` and ``refunds`` are lists of such structs, whose own items too; ``price_keys`` is how
    many of the items have a price, null included. A record with tricky escapes is all null.

    Args:
        records: JSON texts, valid as far as msgspec can tell.

    Returns:
        None where DuckDB refuses one of them.
    """
    tricky = records.str.contains(_TRICKY)
    given = records.set(tricky, None) if tricky.any() else records
    with _open_database(os.getpid()).cursor() as connection:
        connection.register("given", _ArrowStream(given.to_frame("record")))
        try:
            return pl.DataFrame(connection.sql(_QUERY))
        except duckdb.Error:
            return None


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
