"""A file that is made under a name that nothing has, in steps: written, perhaps synced, closed."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import msgspec

__all__ = ["NewFile", "Written", "clear"]

_CREATING = os.O_WRONLY | os.O_CREAT | os.O_EXCL
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NOINHERIT"):
    _CREATING |= getattr(os, _flag, 0)


class Written(msgspec.Struct, frozen=True):
    """What a write left on disk: SHA-256 (hex), size in bytes, modification time in nanoseconds."""

    sha256: str
    bytes: int
    mtime_ns: int


class NewFile:
    """A file that is made: written, perhaps synced, and then closed. A context manager: at its end it is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self.written = Written("", 0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def write(self, chunks: Iterable[bytes], *, end: bool) -> None:
        """Create it with this content; with ``end`` no :meth:`sync` follows. Raises OSError."""
        self._descriptor = descriptor = _open_new(self._path)
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in chunks:
                _write_all(descriptor, chunk)
                digest.update(chunk)
                size += len(chunk)
            self.written = Written(digest.hexdigest(), size, os.fstat(descriptor).st_mtime_ns)
            if end:
                self._close()
        except OSError:
            with contextlib.suppress(OSError):  # give the room back; if even that fails, the next run does it
                self._close()
            with contextlib.suppress(OSError):
                self._path.unlink()
            raise

    def sync(self) -> None:
        """Make its content durable. Raises OSError."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _open_new(path: Path) -> int:
    """Open a file of a name that nothing has: what has it is removed."""
    try:
        return os.open(path, _CREATING, 0o666)
    except FileExistsError:
        clear(path)
        return os.open(path, _CREATING, 0o666)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):  # a disk that is nearly full takes a part
        written += os.write(descriptor, memoryview(data)[written:])


def clear(path: Path) -> None:
    """Remove a file, a link or a folder with all it holds; nothing if it is gone. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
