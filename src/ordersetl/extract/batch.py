"""One batch under way: its pages are fetched and written one after the other, and its marker commits it."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from datetime import datetime, timedelta
from functools import partial
from typing import Self

import msgspec

from ordersetl.errors import LockedError, StorageError
from ordersetl.extract.coverage import Coverage, hash_batches
from ordersetl.lake import raw, unfinished
from ordersetl.lake.layout import Lake, batch_id_after
from ordersetl.lake.raw import BatchMarker, BatchRequest, PageEntry
from ordersetl.runtime import RunContext
from ordersetl.source.client import CursorRefusedError, OrdersClient, RepeatedError, Trail
from ordersetl.source.page import Page
from ordersetl.source.times import find_newest
from ordersetl.source.trail import PageTrail
from ordersetl.version import __version__

__all__ = ["Batch", "PageWatcher", "begin_batch", "commit_batch", "fetch_batch"]

log = logging.getLogger(__name__)

_PAGES_UNDER_WAY = 8
_BYTES_UNDER_WAY = 1 << 26
"""Of the pages that are being written; a single one may be larger."""
_POSITION_EVERY = timedelta(seconds=0.25)
"""How often it is written where a batch goes on: a command that is killed fetches again what came since."""
_LOOK_EVERY = timedelta(seconds=0.25)
"""How often the lock is looked at while pages come; the commit looks again."""

PageWatcher = Callable[[str, BatchRequest, PageEntry, Page | None], None]
"""Called with each page on disk: its batch, what that asks for, its entry, and the page itself if just received."""


class Batch(msgspec.Struct):
    """A batch under way: its pages so far, how many of them an earlier run left, and what they have shown."""

    id: str
    request: BatchRequest
    trail: Trail
    pages: list[PageEntry] = msgspec.field(default_factory=list)
    resumed: int = 0
    complete: bool = False

    @property
    def records(self) -> int:
        """Records on its pages so far."""
        return sum(page.records for page in self.pages)


def begin_batch(context: RunContext, client: OrdersClient, request: BatchRequest, *, newest: str) -> Batch:
    """Begin a batch that sorts after the batch ``newest``; empty for none.

    Raises:
        StorageError: the disk refused, or no id sorts after ``newest``.
    """
    batch = batch_id_after(request.began_at, newest or None)
    raw.write_request(context.lake, batch, request)
    return Batch(batch, request, client.begin_trail(request))


def fetch_batch(
    context: RunContext,
    client: OrdersClient,
    batch: Batch,
    await_page: Callable[[Iterator[Page]], Page | None],
    on_page: Callable[[PageEntry, Page | None], None],
) -> None:
    """Fetch the pages that are missing; all of them, where the API cannot go on with those of an earlier run.

    While one page is awaited those before it are written, a few at a time, as each waits for the disk. They count in
    their order: what a batch goes on from has all pages before it.

    Args:
        context: of the command.
        client: fetches the pages.
        batch: gets them.
        await_page: returns the next page, None after the last; it may raise to end the fetch.
        on_page: called with each page that is on disk, the earlier run's too, and with itself if just received.

    Raises:
        LockedError: the lock was lost.
        SourceError: the API failed for good.
        StorageError: the disk refused.
    """
    try:
        _fetch_pages(context, client, batch, await_page, on_page)
    except (CursorRefusedError, RepeatedError) as error:
        if not (batch.resumed and isinstance(batch.trail, PageTrail)):  # another kind begins again by itself
            raise
        log.warning("the interrupted extraction %s cannot go on (%s): fetching from its first page", batch.id, error)
        unfinished.drop_batch(context.lake, batch.id)
        raw.write_request(context.lake, batch.id, batch.request)
        batch.pages, batch.resumed, batch.trail = [], 0, client.begin_trail(batch.request)
        _fetch_pages(context, client, batch, await_page, on_page)


def _fetch_pages(
    context: RunContext,
    client: OrdersClient,
    batch: Batch,
    await_page: Callable[[Iterator[Page]], Page | None],
    on_page: Callable[[PageEntry, Page | None], None],
) -> None:
    for resumed in batch.pages:
        on_page(resumed, None)
    if batch.complete:
        return
    pages = client.pages(batch.request, batch.trail)
    looked_at: datetime | None = None
    with _PageWriter(context, batch, on_page) as writer:
        page = await_page(pages)
        while page is not None:
            now = context.now()
            if looked_at is None or abs(now - looked_at) >= _LOOK_EVERY:
                context.lock.assert_held()  # another run may have taken the output over meanwhile
                looked_at = now
            _note_reach(context, client, batch)
            writer.put(page)
            page = await_page(pages)


def _note_reach(context: RunContext, client: OrdersClient, batch: Batch) -> None:
    """Keep since when the source shows orders, which is known with the first page, with what was asked."""
    request, reach = batch.request, client.session.find_reach(batch.request.began_at)
    since = max(filter(None, (request.shown_since, reach)), default=None)
    if since != request.shown_since:
        batch.request = msgspec.structs.replace(request, shown_since=since)
        raw.write_request(context.lake, batch.id, batch.request)


class _PageWriter:
    """Writes the pages of a batch beside their fetch. A context manager: at its end all of them are on disk."""

    def __init__(self, context: RunContext, batch: Batch, on_page: Callable[[PageEntry, Page | None], None]) -> None:
        self._context = context
        self._batch = batch
        self._on_page = on_page
        self._under_way: deque[tuple[Page, Future[PageEntry]]] = deque()
        self._newest: Page | None = None
        self._noted_at: datetime | None = None
        self._is_whole: bool | None = None  # while pages come nobody knows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._is_whole = error is None
        self._settle(0)
        if error is None or not issubclass(error, LockedError | StorageError):
            self._note_position(self._context.now())
        self._batch.complete = self._is_whole

    def put(self, page: Page) -> None:
        """Have a page written; waits while too many are under way."""
        batch = self._batch
        keep = partial(_keep_page, self._context.lake, batch.id, page, batch.request.began_at)
        self._under_way.append((page, self._context.threads.submit(keep)))
        self._settle(_PAGES_UNDER_WAY, least=1)  # nobody knows yet whether this one is the last
        now = self._context.now()
        if self._noted_at is None or abs(now - self._noted_at) >= _POSITION_EVERY:
            self._note_position(now)

    def _settle(self, most: int, *, least: int = 0) -> None:
        """Count the pages that are written, in their order, until no more than so many are under way."""
        under_way = self._under_way
        while len(under_way) > least and (under_way[0][1].done() or self._is_too_much(most)):
            page, written = under_way.popleft()
            try:
                entry = written.result()
            except BaseException:
                wait([future for _, future in under_way])
                under_way.clear()
                raise
            self._batch.pages.append(entry)
            self._newest = page
            self._batch.complete = bool(self._is_whole) and not under_way
            if self._is_whole is not False:
                self._on_page(entry, page)

    def _note_position(self, now: datetime) -> None:
        """Write where the batch goes on after the newest page that counts."""
        page, self._newest = self._newest, None
        if page is not None and page.position is not None:
            unfinished.write_position(self._context.lake, self._batch.id, page.number, page.position)
            self._noted_at = now

    def _is_too_much(self, most: int) -> bool:
        pages = len(self._under_way)
        return pages > most or (pages > 1 and sum(len(page.body) for page, _ in self._under_way) > _BYTES_UNDER_WAY)


def _keep_page(lake: Lake, batch: str, page: Page, began_at: datetime) -> PageEntry:
    return raw.write_page(
        lake,
        batch,
        page.number,
        page.body,
        records=page.head.records,
        newest=find_newest(page, began_at),
        charset=page.charset,
        calls=page.calls,
    )


def commit_batch(
    context: RunContext, batch: Batch, *, batches: Sequence[str], before: Coverage | None
) -> tuple[BatchMarker, Coverage]:
    """Write the marker, the last thing of a batch to become durable; and what is covered now.

    ``batches`` are those that are committed, ``before`` is what they cover; None where nobody can tell: then the next
    run that needs to know reads all markers.
    """
    request, now = batch.request, context.now()
    covered_of = "" if before is None else hash_batches(sorted({*batches, batch.id}))
    before = before or Coverage()
    coverage, end = before.add(request, batch.pages, context.settings.lookback)
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
        settled=coverage.settled,
    )
    context.lock.assert_held()
    raw.write_marker(context.lake, marker)
    return marker, coverage
