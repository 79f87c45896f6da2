"""The client of a source: the pages of a window, one after the other, complete or none."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import httpx
import msgspec

from ordersetl.errors import InvalidResponseError
from ordersetl.lake.raw import BatchRequest
from ordersetl.settings import Settings
from ordersetl.source.ask import Answer, Ask, CursorRefusedError
from ordersetl.source.asker import Asker
from ordersetl.source.calls import CallFetcher
from ordersetl.source.described import DescribedPages
from ordersetl.source.description.model import Description
from ordersetl.source.page import Page
from ordersetl.source.position import Position
from ordersetl.source.reading import explain_problem, open_page
from ordersetl.source.session import SourceSession, fill_headers, generic_session
from ordersetl.source.slices import Slice, write_bounds
from ordersetl.source.template import Value, fill_params
from ordersetl.source.trail import PageTrail, RepeatedError
from ordersetl.source.transport import open_http
from ordersetl.source.traversal import Traversal

__all__ = ["CursorRefusedError", "OrdersClient", "RepeatedError", "Trail", "max_records", "open_http"]

Trail = PageTrail | Traversal
"""The pages of a batch so far: of the generic API, or of a described source."""

_MIN_RECORDS, _SPARE_RECORDS = 100_000, 100


def max_records(request: BatchRequest) -> int:
    """Records that one page may hold: far more than were asked for, which an API may ignore, but not without end."""
    return max(_MIN_RECORDS, _SPARE_RECORDS * request.page_size)


class OrdersClient:
    """Fetches the pages of one request at a time.

    Args:
        http: an open client; tests give one with a transport of their own.
        settings: retries, time and size limits.
        session: of the source, shared by all clients of a command; the generic API's if None.
        open_more: opens another http client, for calls that are made at the same time; None makes them one by one.
        sleep: how to wait, in seconds; tests give one that does not.
        now: clock for a Retry-After that is a date.
        clock: seconds that only go forward, for the time an answer may take.
    """

    def __init__(
        self,
        http: httpx.Client,
        settings: Settings,
        *,
        session: SourceSession | None = None,
        open_more: Callable[[], httpx.Client] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session or generic_session(settings.api_url or "", settings, now=now, clock=clock)
        self._http = http
        self._settings = settings
        self._stack = ExitStack()

        def open_asker(another: httpx.Client) -> Asker:
            return Asker(
                another,
                settings,
                login=self._session.login,
                secrets=self._session.secrets,
                pace=self._session.pace,
                sleep=sleep,
                now=now,
                clock=clock,
                read_wait=self._session.throttling.read_refusal,
            )

        self._asker = open_asker(http)
        more = (lambda: open_asker(self._stack.enter_context(open_more()))) if open_more is not None else None
        self._calls = CallFetcher(self._session, self._asker, more)
        self._described = DescribedPages(self._session, self._asker, self._calls, now=now)

    @property
    def session(self) -> SourceSession:
        """Of the source."""
        return self._session

    @property
    def retries(self) -> int:
        """Attempts after the first, over all answers."""
        return self._asker.retries

    def close(self) -> None:
        """Close the connections that it opened itself."""
        self._stack.close()

    def pages(self, request: BatchRequest, trail: Trail | None = None) -> Iterator[Page]:
        """Pages after those of ``trail`` (from the first where it is empty) to the end; each is added to it.

        A fetch is complete or it raises: there is no early end.

        Raises:
            CursorRefusedError: the API answered 4xx to a cursor.
            RepeatedError: it named a cursor, or sent records, for the second time.
            InvalidResponseError: a page is not JSON, has no list of orders, is incomplete, or is one of endless empty
                ones.
            SourceError: the API refused, or kept failing.
        """
        trail = trail or self.begin_trail(request)
        if isinstance(trail, Traversal):
            return self._described.pages(request, trail, max_records(request))
        return self._generic_pages(request, trail)

    def describe_as(self, description: Description) -> "OrdersClient":
        """One for pages that were fetched by another description of the source: what they hold is that one's to say."""
        session = SourceSession(description, self._session.url, {}, self._settings)
        return OrdersClient(self._http, self._settings, session=session)

    def begin_trail(self, request: BatchRequest) -> Trail:
        """The trail of a batch that begins."""
        if self._session.shape is None:
            open_window = request.since is None and request.until is None
            return PageTrail(open_window=open_window, max_pages=self._settings.max_pages)
        return self._traverse(request, Position())

    def resume_trail(self, request: BatchRequest, position: bytes, *, now: datetime) -> Traversal | None:
        """The trail of a batch of a described source that goes on; None where nobody can tell where."""
        try:
            trail = self._traverse(request, msgspec.json.decode(position, type=Position))
        except (msgspec.DecodeError, RecursionError):
            return None
        trail.drop_expired(now)
        return trail

    def is_complete(self, page: Page) -> bool:
        """Whether a page of a described source has what calls answered for it, if it needs any."""
        return page.calls is not None or not self._calls.is_needed(page)

    def _traverse(self, request: BatchRequest, position: Position) -> Traversal:
        return Traversal(
            self._session.description, position, began_at=request.began_at, max_pages=self._settings.max_pages
        )

    def _generic_pages(self, request: BatchRequest, trail: PageTrail) -> Iterator[Page]:
        cursor = trail.cursors[-1] if trail.cursors else None
        while True:
            page = self._page(request, cursor, trail)
            cursor = page.head.next_cursor
            yield page
            if cursor is None:
                return

    def _page(self, request: BatchRequest, cursor: str | None, trail: PageTrail) -> Page:
        """The next page of the generic API, whose envelope the description does not say all of."""
        how = self._session.description.request
        values: dict[str, Value] = {"page_size": request.page_size}
        values.update(write_bounds(self._session.description.window, Slice(request.since, request.until)))
        if cursor is not None:
            values["cursor"] = cursor
        url, headers = f"{request.url}{how.path}", fill_headers(self._session, values)
        params = fill_params(how.params, values)
        ask = Ask(url, params, how.method, headers, path=how.path, with_cursor=cursor is not None)

        def read(answer: Answer) -> Page:
            try:
                page = open_page(answer, trail.pages + 1, max_records(request), None)
                trail.admit(page.head, answer.headers.multi_items())
            except InvalidResponseError as error:
                raise explain_problem(error, ask, answer, self._session.secrets) from None
            return page

        return self._asker.ask(ask, read)
