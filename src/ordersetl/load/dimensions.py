"""The dimensions before and after a load, and which partitions are to be enriched again for that."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from ordersetl.lake import raw
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import FileEntry
from ordersetl.lake.raw import ReferenceEntry
from ordersetl.lake.staged import StageMarker
from ordersetl.load.files import read_dimension, read_partition
from ordersetl.load.plan import CurrentState, Part, Plan
from ordersetl.star.dimensions import DIMENSIONS, Dimension, changed_keys, fold_dimension, read_reference

__all__ = ["DimensionState", "FoldedDimensions", "find_affected_days", "fold_dimensions"]


@dataclass(frozen=True)
class DimensionState:
    """A dimension before and after a load."""

    dimension: Dimension
    before: pl.DataFrame
    after: pl.DataFrame


@dataclass(frozen=True)
class FoldedDimensions:
    """Both dimensions; the SHA-256 of the reference file of each kind that was applied last; notes on odd cells."""

    states: Sequence[DimensionState]
    references: dict[str, str]
    notes: dict[str, int]


def fold_dimensions(
    lake: Lake, current: CurrentState, plan: Plan, markers: Mapping[str, StageMarker], parts: Sequence[Part]
) -> FoldedDimensions:
    """Fold the pending batches over the dimensions as they are, or as history has them where their file is lost.

    Raises:
        CorruptedError: a reference file is missing or damaged.
        CorruptedFileError: a dimension's file is not what the manifest says.
    """
    states, notes = [], Counter[str]()
    references = {} if current.rebuild else dict(current.manifest.references)
    pending = [part for part in parts if part.pending]
    waiting = set(plan.waiting)
    applied = [marker for batch, marker in sorted(markers.items()) if batch not in waiting]
    for dimension in DIMENSIONS:
        before = _read_before(lake, dimension, current, applied, parts)
        # the file that was applied last changes nothing if it comes again, unless a late one came between
        last = None if plan.late else references.get(dimension.kind)
        given = _list_files(dimension, [markers[batch] for batch in plan.pending], last)
        files, found = _read_files(lake, dimension, given)
        notes.update(found)
        if given:
            references[dimension.kind] = given[-1].sha256
        after = fold_dimension(dimension, before, files, _list_mentioned(dimension, pending))
        states.append(DimensionState(dimension, before, after))
    return FoldedDimensions(states, references, dict(notes))


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


def _read_before(
    lake: Lake, dimension: Dimension, current: CurrentState, applied: Sequence[StageMarker], parts: Sequence[Part]
) -> pl.DataFrame:
    """The dimension that partitions were enriched with: its file, or the fold of what was applied if that is lost."""
    nothing = pl.DataFrame(schema=dimension.table.schema)
    if current.rebuild:
        return nothing
    if dimension not in current.broken_dimensions:
        return read_dimension(lake, dimension, current.valid[dimension.file])
    files, _ = _read_files(lake, dimension, _list_files(dimension, applied, None))
    return fold_dimension(dimension, nothing, files, _list_mentioned(dimension, [p for p in parts if p.applied]))


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
    lake: Lake, dimension: Dimension, entries: Sequence[ReferenceEntry]
) -> tuple[list[pl.DataFrame], Counter[str]]:
    """Rows of each file, and notes on odd cells in them."""
    files, notes = [], Counter[str]()
    for entry in entries:
        rows, found = read_reference(dimension, raw.read_reference(lake, entry), entry.name)
        files.append(rows)
        notes.update(found)
    return files, notes


def _list_mentioned(dimension: Dimension, parts: Sequence[Part]) -> pl.Series:
    """Keys that accepted orders name, superseded versions too."""
    key = dimension.key
    found = [pl.Series(key, [], dtype=pl.String)]
    for part in parts:
        path = part.lines if key == "sku" else part.orders
        found.append(pl.read_parquet(path, columns=[key], glob=False)[key].unique())
    return pl.concat(found).unique()
