"""The HTTP client: one page after the other, retried with exponential backoff, bounded in size and time."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from ordersetl import __version__
from ordersetl.errors import NonsenseError, SourceError
from ordersetl.lake.raw import BatchRequest
from ordersetl.settings import Settings
from ordersetl.source.page import PageHead, read_head

__all__ = ["CursorRefusedError", "OrdersClient", "ReceivedPage", "open_http"]

log = logging.getLogger(__name__)

_RETRIED = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_MOST_REDIRECTS = 5
_SLOWEST = 20
"""A response may take this many times ``timeout_s`` in all: a server that drips bytes is no server."""
_MOST_EMPTY_PAGES = 1000
_MIB = 1 << 20


class CursorRefusedError(SourceError):
    """The API answered 4xx to a cursor: after a pause it may have forgotten it."""


class _TryAgainError(Exception):
    """One attempt failed in a way that may pass; ``wait_s`` where the server said how long."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True)
class ReceivedPage:
    """A page as received, and its validated head."""

    body: bytes
    head: PageHead


def open_http(settings: Settings, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """Open an HTTP client with the tool's headers and timeouts; the token goes to the API's own host alone.

    httpx drops the Authorization header when a redirect leaves the origin.
    """
    headers = {"User-Agent": f"ordersetl/{__version__}", "Accept": "application/json"}
    if settings.api_token is not None and settings.api_token.get_secret_value():
        headers["Authorization"] = f"Bearer {settings.api_token.get_secret_value()}"
    return httpx.Client(
        headers=headers,
        timeout=settings.timeout_s,
        follow_redirects=True,
        max_redirects=_MOST_REDIRECTS,
        transport=transport,
    )


class OrdersClient:
    """Fetches the pages of one request.

    Args:
        http: an open client; tests give one with a transport of their own.
        settings: retries, time and size limits.
        sleep: how to wait, in seconds; tests give one that does not.
        now: clock for a Retry-After that is a date.
    """

    def __init__(
        self,
        http: httpx.Client,
        settings: Settings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = http
        self._settings = settings
        self._sleep = sleep
        self._now = now
        self._backoff = wait_exponential_jitter(initial=0.5, max=30, jitter=0.5)
        self.retries = 0

    def pages(self, request: BatchRequest, *, seen: list[str]) -> Iterator[ReceivedPage]:
        """Pages from the last cursor of ``seen`` on (from the first where it is empty) to the end.

        A fetch is complete or it raises: there is no early end.

        Raises:
            NonsenseError: a page is not JSON, has no list of orders, or repeats a cursor.
            SourceError: the API refused, or kept failing.
        """
        known = set(seen)
        cursor = seen[-1] if seen else None
        empty = 0
        while True:
            page = self._page(request, cursor)
            cursor = page.head.next_cursor
            if cursor in known:
                raise NonsenseError(
                    f"the API gave the cursor {cursor!r} a second time; its pages would never end",
                    hint="Nothing was committed. Report it to the API's makers, or try again later.",
                )
            empty = 0 if page.head.records else empty + 1
            if empty > _MOST_EMPTY_PAGES:
                raise NonsenseError(
                    f"the API sent {empty} empty pages in a row, each naming a next one",
                    hint="Nothing was committed. Report it to the API's makers, or try again later.",
                )
            yield page
            if cursor is None:
                return
            known.add(cursor)

    def _page(self, request: BatchRequest, cursor: str | None) -> ReceivedPage:
        params = {"limit": str(request.page_size)}
        if request.since is not None:
            params["updated_since"] = _iso(request.since)
        if request.until is not None:
            params["updated_until"] = _iso(request.until)
        if cursor is not None:
            params["cursor"] = cursor
        url = f"{request.url}/orders"
        waited = 0.0

        def wait(state: RetryCallState) -> float:
            failure = state.outcome.exception() if state.outcome else None
            asked = failure.wait_s if isinstance(failure, _TryAgainError) else None
            return self._backoff(state) if asked is None else asked

        def before_sleep(state: RetryCallState) -> None:
            nonlocal waited
            pause = state.next_action.sleep if state.next_action else 0.0
            waited += pause
            self.retries += 1
            failure = state.outcome.exception() if state.outcome else None
            log.info("%s; trying again in %.1f s (attempt %d)", failure, pause, state.attempt_number + 1)

        def stop(state: RetryCallState) -> bool:
            return stop_after_attempt(self._settings.max_retries + 1)(state) or (
                waited + wait(state) > self._settings.retry_total_s
            )

        retrying = Retrying(
            retry=retry_if_exception_type(_TryAgainError),
            wait=wait,
            stop=stop,
            before_sleep=before_sleep,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            body = retrying(self._get, url, params)
        except _TryAgainError as error:
            asked = "" if error.wait_s is None else f"; it asked to wait {error.wait_s:.0f} s"
            attempts = retrying.statistics.get("attempt_number", 1)
            raise SourceError(
                f"{url} failed {attempts} times, the last time: {error}{asked}",
                hint="Nothing was lost: run the same command later, and it goes on at the page where it stopped.",
            ) from error
        return ReceivedPage(body, read_head(body))

    def _get(self, url: str, params: dict[str, str]) -> bytes:
        """One attempt: the whole body of a 200, or the reason why not."""
        try:
            with self._http.stream("GET", url, params=params) as response:
                if response.status_code != HTTPStatus.OK:
                    raise self._refusal(url, response, with_cursor="cursor" in params)
                return self._read_body(url, response)
        except httpx.TooManyRedirects as error:
            raise SourceError(f"{url} redirects without end", hint="Look at --api-url.") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise SourceError(f"{url} cannot be requested: {error}", hint="Look at --api-url.") from error
        except httpx.RequestError as error:
            raise _TryAgainError(f"{type(error).__name__}: {error}") from error

    def _read_body(self, url: str, response: httpx.Response) -> bytes:
        most = self._settings.max_response_mb * _MIB
        deadline = time.monotonic() + _SLOWEST * self._settings.timeout_s
        chunks = []
        size = 0
        for chunk in response.iter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if size > most:
                raise SourceError(
                    f"{url} sent more than {self._settings.max_response_mb} MiB in one response",
                    hint="Ask for smaller pages (page_size), or raise max_response_mb.",
                )
            if time.monotonic() > deadline:
                raise _TryAgainError(f"the response took more than {_SLOWEST * self._settings.timeout_s:.0f} s")
        return b"".join(chunks)

    def _refusal(self, url: str, response: httpx.Response, *, with_cursor: bool) -> Exception:
        status = response.status_code
        said = f"HTTP {status} {response.reason_phrase}".strip()
        if status in _RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _TryAgainError(said, self._retry_after(response.headers.get("Retry-After")))
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            token = "the token was refused" if "Authorization" in self._http.headers else "no token is set"
            return SourceError(f"{url} answered {said}: {token}", hint="Set ORDERSETL_API_TOKEN to a valid token.")
        if with_cursor:
            return CursorRefusedError(f"{url} answered {said} to a cursor of its own", hint="Run the command again.")
        return SourceError(f"{url} answered {said}", hint="Look at --api-url: it must be the base that /orders follows.")

    def _retry_after(self, value: str | None) -> float | None:
        """Seconds that the server asks to wait, from seconds or an HTTP date (RFC 9110, section 10.2.3)."""
        if value is None:
            return None
        if value.strip().isdigit():
            return float(value)
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - self._now()).total_seconds())


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
