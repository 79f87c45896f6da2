"""What batches refer to and raw keeps once by content: reference files and descriptions of sources."""

import hashlib
import os

import msgspec

from ordersetl.errors import CorruptedError, StorageError
from ordersetl.lake.layout import REFERENCES, SOURCES, Lake, reference_key, source_key
from ordersetl.lake.reading import read_content, read_verified

__all__ = ["ReferenceEntry", "read_description", "read_reference", "store_description", "store_reference"]

_MAX_DESCRIPTION_BYTES = 1 << 24


class ReferenceEntry(msgspec.Struct, frozen=True):
    """A users or products file kept with a batch: its content's hash (its name in ``raw/reference``) and size."""

    sha256: str
    bytes: int
    name: str


def store_reference(lake: Lake, body: bytes, name: str) -> ReferenceEntry:
    """Keep a users or products file, each content once; a damaged one is written again.

    Raises:
        StorageError: a folder has its name.
    """
    printable = os.fsencode(name).decode(errors="replace")  # a name on disk may not be valid text
    entry = ReferenceEntry(hashlib.sha256(body).hexdigest(), len(body), printable)
    _store(lake, reference_key(entry.sha256), body, folder=REFERENCES)
    return entry


def read_reference(lake: Lake, entry: ReferenceEntry) -> bytes:
    """Content of a kept reference file, verified to be what was given.

    Raises:
        CorruptedError: it is missing or differs.
    """
    key = reference_key(entry.sha256)
    try:
        return read_verified(lake, key, entry)
    except CorruptedError as error:
        raise CorruptedError(
            f"the reference file {lake.locate(key)} ({entry.name}) is damaged: {error.message}",
            hint="Restore it from a backup, or give the original again, as --users or --products: ordersetl run",
        ) from error


def store_description(lake: Lake, body: bytes) -> str:
    """Keep the description of a source likewise, and return its SHA-256.

    Raises:
        StorageError: a folder has its name.
    """
    sha256 = hashlib.sha256(body).hexdigest()
    _store(lake, source_key(sha256), body, folder=SOURCES)
    return sha256


def read_description(lake: Lake, sha256: str) -> bytes:
    """The file of a kept description, verified to be what was given.

    Raises:
        CorruptedError: it is missing or differs.
    """
    key = source_key(sha256)
    try:
        body = read_content(lake, key, _MAX_DESCRIPTION_BYTES)
        problem = "" if hashlib.sha256(body).hexdigest() == sha256 else "its content is not what was kept"
    except CorruptedError as error:
        problem = error.message
    if problem:
        raise CorruptedError(
            f"the description of the source {lake.locate(key)} is damaged: {problem}",
            hint="Restore it from a backup, or put the original file there under this name; a run with that "
            "description does it too.",
        )
    return body


def _store(lake: Lake, key: str, body: bytes, *, folder: str) -> None:
    found = lake.storage.stat(key)
    if found is not None and found.is_folder:
        raise StorageError(f"{lake.locate(key)} must be a file, and is a folder", hint="Move it away and run again.")
    try:
        is_kept = read_content(lake, key, len(body)) == body
    except CorruptedError:
        is_kept = False
    if is_kept:
        lake.storage.sync(folder)  # whoever put it there may have died before this
    else:
        lake.storage.put(key, body)
