"""Where an output is, or may be made: found by what ordersetl keeps in it, and never made among other things."""

import contextlib
import os
from pathlib import Path

from ordersetl.errors import ConfigError
from ordersetl.lake.layout import Lake, has_batch_form
from ordersetl.storage.local import Disk
from ordersetl.storage.lock import was_locked

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


def find_lake(output: Path, disk: Disk | None = None) -> Lake:
    """The output that is there. One that is a link is worked on where it leads.

    Raises:
        ConfigError: there is none.
    """
    root = _resolve(output)
    lake = Lake(root, disk or Disk())
    if not _is_output(lake):
        found = (
            "" if root.is_dir() else ": it is not a folder" if os.path.lexists(root) else ": there is no such folder"
        )
        raise ConfigError(
            f"there is no ordersetl output at {output}{found}",
            hint="Give the folder of one with --output, or make one: ordersetl run",
        )
    return lake


def make_lake(output: Path, disk: Disk | None = None) -> Lake:
    """The output, made where there is none yet: a new one is for its owner alone, as it holds personal data.

    Raises:
        ConfigError: the place is one where no output must be, or is full of something else.
        StorageError: the disk refused.
    """
    root = _resolve(output)
    lake = Lake(root, disk or Disk())
    if not os.path.lexists(root):
        parent = Path(os.path.realpath(root.parent))  # which may be a link, unlike anything within an output
        lake.disk.make_folder(parent / root.name, private=True)
    elif root.is_dir() and not _is_output(lake):
        _require_free(lake, output)
    lake.disk.make_folder(root)  # refuses a file in its place
    return lake


def is_litter(name: str) -> bool:
    """Whether a name is one that systems, office programs and notebooks leave beside what they look at."""
    return name in _LITTER or (name.startswith(".~lock.") and name.endswith("#")) or name.startswith(".nfs")


def _resolve(output: Path) -> Path:
    """The output's folder, a link followed to where it leads.

    Raises:
        ConfigError: its name is no text, or it is a link to nowhere.
    """
    try:
        os.path.abspath(output).encode()  # noqa: PTH100 - resolve() would follow links
    except UnicodeEncodeError:
        shown = os.fsencode(output).decode(errors="backslashreplace")
        raise ConfigError(
            f"the path of the output, {shown}, is not valid UTF-8, and the files of an output could not be named",
            hint="Give another folder with --output, or rename the folders that it is in.",
        ) from None
    if not output.is_symlink():
        return output
    root = Path(os.path.realpath(output))
    if not root.exists():
        raise ConfigError(
            f"the output {output} is a link to {root}, and nothing is there",
            hint="Mount the disk or make the folder that it leads to, or choose another folder with --output.",
        )
    return root


def _is_output(lake: Lake) -> bool:
    """Whether there is something that ordersetl alone makes: a manifest, a raw batch, or its note in the lock file."""
    if os.path.lexists(lake.manifest) or os.path.lexists(lake.pending):
        return True
    with contextlib.suppress(OSError), os.scandir(lake.raw) as entries:
        if any(has_batch_form(entry.name) for entry in entries):
            return True
    return was_locked(lake.lock)


def _require_free(lake: Lake, output: Path) -> None:
    """Refuse a folder as the place of a new output.

    Raises:
        ConfigError: it is the root of the file system or a home, or holds what is not ordersetl's.
    """
    place = Path(os.path.realpath(lake.root))
    kind = "the root of the file system" if place == place.parent else "a home folder" if _is_home(place) else ""
    if kind:
        raise ConfigError(
            f"{output} is {kind}: an output needs a folder of its own",
            hint=f"Name a folder in it: --output {output / 'ordersetl'}",
        )
    folders = (lake.raw, lake.staged, lake.quarantine, lake.curated, lake.index, lake.runs)
    ours = {path.name for path in (*folders, lake.lock)}
    with os.scandir(lake.root) as entries:
        others = sorted(entry.name for entry in entries if entry.name not in ours and not is_litter(entry.name))
    if others:
        more = f" and {len(others) - 1:,} more" if others[1:] else ""
        raise ConfigError(
            f"{output} is not an ordersetl output, and not empty: it holds {others[0]}{more}",
            hint=f"Choose a folder that is empty or not there yet: --output {output / 'ordersetl'}",
        )


def _is_home(place: Path) -> bool:
    with contextlib.suppress(RuntimeError, OSError):
        return place == Path.home() or place == Path(os.path.realpath(Path.home()))
    return False
