"""The open quarantine: rejected orders of which the curated layer has no version as new.

A rejected version is closed by a curated version of its order whose ``updated_at_order`` is the same or later, or by
one with which the order left. Its own time is that which validation wrote beside it; where it could not be read, the
version is as new as its batch.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain, islice

import duckdb
import polars as pl

from ordersetl.check.tables import select_rows
from ordersetl.lake.index import are_valid, hash_ids, look_up_tombstones, open_segments
from ordersetl.lake.layout import Lake, quarantine_key
from ordersetl.lake.manifest import IndexEntry, Manifest
from ordersetl.lake.quarantine import RejectLine, decode_reject, read_lines
from ordersetl.lake.rejected import read_rejected
from ordersetl.lake.segments import BrokenSegmentError
from ordersetl.results import OpenOrder, OpenQuarantine, RejectExample
from ordersetl.star.values import to_naive

__all__ = ["close_gone", "close_rejects", "list_examples", "list_open", "list_rejected", "load_rejects"]

_CHUNK_ROWS = 10_000
_NEVER = datetime(9999, 1, 1)  # noqa: DTZ001 - DuckDB's TIMESTAMP is naive UTC


_TYPES = {
    "batch": "VARCHAR",
    "page": "INTEGER",
    "idx": "BIGINT",
    "scope": "VARCHAR",
    "position": "BIGINT",
    "order_id": "VARCHAR",
    "reason": "VARCHAR",
    "version_at": "TIMESTAMP",
}
"""Columns of ``quarantined``: ``position`` is the line in the file, ``version_at`` the version's time, naive UTC."""


def load_rejects(database: duckdb.DuckDBPyConnection, lake: Lake, batches: Iterable[str]) -> None:
    """Create ``quarantined``, one row per rejected order version or line of the batches, and ``rejected_order``.

    The latter holds the order versions alone: close_rejects takes rows from it.

    A file or a line that cannot be read is passed over: that the files are complete is for another check to say.
    """
    query, parameters = select_rows(_TYPES, [])
    database.execute(f"CREATE TABLE quarantined AS {query}", parameters)
    rows = chain.from_iterable(_read_rejected(lake, batch) for batch in sorted(batches))
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        database.execute(f"INSERT INTO quarantined {query}", select_rows(_TYPES, chunk)[1])
    database.execute(
        """CREATE TABLE rejected_order AS
        SELECT batch, position, order_id, reason, version_at FROM quarantined WHERE scope = 'order'"""
    )


def list_rejected(lake: Lake, manifest: Manifest) -> list[str]:
    """Batches of which something was rejected; none where the list of them is damaged, which another check says."""
    with suppress(BrokenSegmentError):
        return list(read_rejected(lake, manifest))
    return []


def close_rejects(database: duckdb.DuckDBPyConnection) -> None:
    """Drop the rejected versions that an order of ``order_partition`` closes."""
    database.execute(
        """DELETE FROM rejected_order USING order_partition
        WHERE order_partition.order_id = rejected_order.order_id
            AND order_partition.updated_at_order >= rejected_order.version_at"""
    )


def close_gone(database: duckdb.DuckDBPyConnection, lake: Lake, tombstones: Sequence[IndexEntry]) -> None:
    """Drop the rejected versions of orders that have left since; which ones did is in no partition."""
    if not are_valid(lake, tombstones, verify=True):
        return  # what was rejected stays listed until the next load has made them again
    ids = [row[0] for row in database.execute("SELECT DISTINCT order_id FROM rejected_order").fetchall()]
    keys = hash_ids(pl.Series(ids, dtype=pl.String)).drop_nulls()
    try:
        gone = look_up_tombstones(open_segments(lake, tombstones), keys)
    except BrokenSegmentError:
        return  # likewise
    query, parameters = select_rows({"order_id": "VARCHAR", "gone_at": "TIMESTAMP"}, gone.rows())
    database.execute(
        f"""DELETE FROM rejected_order USING ({query}) AS gone_order
        WHERE gone_order.order_id = rejected_order.order_id AND gone_order.gone_at >= rejected_order.version_at""",
        parameters,
    )


def list_open(database: duckdb.DuckDBPyConnection, *, most: int) -> OpenQuarantine:
    """What is left of ``rejected_order``: each order once, by its newest rejection."""
    database.execute(
        """CREATE OR REPLACE TEMP TABLE open_order AS SELECT * FROM rejected_order
        QUALIFY order_id IS NULL OR row_number() OVER (PARTITION BY order_id ORDER BY batch DESC, position DESC) = 1"""
    )
    orders, without_id = database.execute(
        "SELECT count(order_id), count(*) - count(order_id) FROM open_order"
    ).fetchall()[0]
    reasons = database.execute("SELECT reason, count(*) FROM open_order GROUP BY ALL ORDER BY reason").fetchall()
    newest = database.execute(
        """SELECT batch, order_id, reason FROM open_order WHERE order_id IS NOT NULL
        ORDER BY batch DESC, position, order_id LIMIT $most""",
        {"most": most},
    ).fetchall()
    return OpenQuarantine(orders, without_id, dict(reasons), tuple(OpenOrder(*row) for row in newest))


def list_examples(database: duckdb.DuckDBPyConnection, lake: Lake) -> tuple[RejectExample, ...]:
    """The newest order of each reason that :func:`list_open` found, one with an id if any; most orders first."""
    rows = database.execute(
        """SELECT open_order.reason, count(*) OVER (PARTITION BY open_order.reason) AS orders, open_order.batch,
            page, idx, open_order.order_id, position
        FROM open_order JOIN quarantined USING (batch, position)
        QUALIFY row_number() OVER (
            PARTITION BY open_order.reason ORDER BY open_order.order_id IS NULL, batch DESC, position DESC
        ) = 1
        ORDER BY orders DESC, open_order.reason"""
    ).fetchall()
    return tuple(
        RejectExample(reason, orders, batch, page, index, order_id, _read_detail(lake, batch, position))
        for reason, orders, batch, page, index, order_id, position in rows
    )


def _read_detail(lake: Lake, batch: str, position: int) -> str:
    """What validation said of the record at this line of the batch's file; "" where it cannot be read."""
    with suppress(OSError), lake.storage.open(quarantine_key(batch)) as file:
        rejected = decode_reject(next(islice(read_lines(file), position, None), b""))
        return rejected.detail if rejected is not None else ""
    return ""


def _read_rejected(lake: Lake, batch: str) -> Iterator[tuple[object, ...]]:
    with suppress(OSError), lake.storage.open(quarantine_key(batch)) as file:
        for position, line in enumerate(read_lines(file)):
            rejected = decode_reject(line)
            if rejected is not None:
                where = (batch, rejected.page, rejected.index, rejected.scope, position)
                yield *where, rejected.order_id or None, rejected.reason, _version_time(rejected)


def _version_time(rejected: RejectLine) -> datetime:
    time = rejected.time
    if time is None:
        with suppress(ValueError):
            time = datetime.fromisoformat(rejected.batch)
    return _NEVER if time is None else to_naive(time)
