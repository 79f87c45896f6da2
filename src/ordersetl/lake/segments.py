"""Segments: sorted tables in blocks, of which a load reads those that it needs, each proven when it is read.

A segment is rows sorted by their first column, a hash, written as one file of ``index/``: blocks of so many rows, then
the *root*, which says of each block its first and last key, where it is, and its SHA-256. The manifest records the
SHA-256 of the root, so that root and block prove a row, and nothing else of the file is read (Merkle, 1987). A look-up
of a thousand keys costs about as many blocks, however long the table is.

Blocks are the record batches of one Arrow stream, without its schema, which the root keeps: those that are wanted
make a stream again, and are decoded together.
"""

import hashlib
import io
from collections.abc import Sequence
from functools import cached_property

import polars as pl

from ordersetl.lake.integrity import find_problem
from ordersetl.lake.layout import INDEX, Lake
from ordersetl.lake.manifest import IndexEntry

__all__ = [
    "FORMAT",
    "BrokenSegmentError",
    "Segment",
    "find_rows",
    "is_valid",
    "read_rows",
    "write_segment",
]

FORMAT = "blocks 1"
"""Of segments that are written now; others are one Arrow file each, and proven whole."""
_BLOCK_ROWS = 1024
_PACKED_BLOCK_ROWS = 256
"""The fewer, the less is read for a key, and the longer is the root."""
_END = b"\xff\xff\xff\xff\0\0\0\0"
"""How an Arrow stream ends."""


class BrokenSegmentError(Exception):
    """A segment that seemed valid is not what the manifest says; load rebuilds it and goes on."""


class Segment:
    """A segment as far as it was read: by ``keys``, or whole."""

    def __init__(self, lake: Lake, entry: IndexEntry) -> None:
        self.entry = entry
        self._lake = lake
        self._key = f"{INDEX}/{entry.name}"
        self._whole: pl.DataFrame | None = None

    @property
    def rows(self) -> pl.DataFrame:
        """All rows, sorted by key.

        Raises:
            BrokenSegmentError: they are not what was written.
        """
        if self._whole is None:
            self._whole = self._read_blocks(range(self._root.height)) if self.entry.root else self._read_old()
        return self._whole

    def find(self, keys: pl.Series) -> pl.DataFrame:
        """The rows of some keys, sorted, each once.

        Raises:
            BrokenSegmentError: what is read is not what was written.
        """
        rows = self._narrow(keys) if self._whole is None and self.entry.root else self.rows
        hashes = rows.to_series()
        begin = hashes.search_sorted(keys, side="left")
        end = hashes.search_sorted(keys, side="right")
        runs = pl.DataFrame({"begin": begin, "end": end}).filter(pl.col("end") > pl.col("begin"))
        return rows[runs.select(at=pl.int_ranges("begin", "end")).explode("at")["at"]]

    @cached_property
    def _root(self) -> pl.DataFrame:
        """One row a block: first, last, begin, bytes, sha256; and how the stream begins, in the first row's."""
        end = self.entry.bytes
        data = self._read([(end - self.entry.root_bytes, end)])[0]
        if hashlib.sha256(data).hexdigest() != self.entry.root:
            raise BrokenSegmentError(f"{self._key}: its content was changed")
        return pl.read_ipc_stream(io.BytesIO(data))

    def _narrow(self, keys: pl.Series) -> pl.DataFrame:
        """The rows of the blocks that may have the keys; the whole table where these are most of them."""
        root = self._root
        until, before = keys.search_sorted(root["last"], "right"), keys.search_sorted(root["first"], "left")
        wanted = (until > before).arg_true()
        return self.rows if len(wanted) * 2 > root.height else self._read_blocks(wanted)

    def _read_blocks(self, wanted: Sequence[int] | pl.Series) -> pl.DataFrame:
        blocks = self._root[wanted]
        begin = self._root["schema"][0]
        ranges = list(zip(blocks["begin"], blocks["begin"] + blocks["bytes"], strict=True))
        parts = self._read(ranges)
        for data, sha256 in zip(parts, blocks["sha256"], strict=True):
            if hashlib.sha256(data).digest() != sha256:
                raise BrokenSegmentError(f"{self._key}: its content was changed")
        return pl.read_ipc_stream(io.BytesIO(b"".join([begin, *parts, _END]))).rechunk()

    def _read(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        try:
            return self._lake.storage.read_ranges(self._key, ranges)
        except OSError as error:
            raise BrokenSegmentError(f"{self._key}: {error.strerror}") from error

    def _read_old(self) -> pl.DataFrame:
        """A segment of before 0.3, proven whole."""
        try:
            data = self._lake.storage.read(self._key, self.entry.bytes)
        except OSError as error:
            raise BrokenSegmentError(f"{self._key}: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self.entry.sha256:
            raise BrokenSegmentError(f"{self._key}: its content was changed")
        return pl.read_ipc(io.BytesIO(data))


def find_rows(segments: Sequence[Segment], keys: pl.Series) -> list[pl.DataFrame]:
    """Rows of each segment that have one of the keys; null is none.

    Raises:
        BrokenSegmentError: what is read of a segment is not what was written.
    """
    wanted = keys.drop_nulls().unique().sort() if segments else keys
    return [segment.find(wanted) for segment in segments]


def read_rows(lake: Lake, entries: Sequence[IndexEntry]) -> list[pl.DataFrame]:
    """All rows of each segment.

    Raises:
        BrokenSegmentError: a segment is not what was written.
    """
    return [Segment(lake, entry).rows for entry in entries]


def is_valid(lake: Lake, entry: IndexEntry, *, verify: bool) -> bool:
    """Whether a segment is there and as recorded: by size and time, or by hash with ``verify``."""
    trusted = None if verify else entry.mtime_ns
    return find_problem(lake, f"{INDEX}/{entry.name}", entry, trusted_time_ns=trusted) is None


def write_segment(lake: Lake, rows: pl.DataFrame, hashing: str, *, pack: bool = False) -> IndexEntry:
    """Write rows, some, sorted by key, as one file that is named by its content.

    Args:
        lake: where it goes.
        rows: the rows.
        hashing: what the keys are.
        pack: compress the blocks; keys alone would not get smaller.
    """
    rows = rows.rechunk()
    blocks, begin, schema = [], 0, b""
    body: list[bytes] = []
    step = _PACKED_BLOCK_ROWS if pack else _BLOCK_ROWS
    for at in range(0, rows.height, step):
        block = rows.slice(at, step)
        stream = _encode(block, pack=pack)
        head = 8 + int.from_bytes(stream[4:8], "little")  # the schema's message: a mark, its length, itself
        schema, data = stream[:head], stream[head : -len(_END)]
        body.append(data)
        blocks.append((block[0, 0], block[-1, 0], begin, len(data), hashlib.sha256(data).digest()))
        begin += len(data)
    types = {"first": pl.UInt64, "last": pl.UInt64, "begin": pl.UInt64, "bytes": pl.UInt64, "sha256": pl.Binary}
    root = pl.DataFrame(blocks, schema=types, orient="row")
    tail = _encode(root.with_columns(schema=pl.Series([schema, *[b""] * (root.height - 1)], dtype=pl.Binary)))
    sha256 = hashlib.sha256(tail).hexdigest()
    name = f"{sha256[:32]}.blocks"
    written = lake.storage.put(f"{INDEX}/{name}", b"".join([*body, tail]))
    return IndexEntry(
        name, written.sha256, written.bytes, rows.height, f"{hashing}, {FORMAT}", written.mtime_ns, sha256, len(tail)
    )


def _encode(rows: pl.DataFrame, *, pack: bool = False) -> bytes:
    buffer = io.BytesIO()
    rows.write_ipc_stream(buffer, compression="lz4" if pack else "uncompressed")
    return buffer.getvalue()
