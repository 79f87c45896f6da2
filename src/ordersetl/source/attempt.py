"""One attempt at one answer: the request, its redirects, and the body of a 200 or the reason why there is none."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from http import HTTPStatus

import httpcore
import httpx

from ordersetl.errors import SourceError
from ordersetl.settings import Settings
from ordersetl.source.answer import Secrets, describe_body, holds_secret, quote_text, show_target
from ordersetl.source.ask import (
    HINT_AHEAD,
    HINT_GONE,
    Answer,
    Ask,
    CursorRefusedError,
    DeniedError,
    RefusedError,
    TryAgainError,
    add_params,
    origin_of,
)
from ordersetl.source.pace import read_rate_limit, read_retry_after
from ordersetl.source.template import shorten_template
from ordersetl.source.transport import Allowance, BrokenBodyError, Inflater, TooLargeError, bound_client

__all__ = ["Attempts"]

log = logging.getLogger(__name__)

_CODINGS = {"", "identity", "gzip", "deflate"}
"""Of the body: what is asked for, each alone."""
_RETRIED = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_OF_THE_SHOP = {HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.LOCKED}
_MAX_REDIRECTS = 5
_SLOWEST = 20
"""An answer may take this many times ``timeout_s`` in all, redirects and headers included: a server that drips bytes
is no server."""
_MIB = 1 << 20
_MAX_REFUSAL = 8192
_HINT_DENIED = "Look at what the API says: the token may lack the right to read orders, or this address is not allowed."
_HINT_REQUEST = "Look at what the API says, then at page_size, at --since and --until, and at --api-url."


class Attempts:
    """Asks for one answer, once.

    Args:
        http: an open client, which follows no redirect by itself.
        settings: time and size limits.
        secrets: what no message may show.
        now: clock for a Retry-After that is a date.
        clock: seconds that only go forward, for the time an answer may take.
        read_wait: seconds to wait that headers of a refusal name in the API's own way.
    """

    def __init__(
        self,
        http: httpx.Client,
        settings: Settings,
        secrets: Secrets,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        read_wait: Callable[[Mapping[str, str]], float | None] = lambda _: None,
    ) -> None:
        self._http = http
        self._settings = settings
        self._now = now
        self._secrets = secrets
        self._read_wait = read_wait
        self._allowance = Allowance(clock)
        bound_client(http, self._allowance)

    def send(self, ask: Ask) -> Answer:
        """The body of a 200, or the reason why not.

        Redirects are followed by hand, which reads no body of theirs; credentials do not leave the origin.

        Raises:
            TryAgainError: what failed may pass.
            SourceError: it will not.
        """
        self._allowance.begin(_SLOWEST * self._settings.timeout_s)
        asked = at = None
        try:
            request = self._build(ask)
            asked = request.url
            for _ in range(_MAX_REDIRECTS + 1):
                at = request.url
                response = self._http.send(request, stream=True)
                if log.isEnabledFor(logging.DEBUG):
                    log.debug("%s: HTTP %d", self._name_request(ask, request), response.status_code)
                with contextlib.closing(response):
                    if response.next_request is None:
                        return self._read_answer(ask, response, self._name_route(asked, at))
                request = self._follow(ask, request, response.next_request)
                self._allowance.begin_headers()
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            hint = "Look at --api-url, where it redirects to, and how long its cursors are."
            problem = quote_text(str(error), self._secrets)
            raise SourceError(
                f"{ask.shown}{self._name_route(asked, at)} cannot be requested: {problem}", hint=hint
            ) from error
        except (httpx.LocalProtocolError, UnicodeError):
            # a header or a host name that cannot be sent; its own words would quote it
            raise SourceError(f"{ask.shown} cannot be requested", hint="Look at --api-url and at the token.") from None
        except httpx.RequestError as error:
            problem = quote_text(str(error), self._secrets)
            raise TryAgainError(f"{type(error).__name__}: {problem}{self._name_route(asked, at)}") from error
        raise SourceError(f"{ask.shown} redirects without end{self._name_route(asked, at)}", hint="Look at --api-url.")

    def _name_request(self, ask: Ask, request: httpx.Request) -> str:
        """A request in words, with what it names, and nothing of what shows who asks."""
        named = ", ".join(f"{name}={value}" for name, value in ask.params.items())
        target = show_target(request.url, self._secrets)
        return f"{request.method} {target}{f' ({quote_text(named, self._secrets)})' if named else ''}"

    def _build(self, ask: Ask) -> httpx.Request:
        return self._http.build_request(
            ask.method,
            add_params(ask.url, {**ask.params, **ask.authorization.params}),
            headers={**ask.headers, **ask.authorization.headers},
            content=ask.body,
        )

    def _follow(self, ask: Ask, request: httpx.Request, following: httpx.Request) -> httpx.Request:
        """The request that a redirect leads to: httpx takes ``Authorization`` off it, and no other header.

        Raises:
            SourceError: it would ask for something else, or may lead nowhere.
        """
        if following.method != request.method or not ask.follows:
            target = show_target(following.url, self._secrets)
            raise SourceError(
                f"{ask.shown} redirects a {request.method} to {target}",
                hint="Give the address that it redirects to, if it is the right one.",
            )
        if not _keeps_credentials(request.url, following.url):
            for name in ask.authorization.headers:
                following.headers.pop(name, None)
            if any(holds_secret(str(following.url), secret) for secret in ask.authorization.params.values()):
                target = show_target(following.url, self._secrets)
                raise SourceError(
                    f"{ask.shown} redirects with its key to {target}, another origin: it gets no credentials",
                    hint="Give the address that it redirects to, if it is the right one.",
                )
        return following

    def _name_route(self, asked: httpx.URL | None, at: httpx.URL | None) -> str:
        """Which way a request went, where not straight: its redirect's target, the proxy."""
        route = ""
        if asked is None or at is None:
            return route
        if asked is not at and _place(asked) != _place(at):
            route = f" (redirected to {show_target(at, self._secrets)})"
        if self._allowance.connected_to is not None:
            port = at.port or (443 if at.scheme == "https" else 80)
            if self._allowance.connected_to != (at.raw_host.decode("ascii"), port):
                route += " (through the proxy {}:{})".format(*self._allowance.connected_to)
        return route

    def _read_answer(self, ask: Ask, response: httpx.Response, route: str) -> Answer:
        url = ask.shown
        is_empty = ask.may_be_empty and response.status_code == HTTPStatus.NO_CONTENT
        if response.status_code != HTTPStatus.OK and not is_empty:
            refused = self._refuse(ask, f"{url}{route}", response)
            refused.status = response.status_code
            raise refused
        if is_empty:
            return Answer(b"", response.headers, route, str(response.request.url), is_empty=True)
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        if coding not in _CODINGS:
            named = quote_text(coding[:40], self._secrets)
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
        return Answer(body, response.headers, route, str(response.request.url))

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

    def _refuse(self, ask: Ask, where: str, response: httpx.Response) -> RefusedError | TryAgainError:
        status = response.status_code
        problem = f"HTTP {status} {httpx.codes.get_reason_phrase(status)}".strip()
        if text := self._read_refusal(response):
            problem = f"{problem} ({text})"
        if status in _RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            asked = read_retry_after(response.headers.get("Retry-After"), self._now())
            if asked is None and status == HTTPStatus.TOO_MANY_REQUESTS:
                asked = self._read_wait(response.headers) or self._read_limit(response.headers)
            return TryAgainError(problem, asked)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return self._deny(ask, f"{where} answered {problem}", response)
        if ask.with_cursor and status >= HTTPStatus.BAD_REQUEST:
            return CursorRefusedError(
                f"{where} answered {problem} to a cursor of its own", hint="Run the command again."
            )
        if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
            hint = f"{_HINT_REQUEST} {HINT_AHEAD}" if ask.ends_ahead else _HINT_REQUEST
            return RefusedError(f"{where} answered {problem}", hint=hint)
        if status in _OF_THE_SHOP:
            return RefusedError(
                f"{where} answered {problem}", hint="Look at what the API says, and at the shop itself."
            )
        hint = f"Look at --api-url: it must be the base that {shorten_template(ask.path)} follows."
        if ask.is_call and status in _GONE:
            hint = f"{HINT_GONE} If it stays so, look at the path of the call, {shorten_template(ask.path)}."
        return RefusedError(f"{where} answered {problem}", hint=hint)

    def _read_limit(self, headers: httpx.Headers) -> float | None:
        """Seconds until a limit is over; None where that is too long to wait for all of them, or nothing says it."""
        wait = read_rate_limit(headers, self._now())
        return wait if wait is not None and wait <= self._settings.retry_total_s else None

    def _deny(self, ask: Ask, problem: str, response: httpx.Response) -> DeniedError:
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            hint = f"Set {ask.authorization.settings} to what the API accepts."
            return DeniedError(f"{problem}: {self._describe_token(ask, response)}", hint=hint)
        text = f"{problem}: access is denied; {self._describe_token(ask, response)}"
        return DeniedError(text, hint=_HINT_DENIED)

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
        return describe_body(bytes(body[:_MAX_REFUSAL]), response.headers, self._secrets, cut=cut)

    def _describe_token(self, ask: Ask, response: httpx.Response) -> str:
        given = ask.authorization
        if not ask.follows:
            return f"{given.settings} was refused"
        if not given.headers and not given.params:
            return "no token is set"
        if given.params or any(name in response.request.headers for name in given.headers):
            return "the token was refused" if response.status_code == HTTPStatus.UNAUTHORIZED else "a token was sent"
        return f"it redirected to {quote_text(response.url.host, self._secrets)}, where the token is not sent"


def _keeps_credentials(asked: httpx.URL, target: httpx.URL) -> bool:
    """Whether a redirect stays at the origin, or leads from its http to its https."""
    if origin_of(asked) == origin_of(target):
        return True
    upgrade = (asked.scheme, asked.port or 80, target.scheme, target.port or 443) == ("http", 80, "https", 443)
    return upgrade and asked.host == target.host


def _place(url: httpx.URL) -> tuple[str, str, int | None, str]:
    return url.scheme, url.host, url.port, url.path


def _read_raw(response: httpx.Response) -> Iterable[bytes]:
    """The body as it comes off the wire; what a given transport answers may have been read, and decoded, already."""
    return [response.content] if response.is_stream_consumed else response.iter_raw()


def _left_coding(response: httpx.Response, coding: str) -> str:
    return "" if response.is_stream_consumed else coding
