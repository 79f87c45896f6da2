"""Bytes by key on the local disk: the only way to what is in an output.

A key is a relative path with ``/`` (``raw/<batch>/page-00001.json``); its prefixes are folders here. What another kind
of storage, such as an object store, has to do as well:

========================  ==============================================================================================
``open``, ``read``        content of what was put; a missing key is FileNotFoundError
``read_ranges``           parts of it
``stat``, ``exists``      whether there is something, its size, and a mark that changes with it (here the time)
``entries``               names directly under a prefix
``looks``                 both of these for many keys, as they are now
``put``                   all of the content appears at once, or nothing; durable as asked
``move``                  publish what was put under another key, which it replaces
``remove``, ``remove_all``  one key, or all under a prefix
``open_columns``          what Polars can scan without reading all of it
``local_files``           paths, for a while, for what reads paths alone: DuckDB
``lock``                  one writer at a time
``find_holder``           who writes, without the lock
``measure``               files and bytes under a prefix
``sync``, ``prune``       durable names, no empty folders: nothing to do where there are no folders
========================  ==============================================================================================

*Put if absent*, *replace if unchanged* and *remove if unchanged* have no caller here, where the lock and the rename
keep writers apart: :mod:`ordersetl.storage.objects` has them.

Reads raise OSError as the system does: the caller knows what it means that a file is missing or cannot be read. Writes
raise StorageError. No link within an output is followed, and only regular files are opened.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from ordersetl.errors import StorageError
from ordersetl.storage.columns import ColumnFile
from ordersetl.storage.disk import (
    IS_FOLDER,
    Disk,
    describe_kind,
    hash_file,
    is_own_folder,
    open_regular,
    read_regular,
    temporary_path,
)
from ordersetl.storage.lock import Holder, Lock, acquire_lock, find_holder, was_locked
from ordersetl.storage.new_file import Written

__all__ = ["Durability", "Entry", "FileStat", "LocalStorage", "Size"]

Durability = Literal["full", "content", "none"]
"""What survives a power failure once a put returns: content and name; content, and the name from the next ``sync`` of
its folder; or neither, for what can be derived again and whose hash will show it."""


class FileStat(msgspec.Struct, frozen=True):
    """What is at a key; ``problem`` says why it is not a regular file of its own, and is empty where it is one."""

    problem: str
    bytes: int
    mtime_ns: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, and no link to one."""
        return self.problem == IS_FOLDER


class Entry(NamedTuple):
    """A name directly under a prefix; links and special files are ``other``."""

    name: str
    kind: Literal["file", "folder", "other"]


class Size(msgspec.Struct, frozen=True):
    """Files under a prefix, and their bytes together."""

    files: int
    bytes: int


class LocalStorage(msgspec.Struct, frozen=True):
    """The files under ``root``, written by ``disk``. ``root`` may itself be a link; no folder below it may."""

    root: Path
    disk: Disk

    def locate(self, key: str) -> Path:
        """Where it is, for people to read."""
        return self.root / key

    def open(self, key: str) -> BufferedReader:
        """Open a regular file to read it.

        Raises:
            UnfitFileError: it is something else.
            OSError: it is missing or cannot be opened.
        """
        return open_regular(self.root / key)

    def read(self, key: str, max_bytes: int) -> bytes:
        """Content of a regular file.

        Raises:
            UnfitFileError: it is something else, or larger than ``max_bytes``.
            OSError: it is missing or cannot be read.
        """
        return read_regular(self.root / key, max_bytes)

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Parts of a regular file, each from a byte to another, the end exclusive.

        Raises:
            OSError: it is something else, missing or shorter.
        """
        with self.open(key) as file:
            return [_read_range(file, begin, end) for begin, end in ranges]

    def hash(self, key: str) -> str:
        """SHA-256 (hex) of a regular file's content, read in pieces.

        Raises:
            OSError: it is not a regular file, or cannot be read.
        """
        return hash_file(self.root / key)

    def stat(self, key: str) -> FileStat | None:
        """What is at the key, links seen and not followed; None where there is nothing.

        Raises:
            OSError: it cannot be looked at.
        """
        problem = ""
        folder = root = str(self.root)  # no pathlib: this is asked for each file of the layer
        for name in key.split("/")[:-1]:
            folder = f"{folder}/{name}"
            if os.path.islink(folder):  # noqa: PTH114
                problem = f"lies in a link: {name}"
        try:
            found = os.lstat(f"{root}/{key}" if key else root)
        except (FileNotFoundError, NotADirectoryError):
            return FileStat(problem, 0, 0) if problem else None
        return FileStat(problem or describe_kind(found.st_mode), found.st_size, found.st_mtime_ns)

    def looks(self, prefix: str, *, deep: bool) -> "LocalStorage":
        """What looks at many keys under a prefix: each by itself, which costs little here."""
        del prefix, deep
        return self

    def exists(self, key: str) -> bool:
        """Whether anything has the key, be it a link to nowhere; False where that cannot be seen."""
        return os.path.lexists(self.root / key)

    def entries(self, prefix: str) -> list[Entry]:
        """Names directly under a prefix, sorted; none where there is no such folder.

        Raises:
            StorageError: it cannot be read.
        """
        folder = self.root / prefix
        try:
            with os.scandir(folder) as found:
                return sorted(Entry(entry.name, _kind(entry)) for entry in found)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(
                f"cannot read {folder}: {error.strerror}", hint="Give this user permission to read it."
            ) from error

    def open_columns(self, key: str) -> ColumnFile:
        """What Polars scans a file of columns by: an absolute path, as it takes some relative ones for URLs."""
        return ColumnFile(str((self.root / key).absolute()), is_local=True)

    @contextmanager
    def local_files(self, keys: Iterable[str]) -> Iterator[dict[str, Path]]:
        """Paths of files for the time of a block, by key, for what reads paths alone."""
        yield {key: self.root / key for key in keys}

    def put(self, key: str, data: bytes | Iterable[bytes], *, durability: Durability = "full") -> Written:
        """Put a complete file at the key, in one step as its readers see it; a link or folder there is replaced."""
        path = self.root / key
        self.disk.make_folder(path.parent)
        if durability != "content":
            return self.disk.publish(path, data, sync=durability == "full")
        temporary = temporary_path(path)
        written = self.disk.write(temporary, data)
        self.disk.rename(temporary, path)
        return written

    def move(self, source: str, key: str) -> None:
        """Move a file, link or folder over what has the key; both names are durable once their folders are synced."""
        path = self.root / key
        self.disk.make_folder(path.parent)
        self.disk.rename(self.root / source, path)

    def remove(self, key: str) -> None:
        """Remove a file or a link; nothing if it is gone."""
        self.disk.remove(self.root / key)

    def remove_all(self, prefix: str) -> None:
        """Remove a folder with all it holds, or a file or link in its place: not in one step, so what nobody reads."""
        self.disk.remove_tree(self.root / prefix)

    def sync(self, prefix: str) -> None:
        """Make the names directly under a prefix durable; nothing where it is no folder of its own."""
        folder = self.root / prefix
        if folder == self.root or _is_folder(folder):
            self.disk.sync_folder(folder)

    def prune(self, prefix: str) -> bool:
        """Remove a folder that is empty; whether it was."""
        folder = self.root / prefix
        if not _is_folder(folder) or any(folder.iterdir()):
            return False
        self.disk.remove_tree(folder)
        return True

    def require_own_folder(self, prefix: str) -> None:
        """Refuse to work where a folder is a link or a file; it may be missing.

        Raises:
            StorageError: it is one.
        """
        is_own_folder(self.root / prefix)

    def lock(
        self, key: str, *, wait_s: float, now: Callable[[], datetime], sleep: Callable[[float], None]
    ) -> AbstractContextManager[Lock]:
        """Hold the lock for the time of a block, as :func:`ordersetl.storage.lock.acquire_lock` does."""
        return acquire_lock(self.root / key, disk=self.disk, wait_s=wait_s, now=now, sleep=sleep)

    def find_holder(self, key: str) -> Holder | None:
        """Who holds the lock, as :func:`ordersetl.storage.lock.find_holder` tells without taking it."""
        return find_holder(self.root / key)

    def measure(self, prefix: str) -> Size:
        """How many files there are under a prefix, and their bytes; links are not followed, and what goes is gone."""
        return _measure(str(self.root / prefix))

    def was_locked(self, key: str) -> bool:
        """Whether a command ever held the lock."""
        return was_locked(self.root / key)


def _read_range(file: BufferedReader, begin: int, end: int) -> bytes:
    file.seek(begin)
    data = file.read(end - begin)
    if len(data) != end - begin:
        raise OSError(errno.EIO, "is shorter than it was", file.name)
    return data


def _kind(entry: "os.DirEntry[str]") -> Literal["file", "folder", "other"]:
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "other"


def _measure(folder: str) -> Size:
    files = size = 0
    waiting = [folder]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                with suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_size
                    files += 1
    return Size(files, size)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
