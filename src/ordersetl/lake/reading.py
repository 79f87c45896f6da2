"""Files of the log, read only where they are what they must be: anything else at their key is damage, never a wait."""

import hashlib

from ordersetl.errors import CorruptedError, StorageError
from ordersetl.lake.integrity import Recorded
from ordersetl.lake.layout import Lake
from ordersetl.storage.disk import UnfitFileError

__all__ = ["read_content", "read_verified"]


def read_verified(lake: Lake, key: str, recorded: Recorded) -> bytes:
    """Bytes of a regular file that must be as recorded.

    Raises:
        CorruptedError: it is missing, a link or a folder, or differs.
        StorageError: it cannot be read.
    """
    body = read_content(lake, key, recorded.bytes)
    if len(body) != recorded.bytes or hashlib.sha256(body).hexdigest() != recorded.sha256:
        raise CorruptedError("its content is not what was kept")
    return body


def read_content(lake: Lake, key: str, max_bytes: int) -> bytes:
    """Bytes of a regular file.

    Raises:
        CorruptedError: it is missing, something else, or too large.
        StorageError: it cannot be read.
    """
    try:
        return lake.storage.read(key, max_bytes)
    except (FileNotFoundError, NotADirectoryError):
        raise CorruptedError("it is missing") from None
    except UnfitFileError as error:
        raise CorruptedError(f"it {error.strerror}") from error
    except OSError as error:
        raise StorageError(
            f"cannot read {lake.locate(key)}: {error.strerror}", hint="Give this user permission to read it."
        ) from error
