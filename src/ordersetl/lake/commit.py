"""The commit of the curated layer, and its recovery.

1. New files go to ``curated/_staging/``, each written, fsynced and hashed (:meth:`Commit.stage`).
2. **Commit point:** the complete next manifest appears as ``curated/_pending.json``.
3. Each staged file is renamed over its place; then files that are no more are removed.
4. ``_pending.json`` becomes ``_manifest.json``.

:func:`recover` carries a pending manifest through, or drops what was staged without one. Either way no reader of a
single file ever meets half of it.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

import msgspec

from ordersetl.errors import CorruptedError
from ordersetl.lake import swap
from ordersetl.lake.integrity import find_obstacle, move_to_damaged, prune_folders
from ordersetl.lake.layout import (
    CURATED,
    INDEX,
    MANIFEST,
    MANIFEST_FILE,
    PENDING,
    QUARANTINE,
    REFERENCES,
    RUNS,
    STAGED_SUFFIX,
    STAGING,
    Lake,
    curated_key,
)
from ordersetl.lake.manifest import FileEntry, Manifest, encode_manifest, read_manifest
from ordersetl.storage.disk import is_temporary, is_temporary_of
from ordersetl.storage.lease import Lease
from ordersetl.storage.lock import Lock
from ordersetl.storage.new_file import Written
from ordersetl.storage.objects import ObjectStorage

__all__ = ["Commit", "is_committing", "recover", "staged_name"]


def staged_name(file: str) -> str:
    """Name in ``_staging/`` of a curated file; the folder is flat."""
    return file.replace("/", "~") + STAGED_SUFFIX


def _staging_key(file: str) -> str:
    return f"{STAGING}/{staged_name(file)}"


class Commit:
    """One commit under way: stage files, then finish.

    In object storage, the content of the newest ``keep_manifests`` states is kept.
    """

    def __init__(self, lake: Lake, lock: Lock | Lease, *, keep_manifests: int = swap.KEEP_MANIFESTS) -> None:
        self.lake = lake
        self._lock = lock
        self._keep_manifests = keep_manifests

    def stage(self, file: str, data: bytes) -> Written:
        """Write the next content of a curated file; safe to call from anywhere, for one file even at the same time.

        Two attempts at one task, one of them given up for dead, write the same bytes, each under a name of its own.

        In object storage they have the same name as well, and are in nobody's way.

        Raises:
            LockedError: the lock was lost, and what is staged may be another run's.
        """
        if isinstance(self.lake.storage, ObjectStorage):
            return swap.stage(self.lake.storage, data)
        self._lock.assert_held()
        # its name is durable with the folder, which finish() syncs
        return self.lake.storage.put(_staging_key(file), data, durability="content")

    def finish(self, following: Manifest, *, base: Manifest, staged: Collection[str], trusted: bool = True) -> None:
        """Make ``following`` the state of the curated layer: all of it, whatever happens from the commit point on.

        Args:
            following: the next manifest.
            base: the current one, which ``following`` was made from.
            staged: files that this very commit staged, as ``following`` lists them.
            trusted: nobody else can have written them, so that they need not be hashed again.

        Raises:
            LockedError: the lock was lost; nothing is committed.
        """
        storage = self.lake.storage
        if isinstance(storage, ObjectStorage):
            swap.swap(storage, self.lake, base, following, staged, keep=self._keep_manifests)
            return
        gone = sorted(_current_files(self.lake).keys() - following.files.keys())
        following = msgspec.structs.replace(following, removed=tuple(gone))
        storage.sync(STAGING)
        storage.sync("")  # an earlier run may have died right after it made curated/
        self._lock.assert_held()
        storage.put(PENDING, encode_manifest(following))
        _carry_through(self.lake, following, verified=staged if trusted else ())


def recover(lake: Lake, *, keep_manifests: int = swap.KEEP_MANIFESTS) -> bool:
    """Bring the curated layer to a committed state; whether a pending commit was carried through.

    A staged file that is missing or wrong is left to the caller, who finds that the curated file does not fit the
    manifest, and rebuilds it from raw. Temporary files of any kind are removed.
    """
    if isinstance(lake.storage, ObjectStorage):
        return swap.recover(lake.storage, lake, keep=keep_manifests)
    try:
        pending = read_manifest(lake, pending=True)
    except CorruptedError:
        pending = None  # it appears complete or not at all, so somebody else changed it: the commit did not happen
        lake.storage.remove_all(PENDING)
    if pending is not None:
        _carry_through(lake, pending)
    for key in _list_remains(lake):
        lake.storage.remove_all(key)
    return pending is not None


def is_committing(lake: Lake) -> bool:
    """Whether a commit is under way, or was left half carried through."""
    if isinstance(lake.storage, ObjectStorage):
        return swap.is_pending(lake.storage)
    return lake.storage.exists(PENDING)


def _carry_through(lake: Lake, pending: Manifest, verified: Collection[str] = ()) -> None:
    """Steps 3 and 4; every step may be taken again after a crash."""
    storage = lake.storage
    current = _current_files(lake)
    staged = _staged_names(lake)
    folders: set[str] = set()
    for file, entry in pending.files.items():
        key = _staging_key(file)
        if staged_name(file) in staged and (file in verified or storage.hash(key) == entry.sha256):
            _clear_way(lake, file)
            storage.move(key, curated_key(file))
        elif file in current and current[file].sha256 == entry.sha256:
            continue
        folders.add(_folder(file))  # also where a run that died has moved it: nobody knows whether it synced the folder
    for folder in sorted(folders):
        storage.sync(folder)
    _remove_gone(lake, pending)
    _clear_way(lake, MANIFEST_FILE)
    storage.move(PENDING, MANIFEST)
    storage.sync(CURATED)
    storage.remove_all(STAGING)


def _current_files(lake: Lake) -> dict[str, FileEntry]:
    try:
        current = read_manifest(lake)
    except CorruptedError:
        current = None
    return current.files if current else {}


def _staged_names(lake: Lake) -> set[str]:
    folder = lake.storage.stat(STAGING)
    if folder is None or not folder.is_folder:
        return set()
    return {entry.name for entry in lake.storage.entries(STAGING) if entry.kind == "file"}


def _folder(file: str) -> str:
    return curated_key(file).rpartition("/")[0]


def _clear_way(lake: Lake, file: str) -> None:
    """Move away what is where a file is to go and that no rename replaces: a folder, or a link as its folder."""
    found = lake.storage.stat(curated_key(file))
    if find_obstacle(lake, file) is not None or (found is not None and found.is_folder):
        move_to_damaged(lake, file, "it is in the way of a file", datetime.now(UTC))


def _remove_gone(lake: Lake, pending: Manifest) -> None:
    """Remove the files that the commit leaves without orders."""
    storage = lake.storage
    left = {CURATED}
    for file in pending.removed:
        _clear_way(lake, file)
        if storage.stat(_folder(file)) is not None:
            storage.remove(curated_key(file))
        left.add(prune_folders(lake, curated_key(file)))
    for folder in sorted(left):
        storage.sync(folder)


def _list_remains(lake: Lake) -> Iterator[str]:
    """What an interrupted command left: staged files, and temporary files where others are published."""
    if lake.storage.exists(STAGING):
        yield STAGING
    published = [lake.folder / key for key in (PENDING, MANIFEST)]
    for entry in lake.storage.entries(CURATED):
        if any(is_temporary_of(entry.name, path) for path in published):
            yield curated_key(entry.name)
    for folder in (REFERENCES, QUARANTINE, INDEX, RUNS):
        yield from (f"{folder}/{entry.name}" for entry in lake.storage.entries(folder) if is_temporary(entry.name))
