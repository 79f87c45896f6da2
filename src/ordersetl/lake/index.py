"""In which partitions an order may be: the index that spares a load the scan of all history.

Segments of (hash of the order id, day), sorted by hash and searched by bisection: twelve bytes an order to read, where
the partitions have hundreds. The index is a *superset*: it may name a day that an order has left, or that another
order with the same hash is in, which costs one more partition to read; it never leaves out the day where the order is.
So a crash between writing a segment and committing it does no harm. It is derived from the partitions, and rebuilt
from them when it is missing, damaged, or made by another Polars (whose hashes differ).

Segments are merged in tiers, as in a log-structured merge tree (O'Neil et al., 1996): writes cost a logarithmic factor.
"""

import hashlib
import io
from collections.abc import Sequence
from functools import reduce
from operator import or_

import polars as pl

from ordersetl.lake.health import find_problem
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import IndexEntry

__all__ = ["INDEX_SCHEMA", "add_segment", "drop_unlisted", "is_whole", "look_up", "order_key"]

INDEX_SCHEMA: dict[str, pl.DataType] = {"key": pl.UInt64(), "dt": pl.Date()}

_HASHING = f"polars {pl.__version__}"
_SEED = 20250823


def order_key() -> pl.Expr:
    """Hash of the column ``order_id``; the same in every process with the same Polars."""
    return pl.col("order_id").hash(seed=_SEED)


def is_whole(lake: Lake, entries: Sequence[IndexEntry], *, verify: bool) -> bool:
    """Whether every segment is there and usable: by size and time, or by hash with ``verify``."""
    return all(
        entry.hashing == _HASHING
        and find_problem(lake.index / entry.name, entry, lake.index, trusted_time_ns=None if verify else entry.mtime_ns)
        is None
        for entry in entries
    )


def look_up(lake: Lake, entries: Sequence[IndexEntry], keys: pl.Series) -> pl.DataFrame:
    """Days under which the keys are listed: INDEX_SCHEMA, one row per key and day, in no order."""
    found = [pl.DataFrame(schema=INDEX_SCHEMA)]
    if not entries:
        return found[0]
    wanted = keys.unique().sort()
    for entry in entries:
        segment = pl.read_ipc(lake.index / entry.name)
        begin = segment["key"].search_sorted(wanted, side="left")
        end = segment["key"].search_sorted(wanted, side="right")
        places = (
            pl.DataFrame({"key": wanted, "begin": begin, "end": end})
            .filter(pl.col("end") > pl.col("begin"))
            .select("key", at=pl.int_ranges("begin", "end"))
            .explode("at")
        )
        found.append(places.select("key", dt=segment["dt"].gather(places["at"])))
    return pl.concat(found).unique()


def add_segment(lake: Lake, entries: Sequence[IndexEntry], added: pl.DataFrame) -> tuple[IndexEntry, ...]:
    """Write a segment with the added rows, merging smaller ones into it; the segments that now make up the index.

    Each segment that stays is more than twice as large as all that came after it together. Nothing on disk that the
    current manifest lists is changed: :func:`drop_unlisted` tidies up once the new list is committed.
    """
    if added.is_empty():
        return tuple(entries)
    kept = list(entries)
    merged = added.select(*INDEX_SCHEMA)
    while kept and kept[-1].rows <= 2 * merged.height:
        merged = pl.concat([pl.read_ipc(lake.index / kept.pop().name), merged])
    ordered = merged.sort("key", "dt")  # twins are neighbours; a hash table of all rows would be ten times as large
    is_new = reduce(or_, (pl.col(name).ne_missing(pl.col(name).shift()) for name in INDEX_SCHEMA))
    merged = ordered.filter(is_new).rechunk()
    buffer = io.BytesIO()
    merged.write_ipc(buffer, compression="uncompressed")
    data = buffer.getvalue()
    name = f"{hashlib.sha256(data).hexdigest()[:32]}.arrow"
    lake.disk.make_folder(lake.index)
    written = lake.disk.publish(lake.index / name, data)
    segment = IndexEntry(name, written.sha256, written.bytes, merged.height, _HASHING, written.mtime_ns)
    return (*(entry for entry in kept if entry.name != name), segment)


def drop_unlisted(lake: Lake, entries: Sequence[IndexEntry]) -> None:
    """Remove segments that the committed manifest no longer lists."""
    listed = {entry.name for entry in entries}
    if lake.index.is_dir():
        for path in sorted(lake.index.iterdir()):
            if path.name not in listed:
                lake.disk.remove_tree(path)
