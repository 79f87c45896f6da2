import errno
import json
import os
import pickle
import socket
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from faulty import FaultyDisk

from ordersetl.errors import LockedError, StorageError
from ordersetl.lake.layout import Lake
from ordersetl.storage import lock as lock_module
from ordersetl.storage.lock import Lock, acquire_lock

NOON = datetime(2025, 9, 1, 12, tzinfo=UTC)


def lock(lake: Lake, **options: Any) -> AbstractContextManager[Lock]:
    return acquire_lock(lake.folder / ".lock", disk=lake.disk, **options)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def test_the_second_is_refused_and_learns_who_holds_it(lake: Lake) -> None:
    with (
        lock(lake, now=lambda: NOON),
        pytest.raises(LockedError) as caught,
        lock(lake),
    ):
        pass
    assert f"process {os.getpid()} on {socket.gethostname()}, since 2025-09-01T12:00:00" in caught.value.message
    assert "--wait" in caught.value.hint
    with lock(lake):
        pass


def test_waiting_ends_when_the_other_ends(lake: Lake) -> None:
    naps: list[float] = []
    with ExitStack() as first:
        first.enter_context(lock(lake))

        def nap(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 3:
                first.close()

        with lock(lake, wait_s=60, sleep=nap):
            pass
    assert len(naps) == 3
    assert all(0 < seconds < 1 for seconds in naps)


def test_waiting_may_be_given_up(lake: Lake) -> None:
    def give_up(seconds: float) -> None:
        raise KeyboardInterrupt(seconds)

    with (
        lock(lake),
        pytest.raises(KeyboardInterrupt),
        lock(lake, wait_s=60, sleep=give_up),
    ):
        pass
    with lock(lake):
        pass


@pytest.mark.parametrize("deed", ["delete", "replace"])
def test_a_lost_lock_is_noticed(lake: Lake, deed: str) -> None:
    with lock(lake) as held:
        held.assert_held()
        pickle.loads(pickle.dumps(held)).assert_held()  # noqa: S301 - as worker processes get it
        (lake.folder / ".lock").unlink()
        if deed == "delete":
            with pytest.raises(LockedError, match="deleted or replaced"):
                held.assert_held()
            return
        with lock(lake) as other:
            other.assert_held()
            with pytest.raises(LockedError, match=f"process {os.getpid()} on"):
                held.assert_held()
        with pytest.raises(LockedError):
            held.assert_held()


def test_a_lock_that_cannot_be_read_is_not_a_lost_one(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with lock(lake) as held:
        monkeypatch.setattr(lock_module, "read_regular", refuse)
        with pytest.raises(StorageError, match="Too many open files"):
            held.assert_held()
    monkeypatch.undo()

    def fail() -> None:
        with lock(lake):
            monkeypatch.setattr(lock_module, "read_regular", refuse)
            raise StorageError("of the block")

    with pytest.raises(StorageError, match="of the block"):
        fail()


def test_a_file_that_is_gone_with_the_lock_is_another_runs_doing(lake: Lake) -> None:
    with pytest.raises(LockedError), lock(lake):  # noqa: PT012
        (lake.folder / ".lock").unlink()
        raise StorageError("cannot write x: No such file or directory")
    with pytest.raises(StorageError, match="cannot write x"), lock(lake):
        raise StorageError("cannot write x: No such file or directory")


def test_a_link_is_not_followed(lake: Lake) -> None:
    outside = lake.folder / "outside"
    outside.write_bytes(b"not ours")
    (lake.folder / ".lock").symlink_to(outside)
    with pytest.raises(StorageError, match=r"cannot lock .*\.lock"), lock(lake):
        pass
    assert outside.read_bytes() == b"not ours"


def test_another_name_of_a_file_is_not_written_through(lake: Lake) -> None:
    outside = lake.folder / "outside"
    outside.write_bytes(b"not ours")
    os.link(outside, lake.folder / ".lock")
    with lock(lake) as held:
        held.assert_held()
        with pytest.raises(LockedError), lock(lake):
            pass
    assert outside.read_bytes() == b"not ours"
    assert (lake.folder / ".lock").stat().st_nlink == 1


def test_a_lock_that_got_another_name_while_it_was_held_holds(lake: Lake) -> None:
    with lock(lake) as held:
        os.link(lake.folder / ".lock", lake.folder / "copy")
        with pytest.raises(LockedError, match="another run holds"), lock(lake):
            pass
        held.assert_held()


def test_a_pipe_as_the_lock_file_is_refused_at_once(lake: Lake) -> None:
    os.mkfifo(lake.folder / ".lock")
    with (
        pytest.raises(StorageError, match=r"cannot lock .*\.lock: it is not a regular file") as caught,
        lock(lake),
    ):
        pass
    assert "Remove it" in caught.value.hint


def test_a_pipe_that_comes_while_the_lock_is_held_is_a_lost_lock(lake: Lake) -> None:
    with lock(lake) as held:
        (lake.folder / ".lock").unlink()
        os.mkfifo(lake.folder / ".lock")
        with pytest.raises(LockedError, match="deleted or replaced"):
            held.assert_held()


def test_no_room_for_the_note_is_reported_and_holds_nothing(lake: Lake) -> None:
    full = Lake(lake.folder, FaultyDisk(1, "ENOSPC"))
    with pytest.raises(StorageError, match="No space left"), lock(full):
        pass
    with lock(lake):
        pass


@pytest.mark.parametrize("note", [b"", b"{", b"[]", json.dumps({"pid": 1}).encode()])
def test_a_note_that_says_nothing_is_no_trouble(lake: Lake, note: bytes) -> None:
    with lock(lake):
        (lake.folder / ".lock").write_bytes(note)
        with pytest.raises(LockedError, match="another run holds"), lock(lake):
            pass
