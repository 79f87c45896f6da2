"""The open quarantine: rejected orders of which the curated layer has no newer version.

A rejected version is closed by the version of its order that curated has, or by the one with which the order left,
where that is newer, as the fold has it: by its time, on a tie by its batch, then by its position there. The rejected
version's time is that which validation wrote beside it; where none could be read, batch and position alone decide,
as they do where it was read by another mapping than curated's.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice

import duckdb
import polars as pl

from ordersetl.check.tables import select_rows
from ordersetl.check.winners import Undecided, Winners, find_places
from ordersetl.lake.in_force import find_in_force
from ordersetl.lake.index import are_valid, hash_ids, look_up_tombstones, open_segments
from ordersetl.lake.layout import Lake, quarantine_key
from ordersetl.lake.manifest import IndexEntry, Manifest
from ordersetl.lake.quarantine import decode_reject, read_lines
from ordersetl.lake.rejected import read_rejected
from ordersetl.lake.segments import BrokenSegmentError
from ordersetl.lake.staged import is_staged_again
from ordersetl.results import OpenOrder, OpenQuarantine, RejectExample
from ordersetl.star.values import to_naive

__all__ = ["close_lines", "close_rejects", "list_examples", "list_open", "list_rejected", "load_rejects"]

_CHUNK_ROWS = 10_000


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
_GONE = {"order_id": "VARCHAR", "gone_at": "TIMESTAMP"}
_PLACES = {"order_id": "VARCHAR", "batch": "VARCHAR", "page": "INTEGER", "idx": "BIGINT"}


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
        SELECT * EXCLUDE (scope) FROM quarantined WHERE scope = 'order'"""
    )


def list_rejected(lake: Lake, manifest: Manifest) -> list[str]:
    """Batches of which something was rejected; none where the list of them is damaged, which another check says."""
    with suppress(BrokenSegmentError):
        return list(read_rejected(lake, manifest))
    return []


def close_rejects(database: duckdb.DuckDBPyConnection, lake: Lake, manifest: Manifest) -> None:
    """Drop the rejected versions that a newer one closes, of an order of ``order_partition`` or one that has left.

    Creates ``winner``: the newest version of each order of ``quarantined`` that was ever loaded, by its time.
    """
    query, parameters = select_rows(_GONE, _list_gone(database, lake, manifest.tombstones))
    database.execute(
        f"""CREATE TABLE winner AS
        SELECT order_id, max(won_at) AS won_at, bool_or(has_left) AS has_left FROM (
            SELECT order_id, updated_at_order AS won_at, false AS has_left FROM order_partition
            UNION ALL SELECT order_id, gone_at, true FROM ({query})
        ) SEMI JOIN quarantined USING (order_id) GROUP BY order_id""",
        parameters,
    )
    _forget_times(database, lake, manifest)
    database.execute(
        """DELETE FROM rejected_order USING winner
        WHERE winner.order_id = rejected_order.order_id AND won_at > rejected_order.version_at"""
    )
    _close_earlier(database, "rejected_order", lake, manifest)


def _forget_times(database: duckdb.DuckDBPyConnection, lake: Lake, manifest: Manifest) -> None:
    """Take those for unknown that a corrected mapping read that no load has folded by: curated's are by the old one."""
    mapping = manifest.settings.mapping
    if not mapping or find_in_force(lake).mapping == mapping:
        return
    batches = [row[0] for row in database.execute("SELECT DISTINCT batch FROM rejected_order").fetchall()]
    again = [batch for batch in batches if is_staged_again(lake, batch, manifest)]
    database.execute(
        "UPDATE rejected_order SET version_at = NULL WHERE batch IN (SELECT unnest($again))", {"again": again}
    )


def close_lines(database: duckdb.DuckDBPyConnection, lake: Lake, manifest: Manifest) -> None:
    """Create ``rejected_line``, the rejected lines of the versions that curated has; after :func:`close_rejects`."""
    database.execute(
        """CREATE TABLE rejected_line AS
        SELECT quarantined.* EXCLUDE (scope) FROM quarantined
        JOIN winner ON winner.order_id = quarantined.order_id AND won_at = quarantined.version_at
        WHERE scope = 'line' AND batch IN (SELECT unnest($applied))""",
        {"applied": list(manifest.batches)},
    )
    _close_earlier(database, "rejected_line", lake, manifest)


def _close_earlier(database: duckdb.DuckDBPyConnection, table: str, lake: Lake, manifest: Manifest) -> None:
    """Drop from a table the versions that time does not tell from the winner, where that came after them."""
    database.execute(
        f"""CREATE OR REPLACE TEMP TABLE undecided AS
        SELECT order_id, won_at, has_left, batch, page, idx FROM {table} JOIN winner USING (order_id)
        WHERE coalesce(version_at, won_at) = won_at"""
    )
    orders = database.execute(
        "SELECT order_id, won_at, min(batch), max((batch, page, idx)) FROM undecided GROUP BY order_id, won_at"
    ).fetchall()
    if not orders:
        return
    rejected = database.execute(
        "SELECT batch, page, idx FROM quarantined SEMI JOIN undecided USING (order_id) WHERE scope = 'order'"
    ).fetchall()
    days = database.execute("SELECT DISTINCT dt FROM order_partition SEMI JOIN undecided USING (order_id)").fetchall()
    winners = Winners(
        {order_id: Undecided(*facts) for order_id, *facts in orders},
        frozenset(rejected),
        frozenset(day for (day,) in days),
        gone=database.execute("SELECT bool_or(has_left) FROM undecided").fetchall()[0][0],
    )
    query, parameters = select_rows(_PLACES, list(find_places(lake, manifest, winners)))
    database.execute(
        f"""DELETE FROM {table} AS rejected USING ({query}) AS place, winner
        WHERE place.order_id = rejected.order_id AND winner.order_id = rejected.order_id
            AND coalesce(rejected.version_at, won_at) = won_at
            AND (place.batch, place.page, place.idx) > (rejected.batch, rejected.page, rejected.idx)""",
        parameters,
    )


def _list_gone(
    database: duckdb.DuckDBPyConnection, lake: Lake, tombstones: Sequence[IndexEntry]
) -> list[tuple[object, ...]]:
    """Rejected orders that have left, and when, which is in no partition.

    Where it is lost there are none: what was rejected stays listed until the next load has made it again.
    """
    if not are_valid(lake, tombstones, verify=True):
        return []
    ids = [row[0] for row in database.execute("SELECT DISTINCT order_id FROM rejected_order").fetchall()]
    keys = hash_ids(pl.Series(ids, dtype=pl.String)).drop_nulls()
    try:
        return look_up_tombstones(open_segments(lake, tombstones), keys).rows()
    except BrokenSegmentError:
        return []


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
        """SELECT reason, count(*) OVER (PARTITION BY reason) AS orders, batch,
            page, idx, order_id, position
        FROM open_order
        QUALIFY row_number() OVER (
            PARTITION BY reason ORDER BY order_id IS NULL, batch DESC, position DESC
        ) = 1
        ORDER BY orders DESC, reason"""
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
                yield *where, rejected.order_id or None, rejected.reason, rejected.time and to_naive(rejected.time)
