"""Requests and answers of the sample APIs: what a shape's server reads and gives, and the WSGI app around it."""

import itertools
import json
from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from ordersetl.source.sample.faults import FaultSource, find_fault, name_status, spoil_answer

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Answer", "Asked", "Refusal", "Server", "as_app"]


@dataclass(frozen=True)
class Answer:
    """A status, a JSON value (None: no body at all), and headers."""

    content: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """Raised anywhere in a server: the answer to send."""

    def __init__(self, status: int, content: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {content}")
        self.answer = Answer(content, status, headers or {})


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        method: In upper case.
        path: Decoded.
        params: Of the query, the last of each name.
        headers: By their names in lower case.
        body: As it came.
    """

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def form(self) -> Mapping[str, str]:
        """The body as a form."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @property
    def basic(self) -> tuple[str, str] | None:
        """User and password of basic authentication."""
        kind, _, coded = self.headers.get("authorization", "").partition(" ")
        if kind != "Basic":
            return None
        user, _, password = b64decode(coded).decode().partition(":")
        return user, password

    def unknown(self, known: Collection[str]) -> list[str]:
        """Names of parameters that are not known."""
        return sorted(set(self.params) - set(known))

    def whole(self, name: str, default: int, most: int) -> int | None:
        """A parameter that is a whole number from 1 to ``most``; None where it is another thing."""
        text = self.params.get(name, str(default))
        return int(text) if text.isdecimal() and 1 <= int(text) <= most else None


Server = Callable[[Asked], Answer]
"""Answers a request, or raises a Refusal."""


def as_app(server: Server, faults: Sequence[FaultSource] = ()) -> "WSGIApplication":
    """A WSGI app around a server. The faults count all requests together, from 1."""
    requests = itertools.count(1)

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        asked, number = _read(environ), next(requests)
        try:
            answer = server(asked)
        except Refusal as refusal:
            answer = refusal.answer
        body = b"" if answer.content is None else json.dumps(answer.content, ensure_ascii=False).encode()
        status, body, headers = spoil_answer(
            find_fault(faults, number, asked.path), answer.status, body, answer.headers
        )
        start_response(f"{status} {name_status(status)}", list(headers.items()))
        return [body]

    return app


def _read(environ: "WSGIEnvironment") -> Asked:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    headers = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    return Asked(
        environ["REQUEST_METHOD"],
        environ.get("PATH_INFO", ""),
        {name: values[-1] for name, values in query.items()},
        headers,
        environ["wsgi.input"].read(length) if length else b"",
    )
