"""Files of the log, read only where they are what they must be: what stands there instead is damage, never a wait."""

import hashlib
from pathlib import Path

from ordersetl.errors import CorruptedError, StorageError
from ordersetl.lake.integrity import Recorded
from ordersetl.storage.local import UnfitFileError, read_regular

__all__ = ["read_or_damaged", "read_proven"]


def read_proven(path: Path, recorded: Recorded) -> bytes:
    """Bytes of a regular file that must be as recorded.

    Raises:
        CorruptedError: it is missing, a link or a folder, or differs.
        StorageError: it cannot be read.
    """
    body = read_or_damaged(path, recorded.bytes)
    if len(body) != recorded.bytes or hashlib.sha256(body).hexdigest() != recorded.sha256:
        raise CorruptedError("its content is not what was kept")
    return body


def read_or_damaged(path: Path, max_bytes: int) -> bytes:
    """Bytes of a regular file.

    Raises:
        CorruptedError: it is missing, something else, or too large.
        StorageError: it cannot be read.
    """
    try:
        return read_regular(path, max_bytes)
    except (FileNotFoundError, NotADirectoryError):
        raise CorruptedError("it is missing") from None
    except UnfitFileError as error:
        raise CorruptedError(f"it {error.strerror}") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"cannot read {path}: {error.strerror}", hint="Give this user permission to read it.")
