"""What is known of the dimensions before a load: their members, or what history has of them where these are lost."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import polars as pl

from ordersetl.lake import kept_files
from ordersetl.lake.kept_files import ReferenceEntry
from ordersetl.lake.members import look_up_members, member_schema, read_members
from ordersetl.lake.segments import read_rows
from ordersetl.lake.staged import StageMarker
from ordersetl.load.emails import show_emails
from ordersetl.load.files import read_dimension
from ordersetl.load.mentions import fill_inferred, merge_mentions, scan_mentions, to_members
from ordersetl.load.plan import CurrentState, Part, Plan
from ordersetl.runtime import RunContext
from ordersetl.star.dimensions import USERS, Dimension, fold_dimension, read_reference

__all__ = ["History", "list_files", "read_files"]


class History(msgspec.Struct, frozen=True):
    """What a load builds on: the current state, and the staged parts of what was applied where some of it is lost."""

    context: RunContext
    current: CurrentState
    plan: Plan
    markers: Mapping[str, StageMarker]
    parts: Sequence[Part]

    def look_up(self, dimension: Dimension, keys: pl.Series) -> pl.DataFrame:
        """The members of some keys.

        Raises:
            BrokenSegmentError: they are not what was written.
        """
        return look_up_members(self.context.lake, self.current.members[dimension.kind], dimension, keys)

    def read(self, dimension: Dimension) -> pl.DataFrame:
        """All members that partitions were enriched with.

        Raises:
            CorruptedError: a reference file is missing or damaged.
            CorruptedFileError, BrokenSegmentError: a file of the dimension is not what the manifest says.
        """
        current = self.current
        if current.rebuild:
            return pl.DataFrame(schema=member_schema(dimension))
        if dimension.kind in current.members:
            return read_members(self.context.lake, current.members[dimension.kind], dimension)
        if current.lost_members:
            mentions = scan_mentions(dimension, self._applied, self.context.settings)[1]
        else:  # they took the place of members before 0.3
            mentions = merge_mentions(read_rows(self.context.lake, current.manifest.mentions))
        return to_members(dimension, self._read_table(dimension, mentions), mentions)

    def _read_table(self, dimension: Dimension, mentions: pl.DataFrame) -> pl.DataFrame:
        """The dimension's file, or the fold of what was applied where that is lost too."""
        if dimension not in self.current.broken_dimensions:
            return read_dimension(self.context.lake, dimension, self.current.valid[dimension.file])
        waiting = set(self.plan.waiting)
        applied = [marker for batch, marker in sorted(self.markers.items()) if batch not in waiting]
        files, _ = read_files(self.context, dimension, list_files(dimension, applied, None))
        keys, _ = scan_mentions(dimension, self._applied, self.context.settings)
        table = fold_dimension(dimension, pl.DataFrame(schema=dimension.table.schema), files, keys)
        return fill_inferred(dimension, table, mentions)

    @property
    def _applied(self) -> list[Part]:
        return [part for part in self.parts if part.applied]


def list_files(dimension: Dimension, markers: Sequence[StageMarker], last: str | None) -> list[ReferenceEntry]:
    """The batches' reference files of one kind, in order, without those that repeat the one before."""
    entries = []
    for marker in markers:
        entry = marker.references.get(dimension.kind)
        if entry is not None and entry.sha256 != last:
            entries.append(entry)
            last = entry.sha256
    return entries


def read_files(
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
