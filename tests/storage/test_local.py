"""Bytes by key: what an object store will have to do as well, and what only folders need."""

import os
from pathlib import Path

import polars as pl
import pytest
from faulty import FaultyDisk

from ordersetl.errors import StorageError
from ordersetl.storage.disk import UnfitFileError
from ordersetl.storage.local import Durability, Entry, LocalStorage


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path, FaultyDisk())


def steps(storage: LocalStorage) -> list[str]:
    assert isinstance(storage.disk, FaultyDisk)
    return [step.operation for step in storage.disk.steps]


def test_what_is_put_is_read_listed_and_described(storage: LocalStorage) -> None:
    written = storage.put("raw/a/1.json", [b"on", b"e"])
    assert storage.read("raw/a/1.json", 3) == b"one"
    with storage.open("raw/a/1.json") as file:
        assert file.read() == b"one"
    assert storage.hash("raw/a/1.json") == written.sha256
    found = storage.stat("raw/a/1.json")
    assert found is not None
    assert (found.problem, found.bytes, found.mtime_ns) == ("", 3, written.mtime_ns)
    assert storage.entries("raw/a") == [Entry("1.json", "file")]
    assert storage.entries("raw") == [Entry("a", "folder")]
    assert storage.entries("staged") == []
    assert str(storage.open_columns("raw/a/1.json")) == str(storage.root / "raw/a/1.json")


@pytest.mark.parametrize("folder", ["file:x", "s3:x", "http:/x", "a[b]*?"])
def test_columns_are_scanned_where_the_path_looks_like_a_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(folder).mkdir(parents=True)
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / folder / "a.parquet")
    scanned = LocalStorage(Path(folder), FaultyDisk()).open_columns("a.parquet").scan().collect()
    assert scanned.rows() == [(1,)]


@pytest.mark.parametrize(
    ("durability", "expected"),
    [
        ("full", ["write", "sync_file", "rename", "sync_folder"]),
        ("content", ["write", "sync_file", "rename"]),
        ("none", ["write", "rename"]),
    ],
)
def test_a_put_is_as_durable_as_asked(storage: LocalStorage, durability: Durability, expected: list[str]) -> None:
    storage.put("a", b"x", durability=durability)
    assert steps(storage) == expected


def test_a_put_makes_its_folder_and_refuses_a_link_in_its_place(storage: LocalStorage, tmp_path: Path) -> None:
    storage.put("a/b", b"x", durability="none")
    assert steps(storage)[:2] == ["make_folder", "sync_folder"]
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(StorageError, match="must be a folder of its own, and is a link"):
        storage.put("link/b", b"y")
    with pytest.raises(StorageError, match="must be a folder of its own, and is a link"):
        storage.require_own_folder("link")
    storage.require_own_folder("missing")


def test_a_missing_key_is_seen_before_and_while_it_is_read(storage: LocalStorage) -> None:
    assert storage.stat("a/b") is None
    assert not storage.exists("a/b")
    with pytest.raises(FileNotFoundError):
        storage.read("a/b", 1)
    storage.put("a", b"a file where the folder would be")
    assert storage.stat("a/b") is None


def test_what_is_not_a_file_of_its_own_is_described_and_not_read(storage: LocalStorage, tmp_path: Path) -> None:
    storage.put("a/b", b"x")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "nowhere").symlink_to("missing")
    os.mkfifo(tmp_path / "pipe")
    found = {key: stat.problem for key in ("a", "link", "link/b", "pipe") if (stat := storage.stat(key))}
    assert found == {
        "a": "is a folder",
        "link": "is a link",
        "link/b": "lies in a link: link",
        "pipe": "is not a regular file",
    }
    assert storage.exists("nowhere")
    assert [entry.kind for entry in storage.entries("")] == ["folder", "other", "other", "other"]
    for key in ("a", "link", "pipe"):
        with pytest.raises(UnfitFileError):
            storage.read(key, 1)
        with pytest.raises(UnfitFileError):
            storage.open_columns(key).scan()
    with pytest.raises(UnfitFileError, match="is larger than 0 bytes"):
        storage.read("a/b", 0)


def test_what_is_moved_replaces_and_empty_folders_go(storage: LocalStorage) -> None:
    storage.put("a/b", b"new")
    storage.put("c/d", b"old")
    storage.move("a/b", "c/d")
    assert storage.read("c/d", 3) == b"new"
    assert not storage.prune("c")
    assert storage.prune("a")
    assert not storage.exists("a")
    storage.remove("c/d")
    storage.remove("c/d")
    assert storage.entries("c") == []
    storage.remove_all("c")
    assert not storage.exists("c")


def test_names_are_synced_where_there_are_any(storage: LocalStorage) -> None:
    storage.sync("missing")
    assert steps(storage) == []
    storage.sync("")
    assert steps(storage) == ["sync_folder"]


def test_a_folder_that_is_a_file_cannot_be_listed(storage: LocalStorage) -> None:
    storage.put("a", b"x")
    with pytest.raises(StorageError, match=r"cannot read .*a"):
        storage.entries("a")
