"""What is asked of an API, what it answers, and the ways in which it does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

import httpx
import msgspec

from ordersetl.errors import SourceError

__all__ = [
    "HINT_AHEAD",
    "HINT_GONE",
    "Answer",
    "Ask",
    "Authorization",
    "CursorRefusedError",
    "DeniedError",
    "RefusedError",
    "TryAgainError",
    "add_params",
    "origin_of",
]

HINT_AHEAD = 'The request names an end that has not passed: where the API refuses that, set window.min_age, as to "1s".'
HINT_GONE = "The order may have been deleted since its page came: run the same command again."


class RefusedError(SourceError):
    """The API answered with another status than that of an answer."""

    status: int | None = None


class CursorRefusedError(RefusedError):
    """The API answered 4xx to a cursor: after a pause it may have forgotten it."""


class DeniedError(RefusedError):
    """The API answered 401 or 403: it does not know who asks, or does not let them."""


class TryAgainError(Exception):
    """One attempt failed in a way that may pass; ``wait_s`` where the server names a time, ``status`` of its answer."""

    status: int | None = None

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Authorization:
    """What shows who asks: headers or parameters, which go to one origin alone; and the settings that they are from."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    settings: str = "ORDERSETL_API_TOKEN"


@dataclass(frozen=True)
class Ask:
    """What is asked for.

    Attributes:
        url: With or without a query.
        params: Added to its query, in place of those that are there by the same names.
        path: What of the URL follows ``--api-url``, for messages.
        with_cursor: The request names a cursor of the API's own.
        may_be_empty: An answer of HTTP 204 is one without content.
        follows: Redirects are followed; to nowhere where the body holds credentials.
        is_call: It is about an order that a page showed.
        ends_ahead: Its window has an end of its own that has not passed.
    """

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    authorization: Authorization = Authorization()
    path: str = "/orders"
    with_cursor: bool = False
    may_be_empty: bool = False
    follows: bool = True
    is_call: bool = False
    ends_ahead: bool = False

    @property
    def shown(self) -> str:
        """The URL as messages show it: a query may hold secrets."""
        return self.url.partition("?")[0]


class Answer(msgspec.Struct, frozen=True):
    """The body of a 200, its headers, and which way it came, for messages; ``is_empty`` of a 204, which has none."""

    body: bytes
    headers: httpx.Headers
    route: str
    url: str = ""
    is_empty: bool = False


def add_params(url: str, params: Mapping[str, str]) -> str:
    """A URL with these parameters beside those of its own query, in place of what is there by the same names."""
    if not params:
        return url
    address, _, query = url.partition("#")[0].partition("?")
    own = [part for part in query.split("&") if part and unquote_plus(part.partition("=")[0]) not in params]
    return f"{address}?{'&'.join([*own, str(httpx.QueryParams(params))])}"


def origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    """What credentials are bound to: scheme, host and port (RFC 6454)."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)
