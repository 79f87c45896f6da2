"""What was rejected and is still open, found by reading no more of curated than the days that it may be about."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter

import duckdb
import polars as pl

from ordersetl.check.open_quarantine import close_lines, close_rejects, list_open, load_rejects
from ordersetl.check.tables import open_database, select_rows
from ordersetl.errors import ConfigError
from ordersetl.lake.index import are_valid, hash_ids, look_up, open_segments
from ordersetl.lake.layout import QUARANTINE, Lake, page_name, quarantine_key, raw_key
from ordersetl.lake.listing import list_batches
from ordersetl.lake.manifest import Manifest, read_manifest, require_readable
from ordersetl.lake.quarantine import RejectLine, decode_reject, read_lines
from ordersetl.lake.rejected import read_rejected
from ordersetl.lake.segments import BrokenSegmentError
from ordersetl.load.files import CorruptedFileError, read_partition
from ordersetl.results import OpenQuarantine, QuarantinedRecord, QuarantineResult
from ordersetl.star.values import read_short_text

__all__ = ["count_open", "find_days", "list_quarantine", "list_quarantined_batches"]

_NEWEST = 5
_MAX_RECORDS = 1000
"""Records that a result holds; how many there are is counted."""
_CURRENT = {"order_id": "VARCHAR", "dt": "DATE", "updated_at_order": "TIMESTAMP"}


def list_quarantined_batches(lake: Lake, manifest: Manifest, waiting: Iterable[str]) -> list[str]:
    """Batches of which something was rejected: those that are loaded, and those that wait and are staged."""
    found = {entry.name for entry in lake.storage.entries(QUARANTINE)}
    try:
        loaded = set(read_rejected(lake, manifest))
    except BrokenSegmentError:  # what there is of the batches that are loaded
        loaded = {batch for batch in manifest.batches if f"{batch}.ndjson" in found}
    return sorted(loaded | {batch for batch in waiting if f"{batch}.ndjson" in found})


def count_open(lake: Lake, manifest: Manifest, batches: Sequence[str]) -> OpenQuarantine:
    """Rejected orders of the batches with no later good version, by reason."""
    if not batches:
        return OpenQuarantine()
    with _open_rejects(lake, manifest, batches) as database:
        return list_open(database, most=_NEWEST)


def list_quarantine(lake: Lake, *, reason: str | None = None, order_id: str | None = None) -> QuarantineResult:
    """The open rejected orders and lines, of the newest batch first.

    Args:
        lake: the output; nothing in it is changed.
        reason: only those of this reason.
        order_id: only those of this order.

    Raises:
        CorruptedError: the manifest is damaged.
        ConfigError: there is no such reason, or an older version wrote what curated holds.
    """
    manifest = read_manifest(lake) or Manifest()
    require_readable(lake, manifest)
    batches = list_quarantined_batches(lake, manifest, set(list_batches(lake)) - set(manifest.batches))
    kept_id = None if order_id is None else read_short_text(order_id)[0] or order_id  # which is cut, if too long
    with _open_rejects(lake, manifest, batches) as database:
        counted = list_open(database, most=_NEWEST)
        close_lines(database, lake, manifest)
        lines = database.execute("SELECT reason, count(*) FROM rejected_line GROUP BY ALL ORDER BY reason").fetchall()
        database.execute(
            """CREATE TEMP TABLE selected AS
            SELECT batch, position FROM (
                SELECT batch, position, order_id, reason FROM open_order
                UNION ALL SELECT batch, position, order_id, reason FROM rejected_line
            ) WHERE ($reason IS NULL OR reason = $reason) AND ($order_id IS NULL OR order_id = $order_id)""",
            {"reason": reason, "order_id": kept_id},
        )
        (selected,) = database.execute("SELECT count(*) FROM selected").fetchall()[0]
        newest = database.execute(
            f"SELECT batch, position FROM selected ORDER BY batch DESC, position LIMIT {_MAX_RECORDS}"
        ).fetchall()
    if reason is not None and reason not in counted.by_reason.keys() | dict(lines).keys():
        _require_reason(reason)
    return QuarantineResult(counted, dict(lines), reason, order_id, selected, tuple(_read_records(lake, newest)))


def _require_reason(reason: str) -> None:
    from ordersetl.source.description.kinds import suggest  # noqa: PLC0415 - brings in pydantic, as the rules do
    from ordersetl.transform.models import ORDER_REASONS  # noqa: PLC0415
    from ordersetl.transform.order_lines import LINE_REASONS  # noqa: PLC0415

    known = sorted({*ORDER_REASONS, *LINE_REASONS})
    if reason not in known:
        raise ConfigError(
            f"--reason {reason}: there is no such reason{suggest(reason, known)}",
            hint=f"Those that there are: {', '.join(known)}.",
        )


def find_days(lake: Lake, manifest: Manifest, ids: Sequence[str]) -> list[date]:
    """Days whose partition may hold one of the orders: by the index, or all of them where that is damaged."""
    if not are_valid(lake, manifest.index, verify=False):
        return sorted(manifest.partitions)
    with suppress(BrokenSegmentError):  # a run may drop a segment that it merged into another
        found = look_up(open_segments(lake, manifest.index), hash_ids(pl.Series(ids, dtype=pl.String)).drop_nulls())
        return sorted(manifest.partitions.keys() & set(found["dt"]))
    return sorted(manifest.partitions)


@contextmanager
def _open_rejects(lake: Lake, manifest: Manifest, batches: Sequence[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with ``quarantined``, and with what is open of its orders in ``rejected_order``."""
    with open_database() as database:
        load_rejects(database, lake, batches)
        ids = [row[0] for row in database.execute("SELECT DISTINCT order_id FROM quarantined").fetchall() if row[0]]
        query, parameters = select_rows(_CURRENT, list(_read_current(lake, manifest, ids)))
        database.execute(f"CREATE TABLE order_partition AS {query}", parameters)
        close_rejects(database, lake, manifest)
        yield database


def _read_current(lake: Lake, manifest: Manifest, ids: Sequence[str]) -> Iterator[tuple[str, date, datetime]]:
    """Id, day and time of the current version of those of the orders that curated has; damaged partitions have none."""
    partitions, wanted = manifest.partitions, pl.Series(ids, dtype=pl.String).implode()
    for day in find_days(lake, manifest, ids) if ids else ():
        with suppress(CorruptedFileError):
            rows = read_partition(lake, day, partitions[day], ["order_id", "updated_at_order"])
            for order_id, time in rows.filter(pl.col("order_id").is_in(wanted)).unique().iter_rows():
                yield order_id, day, time


def _read_records(lake: Lake, places: Iterable[tuple[str, int]]) -> Iterator[QuarantinedRecord]:
    """The records at these lines of quarantine files, in the order given: by batch, rising in each."""
    for batch, places_in in groupby(places, key=itemgetter(0)):
        lines = enumerate(_read_lines(lake, batch))
        for _, position in places_in:
            found = decode_reject(next((line for at, line in lines if at == position), b""))
            if found is not None:
                yield _describe(found)


def _describe(found: RejectLine) -> QuarantinedRecord:
    return QuarantinedRecord(
        batch=found.batch,
        page=raw_key(found.batch, page_name(found.page)),
        index=found.index,
        line=found.line,
        order_id=found.order_id,
        scope="order" if found.scope == "order" else "line",
        reason=found.reason,
        detail=found.detail,
        time=found.time,
    )


def _read_lines(lake: Lake, batch: str) -> Iterator[bytes]:
    with suppress(OSError), lake.storage.open(quarantine_key(batch)) as file:
        yield from read_lines(file)
