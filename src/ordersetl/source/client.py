"""The HTTP client: one page after the other, retried with exponential backoff, bounded in size and time."""

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from ordersetl import __version__
from ordersetl.errors import ConfigError, NonsenseError, SourceError
from ordersetl.lake.raw import BatchRequest
from ordersetl.settings import Settings
from ordersetl.source.page import PageHead, read_head

__all__ = ["CursorRefusedError", "CursorRepeatedError", "OrdersClient", "ReceivedPage", "open_http"]

log = logging.getLogger(__name__)

_CODINGS = {"", "identity", "gzip", "deflate"}
"""Of the body: what is asked for, each alone. The bound on a response's size holds for these: one piece of it grows at
most a thousandfold, where codings within codings would grow without end."""
_RETRIED = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_MOST_REDIRECTS = 5
_SLOWEST = 20
"""A response may take this many times ``timeout_s`` in all: a server that drips bytes is no server."""
_MOST_EMPTY_PAGES = 1000
_MIB = 1 << 20
_LONGEST_QUOTE = 60
_SECONDS = re.compile(r"\s*[0-9]{1,18}\s*", re.ASCII)
_HINT_NONSENSE = "Nothing was committed. Report it to the API's makers, or try again later."
_HINT_TOKEN = "Set ORDERSETL_API_TOKEN to a valid token."  # noqa: S105 - the name of a variable
_HINT_URL = "Look at --api-url: it must be the base that /orders follows."


class CursorRefusedError(SourceError):
    """The API answered 4xx to a cursor: after a pause it may have forgotten it."""


class CursorRepeatedError(NonsenseError):
    """The API named a cursor a second time: its pages go round, or it forgot where it was and began anew."""


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

    Raises:
        ConfigError: the proxy or the certificates that the environment names cannot be used.
    """
    headers = {
        "User-Agent": f"ordersetl/{__version__}",
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
    }
    if settings.api_token is not None:
        headers["Authorization"] = f"Bearer {settings.api_token.get_secret_value()}"
    try:
        return httpx.Client(
            headers=headers,
            timeout=settings.timeout_s,
            follow_redirects=True,
            max_redirects=_MOST_REDIRECTS,
            transport=transport,
        )
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        # the error's own words may hold a proxy's password
        raise ConfigError(
            f"the proxy or certificates of the environment cannot be used ({type(error).__name__})",
            hint="Look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from None


class OrdersClient:
    """Fetches the pages of one request.

    Args:
        http: an open client; tests give one with a transport of their own.
        settings: retries, time and size limits.
        sleep: how to wait, in seconds; tests give one that does not.
        now: clock for a Retry-After that is a date.
        clock: seconds that only go forward, for the time a response may take.

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
    ) -> None:
        self._http = http
        self._settings = settings
        self._now = now
        self._clock = clock
        self._backoff = wait_exponential(multiplier=0.5, max=30) + wait_random(0, 0.5)
        self._retrying = Retrying(
            retry=retry_if_exception_type(_TryAgainError),
            wait=self._pause,
            stop=self._is_over,
            before_sleep=self._note_retry,
            sleep=sleep,
            reraise=True,
        )
        self.retries = 0

    def pages(self, request: BatchRequest, *, seen: Sequence[str]) -> Iterator[ReceivedPage]:
        """Pages from the last cursor of ``seen`` on (from the first where it is empty) to the end.

        A fetch is complete or it raises: there is no early end.

        Raises:
            CursorRefusedError: the API answered 4xx to a cursor.
            CursorRepeatedError: it named a cursor for the second time.
            NonsenseError: a page is not JSON, has no list of orders, or is one of endless empty ones.
            SourceError: the API refused, or kept failing.
        """
        known = set(seen)
        cursor = seen[-1] if seen else None
        empty = 0
        while True:
            page = self._page(request, cursor)
            cursor = page.head.next_cursor
            if cursor is not None:
                if cursor in known:
                    raise CursorRepeatedError(
                        f"the API gave the cursor {_shorten(cursor)} a second time; its pages would never end",
                        hint=_HINT_NONSENSE,
                    )
                known.add(cursor)
            empty = 0 if page.head.records else empty + 1
            if cursor is not None and empty > _MOST_EMPTY_PAGES:
                raise NonsenseError(
                    f"the API sent {empty} empty pages in a row, each naming a next one", hint=_HINT_NONSENSE
                )
            yield page
            if cursor is None:
                return

    def _page(self, request: BatchRequest, cursor: str | None) -> ReceivedPage:
        params = {"limit": str(request.page_size)}
        if request.since is not None:
            params["updated_since"] = _iso(request.since)
        if request.until is not None:
            params["updated_until"] = _iso(request.until)
        if cursor is not None:
            params["cursor"] = cursor
        url = f"{request.url}/orders"
        try:
            body = self._retrying(self._get, url, params)
        except _TryAgainError as error:
            attempts = self._retrying.statistics["attempt_number"]
            failed = "failed" if attempts == 1 else f"failed {attempts} times, the last time"
            asked = "" if error.wait_s is None else f"; it asked to wait {error.wait_s:.0f} s"
            raise SourceError(
                f"{url} {failed}: {error}{asked}",
                hint="Nothing was lost: run the same command later, and it goes on at the page where it stopped.",
            ) from error
        return ReceivedPage(body, read_head(body))

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: the backoff, or what the server asked for where that is longer."""
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.wait_s if isinstance(failure, _TryAgainError) else None
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
            hint = "Look at --api-url, where it redirects to, and how long its cursors are."
            raise SourceError(f"{url} cannot be requested: {error}", hint=hint) from error
        except (httpx.LocalProtocolError, UnicodeError):
            # a header or a host name that cannot be sent; its own words would quote it
            raise SourceError(f"{url} cannot be requested", hint="Look at --api-url and at the token.") from None
        except httpx.RequestError as error:
            raise _TryAgainError(f"{type(error).__name__}: {error}") from error

    def _read_body(self, url: str, response: httpx.Response) -> bytes:
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        if coding not in _CODINGS:
            raise SourceError(
                f"{url} sent a body in a coding that was not asked for: {coding[:40]!r}",
                hint="Have the API honour Accept-Encoding.",
            )
        most = self._settings.max_response_mb * _MIB
        most_s = _SLOWEST * self._settings.timeout_s
        deadline = self._clock() + most_s
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
            if self._clock() > deadline:
                raise _TryAgainError(f"the response took more than {most_s:.0f} s")
        return b"".join(chunks)

    def _refusal(self, url: str, response: httpx.Response, *, with_cursor: bool) -> Exception:
        status = response.status_code
        said = f"HTTP {status} {httpx.codes.get_reason_phrase(status)}".strip()
        if status in _RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _TryAgainError(said, self._retry_after(response.headers.get("Retry-After")))
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return SourceError(f"{url} answered {said}: {self._token_fate(response)}", hint=_HINT_TOKEN)
        if with_cursor and status >= HTTPStatus.BAD_REQUEST:
            return CursorRefusedError(f"{url} answered {said} to a cursor of its own", hint="Run the command again.")
        return SourceError(f"{url} answered {said}", hint=_HINT_URL)

    def _token_fate(self, response: httpx.Response) -> str:
        if "Authorization" in response.request.headers:
            return "the token was refused"
        if "Authorization" in self._http.headers:
            return f"it redirected to {response.url.host}, where the token is not sent"
        return "no token is set"

    def _retry_after(self, value: str | None) -> float | None:
        """Seconds that the server asks to wait, from seconds or an HTTP date (RFC 9110, section 10.2.3)."""
        if value is None:
            return None
        if _SECONDS.fullmatch(value):
            return float(value)
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - self._now()).total_seconds())


def _shorten(cursor: str) -> str:
    quoted = ascii(cursor)
    return quoted if len(quoted) <= _LONGEST_QUOTE else f"{quoted[:_LONGEST_QUOTE]}..."


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
