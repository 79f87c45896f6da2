"""Segments of the index: a look-up reads the blocks that it needs, and proves what it reads."""

import hashlib
import io
import os
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st
from lakes import LaxDisk

from ordersetl.lake import index, segments
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import IndexEntry
from ordersetl.lake.segments import BrokenSegmentError, Segment, find_rows, read_rows, write_segment

DAY = date(2025, 8, 20)
ROWS = 50_000
STEP = 1000


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, LaxDisk())


@pytest.fixture
def entry(lake: Lake) -> IndexEntry:
    keys = pl.int_range(0, ROWS * STEP, STEP, dtype=pl.UInt64, eager=True).alias("key")
    return write_segment(lake, pl.DataFrame([keys]).with_columns(dt=pl.lit(DAY)), "test 1")


def look_for(lake: Lake, entry: IndexEntry, *keys: int) -> list[int]:
    return list(find_rows([Segment(lake, entry)], pl.Series(keys, dtype=pl.UInt64))[0]["key"])


def flip(lake: Lake, entry: IndexEntry, at: int) -> None:
    """Change a byte that size and time do not tell of."""
    path = lake.folder / "index" / entry.name
    before, data = path.stat(), bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_look_up_reads_a_small_part(lake: Lake, entry: IndexEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    really = type(lake.storage).read_ranges

    def count(storage: object, key: str, ranges: list[tuple[int, int]]) -> list[bytes]:
        nonlocal read
        found = really(storage, key, ranges)  # type: ignore[arg-type]
        read += sum(map(len, found))
        return found

    monkeypatch.setattr(type(lake.storage), "read_ranges", count)
    assert look_for(lake, entry, 7 * STEP, 7 * STEP + 1, (ROWS - 1) * STEP) == [7 * STEP, (ROWS - 1) * STEP]
    assert read < entry.bytes / 5


def test_only_what_is_read_is_proven(lake: Lake, entry: IndexEntry) -> None:
    flip(lake, entry, 100)
    assert look_for(lake, entry, (ROWS - 1) * STEP) == [(ROWS - 1) * STEP]
    with pytest.raises(BrokenSegmentError):
        look_for(lake, entry, 0)
    with pytest.raises(BrokenSegmentError):
        read_rows(lake, [entry])


@pytest.mark.parametrize("at", [-1, -200])
def test_a_root_that_was_changed_is_found(lake: Lake, entry: IndexEntry, at: int) -> None:
    flip(lake, entry, at)
    with pytest.raises(BrokenSegmentError):
        look_for(lake, entry, 0)


def test_one_that_is_gone_or_shorter_is_found(lake: Lake, entry: IndexEntry) -> None:
    path = lake.folder / "index" / entry.name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BrokenSegmentError):
        look_for(lake, entry, 0)
    path.unlink()
    with pytest.raises(BrokenSegmentError):
        look_for(lake, entry, 0)


@settings(max_examples=60, derandomize=True)
@given(
    st.lists(st.integers(0, 40) | st.just(2**64 - 1), min_size=1, max_size=40),
    st.lists(st.integers(0, 42) | st.just(2**64 - 1)),
    st.integers(1, 7),
)
def test_finds_every_row_of_a_key_whatever_the_blocks(
    tmp_path_factory: pytest.TempPathFactory, listed: list[int], keys: list[int], block_rows: int
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"), LaxDisk())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "_BLOCK_ROWS", block_rows)
        entry = write_segment(lake, pl.DataFrame({"key": sorted(listed)}, schema={"key": pl.UInt64}), "test 1")
    assert look_for(lake, entry, *keys) == [key for key in sorted(listed) if key in keys]
    assert list(Segment(lake, entry).rows["key"]) == sorted(listed)


def test_segments_of_before_are_read_and_written_anew(lake: Lake) -> None:
    rows = pl.DataFrame({"key": [1, 5], "dt": [DAY, DAY]}, schema=index.INDEX_SCHEMA)
    buffer = io.BytesIO()
    rows.write_ipc(buffer, compression="uncompressed")
    data = buffer.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    written = lake.storage.put(f"index/{sha256[:32]}.arrow", data)
    old = IndexEntry(f"{sha256[:32]}.arrow", sha256, len(data), 2, "words 1", written.mtime_ns)
    assert index.are_valid(lake, [old], verify=True)
    assert look_for(lake, old, 5, 6) == [5]
    (new,) = index.add_segment(lake, [old], rows.clear())
    assert new.root
    assert read_rows(lake, [new])[0].equals(rows)
    flip(lake, old, 100)
    with pytest.raises(BrokenSegmentError):
        look_for(lake, old, 5)
