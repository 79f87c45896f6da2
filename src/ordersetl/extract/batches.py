"""Extract: fetch a window of orders page by page into the raw log, and commit it as one batch."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ordersetl.errors import ConfigError, CorruptedError, SourceError
from ordersetl.extract.coverage import Coverage, hash_batches, read_coverage
from ordersetl.lake import raw
from ordersetl.lake.layout import Lake, batch_id_after
from ordersetl.lake.raw import BatchMarker, BatchRequest, PageEntry
from ordersetl.results import ExtractResult
from ordersetl.runtime import RunContext
from ordersetl.source.answer import find_charset
from ordersetl.source.client import CursorRefusedError, OrdersClient, RepeatedError, max_records
from ordersetl.source.page import Page
from ordersetl.source.times import find_newest
from ordersetl.source.trail import PageTrail
from ordersetl.text import format_time
from ordersetl.version import __version__
from ordersetl.window import Window

__all__ = ["Origin", "PageWatcher", "ReferenceFile", "extract_orders"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """Where the orders come from: a kind of source and its base URL."""

    source: str
    url: str


@dataclass(frozen=True)
class ReferenceFile:
    """Content of a users or products file that is kept with the batch; ``kind`` is ``users`` or ``products``."""

    kind: str
    name: str
    body: bytes


PageWatcher = Callable[[str, BatchRequest, PageEntry, Page | None], None]
"""Called with each page on disk: its batch, what that asks for, its entry, and the page itself if just received."""


@dataclass
class _Batch:
    """A batch under way: its pages so far, how many of them an earlier run left, and what they have shown."""

    id: str
    request: BatchRequest
    trail: PageTrail
    pages: list[PageEntry] = field(default_factory=list)
    resumed: int = 0
    complete: bool = False


def extract_orders(
    context: RunContext,
    client: OrdersClient,
    origin: Origin,
    window: Window,
    references: Sequence[ReferenceFile] = (),
    *,
    on_page: PageWatcher | None = None,
) -> ExtractResult:
    """Fetch one window and commit it to the raw log as one batch.

    Without ``since`` (and not ``full``) the window begins at the end of the newest interval that batches of the same
    origin cover, less the lookback. An extraction of the same request that was interrupted goes on at the page where
    it stopped; one of another request is committed as well where all its pages are there, and dropped where not.

    Args:
        context: of the command.
        client: fetches the pages.
        origin: where from.
        window: what.
        references: users and products that are kept with the batch.
        on_page: called with each page of the batch, in their order, once it is on disk.

    Raises:
        ConfigError: the window is empty, once it is known where to continue.
        SourceError: the API failed for good; nothing is committed, and the pages so far are kept for the next run.
        CorruptedError: the marker that says where to continue is not what was written.
        StorageError: the disk refused.
        InterruptedRunError: a signal came; the pages so far are kept for the next run.
    """
    started = time.monotonic()
    request = _request(context, origin, window, references)
    batch = _resume(context, client, request) or _begin(context, client, request)
    try:
        _fetch(context, client, batch, on_page)
    except (CursorRefusedError, RepeatedError) as error:
        if not batch.resumed:
            raise
        log.warning("the interrupted extraction cannot go on (%s): fetching from the first page", error)
        raw.drop_batch(context.lake, batch.id)
        batch = _begin(context, client, request)
        _fetch(context, client, batch, on_page)
    marker, coverage = _commit(context, batch)
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
        gaps=coverage.gaps,
    )


def _request(context: RunContext, origin: Origin, window: Window, references: Sequence[ReferenceFile]) -> BatchRequest:
    began = context.now()
    since = window.since
    if since is None and not window.full:
        batches = raw.list_batches(context.lake)
        end = read_coverage(context.lake, batches, source=origin.source, url=origin.url, now=began).end
        since = end - context.settings.lookback if end else None
    if since is not None and window.until is not None and since >= window.until:
        raise ConfigError(
            f"the window is empty: this output continues from {format_time(since)}, which is not before until "
            f"{format_time(window.until)}",
            hint="Give --since too, or --full, to fetch again what lies before.",
        )
    return BatchRequest(
        source=origin.source,
        url=origin.url,
        since=since,
        until=window.until,
        page_size=context.settings.page_size,
        began_at=began,
        references={file.kind: raw.store_reference(context.lake, file.body, file.name) for file in references},
        continues=window.since is None,
    )


def _begin(context: RunContext, client: OrdersClient, request: BatchRequest) -> _Batch:
    newest = max(raw.list_batches(context.lake), default=None)
    batch = batch_id_after(request.began_at, newest)
    raw.write_request(context.lake, batch, request)
    return _Batch(batch, request, client.begin_trail(request))


def _resume(context: RunContext, client: OrdersClient, request: BatchRequest) -> _Batch | None:
    """The interrupted extraction of this very request, if one can be taken up.

    Of the others, those that lack nothing but their marker are committed (a marker may also have been deleted), and
    the rest is dropped.
    """
    taken: _Batch | None = None
    newest = max(raw.list_batches(context.lake), default="")
    for batch in reversed(raw.list_unfinished(context.lake)):
        earlier = raw.read_request(context.lake, batch)
        found = _read_pages(context, client, batch, earlier) if earlier is not None else None
        if found is not None and taken is None and _can_go_on(context, found, request, newest):
            log.info("going on with the interrupted extraction %s after page %d", found.id, len(found.pages))
            raw.prune_batch(context.lake, batch, pages=len(found.pages))
            taken = found
        elif found is not None and found.complete and found.request.source == request.source:
            log.warning("committing %s: all its pages were there, but not its marker", found.id)
            raw.prune_batch(context.lake, batch, pages=len(found.pages))
            newest = max(newest, _commit(context, found)[0].batch)
        else:
            raw.drop_unfinished(context.lake, batch)
    return taken


def _can_go_on(context: RunContext, found: _Batch, request: BatchRequest, newest: str) -> bool:
    """Whether it asked for the same, not too long ago, and no batch was committed since: ``newest`` is the last one.

    Its id is older than that of a batch committed since, so its newer pages would count as older.
    """
    age = request.began_at - found.request.began_at
    return _asked(found.request) == _asked(request) and age <= context.settings.resume_within and found.id > newest


def _asked(request: BatchRequest) -> object:
    """All of a request but when it began and what its files were called."""
    contents = {kind: entry.sha256 for kind, entry in request.references.items()}
    window = (request.since, request.until, request.continues)
    return request.source, request.url, window, request.page_size, contents


def _read_pages(context: RunContext, client: OrdersClient, batch: str, request: BatchRequest) -> _Batch:
    """The pages that were kept, up to the first that is missing, unreadable or no page that may follow.

    One that is not UTF-8 is fetched again: nothing says in which charset it came.
    """
    found = _Batch(batch, request, client.begin_trail(request))
    while not found.complete:
        number = len(found.pages) + 1
        body = raw.read_unfinished_page(context.lake, batch, number)
        if body is None:
            break
        try:
            page = Page(number, body, find_charset(body, ""), max_records(request))
            found.trail.admit(page.head)
        except SourceError:
            break
        newest = find_newest(page, request.began_at)
        digest = hashlib.sha256(body).hexdigest()
        found.pages.append(PageEntry(raw.page_name(number), digest, len(body), page.head.records, newest))
        found.complete = page.head.next_cursor is None
    found.resumed = len(found.pages)
    return found


def _fetch(context: RunContext, client: OrdersClient, batch: _Batch, on_page: PageWatcher | None) -> None:
    """Fetch the pages that are missing.

    While one page is awaited the one before it is written, and no more than that is under way: pages reach the disk
    one after the other. Waiting may end at any time, writing may not.
    """
    if on_page:
        for resumed in batch.pages:
            on_page(batch.id, batch.request, resumed, None)
    if batch.complete:
        return
    pages = client.pages(batch.request, batch.trail)
    page = _await_page(context, pages)
    while page is not None:
        context.lock.assert_held()  # the wait may have been long enough for another run to take the output over
        number = len(batch.pages) + 1
        writing = context.threads.submit(_keep_page, context.lake, batch.id, page, batch.request.began_at)
        written = page
        try:
            page = _await_page(context, pages)
        finally:
            batch.pages.append(writing.result())
        if on_page:
            on_page(batch.id, batch.request, batch.pages[-1], written)
        context.progress("extract", number, number if page is None else None)


def _keep_page(lake: Lake, batch: str, page: Page, began_at: datetime) -> PageEntry:
    newest = find_newest(page, began_at)
    records = page.head.records
    return raw.write_page(lake, batch, page.number, page.body, records=records, newest=newest, charset=page.charset)


def _await_page(context: RunContext, pages: Iterator[Page]) -> Page | None:
    """The next page, None after the last; a signal ends the wait at once."""
    context.checkpoint()
    with context.runtime.interruptible():
        return next(pages, None)


def _commit(context: RunContext, batch: _Batch) -> tuple[BatchMarker, Coverage]:
    """Write the marker, the last thing of a batch to become durable; and what is covered now."""
    request, now = batch.request, context.now()
    batches = raw.list_batches(context.lake)
    covered_of = hash_batches(sorted([*batches, batch.id]))
    try:
        before = read_coverage(context.lake, batches, source=request.source, url=request.url, now=now)
    except CorruptedError:
        before, covered_of = Coverage(), ""  # the next run that needs to know reads all markers, and names this one
    coverage, end = before.add(request, batch.pages)
    marker = BatchMarker(
        batch=batch.id,
        source=request.source,
        url=request.url,
        since=request.since,
        until=request.until,
        window_end=end,
        request=request,
        committed_at=now,
        tool=f"ordersetl {__version__}",
        pages=tuple(batch.pages),
        references=request.references,
        format=raw.FORMAT,
        shown=coverage.shown,
        covered=coverage.intervals,
        covered_of=covered_of,
    )
    context.lock.assert_held()
    raw.write_marker(context.lake, marker)
    return marker, coverage
