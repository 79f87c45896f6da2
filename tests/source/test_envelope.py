"""What an answer says beside its records: errors in HTTP 200, limits, versions, rights."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from described_api import NOW, Api, describe, fetch, ids_of, open_client, request_of

from ordersetl.errors import InvalidResponseError, SourceError
from ordersetl.source.page import read_records

CURSOR = {"kind": "cursor", "next": "next", "end": "null"}


def test_an_empty_answer_of_http_204_is_an_empty_page() -> None:
    pages = fetch(lambda _: httpx.Response(204), describe(records="@", paging={"kind": "page", "end": "empty_page"}))
    assert [(page.body, page.head.records, read_records(page)) for page in pages] == [(b"", 0, [])]


ERRORS = {"when": "errors", "message": "errors[].message", "throttled": "errors[?code=='SLOW']", "wait_s": "wait"}


@pytest.mark.parametrize(
    "answer", [{"errors": [{"message": "no field\x1b[31m x"}]}, {"orders": [], "errors": [{"message": "no field"}]}]
)
def test_an_error_in_http_200_is_an_error(answer: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"answered HTTP 200 with an error in it: no field") as caught:
        fetch(lambda _: httpx.Response(200, json=answer), describe(paging={**CURSOR, "end": "absent"}, errors=ERRORS))
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("extra", [{"errors": [{"message": "shard 3 is down"}]}, {"error": "late"}, {"success": False}])
@pytest.mark.parametrize("kind", ["cursor", "next_url", "link", "page", "offset", "none"])
def test_an_error_beside_orders_is_an_error_where_the_description_says_nothing_of_it(
    extra: dict[str, Any], kind: str
) -> None:
    given = {"kind": kind, **({"next": "next"} if kind in {"cursor", "next_url"} else {})}
    given |= {} if kind == "none" else {"end": "has_more", "has_more": "more"}
    api, name = Api.of(2, kind, extra={"next": None, **extra}), next(iter(extra))
    for errors in (None, {"when": "failure"}):
        with pytest.raises(InvalidResponseError, match=f"answered HTTP 200, but there is an error in it: {name} is"):
            fetch(api, describe(paging=given, errors=errors))
    for when in (f"{name} == 'fatal'", f"failure || {name}.fatal", "contains(keys(@), 'fatal')"):
        assert ids_of(fetch(api, describe(paging=given, errors={"when": when}))) == [0, 1]


@pytest.mark.parametrize(
    ("beside", "within", "problem"),
    [
        ({}, {"errors": ["shard 3 is down"]}, "data.errors is"),
        ({}, {"success": False}, "data.success is"),
        ({"error": "late"}, {}, "error is"),
    ],
)
@pytest.mark.parametrize("orders", [{"orders": [{"id": 0, "errors": ["its own"]}]}, {}])
@pytest.mark.parametrize("kind", ["cursor", "none"])
def test_an_error_is_seen_wherever_it_stands_on_the_way_to_the_list(
    beside: dict[str, Any], within: dict[str, Any], problem: str, orders: dict[str, Any], kind: str
) -> None:
    answer = {"data": {**orders, **within, "next": None}, **beside}
    paging = {"kind": "none"} if kind == "none" else {**CURSOR, "next": "data.next"}
    with pytest.raises(InvalidResponseError, match=f"there is an error in it: {problem}"):
        fetch(lambda _: httpx.Response(200, json=answer), describe(paging=paging, records="data.orders"))
    if orders:
        found = fetch(
            lambda _: httpx.Response(200, json=answer),
            describe(paging=paging, records="data.orders", errors={"when": f"{problem[:-3]} == 'fatal'"}),
        )
        assert ids_of(found) == [0]


OF_ERRORS = [
    *({"error": "upstream failed"}, {"message": "Service temporarily unavailable"}, {"success": False}),
    *({"status": "error", "code": 503, "message": "in maintenance"}, {"status": 503}, {"code": "INTERNAL"}),
    *(
        {"data": {"Detail": "not now"}},
        {"fault": {"faultstring": "Rate limit"}},
        {"code": -1},
        {"data": None, "msg": "x"},
    ),
]


@pytest.mark.parametrize("answer", OF_ERRORS)
@pytest.mark.parametrize("kind", ["cursor", "link", "none"])
def test_an_answer_of_an_error_alone_is_not_an_empty_page(answer: dict[str, Any], kind: str) -> None:
    paging = {"cursor": {**CURSOR, "end": "absent"}}.get(kind, {"kind": kind})
    for errors in (None, {"when": "errors"}):
        source = describe(paging=paging, records="data.orders", may_be_absent=True, errors=errors)
        with pytest.raises(InvalidResponseError, match="there is an error in it: "):
            fetch(lambda _: httpx.Response(200, json=answer), source)


@pytest.mark.parametrize(
    "answer",
    [
        *({}, {"next": None}, {"errors": []}, {"message": ""}, {"data": None, "code": 200, "message": "Listed"}),
        *({"success": True, "message": "None found"}, {"code": 0, "msg": "success"}, {"status": "ok", "detail": {}}),
        {"reason": "no order"},  # the description says which ones are errors
    ],
)
def test_an_answer_without_a_list_or_an_error_is_an_empty_page(answer: dict[str, Any]) -> None:
    errors = {"when": "reason && reason != 'no order'"}
    source = describe(paging=CURSOR | {"end": "absent"}, records="data.orders", may_be_absent=True, errors=errors)
    assert ids_of(fetch(lambda _: httpx.Response(200, json=answer), source)) == []


def test_a_message_beside_orders_is_no_error() -> None:
    extra = {"success": True, "message": "OK", "code": 1200}
    assert ids_of(fetch(Api.of(2, "cursor", extra=extra), describe(paging=CURSOR, may_be_absent=True))) == [0, 1]


@pytest.mark.parametrize("extra", [{"errors": [], "error": None, "success": True}, {"error": 0}, {"errors": {}}])
def test_an_error_of_nothing_is_none(extra: dict[str, Any]) -> None:
    assert ids_of(fetch(Api.of(2, "cursor", extra=extra), describe(paging=CURSOR))) == [0, 1]


def test_what_an_order_says_of_errors_is_its_own() -> None:
    orders = [{"id": 0, "error": "late", "errors": ["x"], "success": False}]
    bare = fetch(lambda _: httpx.Response(200, json=orders), describe(records="@", paging={"kind": "none"}))
    listed = fetch(lambda _: httpx.Response(200, json={"orders": orders}), describe(paging={"kind": "none"}))
    assert ids_of(bare) == ids_of(listed) == [0]


@pytest.mark.parametrize("beside", [{}, {"orders": [], "next": None}])
@pytest.mark.parametrize("wait", [7, 7.5, "7", " 7.5 "])
def test_a_throttled_answer_of_http_200_is_asked_for_again(wait: Any, beside: dict[str, Any]) -> None:
    api, pauses = Api.of(2, "cursor"), list[float]()
    slow = [{"errors": [{"code": "SLOW", "message": "slow"}], "wait": wait, **beside}]

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=slow.pop()) if slow else api(request)

    assert ids_of(fetch(answer, describe(paging=CURSOR, errors=ERRORS), pauses=pauses)) == [0, 1]
    assert sum(pauses) >= 7


def test_points_that_are_used_up_are_waited_for() -> None:
    cost = {"requested": 50, "available": 10, "restored": 4}
    throttle = {
        "kind": "cost",
        "requested": "cost.requested",
        "available": "cost.available",
        "restored": "cost.restored",
    }
    pauses: list[float] = []
    api = Api.of(6, "cursor", extra={"cost": cost})
    fetch(api, describe(paging=CURSOR, throttle=throttle), pauses=pauses)
    assert pauses == [10.0]
    throttled = [{"errors": [{"code": "SLOW"}], "cost": cost}]

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=throttled.pop()) if throttled else Api.of(1, "cursor")(request)

    errors = {"when": "errors", "throttled": "errors[?code=='SLOW']"}
    fetch(answer, describe(paging=CURSOR, throttle=throttle, errors=errors), pauses=pauses)
    assert sum(pauses) >= 20


def test_milliseconds_until_there_are_more_requests_are_waited_for() -> None:
    api, pauses = Api.of(6, "cursor"), list[float]()
    throttle = {"kind": "reset_ms", "left_header": "X-Left", "reset_header": "X-Reset-Ms"}

    def answer(request: httpx.Request) -> httpx.Response:
        response = api(request)
        response.headers.update({"X-Left": "0", "X-Reset-Ms": "1500"})
        return httpx.Response(429, headers=response.headers) if len(api.asked) == 2 else response

    fetch(answer, describe(paging=CURSOR, throttle=throttle), pauses=pauses)
    assert pauses[0] == 1.5
    assert pauses[1] >= 1.5


def test_a_rate_counts_once_a_request_was_refused() -> None:
    api, pauses = Api.of(12, "cursor"), list[float]()
    throttle = {"kind": "rate", "rate_header": "X-Rate"}

    def answer(request: httpx.Request) -> httpx.Response:
        response = api(request)
        response.headers["X-Rate"] = "0.5"
        return httpx.Response(429) if len(api.asked) == 2 else response

    fetch(answer, describe(paging=CURSOR, throttle=throttle), pauses=pauses)
    assert all(pause >= 1.9 for pause in pauses)
    assert len(pauses) >= 3


def test_another_version_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    api = Api.of(9, "cursor")
    request = {"path": "/orders", "params": {"limit": "${page_size}", "cursor": "${cursor}"}}
    request |= {"version_header": "X-Version", "version": "${version}"}

    def answer(asked: httpx.Request) -> httpx.Response:
        response = api(asked)
        response.headers["X-Version"] = "2026-01"
        return response

    variables = {"version": {"description": "x"}}
    description = describe(paging=CURSOR, request=request, variables=variables)
    fetch(answer, description, variables={"version": "2025-10"})
    assert caplog.text.count("answers with version 2026-01, not with 2025-10") == 1
    caplog.clear()
    fetch(answer, description, variables={"version": "2026-01"})
    assert caplog.text == ""


def test_what_a_missing_right_hides_is_said(caplog: pytest.LogCaptureFixture) -> None:
    api, names = Api.of(1, "cursor"), ["read_orders"]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/scopes"):
            return httpx.Response(200, json={"scopes": names})
        return api(request)

    wanted = [{"name": "read_all", "without": "it shows 60 days", "reaches_back": "60d"}]
    description = describe(paging=CURSOR, rights={"path": "/scopes", "names": "scopes", "wanted": wanted})
    fetch(answer, description)
    assert "lack the right read_all: it shows 60 days." in caplog.text
    caplog.clear()
    fetch(answer, description, request_of(since=NOW - timedelta(days=30)))
    assert caplog.text == ""
    names.append("read_all")
    fetch(answer, description)
    assert caplog.text == ""


def test_rights_that_may_not_be_asked_for_stop_nothing(caplog: pytest.LogCaptureFixture) -> None:
    api = Api.of(2, "cursor")

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status) if request.url.path.endswith("/scopes") else api(request)

    wanted = [{"name": "read_all", "without": "it shows 60 days"}]
    description = describe(paging=CURSOR, rights={"path": "/scopes", "names": "scopes", "wanted": wanted})
    status = 403
    assert ids_of(fetch(answer, description)) == [0, 1]
    assert "cannot be asked for" in caplog.text
    status = 401
    with pytest.raises(SourceError, match="HTTP 401"):
        fetch(answer, description)


def test_a_window_that_the_source_does_not_reach_is_said(caplog: pytest.LogCaptureFixture) -> None:
    window = {"format": "epoch", "precision": "1s", "reaches_back": "730d"}
    description = describe(paging=CURSOR, window=window, request={"path": "/orders"})
    answer = httpx.Response(200, json={"orders": [], "next": None})
    fetch(lambda _: answer, description, request_of(since=datetime(2020, 1, 1, tzinfo=UTC)))
    assert "goes back 730 days" in caplog.text


def test_what_a_slice_does_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answers = [httpx.Response(503), httpx.Response(200, json={"orders": [], "next": None})]
    with open_client(lambda _: answers.pop(0), describe(paging=CURSOR)) as client:
        assert len(list(client.pages(request_of()))) == 1
        assert client.retries == 1
