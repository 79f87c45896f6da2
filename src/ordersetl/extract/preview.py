"""The first page of a source, fetched to be looked at: nothing of it is kept."""

import time

import msgspec

from ordersetl.errors import ConfigError
from ordersetl.extract.stage import ExtractPlan, prepare_clients
from ordersetl.lake.raw import BatchRequest
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings
from ordersetl.source.description.model import Description
from ordersetl.source.page import Page

__all__ = ["FirstPage", "fetch_first_page"]


class FirstPage(msgspec.Struct, frozen=True):
    """A page, what was asked for, how it is mapped (None: its records are orders as they are), and seconds it took."""

    page: Page
    request: BatchRequest
    description: Description
    seconds: float


def fetch_first_page(settings: Settings, plan: ExtractPlan, runtime: Runtime, *, orders: int) -> FirstPage:
    """The first page that has records, or the last one.

    Args:
        settings: where from, how patiently.
        plan: of an extraction of a single window.
        runtime: of the command.
        orders: so many are asked for, or as many as the source gives at once.

    Raises:
        ConfigError: ``orders`` is less than one.
        SourceError: the API failed for good.
    """
    if orders < 1:
        raise ConfigError(f"a preview of {orders} orders shows nothing", hint="Give --preview 1 or more.")
    started, origin = time.monotonic(), plan.origin
    description = origin.description.description
    request = BatchRequest(
        source=origin.source,
        url=origin.url,
        since=plan.window.since,
        until=plan.window.until,
        page_size=min(orders, description.request.max_page_size),
        began_at=runtime.now(),
        continues=plan.window.since is None,
    )
    runtime.checkpoint()
    with prepare_clients(settings, plan, runtime)(runtime.sleep) as client, runtime.interruptible():
        for page in client.pages(request):  # the last one counts
            if page.head.records:
                break
    return FirstPage(page, request, description, time.monotonic() - started)
