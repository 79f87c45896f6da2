"""How an output is, as one look without the lock finds it: a run may be under way, and change it meanwhile."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from ordersetl.errors import CorruptedError, OrdersetlError
from ordersetl.extract.coverage import Coverage, read_coverage
from ordersetl.lake import raw
from ordersetl.lake.journal import Journal, describe_death, read_journal
from ordersetl.lake.layout import CURATED, INDEX, LOCK, QUARANTINE, RAW, RUNS, STAGED, Lake
from ordersetl.lake.listing import look_at_each
from ordersetl.lake.manifest import Manifest, describe_outdated, read_manifest
from ordersetl.results import (
    BatchCount,
    LastFailure,
    OpenQuarantine,
    OriginCoverage,
    RunningCommand,
    SizeOf,
    StatusResult,
)
from ordersetl.status.raw_problems import describe_raw

__all__ = ["read_status"]

_MAX_LOOKS = 5
_MAX_SKEW = timedelta(minutes=1)
"""What the clock of the machine that runs may be ahead of the one that looks."""
_PLACES = (RAW, STAGED, QUARANTINE, CURATED, INDEX, RUNS)


def read_status(
    lake: Lake, now: datetime, *, max_age: timedelta | None = None, lookback: timedelta = timedelta(0)
) -> StatusResult:
    """How the output is.

    Args:
        lake: the output; nothing in it is changed, and no lock is taken.
        now: the time, aware UTC.
        max_age: how long ago curated may have had all that the source says; None for any time.
        lookback: of the runs, by which a gap reaches back.

    Raises:
        StorageError: it cannot be read.
    """
    problems: list[str] = []
    batches, left = look_at_each(lake)
    manifest = _read_manifest(lake, problems)
    waiting = tuple(sorted(set(batches) - set(manifest.batches)))
    journal, running = _look_at_command(lake)
    as_of = _find_as_of(lake, manifest, batches, journal, now)
    age_s = None if as_of is None else max(0.0, (now - as_of).total_seconds())
    partitions = manifest.partitions.values()
    return StatusResult(
        output=lake.root.as_posix(),
        at=now,
        as_of=as_of,
        age_s=age_s,
        max_age_s=None if max_age is None else max_age.total_seconds(),
        too_old=max_age is not None and (age_s is None or age_s > max_age.total_seconds()),
        running=running,
        last_failure=_find_failure(journal, running),
        succeeded=dict(journal.succeeded),
        quiet_runs=journal.quiet,
        coverage=_read_coverage(lake, batches, now, lookback, problems),
        batches=BatchCount(len(batches), waiting, tuple(left)),
        partitions=len(partitions),
        orders=sum(entry.orders for entry in partitions),
        rows=sum(entry.rows for entry in partitions),
        revenue=manifest.revenue,
        quarantine=_count_open(lake, manifest, waiting),
        sizes={place: SizeOf(found.files, found.bytes) for place in _PLACES for found in [lake.storage.measure(place)]},
        problems=(*problems, *describe_raw(lake, each=True)),
    )


def _read_manifest(lake: Lake, problems: list[str]) -> Manifest:
    try:
        manifest = read_manifest(lake) or Manifest()
    except CorruptedError as error:
        problems.append(f"{error.message}; `ordersetl load --rebuild` makes it again from raw")
        return Manifest()
    if problem := describe_outdated(lake, manifest):
        problems.append(f"{problem}: what is open in quarantine is not counted; `ordersetl load` folds it again")
    return manifest


def _look_at_command(lake: Lake) -> tuple[Journal, RunningCommand | None]:
    """The journal, and the command that it fits: where one began or ended between the two looks, it looks again."""
    journal = read_journal(lake)
    for _ in range(_MAX_LOOKS):
        running, before, journal = _find_running(lake, journal), journal, read_journal(lake)
        if journal == before:
            break
    return journal, running


def _find_running(lake: Lake, journal: Journal) -> RunningCommand | None:
    """Who holds the lock, and what the journal says of it; the stage is empty before the first one begins."""
    holder = lake.storage.find_holder(LOCK)
    noted = journal.under_way
    if holder is None or (noted is None and not holder.certain):
        return None
    if noted is None or (noted.pid, noted.host) != (holder.pid, holder.host):
        return RunningCommand("", holder.pid, holder.host, holder.since, "", None, holder.certain)
    return RunningCommand(
        noted.command, noted.pid, noted.host, noted.since, noted.stage, noted.stage_since, holder.certain
    )


def _find_failure(journal: Journal, running: RunningCommand | None) -> LastFailure | None:
    """How the last command failed; one that neither runs nor said how it ended has died."""
    noted = journal.under_way
    failed = describe_death(noted) if noted is not None and running is None else journal.failure
    if failed is None:
        return None
    return LastFailure(failed.command, failed.stage, failed.at, failed.code, failed.message)


def _find_as_of(
    lake: Lake, manifest: Manifest, batches: Sequence[str], journal: Journal, now: datetime
) -> datetime | None:
    """Up to when curated has what the source said: as noted, or as the newest batch that is in it shows.

    What was noted of a curated layer that is no longer there, or that an older one took the place of, says nothing of
    this one. What lies in the future is not believed: a clock that was ahead wrote it, and it would hide that nothing
    runs.
    """
    times = [journal.loaded] if journal.loaded and journal.loaded_batch in manifest.batches else []
    newest = max(set(manifest.batches).intersection(batches), default=None)
    if newest is not None:
        with suppress(OrdersetlError):  # the coverage says that it is damaged
            marker = raw.read_marker(lake, newest)
            end = (marker.request.since, marker.request.began_at)  # of a batch that records no coverage
            asked = Coverage(marker.covered or (end,)).find_asked(marker.request)
            times += [asked] if asked else []
    return max((min(time, now) for time in times if time <= now + _MAX_SKEW), default=None)


def _read_coverage(
    lake: Lake, batches: Sequence[str], now: datetime, lookback: timedelta, problems: list[str]
) -> OriginCoverage | None:
    """What was asked of the source of the newest batch; None where there is none, or nobody can tell."""
    if not batches:
        return None
    try:
        marker = raw.read_marker(lake, batches[-1])
        found = read_coverage(lake, batches, marker.request, now=now, lookback=lookback)
    except CorruptedError as error:
        problems.append(f"{error.message}. {error.hint}")
        return None
    return OriginCoverage(marker.source, marker.url, found.intervals, found.gaps, found.shown)


def _count_open(lake: Lake, manifest: Manifest, waiting: Sequence[str]) -> OpenQuarantine:
    from ordersetl.status.rejects import count_open, list_quarantined_batches  # noqa: PLC0415 - brings in DuckDB

    if describe_outdated(lake, manifest):  # which is a problem by itself
        return OpenQuarantine()
    batches = list_quarantined_batches(lake, manifest, waiting)
    return count_open(lake, manifest, batches) if batches else OpenQuarantine()
