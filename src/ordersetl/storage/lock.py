"""One writer: an operating-system lock on ``output/.lock`` that dies with its process.

The lock file may be deleted by a well-meaning hand while it is held, and then a second process could lock the new one.
So the holder leaves a note in the file, and looks for it there again before each commit: of two such holders one at
most finds its own.
"""

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from filelock import BaseFileLock, FileLock, Timeout

from ordersetl.errors import LockedError, StorageError
from ordersetl.storage.disk import Disk, Step, UnfitFileError, describe_kind, read_regular

__all__ = [
    "Holder",
    "Lock",
    "acquire_lock",
    "find_holder",
    "is_running",
    "make_note",
    "name_holder",
    "read_holder",
    "was_locked",
]

_POLL_S = 0.05
_MAX_NOTE_BYTES = 1 << 16


_LOCKS = Path("/proc/locks")
"""Where Linux lists the locks that are held."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock; ``certain`` where this machine can tell that it still does."""

    pid: int
    host: str
    since: datetime
    certain: bool


class Lock:
    """A held lock; :meth:`assert_held` checks that it is still the one at its path."""

    def __init__(self, path: Path, note: bytes) -> None:
        self._path = path
        self._note = note

    def assert_held(self) -> None:
        """Check, before a commit, that no other writer can hold this output.

        Raises:
            LockedError: the lock file was deleted or replaced while it was held.
            StorageError: it cannot be read.
        """
        try:
            note = _read_note(self._path)
        except OSError as error:
            raise StorageError(f"cannot read {self._path}: {error.strerror}") from error
        if note != self._note:
            raise LockedError(
                f"{self._path} was deleted or replaced while this run held it{name_holder(_load_note(self._path))}; "
                "nothing of this run was committed from then on",
                hint="Another run may have begun. Leave the lock file alone, and run the same command again.",
            )


@contextlib.contextmanager
def acquire_lock(
    path: Path,
    *,
    disk: Disk,
    wait_s: float = 0.0,
    now: Callable[[], datetime] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Lock]:
    """Hold the output's lock for the time of the block.

    Args:
        path: the lock file; its folder must exist.
        disk: takes its durable steps.
        wait_s: how long to wait for another run to end, in seconds; 0 fails at once.
        now: clock for the note of who holds it.
        sleep: how to wait, in seconds; may raise to give up.

    Raises:
        LockedError: another process holds it; the message says which, where and since when. Also where the block fails
            on a file after the lock was lost.
        StorageError: the lock file cannot be made or written.
    """
    # A soft lock, the fallback where a file system knows no locks, would outlive its process.
    file_lock = FileLock(path, blocking=False, thread_local=False, fallback_to_soft=False)
    _acquire(path, disk, file_lock, wait_s, sleep)
    try:
        note = json.dumps(make_note((now or _utc_now)())).encode()
        disk.perform(Step("write", path), lambda: _write_note(path, note))
        lock = Lock(path, note)
        lock.assert_held()
        try:
            yield lock
        except StorageError:
            with contextlib.suppress(StorageError):
                lock.assert_held()  # a file may be gone because another run tidied it up
            raise
    finally:
        file_lock.release()


def was_locked(path: Path) -> bool:
    """Whether a command ever held the lock: its note is still there."""
    with contextlib.suppress(OSError):
        return b'"nonce"' in (_read_note(path) or b"")
    return False


def find_holder(path: Path) -> Holder | None:
    """Who holds the lock, without asking for it, which would refuse a command that asks at the same time.

    The holder's note outlives it. Whether its process still runs, and where the system lists locks still holds this
    one, can be told on its own machine alone; of another machine's note nobody knows.
    """
    holder = read_holder(_load_note(path))
    return holder if holder is None or not holder.certain or _is_held_by(path, holder.pid) else None


def _is_held_by(path: Path, pid: int) -> bool:
    """Whether a process of this machine holds the lock; where no list of locks tells, whether it runs."""
    if not is_running(pid):
        return False
    try:
        held, file = _LOCKS.read_text("ascii").splitlines(), f":{path.stat().st_ino}"
    except OSError:
        return True
    return any(str(pid) in words and any(word.endswith(file) for word in words) for words in map(str.split, held))


def _acquire(path: Path, disk: Disk, lock: BaseFileLock, wait_s: float, sleep: Callable[[float], None]) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        _require_file(path)
        try:
            lock.acquire()
            if _has_other_names(path):
                disk.remove(path)  # only this name; whoever still opens the old file finds its note missing
                lock.release()
                continue
        except Timeout:
            left = deadline - time.monotonic()
            if left <= 0:
                raise LockedError(
                    f"another run holds {path.parent}{name_holder(_load_note(path))}",
                    hint="Wait for it to end, or give --wait SECONDS to wait here.",
                ) from None
            sleep(min(_POLL_S, left))
        except OSError as error:
            raise StorageError(
                f"cannot lock {path}: {error.strerror or error}",
                hint="It must be a file that this user may write, on a file system with locks and some room: "
                "look at it, or choose another folder with --output.",
            ) from error
        else:
            return


def _require_file(path: Path) -> None:
    """Refuse a pipe or a device as the lock file, which would never end, and a link, which the lock would not follow.

    Raises:
        StorageError: there is one.
    """
    with contextlib.suppress(OSError):
        kind = describe_kind(path.lstat().st_mode)
        if kind:
            raise StorageError(
                f"cannot lock {path}: it {kind}", hint="Remove it, and run the same command again: it comes back."
            )


def _has_other_names(path: Path) -> bool:
    """Whether the lock file is a file of somebody's under another name too, which the note would overwrite."""
    with contextlib.suppress(OSError):
        return path.lstat().st_nlink > 1
    return False


def _write_note(path: Path, note: bytes) -> None:
    """Write the note in place: a rename would replace the locked file."""
    descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "wb") as file:
        file.write(note)
        file.truncate()


def make_note(now: datetime) -> dict[str, Any]:
    """Who holds an output; the nonce makes the note of each hold its own."""
    since = now.isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "nonce": uuid.uuid4().hex}


def read_holder(note: Any) -> Holder | None:  # noqa: ANN401 - any JSON value
    """Who holds an output by a note, certain on its own machine; None where it is no note."""
    try:
        host = str(note["host"])
        since = datetime.fromisoformat(note["since"])
        return Holder(int(note["pid"]), host, since, certain=host == socket.gethostname())
    except (ValueError, LookupError, TypeError):
        return None


def name_holder(note: Any) -> str:  # noqa: ANN401 - any JSON value
    """Who holds an output, to follow a sentence; empty where it is no note."""
    try:
        return f": process {note['pid']} on {note['host']}, since {note['since']}"
    except (LookupError, TypeError):
        return ""


def is_running(pid: int) -> bool:
    """Whether a process of this machine runs; on Windows, where asking would be a signal, it is taken to."""
    if pid <= 0:
        return False
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # somebody else's, and there
    except (OSError, OverflowError):
        return False
    return True


def _read_note(path: Path) -> bytes | None:
    """What the lock file says; None where there is none, or something else. Raises OSError where it cannot be read."""
    try:
        return read_regular(path, _MAX_NOTE_BYTES)
    except (FileNotFoundError, NotADirectoryError, UnfitFileError):
        return None


def _load_note(path: Path) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(_read_note(path) or b"")
    except (ValueError, OSError):
        return None


def _utc_now() -> datetime:
    return datetime.now(UTC)
