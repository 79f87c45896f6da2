"""On which days a user or a product is used: what a change of one has to reach, without a look at all days.

The *uses* are a table like the index: (hash of kind and key, day), a superset of what the partitions hold. The first
load that has to reach old days makes it of the partitions, and from then on each load adds what its orders use. An
output whose users and products never change has none.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import polars as pl

from ordersetl.lake import index
from ordersetl.lake.index import INDEX_SCHEMA
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import FileEntry, IndexEntry
from ordersetl.load.dimensions import DimensionState
from ordersetl.load.files import read_partition
from ordersetl.load.plan import CurrentState, Part
from ordersetl.star.dimensions import DIMENSIONS, PRODUCTS, Dimension, changed_keys

__all__ = ["ChangedKeys", "add_uses", "find_affected_days", "find_uses", "list_changed_keys"]

ChangedKeys = Sequence[tuple[Dimension, pl.Series]]
"""Keys whose enrichment differs; a dimension without any is not in it."""


def list_changed_keys(states: Iterable[DimensionState]) -> ChangedKeys:
    """Keys whose enrichment a load changes."""
    changed = [(state.dimension, changed_keys(state.dimension, state.before, state.after)) for state in states]
    return [(dimension, keys) for dimension, keys in changed if len(keys)]


def find_uses(lake: Lake, current: CurrentState, changed: ChangedKeys) -> tuple[IndexEntry, ...] | None:
    """The committed segments; made of the partitions where there are none and some keys have changed.

    None where they are not needed, or a day is broken: what it uses no partition tells.

    Raises:
        CorruptedFileError: a partition is not what the manifest says.
    """
    uses = None if current.rebuild else current.manifest.uses
    if uses is not None or not changed or current.rebuild or current.broken_days:
        return uses
    found = [pl.DataFrame(schema=INDEX_SCHEMA)]
    keys = [dimension.key for dimension in DIMENSIONS]
    for day, entry in current.partitions.items():
        rows = read_partition(lake, day, entry, keys).with_columns(dt=pl.lit(day))
        found += [_hash_uses(dimension, rows) for dimension in DIMENSIONS]
    return index.add_segment(lake, (), pl.concat(found))


def find_affected_days(
    lake: Lake, partitions: Mapping[date, FileEntry], changed: ChangedKeys, uses: Sequence[IndexEntry] | None
) -> list[date]:
    """Days of the partitions that use a changed key; without ``uses`` all of them are read.

    Raises:
        CorruptedFileError: a partition is not what the manifest says.
        BrokenSegmentError: nor are the uses.
    """
    if not changed:
        return []
    days = set(partitions)
    if uses is not None:
        segments = index.open_segments(lake, uses)
        found = [index.look_up(segments, _hash_keys(dimension, keys))["dt"] for dimension, keys in changed]
        days &= set(pl.concat(found))
    return [day for day in sorted(days) if _is_affected(lake, day, partitions[day], changed)]


def add_uses(lake: Lake, uses: tuple[IndexEntry, ...] | None, parts: Iterable[Part]) -> tuple[IndexEntry, ...] | None:
    """The segments with what the pending parts use, written; None where there are none."""
    if uses is None:
        return None
    segments, added = index.open_segments(lake, uses), [pl.DataFrame(schema=INDEX_SCHEMA)]
    for part in parts:
        for dimension in DIMENSIONS if part.pending else ():
            file = part.lines if dimension is PRODUCTS else part.orders
            found = _hash_uses(dimension, file.scan().select(dimension.key, "dt").collect())
            added.append(found.join(index.look_up(segments, found["key"]), on=["key", "dt"], how="anti"))
    return index.add_segment(lake, uses, pl.concat(added))


def _is_affected(lake: Lake, day: date, entry: FileEntry, changed: ChangedKeys) -> bool:
    rows = read_partition(lake, day, entry, [dimension.key for dimension, _ in changed])
    return any(rows[dimension.key].is_in(keys.implode()).any() for dimension, keys in changed)


def _hash_uses(dimension: Dimension, rows: pl.DataFrame) -> pl.DataFrame:
    """INDEX_SCHEMA of the keys in some rows, each with its day."""
    named = rows.select(dimension.key, "dt").drop_nulls().unique()
    return named.select(_hash_keys(dimension, named[dimension.key]).alias("key"), "dt")


def _hash_keys(dimension: Dimension, keys: pl.Series) -> pl.Series:
    return index.hash_ids(f"{dimension.kind}/" + keys)
