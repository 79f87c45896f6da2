"""A shop whose API speaks any kind of paging, for tests of clients that a description drives."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from ordersetl.lake.raw import BatchRequest
from ordersetl.settings import Settings
from ordersetl.source.client import OrdersClient
from ordersetl.source.description.model import Description
from ordersetl.source.page import Page, read_records
from ordersetl.source.session import SourceSession

__all__ = ["BASE", "NOW", "Api", "Handler", "describe", "fetch", "ids_of", "open_client", "request_of"]

BASE = "https://shop.test/api"
NOW = datetime(2025, 9, 1, 12, tzinfo=UTC)
Handler = Callable[[httpx.Request], httpx.Response]
Record = dict[str, Any]


def describe(**given: Any) -> Description:
    """A description whose orders are at ``orders``, unless said otherwise."""
    mapping = {
        "order": {"order_id": "id", "created_at": "created", "updated_at": "updated"},
        "items": {"list": "lines", "sku": "sku", "qty": "qty"},
    }
    request = {"path": "/orders", "params": {"since": "${since}", "until": "${until}", "limit": "${page_size}"}}
    request["params"] |= {"cursor": "${cursor}", "page": "${page}", "offset": "${offset}"}  # type: ignore[operator]
    usual = {"name": "shop", "title": "Shop", "records": "orders", "request": request, "mapping": mapping}
    window = {"format": "%Y-%m-%dT%H:%M:%SZ", "precision": "1s"}
    return Description.model_validate({**usual, "window": window, **given})


def request_of(**given: Any) -> BatchRequest:
    """What a batch asks for: pages of three orders, unless said otherwise."""
    usual = {"since": None, "until": None, "page_size": 3, "began_at": NOW}
    return BatchRequest("shop", BASE, **{**usual, **given})


@contextmanager
def open_client(
    handler: Handler,
    description: Description,
    *,
    pauses: list[float] | None = None,
    variables: Mapping[str, str] | None = None,
    at_once: bool = False,
    **settings: Any,
) -> Iterator[OrdersClient]:
    """A client of what the handler answers, whose pauses take no time and are seen by its clock."""
    slept: list[float] = [] if pauses is None else pauses
    known = Settings(**settings)

    def clock() -> float:
        return 1000.0 + sum(slept)

    session = SourceSession(description, BASE, variables or {}, known, now=lambda: NOW, clock=clock)

    def open_http() -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(handler), follow_redirects=False)

    with open_http() as http:
        client = OrdersClient(
            http,
            known,
            session=session,
            open_more=open_http if at_once else None,
            sleep=slept.append,
            now=lambda: NOW,
            clock=clock,
        )
        try:
            yield client
        finally:
            client.close()


def fetch(handler: Handler, description: Description, request: BatchRequest | None = None, **given: Any) -> list[Page]:
    """All pages of a request."""
    with open_client(handler, description, **given) as client:
        pages = list(client.pages(request or request_of()))
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    return pages


def ids_of(pages: list[Page]) -> list[Any]:
    """Ids of the orders of all pages."""
    return [record["id"] for page in pages for record in read_records(page)]


@dataclass
class Api:
    """An API that lists orders by their id, in any kind of paging.

    ``before`` is called with the number of each request, from 1, before it is answered: a shop's life goes on.
    ``ceiling`` is how many orders a search shows. ``extra`` goes into each answer.
    """

    orders: list[Record]
    kind: str
    before: Callable[[int], None] = lambda _: None
    ceiling: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)

    @classmethod
    def of(cls, count: int, kind: str, **given: Any) -> "Api":
        """An API of so many orders, one a minute."""
        times = [f"2025-08-20T{at // 60:02d}:{at % 60:02d}:00Z" for at in range(count)]
        return cls([{"id": at, "created": time, "updated": time} for at, time in enumerate(times)], kind, **given)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.asked.append(request)
        self.before(len(self.asked))
        params = request.url.params
        since, until = params.get("since", ""), params.get("until", "9")
        found = [order for order in self.orders if since <= order["updated"] < until]
        size = int(params["limit"])
        start = self._find_start(params, size)
        end = start + size if self.kind != "none" else len(found)
        shown = found[: self.ceiling] if self.ceiling else found
        more, headers = end < len(shown), {"X-Total": str(len(found)), "X-Pages": str(-(-len(found) // size))}
        onward = f"c{end}" if self.kind == "cursor" else str(request.url.copy_set_param("cursor", str(end)))
        answer: dict[str, Any] = {"orders": shown[start:end], "next": onward if more else None, "more": more}
        answer |= {"total": len(found), "pages": -(-len(found) // size), **self.extra}
        if more and self.kind == "link":
            headers["Link"] = f'<{BASE}/other>; rel="prev", <{onward}>; rel="next"'
        return httpx.Response(200, content=json.dumps(answer), headers=headers)

    def _find_start(self, params: httpx.QueryParams, size: int) -> int:
        match self.kind:
            case "page":
                return (int(params["page"]) - 1) * size
            case "offset":
                return int(params["offset"])
            case "none":
                return 0
            case _:
                return int(params.get("cursor", "0").strip("c"))
