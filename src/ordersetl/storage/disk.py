"""Every durable step the program takes, and how a file is opened.

All writes go through :class:`Disk`; each step is one :class:`Step` handed to :meth:`Disk.perform`, so tests can count
the steps, end the process before or after any of them, make one fail, or undo what was not yet synced.

A complete file appears by the usual protocol (see *Files are hard*, D. Luu; the SQLite atomic commit page): write a
temporary file beside the target, fsync it, rename it over the target, fsync the folder.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from functools import cache
from io import BufferedReader
from itertools import count
from pathlib import Path
from typing import Literal

import msgspec

from ordersetl.errors import StorageError
from ordersetl.storage.new_file import NewFile, Written, clear
from ordersetl.storage.versions import ObjectOperation
from ordersetl.url import Location

__all__ = [
    "HINT_AT_STORE",
    "IS_FOLDER",
    "Disk",
    "Operation",
    "Step",
    "UnfitFileError",
    "describe_kind",
    "hash_file",
    "is_own_folder",
    "is_temporary",
    "is_temporary_of",
    "open_regular",
    "read_regular",
    "temporary_path",
]

IS_FOLDER = "is a folder"
"""What :func:`describe_kind` says of one."""
HINT_AT_STORE = "Look at the store, and at the AWS_ variables; then run the same command again."
"""What to do where object storage refuses."""

Operation = Literal["make_folder", "write", "sync_file", "rename", "sync_folder", "remove", "remove_tree"]

_HINTS = {
    errno.ENOSPC: "The disk is full. Free some room and run the same command again: nothing half-done was kept.",
    errno.EDQUOT: "The quota is used up. Free some room and run the same command again: nothing half-done was kept.",
    errno.EFBIG: "The file size limit (ulimit -f) was reached. Raise it and run the same command again.",
    errno.EROFS: "The file system is read-only. Choose another folder with --output, or mount it writable.",
    errno.EACCES: "Give this user permission to write there, or choose another place.",
    errno.EPERM: "Give this user permission to write there, or choose another place.",
}


_READING = os.O_RDONLY
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK"):
    _READING |= getattr(os, _flag, 0)


class UnfitFileError(OSError):
    """What has a path is not a regular file, or is larger than what is read there; ``strerror`` says which."""

    def __init__(self, path: Location, problem: str) -> None:
        super().__init__(errno.EINVAL, problem, str(path))


_attempts = count()


class Step(msgspec.Struct, frozen=True):
    """One durable step: what is done, to which path, and for a rename from where."""

    operation: Operation | ObjectOperation
    path: Location
    source: Path | None = None


class Disk:
    """Durable file operations; the only code that changes the output folder."""

    def perform(self, step: Step, action: Callable[[], None]) -> None:
        """Take one step. The seam for tests: a subclass may count, fail, or die here.

        Raises:
            StorageError: the operating system refused; the message names the path and the reason.
        """
        try:
            action()
        except OSError as error:
            raise _refused(step, error) from error

    def make_folder(self, path: Path, *, private: bool = False) -> None:
        """Create a folder and its missing parents, each entry synced in its parent; nothing if it is there.

        A ``private`` one, its parents excepted, is for its owner alone.

        Raises:
            StorageError: a file or a symbolic link has its name.
        """
        if is_own_folder(path):
            return
        self.make_folder(path.parent)
        mode = 0o700 if private else 0o777
        self.perform(Step("make_folder", path), lambda: path.mkdir(mode, exist_ok=True))
        self.sync_folder(path.parent)

    def write(self, path: Path, data: bytes | Iterable[bytes], *, sync: bool = True) -> Written:
        """Write a new file at ``path`` (not atomic: give it a temporary name), synced unless ``sync`` is false.

        What has that path is removed first, never written to: it may be a link, or another name of a file.
        """
        chunks = [data] if isinstance(data, bytes) else data
        with NewFile(path) as file:
            self.perform(Step("write", path), lambda: file.write(chunks, end=not sync))
            if sync:
                self.perform(Step("sync_file", path), file.sync)
            return file.written

    def publish(self, path: Path, data: bytes | Iterable[bytes], *, sync: bool = True) -> Written:
        """Put a complete file at ``path`` in one step as its readers see it.

        ``sync=False`` is for what can be derived again: a power failure may lose it, and its hash will show it. A
        folder of that name is removed; ask first where that may matter.
        """
        temporary = temporary_path(path)
        written = self.write(temporary, data, sync=sync)
        if path.is_dir() and not path.is_symlink():
            self.remove_tree(path)
        self.rename(temporary, path)
        if sync:
            self.sync_folder(path.parent)
        return written

    def rename(self, source: Path, path: Path) -> None:
        """Move ``source`` over ``path``; atomic within one file system. A link there is replaced, not followed."""

        def replace() -> None:
            source.replace(path)

        self.perform(Step("rename", path, source), replace)

    def sync_folder(self, path: Path) -> None:
        """Make the folder's entries durable. Windows has no such call: there the rename itself has to do."""
        if os.name != "nt":
            self.perform(Step("sync_folder", path), lambda: _sync_folder(path))

    def remove(self, path: Path) -> None:
        """Remove a file or a link; nothing if it is gone."""
        self.perform(Step("remove", path), lambda: path.unlink(missing_ok=True))

    def remove_tree(self, path: Path) -> None:
        """Remove a folder with all it holds, or a link or file in its place; nothing if it is gone.

        One step in name only: a death within it leaves some of it. So it is for what nobody reads any more.
        """
        self.perform(Step("remove_tree", path), lambda: clear(path))


def is_own_folder(path: Path) -> bool:
    """Whether there is a folder, and no link to one; False where there is nothing.

    Raises:
        StorageError: something else has its name.
    """
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISDIR(mode):
        kind = "link" if stat.S_ISLNK(mode) else "file" if stat.S_ISREG(mode) else "pipe or a device"
        raise StorageError(
            f"{path} must be a folder of its own, and is a {kind}",
            hint="Move it away, or choose another folder with --output.",
        )
    return True


def temporary_path(path: Path) -> Path:
    """Where a file is written before it is renamed to ``path``: a hidden name that no glob for ``*.csv`` matches.

    Each attempt has a name of its own: two of them, one perhaps given up for dead, never write into one file.
    """
    return path.with_name(f".{path.name}.{_process_token(os.getpid())}{next(_attempts):08x}.tmp")


@cache
def _process_token(process: int) -> str:
    """Sets the names of a process apart from those of all others, of other machines too."""
    del process  # a forked one needs its own
    return os.urandom(8).hex()


def is_temporary(name: str) -> bool:
    """Whether a name is one of :func:`temporary_path`."""
    return name.startswith(".") and name.endswith(".tmp")


def is_temporary_of(name: str, path: Path) -> bool:
    """Whether a name is that of an attempt to write ``path``."""
    return name.startswith(f".{path.name}.") and name.endswith(".tmp")


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file to read it; a link is not followed, and a pipe or device is neither waited for nor read.

    Raises:
        UnfitFileError: it is something else.
        OSError: it cannot be opened.
    """
    return os.fdopen(_open_unfollowed(path)[0], "rb")


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Content of a regular file, opened as :func:`open_regular` does.

    Raises:
        UnfitFileError: it is something else, or larger than ``max_bytes``.
        OSError: it cannot be read.
    """
    descriptor, size = _open_unfollowed(path)
    try:  # no file object, which looks at what it is given once more: this is done for each page, and for each lock
        if size > max_bytes:
            raise UnfitFileError(path, f"is larger than {max_bytes} bytes")
        data = os.read(descriptor, size)
        while len(data) < size and (more := os.read(descriptor, size - len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)


def describe_kind(mode: int) -> str:
    """What a file's mode says that it is; empty for a regular file."""
    if stat.S_ISREG(mode):
        return ""
    return "is a link" if stat.S_ISLNK(mode) else IS_FOLDER if stat.S_ISDIR(mode) else "is not a regular file"


def hash_file(path: Path) -> str:
    """SHA-256 (hex) of a regular file's content, read in pieces.

    Raises:
        OSError: it is not a regular file, or cannot be read.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_unfollowed(path: Path) -> tuple[int, int]:
    """Descriptor and size of a regular file; raises as :func:`open_regular`."""
    try:
        descriptor = os.open(path, _READING)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR}:  # a link, a socket, a folder
            raise UnfitFileError(path, describe_kind(path.lstat().st_mode) or "cannot be opened") from error
        raise
    try:
        found = os.fstat(descriptor)
        if problem := describe_kind(found.st_mode):
            raise UnfitFileError(path, problem)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, found.st_size


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(step: Step, error: OSError) -> StorageError:
    deed = step.operation.replace("_", " ")
    usual = "Look at the folder, then run the same command again." if isinstance(step.path, Path) else HINT_AT_STORE
    return StorageError(
        f"cannot {deed} {step.path}: {error.strerror or error}",
        hint=_HINTS.get(error.errno or 0, usual),
    )
