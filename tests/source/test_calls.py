"""Requests for what an order lacks: which are made, how many at a time, and that their answers are complete."""

import json
import threading
from typing import Any

import httpx
import pytest
from described_api import describe, fetch

from ordersetl.errors import InvalidResponseError, SourceError
from ordersetl.source.joined import decode_answers
from ordersetl.source.page import read_records

PAGING = {"kind": "cursor", "next": "next", "end": "null"}
LINES: dict[str, Any] = {"name": "lines", "path": "/orders/${id}/lines", "with": {"id": "id"}}
LINES |= {"records": "@", "into": "lines"}
TOTAL = {"kind": "page", "end": "total", "total_header": "X-Total"}


class Shop:
    """An API of orders whose lines, or parts of them, are elsewhere."""

    def __init__(self, orders: list[Any], lines: int = 2) -> None:
        self.orders, self.lines = orders, lines
        self.asked: list[httpx.Request] = []
        self.failing: dict[str, list[httpx.Response]] = {}
        self.lock = threading.Lock()
        self.under_way = self.most_under_way = 0
        self.meet: threading.Barrier | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            self.asked.append(request)
            waiting = self.failing.get(request.url.path)
            if waiting:
                return waiting.pop()
            if request.url.path == "/api/orders":
                return httpx.Response(200, json={"orders": self.orders, "next": None})
        if self.meet is not None:
            self.meet.wait(5)
        params = request.url.params
        order = request.url.path.split("/")[3]
        every = [{"sku": f"{order}-{at}"} for at in range(self.lines)]
        size, page = int(params.get("limit", "100")), int(params.get("page", "1"))
        shown = every[(page - 1) * size : page * size]
        more = page * size < len(every)
        if params.get("form") == "object":
            return httpx.Response(200, json={"list": shown, "more": more, "cursor": str(page + 1), "total": len(every)})
        return httpx.Response(200, json=shown, headers={"X-Total": str(len(every))})


def orders_of(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": at, "lines": {"url": "elsewhere"}, **more} for at in range(1, count + 1)]


def records_of(shop: Shop, *calls: dict[str, Any], **given: Any) -> list[Any]:
    pages = fetch(shop, describe(paging=PAGING, calls=list(calls), **given.pop("description", {})), **given)
    return [record for page in pages for record in read_records(page)]


@pytest.mark.parametrize("at_once", [False, True])
def test_every_order_gets_its_own_answer(at_once: bool) -> None:  # noqa: FBT001 - a variant
    records = records_of(Shop(orders_of(30)), LINES, at_once=at_once)
    assert [record["lines"] for record in records] == [[{"sku": f"{at}-0"}, {"sku": f"{at}-1"}] for at in range(1, 31)]


def test_calls_are_made_at_the_same_time() -> None:
    shop = Shop(orders_of(8))
    shop.meet = threading.Barrier(4)
    assert len(records_of(shop, LINES, at_once=True)) == 8


def test_only_those_records_are_asked_about_that_need_it() -> None:
    shop = Shop([{"id": 1, "state": "refunded"}, {"id": 2}, 3, {"id": 4, "state": "refunded"}])
    records = records_of(shop, {**LINES, "when": "state == 'refunded'"})
    assert [request.url.path for request in shop.asked[1:]] == ["/api/orders/1/lines", "/api/orders/4/lines"]
    assert "lines" not in records[1]


def test_a_page_that_needs_no_calls_has_no_file_of_them() -> None:
    (page,) = fetch(Shop([]), describe(paging=PAGING, calls=[LINES]))
    assert page.calls is None


def test_the_answer_of_an_order_is_kept_as_it_came() -> None:
    shop = Shop(orders_of(1))
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, content=b'[ {"qty": 1.50} ]')]
    (page,) = fetch(shop, describe(paging=PAGING, calls=[LINES]))
    assert page.calls is not None
    (answer,) = decode_answers(page.calls)
    assert (answer.call, answer.order, answer.number, answer.body) == ("lines", 0, 1, '[ {"qty": 1.50} ]')
    assert json.loads(page.calls)["body"] == '[ {"qty": 1.50} ]'


@pytest.mark.parametrize(
    ("params", "call"),
    [
        ({"page": "${page}"}, {"paging": TOTAL}),
        ({"page": "${page}"}, {"paging": {"kind": "page", "end": "empty_page"}}),
        ({"page": "${page}"}, {"paging": {"kind": "page", "end": "short_page", "page_size": 3}}),
        (
            {"page": "${cursor}", "form": "object"},
            {"paging": {"kind": "cursor", "next": "cursor", "end": "has_more", "has_more": "more"}, "records": "list"},
        ),
    ],
)
@pytest.mark.parametrize("lines", [0, 2, 3, 6, 7])
def test_an_answer_of_several_pages_is_read_to_its_end(
    params: dict[str, str], call: dict[str, Any], lines: int
) -> None:
    paged = {**LINES, "params": {"limit": "3", **params}, **call}
    records = records_of(Shop(orders_of(2), lines), paged, at_once=True)
    assert [len(record["lines"]) for record in records] == [lines, lines]


def test_the_first_cursor_may_be_in_the_record() -> None:
    nested = {
        **LINES,
        "when": "lines.more",
        "with": {"id": "id", "cursor": "lines.cursor"},
        "params": {"limit": "3", "page": "${cursor}", "form": "object"},
        "records": "list",
        "into": "lines.list",
        "append": True,
        "paging": {"kind": "cursor", "next": "cursor", "end": "has_more", "has_more": "more"},
    }
    first = {"list": [{"sku": f"1-{at}"} for at in range(3)], "more": True, "cursor": "2"}
    (record,) = records_of(Shop([{"id": 1, "lines": first}], 8), nested)
    assert [line["sku"] for line in record["lines"]["list"]] == [f"1-{at}" for at in range(8)]


@pytest.mark.parametrize("first", [None, "1"])
def test_a_cursor_of_a_call_may_be_sent_alone(first: str | None) -> None:
    paging = {"kind": "cursor", "next": "cursor", "end": "has_more", "has_more": "more"}
    paged = {
        **LINES,
        "with": {"id": "id", **({"cursor": "cursor"} if first else {})},
        "params": {"limit": "${page_size}", "page": "${cursor}", "form": "object", "status": "any"},
        "records": "list",
        "paging": {**paging, "page_size": 3, "cursor_alone": True},
    }
    shop = Shop(orders_of(1, cursor=first), 4)
    answer = {"list": [{"sku": "1-0"}], "more": True, "cursor": "2"}
    last = {"list": [{"sku": "1-1"}], "more": False}
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json=last), httpx.Response(200, json=answer)]
    (record,) = records_of(shop, paged)
    assert [line["sku"] for line in record["lines"]] == ["1-0", "1-1"]
    begin = {"page": first} if first else {"form": "object", "status": "any"}
    assert [dict(asked.url.params) for asked in shop.asked[1:]] == [
        {"limit": "3", **begin},
        {"limit": "3", "page": "2"},
    ]


def test_elements_of_a_list_are_asked_about_one_by_one() -> None:
    parts = {**LINES, "each": "refunds", "when": "more", "into": "parts"}
    shop = Shop([{"id": 1, "refunds": [{"id": 10, "more": True}, {"id": 11}, {"id": 12, "more": True}]}, {"id": 2}])
    first, second = records_of(shop, parts)
    assert [refund.get("parts") for refund in first["refunds"]] == [
        [{"sku": "10-0"}, {"sku": "10-1"}],
        None,
        [{"sku": "12-0"}, {"sku": "12-1"}],
    ]
    assert second == {"id": 2}


@pytest.mark.parametrize("at_once", [False, True])
def test_a_call_that_fails_in_passing_is_made_again(at_once: bool) -> None:  # noqa: FBT001 - a variant
    shop = Shop(orders_of(6))
    shop.failing["/api/orders/2/lines"] = [httpx.Response(503)]
    slow = httpx.Response(429, headers={"Retry-After": "9"})
    shop.failing["/api/orders/5/lines"] = [httpx.Response(200, text="["), slow]
    with pytest.raises(InvalidResponseError, match=r"orders/5/lines answered HTTP 200, but .*cut short"):
        records_of(shop, LINES, at_once=at_once)
    shop.failing["/api/orders/5/lines"] = [slow]
    pauses: list[float] = []
    assert all(len(record["lines"]) == 2 for record in records_of(shop, LINES, at_once=at_once, pauses=pauses))
    assert sum(pauses) >= 9


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("retries", [0, 2])
def test_the_first_attempt_of_a_call_counts(retries: int, at_once: bool) -> None:  # noqa: FBT001 - a variant
    shop, pauses = Shop(orders_of(3)), list[float]()
    shop.failing["/api/orders/2/lines"] = [httpx.Response(500) for _ in range(9)]
    times = rf"failed {retries + 1} times, the last time" if retries else "failed"
    with pytest.raises(SourceError, match=rf"orders/2/lines {times}: HTTP 500"):
        records_of(shop, LINES, at_once=at_once, pauses=pauses, max_retries=retries)
    assert sum(asked.url.path == "/api/orders/2/lines" for asked in shop.asked) == retries + 1
    assert [pause >= least for pause, least in zip(pauses, [0.5, 1], strict=False)] == [True] * retries


def test_a_call_that_asks_to_wait_too_long_fails_the_fetch_at_once() -> None:
    shop = Shop(orders_of(100))
    shop.failing["/api/orders/3/lines"] = [httpx.Response(429, headers={"Retry-After": "86400"})]
    pauses: list[float] = []
    with pytest.raises(SourceError, match=r"orders/3/lines failed: HTTP 429 .*it asked to wait 86400 s"):
        records_of(shop, LINES, at_once=True, pauses=pauses, retry_total_s=5)
    assert sum(pauses) == 0
    assert len(shop.asked) < 20


def test_a_call_that_fails_for_good_fails_the_fetch() -> None:
    shop = Shop(orders_of(6))
    shop.failing["/api/orders/4/lines"] = [httpx.Response(404)]
    with pytest.raises(SourceError, match=r"orders/4/lines answered HTTP 404"):
        records_of(shop, LINES, at_once=True)


@pytest.mark.parametrize("status", [404, 410])
def test_an_order_that_was_deleted_since_its_page_came_may_be_the_reason(status: int) -> None:
    shop = Shop(orders_of(6))
    shop.failing["/api/orders/4/lines"] = [httpx.Response(status)]
    with pytest.raises(SourceError) as failed:
        records_of(shop, LINES)
    assert failed.value.hint == (
        "The order may have been deleted since its page came: run the same command again. "
        "If it stays so, look at the path of the call, /orders/.../lines."
    )
    with pytest.raises(SourceError) as failed:
        fetch(lambda _: httpx.Response(status), describe(paging=PAGING))
    assert failed.value.hint == "Look at --api-url: it must be the base that /orders follows."


def test_a_null_in_the_place_of_an_order_may_be_one_that_was_deleted() -> None:
    shop = Shop(orders_of(6))
    shop.failing["/api/orders/4/lines"] = [httpx.Response(200, json={"data": {"node": None}})]
    paging = {"kind": "cursor", "end": "has_more", "next": "data.node.cursor", "has_more": "data.node.more"}
    call = LINES | {"records": "data.node.lines", "paging": paging}
    del shop.orders[:3]
    with pytest.raises(InvalidResponseError, match=r"data\.node\.more is None") as failed:
        records_of(shop, call)
    assert failed.value.hint.startswith("The order may have been deleted since its page came: run the same command")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (httpx.Response(200, json=[{}], headers={"X-Total": "5"}), "do not end|ended after"),
        (httpx.Response(200, json=[{}]), "has no total at X-Total"),
        (httpx.Response(200, json={"lines": []}), "no list"),
        (httpx.Response(200, text="<html>"), "looks like HTML"),
        (httpx.Response(200, text=""), "looks like an empty body"),
        (httpx.Response(200, text="\n"), "looks like an empty body"),
    ],
)
def test_an_answer_that_is_not_complete_is_refused(answer: httpx.Response, problem: str) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/orders":
            return httpx.Response(200, json={"orders": [{"id": 1}], "next": None})
        empty = request.url.params.get("page") not in {None, "1"}
        return httpx.Response(200, json=[], headers=answer.headers) if empty else answer

    paged = {**LINES, "params": {"page": "${page}"}, "paging": TOTAL}
    with pytest.raises(InvalidResponseError, match=problem):
        fetch(handle, describe(paging=PAGING, calls=[paged]))


def test_calls_without_their_right_are_left_out_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop(orders_of(3))
    shop.failing["/api/scopes"] = [httpx.Response(200, json=["read"])]
    rights = {"path": "/scopes", "names": "@", "wanted": [{"name": "read_lines", "without": "lines are missing"}]}
    call = {**LINES, "required_right": "read_lines"}
    records = records_of(shop, call, description={"rights": rights})
    assert records == orders_of(3)
    assert caplog.text.count("lines of orders are left out") == 1


@pytest.mark.parametrize("order", [{"x": 1}, {"id": None}, {"id": " "}, {"id": 1.5}, {"id": True}, {"id": {"a": 1}}])
def test_a_record_without_what_the_call_needs_is_not_asked_about(
    order: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop([order, *orders_of(1)])
    found = records_of(shop, {**LINES, "path": "/lines/of/order", "params": {"order": "${id}"}})
    assert found[0] == order
    assert [request.url.params["order"] for request in shop.asked if "order" in request.url.params] == ["1"]
    assert "lines of an order that has no id are not asked for" in caplog.text


def test_a_whole_number_is_asked_for_as_one() -> None:
    shop = Shop([{"id": 1.0}, {"id": " 2 "}])
    records_of(shop, LINES)
    assert [request.url.path for request in shop.asked[1:]] == ["/api/orders/1/lines", "/api/orders/2/lines"]


def test_a_value_that_would_lead_elsewhere_is_an_error() -> None:
    with pytest.raises(InvalidResponseError, match="has no value for a name in it"):
        records_of(Shop([{"id": ".."}]), LINES)


def test_what_calls_answer_is_bounded() -> None:
    shop = Shop(orders_of(3), 40_000)
    with pytest.raises(SourceError, match="more than 1 MiB together"):
        records_of(shop, {**LINES, "params": {"limit": "100000"}}, max_response_mb=1)


OBJECT: dict[str, Any] = {**LINES, "records": "data.lines"}


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": 5}},
        {"errors": ["timeout"], "data": {"lines": [{"sku": "A"}]}},
        {"success": False, "data": {"lines": [{"sku": "A"}]}},
        {"status": 500, "title": "Internal error"},
        {"data": {}},
        {"data": [1]},
    ],
)
def test_an_error_or_no_list_at_all_is_no_empty_list(answer: dict[str, Any]) -> None:
    shop = Shop(orders_of(2))
    shop.failing["/api/orders/2/lines"] = [httpx.Response(200, json=answer)]
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json={"data": {"lines": None}, "errors": []})]
    with pytest.raises(InvalidResponseError, match=r"orders/2/lines answered HTTP 200, but .*(error in it|no list)"):
        records_of(shop, OBJECT)


@pytest.mark.parametrize(
    "empty",
    [
        *(None, [], {"data": None}, {"data": []}, {"data": {"lines": None}}, {"data": {"lines": []}}),
        *({"error": 0, "data": None}, {"errors": [], "data": None}, {"error": " ", "data": None}),
    ],
)
def test_null_is_an_empty_list(empty: Any) -> None:
    shop = Shop(orders_of(1))
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, text=json.dumps(empty))]
    assert records_of(shop, OBJECT)[0]["lines"] == []


def test_pages_of_a_call_that_repeat_are_refused() -> None:
    pages = {"kind": "page", "end": "page_count", "page_count": "pages"}
    paged = {**LINES, "records": "lines", "params": {"page": "${page}"}, "paging": pages}
    shop = Shop(orders_of(1))
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json={"lines": [{"sku": "A"}], "pages": 3})] * 3
    with pytest.raises(InvalidResponseError, match="its pages repeat"):
        records_of(shop, paged)


def test_cursors_of_a_call_that_go_round_are_refused() -> None:
    paged = {**LINES, "records": "lines", "params": {"page": "${cursor}"}, "paging": PAGING}
    shop = Shop(orders_of(1))
    answers = [{"lines": [{"sku": str(at)}], "next": "ab"[at % 2]} for at in range(9)]
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json=answer) for answer in answers]
    with pytest.raises(InvalidResponseError, match="its pages do not end"):
        records_of(shop, paged)


def test_a_page_past_the_number_of_pages_is_no_end() -> None:
    pages = {"kind": "page", "end": "page_count", "page_count": "pages"}
    paged = {**LINES, "records": "lines", "params": {"page": "${page}"}, "paging": pages}
    shop = Shop(orders_of(1))
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json={"lines": [{"sku": "A"}], "pages": 0})] * 4
    with pytest.raises(InvalidResponseError, match="page 1 has records, and there are 0 pages"):
        records_of(shop, paged)


def test_a_call_whose_pages_shift_begins_again() -> None:
    paged = {**LINES, "params": {"page": "${page}", "limit": "2"}, "paging": TOTAL}
    shop = Shop(orders_of(1))

    def page(*ids: int, total: int) -> httpx.Response:
        return httpx.Response(200, json=[{"id": at} for at in ids], headers={"X-Total": str(total)})

    shifted, whole = [page(2, 1, total=2 + 1), page(1, total=3)], [page(3, 2, total=3), page(1, total=3)]
    shop.failing["/api/orders/1/lines"] = [*reversed(whole), *reversed(shifted)]
    (record,) = records_of(shop, paged)
    assert [line["id"] for line in record["lines"]] == [3, 2, 1]


def test_a_call_whose_pages_always_shift_is_an_error() -> None:
    paged = {**LINES, "params": {"page": "${page}"}, "paging": TOTAL}
    shop = Shop(orders_of(1))
    answer = httpx.Response(200, json=[{"id": 1}, {"id": 2}], headers={"X-Total": "4"})
    again = httpx.Response(200, json=[{"id": 2}, {"id": 3}], headers={"X-Total": "4"})
    shop.failing["/api/orders/1/lines"] = [again, answer] * 4
    with pytest.raises(InvalidResponseError, match="orders/1/lines: an element came twice: its pages shifted"):
        records_of(shop, paged)


def test_elements_without_an_id_of_their_own_may_come_twice() -> None:
    paged = {**LINES, "params": {"page": "${page}"}, "paging": TOTAL}
    shop = Shop(orders_of(1))
    line = {"sku": "A", "product": {"id": 7}}
    pages = [httpx.Response(200, json=found, headers={"X-Total": "3"}) for found in ([line, {"sku": "B"}], [line])]
    shop.failing["/api/orders/1/lines"] = pages[::-1]
    assert records_of(shop, paged)[0]["lines"] == [line, {"sku": "B"}, line]


def test_no_content_is_an_empty_list_whatever_would_prove_its_end() -> None:
    for paging in (TOTAL, {"kind": "page", "end": "has_more", "has_more": "more"}):
        shop = Shop(orders_of(1))
        shop.failing["/api/orders/1/lines"] = [httpx.Response(204)]
        (record,) = records_of(shop, {**LINES, "params": {"page": "${page}"}, "paging": paging})
        assert record["lines"] == []


def test_no_content_in_the_midst_of_pages_is_no_end() -> None:
    paged = {**LINES, "params": {"page": "${page}"}, "paging": TOTAL}
    shop = Shop(orders_of(1))
    first = httpx.Response(200, json=[{"id": 1}], headers={"X-Total": "2"})
    shop.failing["/api/orders/1/lines"] = [httpx.Response(204), first]
    with pytest.raises(InvalidResponseError, match="has no total at X-Total"):
        records_of(shop, paged)


@pytest.mark.parametrize(
    ("answer", "headers", "problem"),
    [
        ({"list": [{"id": 1}], "has_more": True}, {}, "has_more says that there is more"),
        ({"list": [{"id": 1}], "paging": {"next": "/page/2"}}, {}, "paging.next is '/page/2'"),
        ({"list": [{"id": 1}], "next_cursor": "x"}, {}, "next_cursor is 'x'"),
        ({"list": [{"id": 1}]}, {"Link": '</p/2>; rel="next"'}, "the header Link.next is '/p/2'"),
    ],
)
def test_one_page_that_names_another_is_not_all(answer: dict[str, Any], headers: dict[str, str], problem: str) -> None:
    shop = Shop(orders_of(1))
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json=answer, headers=headers)]
    with pytest.raises(InvalidResponseError, match="the description has no paging for it") as raised:
        records_of(shop, {**LINES, "records": "list"})
    assert problem in raised.value.message


@pytest.mark.parametrize("said", [{"id": 1, "pages": 24, "total": 9, "cursor": "c"}, {"page": 1, "page_count": 2}])
def test_an_order_with_pages_of_its_own_has_all_lines(said: dict[str, Any]) -> None:
    shop = Shop(orders_of(1))
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json={"list": [{"id": 1}], **said})]
    assert records_of(shop, {**LINES, "records": "list"})


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"has_more": True}, "data.has_more says that there is more"),
        ({"next": "/2"}, "data.next is '/2'"),
        ({"pagination": {"next": "/2"}}, "data.pagination.next is '/2'"),
        ({"errors": ["timeout"]}, "data.errors is"),
    ],
)
def test_what_an_answer_says_beside_a_nested_list_is_heard(said: dict[str, Any], problem: str) -> None:
    shop = Shop(orders_of(1))
    answer = {"data": {"lines": [{"id": 1, "next": "step"}], **said}}
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json=answer)]
    with pytest.raises(InvalidResponseError) as raised:
        records_of(shop, OBJECT)
    assert problem in raised.value.message


def test_an_order_in_an_answer_has_words_of_its_own_and_what_holds_any_list_has_none() -> None:
    shop = Shop(orders_of(1))
    own = {"next": "gift", "links": {"next": "/orders/2"}, "error": "card declined", "success": False}
    answer = {"order": {"lines": [{"id": 1}], "metadata": {"next": "x"}, **own}}
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json=answer)]
    assert records_of(shop, {**LINES, "records": "order.lines"})[0]["lines"] == [{"id": 1}]
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json={"refunds": {"data": [{"id": 1}], "next": "/2"}})]
    with pytest.raises(InvalidResponseError, match=r"refunds\.next is '/2'"):
        records_of(shop, {**LINES, "records": "refunds.data"})


def test_an_orders_own_words_say_nothing_of_pages() -> None:
    shop = Shop(orders_of(1))
    answer = {"list": [{"id": 1}], "complete": False, "partial": True, "data": {"next": "step"}, "has_more": False}
    answer["info"] = {"complete": False, "data": {"has_more": True}}
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json=answer)]
    assert records_of(shop, {**LINES, "records": "list"})[0]["lines"] == [{"id": 1}]
    nested = {"lines": [{"id": 1, "errors": ["x"], "next": "step"}], **answer, "success": True}
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json={"data": nested})]
    assert records_of(shop, OBJECT)[0]["lines"] == nested["lines"]


def test_a_list_that_may_be_absent_is_empty_then() -> None:
    shop = Shop(orders_of(1))
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json={"meta": {}})]
    assert records_of(shop, {**OBJECT, "may_be_absent": True})[0]["lines"] == []


@pytest.mark.parametrize("answer", ["busy", 503, True, [{"id": 1}], {"data": "busy"}])
def test_what_is_not_an_object_lacks_no_list(answer: Any) -> None:
    shop = Shop(orders_of(1))
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json=answer)]
    with pytest.raises(InvalidResponseError, match=r"there is no list at data\.list"):
        records_of(shop, {**LINES, "records": "data.list", "may_be_absent": True})


def test_an_end_beside_what_names_another_page_is_no_end() -> None:
    shop = Shop(orders_of(1))
    answer = {"data": {"lines": [{"sku": "A"}], "next_url": "/2"}}
    shop.failing["/api/orders/1/lines"] = [httpx.Response(200, json=answer)]
    with pytest.raises(InvalidResponseError, match=r"by next = \"next\" of paging, but data\.next_url is '/2'"):
        records_of(shop, {**OBJECT, "paging": {"kind": "next_url", "next": "next", "end": "absent"}})
