"""Fetching by description: every kind of paging to its proven end, and nothing that is left out without a word."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest
from described_api import BASE, NOW, Api, describe, fetch, ids_of, open_client, request_of

from ordersetl.errors import InvalidResponseError, SourceError
from ordersetl.source.client import RepeatedError
from ordersetl.source.page import Page
from ordersetl.source.proof import ShiftedError
from ordersetl.source.traversal import Traversal

KEY = "t&1"
SINCE, UNTIL = datetime(2025, 8, 20, tzinfo=UTC), datetime(2025, 8, 21, tzinfo=UTC)
ENDS: dict[str, dict[str, Any]] = {
    "has_more": {"has_more": "more"},
    "total": {"total": "total"},
    "total in a header": {"total_header": "X-Total"},
    "page_count": {"page_count": "pages"},
    "page_count in a header": {"page_count_header": "X-Pages"},
    "null": {},
    "absent": {},
    "empty_page": {},
}
PAGINGS = [
    *(("cursor", end) for end in ("has_more", "total", "page_count", "null", "absent")),
    *(("next_url", end) for end in ("has_more", "total", "null")),
    *(("link", end) for end in ("has_more", "total in a header", "page_count in a header", "absent")),
    *(("page", end) for end in ("has_more", "total", "total in a header", "page_count", "empty_page")),
    *(("offset", end) for end in ("has_more", "total", "page_count", "empty_page")),
]


def paging(kind: str, end: str, **given: Any) -> dict[str, Any]:
    following = {"next": "next"} if kind in {"cursor", "next_url"} else {}
    first = {"first": 0} if kind == "offset" else {}
    return {"kind": kind, "end": end.partition(" ")[0], **following, **first, **ENDS[end], **given}


# What is asked


def test_a_request_holds_what_has_a_value(respond: Callable[..., Api]) -> None:
    api = respond(2, "cursor")
    request = {
        "path": "/v${version}/orders",
        "params": {"from": "${since}", "to": "${until}", "limit": "${page_size}", "state": "any", "after": "${cursor}"},
        "headers": {"X-Version": "${version}", "X-Other": "${other}"},
        "max_page_size": 2,
    }
    variables = {"version": {"description": "x"}, "other": {"description": "x", "required": False}}
    description = describe(paging=paging("cursor", "null"), request=request, variables=variables)
    fetch(api, description, request_of(since=SINCE, page_size=50), variables={"version": "7"})
    asked = api.asked[0]
    assert str(asked.url).partition("?")[0] == f"{BASE}/v7/orders"
    assert dict(asked.url.params) == {"from": "2025-08-20T00:00:00Z", "limit": "2", "state": "any"}
    assert asked.headers["X-Version"] == "7"
    assert "X-Other" not in asked.headers


@pytest.fixture
def respond() -> Callable[..., Api]:
    """An API that ignores what it is asked for."""

    def make(count: int, kind: str) -> Api:
        class Deaf(Api):
            def __call__(self, request: httpx.Request) -> httpx.Response:
                self.asked.append(request)
                answer = {"orders": self.orders, "next": None, "more": False, "total": len(self.orders)}
                return httpx.Response(200, json=answer)

        return Deaf.of(count, kind)

    return make


def test_a_body_keeps_types_and_leaves_out_what_has_no_value(respond: Callable[..., Api]) -> None:
    api = respond(2, "cursor")
    body = {
        "query": "query { a }",
        "variables": {"first": "${page_size}", "after": "${cursor}", "q": "updated>'${since}'", "ids": "${ids}"},
    }
    request = {"method": "POST", "path": "/graphql", "body": body}
    variables = {"ids": {"description": "x", "per_request": 10}}
    description = describe(paging=paging("cursor", "null"), request=request, variables=variables)
    fetch(api, description, request_of(since=SINCE), variables={"ids": "a,b"})
    assert json.loads(api.asked[0].content) == {
        "query": "query { a }",
        "variables": {"first": 3, "q": "updated>'2025-08-20T00:00:00Z'", "ids": ["a", "b"]},
    }
    assert api.asked[0].headers["Content-Type"] == "application/json"


def test_a_next_page_may_be_asked_for_by_its_cursor_alone() -> None:
    api = Api.of(5, "cursor")
    fetch(api, describe(paging=paging("cursor", "null", cursor_alone=True)), request_of(since=SINCE))
    assert dict(api.asked[1].url.params) == {"cursor": "c3", "limit": "3"}


def test_what_is_left_of_a_body_beside_a_cursor_is_its_cursor_alone() -> None:
    api = Api.of(5, "cursor")
    search = {"filter": {"since": "${since}"}, "paging": {"cursor": "${cursor}", "limit": "${page_size}", "by": "id"}}
    request = {"method": "POST", "path": "/orders", "params": {"limit": "${page_size}", "cursor": "${cursor}"}}
    request["body"] = {"search": search, "sorts": [{"by": "id"}]}
    description = describe(paging=paging("cursor", "null", cursor_alone=True), request=request)
    fetch(api, description, request_of(since=SINCE))
    assert json.loads(api.asked[0].content)["search"]["filter"] == {"since": "2025-08-20T00:00:00Z"}
    assert json.loads(api.asked[1].content) == {"search": {"paging": {"cursor": "c3", "limit": 3}}}


def test_headers_have_the_values_of_their_own_request(respond: Callable[..., Api]) -> None:
    api = respond(1, "cursor")
    request = {"path": "/orders", "headers": {"X-Store": "${store}", "X-Since": "${since}", "X-After": "${cursor}"}}
    variables = {"store": {"description": "x", "per_request": 1}}
    description = describe(paging=paging("cursor", "null"), request=request, variables=variables)
    fetch(api, description, request_of(since=SINCE), variables={"store": "1,2"})
    sent = [(asked.headers["X-Store"], asked.headers["X-Since"], "X-After" in asked.headers) for asked in api.asked]
    assert sent == [("1", "2025-08-20T00:00:00Z", False), ("2", "2025-08-20T00:00:00Z", False)]


def test_calls_are_asked_in_the_name_of_their_page_s_search() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/lines":
            asked.append((request.url.params["store"], request.url.params["order"]))
            return httpx.Response(200, json=[{"sku": "A", "qty": 1}])
        store = request.url.params["store"]
        return httpx.Response(200, json={"orders": [{"id": f"{store}-1"}], "next": None})

    call = {"name": "lines", "path": "/lines", "params": {"store": "${store}", "order": "${id}"}, "with": {"id": "id"}}
    description = describe(
        paging=paging("cursor", "null"),
        request={"path": "/orders", "params": {"store": "${store}"}},
        variables={"store": {"description": "x", "per_request": 1}},
        calls=[{**call, "records": "@", "into": "lines"}],
    )
    fetch(answer, description, variables={"store": "1,2"})
    assert asked == [("1", "1-1"), ("2", "2-1")]


@pytest.mark.parametrize("kind", ["next_url", "link"])
def test_the_url_of_a_next_page_keeps_its_query_beside_a_key(kind: str) -> None:
    api = Api.of(8, kind)
    auth = {"kind": "query", "name": "key"}
    end = {"next_url": "null", "link": "absent"}[kind]
    pages = fetch(api, describe(paging=paging(kind, end), auth=auth), request_of(since=SINCE), api_token=KEY)
    assert ids_of(pages) == list(range(8))
    for asked in api.asked:
        assert asked.url.params.get_list("key") == [KEY]
        assert asked.url.params["since"] == "2025-08-20T00:00:00Z"


def test_a_path_keeps_its_own_query() -> None:
    api = Api.of(2, "cursor")
    request = {"path": "/orders?route=api%2Forder&limit=9", "params": {"limit": "${page_size}", "cursor": "${cursor}"}}
    fetch(api, describe(paging=paging("cursor", "null"), request=request, window=None))
    assert api.asked[0].url.query == b"route=api%2Forder&limit=3"


@pytest.mark.parametrize(("kind", "first"), [("offset", "0"), ("page", "1")])
def test_pages_begin_where_they_usually_do(kind: str, first: str) -> None:
    api = Api.of(7, kind)
    assert ids_of(fetch(api, describe(paging={"kind": kind, "end": "has_more", "has_more": "more"}))) == [*range(7)]
    assert api.asked[0].url.params[kind] == first


def test_values_of_a_list_go_into_several_searches(respond: Callable[..., Api]) -> None:
    api = respond(1, "cursor")
    request = {"path": "/orders", "params": {"ids": "${ids}"}}
    variables = {"ids": {"description": "x", "per_request": 2}}
    description = describe(paging=paging("cursor", "null"), request=request, variables=variables)
    fetch(api, description, variables={"ids": "1,2,3"})
    assert [asked.url.params["ids"] for asked in api.asked] == ["1,2", "3"]


def test_values_that_are_not_set_are_listed_by_the_api(respond: Callable[..., Api]) -> None:
    orders = respond(1, "cursor")
    listed: list[Any] = ["x", 2]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/places":
            return httpx.Response(200, json={"places": [{"id": place} for place in listed]})
        return orders(request)

    variables = {
        "ids": {"description": "places", "per_request": 5, "discover": {"path": "/places", "values": "places[].id"}}
    }
    request = {"path": "/orders", "params": {"ids": "${ids}"}}
    description = describe(paging=paging("cursor", "null"), request=request, variables=variables)
    fetch(answer, description)
    assert orders.asked[0].url.params["ids"] == "x,2"
    listed.clear()
    with pytest.raises(SourceError, match="lists no ids: places"):
        fetch(answer, description)
    for body, problem in (("<html>", "is not JSON; it looks like HTML"), ("{}", "there is no list of names in it")):
        with pytest.raises(InvalidResponseError, match=f"api/places answered HTTP 200, but .*{problem}"):
            fetch(lambda _, text=body: httpx.Response(200, text=text), description)  # type: ignore[misc]
    listed.append(",")
    with pytest.raises(SourceError, match="lists ids with a comma in one, ','"):
        fetch(answer, description)


def test_a_long_window_is_asked_for_in_slices() -> None:
    api = Api.of(120, "cursor")
    window = {"format": "%Y-%m-%dT%H:%M:%SZ", "precision": "1s", "max_span": "1h", "bounded": True}
    description = describe(paging=paging("cursor", "null"), window=window)
    pages = fetch(api, description, request_of(since=SINCE, until=UNTIL, page_size=50))
    assert sorted(set(ids_of(pages))) == list(range(120))
    assert len(api.asked) > 24


@pytest.mark.parametrize("kind", ["offset", "cursor"])
@pytest.mark.parametrize(
    ("window", "until", "hint"),
    [
        ({"bounded": True}, None, "set window.min_age"),
        ({"bounded": True, "max_span": "2d"}, None, "set window.min_age"),
        ({"bounded": True, "min_age": "1s"}, None, None),
        ({"bounded": True}, NOW, None),
        ({}, None, None),  # without an end
    ],
)
def test_the_hint_at_a_refused_end_that_has_not_passed_names_min_age(
    kind: str, window: dict[str, Any], until: datetime | None, hint: str | None
) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(400, text="an end can't be in the future")

    description = describe(paging=paging(kind, "total"), window={"precision": "1s", **window})
    with pytest.raises(SourceError, match="can't be in the future") as raised:
        fetch(refuse, description, request_of(since=NOW - timedelta(hours=1), until=until))
    told = str(raised.value.hint)
    assert hint in told if hint else "min_age" not in told


# Every kind of paging


@pytest.mark.parametrize(("kind", "end"), PAGINGS)
@pytest.mark.parametrize("count", [0, 1, 3, 8, 9])
def test_every_order_comes_once(kind: str, end: str, count: int) -> None:
    api = Api.of(count, kind)
    pages = fetch(api, describe(paging=paging(kind, end)))
    assert ids_of(pages) == list(range(count))
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))


@pytest.mark.parametrize(
    ("extra", "problem"),
    [({"has_more": True}, "has_more says that there is more"), ({"links": {"next": "/2"}}, "links.next is '/2'")],
)
def test_one_page_that_names_another_is_not_all(extra: dict[str, Any], problem: str) -> None:
    api = Api.of(8, "none", extra={"next": None, "more": False, **extra})
    with pytest.raises(InvalidResponseError, match="the description has no paging for it") as raised:
        fetch(api, describe(paging={"kind": "none"}))
    assert problem in raised.value.message


LISTED = [{"id": 0, "has_more": True, "next_page": 2, "meta": {"next": "/2"}, "errors": ["late"]}]
"""What a record says is its own."""


@pytest.mark.parametrize(
    ("records", "answer", "problem"),
    [
        ("data.orders", {"data": {"orders": LISTED, "has_more": True}}, "data.has_more says that there is more"),
        ("data.orders", {"data": {"orders": LISTED}, "next_page": 2}, "next_page is '2'"),
        ("data.orders", {"data": {"orders": LISTED, "meta": {"next": "/2"}}}, "data.meta.next is '/2'"),
        ("page.list.orders", {"page": {"list": {"orders": LISTED}, "next": "/2"}}, "page.next is '/2'"),
        ("d.results", {"d": {"results": LISTED, "__next": "/2"}}, "d.__next is '/2'"),
        ("orders.data", {"orders": {"data": LISTED, "links": {"next": "/2"}}}, "orders.links.next is '/2'"),
        ("page.list.orders", {"page": {"list": {"orders": LISTED, "nextPage": 2}}}, "page.list.nextPage is '2'"),
    ],
)
def test_another_page_is_seen_wherever_it_is_named_on_the_way_to_the_list(
    records: str, answer: dict[str, Any], problem: str
) -> None:
    described = describe(paging={"kind": "none"}, records=records)
    for text in (json.dumps(answer), json.dumps({**answer, "x": float("nan")})):  # which is read leniently
        with pytest.raises(InvalidResponseError, match="the description has no paging for it") as raised:
            fetch(lambda _, text=text: httpx.Response(200, text=text), described)  # type: ignore[misc]
        assert f"({problem})" in raised.value.message


def test_what_records_and_orders_say_of_themselves_names_no_page() -> None:
    data = {"orders": LISTED, "complete": False, "last": False, "result": {"next": "step"}, "has_more": False}
    answer = {"data": {**data, "next": None, "errors": [], "success": True}}
    described = describe(paging={"kind": "none"}, records="data.orders")
    assert ids_of(fetch(lambda _: httpx.Response(200, json=answer), described)) == [0]


@pytest.mark.parametrize("given", [{}, {"errors": {"when": "meta.fault"}}, {"paging": {"total": "meta.total"}}])
def test_what_an_expression_reads_hides_no_other_page(given: dict[str, Any]) -> None:
    answer = {"orders": [{"id": 0}], "meta": {"fault": None, "total": 1, "next_page": 2}}
    described = describe(**{**given, "paging": {"kind": "none", **given.get("paging", {})}})
    with pytest.raises(InvalidResponseError, match=r"meta\.next_page is '2'"):
        fetch(lambda _: httpx.Response(200, json=answer), described)


def respond_as(*pages: dict[str, Any]) -> Callable[[httpx.Request], httpx.Response]:
    """Answers by the number of the page; the last one for all that follow."""

    def respond(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("page", "1"))
        return httpx.Response(200, json={"orders": [], **pages[min(number, len(pages)) - 1]})

    return respond


ORDERS = [{"id": 0}, {"id": 1}]
BY_NEXT = {"kind": "next_url", "next": "links.next_page", "end": "absent"}
BY_CURSOR = {"kind": "cursor", "next": "page.cursor", "end": "absent"}
BY_TOTAL = {"kind": "offset", "end": "total", "total": "count"}
BY_PAGE = {"kind": "page", "end": "empty_page"}
ALONE = {"kind": "none"}


@pytest.mark.parametrize(
    ("given", "beside", "problem"),
    [
        (BY_NEXT, {"links": {"next": "/2"}}, 'by next = "links.next_page" of paging, but links.next is'),
        (BY_NEXT, {"has_more": True}, "but has_more says that there is more"),
        (BY_CURSOR, {"next_cursor": "5"}, "but next_cursor is '5'"),
        (BY_CURSOR, {"page": {"next": 2}}, "but page.next is '2'"),
        ({**BY_CURSOR, "end": "null"}, {"page": {"cursor": None, "hasNext": True}}, "but page.hasNext says"),
        ({"kind": "link"}, {"next": "/2"}, 'by kind = "link" of paging, but next is'),
        (BY_TOTAL, {"count": 2, "has_more": True}, 'by total = "count" of paging, but has_more says'),
        (BY_TOTAL, {"count": 2, "next": "/2"}, "but next is '/2'"),
        ({"kind": "page", "end": "has_more", "has_more": "more"}, {"more": False, "isLast": False}, "but isLast says"),
        ({"kind": "page", "end": "page_count", "page_count": "n"}, {"n": 1, "meta": {"more": 1}}, "but meta.more says"),
        ({**BY_CURSOR, "max_objects": 10}, {"has_more": True}, "but has_more says"),
        (BY_NEXT, {"total": 3}, "2 orders came, and the pages name a total of 3"),
        (BY_CURSOR, {"meta": {"total_count": "3"}}, "the pages name a total of 3"),
        ({"kind": "page", "end": "page_count", "page_count": "n"}, {"n": 1, "total": 3}, "the pages name a total of 3"),
    ],
)
def test_an_end_beside_what_names_another_page_is_no_end(
    given: dict[str, Any], beside: dict[str, Any], problem: str
) -> None:
    for text in (json.dumps({"orders": ORDERS, **beside}), json.dumps({"orders": ORDERS, "x": float("nan"), **beside})):
        with pytest.raises(InvalidResponseError) as raised:
            fetch(lambda _, text=text: httpx.Response(200, text=text), describe(paging=given))  # type: ignore[misc]
        assert problem in raised.value.message


@pytest.mark.parametrize(
    ("beside", "problem"),
    [
        ({"total": 23, "count": 2, "offset": 0, "limit": 2}, "the pages name a total of 23"),
        ({"page": 1, "total_pages": 12}, "1 page came, and the pages name 12 as their number"),
        ({"meta": {"pagination": {"total": 23, "total_pages": 12}}}, "the pages name a total of 23"),
        ({"paging": {"total": 23, "pages": 12, "currentPage": 1, "perPage": 2}}, "the pages name a total of 23"),
        ({"total": "23", "page": 1, "pages": 12}, "the pages name a total of 23"),
        ({"totalItems": 5, "view": {"next": "/orders?page=2"}}, "the pages name a total of 5"),
        ({"hydra:totalItems": 5}, "the pages name a total of 5"),
        ({"hydra:view": {"hydra:next": "/orders?page=2"}}, "hydra:view.hydra:next is '/orders?page=2'"),
        ({"page_context": {"page": 1, "per_page": 2, "has_more_page": True}}, "page_context.has_more_page says"),
        ({"pagingMetadata": {"count": 2, "hasNext": True}}, "pagingMetadata.hasNext says"),
        ({"pagingMetadata": {"cursors": {"next": "abc"}}}, "pagingMetadata.cursors.next is 'abc'"),
        ({"metaData": {"morePagesAvailable": True, "resultsAvailable": 23}}, "metaData.morePagesAvailable says"),
        ({"metaData": {"resultsAvailable": 23, "resultsReturned": 2}}, "the pages name a total of 23"),
        ({"PageNumber": 1, "TotalEntries": 23, "TotalPages": 12}, "the pages name a total of 23"),
        ({"count": "23", "pages": 12, "page": 1}, "1 page came, and the pages name 12 as their number"),
        ({"@attributes": {"count": "5", "next": "/orders?after=2"}}, "@attributes.next is '/orders?after=2'"),
        ({"@odata.count": 5}, "the pages name a total of 5"),
    ],
    ids=str,
)
@pytest.mark.parametrize("given", [ALONE, {**BY_NEXT, "next": "nowhere"}, {**BY_CURSOR, "next": "no.where"}])
def test_what_known_envelopes_say_of_more_orders_and_pages_is_heard(
    given: dict[str, Any], beside: dict[str, Any], problem: str
) -> None:
    for text in (json.dumps({"orders": ORDERS, **beside}), json.dumps({"orders": ORDERS, "x": float("nan"), **beside})):
        with pytest.raises(InvalidResponseError) as raised:
            fetch(lambda _, text=text: httpx.Response(200, text=text), describe(paging=given))  # type: ignore[misc]
        assert problem in raised.value.message


@pytest.mark.parametrize(
    ("headers", "problem"),
    [({"X-Total-Count": "23"}, "the pages name a total of 23"), ({"X-WP-TotalPages": "12"}, "the pages name 12 as")],
)
def test_a_bare_list_whose_headers_count_more_is_not_all(headers: dict[str, str], problem: str) -> None:
    described = describe(paging=ALONE, records="@")
    with pytest.raises(InvalidResponseError, match=problem):
        fetch(lambda _: httpx.Response(200, json=ORDERS, headers=headers), described)
    assert fetch(lambda _: httpx.Response(200, json=ORDERS, headers=dict.fromkeys(headers, "1")), described)


@pytest.mark.parametrize("given", [ALONE, BY_NEXT, BY_CURSOR])
def test_a_number_of_pages_is_that_of_a_window_where_nothing_else_says_which_is_the_last(given: dict[str, Any]) -> None:
    answer = respond_as({"orders": ORDERS, "total_pages": 12})
    window = {"precision": "1s"}
    with pytest.raises(InvalidResponseError, match="the pages name 12 as their number"):
        fetch(answer, describe(paging=given, window=window), request_of(since=NOW))


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "page", "end": "has_more", "has_more": "more"},
        {"kind": "cursor", "next": "next", "end": "has_more", "has_more": "more"},
        {"kind": "cursor", "next": "next", "end": "null"},
        {"kind": "next_url", "next": "next", "end": "null"},
    ],
)
def test_a_number_of_pages_beside_what_says_which_is_the_last_may_count_all_of_the_shop(given: dict[str, Any]) -> None:
    window = {"precision": "1s"}
    answer = respond_as({"orders": ORDERS, "total_pages": 12, "more": False, "next": None})
    assert fetch(answer, describe(paging=given, window=window), request_of(since=NOW))
    with pytest.raises(InvalidResponseError, match="the pages name 12 as their number"):
        fetch(answer, describe(paging=given, window=window))


@pytest.mark.parametrize(
    ("given", "beside", "told"),
    [
        (BY_TOTAL, {"count": 2, "total": 5}, "and total is 5: look which"),
        (
            {**BY_TOTAL, "total": "meta.count"},
            {"meta": {"count": 2, "totalCount": 5}},
            "meta.totalCount is 5: look which",
        ),
        (BY_TOTAL, {"count": 2, "total": 2}, None),
        ({**BY_TOTAL, "total": "total_count"}, {"total_count": 2, "total": 1599}, None),  # of money, perhaps
        (BY_TOTAL, {"count": 2, "meta": {"total": 5}}, None),
        ({**BY_TOTAL, "total": "meta.count || `2`"}, {"meta": None, "total": 5}, None),
    ],
)
def test_a_total_that_may_be_of_one_page_is_warned_of(
    given: dict[str, Any], beside: dict[str, Any], told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    described = describe(paging=given, window={"precision": "1s"})
    assert ids_of(fetch(respond_as({"orders": ORDERS, **beside}), described)) == [0, 1]
    assert told in caplog.text if told else not caplog.messages
    caplog.clear()
    fetch(respond_as({"orders": ORDERS, **beside}), described, request_of(since=NOW))
    assert not caplog.messages


def test_a_first_page_that_is_passed_over_is_missed_by_the_total() -> None:
    pages = [{"orders": [{"id": at}], "total": 3} for at in (1, 2)]
    with pytest.raises(InvalidResponseError, match="2 orders came, and the pages name a total of 3"):
        fetch(respond_as(*pages, {"total": 3}), describe(paging=BY_PAGE))


def test_a_total_beside_a_window_may_count_all_orders() -> None:
    described = describe(paging=BY_CURSOR, window={"precision": "1s"})
    answer = respond_as({"orders": ORDERS, "total": 900})
    assert len(fetch(answer, described, request_of(since=NOW))) == 1
    with pytest.raises(InvalidResponseError, match="the pages name a total of 900"):
        fetch(answer, described)


def test_a_command_that_goes_on_knows_what_the_first_page_named() -> None:
    answer = respond_as({"orders": ORDERS, "page": {"cursor": "c"}, "total": 4}, {"orders": [{"id": 2}], "total": 4})
    described = describe(paging=BY_CURSOR)
    with open_client(answer, described) as client:
        page = next(iter(client.pages(request_of())))
    with open_client(answer, described) as client:
        assert page.position is not None
        trail = client.resume_trail(request_of(), page.position, now=NOW)
        assert trail is not None
        trail.replay(page)
        with pytest.raises(InvalidResponseError, match="3 orders came, and the pages name a total of 4"):
            list(client.pages(request_of(), trail))


@pytest.mark.parametrize(
    ("given", "pages"),
    [
        (BY_NEXT, [{"recordsTotal": 9, "count": 9, "limit": 50, "links": {"next": None}}]),
        (BY_NEXT, [{"total": 9, "meta": {"total_count": 2}}]),  # of all orders, and of those that were asked for
        (BY_NEXT, [{"last": False, "complete": False, "result": {"next": "step"}}]),  # words of an order
        ({**BY_NEXT, "next": "next || (total && `null`)"}, [{"total": 9}]),  # the description looks at it
        ({**BY_NEXT, "total": "filtered"}, [{"total": 9, "filtered": 2}]),
        ({**BY_NEXT, "total": "filtered"}, [{"total": 9}]),
        ({"kind": "page", "end": "has_more", "has_more": "more"}, [{"more": False, "next_page": 2, "next": "2"}]),
        (
            {"kind": "cursor", "next": "next_cursor", "end": "has_more", "has_more": "more"},
            [{"next_cursor": "c", "more": False}],
        ),
        (BY_PAGE, [{"next": "/2", "next_page": 2, "total": 2}, {"orders": [], "next": "/3", "total": 2}]),
        (BY_CURSOR, [{"page": {"cursor": "c"}, "total": 3}, {"orders": [{"id": 2}], "total": 1}]),  # of those left
        (BY_CURSOR, [{"page": {"cursor": "c"}}, {"orders": [{"id": 2}], "total": 9}]),  # not of the first page
        (ALONE, [{"total": 2, "count": 2, "page": 1, "pages": 1}]),
        (ALONE, [{"total": 2, "total_pages": 7}]),  # of pages of another size: all came
        (BY_NEXT, [{"total": 2, "total_pages": 7}]),
        ({**BY_NEXT, "total": "n"}, [{"n": 2, "total_pages": 7}]),
        ({**ALONE, "page_count": "n", "total": "`null`"}, [{"n": 1, "total_pages": 7, "total": 90}]),
        (ALONE, [{"page_count": 50}]),  # as many orders as a page may have
        (ALONE, [{"cursor": "c1", "view": {"total": 9}, "_links": {"shop:next": {"href": "/help"}}}]),
        (BY_NEXT, [{"links": {"next": None}, "meta": {"cursor": "c1"}}]),
        (BY_CURSOR, [{"page": {"cursor": "c"}, "pages": 2}, {"orders": [{"id": 2}], "pages": 3}]),  # it grew
        (BY_CURSOR, [{"page": {"cursor": "c"}, "pages": 9}, {"orders": [{"id": 2}]}]),  # not of each page
        (BY_CURSOR, [{"page": {"cursor": "c"}}, {"orders": [{"id": 2}], "cursor": "c"}]),  # the one that was sent
        ({**BY_CURSOR, "next": "next"}, [{"next": None, "cursor": "c1"}]),  # of this page
        ({**BY_CURSOR, "end": "has_more", "has_more": "more"}, [{"more": False, "cursor": "c1"}]),
        (BY_NEXT, [{"links": {"next_page": "/api/orders?page=2&after=c2"}}, {"orders": [{"id": 2}], "cursor": "c2"}]),
        (BY_NEXT, [{"view": {"@id": "/orders?page=1"}, "totalItems": 2}]),
        (BY_NEXT, [{"hydra:view": {"hydra:last": "/orders?page=1"}, "hydra:totalItems": 2}]),
        (BY_NEXT, [{"@attributes": {"count": "2", "next": "", "previous": ""}}]),
    ],
)
def test_what_may_mean_something_else_denies_no_end(given: dict[str, Any], pages: list[dict[str, Any]]) -> None:
    found = fetch(respond_as(*({"orders": ORDERS, **page} for page in pages)), describe(paging=given))
    assert ids_of(found)[:2] == [0, 1]


@pytest.mark.parametrize("limit", [{"max_objects": 4}, {"max_pages": 3}])
def test_where_the_api_ends_by_itself_it_may_name_more(limit: dict[str, int]) -> None:
    api = Api.of(12, "page", ceiling=4)

    def answer(request: httpx.Request) -> httpx.Response:
        found = json.loads(api(request).content)
        return httpx.Response(200, json={**found, "has_more": found["total"] > 4})

    pages = fetch(answer, describe(paging={**BY_PAGE, **limit}), request_of(page_size=2))
    assert set(ids_of(pages)) == set(range(12))


@pytest.mark.parametrize(("kind", "end"), PAGINGS)
def test_no_content_is_no_orders(kind: str, end: str) -> None:
    pages = fetch(lambda _: httpx.Response(204), describe(paging=paging(kind, end)))
    assert ids_of(pages) == []


@pytest.mark.parametrize("body", ["", " \r\n"])
@pytest.mark.parametrize(("kind", "end"), [*PAGINGS, ("none", "total")])
def test_an_empty_body_of_http_200_is_no_end(kind: str, end: str, body: str) -> None:
    with pytest.raises(InvalidResponseError, match="is not JSON; it looks like an empty body"):
        fetch(lambda _: httpx.Response(200, text=body), describe(paging=paging(kind, end)))


def test_no_content_in_the_midst_of_pages_is_no_end() -> None:
    api = Api.of(8, "page")
    with pytest.raises(InvalidResponseError):
        fetch(
            lambda request: httpx.Response(204) if request.url.params["page"] == "2" else api(request),
            describe(paging=paging("page", "has_more")),
        )


def test_one_page_is_all_where_there_are_no_pages() -> None:
    assert ids_of(fetch(Api.of(8, "none"), describe(paging={"kind": "none"}))) == list(range(8))
    description = describe(paging={"kind": "none", "end": "total", "total": "total"})
    assert ids_of(fetch(Api.of(8, "none"), description)) == list(range(8))
    with pytest.raises(InvalidResponseError, match="not complete"):
        fetch(Api.of(8, "none", extra={"total": 9}), description)


@pytest.mark.parametrize(("kind", "end"), PAGINGS)
def test_an_interrupted_fetch_goes_on_at_its_page(kind: str, end: str) -> None:
    api = Api.of(9, kind)
    description = describe(paging=paging(kind, end))
    with open_client(api, description) as client:
        first = client.pages(request_of())
        pages = [next(first), next(first)]
    del api.asked[:]
    with open_client(api, description) as client:
        assert pages[-1].position is not None
        trail = client.resume_trail(request_of(), pages[-1].position, now=NOW)
        assert trail is not None
        for page in pages:
            trail.replay(page)
        pages += client.pages(request_of(), trail)
    assert ids_of(pages) == list(range(9))
    assert len(api.asked) <= (4 if end == "empty_page" else 3)


def test_a_fetch_that_was_complete_asks_for_nothing() -> None:
    api = Api.of(5, "page")
    with open_client(api, describe(paging=paging("page", "total"))) as client:
        position = list(client.pages(request_of()))[-1].position
        assert position is not None
        del api.asked[:]
        trail = client.resume_trail(request_of(), position, now=NOW)
        assert isinstance(trail, Traversal)
        assert trail.position.is_done
        assert list(client.pages(request_of(), trail)) == []
    assert api.asked == []


def test_a_position_that_cannot_be_read_is_none() -> None:
    with open_client(Api.of(1, "page"), describe(paging=paging("page", "total"))) as client:
        assert client.resume_trail(request_of(), b'{"slices": 1}', now=NOW) is None


def test_a_cursor_that_has_expired_begins_its_window_again(caplog: pytest.LogCaptureFixture) -> None:
    api = Api.of(9, "cursor")
    description = describe(paging=paging("cursor", "null", cursor_lifetime="1h"))
    with open_client(api, description) as client:
        page = next(client.pages(request_of()))
        assert page.position is not None
        del api.asked[:]
        trail = client.resume_trail(request_of(), page.position, now=NOW + timedelta(minutes=59))
        assert trail is not None
        assert next(client.pages(request_of(), trail)).number == 2
        assert api.asked[-1].url.params["cursor"] == "c3"
        trail = client.resume_trail(request_of(), page.position, now=NOW + timedelta(minutes=61))
        assert trail is not None
        trail.replay(page)
        pages = list(client.pages(request_of(), trail))
    assert "begins again" in caplog.text
    assert (ids_of(pages), pages[0].number) == (list(range(9)), 2)


def test_a_refused_cursor_begins_its_window_again(caplog: pytest.LogCaptureFixture) -> None:
    api = Api.of(9, "cursor")

    def answer(request: httpx.Request) -> httpx.Response:
        response = api(request)
        return httpx.Response(410) if len(api.asked) == 2 else response

    pages = fetch(answer, describe(paging=paging("cursor", "null")))
    assert sorted(set(ids_of(pages))) == list(range(9))
    assert "begins again" in caplog.text
    api.asked.clear()
    with pytest.raises(SourceError, match="began again 3 times"):
        fetch(
            lambda r: httpx.Response(410) if "cursor" in r.url.params else api(r),
            describe(paging=paging("cursor", "null")),
        )


def test_a_command_that_goes_on_begins_again_as_often_as_the_first() -> None:
    api, description = Api.of(9, "cursor"), describe(paging=paging("cursor", "null"))
    refusals, pages = [410] * 4, list[Page]()

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(refusals.pop()) if refusals and "cursor" in request.url.params else api(request)

    with open_client(answer, description) as client, pytest.raises(SourceError, match="began again 3 times"):
        pages.extend(client.pages(request_of()))
    refusals += [410] * 3
    with open_client(answer, description) as client:
        trail = client.resume_trail(request_of(), pages[-1].position or b"", now=NOW)
        assert trail is not None
        for page in pages:
            trail.replay(page)
        pages += client.pages(request_of(), trail)
    assert set(ids_of(pages)) == set(range(9))


# An end that is not proven


@pytest.mark.parametrize(
    ("kind", "end", "extra", "problem"),
    [
        ("cursor", "has_more", {"more": None}, "does not say whether there is more: more is None"),
        ("cursor", "has_more", {"more": True, "next": None}, "says that there is more, and names no next page"),
        ("cursor", "total", {"total": None}, "has no total at total"),
        ("page", "total", {"total": "many"}, "has no total at total"),
        ("page", "page_count", {"pages": None}, "has no number of pages at pages"),
        ("cursor", "null", {"next": {"cursor": 1}}, "next names no next page"),
        ("cursor", "null", {"next": True}, "next names no next page"),
        ("cursor", "null", {"next": "\ud800"}, "not valid Unicode"),
        ("cursor", "null", {"next": "x" * 20_000}, "next names no next page"),
    ],
)
def test_a_page_that_does_not_prove_what_follows_is_refused(
    kind: str, end: str, extra: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidResponseError, match=problem):
        fetch(Api.of(2, kind, extra=extra), describe(paging=paging(kind, end)))


@pytest.mark.parametrize(
    ("yes", "no"), [(True, False), ("true", "False"), (1, 0), ("1", "0"), (1.0, 0.0), ("yes", "no")]
)
def test_a_flag_is_read_in_all_its_spellings(yes: object, no: object) -> None:
    api = Api.of(8, "offset")

    def answer(request: httpx.Request) -> httpx.Response:
        found = json.loads(api(request).content)
        return httpx.Response(200, json={**found, "more": yes if found["more"] else no})

    assert ids_of(fetch(answer, describe(paging=paging("offset", "has_more")))) == list(range(8))


def test_a_flag_that_is_a_number_of_those_left_is_compared() -> None:
    api = Api.of(2, "offset", extra={"more": 5})
    with pytest.raises(InvalidResponseError, match="more is 5") as caught:
        fetch(api, describe(paging=paging("offset", "has_more")))
    assert caught.value.hint is not None
    assert "as more > `0` does" in caught.value.hint


@pytest.mark.parametrize("kind", ["cursor", "next_url"])
@pytest.mark.parametrize("end", ["has_more", "total", "null", "absent"])
@pytest.mark.parametrize("none", [False, None, ""])
def test_false_names_no_next_page_as_null_does(kind: str, end: str, none: object) -> None:
    api = Api.of(8, kind)

    def answer(request: httpx.Request) -> httpx.Response:
        found = json.loads(api(request).content)
        return httpx.Response(200, json={**found, "next": found["next"] or none})

    assert ids_of(fetch(answer, describe(paging=paging(kind, end)))) == list(range(8))
    api.extra = {"more": True}
    if end == "has_more":
        with pytest.raises(InvalidResponseError, match="says that there is more, and names no next page"):
            fetch(answer, describe(paging=paging(kind, end)))


def test_a_missing_cursor_is_no_end_where_the_end_is_a_null() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"orders": [], "cursors": {}})

    with pytest.raises(InvalidResponseError, match=r"lacks cursors\.next"):
        fetch(answer, describe(paging={"kind": "cursor", "next": "cursors.next", "end": "null"}))
    assert fetch(answer, describe(paging={"kind": "cursor", "next": "cursors.next", "end": "absent"}))


@pytest.mark.parametrize("kind", ["cursor", "page", "offset"])
def test_a_total_that_is_not_met_is_refused(kind: str) -> None:
    api = Api.of(8, kind, extra={"total": 9})
    with pytest.raises(InvalidResponseError, match=r"after 8 orders of 9|no next page|is empty|shorter") as caught:
        fetch(api, describe(paging=paging(kind, "total")))
    assert "began again 3 times" in caught.value.message or kind == "cursor"


@pytest.mark.parametrize("kind", ["page", "offset", "cursor"])
def test_an_empty_page_among_those_that_are_promised_is_no_end(kind: str) -> None:
    api = Api.of(3, kind, extra={"pages": 2, "next": "c3"})
    with pytest.raises(InvalidResponseError, match=r"page 2 is empty, and there are 2 pages .*began again") as caught:
        fetch(api, describe(paging=paging(kind, "page_count")))
    assert 'end = "empty_page"' in caught.value.hint
    for promised in (0, 1):
        assert (
            ids_of(fetch(Api.of(0, kind, extra={"pages": promised}), describe(paging=paging(kind, "page_count")))) == []
        )


def test_a_last_page_that_is_repeated_past_the_end_is_no_more_orders() -> None:
    class Magento(Api):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            last = -(-len(self.orders) // 3)
            page = min(int(request.url.params["page"]), last)
            return super().__call__(httpx.Request("GET", request.url.copy_set_param("page", str(page))))

    assert ids_of(fetch(Magento.of(8, "page"), describe(paging=paging("page", "total")))) == list(range(8))
    api = Magento.of(8, "page", extra={"total": 20})
    with pytest.raises(InvalidResponseError, match="shorter than promised"):
        fetch(api, describe(paging=paging("page", "total")))
    with pytest.raises(RepeatedError, match="same records"):
        fetch(Magento.of(9, "page", extra={"total": 20}), describe(paging=paging("page", "total")))


def test_a_cursor_that_comes_again_is_refused() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"orders": [{"id": str(request.url)}], "next": "c1"})

    with pytest.raises(RepeatedError, match="second time"):
        fetch(answer, describe(paging=paging("cursor", "null")))


@pytest.mark.parametrize("padding", [0, *range(18, 40, 3)])
def test_a_key_that_a_next_page_echoes_is_not_shown(padding: int, caplog: pytest.LogCaptureFixture) -> None:
    key, page = "SEKRET/0123456789", itertools.count()

    def answer(request: httpx.Request) -> httpx.Response:
        again = request.url.copy_with(query=f"x={'x' * padding}&key={quote_plus(key)}".encode())
        return httpx.Response(200, json={"orders": [{"id": next(page)}], "next": str(again)})

    description = describe(paging=paging("next_url", "null"), auth={"kind": "query", "name": "key"})
    with pytest.raises(RepeatedError, match="a second time; its pages would never end") as caught:
        fetch(answer, description, api_token=key)
    assert "SEKR" not in caught.value.message + caplog.text


def test_a_last_page_may_name_the_cursor_that_it_was_asked_for_by() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        last = "cursor" in request.url.params
        return httpx.Response(200, json={"orders": [{"id": int(last)}], "next": "c1", "more": not last})

    assert ids_of(fetch(answer, describe(paging=paging("cursor", "has_more")))) == [0, 1]


def test_endless_pages_are_refused() -> None:
    numbers = iter(range(10**6))

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"orders": [], "next": next(numbers)})

    with pytest.raises(InvalidResponseError, match="1001 empty pages"):
        fetch(answer, describe(paging=paging("cursor", "null")))
    with pytest.raises(SourceError, match="after 2 pages"):
        fetch(Api.of(20, "cursor"), describe(paging=paging("cursor", "null")), max_pages=2)


# Pages that shift


def remove_order(api: Api, at: int, request: int) -> None:
    """Have an order leave the window before a request."""

    def leave(number: int) -> None:
        if number == request:
            del api.orders[at]

    api.before = leave


@pytest.mark.parametrize("kind", ["page", "offset"])
@pytest.mark.parametrize("end", ["total", "total in a header", "has_more", "empty_page"])
@pytest.mark.parametrize("request_", [2, 3, 4, 5])
def test_an_order_that_leaves_hides_no_other(kind: str, end: str, request_: int) -> None:
    api = Api.of(14, kind)
    remove_order(api, 0, request_)
    pages = fetch(api, describe(paging=paging(kind, end)))
    assert set(ids_of(pages)) >= set(range(1, 14))


@pytest.mark.parametrize("kind", ["page", "offset"])
@pytest.mark.parametrize("end", ["has_more", "empty_page"])
@pytest.mark.parametrize("named", [{"total": "meta.total"}, {"total_header": "X-Other"}, {"total": "late"}])
@pytest.mark.parametrize("request_", [2, 3, 4])
def test_a_total_that_no_page_shows_hides_no_order(kind: str, end: str, named: dict[str, str], request_: int) -> None:
    class Silent(Api):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            self.extra = {"late": len(self.orders)} if self._find_start(request.url.params, 3) > 0 else {}
            return super().__call__(request)

    api = Silent.of(14, kind)
    remove_order(api, 0, request_)
    pages = fetch(api, describe(paging=paging(kind, end, **named)))
    assert set(ids_of(pages)) >= set(range(1, 14))


@pytest.mark.parametrize("total", [0, 2, 5])
def test_more_orders_than_the_total_are_no_end(total: int) -> None:
    api = Api.of(12, "page", extra={"total": total})
    with pytest.raises(ShiftedError, match=f"the total is {total}"):
        fetch(api, describe(paging=paging("page", "total")))


@pytest.mark.parametrize(("kind", "end"), [("cursor", "null"), ("page", "has_more"), ("offset", "empty_page")])
def test_a_total_with_a_limit_is_no_fault_where_something_else_proves_the_end(kind: str, end: str) -> None:
    api = Api.of(12, kind, extra={"total": 5})
    assert len(ids_of(fetch(api, describe(paging=paging(kind, end, total="total"))))) == 12


@pytest.mark.parametrize(("form", "since"), [("epoch", 1755684000), ("epoch_ms", 1755684000000)])
def test_epochs_are_numbers_in_a_body(form: str, since: int) -> None:
    bodies: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={"orders": [], "total": 0})

    body = {"from": "${since}", "text": "after ${since}"}
    request = {"method": "POST", "path": "/orders", "body": body}
    window = {"format": form, "precision": "1s"}
    fetch(
        answer,
        describe(request=request, window=window, paging={"kind": "none", "end": "total", "total": "total"}),
        request_of(since=datetime(2025, 8, 20, 10, tzinfo=UTC)),
    )
    assert bodies == [{"from": since, "text": f"after {since}"}]


def test_a_shop_that_never_stands_still_is_refused() -> None:
    api = Api.of(200, "page")

    def leave(number: int) -> None:
        if number % 3 == 0:
            del api.orders[0]

    api.before = leave
    with pytest.raises(ShiftedError, match=r"the total went from .* began again 3 times"):
        fetch(api, describe(paging=paging("page", "total")))


@pytest.mark.parametrize("also", [False, True])
def test_an_order_that_moves_to_the_end_hides_no_other(also: bool) -> None:  # noqa: FBT001 - a variant
    """Sorted by time of change: the total stays, or another order hides that one is missing."""
    api = Api.of(12, "page")

    def move(number: int) -> None:
        if number == 3:
            moved = {**api.orders.pop(0), "updated": "2025-08-25T00:00:00Z"}
            api.orders.append(moved)
            if also:
                api.orders.append({"id": 99, "created": "2025-08-26T00:00:00Z", "updated": "2025-08-26T00:00:00Z"})

    api.before = move
    pages = fetch(api, describe(paging=paging("page", "total")))
    assert set(ids_of(pages)) >= set(range(12))


def test_an_order_that_enters_costs_nothing() -> None:
    api = Api.of(12, "page")

    def enter(number: int) -> None:
        if number == 3:
            api.orders.insert(0, {"id": -1, "created": "2025-08-20T00:00:00Z", "updated": "2025-08-25T00:00:00Z"})

    api.before = enter
    pages = fetch(api, describe(paging=paging("page", "total")))
    assert set(ids_of(pages)) >= set(range(12))
    assert len(api.asked) == 5


def make_order(number: int, updated: str) -> dict[str, Any]:
    return {"id": number, "created": updated, "updated": updated}


@pytest.mark.parametrize("kind", ["page", "offset"])
def test_orders_that_change_while_they_are_fetched_stay_in_a_window_that_needs_an_end(kind: str) -> None:
    """Sorted by id, each in its place: a busy shop, where one changes before each page, is read in one pass."""
    api = Api.of(12, kind)

    def change(number: int) -> None:
        api.orders[number]["updated"] = "2025-09-01T12:00:01Z"  # a second after the extraction began

    api.before = change
    window = {"format": "%Y-%m-%dT%H:%M:%SZ", "precision": "1s", "bounded": True}
    pages = fetch(api, describe(paging=paging(kind, "total"), window=window))
    assert ids_of(pages) == list(range(12))


@pytest.mark.parametrize("kind", ["page", "offset"])
@pytest.mark.parametrize("count", [2, 4])
def test_new_orders_behind_the_last_page_are_no_shift(kind: str, count: int) -> None:
    """They come while the calls of that page are made, in a busy shop each time."""
    api = Api.of(count, kind)  # pages of three

    def sell(number: int) -> None:
        if number % 2 == 0 and len(api.orders) % 3:
            api.orders.append(make_order(len(api.orders), "2025-09-01T12:00:00Z"))

    api.before = sell
    pages = fetch(api, describe(paging=paging(kind, "empty_page")))
    assert len(ids_of(pages)) >= count
    assert ids_of(pages) == list(range(len(ids_of(pages))))


@pytest.mark.parametrize(
    ("at", "updated"),
    [
        (0, "2025-09-01T12:00:00Z"),  # sorted newest first
        (1, "2025-09-01T12:00:00Z"),
        (9, "2025-09-01T11:59:59Z"),  # it was there already
        (9, "2025-09-99"),
    ],
)
def test_other_orders_on_a_page_that_was_read_are_a_shift(at: int, updated: str) -> None:
    api = Api.of(5, "page")

    def enter(number: int) -> None:
        if number == 4:
            api.orders.insert(3 + at, make_order(99, updated))

    api.before = enter
    pages = fetch(api, describe(paging=paging("page", "empty_page")))
    assert set(ids_of(pages)) == {*range(5), 99}


def test_what_comes_twice_every_time_is_the_api_s_own_way() -> None:
    api = Api.of(12, "page")
    api.orders[5] = {**api.orders[1], "updated": "2025-08-22T00:00:00Z"}
    pages = fetch(api, describe(paging=paging("page", "total")))
    assert set(ids_of(pages)) == set(range(12)) - {5}
    assert len(api.asked) == 8


@pytest.mark.parametrize("end", ["total", "empty_page"])
@pytest.mark.parametrize("short", [1, 2, 3])
def test_a_page_that_is_shorter_than_promised_hides_no_order(end: str, short: int) -> None:
    class Hasty(Api):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            response = super().__call__(request)
            answer = response.json()
            if len(self.asked) == short:
                del answer["orders"][1:]
            return httpx.Response(200, json=answer)

    assert set(ids_of(fetch(Hasty.of(12, "page"), describe(paging=paging("page", end))))) == set(range(12))


# Ceilings


@pytest.mark.parametrize("limit", [{"max_objects": 6}, {"max_pages": 2}])
@pytest.mark.parametrize(
    ("kind", "end"), [("page", "total"), ("offset", "total"), ("cursor", "null"), ("cursor", "has_more")]
)
def test_a_window_that_holds_too_much_is_halved_until_it_fits(kind: str, end: str, limit: dict[str, int]) -> None:
    api = Api.of(50, kind, ceiling=6)
    pages = fetch(api, describe(paging=paging(kind, end, **limit)), request_of(since=SINCE, until=UNTIL))
    assert set(ids_of(pages)) == set(range(50))


@pytest.mark.parametrize("kind", ["page", "offset", "cursor"])
def test_a_total_that_the_api_caps_may_stand_for_more(kind: str) -> None:
    class Capped(Api):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = json.loads(super().__call__(request).content)
            return httpx.Response(200, json={**answer, "total": min(answer["total"], 6)})

    api = Capped.of(50, kind, ceiling=6)
    description = describe(paging=paging(kind, "total", max_objects=6))
    assert set(ids_of(fetch(api, description, request_of(since=SINCE, until=UNTIL)))) == set(range(50))


@pytest.mark.parametrize("limit", [{"max_objects": 30}, {"max_pages": 10}])
@pytest.mark.parametrize(("kind", "end"), [("cursor", "null"), ("cursor", "has_more"), ("page", "empty_page")])
@pytest.mark.parametrize("rising", [True, False])
def test_a_window_is_cut_where_its_orders_are(kind: str, end: str, limit: dict[str, int], *, rising: bool) -> None:
    """A search from the beginning of time is not halved year by year, nor order by order."""
    api = Api.of(300, kind, ceiling=30)
    if not rising:
        api.orders.reverse()
    pages = fetch(api, describe(paging=paging(kind, end, **limit)))
    assert set(ids_of(pages)) == set(range(300))
    assert len(api.asked) <= 5 * 300 // 3 * (1 + (kind == "page"))  # each of these is looked back at


@pytest.mark.parametrize("kind", ["page", "offset"])
def test_an_order_that_left_between_two_commands_hides_no_other(kind: str) -> None:
    """Another one that entered keeps the total what it was."""
    api, description = Api.of(9, kind), describe(paging=paging(kind, "total"))
    with open_client(api, description) as client:
        page = next(client.pages(request_of()))
    left, new = api.orders.pop(0), {**api.orders[-1], "id": 9, "updated": "2025-08-20T01:00:00Z"}
    api.orders.append(new)
    with open_client(api, description) as client:
        assert page.position is not None
        trail = client.resume_trail(request_of(), page.position, now=NOW)
        assert trail is not None
        trail.replay(page)
        pages = [page, *client.pages(request_of(), trail)]
    assert {*ids_of(pages)} == {left["id"], *range(1, 10)}


@pytest.mark.parametrize(("kind", "end"), [("cursor", "null"), ("cursor", "total"), ("next_url", "has_more")])
def test_a_shop_that_grows_behind_its_cursors_is_complete(kind: str, end: str) -> None:
    api = Api.of(9, kind)
    answer = api.__call__

    def grow(request: httpx.Request) -> httpx.Response:
        found = json.loads(answer(request).content)
        return httpx.Response(200, json={**found, "total": 8 + len(api.asked)})

    assert ids_of(fetch(grow, describe(paging=paging(kind, end, total="total")))) == list(range(9))


def test_one_instant_that_holds_too_much_is_refused() -> None:
    api = Api.of(50, "page", ceiling=6)
    for order in api.orders:
        order["updated"] = "2025-08-20T10:00:00Z"
    with pytest.raises(SourceError, match="lets 6 orders be fetched, and there may be more from 2025-08-20T"):
        fetch(api, describe(paging=paging("page", "total", max_objects=6)), request_of(since=SINCE, until=UNTIL))


def test_an_interrupted_fetch_knows_its_halves() -> None:
    api = Api.of(50, "cursor", ceiling=6)
    description = describe(paging=paging("cursor", "null", max_objects=6))
    asked = request_of(since=SINCE, until=UNTIL)
    pages = []
    with open_client(api, description) as client:
        following = client.pages(asked)
        pages += [next(following) for _ in range(12)]
    with open_client(api, description) as client:
        assert pages[-1].position is not None
        trail = client.resume_trail(asked, pages[-1].position, now=NOW)
        assert trail is not None
        for page in pages:
            trail.replay(page)
        pages += client.pages(asked, trail)
    assert set(ids_of(pages)) == set(range(50))
