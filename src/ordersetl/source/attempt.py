"""One attempt at one page: the request, its redirects, and the body of a 200 or the reason why there is none."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpcore
import httpx

from ordersetl.errors import SourceError
from ordersetl.settings import Settings
from ordersetl.source.answer import describe_body, quote_text, show_target
from ordersetl.source.transport import Allowance, BrokenBodyError, Inflater, TooLargeError, bound_client

__all__ = ["Answer", "Attempts", "CursorRefusedError", "TryAgainError", "read_retry_after"]

_CODINGS = {"", "identity", "gzip", "deflate"}
"""Of the body: what is asked for, each alone."""
_RETRIED = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_MAX_REDIRECTS = 5
_SLOWEST = 20
"""An answer may take this many times ``timeout_s`` in all, redirects and headers included: a server that drips bytes
is no server."""
_MIB = 1 << 20
_MAX_REFUSAL = 8192
_SECONDS = re.compile(r"\s*(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)
_LONGEST_WAIT_S = 1e9
_HINT_TOKEN = "Set ORDERSETL_API_TOKEN to a valid token."  # noqa: S105 - the name of a variable
_HINT_DENIED = "Look at what the API says: the token may lack the right to read orders, or this address is not allowed."
_HINT_REQUEST = "Look at what the API says, then at page_size, at --since and --until, and at --api-url."
_HINT_URL = "Look at --api-url: it must be the base that /orders follows."


class CursorRefusedError(SourceError):
    """The API answered 4xx to a cursor: after a pause it may have forgotten it."""


class TryAgainError(Exception):
    """One attempt failed in a way that may pass; ``wait_s`` where the server names a time."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Answer:
    """The body of a 200, its headers, and which way it came, for messages."""

    body: bytes
    headers: httpx.Headers
    route: str


class Attempts:
    """Asks for one page, once.

    Args:
        http: an open client, which follows no redirect by itself.
        settings: time and size limits, and the token, which no message may show.
        now: clock for a Retry-After that is a date.
        clock: seconds that only go forward, for the time an answer may take.
    """

    def __init__(
        self, http: httpx.Client, settings: Settings, *, now: Callable[[], datetime], clock: Callable[[], float]
    ) -> None:
        self._http = http
        self._settings = settings
        self._now = now
        self._secret = settings.api_token.get_secret_value() if settings.api_token else None
        self._allowance = Allowance(clock)
        bound_client(http, self._allowance)

    def get(self, url: str, params: dict[str, str]) -> Answer:
        """The body of a 200, or the reason why not.

        Redirects are followed by hand, which reads no body of theirs; httpx drops the token where one leaves the
        origin.

        Raises:
            TryAgainError: what failed may pass.
            SourceError: it will not.
        """
        self._allowance.begin(_SLOWEST * self._settings.timeout_s)
        asked = at = None
        try:
            request = self._http.build_request("GET", url, params=params)
            asked = request.url
            for _ in range(_MAX_REDIRECTS + 1):
                at = request.url
                response = self._http.send(request, stream=True)
                with contextlib.closing(response):
                    if response.next_request is None:
                        return self._read_answer(
                            url, response, self._name_route(asked, at), with_cursor="cursor" in params
                        )
                request = response.next_request
                self._allowance.begin_headers()
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            hint = "Look at --api-url, where it redirects to, and how long its cursors are."
            problem = quote_text(str(error), self._secret)
            raise SourceError(
                f"{url}{self._name_route(asked, at)} cannot be requested: {problem}", hint=hint
            ) from error
        except (httpx.LocalProtocolError, UnicodeError):
            # a header or a host name that cannot be sent; its own words would quote it
            raise SourceError(f"{url} cannot be requested", hint="Look at --api-url and at the token.") from None
        except httpx.RequestError as error:
            problem = quote_text(str(error), self._secret)
            raise TryAgainError(f"{type(error).__name__}: {problem}{self._name_route(asked, at)}") from error
        raise SourceError(f"{url} redirects without end{self._name_route(asked, at)}", hint="Look at --api-url.")

    def _name_route(self, asked: httpx.URL | None, at: httpx.URL | None) -> str:
        """Which way a request went, where not straight: its redirect's target, the proxy."""
        route = ""
        if asked is None or at is None:
            return route
        if asked is not at and _place(asked) != _place(at):
            route = f" (redirected to {show_target(at, self._secret)})"
        if self._allowance.connected_to is not None:
            port = at.port or (443 if at.scheme == "https" else 80)
            if self._allowance.connected_to != (at.raw_host.decode("ascii"), port):
                route += " (through the proxy {}:{})".format(*self._allowance.connected_to)
        return route

    def _read_answer(self, url: str, response: httpx.Response, route: str, *, with_cursor: bool) -> Answer:
        if response.status_code != HTTPStatus.OK:
            raise self._refuse(f"{url}{route}", response, with_cursor=with_cursor)
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        if coding not in _CODINGS:
            named = quote_text(coding[:40], self._secret)
            raise SourceError(
                f"{url}{route} sent a body in a coding that was not asked for: {named!r}",
                hint="Have the API honour Accept-Encoding.",
            )
        most = self._settings.max_response_mb * _MIB
        try:
            body = b"".join(self._read_pieces(response, Inflater(_left_coding(response, coding), most), most))
        except TooLargeError:
            raise SourceError(
                f"{url}{route} sent more than {self._settings.max_response_mb} MiB in one response",
                hint="Ask for smaller pages (page_size), or raise max_response_mb.",
            ) from None
        except BrokenBodyError as error:
            raise TryAgainError(f"{error}{route}") from None
        return Answer(body, response.headers, route)

    def _read_pieces(self, response: httpx.Response, inflater: Inflater, most: int) -> Iterator[bytes]:
        """The body as it comes in, decoded; counted and timed before it is, since that may come to nothing."""
        self._allowance.begin_body(most)
        received = 0
        for data in _read_raw(response):
            received += len(data)
            if received > most:
                raise TooLargeError
            try:
                self._allowance.left()
            except httpcore.ReadTimeout as error:
                raise TryAgainError(str(error)) from None
            yield inflater.feed(data)
        inflater.finish()

    def _refuse(self, where: str, response: httpx.Response, *, with_cursor: bool) -> Exception:
        status = response.status_code
        problem = f"HTTP {status} {httpx.codes.get_reason_phrase(status)}".strip()
        if text := self._read_refusal(response):
            problem = f"{problem} ({text})"
        if status in _RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return TryAgainError(problem, read_retry_after(response.headers.get("Retry-After"), self._now()))
        if status == HTTPStatus.UNAUTHORIZED:
            return SourceError(f"{where} answered {problem}: {self._describe_token(response)}", hint=_HINT_TOKEN)
        if status == HTTPStatus.FORBIDDEN:
            return SourceError(
                f"{where} answered {problem}: access is denied; {self._describe_token(response)}", hint=_HINT_DENIED
            )
        if with_cursor and status >= HTTPStatus.BAD_REQUEST:
            return CursorRefusedError(
                f"{where} answered {problem} to a cursor of its own", hint="Run the command again."
            )
        if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
            return SourceError(f"{where} answered {problem}", hint=_HINT_REQUEST)
        return SourceError(f"{where} answered {problem}", hint=_HINT_URL)

    def _read_refusal(self, response: httpx.Response) -> str:
        """The beginning of what the API says to a refusal; nothing where it says nothing readable in short time."""
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        if coding not in _CODINGS:
            return ""
        self._allowance.shorten(self._settings.timeout_s)
        inflater = Inflater(_left_coding(response, coding), _MIB)
        body = bytearray()
        try:
            for piece in self._read_pieces(response, inflater, _MIB):
                body += piece
                if len(body) >= _MAX_REFUSAL:
                    break
        except (TooLargeError, BrokenBodyError, TryAgainError, httpx.RequestError):
            pass  # what came so far says enough
        if not body:
            return ""
        cut = len(body) >= _MAX_REFUSAL
        return describe_body(bytes(body[:_MAX_REFUSAL]), response.headers, self._secret, cut=cut)

    def _describe_token(self, response: httpx.Response) -> str:
        if "Authorization" in response.request.headers:
            return "the token was refused" if response.status_code == HTTPStatus.UNAUTHORIZED else "a token was sent"
        if "Authorization" in self._http.headers:
            return f"it redirected to {quote_text(response.url.host, self._secret)}, where the token is not sent"
        return "no token is set"


def _place(url: httpx.URL) -> tuple[str, str, int | None, str]:
    return url.scheme, url.host, url.port, url.path


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a server asks to wait, from seconds or an HTTP date (RFC 9110, 10.2.3); None where it is neither."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value):
        return min(float(value), _LONGEST_WAIT_S)
    try:
        time = parsedate_to_datetime(value)
    except (ValueError, OverflowError, IndexError):
        return None
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return min(max(0.0, (time - now).total_seconds()), _LONGEST_WAIT_S)


def _read_raw(response: httpx.Response) -> Iterable[bytes]:
    """The body as it comes off the wire; what a given transport answers may have been read, and decoded, already."""
    return [response.content] if response.is_stream_consumed else response.iter_raw()


def _left_coding(response: httpx.Response, coding: str) -> str:
    return "" if response.is_stream_consumed else coding
