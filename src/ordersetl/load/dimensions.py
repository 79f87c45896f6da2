"""The dimensions before and after a load, and their files."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import polars as pl

from ordersetl.lake.commit import Commit
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import FileEntry, IndexEntry
from ordersetl.lake.members import add_members
from ordersetl.lake.staged import StageMarker
from ordersetl.load.files import put_file, read_dimension, read_verified
from ordersetl.load.known import History, list_files, read_files
from ordersetl.load.mentions import fill_inferred, list_mentions, merge_mentions, scan_mentions, to_members
from ordersetl.load.plan import CurrentState, Part, Plan
from ordersetl.load.splice import splice_rows
from ordersetl.runtime import RunContext
from ordersetl.star.dimensions import DIMENSIONS, Dimension, fold_dimension

__all__ = ["DimensionState", "FoldedDimensions", "fold_dimensions", "put_dimension"]

_FEW = 8
"""Where the pending orders name less than this share of the keys, these alone are looked up."""


class DimensionState(msgspec.Struct, frozen=True):
    """A dimension before and after a load: all rows, or where ``by_key`` those that the pending orders name.

    ``changed`` are the rows that are new or differ. ``members`` are all of it after the load.
    """

    dimension: Dimension
    before: pl.DataFrame
    after: pl.DataFrame
    changed: pl.DataFrame
    members: tuple[IndexEntry, ...]
    by_key: bool


class FoldedDimensions(msgspec.Struct, frozen=True):
    """Both dimensions, and what became of the reference files.

    ``references``: the SHA-256 of the file of each kind that was applied last; ``notes`` on odd cells in those applied.
    """

    states: Sequence[DimensionState]
    references: dict[str, str]
    notes: dict[str, int]


def fold_dimensions(
    context: RunContext, current: CurrentState, plan: Plan, markers: Mapping[str, StageMarker], parts: Sequence[Part]
) -> FoldedDimensions:
    """Fold the pending batches over the dimensions as they are, or as history has them where they are lost.

    Raises:
        CorruptedError: a reference file is missing or damaged.
        CorruptedFileError, BrokenSegmentError: a file of a dimension is not what the manifest says.
    """
    states, notes = [], Counter[str]()
    references = {} if current.rebuild else dict(current.manifest.references)
    pending = [part for part in parts if part.pending]
    history = History(context, current, plan, markers, parts)
    for dimension in DIMENSIONS:
        # the file that was applied last changes nothing if it comes again, unless a late one came between
        last = None if plan.late else references.get(dimension.kind)
        given = list_files(dimension, [markers[batch] for batch in plan.pending], last)
        files, found = read_files(context, dimension, given)
        notes.update(found)
        if given:
            references[dimension.kind] = given[-1].sha256
        keys, mentioned = scan_mentions(dimension, pending, context.settings)
        by_key = not files and _are_few(current, dimension, keys)
        before = history.look_up(dimension, keys) if by_key else history.read(dimension)
        states.append(_fold(context.lake, current, before, (dimension, files, keys, mentioned), by_key=by_key))
    return FoldedDimensions(states, references, dict(notes))


def put_dimension(commit: Commit, current: CurrentState, state: DimensionState) -> tuple[FileEntry, bool]:
    """Stage the dimension's file unless it is already as it must be; its entry, and whether it was staged.

    Raises:
        CorruptedFileError: its file, to which rows are added, is not what the manifest says.
    """
    dimension = state.dimension
    valid = current.valid.get(dimension.file)
    if valid is not None and state.changed.is_empty():
        return valid, False
    if not state.by_key or valid is None:
        return put_file(commit, dimension.file, state.after)
    spliced = splice_rows(read_verified(commit.lake, dimension.file, valid), state.changed.sort(dimension.key))
    if spliced is not None:
        data, added = spliced
        written = commit.stage(dimension.file, data)
        return FileEntry(written.sha256, written.bytes, written.mtime_ns, valid.rows + added), True
    kept = read_dimension(commit.lake, dimension, valid).join(state.changed, on=dimension.key, how="anti")
    return put_file(commit, dimension.file, pl.concat([kept, state.changed]).sort(dimension.key))


def _are_few(current: CurrentState, dimension: Dimension, keys: pl.Series) -> bool:
    """Whether to look keys up is less than to read all members, and possible."""
    if current.rebuild or dimension.kind not in current.members or dimension in current.broken_dimensions:
        return False
    return len(keys) * _FEW <= current.valid[dimension.file].rows


def _fold(
    lake: Lake,
    current: CurrentState,
    before: pl.DataFrame,
    given: tuple[Dimension, Sequence[pl.DataFrame], pl.Series, pl.DataFrame],
    *,
    by_key: bool,
) -> DimensionState:
    """Fold reference files and mentions over members, all of them or those of the keys, and write what changes."""
    dimension, files, keys, mentioned = given
    names = dimension.table.names
    mentions = merge_mentions([list_mentions(dimension, before), mentioned])
    table = fold_dimension(dimension, before.select(names), files, keys)
    after = to_members(dimension, fill_inferred(dimension, table, mentions), mentions)
    changed = after.join(before, on=after.columns, how="anti", nulls_equal=True) if before.height else after
    known = () if current.rebuild else current.members.get(dimension.kind, ())
    if (changed.height * 2 > after.height and not by_key) or not known:
        known, written = (), after
    else:
        written = changed
    was, now = before.select(names), after.select(names)
    rows = changed.select(names).join(was, on=names, how="anti", nulls_equal=True) if before.height else now
    return DimensionState(dimension, was, now, rows, add_members(lake, known, dimension, written), by_key)
