"""Files in bounded groups: copies of objects are gone once the next group begins, files of a disk are as they are."""

from pathlib import Path

import pytest
from store import BUCKET, memory_store

from ordersetl.storage import copies
from ordersetl.storage.copies import local_groups
from ordersetl.storage.disk import Disk
from ordersetl.storage.local import LocalStorage
from ordersetl.storage.objects import ObjectStorage
from ordersetl.url import ObjectUrl

SIZES = {"a/1": 3, "a/2": 4, "b/large": 20, "b/3": 7, "c": 1}


def test_objects_are_copied_a_group_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="the extra s3 is not installed")
    monkeypatch.setattr(copies, "COPIED_BYTES", 8)
    with memory_store():
        storage = ObjectStorage(ObjectUrl(BUCKET, "output"), Disk())
        for key, size in SIZES.items():
            storage.put(key, key[:1].encode() * size)
        groups: list[list[str]] = []
        before: list[Path] = []
        for paths in local_groups(storage, SIZES):
            assert not any(path.exists() for path in before)
            assert all(path.read_bytes() == key[:1].encode() * SIZES[key] for key, path in paths.items())
            groups.append([*paths])
            before = [*paths.values()]
    assert groups == [["a/1", "a/2"], ["b/large"], ["b/3", "c"]]
    assert not any(path.exists() for path in before)


def test_files_of_a_disk_are_not_copied(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path, Disk())
    assert [*local_groups(storage, SIZES)] == [{key: tmp_path / key for key in SIZES}]


def test_no_files_are_no_group_of_objects() -> None:
    with memory_store():
        assert [*local_groups(ObjectStorage(ObjectUrl(BUCKET, "output"), Disk()), {})] == []
