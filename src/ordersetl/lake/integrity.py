"""Compare files with what is recorded of them, and move away what is not what it must be.

:func:`find_problem` alone says whether a file is as recorded; ``load`` asks it by :func:`examine`, ``check`` by
:mod:`ordersetl.check.files`.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from typing import Protocol

import msgspec

from ordersetl.lake.layout import CURATED, DAMAGED, Lake, curated_key, file_day
from ordersetl.lake.manifest import FileEntry, Manifest
from ordersetl.results import Damage
from ordersetl.storage.local import FileStat

__all__ = [
    "SMALL_BYTES",
    "Examined",
    "Look",
    "Problem",
    "Recorded",
    "examine",
    "file_problem",
    "find_obstacle",
    "find_problem",
    "move_to_damaged",
    "prune_folders",
]


SMALL_BYTES = 4 << 20
"""A dimension up to here is hashed and read without asking whether that is needed."""
Look = Callable[[str], FileStat | None]
"""Looks at a key."""


class Recorded(Protocol):
    """What is recorded of any file."""

    @property
    def sha256(self) -> str:
        """Hash of its content, in hex."""

    @property
    def bytes(self) -> int:
        """Its size."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a file; ``recorded`` and ``found`` where it is its size or its hash."""

    text: str
    recorded: str = ""
    found: str = ""


class Examined(msgspec.Struct):
    """``valid`` are the entries of files that are as recorded, with today's times; ``problems`` are the others."""

    valid: dict[str, FileEntry] = msgspec.field(default_factory=dict)
    problems: dict[str, str] = msgspec.field(default_factory=dict)


def examine(lake: Lake, manifest: Manifest, *, verify: bool) -> Examined:
    """Compare every curated file with its entry: by size and time, or by hash with ``verify``.

    A file whose time alone differs (a restored backup, a moved folder) is hashed, and is valid where the hash fits.
    So is a small dimension always: what it holds is for many queries, and hashing it takes no time.
    """
    examined = Examined()
    look = lake.storage.looks(CURATED, deep=True).stat
    seen: dict[str, FileStat | None] = {}

    def note(key: str) -> FileStat | None:
        seen[key] = look(key)
        return seen[key]

    for file, entry in manifest.files.items():
        problem = file_problem(lake, file, entry, verify=verify or _is_small_dimension(file, entry), look=note)
        found = seen.pop(curated_key(file), None)
        if problem or found is None:
            examined.problems[file] = problem or "it is missing"
        else:
            examined.valid[file] = msgspec.structs.replace(entry, mtime_ns=found.mtime_ns)
    return examined


def _is_small_dimension(file: str, entry: FileEntry) -> bool:
    return entry.bytes <= SMALL_BYTES and file_day(file) is None


def file_problem(lake: Lake, file: str, entry: FileEntry, *, verify: bool, look: Look | None = None) -> str:
    """What is wrong with a curated file, as a sentence; empty where it is as recorded; ``look`` as of find_problem."""
    problem = find_problem(
        lake, curated_key(file), entry, trusted_time_ns=None if verify else entry.mtime_ns, look=look
    )
    if problem is None:
        return ""
    if not problem.recorded:
        return f"it {problem.text}"
    counts = f": {problem.found} instead of {problem.recorded} bytes" if problem.recorded.isdecimal() else ""
    return f"its {problem.text}{counts}"  # nobody learns anything from two hashes


def find_problem(
    lake: Lake, key: str, recorded: Recorded, *, trusted_time_ns: int | None = None, look: Look | None = None
) -> Problem | None:
    """Compare a file with its record by kind, size and hash; None where it is as recorded.

    Args:
        lake: where it is.
        key: its key; no folder on the way to it may be a link.
        recorded: what it must be.
        trusted_time_ns: a modification time that makes hashing needless.
        look: looks at a key, where many are looked at; None looks at this one by itself.
    """
    try:
        found = (look or lake.storage.stat)(key)
        if found is None:
            return Problem("is missing")
        if found.problem:
            return Problem(found.problem)
        if found.bytes != recorded.bytes:
            return Problem("size differs", str(recorded.bytes), str(found.bytes))
        digest = recorded.sha256 if found.mtime_ns == trusted_time_ns else lake.storage.hash(key)
    except OSError as error:
        return Problem(f"cannot be read: {error.strerror}")
    return None if digest == recorded.sha256 else Problem("content differs", recorded.sha256, digest)


def move_to_damaged(lake: Lake, file: str, problem: str, now: datetime) -> Damage:
    """Move a damaged curated file (or the link or file in place of its folder) to ``curated/_damaged/``."""
    storage = lake.storage
    taken = find_obstacle(lake, file) or curated_key(file)
    if not storage.exists(taken):
        return Damage(file, problem)
    kept = next(key for key in _name_damaged(file, now) if not storage.exists(key))
    storage.move(taken, kept)
    storage.sync(kept.rpartition("/")[0])  # first where it came to: a power failure must not take it from both
    storage.sync(taken.rpartition("/")[0])
    prune_folders(lake, taken)
    return Damage(file, problem, kept)


def find_obstacle(lake: Lake, file: str) -> str | None:
    """Key of the link or file that is in place of a folder on the way to a curated file; None where there is none."""
    for folder in _list_folders(curated_key(file)):
        found = lake.storage.stat(folder)
        if found is not None and not found.is_folder:
            return folder
    return None


def prune_folders(lake: Lake, key: str) -> str:
    """Remove the folders of a file that is gone, as far as they are empty; the key of the first one that is left."""
    for folder in reversed(_list_folders(key)):
        if lake.storage.exists(folder) and not lake.storage.prune(folder):
            return folder
    return CURATED


def _list_folders(key: str) -> list[str]:
    """The folders below ``curated`` that lead to a key, from the top."""
    names = key.split("/")
    return ["/".join(names[:depth]) for depth in range(2, len(names))]


def _name_damaged(file: str, now: datetime) -> Iterator[str]:
    name = f"{DAMAGED}/{now.strftime('%Y%m%dT%H%M%S.%fZ')}/{file.replace('/', '~')}"
    yield f"{name}.damaged"
    yield from (f"{name}.{number}.damaged" for number in count(2))
