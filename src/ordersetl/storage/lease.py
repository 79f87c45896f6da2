"""One writer in object storage: a lease, an object that says who holds the output, for how long, and for which time.

It decides who may begin. What is right does not depend on it, nor on clocks: a holder that was paused past its lease
fails at the commit's swap, since the manifest is not the one that it read (see :mod:`ordersetl.lake.swap`).
"""

import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

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
        if found is None or found[0].get("nonce") != self.nonce:
            holder = name_holder(found and found[0])
            raise LockedError(
                f"the lease {self.storage.locate(self.key)} was lost while this run held it{holder}; nothing of this "
                "run was committed from then on",
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
        now: clock by which a lease expires; that of this machine, which need not be right.
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
            _write_own(storage, key, nonce, until=now())


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
        if found is None or _has_ended(found[0], now()):
            epoch = 0 if found is None else int(found[0].get("epoch", 0))
            note = _note(nonce, epoch + 1, now())
            try:
                if found is None:
                    storage.put_new(key, note)
                else:
                    storage.replace(key, note, found[1].version)
            except ChangedError:
                pass  # by another run, or by this very write, whose answer was lost
            if (taken := _read(storage, key)) is not None and taken[0].get("nonce") == nonce:
                return
            continue
        left = deadline - time.monotonic()
        if left <= 0:
            raise LockedError(
                f"another run holds {storage.root}{name_holder(found[0])}",
                hint="Wait for it to end, or give --wait SECONDS to wait here. If it died, its lease ends "
                f"{LEASE_S:.0f} s after its last sign of life.",
            )
        sleep(min(_POLL_S, left))


def _keep_renewing(
    storage: "ObjectStorage", key: str, nonce: str, now: Callable[[], datetime], ended: threading.Event
) -> None:
    while not ended.wait(LEASE_S / 3):
        with suppress(StorageError, OSError):  # tried again; at worst the lease expires, which assert_held finds
            _write_own(storage, key, nonce, until=now() + timedelta(seconds=LEASE_S))


def _write_own(storage: "ObjectStorage", key: str, nonce: str, *, until: datetime) -> None:
    found = _read(storage, key)
    if found is not None and found[0].get("nonce") == nonce:
        with suppress(ChangedError):
            storage.replace(key, json.dumps(found[0] | {"until": until.isoformat()}).encode(), found[1].version)


def _read(storage: "ObjectStorage", key: str) -> tuple[dict[str, Any], Versioned] | None:
    found = storage.read_version(key)
    if found is None:
        return None
    try:
        note = json.loads(found.data)
    except ValueError:
        note = None
    return (note if isinstance(note, dict) else {}), found


def find_lease_holder(storage: "ObjectStorage", key: str) -> Holder | None:
    """Who holds the lease, without asking for it; of another machine's nobody knows whether it still works.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        found = _read(storage, key)
    except OSError as error:
        raise StorageError(f"cannot read {storage.locate(key)}: {error.strerror}") from error
    return None if found is None or _has_ended(found[0], datetime.now(UTC)) else read_holder(found[0])


def _has_ended(note: dict[str, Any], now: datetime) -> bool:
    """Whether a lease is over: by its time, or its process of this machine is gone."""
    try:
        if note["host"] == socket.gethostname() and not is_running(int(note["pid"])):
            return True
        return datetime.fromisoformat(note["until"]) <= now
    except (LookupError, TypeError, ValueError):
        return True  # not one of ours


def _note(nonce: str, epoch: int, now: datetime) -> bytes:
    until = now + timedelta(seconds=LEASE_S)
    return json.dumps({**make_note(now), "nonce": nonce, "epoch": epoch, "until": until.isoformat()}).encode()
