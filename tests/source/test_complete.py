"""Complete or failed: what says that an answer is not complete, and what says nothing of the kind."""

import json
from typing import Any

import pytest

from ordersetl.errors import InvalidResponseError, SourceError
from ordersetl.source.head import PageHead, read_head
from ordersetl.source.trail import PageTrail, RepeatedError


def head(records: int = 1, start: int = 0, **members: Any) -> PageHead:
    orders = [{"order_id": start + number} for number in range(records)]
    return read_head(json.dumps({"orders": orders, **members}).encode())


def admit(head: PageHead, *headers: tuple[str, str], open_window: bool = True) -> None:
    PageTrail(open_window=open_window).admit(head, headers)


@pytest.mark.parametrize(
    "members",
    [
        {"errors": [{"message": "timeout"}]},
        {"errors": {"code": 1}},
        {"error": "partial result"},
        {"Error": "x", "next_cursor": "c"},
        {"error_message": "x"},
        {"success": False},
        {"ok": False, "next_cursor": "c"},
        {"status": "error"},
        {"status": "Failed"},
        {"status": "partial"},
        {"meta": {"errors": ["shard 3 timed out"]}},
        {"data": {"error": "timeout"}, "next_cursor": "c"},
        {"response": {"result": {"success": False}}},
        {"success": "false"},
        {"success": 0},
        {"failures": [{"shard": 1}]},
        {"partialFailure": True},
    ],
)
@pytest.mark.parametrize("records", [0, 3])
def test_errors_beside_the_list_are_no_page(members: dict[str, Any], records: int) -> None:
    with pytest.raises(InvalidResponseError, match="an error beside them") as caught:
        admit(head(records, **members))
    assert caught.value.exit_code == 4
    text = json.dumps({"x": "\ud800", "orders": [], **members})
    with pytest.raises(InvalidResponseError, match="an error beside them"):  # likewise where the lenient parser reads
        admit(read_head(text.encode()))


MORE = [
    {"has_more": True},
    {"data": {"has_more": True, "next_cursor": "p2"}},
    {"response": {"next_cursor": "x"}},
    {"result": {"paging": {"next": "x"}}},
    {"hasMore": True, "next_cursor": None},
    {"Next_Cursor": "x"},
    {"NEXT_CURSOR": "x"},
    {"Next-Cursor": "x"},
    {"HasMore": "true"},
    {"has-more": 1},
    {"more": True, "next_cursor": ""},
    {"hasNextPage": True},
    {"truncated": True},
    {"incomplete_results": True},
    {"last": False},
    {"is_last_page": False},
    {"next": "https://shop.test/orders?page=2"},
    {"nextCursor": "c2"},
    {"next_page": 2},
    {"nextPageToken": "t"},
    {"@odata.nextLink": "https://shop.test/orders?$skip=10"},
    {"meta": {"next_cursor": "c2"}},
    {"meta": {"pagination": {"hasMore": True}}},
    {"meta": {"pagination": {"links": {"next": "https://shop.test/2"}}}},
    {"links": {"next": {"href": "https://shop.test/2"}}},
    {"_links": {"self": {"href": "x"}, "next": {"href": "https://shop.test/2"}}},
    {"links": [{"rel": "self", "href": "x"}, {"rel": "next", "href": "https://shop.test/2"}]},
    {"pagination": {"nextPage": 2}},
    {"paging": {"next": "https://shop.test/2", "cursors": {"after": "x"}}},
    {"page_info": {"has_next_page": True, "end_cursor": "x"}},
    {"pageInfo": {"hasNextPage": True, "endCursor": "x"}},
    {"response_metadata": {"next_cursor": "x"}},
    {"has_more": "1"},
    {"has_more": "y"},
    {"has_more": 37},
    {"is_last": 0},
    {"is_last": "0"},
    {"isLast": "no"},
    {"nextURL": "https://shop.test/2"},
    {"nextPageURL": "https://shop.test/2"},
    {"__next": "https://shop.test/2"},
    {"pagination": {"next": True}},
    {"links": [{"rel": ["self"], "href": "x"}, {"rel": ["next"], "href": "https://shop.test/2"}]},
    {"total_count": 25},
    {"meta": {"total": 25}},
    {"pagination": {"page": 1, "totalPages": 3}},
    {"page_context": {"has_more_page": True}},
    {"pagingMetadata": {"hasNext": True}},
    {"metaData": {"morePagesAvailable": True}},
    {"metaData": {"resultsAvailable": 23}},
    {"TotalEntries": 23},
    {"hydra:view": {"hydra:next": "/orders?page=2"}},
    {"@attributes": {"next": "/orders?page=2"}},
]


@pytest.mark.parametrize("members", MORE, ids=str)
def test_more_without_next_cursor_is_not_the_end(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidResponseError, match="there is no next_cursor, but") as caught:
        admit(head(10, **members))
    assert next(iter(members)).lstrip("_") in caught.value.message
    if not members.get("next_cursor"):
        admit(head(10, **{**members, "next_cursor": "c2"}))


@pytest.mark.parametrize(
    "link",
    [
        '<http://shop.test/orders?page=2>; rel="next"',
        "<http://shop.test/orders?page=2>; rel=next",
        "<http://shop.test/orders?page=2>; rel='next'",
        '<http://shop.test/orders?page=2>;REL="NEXT"',
        '<http://shop.test/orders?a=1,2;3>; title="a, b; c" ; rel="last next"',
        '<http://shop.test/1>; rel="first", <http://shop.test/2>; rel="next", <http://shop.test/9>; rel="last"',
    ],
)
@pytest.mark.parametrize("body", [b"[1, 2]", b'{"orders": [1, 2]}', b'{"orders": [], "next_cursor": null}'])
def test_a_link_to_a_next_page_is_not_the_end(link: str, body: bytes) -> None:
    for headers in ([("link", link)], [("Link", '<x>; rel="self"'), ("LINK", link)]):
        with pytest.raises(InvalidResponseError, match="header Link"):
            admit(read_head(body), *headers)
    admit(read_head(b'{"orders": [1, 2], "next_cursor": "c"}'), ("Link", link))


@pytest.mark.parametrize(
    "header",
    [
        ("X-Next-Page", "2"),
        ("X-Next-Cursor", "abc"),
        ("Next-Cursor", "abc"),
        ("X-Has-More", "true"),
        ("X-Has-More", "1"),
        ("Content-Range", "orders 0-1/319"),
        ("Content-Range", "0-1/3"),
        ("X-Pagination", '{"totalPages": 3, "hasNext": true}'),
        ("X-WP-TotalPages", "3"),
    ],
)
def test_a_next_page_in_another_header_is_not_the_end(header: tuple[str, str]) -> None:
    with pytest.raises(InvalidResponseError, match=header[0].removeprefix("X-")):
        admit(head(2), header)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"errors": [], "error": None, "success": True, "status": "ok"},
        {"error_code": 200, "error": "0", "failures": [], "success": 1, "ok": "true"},
        {"errors": {}, "error": "", "error_message": " "},
        {"error": False, "status": 200},
        {"has_more": False, "hasMore": None, "more": [1.5], "truncated": False, "last": True},
        {"next": None, "next_page": "", "nextPageToken": 0, "links": {"next": None, "self": "https://x"}},
        {"links": {"next": {"href": None, "templated": False, "rel": "next"}}, "meta": None, "paging": []},
        {"links": [{"rel": "prev", "href": "x"}, {"rel": "next", "href": None}, "x"]},
        {"page_info": {"has_next_page": False, "end_cursor": "c9"}, "paging": {"cursors": {"after": "c9"}}},
        {"meta": {"total": 10, "page": 1, "pages": 1}, "total_count": 10, "cursor": "c1"},
        {"total": {"orders": 50}, "count": 50},
        {"next_cursor": None, "cursor": "c1", "view": {"status": "partial", "total": 99}, "@attributes": {"next": ""}},
        {"next_cursor": None, "meta": {"cursor": "MA==", "limit": 50}, "_links": {"shop:next": {"href": "/help"}}},
        {"cursor": None, "page_context": {"has_more_page": False}, "hydra:totalItems": 10, "TotalPages": 1},
        {"error": {"code": 0, "message": ""}, "errors": {"count": 0}},
        {"error": "none", "errors": "null", "exception": "OK"},
        {"meta": {"complete": 0, "partial": 2}, "info": {"done": 0, "pending": 3}, "incomplete": 3, "done": "0"},
        {"has_more": "0", "last": 0, "last_page": "0", "is_last": 1, "done": "yes", "next": False},
        {"total": 1234.5, "summary": {"total": 99}},
    ],
    ids=str,
)
def test_a_good_last_page_is_the_end(members: dict[str, Any]) -> None:
    headers = [("Link", '<http://shop.test/1>; rel="prev"'), ("X-Next-Page", ""), ("X-Has-More", "false")]
    admit(head(10, **members), *headers, ("Link", '<http://x/next>; rel="nextish"'), ("X-Request-Id", "next"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Range", "orders 0-9/10"),
        ("Content-Range", "bytes 0-9/319"),
        ("Content-Range", "orders 0-9/*"),
        ("X-Pagination", '{"hasNext": false}'),
        ("X-Pagination", "{"),
        ("X-Query", '{"more": 1}'),
        ("X-Done", "0"),
    ],
)
def test_a_header_of_a_last_page_is_no_other_page(name: str, value: str) -> None:
    admit(head(10), (name, value))


def test_of_two_headers_of_a_name_each_is_heard() -> None:
    for name, more, none in (
        ("Content-Range", "orders 0-1/319", "x 0-9/*"),
        ("X-Pagination", '{"hasNext": true}', '{"hasNext": false}'),
        ("X-Has-More", "true", "false"),
    ):
        for pair in ((more, none), (none, more)):
            with pytest.raises(InvalidResponseError, match=name.removeprefix("X-")):
                admit(head(2), *((name, value) for value in pair))


def test_totals_count_all_pages_and_only_where_there_is_no_window() -> None:
    admit(head(10, total_count=25), open_window=False)
    trail = PageTrail(open_window=True)
    trail.admit(head(10, total_count=15, next_cursor="c"))
    trail.admit(head(5, start=10, total_count=15, next_cursor=None))


@pytest.mark.parametrize(
    "members", [{"total": 16}, {"total": 16.0}, {"meta": {"totalCount": "16"}}, {"total_pages": 3}]
)
def test_a_total_that_all_pages_do_not_meet_is_no_end(members: dict[str, Any]) -> None:
    trail = PageTrail(open_window=True)
    trail.admit(head(10, next_cursor="c", **members))
    with pytest.raises(InvalidResponseError, match="is not complete"):
        trail.admit(head(5, start=10, next_cursor=None))


def test_a_total_that_grows_while_pages_are_read_is_met_by_what_it_was() -> None:
    trail = PageTrail(open_window=True)
    trail.admit(head(10, total=15, page_count=10, next_cursor="c"))
    trail.admit(head(5, start=10, total=17, page_count=5, next_cursor=None))  # of which new ones came before those


def test_a_page_that_lacks_the_key_which_earlier_ones_had_is_no_end() -> None:
    trail = PageTrail()
    trail.admit(head(1, next_cursor="c2"))
    with pytest.raises(InvalidResponseError, match="page 2 lacks next_cursor"):
        trail.admit(head(1, start=1))
    with pytest.raises(InvalidResponseError, match="page 2 lacks next_cursor"):
        trail.admit(read_head(b"[7]"))
    trail.admit(head(1, start=1, next_cursor=None))


def test_the_same_orders_under_a_new_cursor_are_a_repeat_whatever_is_around_them() -> None:
    trail = PageTrail()
    trail.admit(head(3, next_cursor="c2", at="10:00:00"))
    with pytest.raises(RepeatedError, match="the same records as page 1"):
        trail.admit(head(3, next_cursor="c3", at="10:00:01"))
    with pytest.raises(RepeatedError, match="the same records as page 1"):
        trail.admit(head(3, next_cursor=None))
    trail.admit(head(0, next_cursor="c4"))
    trail.admit(head(0, next_cursor="c5"))  # empty pages may be alike
    odd = b'{"orders": [NaN, 1], "next_cursor": "%s"}'
    trail.admit(read_head(odd % b"c6"))
    with pytest.raises(RepeatedError):
        trail.admit(read_head(odd % b"c7"))


def test_a_batch_has_no_more_than_max_pages() -> None:
    trail = PageTrail(max_pages=3)
    for number in range(2):
        trail.admit(head(1, start=number, next_cursor=f"c{number}"))
    with pytest.raises(SourceError, match="after 3 pages") as caught:
        trail.admit(head(1, start=3, next_cursor="c3"))
    assert "max_pages" in caught.value.hint
    trail.admit(head(1, start=3, next_cursor=None))
