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
from ordersetl.lake.integrity import move_to_damaged
from ordersetl.lake.layout import partition_day, quarantine_key
from ordersetl.lake.listing import list_partition_files
from ordersetl.lake.manifest import FileEntry, IndexEntry, Manifest, QuarantineEntry
from ordersetl.lake.staged import StageMarker, find_lost_quarantine
from ordersetl.load.changes import count_changes
from ordersetl.load.dimensions import FoldedDimensions, find_affected_days, fold_dimensions
from ordersetl.load.files import CorruptedFileError, put_file, read_partition
from ordersetl.load.partitions import DayGroup, GroupOutcome, fold_group, group_days
from ordersetl.load.plan import CurrentState, Part, Plan, list_parts, plan_batches, read_current_state
from ordersetl.load.versions import ResolvedVersions, list_keys, list_tombstones, resolve_versions, survey
from ordersetl.results import Damage, LoadResult, OrderChanges
from ordersetl.runtime import RunContext
from ordersetl.star.dimensions import PRODUCTS, USERS
from ordersetl.star.schema import RULES
from ordersetl.version import __version__

__all__ = ["StageProvider", "load_batches"]

StageProvider = Callable[[str], StageMarker]
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


def load_batches(
    context: RunContext, provider: StageProvider, *, verify: bool = False, rebuild: bool = False
) -> LoadResult:
    """Bring the curated layer to the fold of all committed batches, and quarantine files to what was rejected.

    The layer is in a committed state: whoever opened the job has seen to that, and says so in ``recovered``.

    Args:
        context: the work's surroundings.
        provider: finds or makes a staged batch.
        verify: hash every file first, instead of trusting size and time.
        rebuild: fold everything anew, and trust no curated file.

    Raises:
        CorruptedError: a raw file that is needed is missing or damaged.
        StorageError: the disk refused; the layer is as it was, or the next command carries the commit through.
    """
    started = time.monotonic()
    there = raw.list_batches(context.lake)
    current = read_current_state(context, there, verify=verify, rebuild=rebuild)
    mended = _mend_quarantine(context, provider, current, verify=verify)
    while True:
        plan = plan_batches(context, current, there)
        try:
            folded = _fold_and_commit(context, provider, current, plan)
            break
        except CorruptedFileError:  # where one file is not what size and time tell, others may not be either
            damages = current.damages
            current = read_current_state(context, there, verify=True, rebuild=rebuild)
            current.damages = list(dict.fromkeys([*damages, *current.damages]))
    result = _result(current, plan, folded)
    healed = (*current.damages, *mended)
    return dataclasses.replace(result, healed=healed, seconds=time.monotonic() - started)


def _mend_quarantine(
    context: RunContext, provider: StageProvider, current: CurrentState, *, verify: bool
) -> list[Damage]:
    """Have quarantine files of applied batches that were lost or changed written anew."""
    lost = find_lost_quarantine(context.lake, current.manifest, verify=verify)
    for batch in lost:
        provider(batch)
    return [Damage(f"quarantine/{batch}.ndjson", f"it {problem}") for batch, problem in lost.items()]


def _fold_and_commit(context: RunContext, provider: StageProvider, current: CurrentState, plan: Plan) -> _Folded:
    """Fold what is pending, rebuild what is broken, and commit.

    Raises:
        CorruptedFileError: a file that seemed sound is not; nothing was committed.
    """
    if not plan.batches or (not plan.waiting and current.is_as_recorded):
        return _Folded(current.manifest, OrderChanges(), GroupOutcome())
    heals = bool(current.broken_days or current.broken_dimensions or current.lost_tombstones)
    markers = {batch: provider(batch) for batch in (plan.batches if heals else plan.pending)}
    parts = list_parts(context.lake, markers, plan)
    commit = Commit(context.lake, context.lock)
    with background(context, fold_dimensions, context.lake, current, plan, markers, parts) as folding:
        segments = _sound_index(context, current, parts)
        tombstones = _sound_tombstones(context, current, parts)
        incoming = survey(
            parts,
            lambda keys: index.look_up(context.lake, segments, keys),
            lambda keys: index.look_up_tombstones(context.lake, tombstones, keys),
        )
        resolved = resolve_versions(context.lake, parts, incoming, current.partitions, current.broken_days)
    dimensions = folding.result()
    days = {day for batch in plan.pending for day in markers[batch].days}
    days |= set(resolved.leaving["dt"]) | current.broken_days
    untouched = {day: entry for day, entry in current.partitions.items() if day not in days}
    days |= set(find_affected_days(context.lake, untouched, dimensions.states))
    workers = context.workers
    groups = _group(commit, current, parts, days, resolved=resolved, dimensions=dimensions, workers=workers)
    with background(context, index.add_segment, context.lake, segments, incoming.new_keys) as segment:
        total = _fold_groups(context, groups)
    changes = count_changes(incoming, parts, resolved, total)
    _put_dimensions(commit, total, dimensions)
    following = Manifest(
        tool=f"ordersetl {__version__}",
        rules=RULES,
        batches=plan.batches,
        references=dimensions.references,
        files=_next_files(current, total),
        quarantine=_next_quarantine(context, current, markers),
        index=segment.result(),
        tombstones=index.add_segment(context.lake, tombstones, incoming.gone.select(*index.TOMBSTONE_SCHEMA)),
    )
    if current.rebuild:
        current.damages.extend(_move_orphans_to_damaged(context, current, following))
    commit.finish(following, staged=frozenset(total.written))
    index.drop_unlisted(context.lake, following.index + following.tombstones)
    return _Folded(following, changes, total, dimensions.notes)


def _sound_index(context: RunContext, current: CurrentState, parts: Sequence[Part]) -> tuple[IndexEntry, ...]:
    """The index's segments; where they are lost, one is made of what the partitions hold."""
    if current.rebuild:
        return ()
    if current.manifest.index or not current.manifest.partitions:
        return current.manifest.index
    rows = [list_keys(parts, current.broken_days)]
    for day, entry in current.partitions.items():
        held = read_partition(context.lake, day, entry, ["order_id"])
        rows.append(held.select(key=index.order_key(), dt=pl.lit(day)).unique())
    return index.add_segment(context.lake, (), pl.concat(rows))


def _sound_tombstones(context: RunContext, current: CurrentState, parts: Sequence[Part]) -> tuple[IndexEntry, ...]:
    """The segments of the orders that have left; where they are lost, one is made of all that was applied."""
    if current.rebuild:
        return ()
    if not current.lost_tombstones:
        return current.manifest.tombstones
    return index.add_segment(context.lake, (), list_tombstones([part for part in parts if part.applied]))


def _group(
    commit: Commit,
    current: CurrentState,
    parts: Sequence[Part],
    days: Collection[date],
    *,
    resolved: ResolvedVersions,
    dimensions: FoldedDimensions,
    workers: int,
) -> list[DayGroup]:
    """The days in groups, each with all that it takes to fold it."""
    partitions = current.partitions
    rebuilt = frozenset(days) if current.rebuild else current.broken_days
    users, products = (state.after for state in dimensions.states)
    return [
        DayGroup(
            commit=commit,
            days=run,
            rebuilt=rebuilt.intersection(run),
            sound={day: partitions[day] for day in run if day in partitions},
            parts=tuple(parts),
            resolved=resolved,
            users=users,
            products=products,
        )
        for run in group_days(days, parts, partitions, orders=_GROUP_ORDERS, workers=workers)
    ]


def _fold_groups(context: RunContext, groups: Sequence[DayGroup]) -> GroupOutcome:
    """Fold the groups in parallel, and add up what became of them."""
    total = GroupOutcome()
    done, days = 0, sum(len(group.days) for group in groups)
    for group, outcome in zip(groups, map_bounded(context, fold_group, groups), strict=True):
        total.add(outcome)
        done += len(group.days)
        context.progress("load", done, days)
    return total


def _put_dimensions(commit: Commit, total: GroupOutcome, dimensions: FoldedDimensions) -> None:
    """Stage the dimensions that change."""
    for state in dimensions.states:
        file = state.dimension.file
        total.files[file], is_new = put_file(commit, file, state.after)
        if is_new:
            total.written.append(file)


def _next_files(current: CurrentState, total: GroupOutcome) -> dict[str, FileEntry]:
    files = {file: entry for file, entry in current.sound.items() if file not in total.removed}
    return dict(sorted((files | total.files).items()))


def _next_quarantine(
    context: RunContext, current: CurrentState, markers: Mapping[str, StageMarker]
) -> dict[str, QuarantineEntry]:
    entries = {} if current.rebuild else dict(current.manifest.quarantine)
    for batch, marker in markers.items():
        entries.pop(batch, None)
        orders, lines = marker.counts.orders_rejected, marker.counts.rejected_lines
        if orders or lines:
            found = context.lake.storage.stat(quarantine_key(batch))
            time_ns = found.mtime_ns if found else 0
            entries[batch] = QuarantineEntry(
                marker.quarantine_sha256, marker.quarantine_bytes, orders, lines, mtime_ns=time_ns
            )
    return dict(sorted(entries.items()))


def _move_orphans_to_damaged(context: RunContext, current: CurrentState, following: Manifest) -> list[Damage]:
    """After a rebuild: partitions that no batch accounts for. Those of the manifest are left to the commit."""
    orphans = list_partition_files(context.lake) - following.files.keys() - current.manifest.files.keys()
    why = "no batch in raw accounts for it"
    return [move_to_damaged(context.lake, file, why, context.now()) for file in sorted(orphans)]


def _result(current: CurrentState, plan: Plan, folded: _Folded) -> LoadResult:
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
        healed=tuple(current.damages),
        recovered=False,
        rebuilt=current.rebuild,
        revenue=dict(sorted(revenue.items())),
        rows=sum(entry.rows for entry in partitions.values()),
        orders_total=sum(entry.orders for entry in partitions.values()),
        seconds=0.0,
    )
