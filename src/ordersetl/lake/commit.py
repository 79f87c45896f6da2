"""The commit of the curated layer, and its recovery.

1. New files go to ``curated/_staging/``, each written, fsynced and hashed (:meth:`Commit.stage`).
2. **Commit point:** the complete next manifest appears as ``curated/_pending.json``.
3. Each staged file is renamed over its place; then files that are no more are removed.
4. ``_pending.json`` becomes ``_manifest.json``.

:func:`recover` carries a pending manifest through, or drops what was staged without one. Either way no reader of a
single file ever meets half of it.
"""

from pathlib import Path

from ordersetl.errors import DamagedError
from ordersetl.lake.disk import Written, hash_file
from ordersetl.lake.layout import Lake, partition_day
from ordersetl.lake.lock import Hold
from ordersetl.lake.manifest import Manifest, read_manifest, seal_manifest

__all__ = ["Commit", "recover", "staged_name"]


def staged_name(file: str) -> str:
    """Name in ``_staging/`` of a curated file: flat, and never ending in ``.csv``, which globs would match."""
    return file.replace("/", "~") + ".new"


class Commit:
    """One commit under way: stage files, then finish."""

    def __init__(self, lake: Lake, hold: Hold) -> None:
        self.lake = lake
        self._hold = hold
        lake.disk.make_folder(lake.curated)
        lake.disk.make_folder(lake.staging)

    def stage(self, file: str, data: bytes) -> Written:
        """Write the next content of a curated file; safe to call from several threads, for different files."""
        return self.lake.disk.write(self.lake.staging / staged_name(file), data)

    def finish(self, following: Manifest) -> None:
        """Make ``following`` the state of the curated layer: all of it, whatever happens from the commit point on.

        Raises:
            LockedError: the lock was lost; nothing is committed.
        """
        self._hold.require()
        disk = self.lake.disk
        disk.sync_folder(self.lake.staging)
        disk.publish(self.lake.pending, seal_manifest(following))
        _carry_through(self.lake, following)


def recover(lake: Lake) -> bool:
    """Bring the curated layer to a committed state; whether a pending commit was carried through.

    A staged file that is missing or wrong is left to the caller, who finds that the file in its place does not fit the
    manifest, and rebuilds it from raw.
    """
    try:
        pending = read_manifest(lake, pending=True)
    except DamagedError:
        pending = None  # it appears whole or not at all, so somebody else changed it: the commit did not happen
        lake.disk.remove_tree(lake.pending)
    if pending is not None:
        _carry_through(lake, pending)
    _drop_leftovers(lake)
    return pending is not None


def _carry_through(lake: Lake, pending: Manifest) -> None:
    """Steps 3 and 4; every step may be taken again after a crash."""
    disk = lake.disk
    changed: set[Path] = set()
    for file, entry in pending.files.items():
        staged = lake.staging / staged_name(file)
        if not staged.is_file() or staged.is_symlink() or hash_file(staged) != entry.sha256:
            continue
        place = lake.curated / file
        if place.parent.is_symlink() or (place.is_dir() and not place.is_symlink()):
            continue  # not ours to write through: the caller sets it aside
        disk.make_folder(place.parent)
        disk.rename(staged, place)
        changed.add(place.parent)
    for folder in sorted(changed):
        disk.sync_folder(folder)
    _remove_gone(lake, pending)
    disk.rename(lake.pending, lake.manifest)
    disk.sync_folder(lake.curated)
    disk.remove_tree(lake.staging)


def _remove_gone(lake: Lake, pending: Manifest) -> None:
    """Remove the partitions that the current manifest lists and the pending one does not."""
    try:
        current = read_manifest(lake)
    except DamagedError:
        current = None
    for file in sorted(set(current.files if current else ()) - set(pending.files)):
        place = lake.curated / file
        if place.parent.is_symlink():
            continue
        lake.disk.remove(place)
        if partition_day(file) is not None and place.parent.is_dir() and not any(place.parent.iterdir()):
            lake.disk.remove_tree(place.parent)
    lake.disk.sync_folder(lake.curated)


def _drop_leftovers(lake: Lake) -> None:
    """Remove what an interrupted command left in curated: staged files and temporary manifests."""
    for path in (lake.staging, *(p.with_name(f".{p.name}.tmp") for p in (lake.pending, lake.manifest))):
        if path.is_symlink() or path.exists():
            lake.disk.remove_tree(path)
