"""Hold files against what is recorded of them, and set aside what is not what it must be.

:func:`find_problem` is the one judge of a file; ``load`` asks it by :func:`examine`, ``check`` by
:mod:`ordersetl.check.files`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Protocol

import msgspec

from ordersetl.lake.layout import Lake, partition_day
from ordersetl.lake.manifest import FileEntry, Manifest
from ordersetl.results import Damage
from ordersetl.storage.local import describe_kind, hash_file

__all__ = [
    "Health",
    "Problem",
    "Recorded",
    "examine",
    "file_problem",
    "find_problem",
    "kind_problem",
    "move_to_damaged",
]


class Recorded(Protocol):
    """What is recorded of any file."""

    @property
    def sha256(self) -> str:
        """Hash of its content, in hex."""

    @property
    def bytes(self) -> int:
        """Its size."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file; ``recorded`` and ``found`` where its size or its hash tells."""

    said: str
    recorded: str = ""
    found: str = ""


@dataclass
class Health:
    """``sound`` are the entries of files that are as recorded, with today's times; ``problems`` are the others."""

    sound: dict[str, FileEntry] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def examine(lake: Lake, manifest: Manifest, *, verify: bool) -> Health:
    """Compare every curated file with its entry: partitions by size and time, or by hash with ``verify``.

    A file whose time alone differs (a restored backup, a moved folder) is hashed, and is sound where the hash fits.
    So are the dimensions always: each load builds on them, and reads them whole anyway.
    """
    health = Health()
    for file, entry in manifest.files.items():
        path = lake.curated / file
        problem = file_problem(path, entry, verify=verify or partition_day(file) is None)
        if problem:
            health.problems[file] = problem
        else:
            health.sound[file] = msgspec.structs.replace(entry, mtime_ns=path.stat().st_mtime_ns)
    return health


def file_problem(path: Path, entry: FileEntry, *, verify: bool) -> str:
    """What is wrong with a curated file, as a sentence; empty where it is as recorded."""
    problem = find_problem(path, entry, path.parent, trusted_time_ns=None if verify else entry.mtime_ns)
    if problem is None:
        return ""
    if not problem.recorded:
        return f"it {problem.said}"
    counts = f": {problem.found} instead of {problem.recorded} bytes" if problem.recorded.isdecimal() else ""
    return f"its {problem.said}{counts}"  # two hashes would tell nobody anything


def find_problem(path: Path, recorded: Recorded, root: Path, *, trusted_time_ns: int | None = None) -> Problem | None:
    """Judge a file by kind, size and hash; None where it is as recorded.

    Args:
        path: the file, ``root`` or a folder below it.
        recorded: what it must be.
        root: from here on down, no folder may be a link.
        trusted_time_ns: a modification time that makes hashing needless.
    """
    said = kind_problem(path, root)
    if said is not None:
        return Problem(said)
    try:
        found = path.lstat()
        if found.st_size != recorded.bytes:
            return Problem("size differs", str(recorded.bytes), str(found.st_size))
        digest = recorded.sha256 if found.st_mtime_ns == trusted_time_ns else hash_file(path)
    except OSError as error:
        return Problem(f"cannot be read: {error.strerror}")
    return None if digest == recorded.sha256 else Problem("content differs", recorded.sha256, digest)


def kind_problem(path: Path, root: Path) -> str | None:
    """What stands at ``path`` instead of a regular file, or which folder on the way from ``root`` is a link."""
    folder = path.parent
    while folder != root.parent:
        if folder.is_symlink():
            return f"lies in a link: {folder.name}"
        folder = folder.parent
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return describe_kind(mode) or None


def move_to_damaged(lake: Lake, file: str, problem: str, now: datetime) -> Damage:
    """Move a damaged curated file (or the link or folder in its place) to ``curated/_damaged/``, to be looked at."""
    path = lake.curated / file
    taken = path.parent if path.parent.is_symlink() or path.parent.is_file() else path
    if taken == lake.curated or not os.path.lexists(taken):
        return Damage(file, problem)
    folder = lake.damaged / now.strftime("%Y%m%dT%H%M%S.%fZ")
    lake.disk.make_folder(folder)
    kept = next(place for place in _places(folder, file.replace("/", "~")) if not os.path.lexists(place))
    lake.disk.rename(taken, kept)
    lake.disk.sync_folder(folder)  # first where it came to: a power failure must not take it from both
    lake.disk.sync_folder(taken.parent)
    if taken.parent != lake.curated and not any(taken.parent.iterdir()):
        lake.disk.remove_tree(taken.parent)
    return Damage(file, problem, kept.relative_to(lake.root).as_posix())


def _places(folder: Path, name: str) -> Iterator[Path]:
    yield folder / f"{name}.damaged"
    yield from (folder / f"{name}.{number}.damaged" for number in count(2))
