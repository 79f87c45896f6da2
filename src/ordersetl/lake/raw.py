"""The raw log: one folder a batch, its pages exactly as received, committed by the appearance of ``batch.json``.

An extraction that did not end leaves a folder without that marker; ``_request.json`` in it says what was asked, so
that the same request can go on at the page where it stopped.
"""

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from ordersetl.errors import DamagedError, StorageError
from ordersetl.lake.layout import Lake
from ordersetl.lake.seal import seal, unseal

__all__ = [
    "BatchMarker",
    "BatchRequest",
    "PageEntry",
    "ReferenceEntry",
    "drop_batch",
    "list_batches",
    "list_unfinished",
    "newest_marker",
    "page_name",
    "read_marker",
    "read_page_body",
    "read_reference",
    "read_request",
    "store_reference",
]

MARKER = "batch.json"
REQUEST = "_request.json"


class ReferenceEntry(msgspec.Struct, frozen=True):
    """A users or products file kept with a batch: its content's hash (its name in ``raw/reference``) and size."""

    sha256: str
    bytes: int
    name: str


class BatchRequest(msgspec.Struct, frozen=True):
    """What an extraction asked for. Times are aware and UTC; ``began_at`` ends the window where ``until`` is None."""

    source: str
    url: str
    since: datetime | None
    until: datetime | None
    page_size: int
    began_at: datetime
    references: dict[str, ReferenceEntry] = {}


class PageEntry(msgspec.Struct, frozen=True):
    """One page of a committed batch."""

    name: str
    sha256: str
    bytes: int
    records: int


class BatchMarker(msgspec.Struct, frozen=True):
    """The commit marker of a batch: window, source, request, pages, reference files.

    ``since`` is inclusive and ``until`` exclusive; None is open. The next batch begins at ``window_end``.
    """

    batch: str
    source: str
    url: str
    since: datetime | None
    until: datetime | None
    window_end: datetime
    request: BatchRequest
    committed_at: datetime
    tool: str
    pages: tuple[PageEntry, ...]
    references: dict[str, ReferenceEntry] = {}

    @property
    def records(self) -> int:
        """Order records over all pages."""
        return sum(page.records for page in self.pages)


def page_name(number: int) -> str:
    """Name of the ``number``-th page of a batch, from 1."""
    return f"page-{number:05d}.json"


def list_batches(lake: Lake) -> list[str]:
    """Ids of the committed batches, oldest first."""
    return [folder.name for folder in _folders(lake) if os.path.lexists(folder / MARKER)]


def list_unfinished(lake: Lake) -> list[str]:
    """Ids of the batches without a commit marker, oldest first."""
    return [folder.name for folder in _folders(lake) if not os.path.lexists(folder / MARKER)]


def read_marker(lake: Lake, batch: str) -> BatchMarker:
    """Read a committed batch's marker.

    Raises:
        DamagedError: it is not what was written; the hint says how the batch is fetched again.
    """
    path = lake.raw / batch / MARKER
    try:
        marker = unseal(_read_regular(path), BatchMarker)
    except DamagedError as error:
        raise DamagedError(
            f"the raw batch {batch} is damaged: {path}: {error.message}",
            hint=f"Move {path.parent} away and fetch its window again: ordersetl run --full, or --since and --until.",
        ) from error
    return marker


def newest_marker(lake: Lake, *, source: str, url: str) -> BatchMarker | None:
    """Marker of the newest batch from one source, or None."""
    for batch in reversed(list_batches(lake)):
        marker = read_marker(lake, batch)
        if (marker.source, marker.url) == (source, url):
            return marker
    return None


def read_request(lake: Lake, batch: str) -> BatchRequest | None:
    """What an unfinished batch asked for; None where that was not yet, or not wholly, written."""
    try:
        return unseal(_read_regular(lake.raw / batch / REQUEST), BatchRequest)
    except DamagedError:
        return None


def write_request(lake: Lake, batch: str, request: BatchRequest) -> None:
    """Begin a batch: make its folder and keep what is asked for."""
    folder = lake.raw / batch
    lake.disk.make_folder(folder)
    lake.disk.publish(folder / REQUEST, seal(request))


def write_marker(lake: Lake, marker: BatchMarker) -> None:
    """Commit a batch: from now on it counts, and nothing in it changes any more."""
    lake.disk.sync_folder(lake.raw / marker.batch)
    lake.disk.publish(lake.raw / marker.batch / MARKER, seal(marker))


def read_page_body(lake: Lake, marker: BatchMarker, page: PageEntry) -> bytes:
    """Body of a page of a committed batch, proven to be what was received.

    Raises:
        DamagedError: it is missing or differs; the message names the page and the hint says how to fetch it again.
    """
    path = lake.raw / marker.batch / page.name
    try:
        body = _read_regular(path)
        if hashlib.sha256(body).hexdigest() != page.sha256:
            raise DamagedError("its content is not what the API sent")
    except DamagedError as error:
        window = f"--since {marker.since.isoformat()}" if marker.since else "--full"
        raise DamagedError(
            f"the raw page {path} is damaged: {error.message}",
            hint=f"Restore it from a backup, or move {path.parent} away and fetch it again: ordersetl run {window}",
        ) from error
    return body


def store_reference(lake: Lake, body: bytes, name: str) -> ReferenceEntry:
    """Keep a users or products file, each content once."""
    entry = ReferenceEntry(hashlib.sha256(body).hexdigest(), len(body), name)
    path = lake.references / f"{entry.sha256}.csv"
    lake.disk.make_folder(lake.references)
    if not path.is_file() or path.is_symlink() or hashlib.sha256(path.read_bytes()).hexdigest() != entry.sha256:
        if path.is_dir() and not path.is_symlink():
            raise StorageError(f"{path} must be a file, and is a folder", hint="Move it away and run again.")
        lake.disk.publish(path, body)
    return entry


def read_reference(lake: Lake, entry: ReferenceEntry) -> bytes:
    """Content of a kept reference file, proven to be what was given.

    Raises:
        DamagedError: it is missing or differs.
    """
    path = lake.references / f"{entry.sha256}.csv"
    try:
        body = _read_regular(path)
        if hashlib.sha256(body).hexdigest() != entry.sha256:
            raise DamagedError("its content is not what was given")
    except DamagedError as error:
        raise DamagedError(
            f"the reference file {path} ({entry.name}) is damaged: {error.message}",
            hint="Restore it from a backup, or put the original file there under this name.",
        ) from error
    return body


def drop_batch(lake: Lake, batch: str) -> None:
    """Remove a batch that was never committed."""
    lake.disk.remove_tree(lake.raw / batch)


def _folders(lake: Lake) -> Iterator[Path]:
    """Batch folders, oldest first; links are not followed, and other names are none of ours."""
    try:
        with os.scandir(lake.raw) as entries:
            names = sorted(e.name for e in entries if e.name[:1].isdigit() and e.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return
    for name in names:
        yield lake.raw / name


def _read_regular(path: Path) -> bytes:
    """Bytes of a regular file.

    Raises:
        DamagedError: it is missing, a link or a folder.
        StorageError: it cannot be read.
    """
    if path.is_symlink() or path.is_dir():
        raise DamagedError("it is no regular file")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DamagedError("it is missing") from None
    except OSError as error:
        raise StorageError(
            f"cannot read {path}: {error.strerror}", hint="Give this user permission to read it."
        ) from error
