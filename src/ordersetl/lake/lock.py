"""One writer: an operating-system lock on ``output/.lock`` that dies with its process.

The lock file may be deleted by a well-meaning hand while it is held, and then a second process could lock the new one.
So the holder leaves a note in the file, and looks for it there again before each commit: of two such holders one at
most finds its own.
"""

import contextlib
import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from filelock import FileLock, Timeout

from ordersetl.errors import LockedError, StorageError
from ordersetl.lake.layout import Lake

__all__ = ["Hold", "hold_lock"]


class Hold:
    """A held lock; :meth:`require` proves that it is still the one at its path."""

    def __init__(self, lake: Lake, note: bytes) -> None:
        self._lake = lake
        self._note = note

    def require(self) -> None:
        """Check, before a commit, that no other writer can hold this output.

        Raises:
            LockedError: the lock file was deleted or replaced while it was held.
        """
        if _read_note(self._lake) != self._note:
            raise LockedError(
                f"{self._lake.lock} was deleted or replaced while this run held it; nothing was committed",
                hint="Another run may have begun. Leave the lock file alone, and run the same command again.",
            )


@contextlib.contextmanager
def hold_lock(lake: Lake, *, wait_s: float = 0.0, now: Callable[[], datetime] | None = None) -> Iterator[Hold]:
    """Hold the output's lock for the time of the block.

    Args:
        lake: the output; its root must exist.
        wait_s: how long to wait for another run to end, in seconds; 0 fails at once.
        now: clock for the note of who holds it.

    Raises:
        LockedError: another process holds it; the message says which, where and since when.
        StorageError: the lock file cannot be made.
    """
    lock = FileLock(lake.lock, timeout=wait_s, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(
            f"another run holds {lake.root}{_holder(lake)}",
            hint="Wait for it to end, or give --wait SECONDS to wait here.",
        ) from None
    except OSError as error:
        raise _unusable(lake, error) from error
    try:
        note = _note(now or _utc_now)
        try:
            with lake.lock.open("r+b") as file:  # in place: a rename would replace the locked file
                file.write(note)
                file.truncate()
        except OSError as error:
            raise _unusable(lake, error) from error
        hold = Hold(lake, note)
        hold.require()
        yield hold
    finally:
        lock.release()


def _note(now: Callable[[], datetime]) -> bytes:
    """Who holds the lock; the nonce makes the note of each hold its own."""
    since = now().isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "nonce": uuid.uuid4().hex}
    return json.dumps(holder).encode()


def _read_note(lake: Lake) -> bytes | None:
    try:
        return lake.lock.read_bytes()
    except OSError:
        return None


def _holder(lake: Lake) -> str:
    try:
        holder = json.loads(_read_note(lake) or b"")
        return f": process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, LookupError, TypeError):
        return ""


def _unusable(lake: Lake, error: OSError) -> StorageError:
    return StorageError(
        f"cannot lock {lake.lock}: {error.strerror or error}",
        hint="Give this user permission to write there and some room, or choose another folder with --output.",
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)
