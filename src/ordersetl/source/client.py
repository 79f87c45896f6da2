"""The HTTP client: one page after the other, retried with exponential backoff, bounded in size and time."""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from ordersetl.errors import InvalidResponseError, SourceError
from ordersetl.lake.raw import BatchRequest
from ordersetl.settings import Settings
from ordersetl.source.answer import CharsetError, describe_body, find_charset, look_at, quote_text
from ordersetl.source.attempt import Answer, Attempts, CursorRefusedError, TryAgainError
from ordersetl.source.pace import Pace, read_rate_limit
from ordersetl.source.page import NotJsonError, Page
from ordersetl.source.trail import PageTrail, RepeatedError
from ordersetl.source.transport import open_http
from ordersetl.text import format_time

__all__ = ["CursorRefusedError", "OrdersClient", "RepeatedError", "max_records", "open_http"]

log = logging.getLogger(__name__)

_MIN_RECORDS, _SPARE_RECORDS = 100_000, 100
_MAX_PROBLEM = 400


def max_records(request: BatchRequest) -> int:
    """Records that one page may hold: far more than were asked for, which an API may ignore, but not without end."""
    return max(_MIN_RECORDS, _SPARE_RECORDS * request.page_size)


class OrdersClient:
    """Fetches the pages of one request.

    Args:
        http: an open client; tests give one with a transport of their own.
        settings: retries, time and size limits.
        sleep: how to wait, in seconds; tests give one that does not.
        now: clock for a Retry-After that is a date.
        clock: seconds that only go forward, for the time an answer may take.
        pace: of requests, shared by all clients of one API; None for one of its own.

    Attributes:
        retries: Attempts after the first, over all pages.
    """

    def __init__(
        self,
        http: httpx.Client,
        settings: Settings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        pace: Pace | None = None,
    ) -> None:
        self._settings = settings
        self._secret = settings.api_token.get_secret_value() if settings.api_token else None
        self._attempts = Attempts(http, settings, now=now, clock=clock)
        self._pace = pace or Pace(settings.max_requests_per_second, clock=clock)
        self._sleep = sleep
        self._now = now
        self._backoff = wait_exponential(multiplier=0.5, max=30) + wait_random(0, 0.5)
        self._retrying = Retrying(
            retry=retry_if_exception_type(TryAgainError),
            wait=self._pause,
            stop=self._is_over,
            before_sleep=self._note_retry,
            sleep=sleep,
            reraise=True,
        )
        self.retries = 0

    def pages(self, request: BatchRequest, trail: PageTrail | None = None) -> Iterator[Page]:
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
        cursor = trail.cursors[-1] if trail.cursors else None
        while True:
            page = self._page(request, cursor, trail)
            cursor = page.head.next_cursor
            yield page
            if cursor is None:
                return

    def begin_trail(self, request: BatchRequest) -> PageTrail:
        """The trail of a batch that begins."""
        open_window = request.since is None and request.until is None
        return PageTrail(open_window=open_window, max_pages=self._settings.max_pages)

    def _page(self, request: BatchRequest, cursor: str | None, trail: PageTrail) -> Page:
        params = {"limit": str(request.page_size)}
        if request.since is not None:
            params["updated_since"] = format_time(request.since.astimezone(UTC))
        if request.until is not None:
            params["updated_until"] = format_time(request.until.astimezone(UTC))
        if cursor is not None:
            params["cursor"] = cursor
        url = f"{request.url}/orders"
        try:
            answer = self._retrying(self._ask, url, params)
        except TryAgainError as error:
            attempts = self._retrying.statistics["attempt_number"]
            failed = "failed" if attempts == 1 else f"failed {attempts} times, the last time"
            asked = "" if error.wait_s is None else f"; it asked to wait {error.wait_s:.0f} s"
            raise SourceError(
                f"{url} {failed}: {error}{asked}",
                hint="Nothing was lost: run the same command later, and it goes on at the page where it stopped.",
            ) from error
        return self._read_page(answer, url, request, trail)

    def _ask(self, url: str, params: dict[str, str]) -> Answer:
        """One attempt, in its turn; what the API says of its limits slows all who ask it."""
        if (wait_s := self._pace.take_turn()) > 0:
            self._sleep(wait_s)
        try:
            answer = self._attempts.get(url, params)
        except TryAgainError as error:
            if error.wait_s is not None:
                self._pace.hold(error.wait_s)  # for the others: this one waits before it tries again
            raise
        if (wait := read_rate_limit(answer.headers, self._now())) is not None:
            self._pace.hold(min(wait, self._settings.retry_total_s))
        return answer

    def _read_page(self, answer: Answer, url: str, request: BatchRequest, trail: PageTrail) -> Page:
        try:
            charset = find_charset(answer.body, answer.headers.get("Content-Type", ""))
            page = Page(trail.pages + 1, answer.body, charset, max_records(request))
            trail.admit(page.head, answer.headers.multi_items())
        except InvalidResponseError as error:
            description = describe_body(answer.body, answer.headers, self._secret)
            problem = error.message
            looks = look_at(answer.body)
            if isinstance(error, NotJsonError) and not (isinstance(error, CharsetError) and looks.startswith("JSON")):
                problem = f"the page is not JSON; it looks like {looks}"
            problem = quote_text(problem, self._secret, most=_MAX_PROBLEM)
            message = f"{url}{answer.route} answered HTTP 200, but {problem} ({description})"
            raise type(error)(message, hint=error.hint) from None
        return page

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: the backoff, or what the server asked for where that is longer."""
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.wait_s if isinstance(failure, TryAgainError) else None
        return max(self._backoff(state), asked or 0.0)

    def _is_over(self, state: RetryCallState) -> bool:
        return (
            state.attempt_number > self._settings.max_retries
            or state.idle_for + state.upcoming_sleep > self._settings.retry_total_s
        )

    def _note_retry(self, state: RetryCallState) -> None:
        self.retries += 1
        failure = state.outcome.exception() if state.outcome else None
        log.info("%s; trying again in %.1f s (attempt %d)", failure, state.upcoming_sleep, state.attempt_number + 1)
