"""Load: fold the staged batches into the curated layer, heal what is damaged, and commit it all in one step."""

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import polars as pl

from ordersetl.executor import background, map_bounded
from ordersetl.lake import index, raw
from ordersetl.lake.commit import Commit
from ordersetl.lake.integrity import set_aside
from ordersetl.lake.layout import partition_day
from ordersetl.lake.manifest import FileEntry, IndexEntry, Manifest, QuarantineEntry
from ordersetl.lake.staged import StageMarker, find_lost_quarantine
from ordersetl.load.changes import count_changes
from ordersetl.load.dimensions import FoldedDimensions, find_affected_days, fold_dimensions
from ordersetl.load.files import FileDamagedError, put_file, read_partition
from ordersetl.load.partitions import DayGroup, GroupOutcome, fold_group, group_days
from ordersetl.load.plan import Part, Plan, Standing, examine_standing, list_parts, plan_batches
from ordersetl.load.versions import Verdicts, judge_versions, list_keys, list_tombstones, survey
from ordersetl.results import Damage, LoadResult, OrderChanges
from ordersetl.runtime import Job
from ordersetl.star.dimensions import PRODUCTS, USERS
from ordersetl.star.schema import RULES
from ordersetl.version import __version__

__all__ = ["Stager", "load_batches"]

Stager = Callable[[str], StageMarker]
"""Returns the marker of a staged batch, whole and with its quarantine file, staging it anew where need be."""

_GROUP_ORDERS = 60_000
"""Orders that one worker folds at a time: bounds memory."""


@dataclass(frozen=True)
class _Folded:
    """What a fold came to: the manifest that is now committed, and what became of the pending versions."""

    manifest: Manifest
    orders: OrderChanges
    total: GroupOutcome
    notes: Mapping[str, int] = field(default_factory=dict)


def load_batches(job: Job, stager: Stager, *, verify: bool = False, rebuild: bool = False) -> LoadResult:
    """Bring the curated layer to the fold of all committed batches, and quarantine files to what was rejected.

    The layer is in a committed state: whoever opened the job has seen to that, and says so in ``recovered``.

    Args:
        job: the work's surroundings.
        stager: finds or makes a staged batch.
        verify: hash every file first, instead of trusting size and time.
        rebuild: fold everything anew, and trust no curated file.

    Raises:
        DamagedError: a raw file that is needed is missing or damaged.
        StorageError: the disk refused; the layer is as it was, or the next command carries the commit through.
    """
    started = time.monotonic()
    there = raw.list_batches(job.lake)
    standing = examine_standing(job, there, verify=verify, rebuild=rebuild)
    mended = _mend_quarantine(job, stager, standing, verify=verify)
    while True:
        plan = plan_batches(job, standing, there)
        try:
            folded = _fold_and_commit(job, stager, standing, plan)
            break
        except FileDamagedError:  # where one file is not what size and time tell, others may not be either
            damages = standing.damages
            standing = examine_standing(job, there, verify=True, rebuild=rebuild)
            standing.damages = list(dict.fromkeys([*damages, *standing.damages]))
    result = _result(standing, plan, folded)
    healed = (*standing.damages, *mended)
    return dataclasses.replace(result, healed=healed, seconds=time.monotonic() - started)


def _mend_quarantine(job: Job, stager: Stager, standing: Standing, *, verify: bool) -> list[Damage]:
    """Have quarantine files of applied batches that were lost or changed written anew."""
    lost = find_lost_quarantine(job.lake, standing.manifest, verify=verify)
    for batch in lost:
        stager(batch)
    return [Damage(f"quarantine/{batch}.ndjson", f"it {problem}") for batch, problem in lost.items()]


def _fold_and_commit(job: Job, stager: Stager, standing: Standing, plan: Plan) -> _Folded:
    """Fold what is pending, rebuild what is broken, and commit.

    Raises:
        FileDamagedError: a file that seemed sound is not; nothing was committed.
    """
    if not plan.batches or (not plan.waiting and standing.is_as_recorded):
        return _Folded(standing.manifest, OrderChanges(), GroupOutcome())
    heals = bool(standing.broken_days or standing.broken_dimensions or standing.lost_tombstones)
    markers = {batch: stager(batch) for batch in (plan.batches if heals else plan.pending)}
    parts = list_parts(job.lake, markers, plan)
    commit = Commit(job.lake, job.hold)
    with background(job, fold_dimensions, job.lake, standing, plan, markers, parts) as folding:
        segments = _sound_index(job, standing, parts)
        tombstones = _sound_tombstones(job, standing, parts)
        incoming = survey(
            parts,
            lambda keys: index.look_up(job.lake, segments, keys),
            lambda keys: index.look_up_tombstones(job.lake, tombstones, keys),
        )
        verdicts = judge_versions(job.lake, parts, incoming, standing.partitions, standing.broken_days)
    dimensions = folding.result()
    days = {day for batch in plan.pending for day in markers[batch].days}
    days |= set(verdicts.leaving["dt"]) | standing.broken_days
    untouched = {day: entry for day, entry in standing.partitions.items() if day not in days}
    days |= set(find_affected_days(job.lake, untouched, dimensions.states))
    workers = job.workers
    groups = _group(commit, standing, parts, days, verdicts=verdicts, dimensions=dimensions, workers=workers)
    with background(job, index.add_segment, job.lake, segments, incoming.new_keys) as segment:
        total = _fold_groups(job, groups)
    changes = count_changes(incoming, parts, verdicts, total)
    _put_dimensions(commit, total, dimensions)
    following = Manifest(
        tool=f"ordersetl {__version__}",
        rules=RULES,
        batches=plan.batches,
        references=dimensions.references,
        files=_next_files(standing, total),
        quarantine=_next_quarantine(job, standing, markers),
        index=segment.result(),
        tombstones=index.add_segment(job.lake, tombstones, incoming.gone.select(*index.TOMBSTONE_SCHEMA)),
    )
    if standing.rebuild:
        standing.damages.extend(_set_strays_aside(job, standing, following))
    commit.finish(following, staged=frozenset(total.written))
    index.drop_unlisted(job.lake, following.index + following.tombstones)
    return _Folded(following, changes, total, dimensions.notes)


def _sound_index(job: Job, standing: Standing, parts: Sequence[Part]) -> tuple[IndexEntry, ...]:
    """The index's segments; where they are lost, one is made of what the partitions hold."""
    if standing.rebuild:
        return ()
    if standing.manifest.index or not standing.manifest.partitions:
        return standing.manifest.index
    rows = [list_keys(parts, standing.broken_days)]
    for day, entry in standing.partitions.items():
        held = read_partition(job.lake, day, entry, ["order_id"])
        rows.append(held.select(key=index.order_key(), dt=pl.lit(day)).unique())
    return index.add_segment(job.lake, (), pl.concat(rows))


def _sound_tombstones(job: Job, standing: Standing, parts: Sequence[Part]) -> tuple[IndexEntry, ...]:
    """The segments of the orders that have left; where they are lost, one is made of all that was applied."""
    if standing.rebuild:
        return ()
    if not standing.lost_tombstones:
        return standing.manifest.tombstones
    return index.add_segment(job.lake, (), list_tombstones([part for part in parts if part.applied]))


def _group(
    commit: Commit,
    standing: Standing,
    parts: Sequence[Part],
    days: Collection[date],
    *,
    verdicts: Verdicts,
    dimensions: FoldedDimensions,
    workers: int,
) -> list[DayGroup]:
    """The days in groups, each with all that it takes to fold it."""
    partitions = standing.partitions
    rebuilt = frozenset(days) if standing.rebuild else standing.broken_days
    users, products = (state.after for state in dimensions.states)
    return [
        DayGroup(
            commit=commit,
            days=run,
            rebuilt=rebuilt.intersection(run),
            sound={day: partitions[day] for day in run if day in partitions},
            parts=tuple(parts),
            verdicts=verdicts,
            users=users,
            products=products,
        )
        for run in group_days(days, parts, partitions, orders=_GROUP_ORDERS, workers=workers)
    ]


def _fold_groups(job: Job, groups: Sequence[DayGroup]) -> GroupOutcome:
    """Fold the groups in parallel, and add up what became of them."""
    total = GroupOutcome()
    done, days = 0, sum(len(group.days) for group in groups)
    for group, outcome in zip(groups, map_bounded(job, fold_group, groups), strict=True):
        total.add(outcome)
        done += len(group.days)
        job.progress("load", done, days)
    return total


def _put_dimensions(commit: Commit, total: GroupOutcome, dimensions: FoldedDimensions) -> None:
    """Stage the dimensions that change."""
    for state in dimensions.states:
        file = state.dimension.file
        total.files[file], is_new = put_file(commit, file, state.after)
        if is_new:
            total.written.append(file)


def _next_files(standing: Standing, total: GroupOutcome) -> dict[str, FileEntry]:
    files = {file: entry for file, entry in standing.sound.items() if file not in total.removed}
    return dict(sorted((files | total.files).items()))


def _next_quarantine(job: Job, standing: Standing, markers: Mapping[str, StageMarker]) -> dict[str, QuarantineEntry]:
    entries = {} if standing.rebuild else dict(standing.manifest.quarantine)
    for batch, marker in markers.items():
        entries.pop(batch, None)
        orders, lines = marker.counts.orders_rejected, marker.counts.rejected_lines
        if orders or lines:
            time_ns = job.lake.quarantine_file(batch).stat().st_mtime_ns
            entries[batch] = QuarantineEntry(
                marker.quarantine_sha256, marker.quarantine_bytes, orders, lines, mtime_ns=time_ns
            )
    return dict(sorted(entries.items()))


def _set_strays_aside(job: Job, standing: Standing, following: Manifest) -> list[Damage]:
    """After a rebuild: partitions that no batch accounts for. Those of the manifest are left to the commit."""
    on_disk = {f"{path.parent.name}/{path.name}" for path in job.lake.curated.glob("dt=*/*")}
    unknown = on_disk - following.files.keys() - standing.manifest.files.keys()
    strays = sorted(file for file in unknown if partition_day(file) is not None)
    return [set_aside(job.lake, file, "no batch in raw accounts for it", job.now()) for file in strays]


def _result(standing: Standing, plan: Plan, folded: _Folded) -> LoadResult:
    manifest, total = folded.manifest, folded.total
    partitions = manifest.partitions
    revenue: dict[str, Decimal] = {}
    for entry in partitions.values():
        for currency, amount in entry.sums.items():
            revenue[currency] = revenue.get(currency, Decimal(0)) + Decimal(amount)
    written = sorted(file for file in total.written if partition_day(file) is not None)
    return LoadResult(
        batches=plan.waiting,
        late=plan.late,
        orders=folded.orders,
        partitions_written=len(written),
        partitions_unchanged=len(partitions) - len(written),
        partitions_removed=len(total.removed),
        written=tuple(written),
        dimensions_written=tuple(sorted(set(total.written).difference(written))),
        users=manifest.files[USERS.file].rows if USERS.file in manifest.files else 0,
        products=manifest.files[PRODUCTS.file].rows if PRODUCTS.file in manifest.files else 0,
        reference_notes=dict(folded.notes),
        healed=tuple(standing.damages),
        recovered=False,
        rebuilt=standing.rebuild,
        revenue=dict(sorted(revenue.items())),
        rows=sum(entry.rows for entry in partitions.values()),
        orders_total=sum(entry.orders for entry in partitions.values()),
        seconds=0.0,
    )
