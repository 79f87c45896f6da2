import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty import FaultyDisk

from ordersetl.errors import StorageError
from ordersetl.storage.disk import (
    Disk,
    UnfitFileError,
    hash_file,
    is_temporary,
    is_temporary_of,
    open_regular,
    read_regular,
    temporary_path,
)


def test_a_published_file_is_complete_and_described(tmp_path: Path) -> None:
    disk = FaultyDisk()
    written = disk.publish(tmp_path / "a", [b"one", b"two"])
    path = tmp_path / "a"
    assert path.read_bytes() == b"onetwo"
    assert (written.sha256, written.bytes, written.mtime_ns) == (hash_file(path), 6, path.stat().st_mtime_ns)
    assert [step.operation for step in disk.steps] == ["write", "sync_file", "rename", "sync_folder"]


def test_what_can_be_derived_again_is_published_unsynced(tmp_path: Path) -> None:
    disk = FaultyDisk()
    disk.publish(tmp_path / "a", b"x", sync=False)
    assert [step.operation for step in disk.steps] == ["write", "rename"]


def test_temporary_names_are_hidden_and_no_csv(tmp_path: Path) -> None:
    name = temporary_path(tmp_path / "fact.csv").name
    assert name.startswith(".")
    assert not name.endswith(".csv")
    assert is_temporary(name)
    assert not is_temporary("fact.csv")


def test_20_each_attempt_has_a_temporary_name_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a"
    first, second = temporary_path(path), temporary_path(path)
    assert first != second
    assert is_temporary_of(first.name, path)
    assert is_temporary_of(".a.tmp", path)  # as before 0.2
    assert not is_temporary_of(first.name, tmp_path / "b")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(os.path.relpath(path))  # a complete path may be too long for one


UNFIT: list[tuple[Callable[[Path], object], str]] = [
    (os.mkfifo, "is not a regular file"),
    (_socket, "is not a regular file"),
    (Path.mkdir, "is a folder"),
    (lambda path: path.symlink_to("/dev/zero"), "is a link"),
    (lambda path: path.symlink_to(__file__), "is a link"),
    (lambda path: path.write_bytes(b"123456"), "is larger than 5 bytes"),
]


@pytest.mark.parametrize(("put", "problem"), UNFIT)
def test_what_is_not_a_regular_file_is_neither_read_nor_waited_for(
    tmp_path: Path, put: Callable[[Path], object], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a"
    put(path)
    with pytest.raises(UnfitFileError) as caught:
        read_regular(path, 5)
    assert caught.value.strerror == problem
    if not path.is_file() or path.is_symlink():
        for read in (open_regular, hash_file):
            with pytest.raises(UnfitFileError):
                read(path)


def test_a_regular_file_is_read_completely(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_regular(tmp_path / "a", 5) == b"12345"
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "b", 5)


def test_a_private_folder_is_its_owners_and_its_parents_are_not(tmp_path: Path) -> None:
    Disk().make_folder(tmp_path / "a" / "b", private=True)
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"not ours")
    (tmp_path / "link").symlink_to(outside)
    Disk().publish(tmp_path / "link", b"ours")
    assert outside.read_bytes() == b"not ours"
    assert (tmp_path / "link").read_bytes() == b"ours"
    assert not (tmp_path / "link").is_symlink()


def test_nothing_is_written_through_another_name_of_a_file(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"not ours")
    os.link(outside, tmp_path / "a")
    os.link(outside, tmp_path / "b")
    Disk().publish(tmp_path / "a", b"ours")
    Disk().write(tmp_path / "b", b"ours")
    assert outside.read_bytes() == b"not ours"


def test_a_folder_in_the_place_of_a_published_file_goes(tmp_path: Path) -> None:
    (tmp_path / "a" / "inside").mkdir(parents=True)
    Disk().publish(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_folders_are_made_with_their_parents_and_each_entry_synced(tmp_path: Path) -> None:
    disk = FaultyDisk()
    disk.make_folder(tmp_path / "a" / "b")
    assert [(step.operation, step.path.name) for step in disk.steps] == [
        ("make_folder", "a"),
        ("sync_folder", tmp_path.name),
        ("make_folder", "b"),
        ("sync_folder", "a"),
    ]
    disk.make_folder(tmp_path / "a" / "b")
    assert len(disk.steps) == 4


@pytest.mark.parametrize("kind", ["file", "link", "pipe"])
def test_a_folder_must_be_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text("") if kind == "file" else path.symlink_to(tmp_path)
    with pytest.raises(StorageError, match=f"must be a folder of its own, and is a {kind}"):
        Disk().make_folder(path)


def test_a_tree_goes_with_all_in_it_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a").touch()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("tree", "link", "nothing"):
        Disk().remove_tree(tmp_path / name)
        assert not os.path.lexists(tmp_path / name)
    assert (tmp_path / "kept" / "a").exists()


@pytest.mark.parametrize(("fault", "said"), [("ENOSPC", "The disk is full"), ("EIO", "Look at the folder")])
def test_a_refusal_names_the_path_and_the_way_on(tmp_path: Path, fault: str, said: str) -> None:
    disk = FaultyDisk(1, fault)  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="cannot write") as caught:
        disk.write(tmp_path / "a", b"x")
    assert str(tmp_path / "a") in caught.value.message
    assert os.strerror(getattr(errno, fault)) in caught.value.message
    assert said in caught.value.hint


def test_a_write_that_fails_gives_its_room_back(tmp_path: Path) -> None:
    def chunks() -> object:
        yield b"half"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageError):
        Disk().write(tmp_path / "a", chunks())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
