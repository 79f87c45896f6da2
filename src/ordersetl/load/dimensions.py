"""The dimensions before and after a load, and which partitions are to be enriched again for that."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from ordersetl.lake import kept_files
from ordersetl.lake.kept_files import ReferenceEntry
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import FileEntry, IndexEntry
from ordersetl.lake.staged import StageMarker
from ordersetl.load.emails import show_emails
from ordersetl.load.files import read_dimension, read_partition
from ordersetl.load.mentions import (
    fill_inferred,
    merge_mentions,
    read_mentions,
    scan_mentions,
    select_inferred,
    write_mentions,
)
from ordersetl.load.plan import CurrentState, Part, Plan
from ordersetl.runtime import RunContext
from ordersetl.star.dimensions import DIMENSIONS, USERS, Dimension, changed_keys, fold_dimension, read_reference

__all__ = ["DimensionState", "FoldedDimensions", "find_affected_days", "fold_dimensions"]


@dataclass(frozen=True)
class DimensionState:
    """A dimension before and after a load."""

    dimension: Dimension
    before: pl.DataFrame
    after: pl.DataFrame


@dataclass(frozen=True)
class FoldedDimensions:
    """Both dimensions, the snapshot of mentions, and what became of the reference files.

    ``references``: the SHA-256 of the file of each kind that was applied last; ``notes`` on odd cells in those applied.
    """

    states: Sequence[DimensionState]
    mentions: tuple[IndexEntry, ...]
    references: dict[str, str]
    notes: dict[str, int]


def fold_dimensions(
    context: RunContext, current: CurrentState, plan: Plan, markers: Mapping[str, StageMarker], parts: Sequence[Part]
) -> FoldedDimensions:
    """Fold the pending batches over the dimensions as they are, or as history has them where their file is lost.

    Raises:
        CorruptedError: a reference file is missing or damaged.
        CorruptedFileError: a dimension's file is not what the manifest says.
    """
    lake, settings = context.lake, context.settings
    states, kept, notes = [], [], Counter[str]()
    references = {} if current.rebuild else dict(current.manifest.references)
    pending = [part for part in parts if part.pending]
    known = _read_known_mentions(context, current, parts)
    waiting = set(plan.waiting)
    applied = [marker for batch, marker in sorted(markers.items()) if batch not in waiting]
    for dimension in DIMENSIONS:
        before = _read_before(context, dimension, current, applied, parts, known=known)
        # the file that was applied last changes nothing if it comes again, unless a late one came between
        last = None if plan.late else references.get(dimension.kind)
        given = _list_files(dimension, [markers[batch] for batch in plan.pending], last)
        files, found = _read_files(context, dimension, given)
        notes.update(found)
        if given:
            references[dimension.kind] = given[-1].sha256
        keys, mentioned = scan_mentions(dimension, pending, settings)
        mentions = merge_mentions([known, mentioned])
        after = fill_inferred(dimension, fold_dimension(dimension, before, files, keys), mentions)
        states.append(DimensionState(dimension, before, after))
        kept.append(select_inferred(dimension, after, mentions))
    entries = () if current.rebuild or current.lost_mentions else current.manifest.mentions
    return FoldedDimensions(states, write_mentions(lake, entries, known, merge_mentions(kept)), references, dict(notes))


def find_affected_days(
    lake: Lake, partitions: Mapping[date, FileEntry], states: Sequence[DimensionState]
) -> Iterator[date]:
    """Days of the partitions that use a key whose enrichment differs.

    Raises:
        CorruptedFileError: a partition is not what the manifest says.
    """
    changed = {state.dimension.key: changed_keys(state.dimension, state.before, state.after) for state in states}
    changed = {key: keys for key, keys in changed.items() if len(keys)}
    if not changed:
        return
    for day, entry in partitions.items():
        rows = read_partition(lake, day, entry, list(changed))
        if any(rows[key].is_in(keys.implode()).any() for key, keys in changed.items()):
            yield day


def _read_known_mentions(context: RunContext, current: CurrentState, parts: Sequence[Part]) -> pl.DataFrame:
    """The snapshot, or what the applied parts mention where it is lost."""
    if current.rebuild:
        return merge_mentions([])
    if not current.lost_mentions:
        return read_mentions(context.lake, current.manifest.mentions)
    applied = [part for part in parts if part.applied]
    return merge_mentions(scan_mentions(dimension, applied, context.settings)[1] for dimension in DIMENSIONS)


def _read_before(
    context: RunContext,
    dimension: Dimension,
    current: CurrentState,
    applied: Sequence[StageMarker],
    parts: Sequence[Part],
    *,
    known: pl.DataFrame,
) -> pl.DataFrame:
    """The dimension that partitions were enriched with: its file, or the fold of what was applied if that is lost."""
    nothing = pl.DataFrame(schema=dimension.table.schema)
    if current.rebuild:
        return nothing
    if dimension not in current.broken_dimensions:
        return read_dimension(context.lake, dimension, current.valid[dimension.file])
    files, _ = _read_files(context, dimension, _list_files(dimension, applied, None))
    keys, _ = scan_mentions(dimension, [part for part in parts if part.applied], context.settings)
    return fill_inferred(dimension, fold_dimension(dimension, nothing, files, keys), known)


def _list_files(dimension: Dimension, markers: Sequence[StageMarker], last: str | None) -> list[ReferenceEntry]:
    """The batches' reference files of one kind, in order, without those that repeat the one before."""
    entries = []
    for marker in markers:
        entry = marker.references.get(dimension.kind)
        if entry is not None and entry.sha256 != last:
            entries.append(entry)
            last = entry.sha256
    return entries


def _read_files(
    context: RunContext, dimension: Dimension, entries: Sequence[ReferenceEntry]
) -> tuple[list[pl.DataFrame], Counter[str]]:
    """Rows of each file, their emails as the settings show them, and notes on odd cells in them."""
    files, notes = [], Counter[str]()
    for entry in entries:
        rows, found = read_reference(dimension, kept_files.read_reference(context.lake, entry), entry.name)
        if dimension is USERS:
            rows = rows.with_columns(show_emails(rows["email"], context.settings))
        files.append(rows)
        notes.update(found)
    return files, notes
