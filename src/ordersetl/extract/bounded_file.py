"""Read a file that a user names: a regular file or a pipe, so much of it at most, and never waiting without end."""

import errno
import os
import select
import stat
from pathlib import Path

__all__ = ["read_bounded"]

_PIECE = 1 << 20
_WRITER_WAIT_S = 1.0
"""Seconds that a pipe may be without a writer: one that begins at the same time may come a little later."""


def read_bounded(path: Path, limit: int, *, timeout_s: float) -> bytes:
    """Bytes of a regular file, or of a pipe (``<(...)`` of a shell) until its writer closes it.

    Args:
        path: links are followed.
        limit: no more than a byte past this is read.
        timeout_s: seconds without a byte after which a pipe is given up.

    Raises:
        OSError: it cannot be read, is neither a file nor a pipe, or nothing comes out of it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a pipe would wait for its writer
    with os.fdopen(descriptor, "rb", buffering=0):
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, "it is a folder")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise OSError(errno.EINVAL, "it is neither a file nor a pipe")
        if stat.S_ISFIFO(mode):
            select.select([descriptor], [], [], _WRITER_WAIT_S)
        pieces, left = list[bytes](), limit + 1
        while left and (piece := _read_piece(descriptor, min(left, _PIECE), timeout_s)):
            pieces.append(piece)
            left -= len(piece)
        if stat.S_ISFIFO(mode) and not pieces:
            raise OSError(errno.EPIPE, "it is a pipe, and nothing came out of it")
        return b"".join(pieces)


def _read_piece(descriptor: int, size: int, timeout_s: float) -> bytes:
    """The next bytes, none at the end.

    Raises:
        OSError: it cannot be read, or nothing comes.
    """
    try:
        return os.read(descriptor, size)
    except BlockingIOError:  # a pipe whose writer is at work
        if not select.select([descriptor], [], [], timeout_s)[0]:
            raise OSError(errno.ETIMEDOUT, f"nothing came out of it for {timeout_s:g} s") from None
        return os.read(descriptor, size)
