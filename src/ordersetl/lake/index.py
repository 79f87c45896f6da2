"""What saves a load the scan of all history: in which partitions an order may be, and which orders have left.

Two tables, each in segments sorted by a hash of the order id, of which a look-up reads some blocks
(:mod:`ordersetl.lake.segments`):

* the *index*, (key, day): twelve bytes an order to read, where the partitions have hundreds. It is a *superset*: it may
  name a day that an order has left, or that another order with the same hash is in, which costs one more partition to
  read; it never leaves out the day where the order is. It is derived from the partitions.
* the *tombstones*, (key, order id, time): every accepted version that made its order leave. An older version that turns
  up later must not bring the order back, and no partition tells. One that a later version superseded does no harm: the
  curated rows are at least as new. They are derived from the staged batches.

So a crash between writing a segment and committing it does no harm, and either is rebuilt when it is lost or damaged.
Segments are merged in tiers, as in a log-structured merge tree (O'Neil et al., 1996): writes cost a logarithmic factor.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_

import polars as pl

from ordersetl.lake.layout import INDEX, Lake
from ordersetl.lake.manifest import IndexEntry
from ordersetl.lake.segments import FORMAT, Segment, find_rows, is_valid, read_rows, write_segment

__all__ = [
    "INDEX_SCHEMA",
    "TOMBSTONE_SCHEMA",
    "add_rows",
    "add_segment",
    "are_valid",
    "drop_unlisted",
    "hash_ids",
    "look_up",
    "look_up_tombstones",
    "open_segments",
    "order_key",
]

INDEX_SCHEMA: dict[str, pl.DataType] = {"key": pl.UInt64(), "dt": pl.Date()}
TOMBSTONE_SCHEMA: dict[str, pl.DataType] = {
    "key": pl.UInt64(),
    "order_id": pl.String(),
    "updated_at_order": pl.Datetime("us"),
}

_HASHING = "words 1"
"""Names :func:`hash_ids`, to be renamed with it: segments made by another are rebuilt."""
_WORD = 8
_SEED = 0x9E3779B97F4A7C15
_FACTOR, _LAST_FACTOR = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53
_HALF = 1 << 32


def order_key() -> pl.Expr:
    """Hash of the column ``order_id``."""
    return pl.col("order_id").map_batches(hash_ids, return_dtype=INDEX_SCHEMA["key"])


def hash_ids(ids: pl.Series) -> pl.Series:
    """Hash of each text, UInt64; null for null. The same on every machine, in every process, with every Polars.

    The UTF-8 bytes are taken in little-endian words of eight, the last filled up with zeros. The length and each word
    are mixed in by a multiplication and a shift, with the constants of MurmurHash3's finalizer (Appleby, 2011).
    """
    length = ids.str.len_bytes()
    filled = (ids + "\0" * (_WORD - 1)).cast(pl.Binary)
    mixed = _mix(length.cast(pl.UInt64) + _SEED, _FACTOR)
    for at in range(0, _longest(length), _WORD):
        word = filled.bin.slice(at, _WORD).bin.reinterpret(dtype=pl.UInt64, endianness="little")
        mixed = _mix(mixed ^ word, _FACTOR).zip_with(word.is_not_null(), mixed)
    return _mix(mixed, _LAST_FACTOR)


def are_valid(lake: Lake, entries: Sequence[IndexEntry], *, verify: bool) -> bool:
    """Whether every segment is there and usable: by size and time, or by hash with ``verify``."""
    return all(_is_known(entry) and is_valid(lake, entry, verify=verify) for entry in entries)


def open_segments(lake: Lake, entries: Sequence[IndexEntry]) -> list[Segment]:
    """The segments of a table, to look up as many keys in as there are."""
    return [Segment(lake, entry) for entry in entries]


def look_up(segments: Sequence[Segment], keys: pl.Series) -> pl.DataFrame:
    """Days under which the keys are listed: INDEX_SCHEMA, one row per key and day, in no order.

    Raises:
        BrokenSegmentError: what is read of a segment is not what was written.
    """
    return pl.concat([pl.DataFrame(schema=INDEX_SCHEMA), *find_rows(segments, keys)]).unique()


def look_up_tombstones(segments: Sequence[Segment], keys: pl.Series) -> pl.DataFrame:
    """Orders under the keys that have left, one row an order: ``order_id``, and ``gone_at``, the newest such time.

    Raises:
        BrokenSegmentError: as :func:`look_up`.
    """
    found = pl.concat([pl.DataFrame(schema=TOMBSTONE_SCHEMA), *find_rows(segments, keys)])
    return found.group_by("order_id").agg(gone_at=pl.col("updated_at_order").max())


def add_segment(lake: Lake, entries: Sequence[IndexEntry], added: pl.DataFrame) -> tuple[IndexEntry, ...]:
    """Write a segment with the added rows, merging smaller ones into it; the segments that now make up the table.

    As :func:`add_rows` of a table that is a set of rows.

    Args:
        lake: where the segments are.
        entries: the segments so far.
        added: rows of INDEX_SCHEMA or of TOMBSTONE_SCHEMA, as the segments have them.
    """
    return add_rows(lake, entries, added, _merge_sets)


def add_rows(
    lake: Lake,
    entries: Sequence[IndexEntry],
    added: pl.DataFrame,
    merge: Callable[[pl.DataFrame], pl.DataFrame],
    *,
    pack: bool = False,
) -> tuple[IndexEntry, ...]:
    """Write a segment with the added rows, merging smaller ones into it; the segments that now make up the table.

    Each segment that is kept is more than twice as large as all that came after it together; those of an older format
    are written again. Nothing on disk that the current manifest lists is changed: :func:`drop_unlisted` removes the
    rest once the new list is committed.

    Args:
        lake: where the segments are.
        entries: the segments so far, oldest first.
        added: rows as the segments have them.
        merge: the rows of some neighbouring segments, older ones first, as one sorted table.
        pack: compress them.

    Raises:
        BrokenSegmentError: a segment to merge with is not what was written.
    """
    if added.is_empty() and all(entry.root for entry in entries):
        return tuple(entries)
    first, after = len(entries), added.height
    for at in reversed(range(len(entries))):
        first = at if entries[at].rows <= 2 * after or not entries[at].root else first
        after += entries[at].rows
    kept = entries[:first]
    segment = write_segment(lake, merge(pl.concat([*read_rows(lake, entries[first:]), added])), _HASHING, pack=pack)
    return (*(entry for entry in kept if entry.name != segment.name), segment)


def drop_unlisted(lake: Lake, entries: Sequence[IndexEntry]) -> None:
    """Remove segments that the committed manifest no longer lists."""
    listed = {entry.name for entry in entries}
    for found in lake.storage.entries(INDEX):
        if found.name not in listed:
            lake.storage.remove_all(f"{INDEX}/{found.name}")


def _merge_sets(rows: pl.DataFrame) -> pl.DataFrame:
    ordered = rows.sort(rows.columns)  # equal rows become neighbours: a hash table would be ten times as large
    is_new = reduce(or_, (pl.col(name).ne_missing(pl.col(name).shift()) for name in rows.columns))
    return ordered.filter(is_new)


def _is_known(entry: IndexEntry) -> bool:
    return entry.hashing == (f"{_HASHING}, {FORMAT}" if entry.root else _HASHING)


def _mix(values: pl.Series, factor: int) -> pl.Series:
    product = values * factor
    return product ^ (product // _HALF)


def _longest(lengths: pl.Series) -> int:
    longest = lengths.max()
    return longest if isinstance(longest, int) else 0
