"""The folder of an output itself, before there is any key in it: what a path leads to, and the making of it."""

import os
from contextlib import suppress
from pathlib import Path

from ordersetl.errors import ConfigError
from ordersetl.storage.disk import Disk
from ordersetl.url import Location, ObjectUrl

__all__ = ["describe_reserved", "make_root", "resolve_root"]


def resolve_root(output: Location) -> Location:
    """The output's folder, a link followed to where it leads; a URL as it is.

    Raises:
        ConfigError: its name is not text, or it is a link to nowhere.
    """
    if isinstance(output, ObjectUrl):
        return output
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


def make_root(root: Path, disk: Disk) -> None:
    """Make the folder where there is none, for its owner alone, as it will hold personal data.

    Raises:
        StorageError: a file has its name, or the disk refused.
    """
    if not os.path.lexists(root):
        parent = Path(os.path.realpath(root.parent))  # which may be a link, unlike anything within an output
        disk.make_folder(parent / root.name, private=True)
    disk.make_folder(root)  # refuses a file of that name


def describe_reserved(root: Path) -> str:
    """What a folder is that no output must take over; empty for any other."""
    folder = Path(os.path.realpath(root))
    if folder == folder.parent:
        return "the root of the file system"
    return "a home folder" if _is_home(folder) else ""


def _is_home(folder: Path) -> bool:
    with suppress(RuntimeError, OSError):
        return folder == Path.home() or folder == Path(os.path.realpath(Path.home()))
    return False
