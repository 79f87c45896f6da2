"""The raw log: what counts as a batch, and what is verified when it is read."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ordersetl.errors import CorruptedError, StorageError
from ordersetl.lake import kept_files, raw, unfinished
from ordersetl.lake.checksum import encode_record
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import list_batches, list_unfinished
from ordersetl.lake.raw import BatchMarker, BatchRequest
from ordersetl.storage.disk import Disk

BEGAN = datetime(2025, 9, 1, tzinfo=UTC)
FIRST, SECOND, THIRD = (f"2025090{day}T000000.000000Z" for day in (1, 2, 3))
USERS = b"user_id,email,country,created_at\n"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, Disk())


def request_from(source: str = "generic", url: str = "http://shop.test") -> BatchRequest:
    return BatchRequest(source, url, None, None, 100, BEGAN)


def commit(lake: Lake, batch: str, request: BatchRequest | None = None, *, window_end: datetime = BEGAN) -> BatchMarker:
    request = request or request_from()
    raw.write_request(lake, batch, request)
    page = raw.write_page(lake, batch, 1, b"[{}]", records=1)
    marker = BatchMarker(
        batch, request.source, request.url, request.since, None, window_end, request, BEGAN, "test", (page,)
    )
    raw.write_marker(lake, marker)
    return marker


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _link(path: Path) -> None:
    away = path.with_name("away")
    path.rename(away)
    path.symlink_to(away)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARMS = [Path.unlink, _truncate, _empty, _flip, _link, _folder]
harmed = pytest.mark.parametrize("harm", HARMS)


def test_there_are_no_batches_where_there_is_no_folder(lake: Lake) -> None:
    assert list_batches(lake) == []
    assert list_unfinished(lake) == []


def test_a_batch_counts_from_its_marker_on(lake: Lake) -> None:
    raw.write_request(lake, SECOND, request_from())
    raw.write_page(lake, SECOND, 1, b"[]", records=0)
    assert (list_batches(lake), list_unfinished(lake)) == ([], [SECOND])
    marker = commit(lake, FIRST)
    assert (list_batches(lake), list_unfinished(lake)) == ([FIRST], [SECOND])
    assert raw.read_marker(lake, FIRST) == marker
    assert raw.read_request(lake, FIRST) == marker.request
    assert marker.records == 1


def test_other_names_and_links_are_no_batches(lake: Lake) -> None:
    commit(lake, FIRST)
    for name in ("reference", "2025-backup", f"{FIRST}.bak", "_tmp", "20250901"):
        (lake.folder / "raw" / name).mkdir()
    (lake.folder / "raw" / SECOND).symlink_to(lake.folder / "raw" / FIRST)
    (lake.folder / "raw" / THIRD).touch()
    assert (list_batches(lake), list_unfinished(lake)) == ([FIRST], [])


def test_a_raw_folder_that_cannot_be_read_is_named(lake: Lake) -> None:
    (lake.folder / "raw").touch()
    with pytest.raises(StorageError, match=r"cannot read .*raw"):
        list_batches(lake)


def test_a_whole_page_is_read(lake: Lake) -> None:
    marker = commit(lake, FIRST)
    assert raw.read_page_body(lake, marker.batch, marker.pages[0], since=marker.since) == b"[{}]"


@harmed
def test_a_harmed_page_is_named_with_the_way_to_get_it_again(lake: Lake, harm: Callable[[Path], None]) -> None:
    marker = commit(lake, FIRST)
    harm(lake.folder / "raw" / FIRST / "page-00001.json")
    with pytest.raises(CorruptedError, match=r"page-00001\.json is damaged") as caught:
        raw.read_page_body(lake, marker.batch, marker.pages[0], since=marker.since)
    assert FIRST in caught.value.message
    assert "fetch it again: ordersetl run --full" in caught.value.hint


@harmed
def test_a_harmed_marker_is_named_but_never_read(lake: Lake, harm: Callable[[Path], None]) -> None:
    commit(lake, FIRST)
    harm(lake.folder / "raw" / FIRST / "batch.json")
    with pytest.raises(CorruptedError, match=f"the raw batch {FIRST} is damaged"):
        raw.read_marker(lake, FIRST)


@harmed
def test_a_harmed_request_is_none(lake: Lake, harm: Callable[[Path], None]) -> None:
    raw.write_request(lake, FIRST, request_from())
    harm(lake.folder / "raw" / FIRST / "_request.json")
    assert raw.read_request(lake, FIRST) is None


def test_a_reference_file_is_kept_under_its_content(lake: Lake) -> None:
    entry = kept_files.store_reference(lake, USERS, "users.csv")
    assert kept_files.store_reference(lake, USERS, "other.csv").sha256 == entry.sha256
    assert [path.name for path in (lake.folder / "raw/reference").iterdir()] == [f"{entry.sha256}.csv"]
    assert (entry.name, entry.bytes, kept_files.read_reference(lake, entry)) == ("users.csv", len(USERS), USERS)


def test_14_a_reference_file_may_have_a_name_that_is_no_text(lake: Lake) -> None:
    entry = kept_files.store_reference(lake, USERS, os.fsdecode(b"caf\xe9.csv"))
    assert entry.name == "caf\ufffd.csv"
    assert encode_record(entry)


@harmed
def test_a_harmed_reference_file_is_named(lake: Lake, harm: Callable[[Path], None]) -> None:
    entry = kept_files.store_reference(lake, USERS, "users.csv")
    harm(lake.folder / "raw/reference" / f"{entry.sha256}.csv")
    with pytest.raises(CorruptedError, match=r"\(users.csv\) is damaged"):
        kept_files.read_reference(lake, entry)


@pytest.mark.parametrize("harm", HARMS[:-1])
def test_a_harmed_reference_file_that_is_given_again_is_whole_again(lake: Lake, harm: Callable[[Path], None]) -> None:
    entry = kept_files.store_reference(lake, USERS, "users.csv")
    harm(lake.folder / "raw/reference" / f"{entry.sha256}.csv")
    assert kept_files.read_reference(lake, kept_files.store_reference(lake, USERS, "users.csv")) == USERS


def test_a_folder_in_place_of_a_reference_file_is_not_removed(lake: Lake) -> None:
    entry = kept_files.store_reference(lake, USERS, "users.csv")
    _folder(lake.folder / "raw/reference" / f"{entry.sha256}.csv")
    with pytest.raises(StorageError, match="is a folder"):
        kept_files.store_reference(lake, USERS, "users.csv")


def test_pruning_keeps_the_request_and_the_first_pages(lake: Lake) -> None:
    raw.write_request(lake, FIRST, request_from())
    for number in (1, 2, 3):
        raw.write_page(lake, FIRST, number, b"[]", records=0)
    folder = lake.folder / "raw" / FIRST
    (folder / "sub").mkdir()
    (folder / ".batch.json.tmp").touch()
    outside = lake.folder / "outside"
    outside.mkdir()
    (folder / "link").symlink_to(outside)
    unfinished.prune_batch(lake, FIRST, pages=2)
    assert {path.name for path in folder.iterdir()} == {"_request.json", "page-00001.json", "page-00002.json"}
    assert outside.is_dir()


def test_pruning_keeps_what_belongs_to_the_first_pages(lake: Lake) -> None:
    for number in (1, 2, 3):
        raw.write_page(lake, FIRST, number, b"[]", records=0, calls=b"{}")
    unfinished.write_position(lake, FIRST, 3, b"there")
    unfinished.prune_batch(lake, FIRST, pages=1)
    names = {path.name for path in (lake.folder / "raw" / FIRST).iterdir()}
    assert names == {"_position.json", "page-00001.json", "page-00001.calls.ndjson"}
    assert unfinished.read_position(lake, FIRST) == (3, b"there")
    assert unfinished.read_unfinished_calls(lake, FIRST, 1) == b"{}"
    assert unfinished.read_unfinished_calls(lake, FIRST, 2) is None


@harmed
def test_a_harmed_position_is_none(lake: Lake, harm: Callable[[Path], None]) -> None:
    unfinished.write_position(lake, FIRST, 3, b"there")
    harm(lake.folder / "raw" / FIRST / "_position.json")
    assert unfinished.read_position(lake, FIRST) is None


@harmed
def test_harmed_answers_of_calls_are_named(lake: Lake, harm: Callable[[Path], None]) -> None:
    entry = raw.write_page(lake, FIRST, 1, b"[]", records=0, calls=b"{}\n")
    assert raw.read_page_calls(lake, FIRST, entry, since=None) == b"{}\n"
    assert entry.all_bytes == 5
    harm(lake.folder / "raw" / FIRST / "page-00001.calls.ndjson")
    with pytest.raises(CorruptedError, match=r"page-00001\.calls\.ndjson is damaged"):
        raw.read_page_calls(lake, FIRST, entry, since=None)


def test_an_unfinished_batch_can_be_dropped(lake: Lake) -> None:
    raw.write_request(lake, FIRST, request_from())
    unfinished.drop_batch(lake, FIRST)
    unfinished.drop_batch(lake, FIRST)
    assert list_unfinished(lake) == []
