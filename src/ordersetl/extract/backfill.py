"""Backfill: a long window cut into shorter ones, several of which are fetched at a time, each a batch of its own."""

import hashlib
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial

import msgspec

from ordersetl.errors import ConfigError, InterruptedRunError
from ordersetl.extract.batch import Batch, begin_batch, fetch_batch
from ordersetl.extract.batches import commit_result, make_request
from ordersetl.extract.coverage import have_one_origin, is_settled, read_coverage
from ordersetl.extract.origin import Origin, ReferenceFile
from ordersetl.extract.unfinished import take_up
from ordersetl.lake import raw
from ordersetl.lake.listing import list_batches
from ordersetl.lake.raw import BatchRequest, PageEntry
from ordersetl.results import BackfillResult, ExtractResult
from ordersetl.runtime import RunContext
from ordersetl.source.client import OrdersClient
from ordersetl.source.page import Page
from ordersetl.text import format_time
from ordersetl.window import Window

__all__ = ["ClientOpener", "cut_windows", "extract_windows"]

ClientOpener = Callable[[Callable[[float], None]], AbstractContextManager[OrdersClient]]
"""Opens a client with a connection of its own, which waits by the given function; all of them keep one pace.

Windows wait by a function of their own, not by the runtime's: only the main thread learns of signals."""

_MAX_WINDOWS = 10_000


def cut_windows(window: Window, span: timedelta, now: datetime) -> list[Window]:
    """The windows that a window is cut into, oldest first; they only depend on ``since``, ``until`` and the span.

    The last one is as open as the whole.

    Raises:
        ConfigError: there is no ``since`` to begin at, or there would be too many of them.
    """
    if window.since is None:
        raise ConfigError("--window needs --since, where the first window begins", hint="Give --since.")
    if not timedelta(0) < span:
        raise ConfigError("--window must be longer than nothing", hint="Give a span such as 7d or 12h.")
    end = window.until or now
    count = max(1, -((window.since - end) // span))
    if count > _MAX_WINDOWS:
        raise ConfigError(
            f"--window cuts {format_time(window.since)} to {format_time(end)} into {count:,} windows",
            hint=f"Give a longer span: {_MAX_WINDOWS:,} windows are the most.",
        )
    begins = [window.since + at * span for at in range(count)]
    return [Window(since, until) for since, until in zip(begins, [*begins[1:], window.until], strict=True)]


class _Work(msgspec.Struct):
    """What the windows that are under way share: how they are told to end, and what they report."""

    stop: threading.Event = msgspec.field(default_factory=threading.Event)
    events: "queue.SimpleQueue[Future[int] | tuple[Batch, PageEntry]]" = msgspec.field(
        default_factory=queue.SimpleQueue
    )

    def await_page(self, pages: Iterator[Page]) -> Page | None:
        """The next page of a window, unless the command ends."""
        self._require_going()
        return next(pages, None)

    def sleep(self, seconds: float) -> None:
        """Sleep, but end when the command does."""
        self.stop.wait(seconds)
        self._require_going()

    def note_page(self, batch: Batch, entry: PageEntry, page: Page | None) -> None:
        """Report a page that is on disk, unless an earlier run left it there."""
        if page is not None:
            self.events.put((batch, entry))

    def _require_going(self) -> None:
        if self.stop.is_set():
            raise InterruptedRunError("ended with the command")


def extract_windows(
    context: RunContext,
    open_client: ClientOpener,
    origin: Origin,
    windows: Sequence[Window],
    references: Sequence[ReferenceFile] = (),
    *,
    concurrency: int,
) -> BackfillResult:
    """Fetch the windows, so many at a time, and commit each as a batch as soon as it is complete.

    A window that a batch was fetched for more than a day after its end is not fetched again. One that was interrupted
    goes on at its page; where the API no longer knows the page's cursor, it begins again. Where one fails, the others
    end at their next page, and their pages are kept.

    Args:
        context: of the command.
        open_client: a client for each window.
        origin: where from.
        windows: what, oldest first; they do not overlap.
        references: users and products that are kept with each batch.
        concurrency: most windows under way.

    Raises:
        SourceError: the API failed for good in one of them.
        CorruptedError: the marker of a batch is not what was written.
        StorageError: the disk refused.
        InterruptedRunError: a signal came; the pages so far are kept for the next run.
    """
    started = time.monotonic()
    covered = _list_covered(context, origin, references)
    missing = [window for window in windows if (window.since, window.until) not in covered]
    results = []
    if missing:
        first = make_request(context, origin, missing[0], references)
        whole = windows[0].since, windows[-1].until
        requests = [
            msgspec.structs.replace(first, since=window.since, until=window.until, part_of=whole) for window in missing
        ]
        results = _fetch_all(context, open_client, requests, concurrency)
    lake, lookback = context.lake, context.settings.lookback
    coverage = read_coverage(lake, list_batches(lake), origin, now=context.now(), lookback=lookback)
    return BackfillResult(
        source=origin.source,
        url=origin.url,
        since=windows[0].since,
        until=windows[-1].until,
        windows=tuple(results),
        windows_covered=len(windows) - len(missing),
        pages=sum(result.pages for result in results),
        records=sum(result.records for result in results),
        bytes=sum(result.bytes for result in results),
        retries=sum(result.retries for result in results),
        resumed_pages=sum(result.resumed_pages for result in results),
        seconds=time.monotonic() - started,
        gaps=coverage.gaps,
        asked=max(filter(None, (result.asked for result in results)), default=None),
    )


def _list_covered(
    context: RunContext, origin: Origin, references: Sequence[ReferenceFile]
) -> set[tuple[datetime | None, datetime | None]]:
    """Windows that a batch of this origin was fetched for more than a day after they ended, so that nothing is missing.

    None where a reference file is given that is not the one of its kind that came last: the windows that are fetched
    keep it.
    """
    markers = [raw.read_marker(context.lake, batch) for batch in list_batches(context.lake)]
    ours = [marker for marker in markers if have_one_origin(marker.request, origin)]
    in_force = {kind: entry.sha256 for marker in markers for kind, entry in marker.references.items()}
    if any(hashlib.sha256(file.body).hexdigest() != in_force.get(file.kind) for file in references):
        return set()
    return {(marker.request.covered_since, marker.until) for marker in ours if is_settled(marker.request)}


def _fetch_all(
    context: RunContext, open_client: ClientOpener, requests: Sequence[BatchRequest], concurrency: int
) -> list[ExtractResult]:
    """Fetch a batch a request, and commit them in the order of the requests.

    So each marker can take all before it into account, and none turns up late. What is complete and must wait for its
    turn is on disk: should the command end, it lacks nothing but its marker.
    """
    work, started = _Work(), time.monotonic()
    with open_client(work.sleep) as client:  # asks nothing: it knows how a batch's pages follow one another
        taken = take_up(context, client, requests, in_order=False)
    newest = max([*list_batches(context.lake), *(batch.id for batch in taken if batch is not None)], default="")
    waiting = deque(zip(taken, requests, strict=True))
    under_way: deque[tuple[Batch, Future[int]]] = deque()
    results: list[ExtractResult] = []
    shown = _Shown()
    for batch in filter(None, taken):
        shown.pages += len(batch.pages)
        shown.records[batch.id] = batch.records
    with ThreadPoolExecutor(concurrency, thread_name_prefix="window") as pool:
        try:
            while waiting or under_way:
                while waiting and sum(not future.done() for _, future in under_way) < concurrency:
                    found, request = waiting.popleft()
                    batch = found or begin_batch(context, client, request, newest=newest)
                    newest = max(newest, batch.id)
                    future = pool.submit(_fetch_window, context, open_client, work, batch)
                    under_way.append((batch, future))
                    future.add_done_callback(work.events.put)
                failed = next((future for _, future in under_way if future.done() and future.exception()), None)
                if failed is not None:
                    failed.result()
                while under_way and under_way[0][1].done():
                    batch, future = under_way.popleft()
                    results.append(commit_result(context, batch, retries=future.result(), started=started))
                    context.progress("windows", len(results), len(requests))
                if under_way and isinstance(event := _await_event(context, work), tuple):
                    shown.add(context, *event)
        finally:
            work.stop.set()  # those under way end at their next page; the pool waits for them
    return results


class _Shown(msgspec.Struct):
    """What progress has shown: pages of all windows, and records of each by its batch."""

    pages: int = 0
    records: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, context: RunContext, batch: Batch, entry: PageEntry) -> None:
        """Show one more page, of all windows and of its own."""
        self.pages += 1
        self.records[batch.id] += entry.records
        context.progress("pages", self.pages, None, self.records.total())
        pages, since = len(batch.pages), batch.request.since
        name = f"window {format_time(since) if since else 'from the beginning'}"
        context.progress(name, pages, pages if batch.complete else None, self.records[batch.id])


def _await_event(context: RunContext, work: _Work) -> "Future[int] | tuple[Batch, PageEntry]":
    """The next window that is done, or the batch and entry of the next page; a signal ends the wait at once."""
    context.checkpoint()
    with context.runtime.interruptible():
        return work.events.get()


def _fetch_window(context: RunContext, open_client: ClientOpener, work: _Work, batch: Batch) -> int:
    """Fetch what is missing of one window; how many attempts had to be repeated."""
    with open_client(work.sleep) as client:
        fetch_batch(context, client, batch, work.await_page, partial(work.note_page, batch))
        return client.retries
