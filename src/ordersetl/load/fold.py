"""One fold: from the staged parts to the files of the next state, and their commit."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date

import msgspec

from ordersetl.executor import background, map_bounded
from ordersetl.lake import index
from ordersetl.lake.commit import Commit
from ordersetl.lake.field_counts import FieldCounts, FieldHistory
from ordersetl.lake.integrity import move_to_damaged
from ordersetl.lake.layout import quarantine_key
from ordersetl.lake.listing import list_partition_files
from ordersetl.lake.manifest import IndexEntry, Manifest, QuarantineEntry
from ordersetl.lake.rejected import add_rejected
from ordersetl.lake.staged import StageMarker
from ordersetl.load.changes import sum_changes
from ordersetl.load.dimensions import FoldedDimensions, fold_dimensions, put_dimension
from ordersetl.load.drift import advance_history, fold_history
from ordersetl.load.lookup import Lookup, find_lookup
from ordersetl.load.partitions import DayGroup, GroupOutcome, fold_group, group_days
from ordersetl.load.plan import CurrentState, Part, Plan, list_parts
from ordersetl.load.shared import share_frames
from ordersetl.load.uses import ChangedKeys, find_affected_days, find_uses, list_changed_keys
from ordersetl.load.versions import RESOLVED, ResolvedVersions, resolve_versions
from ordersetl.results import Damage, OrderChanges
from ordersetl.runtime import RunContext
from ordersetl.star.rules import RULES
from ordersetl.version import __version__

__all__ = ["Folded", "StageProvider", "fold_batches"]

log = logging.getLogger(__name__)

StageProvider = Callable[[str], StageMarker]
"""Returns the marker of a staged batch, complete and with its quarantine file, staging it again where need be."""

_GROUP_ORDERS = 60_000
"""Orders that one worker folds at a time: bounds memory."""


class Folded(msgspec.Struct, frozen=True):
    """The manifest that is now committed, and what became of the pending versions and of the files.

    ``orphans`` are files that a rebuild moved away, since no batch accounts for them; ``source_changes`` say which
    fields of the source are not what they were.
    """

    manifest: Manifest
    orders: OrderChanges = msgspec.field(default_factory=OrderChanges)
    written: Sequence[str] = ()
    removed: Sequence[str] = ()
    notes: Mapping[str, int] = msgspec.field(default_factory=dict)
    orphans: Sequence[Damage] = ()
    source_changes: Sequence[str] = ()


class _Fold(msgspec.Struct, frozen=True):
    """A fold under way."""

    context: RunContext
    current: CurrentState
    plan: Plan
    markers: Mapping[str, StageMarker]
    parts: Sequence[Part]
    commit: Commit


def fold_batches(context: RunContext, provider: StageProvider, current: CurrentState, plan: Plan) -> Folded:
    """Fold what is pending, rebuild what is broken, and commit.

    Raises:
        CorruptedFileError, BrokenSegmentError: a file that seemed valid is not; nothing was committed.
    """
    takes_drift = current.manifest.fields.drift and context.settings.drift != "fail"
    if not plan.batches or (not plan.waiting and current.is_as_recorded and not takes_drift):
        if plan.batches:  # a command that died right after its commit could not remove them, and nobody else may come
            _drop_unlisted(context, current.manifest)
        return Folded(current.manifest)
    repairs = current.broken_days or current.broken_dimensions or current.has_lost
    markers = {batch: provider(batch) for batch in (plan.batches if repairs else plan.pending)}
    parts = list_parts(context.lake, markers, plan)
    commit = Commit(context.lake, context.lock, keep_manifests=context.settings.keep_manifests)
    fold = _Fold(context, current, plan, markers, parts, commit)
    with background(context, fold_dimensions, context, current, plan, markers, parts) as folding:
        lookup = find_lookup(context.lake, current, parts)
        incoming = lookup.scan(context.lake, parts)
        resolved = resolve_versions(context.lake, parts, incoming, current.partitions, current.broken_days)
    dimensions = folding.result()
    changed = list_changed_keys(dimensions.states)
    lookup = msgspec.structs.replace(lookup, uses=find_uses(context.lake, current, changed))
    days = _find_days(fold, resolved, changed, lookup)
    with background(context, lookup.add, context.lake, incoming, parts) as adding:
        total = _fold_days(fold, days, resolved, dimensions)
    changes = sum_changes(incoming, parts, resolved, total.changes)
    _put_dimensions(fold, total, dimensions)
    history, source_changes = _next_history(fold)
    following = _next_manifest(fold, total, dimensions, adding.result(), history)
    orphans = _move_orphans_to_damaged(fold, following) if current.rebuild else ()
    trusted = not context.is_remote  # a worker that was lost may still write
    fold.commit.finish(following, base=current.manifest, staged=frozenset(total.written), trusted=trusted)
    _drop_unlisted(context, following)
    return Folded(following, changes, total.written, total.removed, dimensions.notes, orphans, source_changes)


def _drop_unlisted(context: RunContext, manifest: Manifest) -> None:
    """Remove what no longer is of the index."""
    index.drop_unlisted(context.lake, manifest.segments)


def _fold_days(
    fold: _Fold, changing: Collection[date], resolved: ResolvedVersions, dimensions: FoldedDimensions
) -> GroupOutcome:
    """Fold the days that change in groups, in parallel, and add up what became of them."""
    context, total = fold.context, GroupOutcome()
    groups = _group(fold, changing, resolved, dimensions)
    done, days = 0, sum(len(group.days) for group in groups)
    for group, outcome in zip(groups, map_bounded(context, fold_group, groups), strict=True):
        total.add(outcome)
        done += len(group.days)
        context.progress("load", done, days)
    return total


def _group(
    fold: _Fold, days: Collection[date], resolved: ResolvedVersions, dimensions: FoldedDimensions
) -> list[DayGroup]:
    """The days that change in groups, each with all that it takes to fold it."""
    current, partitions, refunds = fold.current, fold.current.partitions, fold.current.refunds
    rebuilt = frozenset(days) if current.rebuild else current.broken_days
    frames = {name: getattr(resolved, name) for name in RESOLVED}
    whole = {state.dimension.kind: state.after for state in dimensions.states if not state.by_key}
    shared = share_frames(fold.context, frames | whole)
    members = {state.dimension.kind: state.members for state in dimensions.states if state.by_key}
    return [
        DayGroup(
            commit=fold.commit,
            days=run,
            rebuilt=rebuilt.intersection(run),
            partitions={day: partitions[day] for day in run if day in partitions},
            refunds={day: refunds[day] for day in run if day in refunds},
            parts=tuple(part.within(run) for part in fold.parts if not part.days.keys().isdisjoint(run)),
            shared=shared,
            members=members,
        )
        for run in group_days(days, fold.parts, partitions, orders=_GROUP_ORDERS, workers=fold.context.workers)
    ]


def _find_days(fold: _Fold, resolved: ResolvedVersions, changed: ChangedKeys, lookup: Lookup) -> set[date]:
    """Days whose partition may change: orders come in or move out, it is broken, or its enrichment differs."""
    current = fold.current
    days = {day for batch in fold.plan.pending for day in fold.markers[batch].days}
    days |= set(resolved.moved_out["dt"]) | current.broken_days
    untouched = {day: entry for day, entry in current.partitions.items() if day not in days}
    return days | set(find_affected_days(fold.context.lake, untouched, changed, lookup.uses))


def _put_dimensions(fold: _Fold, total: GroupOutcome, dimensions: FoldedDimensions) -> None:
    """Stage the dimensions that change."""
    for state in dimensions.states:
        file = state.dimension.file
        total.files[file], is_new = put_dimension(fold.commit, fold.current, state)
        if is_new:
            total.written.append(file)


def _next_manifest(
    fold: _Fold, total: GroupOutcome, dimensions: FoldedDimensions, lookup: Lookup, history: FieldHistory
) -> Manifest:
    kept = {file: entry for file, entry in fold.current.valid.items() if file not in total.removed}
    return Manifest(
        tool=f"ordersetl {__version__}",
        rules=RULES,
        settings=fold.context.fold_settings,
        batches=fold.plan.batches,
        references=dimensions.references,
        files=dict(sorted((kept | total.files).items())),
        rejected=_add_rejected(fold),
        index=lookup.index,
        tombstones=lookup.tombstones,
        uses=lookup.uses,
        members={state.dimension.kind: state.members for state in dimensions.states},
        fields=history,
    )


def _next_history(fold: _Fold) -> tuple[FieldHistory, Sequence[str]]:
    """What the records have, with the batches that wait; of a rebuild, all of them. And what changed, to be told."""
    if fold.current.rebuild:
        return fold_history(fold.markers[batch].fields for batch in fold.plan.batches), ()
    waiting, newest = fold.plan.waiting, fold.plan.batches[-1]
    counts = sum((fold.markers[batch].fields for batch in waiting), FieldCounts())
    history = fold.current.manifest.fields
    history, notes = advance_history(history, counts, newest, drift=fold.context.settings.drift)
    for note in notes:
        log.warning("the source changed: %s.", note)
    return history, notes


def _add_rejected(fold: _Fold) -> tuple[IndexEntry, ...]:
    """The table of quarantine files after the load, written."""
    current = fold.current
    is_known = not current.rebuild and current.rejected is not None
    changed: dict[str, QuarantineEntry | None] = dict(current.manifest.quarantine) if is_known else {}
    for batch, marker in fold.markers.items():
        orders, lines = marker.counts.orders_rejected, marker.counts.rejected_lines
        if orders or lines:
            found = fold.context.lake.storage.stat(quarantine_key(batch))
            time_ns = found.mtime_ns if found else 0
            changed[batch] = QuarantineEntry(
                marker.quarantine_sha256, marker.quarantine_bytes, orders, lines, mtime_ns=time_ns
            )
        elif is_known and batch in (current.rejected or {}):
            changed[batch] = None
    return add_rejected(fold.context.lake, current.manifest.rejected if is_known else (), changed)


def _move_orphans_to_damaged(fold: _Fold, following: Manifest) -> list[Damage]:
    """After a rebuild: move partitions away that no batch accounts for. The commit removes those of the manifest."""
    lake, now, why = fold.context.lake, fold.context.now, "no batch in raw accounts for it"
    orphans = list_partition_files(lake) - following.files.keys() - fold.current.manifest.files.keys()
    return [move_to_damaged(lake, file, why, now()) for file in sorted(orphans)]
