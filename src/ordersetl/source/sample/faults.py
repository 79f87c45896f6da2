"""Faults of the sample APIs: answers that are not the truth, at requests that are named, or at random from a seed."""

import random
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Protocol

__all__ = ["Fault", "FaultSource", "RandomFaults", "find_fault", "name_status", "spoil_answer"]


class FaultSource(Protocol):
    """Says which fault a request gets."""

    def find(self, request: int) -> "Fault | None":
        """The fault of the request of this number, from 1; None for the real answer."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What the app answers to some requests instead of the truth. Requests count from 1.

    Attributes:
        on: The numbers of the requests it concerns.
        every: Or every so many requests: 1 is all of them, 0 none but ``on``.
        status: The status to answer; None keeps the one of the real answer.
        headers: Sent besides, or instead of, the usual ones.
        body: The body to send. None keeps the real one, or with a ``status`` sends a JSON error.
        next_cursor: Put into the real page instead of its own; with ``page_cursor(0)`` the pages go round in circles.
        truncate: Announce the whole body by ``Content-Length`` and send half of it.
        within: What the path must have in it; a shape's requests for tokens are spared so.
    """

    on: Container[int] = ()
    every: int = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    next_cursor: str | None = None
    truncate: bool = False
    within: str = ""

    def concerns(self, request: int) -> bool:
        """Tell whether the request of this number gets the fault."""
        return request in self.on or (self.every > 0 and request % self.every == 0)

    def find(self, request: int) -> "Fault | None":
        """The fault itself where it concerns the request."""
        return self if self.concerns(request) else None


HTML = b"<html><body>Back soon</body></html>"
_KINDS = (
    Fault(status=503),
    Fault(status=500),
    Fault(status=429, headers={"Retry-After": "1"}),
    Fault(status=502, headers={"Content-Type": "text/html"}, body=HTML),
    Fault(truncate=True),
)


@dataclass(frozen=True)
class RandomFaults:
    """A share of the requests fails, each in one of the ways that go over by themselves; a seed gives the same ones.

    Two requests in a row are never hit, so that a client that tries again gets on.

    Attributes:
        rate: Share of the requests, from 0 to below 1.
        seed: Of the choice.
        kinds: What may happen: 5xx, 429, an HTML page, half an answer; a shape may add its own.
    """

    rate: float
    seed: int = 0
    kinds: Sequence[Fault] = _KINDS

    def find(self, request: int) -> Fault | None:
        """The fault of a request, if any."""
        if request > 1 and self._draw(request - 1) < self.rate and self.find(request - 1):
            return None
        draw = self._draw(request)
        return self.kinds[int(draw / self.rate * len(self.kinds))] if draw < self.rate else None

    def with_kinds(self, kinds: Iterable[Fault]) -> "RandomFaults":
        """The same with more that may happen."""
        return replace(self, kinds=(*self.kinds, *kinds))

    def _draw(self, request: int) -> float:
        return random.Random(f"{self.seed}:{request}").random()  # noqa: S311 - to be repeatable, not secret


def find_fault(sources: Iterable[FaultSource], request: int, path: str = "") -> Fault:
    """The first fault that any of them has for the request to a path; one that changes nothing where none has."""
    found = (source.find(request) for source in sources)
    return next((fault for fault in found if fault is not None and fault.within in path), Fault())


def spoil_answer(
    fault: Fault, status: int, body: bytes, headers: Mapping[str, str]
) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers with the fault applied; of a truncated body the header still says the whole length."""
    if fault.status is not None:
        status, headers = fault.status, {}
        body = f'{{"error": "{name_status(status)}"}}'.encode()
    if fault.body is not None:
        body = fault.body
    usual = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    merged = usual | dict(headers) | dict(fault.headers)
    return status, body[: len(body) // 2] if fault.truncate else body, merged


def name_status(status: int) -> str:
    """The phrase of a status line."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
