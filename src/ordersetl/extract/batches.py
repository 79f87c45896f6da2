"""Extract: fetch a window of orders page by page into the raw log, and commit it as one batch if it brings news."""

import time
from collections.abc import Iterator, Sequence
from functools import partial

from ordersetl.errors import ConfigError
from ordersetl.extract.batch import Batch, PageWatcher, begin_batch, fetch_batch
from ordersetl.extract.coverage import read_coverage
from ordersetl.extract.news import settle_batch
from ordersetl.extract.origin import Origin, ReferenceFile
from ordersetl.extract.unfinished import take_up
from ordersetl.lake.kept_files import store_description, store_reference
from ordersetl.lake.listing import list_batches
from ordersetl.lake.raw import BatchRequest, PageEntry
from ordersetl.results import ExtractResult
from ordersetl.runtime import RunContext
from ordersetl.source.client import OrdersClient
from ordersetl.source.description.kept import hash_mapping
from ordersetl.source.page import Page
from ordersetl.source.slices import find_youngest
from ordersetl.text import format_time
from ordersetl.window import Window

__all__ = ["PageWatcher", "commit_result", "extract_orders", "make_request"]


def extract_orders(
    context: RunContext,
    client: OrdersClient,
    origin: Origin,
    window: Window,
    references: Sequence[ReferenceFile] = (),
    *,
    on_page: PageWatcher | None = None,
) -> ExtractResult:
    """Fetch one window and commit it to the raw log as one batch; one that brings nothing new is dropped again.

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
    request = make_request(context, origin, window, references)
    batch = take_up(context, client, [request])[0]
    if batch is None:
        newest = max(list_batches(context.lake), default="")
        batch = begin_batch(context, client, request, newest=newest)

    records = 0

    def tell(entry: PageEntry, page: Page | None) -> None:
        if on_page:
            on_page(batch.id, batch.request, entry, page)
        nonlocal records
        records += entry.records
        pages = len(batch.pages)
        context.progress("extract", pages, pages if batch.complete else None, records)

    fetch_batch(context, client, batch, partial(_await_page, context), tell)
    return commit_result(context, batch, retries=client.retries, started=started)


def commit_result(context: RunContext, batch: Batch, *, retries: int, started: float) -> ExtractResult:
    """Commit a batch that is complete, or drop it where it brings nothing new.

    ``started`` is when its fetch began, by the monotonic clock.
    """
    request, settled = batch.request, settle_batch(context, batch)
    return ExtractResult(
        batch=settled.batch,
        source=request.source,
        url=request.url,
        since=request.since,
        until=request.until,
        window_end=settled.window_end,
        pages=len(batch.pages),
        records=batch.records,
        bytes=sum(page.bytes for page in batch.pages),
        retries=retries,
        resumed_pages=batch.resumed,
        seconds=time.monotonic() - started,
        gaps=settled.coverage.gaps,
        asked=settled.coverage.find_asked(request),
    )


def make_request(
    context: RunContext, origin: Origin, window: Window, references: Sequence[ReferenceFile]
) -> BatchRequest:
    """What a batch asks for: the window, from where the batches so far end unless it says otherwise.

    Raises:
        ConfigError: it is empty, once it is known where to continue.
    """
    began = context.now()
    since = window.since
    if since is None and not window.full:
        end = read_coverage(context.lake, list_batches(context.lake), origin, now=began).end
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
        page_size=origin.page_size or context.settings.page_size,
        began_at=began,
        references={file.kind: store_reference(context.lake, file.body, file.name) for file in references},
        continues=window.since is None,
        description=store_description(context.lake, origin.description.body),
        mapping=hash_mapping(origin.description.description),
        selection=origin.selection,
        shown_until=find_youngest(origin.description.description.window, began),
    )


def _await_page(context: RunContext, pages: Iterator[Page]) -> Page | None:
    """The next page, None after the last; a signal ends the wait at once."""
    context.checkpoint()
    with context.runtime.interruptible():
        return next(pages, None)
