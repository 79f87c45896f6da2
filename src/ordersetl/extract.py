"""Extract: fetch a window of orders page by page into the raw log, and commit it as one batch."""

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ordersetl import __version__
from ordersetl.errors import NonsenseError
from ordersetl.job import Job
from ordersetl.lake import raw
from ordersetl.lake.layout import batch_id_after
from ordersetl.lake.raw import BatchMarker, BatchRequest, PageEntry
from ordersetl.results import ExtractResult
from ordersetl.source.client import CursorRefusedError, OrdersClient
from ordersetl.source.page import read_head

__all__ = ["Origin", "ReferenceFile", "Window", "extract_orders"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """Where the orders come from: a kind of source and its base URL."""

    source: str
    url: str


@dataclass(frozen=True)
class Window:
    """What to fetch: ``since`` inclusive and ``until`` exclusive, aware UTC, None for open; ``full`` starts over."""

    since: datetime | None = None
    until: datetime | None = None
    full: bool = False


@dataclass(frozen=True)
class ReferenceFile:
    """Content of a users or products file that is kept with the batch; ``kind`` is ``users`` or ``products``."""

    kind: str
    name: str
    body: bytes


@dataclass
class _Batch:
    """A batch under way: its pages so far and the cursors that led to them."""

    id: str
    request: BatchRequest
    pages: list[PageEntry]
    cursors: list[str]
    complete: bool
    resumed: int = 0


def extract_orders(
    job: Job, client: OrdersClient, origin: Origin, window: Window, references: Sequence[ReferenceFile] = ()
) -> ExtractResult:
    """Fetch one window and commit it to the raw log as one batch.

    Without ``since`` (and not ``full``) the window begins where the newest batch of the same origin ended, less the
    lookback. An extraction of the same request that was interrupted goes on at the page where it stopped.

    Raises:
        SourceError: the API failed for good; nothing is committed, and the pages so far are kept for the next run.
        StorageError: the disk refused.
    """
    started = time.monotonic()
    request = _request(job, origin, window, references)
    batch = _resume(job, request) or _begin(job, request)
    try:
        _fetch(job, client, batch)
    except CursorRefusedError:
        if not batch.resumed:
            raise
        log.warning("the API no longer knows the cursor of the interrupted extraction: fetching from the first page")
        raw.drop_batch(job.lake, batch.id)
        batch = _begin(job, request)
        _fetch(job, client, batch)
    marker = _commit(job, batch)
    return ExtractResult(
        batch=marker.batch,
        source=marker.source,
        url=marker.url,
        since=marker.since,
        until=marker.until,
        window_end=marker.window_end,
        pages=len(marker.pages),
        records=marker.records,
        bytes=sum(page.bytes for page in marker.pages),
        retries=client.retries,
        resumed_pages=batch.resumed,
        seconds=time.monotonic() - started,
    )


def _request(job: Job, origin: Origin, window: Window, references: Sequence[ReferenceFile]) -> BatchRequest:
    since = window.since
    if since is None and not window.full:
        newest = raw.newest_marker(job.lake, source=origin.source, url=origin.url)
        since = newest.window_end - job.settings.lookback if newest else None
    return BatchRequest(
        source=origin.source,
        url=origin.url,
        since=since,
        until=window.until,
        page_size=job.settings.page_size,
        began_at=job.now(),
        references={file.kind: raw.store_reference(job.lake, file.body, file.name) for file in references},
    )


def _begin(job: Job, request: BatchRequest) -> _Batch:
    newest = max(raw.list_batches(job.lake), default=None)
    batch = batch_id_after(request.began_at, newest)
    raw.write_request(job.lake, batch, request)
    return _Batch(batch, request, [], [], complete=False)


def _resume(job: Job, request: BatchRequest) -> _Batch | None:
    """The interrupted extraction of this very request, if one can be taken up; all others are dropped."""
    taken: _Batch | None = None
    for batch in reversed(raw.list_unfinished(job.lake)):
        earlier = raw.read_request(job.lake, batch) if taken is None else None
        if earlier is not None and _same(earlier, request) and _is_recent(job, earlier, request):
            taken = _read_pages(job, batch, earlier)
        if taken is None or taken.id != batch:
            raw.drop_batch(job.lake, batch)
    if taken is not None:
        log.info("going on with the interrupted extraction %s after page %d", taken.id, len(taken.pages))
    return taken


def _is_recent(job: Job, earlier: BatchRequest, request: BatchRequest) -> bool:
    newest = max(raw.list_batches(job.lake), default="")
    age = request.began_at - earlier.began_at
    return age <= job.settings.resume_within and batch_id_after(earlier.began_at, None) > newest


def _same(earlier: BatchRequest, request: BatchRequest) -> bool:
    return (earlier.source, earlier.url, earlier.since, earlier.until, earlier.page_size) == (
        request.source,
        request.url,
        request.since,
        request.until,
        request.page_size,
    ) and {k: r.sha256 for k, r in earlier.references.items()} == {k: r.sha256 for k, r in request.references.items()}


def _read_pages(job: Job, batch: str, request: BatchRequest) -> _Batch:
    """The pages that were kept whole, up to the first that is missing or unreadable."""
    found = _Batch(batch, request, [], [], complete=False)
    while not found.complete:
        path = job.lake.raw / batch / raw.page_name(len(found.pages) + 1)
        try:
            body = path.read_bytes()
            head = read_head(body)
        except (OSError, NonsenseError):
            break
        found.pages.append(PageEntry(path.name, hashlib.sha256(body).hexdigest(), len(body), head.records))
        found.complete = head.next_cursor is None
        if head.next_cursor is not None:
            found.cursors.append(head.next_cursor)
    found.resumed = len(found.pages)
    return found


def _fetch(job: Job, client: OrdersClient, batch: _Batch) -> None:
    """Fetch the pages that are missing; each is on disk before the next is asked for."""
    if batch.complete:
        return
    folder = job.lake.raw / batch.id
    for page in client.pages(batch.request, seen=batch.cursors):
        name = raw.page_name(len(batch.pages) + 1)
        temporary = folder / f".{name}.tmp"
        written = job.lake.disk.write(temporary, page.body)
        job.lake.disk.rename(temporary, folder / name)
        batch.pages.append(PageEntry(name, written.sha256, written.bytes, page.head.records))
        if page.head.next_cursor is not None:
            batch.cursors.append(page.head.next_cursor)
        job.progress("extract", len(batch.pages), None if page.head.next_cursor is not None else len(batch.pages))
        job.checkpoint()


def _commit(job: Job, batch: _Batch) -> BatchMarker:
    request = batch.request
    ends = [moment for moment in (request.until, request.began_at) if moment is not None]
    marker = BatchMarker(
        batch=batch.id,
        source=request.source,
        url=request.url,
        since=request.since,
        until=request.until,
        window_end=min(ends),
        request=request,
        committed_at=job.now(),
        tool=f"ordersetl {__version__}",
        pages=tuple(batch.pages),
        references=request.references,
    )
    job.hold.require()
    raw.write_marker(job.lake, marker)
    return marker
