"""One writer in object storage: a lease, an object that says who holds the output, and for which time.

It ends with its holder, or a minute after it was last put, by the store's clock: those of the machines may be wrong. It
decides who may begin. What is right does not depend on it: a holder that was paused past its lease fails at the
commit's swap, since the manifest is not the one that it read (see :mod:`ordersetl.lake.swap`).
"""

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from ordersetl.errors import LockedError, StorageError
from ordersetl.storage.lock import Holder, is_running, make_note, name_holder, read_holder
from ordersetl.storage.versions import ChangedError, Versioned

if TYPE_CHECKING:
    from ordersetl.storage.objects import ObjectStorage

__all__ = ["Lease", "acquire_lease", "find_lease_holder"]

LEASE_S = 60.0
"""How long a lease lasts unless it is renewed, which is done at a third of it."""
_POLL_S = 1.0


class _Note(msgspec.Struct, frozen=True):
    """What the object says: its holder, and whether that has given it up. ``epoch`` counts who held it."""

    pid: int
    host: str
    since: str
    nonce: str
    epoch: int
    renewed: str = ""
    ended: bool = False


_Found = tuple[_Note | None, Versioned]


class Lease(msgspec.Struct, frozen=True):
    """A held lease; :meth:`assert_held` checks that it is still this command's, from any machine."""

    storage: "ObjectStorage"
    key: str
    nonce: str

    def assert_held(self) -> None:
        """Check that no other writer has taken the output over.

        Raises:
            LockedError: another one has, or the lease is gone.
        """
        try:
            found = _read(self.storage, self.key)
        except OSError as error:
            raise StorageError(f"cannot read {self.storage.locate(self.key)}: {error.strerror}") from error
        if not _is_own(found, self.nonce):
            raise LockedError(
                f"the lease {self.storage.locate(self.key)} was lost while this run held it{_name_holder(found)}; "
                "nothing of this run was committed from then on",
                hint="This machine may have been paused for long. Run the same command again.",
            )


@contextmanager
def acquire_lease(
    storage: "ObjectStorage",
    key: str,
    *,
    wait_s: float,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Iterator[Lease]:
    """Hold the output's lease for the time of the block; a thread renews it.

    Args:
        storage: where it is.
        key: of the lease object.
        wait_s: how long to wait for another run to end, in seconds; 0 fails at once.
        now: clock for the note of who holds it.
        sleep: how to wait, in seconds; may raise to give up.

    Raises:
        LockedError: another run holds it; the message says which, where and since when.
        StorageError: the store failed.
    """
    nonce = uuid.uuid4().hex
    _take(storage, key, nonce, wait_s=wait_s, now=now, sleep=sleep)
    ended = threading.Event()
    renewing = threading.Thread(target=_keep_renewing, args=(storage, key, nonce, now, ended), daemon=True)
    renewing.start()
    try:
        yield Lease(storage, key, nonce)
    finally:
        ended.set()
        renewing.join()
        with suppress(StorageError, OSError):  # it expires by itself
            _write_own(storage, key, nonce, now(), ended=True)


def _take(
    storage: "ObjectStorage",
    key: str,
    nonce: str,
    *,
    wait_s: float,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        found = _read(storage, key)
        if found is None or _has_ended(storage, key, found[0]):
            epoch = found[0].epoch if found and found[0] else 0
            own = make_note(now()) | {"nonce": nonce, "epoch": epoch + 1}
            note = msgspec.json.encode(own)
            try:
                if found is None:
                    storage.put_new(key, note)
                else:
                    storage.replace(key, note, found[1].version)
            except ChangedError:
                pass  # by another run, or by this very write, whose answer was lost
            if _is_own(_read(storage, key), nonce):
                return
            continue
        left = deadline - time.monotonic()
        if left <= 0:
            raise LockedError(
                f"another run holds {storage.root}{_name_holder(found)}",
                hint="Wait for it to end, or give --wait SECONDS to wait here. If it died, its lease "
                f"{storage.locate(key)} ends {LEASE_S:.0f} s after its last sign of life.",
            )
        sleep(min(_POLL_S, left))


def _keep_renewing(
    storage: "ObjectStorage", key: str, nonce: str, now: Callable[[], datetime], ended: threading.Event
) -> None:
    while not ended.wait(LEASE_S / 3):
        with suppress(StorageError, OSError):  # tried again; at worst the lease expires, which assert_held finds
            _write_own(storage, key, nonce, now())


def _write_own(storage: "ObjectStorage", key: str, nonce: str, now: datetime, *, ended: bool = False) -> None:
    found = _read(storage, key)
    if found and found[0] and _is_own(found, nonce):
        note = msgspec.structs.replace(found[0], renewed=now.isoformat(), ended=ended)
        with suppress(ChangedError):
            storage.replace(key, msgspec.json.encode(note), found[1].version)


def _read(storage: "ObjectStorage", key: str) -> _Found | None:
    """The object, and its note: None where it is not one of ours."""
    found = storage.read_version(key)
    if found is None:
        return None
    try:
        return msgspec.json.decode(found.data, type=_Note), found
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None, found


def _is_own(found: _Found | None, nonce: str) -> bool:
    return found is not None and found[0] is not None and found[0].nonce == nonce


def _name_holder(found: _Found | None) -> str:
    return name_holder(msgspec.to_builtins(found and found[0]))


def find_lease_holder(storage: "ObjectStorage", key: str) -> Holder | None:
    """Who holds the lease, without asking for it; of another machine's nobody knows whether it still works.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        found = _read(storage, key)
        is_free = found is None or _has_ended(storage, key, found[0])
    except OSError as error:
        raise StorageError(f"cannot read {storage.locate(key)}: {error.strerror}") from error
    return None if is_free else read_holder(msgspec.to_builtins(found and found[0]))


def _has_ended(storage: "ObjectStorage", key: str, note: _Note | None) -> bool:
    """Whether a lease is over: nobody holds it any more, or nothing was heard of its holder for so long.

    Raises:
        OSError: the store failed.
    """
    if note is None or note.ended or (note.host == socket.gethostname() and not is_running(note.pid)):
        return True
    return storage.find_age(key) >= LEASE_S
