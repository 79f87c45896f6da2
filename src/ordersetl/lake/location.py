"""Where an output is, or may be made: found by what ordersetl keeps in it, and never made among other things."""

from contextlib import suppress
from pathlib import Path

from ordersetl.errors import ConfigError, StorageError
from ordersetl.lake.layout import (
    CURATED,
    INDEX,
    LOCK,
    MANIFEST,
    PENDING,
    QUARANTINE,
    RAW,
    RUNS,
    STAGED,
    Lake,
    has_batch_form,
)
from ordersetl.storage.disk import Disk
from ordersetl.storage.root import describe_reserved, make_root, resolve_root
from ordersetl.url import Location

__all__ = ["find_lake", "is_litter", "make_lake"]

_LITTER = frozenset(
    {
        ".DS_Store",
        ".Spotlight-V100",
        ".Trashes",
        ".fseventsd",
        ".gitignore",
        ".gitkeep",
        ".ipynb_checkpoints",
        ".keep",
        ".snapshot",
        "$RECYCLE.BIN",
        "System Volume Information",
        "Thumbs.db",
        "desktop.ini",
        "lost+found",
    }
)
"""What systems and editors leave in folders that are otherwise empty."""


def find_lake(output: Location, disk: Disk | None = None) -> Lake:
    """The output that is there. One that is a link is worked on where it leads.

    Raises:
        ConfigError: there is none.
    """
    lake = Lake(resolve_root(output), disk or Disk())
    if not _is_output(lake):
        root = lake.storage.stat("")
        found = ": there is no such folder" if root is None else "" if root.is_folder else ": it is not a folder"
        raise ConfigError(
            f"there is no ordersetl output at {output}{found}",
            hint="Give the folder of one with --output, or make one: ordersetl run",
        )
    return lake


def make_lake(output: Location, disk: Disk | None = None) -> Lake:
    """The output, made where there is none yet: a new one is for its owner alone, as it holds personal data.

    Raises:
        ConfigError: the folder is one where no output must be, or holds something else.
        StorageError: the disk refused.
    """
    lake = Lake(resolve_root(output), disk or Disk())
    root = lake.storage.stat("")
    if root is not None and root.is_folder and not _is_output(lake):
        _require_free(lake, output)
    if isinstance(lake.root, Path):
        make_root(lake.root, lake.disk)
    return lake


def is_litter(name: str) -> bool:
    """Whether a name is one that systems, office programs and notebooks leave beside what they look at."""
    return name in _LITTER or (name.startswith(".~lock.") and name.endswith("#")) or name.startswith(".nfs")


def _is_output(lake: Lake) -> bool:
    """Whether there is something that ordersetl alone makes: a manifest, a raw batch, or its note in the lock file."""
    if any(lake.storage.exists(key) for key in (MANIFEST, PENDING)):
        return True
    with suppress(StorageError):
        if any(has_batch_form(entry.name) for entry in lake.storage.entries(RAW)):
            return True
    return lake.storage.was_locked(LOCK)


def _require_free(lake: Lake, output: Location) -> None:
    """Refuse a folder for a new output.

    Raises:
        ConfigError: it is the root of the file system or a home, or holds what is not ordersetl's.
    """
    if isinstance(lake.root, Path) and (kind := describe_reserved(lake.root)):
        raise ConfigError(
            f"{output} is {kind}: an output needs a folder of its own",
            hint=f"Name a folder in it: --output {output / 'ordersetl'}",
        )
    ours = {RAW, STAGED, QUARANTINE, CURATED, INDEX, RUNS, LOCK}
    names = [entry.name for entry in lake.storage.entries("")]
    others = [name for name in names if name not in ours and not is_litter(name)]
    if others:
        more = f" and {len(others) - 1:,} more" if others[1:] else ""
        raise ConfigError(
            f"{output} is not an ordersetl output, and not empty: it holds {others[0]}{more}",
            hint=f"Choose a folder that is empty or not there yet: --output {output / 'ordersetl'}",
        )
