"""A file that the user named, outside of an output: what it may be, and how it is written."""

import os
import shlex
from pathlib import Path

from ordersetl.errors import ConfigError
from ordersetl.storage.disk import Disk, describe_kind

__all__ = ["put_user_file", "require_user_file"]


def require_user_file(path: Path, what: str, suffixes: tuple[str, ...]) -> Path:
    """Where a file that the user named is to be written: a link is followed, a file there will be replaced.

    Args:
        path: as it was given.
        what: what it is, for the message.
        suffixes: what its name may end in, so that a slip never replaces a file of another kind.

    Raises:
        ConfigError: its name ends otherwise, there is no such folder, or something is there that is not a file.
    """
    target = Path(os.path.realpath(path))
    if path.suffix.lower() not in suffixes:
        named = f"{path.stem}{suffixes[0]}"
        raise ConfigError(f"{what} cannot be {path}: the name must end in {suffixes[0]}", hint=f"Call it {named}.")
    if not target.parent.is_dir():
        folder = shlex.quote(str(path.parent))
        raise ConfigError(
            f"{what} cannot be {path}: there is no folder {path.parent}", hint=f"Make it: mkdir -p {folder}"
        )
    if target.exists() and (problem := describe_kind(target.stat().st_mode)):
        raise ConfigError(f"{what} cannot be {path}: what is there {problem}", hint="Name a file.")
    return target


def put_user_file(target: Path, data: bytes, disk: Disk) -> None:
    """Write the file whole, in one step as its readers see it.

    Raises:
        StorageError: the disk refused.
    """
    disk.publish(target, data)
