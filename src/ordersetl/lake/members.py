"""The members of the dimensions, to be looked up by key: a load reads those that it needs, and not the dimension.

A *member* is a row of a dimension, and of each attribute that orders mention which version said it: (updated_at, batch,
pos), null where none did. They are kept in segments beside the index, newer ones over older ones, and are as many as
the rows of the curated file, which they are derived with. Lost or damaged, they are made again from history.
"""

from collections.abc import Sequence

import polars as pl

from ordersetl.lake.index import add_rows, hash_ids
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import IndexEntry
from ordersetl.lake.segments import Segment, find_rows, read_rows
from ordersetl.star.dimensions import Dimension

__all__ = ["add_members", "look_up_members", "member_schema", "read_members"]

_HASH = "_hash"
_SAID: dict[str, pl.DataType] = {"at": pl.Datetime("us"), "batch": pl.Datetime("us"), "pos": pl.UInt64()}
"""Which version mentions an attribute: its time, its batch by the time that it is named by, its position there."""


def member_schema(dimension: Dimension) -> dict[str, pl.DataType]:
    """The columns of the dimension, and ``<attribute>_at``, ``_batch`` and ``_pos`` of each that orders mention."""
    said = {f"{name}_{what}": kind for name in dimension.mentioned for what, kind in _SAID.items()}
    return dimension.table.schema | said


def look_up_members(lake: Lake, entries: Sequence[IndexEntry], dimension: Dimension, keys: pl.Series) -> pl.DataFrame:
    """The members of some keys, one row each, in no order; keys that are no member have none.

    Raises:
        BrokenSegmentError: a segment is not what was written.
    """
    wanted = pl.DataFrame({dimension.key: keys.drop_nulls().unique()}, schema={dimension.key: pl.String})
    found = find_rows([Segment(lake, entry) for entry in entries], hash_ids(wanted[dimension.key]))
    return _keep_newest(dimension, found).join(wanted, on=dimension.key, how="semi")


def read_members(lake: Lake, entries: Sequence[IndexEntry], dimension: Dimension) -> pl.DataFrame:
    """All members, sorted by key.

    Raises:
        BrokenSegmentError: a segment is not what was written.
    """
    return _keep_newest(dimension, read_rows(lake, entries)).sort(dimension.key)


def add_members(
    lake: Lake, entries: Sequence[IndexEntry], dimension: Dimension, added: pl.DataFrame
) -> tuple[IndexEntry, ...]:
    """Write members, each in place of the one with its key; the segments that now make up the table.

    Raises:
        BrokenSegmentError: a segment to merge with is not what was written.
    """

    def merge(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.unique(dimension.key, keep="last", maintain_order=True).sort(_HASH, dimension.key)

    hashed = added.select(hash_ids(added[dimension.key]).alias(_HASH), *member_schema(dimension))
    return add_rows(lake, entries, hashed, merge, pack=True)


def _keep_newest(dimension: Dimension, found: Sequence[pl.DataFrame]) -> pl.DataFrame:
    every = pl.concat([pl.DataFrame(schema=member_schema(dimension)), *(rows.drop(_HASH) for rows in found)])
    return every.unique(dimension.key, keep="last", maintain_order=True) if len(found) > 1 else every
