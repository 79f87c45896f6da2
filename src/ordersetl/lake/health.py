"""Hold the curated files against the manifest, and set aside what is not what it must be."""

import os
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from ordersetl.lake.disk import hash_file
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import FileEntry, Manifest
from ordersetl.results import Damage

__all__ = ["Health", "examine", "file_problem", "set_aside"]


@dataclass
class Health:
    """``sound`` are the entries of files that are as recorded, with today's times; ``problems`` are the others."""

    sound: dict[str, FileEntry] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def examine(lake: Lake, manifest: Manifest, *, verify: bool) -> Health:
    """Compare every curated file with its entry: by size and time, or by hash with ``verify``.

    A file whose time alone differs (a restored backup, a moved folder) is hashed, and is sound where the hash fits.
    """
    health = Health()
    for file, entry in manifest.files.items():
        path = lake.curated / file
        problem = file_problem(path, entry, verify=verify)
        if problem:
            health.problems[file] = problem
        else:
            health.sound[file] = msgspec.structs.replace(entry, mtime_ns=path.stat().st_mtime_ns)
    return health


def file_problem(path: Path, entry: FileEntry, *, verify: bool) -> str:
    """What is wrong with a curated file; empty where it is as recorded."""
    try:
        if path.parent.is_symlink():
            return "its folder is a link"
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            return "it is no regular file"
        if found.st_size != entry.bytes:
            return f"it has {found.st_size} bytes, not {entry.bytes}"
        if (verify or found.st_mtime_ns != entry.mtime_ns) and hash_file(path) != entry.sha256:
            return "its content was changed"
    except (FileNotFoundError, NotADirectoryError):
        return "it is missing"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return ""


def set_aside(lake: Lake, file: str, problem: str, now: datetime) -> Damage:
    """Move a damaged curated file (or the link or folder in its place) to ``curated/_damaged/``, to be looked at."""
    path = lake.curated / file
    taken = path.parent if path.parent.is_symlink() or path.parent.is_file() else path
    if taken == lake.curated or not os.path.lexists(taken):
        return Damage(file, problem)
    kept = lake.damaged / now.strftime("%Y%m%dT%H%M%S.%fZ") / (file.replace("/", "~") + ".damaged")
    lake.disk.make_folder(kept.parent)
    lake.disk.rename(taken, kept)
    lake.disk.sync_folder(taken.parent)
    if taken.parent != lake.curated and not any(taken.parent.iterdir()):
        lake.disk.remove_tree(taken.parent)
    return Damage(file, problem, kept.relative_to(lake.root).as_posix())
