"""Whether a batch brings anything that the log has not: one that does not need not stay.

The fold of the log with it and without it is the same. It has no record, or its records are the last ones of the newest
batch, byte for byte and in their order: so that of each order the version that wins is either among them or newer.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from ordersetl.errors import CorruptedError, OrdersetlError
from ordersetl.extract.batch import Batch, commit_batch
from ordersetl.extract.coverage import Coverage, LogEnd, is_settled, read_log_end
from ordersetl.lake import unfinished
from ordersetl.lake.in_force import InForce
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import list_batches
from ordersetl.lake.raw import BatchMarker, BatchRequest, PageEntry
from ordersetl.lake.staged import read_stage
from ordersetl.runtime import RunContext
from ordersetl.source.kept_pages import KeptPages, describe_request
from ordersetl.source.page import split_records

if TYPE_CHECKING:
    from ordersetl.source.description.model import Description

__all__ = ["Settled", "settle_batch"]

_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_BYTES = 16 << 20
"""Of a batch whose records are compared one by one."""


class Settled(msgspec.Struct, frozen=True):
    """What became of a complete batch: ``batch`` is its id, or None where it brought nothing new and is dropped.

    ``window_end`` ends what it covers, None where that is nothing; ``coverage`` is that of all its origin.
    """

    batch: str | None
    window_end: datetime | None
    coverage: Coverage


def settle_batch(context: RunContext, batch: Batch, *, is_held: bool = False) -> Settled:
    """Commit a batch that is complete, or drop it where it says nothing beyond what is committed.

    Where that cannot be told, or where ``is_held``, as curated holds it, it is committed.

    Raises:
        LockedError: the lock was lost.
        StorageError: the disk refused.
    """
    lake, request, lookback = context.lake, batch.request, context.settings.lookback
    batches, end = list_batches(lake), None
    with suppress(CorruptedError):
        end = read_log_end(lake, batches, request, now=context.now(), lookback=lookback)
        if not is_held and not _is_news(lake, batch, end, lookback):
            context.lock.assert_held()
            unfinished.drop_batch(lake, batch.id)
            return Settled(None, end.coverage.add(request, batch.pages, lookback)[1], end.coverage)
    marker, coverage = commit_batch(context, batch, batches=batches, before=None if end is None else end.coverage)
    return Settled(marker.batch, marker.window_end, coverage)


def _is_news(lake: Lake, batch: Batch, end: LogEnd, lookback: timedelta) -> bool:
    """Whether it says anything beyond the log so far, or that must be recorded: what is covered once batches are gone.

    Raises:
        CorruptedError: the newest batch is damaged.
    """
    newest = end.newest
    return (
        newest is None
        or not end.is_recorded
        or _asked(newest.request) != _asked(batch.request)
        or not {(kind, file.sha256) for kind, file in batch.request.references.items()}
        <= {(kind, file.sha256) for kind, file in newest.references.items()}
        or _covers_more(batch, newest, end.coverage, lookback)
        or (batch.records > 0 and not _repeats(lake, batch, newest))
    )


def _asked(request: BatchRequest) -> BatchRequest:
    """A request without when it was made, its window and its files: what else it asks for says how pages are read."""
    return msgspec.structs.replace(
        request,
        since=None,
        until=None,
        continues=None,
        part_of=None,
        began_at=_ANY_TIME,
        page_size=0,
        references={},
        shown_since=None,
        shown_until=None,
    )


def _covers_more(batch: Batch, newest: BatchMarker, before: Coverage, lookback: timedelta) -> bool:
    """Whether it moves what is covered, or settles a window: a backfill must not fetch that again."""
    request = batch.request
    after, _ = before.add(request, batch.pages, lookback)
    is_same = (newest.request.since, newest.request.until) == (request.since, request.until)
    is_whole = request.covered_since == request.since  # else it is fetched again for as long as the source hides a part
    return after != before or (is_settled(request) and is_whole and not (is_same and is_settled(newest.request)))


def _repeats(lake: Lake, batch: Batch, newest: BatchMarker) -> bool:
    """Whether its records are the last ones of the newest batch, and count as they did there."""
    stage = read_stage(lake, newest.batch)
    if stage is None or stage.counts.future_updated_at:
        return False  # what was in the future there may no longer be
    if stage.counts.outside_window and _list_enforced(newest.request) != _list_enforced(batch.request):
        return False  # what was dropped there may count here
    if _list_contents(batch.pages) == _list_contents(newest.pages):
        return True
    wanted = batch.records
    if wanted > newest.records or sum(page.all_bytes for page in batch.pages) > _MAX_BYTES:
        return False
    try:
        return _ends_with(lake, newest, batch, wanted)
    except OrdersetlError:
        return False  # nothing tells its records apart


def _list_contents(pages: Sequence[PageEntry]) -> list[tuple[object, ...]]:
    """All that the records of pages are read from: the same bytes are other text in another charset."""
    return [(page.sha256, page.charset, page.calls) for page in pages]


def _list_enforced(request: BatchRequest) -> tuple[object, object]:
    return request.enforced_since, request.enforced_until


def _ends_with(lake: Lake, newest: BatchMarker, batch: Batch, wanted: int) -> bool:
    """Whether the newest batch ends with the records of this one, so many, byte for byte.

    Raises:
        OrdersetlError: a page is damaged, or is not a plain page of orders.
    """
    description = describe_request(lake, newest.request, InForce.of(newest.request))
    own = [record for found in _read_from_end(lake, batch.id, batch.pages, description) for record in found]
    theirs: list[bytes | None] = []
    for found in _read_from_end(lake, newest.batch, newest.pages, description):
        theirs += found
        if len(theirs) >= wanted:
            break
    return None not in own and own == theirs[:wanted]


def _read_from_end(
    lake: Lake, batch: str, pages: Sequence[PageEntry], description: "Description | None"
) -> Iterator[list[bytes | None]]:
    """The records of each page, last page first and last record first; None for a page that nothing splits.

    Raises:
        OrdersetlError: a page is not what was received.
    """
    kept = KeptPages(lake, batch, None, description)
    for number, entry in reversed(list(enumerate(pages, 1))):
        records = split_records(kept.read(number, entry))
        yield [None] if records is None else [*map(bytes, reversed(records))]
