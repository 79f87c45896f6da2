"""What of an origin's time was ever fetched: intervals that batches cover, where they end, and the gaps between.

A batch covers ``[since, end)``: to its ``until``, where that lies more than a day before the extraction began; else to
the newest time that any record of this or an earlier batch of the same origin has shown, at most the time at which the
extraction began. So it is the source's clock that counts, and no order that a slow or a naive clock stamps is skipped.
Where the source shows no more than what is younger than a time, such as 60 days, it covers nothing before that; where
it is only asked for what is older than a time, nothing after that, whatever ``until`` says and records show.

An end that time has not settled is sure only up to the lookback before what was shown: what was stamped after that may
have become visible since. Whoever continues asks for it again; where an interval ends for good, it ends there.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol

import msgspec

from ordersetl.lake import raw
from ordersetl.lake.layout import Lake
from ordersetl.lake.raw import BatchMarker, BatchRequest, Interval, PageEntry
from ordersetl.window import MAX_AHEAD

__all__ = [
    "Coverage",
    "LogEnd",
    "OfOrigin",
    "find_gaps",
    "hash_batches",
    "have_one_origin",
    "is_settled",
    "merge_intervals",
    "read_coverage",
    "read_log_end",
]

_INSTANT = timedelta(microseconds=1)
_SETTLED = timedelta(days=1)
"""What a source says of a time this long ago is complete, however far off its clock is."""


class OfOrigin(Protocol):
    """What says of which origin it is: a source at a base URL, and which of its orders were selected there."""

    @property
    def source(self) -> str:
        """The source's name."""

    @property
    def url(self) -> str:
        """Its base."""

    @property
    def selection(self) -> Mapping[str, str]:
        """Values of the variables that say which orders come."""


@dataclass(frozen=True)
class Coverage:
    """Merged intervals that are covered, oldest first, and the newest time that any record has shown.

    The beginning of an interval is None where everything before its end is covered. An interval of no length says
    where to continue from where nothing is covered yet. Up to ``settled`` the newest interval lacks nothing, whatever
    the lookback; None where only the lookback says, counted from its end.
    """

    intervals: tuple[Interval, ...] = ()
    shown: datetime | None = None
    settled: datetime | None = None

    @property
    def end(self) -> datetime | None:
        """Where to continue: the end of the newest interval, None where there is none."""
        return self.intervals[-1][1] if self.intervals else None

    @property
    def gaps(self) -> tuple[tuple[datetime, datetime], ...]:
        """What was never asked for between what was."""
        return find_gaps(self.intervals)

    def add(
        self, request: BatchRequest, pages: Iterable[PageEntry], lookback: timedelta
    ) -> tuple["Coverage", datetime | None]:
        """The coverage with one more batch, and the end of what that batch covers; None where it covers nothing."""
        shown = max(filter(None, (self.shown, _find_shown(request, pages))), default=None)
        end = _find_end(request, shown)
        return self.join(request, end, shown, lookback), end

    def join(
        self, request: BatchRequest, end: datetime | None, shown: datetime | None, lookback: timedelta
    ) -> "Coverage":
        """The coverage with one more batch, of which it is known where it ends and what was shown then."""
        since, shown = request.covered_since, max(filter(None, (self.shown, shown)), default=None)
        if end is None:
            return replace(self, shown=shown)
        if since == end:
            return Coverage(merge_intervals([*self.intervals, (since, end)]), shown, self.settled)
        settled = _find_settled(request, end)
        if self.end is None or (end < self.end and (self.end, self.end) in self.intervals):
            return Coverage(merge_intervals([*self.intervals, (since, end)]), shown, settled)
        if end < self.end:
            sure = settled or min(end, (shown or end) - lookback)
            own_end = sure if since is None else max(since, sure)
            return Coverage(merge_intervals([*self.intervals, (since, own_end)]), shown, self.settled)
        sure_before = max(filter(None, (self.settled, self.end - lookback)))
        joins = since is None or since <= sure_before or (request.continues is True and since <= self.end)
        if joins or end == self.end:
            settled = max(filter(None, (self.settled, settled if joins else None)), default=None)
            return Coverage(merge_intervals([*self.intervals, (since, end)]), shown, settled)
        *earlier, (begin, _) = self.intervals
        if begin is not None:  # what it began with was asked for, however short it is: else no gap would follow it
            sure_before = max(sure_before, begin + _INSTANT)
        return Coverage(merge_intervals([*earlier, (begin, sure_before), (since, end)]), shown, settled)

    def find_asked(self, request: BatchRequest) -> datetime | None:
        """Up to when one of its batches asked the source, by our clock; None where it begins after what is covered."""
        if request.since is not None and (self.end is None or request.since > self.end):
            return None
        return min(filter(None, (request.covered_until, request.began_at)))

    def as_of(self, now: datetime) -> "Coverage":
        """The coverage without what only a clock that was ahead could claim: a future end that nothing showed."""
        if self.end is None or self.end <= now:
            return self
        clipped = [(since, end if end <= now else self.shown and min(end, self.shown)) for since, end in self.intervals]
        kept = [(since, end) for since, end in clipped if end is not None and (since is None or since <= end)]
        return Coverage(merge_intervals(kept), self.shown)


class LogEnd(msgspec.Struct, frozen=True):
    """The newest batch, None where there is none, and what the batches of one origin cover.

    ``is_recorded``: the newest batch is of that origin, and its marker alone tells.
    """

    newest: BatchMarker | None
    coverage: Coverage
    is_recorded: bool


def have_one_origin(one: OfOrigin, other: OfOrigin) -> bool:
    """Whether both are of the same origin: another selection has all its time before it."""
    return (one.source, one.url, one.selection) == (other.source, other.url, other.selection)


def read_coverage(
    lake: Lake, batches: Sequence[str], origin: OfOrigin, *, now: datetime, lookback: timedelta = timedelta(0)
) -> Coverage:
    """What the committed ``batches`` of one origin cover, as of now, as :func:`read_log_end` finds it."""
    return read_log_end(lake, batches, origin, now=now, lookback=lookback).coverage


def read_log_end(
    lake: Lake, batches: Sequence[str], origin: OfOrigin, *, now: datetime, lookback: timedelta = timedelta(0)
) -> LogEnd:
    """The newest of the committed ``batches``, and what those of one origin cover, as of now.

    The newest marker of the origin tells, if the batches are those that it took into account; else each of them is
    read, once: a batch that was restored, copied or moved away changes what is covered.

    Raises:
        CorruptedError: a marker that is needed is not what was written.
    """
    markers: list[BatchMarker] = []
    for at in range(len(batches), 0, -1):
        marker = raw.read_marker(lake, batches[at - 1])
        markers.append(marker)
        if not have_one_origin(marker.request, origin):
            continue
        if marker.covered_of == hash_batches(batches[:at]):
            coverage = Coverage(marker.covered, marker.shown, marker.settled).as_of(now)
            return LogEnd(markers[0], coverage, is_recorded=at == len(batches))
        markers += [raw.read_marker(lake, batch) for batch in reversed(batches[: at - 1])]
        break
    coverage = Coverage()
    for marker in reversed(markers):
        if have_one_origin(marker.request, origin):
            coverage = coverage.join(marker.request, _recorded_end(marker, now), marker.shown, lookback)
    return LogEnd(markers[0] if markers else None, coverage.as_of(now), is_recorded=False)


def merge_intervals(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Intervals that overlap or touch as one, oldest first; of no length one, the oldest, where there are no others."""
    given = sorted(
        set(intervals), key=lambda interval: (interval[0] is not None, interval[0] or interval[1], interval[1])
    )
    filled = [(since, end) for since, end in given if since is None or since < end]
    merged: list[Interval] = []
    for since, end in filled or given[:1]:
        if merged and (since is None or since <= merged[-1][1]):
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((since, end))
    return tuple(merged)


def find_gaps(intervals: Sequence[Interval]) -> tuple[tuple[datetime, datetime], ...]:
    """The holes between merged intervals, since and until."""
    return tuple((end, since) for (_, end), (since, _) in pairwise(intervals) if since is not None)


def hash_batches(batches: Iterable[str]) -> str:
    """Tells one list of batches from another."""
    return hashlib.sha256("\n".join(batches).encode()).hexdigest()


def _find_shown(request: BatchRequest, pages: Iterable[PageEntry]) -> datetime | None:
    """The newest time that the pages show, at most when the extraction began.

    What lies more than a day after that is a slip of a pen, and counts only where there is nothing else.
    """
    times = [page.newest for page in pages if page.newest is not None]
    usual = [time for time in times if time <= request.began_at + MAX_AHEAD]
    newest = max(usual or times, default=None)
    return None if newest is None else min(newest, request.began_at)


def _find_end(request: BatchRequest, shown: datetime | None) -> datetime | None:
    """The end of what a batch covers: never before its since, None where nothing says."""
    until = request.covered_until
    if request.until is not None and _is_long_past(request, until):
        end = until
    else:
        end = min(filter(None, (shown, request.began_at, until))) if shown is not None else None
    if (begin := request.covered_since) != request.since:
        return end if begin and end and begin < end else None
    if request.since is None:
        return end
    return request.since if end is None else max(request.since, end)


def is_settled(request: BatchRequest) -> bool:
    """Whether its until had long passed and was asked for, so that nothing before it is missing."""
    return request.until == request.covered_until and _is_long_past(request, request.until)


def _is_long_past(request: BatchRequest, until: datetime | None) -> bool:
    return until is not None and until < request.began_at - _SETTLED


def _find_settled(request: BatchRequest, end: datetime) -> datetime | None:
    """The ``end`` of what a batch covers where its until settled it; None where something may become visible late."""
    is_whole = request.until is not None and end == request.covered_until
    return end if is_whole and _is_long_past(request, end) else None


def _recorded_end(marker: BatchMarker, now: datetime) -> datetime | None:
    """The end that a marker records; before 0.2 it went by our clock, which was ahead where it lies in the future."""
    if marker.format < raw.FORMAT and marker.window_end is not None and marker.window_end > now:
        return None
    return marker.window_end
