"""A file that the user names, outside of any output: written whole, and never in place of what is no plain file."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ordersetl.errors import ConfigError, StorageError
from ordersetl.storage.disk import Disk, describe_kind, temporary_path

__all__ = ["has_folder", "is_in_folder", "replace_user_file", "require_user_file", "write_user_file"]


def require_user_file(path: Path) -> Path:
    """Where the file is, a link followed; it may be missing, its folder not.

    Raises:
        ConfigError: there is something else, or no folder for it.
    """
    target = Path(os.path.realpath(path))
    try:
        problem = describe_kind(path.stat().st_mode)  # the link of an open pipe leads there, and is no path of it
    except FileNotFoundError:
        problem = ""
    except OSError as error:
        problem = f"cannot be looked at: {error.strerror}"
    if not problem and not target.parent.is_dir():
        problem = f"would be in {target.parent}, which is not a folder"
    if problem:
        raise ConfigError(
            f"cannot write {path}: it {problem}", hint="Give the path of a file in a folder that is there."
        )
    return target


def has_folder(path: Path) -> bool:
    """Whether the folder that it is in, or would be, is there."""
    return path.parent.is_dir()


def is_in_folder(path: Path, folder: Path) -> bool:
    """Whether it is in the folder, or would be, at any depth; links are followed."""
    return path.resolve().is_relative_to(folder.resolve())


def write_user_file(path: Path, data: bytes | Iterable[bytes], disk: Disk) -> None:
    """Put a complete file at the path in one step; one that is there keeps its permissions.

    Raises:
        ConfigError: there is something else.
        StorageError: the disk refused.
    """
    target = require_user_file(path)
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    disk.publish(target, data)
    if mode is not None:
        target.chmod(mode)


@contextmanager
def replace_user_file(path: Path, disk: Disk) -> Iterator[tuple[Path, Callable[[], int]]]:
    """A temporary name beside the path for others to write to, and what then puts it in place and gives its size.

    What was not put in place is gone after the block.

    Raises:
        ConfigError: there is something else at the path.
        StorageError: the disk refused.
    """
    target = require_user_file(path)
    temporary = temporary_path(target)

    def publish() -> int:
        size = temporary.stat().st_size
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        disk.rename(temporary, target)
        disk.sync_folder(target.parent)
        return size

    try:
        disk.write(temporary, b"", sync=False)  # says best what stands in the way
    except StorageError as error:
        reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else error.message
        raise StorageError(
            f"cannot write {target}: {reason}", hint="Choose another place for the file, or free some room."
        ) from error
    try:
        yield temporary, publish
    finally:
        disk.remove(temporary)
