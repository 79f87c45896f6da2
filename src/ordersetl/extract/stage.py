"""The stage as a whole: from settings and a window to one committed batch, or to several."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from ordersetl.errors import ConfigError
from ordersetl.extract.backfill import ClientOpener, cut_windows, extract_windows
from ordersetl.extract.batch import PageWatcher
from ordersetl.extract.batches import extract_orders
from ordersetl.extract.origin import (
    Origin,
    ReferenceFile,
    choose_origin,
    choose_transport,
    read_references,
    require_one_source,
)
from ordersetl.extract.unfinished import remake_markers
from ordersetl.lake.layout import Lake
from ordersetl.results import BackfillResult, ExtractResult
from ordersetl.runtime import RunContext, Runtime
from ordersetl.settings import Settings
from ordersetl.source.client import OrdersClient, open_http
from ordersetl.source.session import SourceSession
from ordersetl.text import format_time
from ordersetl.window import Backfill, Window

__all__ = ["ExtractPlan", "extract", "prepare", "prepare_clients"]


class ExtractPlan(msgspec.Struct, frozen=True):
    """Where from, what and with which reference files; ``windows`` are what a backfill is cut into, or empty.

    ``session`` is what all clients share of the origin.
    """

    origin: Origin
    session: SourceSession
    window: Window
    references: list[ReferenceFile]
    windows: tuple[Window, ...] = ()
    concurrency: int = 1


def prepare(
    settings: Settings,
    window: Window,
    users: Path | None,
    products: Path | None,
    runtime: Runtime,
    *,
    backfill: Backfill | None,
) -> ExtractPlan:
    """Plan an extraction: all that was given is found usable before the output is touched.

    Raises:
        ConfigError: it is not.
    """
    if backfill and backfill.concurrency < 1:
        raise ConfigError(f"a concurrency of {backfill.concurrency} fetches nothing", hint="Give 1 or more.")
    now = runtime.now()
    window, origin = _read_window(window, now), choose_origin(settings)
    windows = tuple(cut_windows(window, backfill.span, now)) if backfill else ()
    session = _open_session(settings, origin, runtime)
    session.warn_unencrypted()
    with runtime.interruptible():  # a pipe may keep it waiting
        references = read_references(settings, origin, users, products, Lake(settings.output))
    return ExtractPlan(origin, session, window, references, windows, backfill.concurrency if backfill else 1)


def extract(
    context: RunContext, plan: ExtractPlan, *, verify: bool = False, on_page: PageWatcher | None = None
) -> ExtractResult | BackfillResult:
    """Fetch what is planned, and commit it.

    Args:
        context: of the command.
        plan: what :func:`prepare` made.
        verify: look at each batch first, and make again the markers that old ones lost.
        on_page: called with each page of a single batch once it is on disk.

    Raises:
        OrdersetlError: as :func:`ordersetl.extract.batches.extract_orders` says.
    """
    settings, runtime = context.settings, context.runtime
    is_meant = settings.source is not None or settings.api_url is not None
    require_one_source(context.lake, plan.origin, is_meant=is_meant)
    open_client = prepare_clients(settings, plan, runtime)
    if verify:
        with open_client(runtime.sleep) as client:  # asks nothing
            remake_markers(context, client, plan.origin.source)
    if plan.windows:
        return extract_windows(
            context, open_client, plan.origin, plan.windows, plan.references, concurrency=plan.concurrency
        )
    with open_client(runtime.sleep) as client:
        return extract_orders(context, client, plan.origin, plan.window, plan.references, on_page=on_page)


def prepare_clients(settings: Settings, plan: ExtractPlan, runtime: Runtime) -> ClientOpener:
    """Opens clients of an origin, which share what a command knows of it."""
    open_more = partial(open_http, settings, choose_transport(plan.origin) or runtime.transport)

    @contextmanager
    def open_client(sleep: Callable[[float], None]) -> Iterator[OrdersClient]:
        def wait(seconds: float) -> None:
            runtime.on_wait(seconds)
            sleep(seconds)

        with (
            open_more() as http,
            closing(
                OrdersClient(http, settings, session=plan.session, open_more=open_more, sleep=wait, now=runtime.now)
            ) as client,
        ):
            yield client

    return open_client


def _open_session(settings: Settings, origin: Origin, runtime: Runtime) -> SourceSession:
    """What all clients of a command share of its origin."""
    return SourceSession(origin.description.description, origin.url, origin.variables, settings, now=runtime.now)


def _read_window(window: Window, now: datetime) -> Window:
    """The window in aware UTC.

    Raises:
        ConfigError: it is empty, or begins in the future.
    """
    since, until = (
        time and (time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC))
        for time in (window.since, window.until)
    )
    if since is not None and until is not None and since >= until:
        raise ConfigError(
            f"the window is empty: since {format_time(since)} is not before until {format_time(until)}",
            hint="Give --since an earlier time than --until.",
        )
    if since is not None and since > now:
        raise ConfigError(
            f"since {format_time(since)} lies in the future: it is now {format_time(now)}",
            hint="Look at the year of --since, and at this machine's clock.",
        )
    return Window(since, until, full=window.full)
