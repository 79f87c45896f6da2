"""Two writers who commit to one output at once, as if there were no lease: each round adds a day of its own."""

import hashlib
import threading
from datetime import date, timedelta

import msgspec

from ordersetl.errors import LockedError
from ordersetl.lake import swap
from ordersetl.lake.layout import Lake, curated_key, data_key, partition_file
from ordersetl.lake.manifest import FileEntry, Manifest, read_manifest
from ordersetl.storage.objects import ObjectStorage

__all__ = ["commit_rounds", "find_loss"]

MAX_BYTES = 1 << 20
FIRST = date(2025, 1, 1)


def commit_rounds(lake: Lake, rounds: int) -> int:
    """Have two writers commit so many rounds together; how often one was told that the other was first."""
    refused: list[int] = []
    writers = [threading.Thread(target=lambda n=n: refused.extend(_write(lake, range(n, rounds, 2)))) for n in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return len(refused)


def find_loss(lake: Lake, rounds: int) -> list[str]:
    """What of the rounds is lost or there twice: batches, files, contents and literal names."""
    swap.recover(_storage(lake), lake)
    manifest = read_manifest(lake) or Manifest()
    batches, files = [_batch(n) for n in range(rounds)], [_file(n) for n in range(rounds)]
    lost = [] if list(manifest.batches) == batches else [f"batches: {manifest.batches}"]
    lost += [] if sorted(manifest.files) == files else [f"files: {sorted(manifest.files)}"]
    for number, file in enumerate(files):
        keys = (curated_key(file), data_key(_sha256(number)))
        lost += [
            key for key in keys if not lake.storage.exists(key) or lake.storage.read(key, MAX_BYTES) != _data(number)
        ]
    return lost


def _write(lake: Lake, rounds: range) -> list[int]:
    return [number for number in rounds for _ in range(_commit(lake, number))]


def _commit(lake: Lake, number: int) -> int:
    """Commit one round, again and again; how often it was refused."""
    refused = 0
    while True:
        try:
            swap.recover(_storage(lake), lake)
            base = read_manifest(lake) or Manifest()
            if _batch(number) in base.batches:  # told that another was first, after it was carried through by that one
                return refused
            written = swap.stage(_storage(lake), _data(number))
            entry = FileEntry(written.sha256, written.bytes, written.mtime_ns, 1, 1)
            batches = tuple(sorted((*base.batches, _batch(number))))
            files = dict(sorted({**base.files, _file(number): entry}.items()))
            following = msgspec.structs.replace(base, batches=batches, files=files)
            swap.swap(_storage(lake), lake, base, following, [_file(number)])
        except LockedError:
            refused += 1
        else:
            return refused


def _storage(lake: Lake) -> ObjectStorage:
    assert isinstance(lake.storage, ObjectStorage)
    return lake.storage


def _batch(number: int) -> str:
    return f"202501{1 + number // 24:02d}T{number % 24:02d}0000.000000Z"


def _file(number: int) -> str:
    return partition_file(FIRST + timedelta(number))


def _data(number: int) -> bytes:
    return f"round\n{number}\n".encode()


def _sha256(number: int) -> str:
    return hashlib.sha256(_data(number)).hexdigest()
