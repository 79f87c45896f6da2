"""All that a description says: request, authentication, window, paging, errors, calls an order, and the mapping.

In paths, parameters, headers and bodies ``${name}`` stands for a value: a variable of the description, or one of the
request (``since``, ``until``, ``page_size``, ``cursor``, ``page``, ``offset``; in a call what its ``with`` names). A
parameter, or a member of a body, whose text names a value that there is not is left out. A member of a body that is
nothing but ``${name}`` keeps the value's type.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ordersetl.settings.api_url import read_base_url
from ordersetl.settings.span import Span
from ordersetl.source.description.expressions import ExpressionText
from ordersetl.source.description.kinds import (
    check_auth,
    check_paging,
    check_throttle,
    check_token,
    check_window,
    check_zone_or_name,
)
from ordersetl.source.description.mapping import Mapping
from ordersetl.source.description.table import Table, unless_kept

__all__ = [
    "Auth",
    "Call",
    "Description",
    "Discovery",
    "Errors",
    "Paging",
    "Request",
    "Right",
    "Rights",
    "Throttle",
    "TokenRequest",
    "Variable",
    "Window",
]


class Discovery(Table):
    """A request that lists a variable's values where it is not set."""

    path: str
    values: ExpressionText = Field(description="the list of values, in the answer")


class Variable(Table):
    """A value that people set under ``[variables]``, or in ``ORDERSETL_VAR_`` and its name."""

    description: str
    default: str | None = Field(None, description="without one it must be set; ${api_url} may be in it")
    pattern: str | None = Field(None, description="a regular expression that the whole value must match")
    required: bool = True
    selects: bool = Field(False, description="it says which orders come: another value is another source to go on with")
    per_request: int | None = Field(
        None, ge=1, description="the value is a comma-separated list; so many go into one request, the rest into others"
    )
    discover: Discovery | None = None


class TokenRequest(Table):
    """How a token is got, and renewed during a run: OAuth 2 (RFC 6749) or a request of the API's own."""

    grant: Literal["client_credentials", "refresh_token", "request"]
    url: str = Field(description="of any origin: it gets its own credentials and nothing else")
    send: Literal["form", "json"] = "form"
    client: Literal["body", "basic"] = Field(
        "body", description="where client_id and client_secret go: into the body, or into a header (RFC 6749, 2.3.1)"
    )
    body: dict[str, Any] = Field(
        default_factory=dict,
        description="beside what the grant says; ${client_id}, ${api_password}, ... are settings",
    )
    token: ExpressionText = Field(description="where the token is, in the answer")
    expires_in: ExpressionText | None = Field(None, description="seconds that it lasts, in the answer")
    lifetime: Span | None = Field(None, description="how long it lasts where the answer does not say")
    renew_on: tuple[int, ...] = Field((401,), description="status codes that say that it has expired")

    def _check(self) -> None:
        check_token(self)


class Auth(Table):
    """How a request shows who asks. The credentials are settings."""

    kind: Literal["none", "bearer", "header", "query", "basic"]
    name: str | None = Field(None, description="of the header or the parameter that holds the token")
    required: bool = True
    token: TokenRequest | None = Field(None, description="used where client_id, refresh_token or api_user are set")

    def _check(self) -> None:
        check_auth(self)


class Request(Table):
    """The request for a page of orders."""

    method: Literal["GET", "POST"] = "GET"
    path: str = Field(description="what follows --api-url")
    params: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    body: dict[str, Any] | None = None
    max_page_size: int = Field(1000, ge=1)
    page_size: int | None = Field(None, ge=1, description="asked for unless set otherwise; the most if unset")
    version_header: str | None = Field(None, description="header that says which version answered")
    version: str | None = Field(None, description="the version that was asked for; another one is warned of")


class Window(Table):
    """How the source filters by time of change."""

    format: str = Field("%Y-%m-%dT%H:%M:%S.%fZ", description="strftime's, or iso, epoch, epoch_ms, rfc2822")
    zone: Annotated[str, AfterValidator(check_zone_or_name)] = Field(
        "UTC", description="IANA zone in which times are written; ${variable} may stand here"
    )
    precision: Span = Field(description="the finest step that the source stores or compares, e.g. 1s")
    since_inclusive: bool = True
    bounded: bool = Field(False, description="both ends are always sent")
    earliest: str = Field("1970-01-01T00:00:00Z", description="what is sent for the beginning of time")
    max_span: Span | None = Field(None, description="longest window that may be asked for; longer ones are split")
    min_age: Span | None = Field(None, description="how old the end must be")
    reaches_back: Span | None = Field(None, description="how far back the source goes: what is older is warned of")

    def _check(self) -> None:
        check_window(self)


class Paging(Table):
    """How to go on to the next page, and what proves that there is none."""

    kind: Literal["cursor", "link", "next_url", "page", "offset", "none"]
    next: ExpressionText | None = Field(None, description="cursor or URL of the next page, in the answer")
    end: Literal["has_more", "total", "page_count", "null", "absent", "empty_page", "short_page"] | None = Field(
        None,
        description="what proves the end: a flag, a total met, a page count, next being null or absent, an empty page, "
        "or (of a call) a page with fewer than were asked for; may be unset with "
        "link (no such link is the end) and none (one page is all)",
    )
    has_more: ExpressionText | None = None
    total: ExpressionText | None = Field(None, description="number of orders of all pages, in the answer")
    total_header: str | None = None
    page_count: ExpressionText | None = None
    page_count_header: str | None = None
    first: int | None = Field(
        None, ge=0, description="number of the first page, 1 unless set, or its offset, 0 unless set"
    )
    page_size: int | None = Field(None, ge=1, description="of a call: how many elements are asked for a page")
    max_objects: int | None = Field(None, ge=1, description="of orders: the API ends here, a longer window is split")
    max_pages: int | None = Field(None, ge=1, description="of orders: pages beyond it fail, a longer window is split")
    cursor_lifetime: Span | None = Field(None, description="of orders: how long a cursor can be gone on with")
    cursor_alone: bool = Field(False, description="the request of a next page holds the cursor and the page size only")

    def _check(self) -> None:
        check_paging(self)

    @property
    def begins_at(self) -> int:
        """Number of the first page, or its offset."""
        return self.first if self.first is not None else int(self.kind != "offset")


class Errors(Table):
    """Where errors hide in an answer of HTTP 200."""

    when: ExpressionText = Field(description="true, in the sense of JMESPath, of an answer that failed")
    message: ExpressionText | None = None
    throttled: ExpressionText | None = Field(None, description="true of one that asks to come back later")
    wait_s: ExpressionText | None = None


class Throttle(Table):
    """How the API says how fast it may be asked, beside 429, Retry-After and RateLimit headers.

    ``cost``: a bucket of points in the answer (requested, available, restored a second). ``reset_ms``: headers of
    requests left and of milliseconds until there are more. ``rate``: a header of requests a second.
    """

    kind: Literal["cost", "reset_ms", "rate"]
    requested: ExpressionText | None = None
    available: ExpressionText | None = None
    restored: ExpressionText | None = None
    left_header: str | None = None
    reset_header: str | None = None
    rate_header: str | None = None

    def _check(self) -> None:
        check_throttle(self)


class Call(Table):
    """A request for each order of a page, whose answer is put into the order's record.

    With ``each`` it is a request for each element of a list of the record, and the answer is put into the element.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    each: ExpressionText | None = Field(
        None, description="path of a list in the record: a request for each of its elements, of which the rest speaks"
    )
    when: ExpressionText | None = Field(None, description="true of the records that need it; all if unset")
    method: Literal["GET", "POST"] = "GET"
    path: str
    params: dict[str, str] = Field(default_factory=dict)
    body: dict[str, Any] | None = None
    values: dict[str, ExpressionText] = Field(default_factory=dict, alias="with", description="names, from the record")
    records: ExpressionText = Field(description="the list, in the answer; a path, @ for a bare list")
    into: str = Field(description="path in the record where the list goes, e.g. products")
    append: bool = Field(False, description="to the list that is there, instead of in its place")
    keep_unanswered: bool = Field(
        False,
        description="elements of the list that is there, whose id no answer has, stay in it",
    )
    may_be_absent: bool = Field(False, description="an object without the list has an empty one")
    paging: Paging | None = None
    required_right: str | None = Field(None, description="without this right the call is left out, and said so")


class Right(Table):
    """A right without which the source shows less."""

    name: str
    without: str = Field(description="what is missing without it, as a sentence")
    reaches_back: Span | None = None


class Rights(Table):
    """A request for the rights that the credentials have."""

    path: str
    names: ExpressionText
    wanted: tuple[Right, ...]


class Description(Table):
    """One source."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    title: str
    docs: str | None = Field(None, description="URL of the API's own documentation")
    api_url: Annotated[str, unless_kept(read_base_url)] | None = Field(
        None, description="where there is one base for everybody"
    )
    api_url_example: str | None = Field(None, description="what --api-url looks like, for people who are asked for it")
    variables: dict[str, Variable] = Field(default_factory=dict)
    auth: Auth = Auth(kind="none")
    rights: Rights | None = None
    request: Request
    window: Window | None = None
    paging: Paging
    records: ExpressionText = Field(description="the list of orders, in the answer; a path, @ for a bare list")
    bare_list: bool = Field(False, description="an answer may as well be the list itself")
    may_be_absent: bool = Field(False, description="an object without the list, or with null, is an empty page")
    errors: Errors | None = None
    throttle: Throttle | None = None
    calls: tuple[Call, ...] = ()
    mapping: Mapping | None = Field(None, description="none: its records are canonical orders")
