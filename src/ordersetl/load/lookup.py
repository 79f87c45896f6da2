"""What a load looks the pending orders up in: the index and the tombstones, rebuilt where they are lost."""

from collections.abc import Sequence

import msgspec
import polars as pl

from ordersetl.lake import index
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import IndexEntry
from ordersetl.load.files import read_partition
from ordersetl.load.plan import CurrentState, Part
from ordersetl.load.uses import add_uses
from ordersetl.load.versions import Incoming, list_keys, list_tombstones, scan_versions

__all__ = ["Lookup", "find_lookup"]


class Lookup(msgspec.Struct, frozen=True):
    """The segments of both tables before the load, and the uses of users and products, None where none are kept."""

    index: tuple[IndexEntry, ...]
    tombstones: tuple[IndexEntry, ...]
    uses: tuple[IndexEntry, ...] | None = None

    def scan(self, lake: Lake, parts: Sequence[Part]) -> Incoming:
        """The pending versions in short; of each segment the blocks are read that may have them."""
        segments, tombstones = (index.open_segments(lake, entries) for entries in (self.index, self.tombstones))
        return scan_versions(parts, segments, tombstones)

    def add(self, lake: Lake, incoming: Incoming, parts: Sequence[Part]) -> "Lookup":
        """The segments of all tables after the load, written."""
        gone = incoming.gone.select(*index.TOMBSTONE_SCHEMA)
        return Lookup(
            index.add_segment(lake, self.index, incoming.new_keys),
            index.add_segment(lake, self.tombstones, gone),
            add_uses(lake, self.uses, parts),
        )


def find_lookup(lake: Lake, current: CurrentState, parts: Sequence[Part]) -> Lookup:
    """The committed segments; a table that is lost is rebuilt, from the partitions or from all that was applied.

    Raises:
        CorruptedFileError: a partition is not what the manifest says.
        BrokenSegmentError: a segment to merge with is not.
    """
    if current.rebuild:
        return Lookup((), ())
    segments, tombstones = current.manifest.index, current.manifest.tombstones
    if not segments and current.manifest.partitions:
        rows = [list_keys(parts, current.broken_days)]
        for day, entry in current.partitions.items():
            curated = read_partition(lake, day, entry, ["order_id"])
            rows.append(curated.select(key=index.order_key(), dt=pl.lit(day)).unique())
        segments = index.add_segment(lake, (), pl.concat(rows))
    if current.lost_tombstones:
        tombstones = index.add_segment(lake, (), list_tombstones([part for part in parts if part.applied]))
    return Lookup(segments, tombstones)
