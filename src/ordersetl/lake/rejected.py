"""Which quarantine files there are: a table beside the index, of which a load writes what it changes.

One row a batch of which anything was rejected. Before 0.3 they were in the manifest, which grew by each for ever. Lost
or damaged, they are made again of the staged batches.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from ordersetl.lake.index import add_rows, hash_ids
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import IndexEntry, Manifest, QuarantineEntry
from ordersetl.lake.segments import read_rows

__all__ = ["add_rejected", "read_rejected"]

_SCHEMA: dict[str, pl.DataType] = {
    "key": pl.UInt64(),
    "batch": pl.String(),
    "sha256": pl.String(),
    "bytes": pl.Int64(),
    "orders": pl.Int64(),
    "lines": pl.Int64(),
    "mtime_ns": pl.Int64(),
}
"""``bytes`` is 0 where a batch that was staged again has no rejects any more."""
_GONE = QuarantineEntry("", 0, 0, 0)


def read_rejected(lake: Lake, manifest: Manifest) -> dict[str, QuarantineEntry]:
    """The quarantine files that belong to the state, by batch, oldest first.

    Raises:
        BrokenSegmentError: the table is not what was written.
    """
    found = dict(manifest.quarantine)
    for rows in read_rows(lake, manifest.rejected):
        for batch, *facts in rows.drop("key").iter_rows():
            found[batch] = QuarantineEntry(*facts)
    return {batch: entry for batch, entry in sorted(found.items()) if entry.bytes}


def add_rejected(
    lake: Lake, entries: Sequence[IndexEntry], changed: Mapping[str, QuarantineEntry | None]
) -> tuple[IndexEntry, ...]:
    """The segments with the files that changed, written; None is that of a batch that has no rejects any more."""
    rows = [
        (batch, kept.sha256, kept.bytes, kept.orders, kept.lines, kept.mtime_ns)
        for batch, entry in changed.items()
        for kept in [entry or _GONE]
    ]
    given = pl.DataFrame(rows, schema={name: kind for name, kind in _SCHEMA.items() if name != "key"}, orient="row")
    hashed = given.select(hash_ids(given["batch"]).alias("key"), *given.columns)
    return add_rows(lake, entries, hashed, _merge, pack=True)


def _merge(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.unique("batch", keep="last", maintain_order=True).sort("key", "batch")
