"""A file that is made under a name that nothing has, in steps: written, perhaps synced, closed."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Self

__all__ = ["NewFile", "Written", "clear"]


@dataclass(frozen=True)
class Written:
    """What a write left on disk: SHA-256 (hex), size in bytes, modification time in nanoseconds."""

    sha256: str
    bytes: int
    mtime_ns: int


class NewFile:
    """A file that is made: written, perhaps synced, and then closed. A context manager: at its end it is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self.written = Written("", 0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, chunks: Iterable[bytes], *, end: bool) -> None:
        """Create it with this content; with ``end`` no :meth:`sync` follows. Raises OSError."""
        self._file = file = _open_new(self._path)
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in chunks:
                _write_all(file, chunk)
                digest.update(chunk)
                size += len(chunk)
            self.written = Written(digest.hexdigest(), size, os.fstat(file.fileno()).st_mtime_ns)
            if end:
                file.close()
        except OSError:
            with contextlib.suppress(OSError):  # give the room back; if even that fails, the next run does it
                file.close()
                self._path.unlink()
            raise

    def sync(self) -> None:
        """Make its content durable. Raises OSError."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()


def _open_new(path: Path) -> FileIO:
    """Open a file of a name that nothing has: what has it is removed."""
    try:
        return FileIO(path, "xb")
    except FileExistsError:
        clear(path)
        return FileIO(path, "xb")


def _write_all(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def clear(path: Path) -> None:
    """Remove a file, a link or a folder with all it holds; nothing if it is gone. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
