"""The order index: a superset of where orders are, in few segments, and never trusted when it is damaged."""

import os
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st
from lakes import LaxDisk, spoil

from ordersetl.lake import index
from ordersetl.lake.index import INDEX_SCHEMA, add_segment, are_valid, drop_unlisted, look_up, open_segments
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import IndexEntry

DAY = date(2025, 8, 20)
Pairs = set[tuple[int, date]]

HASHES = [
    0xE3F976840263CB97,
    0x298E5CAF5F5E9E99,
    0x45E787419A3D0AB1,
    0xD613131AFDE3D9E7,
    0xACA7F8F356CF5FF7,
    0x4E3763EAF031140F,
    None,
]
PAIRS = st.sets(st.tuples(st.integers(0, 12) | st.just(2**64 - 1), st.dates(DAY, DAY + timedelta(3))), max_size=30)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, LaxDisk())


def frame(pairs: Pairs) -> pl.DataFrame:
    return pl.DataFrame(sorted(pairs), schema=INDEX_SCHEMA, orient="row")


def find(lake: Lake, entries: Sequence[IndexEntry], keys: Sequence[int]) -> Pairs:
    return set(look_up(open_segments(lake, entries), pl.Series("key", keys, dtype=pl.UInt64)).iter_rows())


@settings(max_examples=60, derandomize=True)
@given(st.lists(PAIRS, max_size=8), st.lists(st.integers(0, 14) | st.just(2**64 - 1)))
def test_finds_exactly_what_was_added(
    tmp_path_factory: pytest.TempPathFactory, added: list[Pairs], keys: list[int]
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"), LaxDisk())
    entries: tuple[IndexEntry, ...] = ()
    for pairs in added:
        entries = add_segment(lake, entries, frame(pairs))
        drop_unlisted(lake, entries)
    listed = set().union(*added)
    assert find(lake, entries, keys) == {pair for pair in listed if pair[0] in keys}
    assert are_valid(lake, entries, verify=True)
    assert sorted(path.name for path in lake.folder.rglob("*.blocks")) == sorted(entry.name for entry in entries)
    sizes = [entry.rows for entry in entries]
    assert all(size > 2 * sum(sizes[at + 1 :]) or not sizes[at + 1 :] for at, size in enumerate(sizes))


def test_nothing_added_is_nothing_written(lake: Lake) -> None:
    assert add_segment(lake, (), frame(set())) == ()
    assert not (lake.folder / "index").exists()


def test_few_segments_stand_for_many_batches(lake: Lake) -> None:
    entries: tuple[IndexEntry, ...] = ()
    for number in range(64):
        entries = add_segment(lake, entries, frame({(number, DAY)}))
    assert len(entries) <= 7
    assert sum(entry.rows for entry in entries) == 64


def test_what_the_current_manifest_lists_stays_until_the_next_is_committed(lake: Lake) -> None:
    first = add_segment(lake, (), frame({(1, DAY)}))
    second = add_segment(lake, first, frame({(2, DAY)}))
    assert are_valid(lake, first, verify=True)
    drop_unlisted(lake, second)
    assert not are_valid(lake, first, verify=False)
    assert are_valid(lake, second, verify=True)


def test_damage_is_found(lake: Lake) -> None:
    entries = add_segment(lake, (), frame({(n, DAY) for n in range(100)}))
    path = lake.folder / "index" / entries[0].name
    body = path.read_bytes()
    spoil(path)
    assert are_valid(lake, entries, verify=False)
    assert not are_valid(lake, entries, verify=True)
    os.utime(path)
    assert not are_valid(lake, entries, verify=False)
    path.write_bytes(body)
    assert are_valid(lake, entries, verify=False)
    path.write_bytes(body[:-1])
    assert not are_valid(lake, entries, verify=False)
    path.unlink()
    assert not are_valid(lake, entries, verify=False)
    path.symlink_to("/dev/null")
    assert not are_valid(lake, entries, verify=False)


def test_other_hashing_is_not_valid(lake: Lake) -> None:
    entries = add_segment(lake, (), frame({(1, DAY)}))
    other = [msgspec.structs.replace(entry, hashing="polars 0.1") for entry in entries]
    assert not are_valid(lake, other, verify=False)


def test_the_hash_of_an_order_is_pinned() -> None:
    """With another Polars this may differ: then ``hashing`` does too, and indexes are rebuilt."""
    ids = pl.DataFrame({"order_id": ["o-1", "o-2", "o-1"]})
    first, second, again = ids.select(key=index.order_key())["key"]
    assert first == again != second


def test_the_hash_of_an_id_is_our_own_and_never_changes() -> None:
    """Segments on disk were made with it: another value would lose orders that are there."""
    ids = pl.Series(["o-1", "o_000001", "12345678", "123456789", "Ördér 4", "🦊" * 60, None])
    assert index.hash_ids(ids).to_list() == HASHES
    assert index.hash_ids(pl.Series([], dtype=pl.String)).to_list() == []
    assert [index.hash_ids(ids[at : at + 1]).to_list() for at in range(7)] == [[value] for value in HASHES]
