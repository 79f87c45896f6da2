"""The commit of the curated layer in object storage, where nothing can be renamed, and its recovery.

1. New content goes to ``curated/_data/<sha256>``, from anywhere: doing it twice is harmless.
2. **Commit point:** one compare-and-swap of ``curated/_manifest.json``, which names what is pending. Who is told that
   the swap failed reads back, for what is there may be his own.
3. Each literal name (``dt=.../fact_order.csv``) is put or removed, only if it is the version that was looked at; then
   the manifest must still be this one.
4. The manifest is closed: swapped for one with nothing pending, and the versions of the literal names.

:func:`recover` is 3 and 4 again. A writer that was paused anywhere, while another one committed, finds the manifest
changed: what it has just done to literal names it makes what that manifest says. Readers of many files go by a closed
manifest: ``_data`` of the newest ones is kept.
"""

import hashlib
import uuid
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import timedelta

import msgspec

from ordersetl.errors import CorruptedError, LockedError
from ordersetl.lake.checksum import decode_record
from ordersetl.lake.layout import DATA, MANIFEST, MANIFESTS, Lake, curated_key, data_key
from ordersetl.lake.manifest import FileEntry, Manifest, encode_manifest
from ordersetl.storage.new_file import Written
from ordersetl.storage.objects import ObjectStorage
from ordersetl.storage.store import mark_version
from ordersetl.storage.versions import ChangedError, Versioned

__all__ = ["KEEP_MANIFESTS", "is_pending", "recover", "stage", "swap"]

KEEP_MANIFESTS = 3
"""Closed manifests whose content is kept for readers who began by one of them, where no setting says how many."""
COLLECTED_AFTER = timedelta(hours=1)
"""How long ago content that no kept manifest names was put, at least, when it is removed: another writer's, which took
over, may be about to be named. One that takes longer to commit than that finds the manifest changed."""
_AT_ONCE = 16
_MAX_TRIES = 5
_NO_MARK = 0
_HINT = "Nothing of this run is in the curated layer. Run the same command again."


class SwapManifest(Manifest, frozen=True):
    """A manifest in object storage.

    ``commit`` is its own name, ``epoch`` counts commits, ``pending`` are the files whose literal names are not yet
    known to be as it says; those of ``removed`` are pending with them.
    """

    commit: str = ""
    epoch: int = 0
    pending: tuple[str, ...] = ()
    is_closed: bool = True


def stage(storage: ObjectStorage, data: bytes) -> Written:
    """Put content under its own hash, also where it is there: what was put just now is not collected."""
    return storage.put(data_key(hashlib.sha256(data).hexdigest()), data)


def swap(
    storage: ObjectStorage,
    lake: Lake,
    base: Manifest,
    following: Manifest,
    staged: Collection[str],
    *,
    keep: int = KEEP_MANIFESTS,
) -> None:
    """Make ``following`` the state of the curated layer, if ``base`` still is; ``staged`` files are put again.

    Of the newest ``keep`` closed manifests the content is kept.

    Raises:
        LockedError: another writer committed since ``base`` was read; nothing of this is committed.
    """
    found = storage.read_version(MANIFEST)
    current = _decode(found)
    if (current or Manifest()).files != base.files or (current or Manifest()).batches != base.batches:
        raise LockedError(f"{lake.locate(MANIFEST)} was changed by another run", hint=_HINT)
    changed = [
        file for file, entry in following.files.items() if file in staged or not _is_as(base.files.get(file), entry)
    ]
    gone = sorted(base.files.keys() - following.files.keys())
    commit = SwapManifest(
        **{name: getattr(following, name) for name in Manifest.__struct_fields__ if name != "removed"},
        removed=tuple(gone),
        commit=uuid.uuid4().hex,
        epoch=getattr(current, "epoch", 0) + 1,
        pending=tuple(changed),
        is_closed=False,
    )
    version = _exchange(storage, lake, commit, found)
    _carry_through(_Commit(storage, lake, commit, version, keep, frozenset(staged)))


def recover(storage: ObjectStorage, lake: Lake, *, keep: int = KEEP_MANIFESTS) -> bool:
    """Carry a pending commit through; whether there was one. Of so many closed manifests the content is kept."""
    found = storage.read_version(MANIFEST)
    current = _decode(found)
    if found is None or current is None or current.is_closed:
        return False
    _carry_through(_Commit(storage, lake, current, found.version, keep))
    return True


def is_pending(storage: ObjectStorage) -> bool:
    """Whether a commit is under way, or was left half carried through."""
    current = _decode(storage.read_version(MANIFEST))
    return current is not None and not current.is_closed


def _decode(found: Versioned | None) -> SwapManifest | None:
    """The manifest as this module writes it; None where there is none, or none that can be read."""
    if found is None:
        return None
    try:
        return decode_record(found.data, SwapManifest)
    except CorruptedError:
        return None


def _is_as(before: FileEntry | None, entry: FileEntry) -> bool:
    return before is not None and before.sha256 == entry.sha256


def _exchange(storage: ObjectStorage, lake: Lake, manifest: SwapManifest, found: Versioned | None) -> str:
    """Put a manifest in place of the one that was found; its version.

    Raises:
        LockedError: another one is there.
    """
    data = encode_manifest(manifest)
    try:
        return storage.put_new(MANIFEST, data) if found is None else storage.replace(MANIFEST, data, found.version)
    except ChangedError:
        there = storage.read_version(MANIFEST)
        if there is not None and there.data == data:
            return there.version  # the answer to our own write was lost
        raise LockedError(f"another run changed {lake.locate(MANIFEST)} while this one committed", hint=_HINT) from None


def _carry_through(commit: "_Commit") -> None:
    """Steps 3 and 4; every step may be taken again."""
    storage, manifest = commit.storage, commit.manifest
    waiting = [*manifest.pending, *manifest.removed]
    marks: dict[str, int] = {}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for at in range(0, len(waiting), _AT_ONCE):
            marks |= commit.settle(threads, waiting[at : at + _AT_ONCE])
    files = {
        file: msgspec.structs.replace(entry, mtime_ns=marks[file]) if file in marks else entry
        for file, entry in manifest.files.items()
    }
    closed = msgspec.structs.replace(manifest, files=files, pending=(), removed=(), is_closed=True)
    _exchange(storage, commit.lake, closed, Versioned(b"", commit.version))
    storage.put(_kept_key(closed), encode_manifest(closed))
    _collect(storage, closed, commit.keep)


class _Commit(msgspec.Struct, frozen=True):
    """A commit after its commit point: ``version`` is that of its manifest.

    ``fresh`` are the files whose literal names cannot be right yet; the others are read first.
    """

    storage: ObjectStorage
    lake: Lake
    manifest: SwapManifest
    version: str
    keep: int
    fresh: frozenset[str] = frozenset()

    def settle(self, threads: Executor, files: Sequence[str]) -> dict[str, int]:
        """Make some literal names what the manifest says; the marks of their versions, 0 where one is removed.

        Raises:
            LockedError: another writer has committed meanwhile; the names are as its manifest says.
        """
        begun = {file: threads.submit(self._settle, file) for file in files}
        wait(begun.values())
        if self.storage.version(MANIFEST) != self.version:
            there = _decode(self.storage.read_version(MANIFEST))
            if there is not None:  # of one that cannot be read nothing follows
                for file in files:
                    with suppress(ChangedError):
                        _make(self.storage, curated_key(file), there.files.get(file))
            where = self.lake.locate(curated_key(files[0]))
            raise LockedError(f"another run committed while this one put {where}", hint=_HINT)
        return {file: done.result() for file, done in begun.items()}

    def _settle(self, file: str) -> int:
        for attempt in range(_MAX_TRIES):
            with suppress(ChangedError):
                is_fresh = file in self.fresh and not attempt
                return _make(self.storage, curated_key(file), self.manifest.files.get(file), is_fresh=is_fresh)
        raise LockedError(f"others change {self.lake.locate(curated_key(file))} while this run puts it", hint=_HINT)


def _make(storage: ObjectStorage, key: str, entry: FileEntry | None, *, is_fresh: bool = False) -> int:
    """Put or remove a literal name, if it is what is looked at here; unless ``is_fresh``, it may be right already.

    A name whose content is gone is left as it is, without a mark: it does not fit the manifest, and load rebuilds it.

    Raises:
        ChangedError: it was changed in between.
    """
    there = None if is_fresh or entry is None else storage.read_version(key)
    if there is not None and entry is not None and hashlib.sha256(there.data).hexdigest() == entry.sha256:
        stage(storage, there.data)
        return mark_version(there.version)
    version = storage.version(key) if there is None else there.version
    if entry is None:
        if version is not None:
            storage.remove_if(key, version)
        return 0
    content = storage.read_version(data_key(entry.sha256))
    if content is None:
        return _NO_MARK
    if version is None:
        return mark_version(storage.put_new(key, content.data))
    return mark_version(storage.replace(key, content.data, version))


def _kept_key(closed: SwapManifest) -> str:
    return f"{MANIFESTS}/{closed.epoch:010d}.json"


def _collect(storage: ObjectStorage, closed: SwapManifest, keep: int) -> None:
    """Remove all but the newest manifests, and old content that none of these names."""
    put_at = storage.list_times(MANIFESTS)
    names = sorted(put_at)
    kept = [f"{MANIFESTS}/{name}" for name in names[-keep:]]
    others = (_decode(storage.read_version(key)) for key in kept if key != _kept_key(closed))
    manifests: Iterable[SwapManifest | None] = (closed, *others)
    named = {entry.sha256 for manifest in manifests if manifest for entry in manifest.files.values()}
    for name in names[:-keep]:
        storage.remove(f"{MANIFESTS}/{name}")
    before = max(put_at.values()) - COLLECTED_AFTER
    unnamed = [name for name, time in storage.list_times(DATA).items() if name not in named and time < before]
    if unnamed:
        storage.remove_keys(f"{DATA}/{name}" for name in unnamed)
