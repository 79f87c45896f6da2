"""The lease: who holds an output in object storage, and when it is over, by no clock but the store's."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from store import BUCKET, memory_store

from ordersetl.errors import LockedError
from ordersetl.storage import objects
from ordersetl.storage.disk import Disk
from ordersetl.storage.lease import LEASE_S, Lease
from ordersetl.storage.objects import ObjectStorage
from ordersetl.url import ObjectUrl

pytest.importorskip("obstore", reason="the extra s3 is not installed")

NOW = datetime(2025, 9, 2, tzinfo=UTC)
KEY = ".lock"


@pytest.fixture
def storage() -> Iterator[ObjectStorage]:
    with memory_store():
        yield ObjectStorage(ObjectUrl(BUCKET, "output"), Disk())


def put_note(storage: ObjectStorage, **members: Any) -> None:
    note = {"pid": 1, "host": "elsewhere", "since": NOW.isoformat(), "nonce": "theirs", "epoch": 4}
    storage.put(KEY, json.dumps(note | members).encode())


def age(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(objects, "find_age", lambda _store, _path: seconds)


def take(
    storage: ObjectStorage, *, now: datetime = NOW, wait_s: float = 0, sleeps: list[float] | None = None
) -> AbstractContextManager[Lease]:
    slept: list[float] = [] if sleeps is None else sleeps
    return storage.lock(KEY, wait_s=wait_s, now=lambda: now, sleep=slept.append)


@pytest.mark.parametrize("ahead", [timedelta(days=-2), timedelta(0), timedelta(days=2)])
def test_a_lease_ends_by_the_store_s_clock_alone(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    put_note(storage, until=(NOW + ahead).isoformat(), renewed=(NOW + ahead).isoformat())
    age(monkeypatch, LEASE_S - 1)
    with pytest.raises(LockedError) as caught, take(storage, now=NOW - ahead):
        pass
    assert "process 1 on elsewhere" in caught.value.message
    assert f"s3://{BUCKET}/output/.lock" in caught.value.hint
    assert storage.find_holder(KEY) is not None
    age(monkeypatch, LEASE_S)
    assert storage.find_holder(KEY) is None
    with take(storage, now=NOW - ahead) as lease:
        lease.assert_held()


def test_a_lease_that_was_given_up_is_free_at_once(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    age(monkeypatch, 0)
    for _ in range(2):
        with take(storage):
            assert storage.find_holder(KEY) is not None
            with pytest.raises(LockedError), take(storage):
                pass
        assert storage.find_holder(KEY) is None
    assert json.loads(storage.read(KEY, 1 << 20))["epoch"] == 2


def test_a_lease_of_a_process_of_this_machine_that_is_gone_is_free(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(monkeypatch, 0)
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    put_note(storage, host=socket.gethostname(), pid=gone.pid)
    with take(storage):
        pass
    put_note(storage, host=socket.gethostname(), pid=os.getpid())
    with pytest.raises(LockedError), take(storage):
        pass


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"1e400", b'{"epoch":"x"}', b'{"epoch":null,"until":5}', b'{"epoch":1e400}', b"\xff",
        b'{"host":5,"pid":1e99,"until":"9999-12-31T23:59:59+00:00","since":1}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_note_holds_nobody_up(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    age(monkeypatch, 0)
    storage.put(KEY, content)
    assert storage.find_holder(KEY) is None
    with take(storage) as lease:
        lease.assert_held()


def test_whoever_waits_begins_once_the_holder_is_silent_for_long(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_note(storage)
    sleeps: list[float] = []
    monkeypatch.setattr(objects, "find_age", lambda _store, _path: LEASE_S - 2 + sum(sleeps))
    with take(storage, wait_s=60, sleeps=sleeps) as lease:
        lease.assert_held()
    assert sleeps == [1, 1]
