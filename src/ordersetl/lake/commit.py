"""The commit of the curated layer, and its recovery.

1. New files go to ``curated/_staging/``, each written, fsynced and hashed (:meth:`Commit.stage`).
2. **Commit point:** the complete next manifest appears as ``curated/_pending.json``.
3. Each staged file is renamed over its place; then files that are no more are removed.
4. ``_pending.json`` becomes ``_manifest.json``.

:func:`recover` carries a pending manifest through, or drops what was staged without one. Either way no reader of a
single file ever meets half of it.
"""

import os
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ordersetl.errors import CorruptedError
from ordersetl.lake.integrity import move_to_damaged
from ordersetl.lake.layout import STAGED_SUFFIX, Lake, partition_day
from ordersetl.lake.manifest import FileEntry, Manifest, encode_manifest, read_manifest
from ordersetl.storage.local import Written, hash_file, is_temporary, is_temporary_of, temporary_path
from ordersetl.storage.lock import Lock

__all__ = ["Commit", "recover", "staged_name"]


def staged_name(file: str) -> str:
    """Name in ``_staging/`` of a curated file; the folder is flat."""
    return file.replace("/", "~") + STAGED_SUFFIX


class Commit:
    """One commit under way: stage files, then finish."""

    def __init__(self, lake: Lake, lock: Lock) -> None:
        self.lake = lake
        self._lock = lock
        lake.disk.make_folder(lake.curated)
        lake.disk.make_folder(lake.staging)

    def stage(self, file: str, data: bytes) -> Written:
        """Write the next content of a curated file; safe to call from anywhere, for one file even at the same time.

        Two attempts at one task, one of them given up for dead, write the same bytes, each under a name of its own.

        Raises:
            LockedError: the lock was lost, and what is staged may be another run's.
        """
        self._lock.assert_held()
        path = self.lake.staging / staged_name(file)
        temporary = temporary_path(path)
        written = self.lake.disk.write(temporary, data)
        self.lake.disk.rename(temporary, path)  # durable with the folder, which finish() syncs
        return written

    def finish(self, following: Manifest, *, staged: Collection[str] = ()) -> None:
        """Make ``following`` the state of the curated layer: all of it, whatever happens from the commit point on.

        Args:
            following: the next manifest.
            staged: files that this very commit staged, as ``following`` lists them: they need no second proof.

        Raises:
            LockedError: the lock was lost; nothing is committed.
        """
        disk = self.lake.disk
        gone = sorted(_current_files(self.lake).keys() - following.files.keys())
        following = msgspec.structs.replace(following, removed=tuple(gone))
        disk.sync_folder(self.lake.staging)
        disk.sync_folder(self.lake.root)  # an earlier run may have died right after it made curated/
        self._lock.assert_held()
        disk.publish(self.lake.pending, encode_manifest(following))
        _carry_through(self.lake, following, proven=staged)


def recover(lake: Lake) -> bool:
    """Bring the curated layer to a committed state; whether a pending commit was carried through.

    A staged file that is missing or wrong is left to the caller, who finds that the file in its place does not fit the
    manifest, and rebuilds it from raw. Temporary files of any kind are removed.
    """
    try:
        pending = read_manifest(lake, pending=True)
    except CorruptedError:
        pending = None  # it appears whole or not at all, so somebody else changed it: the commit did not happen
        lake.disk.remove_tree(lake.pending)
    if pending is not None:
        _carry_through(lake, pending)
    for path in _leftovers(lake):
        lake.disk.remove_tree(path)
    return pending is not None


def _carry_through(lake: Lake, pending: Manifest, proven: Collection[str] = ()) -> None:
    """Steps 3 and 4; every step may be taken again after a crash."""
    disk = lake.disk
    current = _current_files(lake)
    staged = _staged_names(lake)
    folders: set[Path] = set()
    for file, entry in pending.files.items():
        place = lake.curated / file
        path = lake.staging / staged_name(file)
        if path.name in staged and (file in proven or hash_file(path) == entry.sha256):
            _make_way(lake, file)
            disk.make_folder(place.parent)
            disk.rename(path, place)
        elif file in current and current[file].sha256 == entry.sha256:
            continue
        # also where a run that died has renamed it: nobody knows whether it synced the folder
        if place.parent.is_dir() and not place.parent.is_symlink():
            folders.add(place.parent)
    for folder in sorted(folders):
        disk.sync_folder(folder)
    _remove_gone(lake, pending)
    _make_way(lake, lake.manifest.name)
    disk.rename(lake.pending, lake.manifest)
    disk.sync_folder(lake.curated)
    disk.remove_tree(lake.staging)


def _current_files(lake: Lake) -> dict[str, FileEntry]:
    try:
        current = read_manifest(lake)
    except CorruptedError:
        current = None
    return current.files if current else {}


def _staged_names(lake: Lake) -> set[str]:
    if lake.staging.is_symlink() or not lake.staging.is_dir():
        return set()
    with os.scandir(lake.staging) as entries:
        return {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}


def _make_way(lake: Lake, file: str) -> None:
    """Set aside what stands where a file is to go and that no rename replaces: a folder, or a link as its folder."""
    place = lake.curated / file
    if place.parent.is_symlink() or place.parent.is_file() or (place.is_dir() and not place.is_symlink()):
        move_to_damaged(lake, file, "it is in the way of a file", datetime.now(UTC))


def _remove_gone(lake: Lake, pending: Manifest) -> None:
    """Remove the files that the commit leaves without orders."""
    for file in pending.removed:
        place = lake.curated / file
        _make_way(lake, file)
        if not place.parent.is_dir():
            continue
        lake.disk.remove(place)
        if partition_day(file) is not None and not any(place.parent.iterdir()):
            lake.disk.remove_tree(place.parent)
        else:
            lake.disk.sync_folder(place.parent)
    lake.disk.sync_folder(lake.curated)


def _leftovers(lake: Lake) -> Iterator[Path]:
    """What an interrupted command left: staged files, and temporary files where others are published."""
    if os.path.lexists(lake.staging):
        yield lake.staging
    yield from _find(lake.curated, lambda name: any(is_temporary_of(name, p) for p in (lake.pending, lake.manifest)))
    for folder in (lake.references, lake.quarantine, lake.index, lake.runs):
        yield from _find(folder, is_temporary)


def _find(folder: Path, fits: Callable[[str], bool]) -> list[Path]:
    """What a folder holds whose name fits; nothing where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(folder / entry.name for entry in entries if fits(entry.name))
    except FileNotFoundError:
        return []
