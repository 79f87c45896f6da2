"""Pages: what counts as one, what is not, and that both parsers see the same."""

import json
import sys
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from page_texts import split_texts
from strategies import any_json, encode, odd_text

from ordersetl.errors import InvalidResponseError
from ordersetl.source.head import PageHead, read_head
from ordersetl.source.nested import MAX_DEPTH, DeepRecord
from ordersetl.source.page import Page, read_records
from ordersetl.source.parser import parse_json


@pytest.mark.parametrize(
    ("body", "head"),
    [
        (b"[]", PageHead(0, None)),
        (b"[1, {}, null]", PageHead(3, None)),
        (b'{"orders": []}', PageHead(0, None)),
        (b'{"orders": null}', PageHead(0, None)),
        (b'{"orders": null, "x": NaN, "next_cursor": "c"}', PageHead(0, "c")),
        (b"[" * 200_000 + b"]" * 200_000, PageHead(1, None)),
        (b'{"orders": [1], "next_cursor": null}', PageHead(1, None)),
        (b'{"orders": [1], "next_cursor": ""}', PageHead(1, None)),
        (b'{"orders": [1], "next_cursor": "c 2"}', PageHead(1, "c 2")),
        (b'{"orders": [1], "next_cursor": 0}', PageHead(1, "0")),
        (
            b'{"orders": [1], "next_cursor": 123456789012345678901234567890}',
            PageHead(1, "123456789012345678901234567890"),
        ),
        (b'{"total": {"orders": 5}, "orders": [1, 2], "more": [1.5]}', PageHead(2, None)),
        (b'{"orders": 5, "orders": [1, 2], "next_cursor": "a", "next_cursor": "b"}', PageHead(2, "b")),
        (rb'{"order\u0073": [1]}', PageHead(1, None)),
        (b" \r\n[1]\t", PageHead(1, None)),
        (b"\xef\xbb\xbf[1]", PageHead(1, None)),
        ("[1]".encode("utf-16"), PageHead(1, None)),
        ('{"orders": ["é"]}'.encode("utf-32-be"), PageHead(1, None)),
        (b'["\xff", "\xed\xa0\x80"]', PageHead(2, None)),
        (b'{"\xff": 1, "orders": []}', PageHead(0, None)),
        (rb'["\ud800", {"\ud800": 1}]', PageHead(2, None)),
        (b"[NaN, Infinity, -Infinity]", PageHead(3, None)),
        (b'["\x00\x01\t"]', PageHead(1, None)),
        (b"[1e400, 1e99999999999999999999, " + b"9" * 5000 + b"]", PageHead(3, None)),
        (b"[" * 1500 + b"]" * 1500, PageHead(1, None)),
        (b'{"x": ' + b"[" * 1500 + b"]" * 1500 + b', "orders": [1]}', PageHead(1, None)),
    ],
)
def test_a_page_in_any_form_gives_its_head_and_its_records(body: bytes, head: PageHead) -> None:
    assert read_head(body) == head
    assert len(read_records(Page(1, body))) == head.records


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON"),
        (b" ", "not JSON"),
        (b"<html>", "not JSON"),
        (b'{"orders": [1, 2', "not JSON"),
        (b"[1,]", "not JSON"),
        (b"[01]", "not JSON"),
        (b'["a\\q"]', "not JSON"),
        (b"[] []", "not JSON"),
        (b"{'orders': []}", "not JSON"),
        (b"[" * 200_000 + b"]" * 199_999, "not JSON"),
        (b"[" * 2_500 + b"1," + b"]" * 2_500, "not JSON"),
        (b'{"a":' * 3_000 + b"1" + b"]" * 3_000, "not JSON"),
        (b"null", "no list of orders"),
        (b"5", "no list of orders"),
        (b'"orders"', "no list of orders"),
        (b"{}", "no list of orders"),
        (b'{"error": "try later"}', "but an error: error is 'try later'"),
        (b'{"orders": [1], "orders": {}}', "no list of orders"),
        (b'{"orders": {"1": {}}}', "no list of orders"),
        (b'{"orders": "[]"}', "no list of orders"),
        (b'{"orders": [], "orders": 5}', "no list of orders"),
        (b'{"orders": [], "next_cursor": 1.5}', "next_cursor"),
        (b'{"orders": [], "next_cursor": true}', "next_cursor"),
        (b'{"orders": [], "next_cursor": {}}', "next_cursor"),
        (b'{"orders": [], "next_cursor": NaN}', "next_cursor"),
        (rb'{"orders": [], "next_cursor": "\ud800"}', "next_cursor"),
    ],
)
def test_what_is_not_a_page_is_refused_by_every_reader(body: bytes, problem: str) -> None:
    for read in (read_head, lambda body: read_records(Page(1, body))):
        with pytest.raises(InvalidResponseError, match=problem):
            read(body)
    with suppress(InvalidResponseError):
        assert split_texts(Page(1, body)) is None


def nested(levels: int, inner: str = "") -> str:
    return "[" * levels + inner + "]" * levels


@pytest.mark.parametrize("envelope", ["[1, RECORD, 3]", '{"orders": [1, RECORD, 3], "next_cursor": "c"}'])
def test_a_record_nested_past_the_limit_costs_itself_alone(envelope: str) -> None:
    def read(record: str) -> tuple[object, bool]:
        body = envelope.replace("RECORD", record).encode()
        head, records = read_head(body), read_records(Page(1, body))
        assert (head.records, records[0], records[2]) == (3, 1, 3)
        assert head.next_cursor == ("c" if b"cursor" in body else None)
        is_deep = type(records[1]) is DeepRecord
        assert type(parse_json(record)) is type(records[1])
        assert not is_deep or split_texts(Page(1, body)) is None
        return records[1], is_deep

    assert not read(nested(MAX_DEPTH))[1]
    deep, is_deep = read(nested(MAX_DEPTH + 1))
    assert is_deep
    assert isinstance(deep, DeepRecord)
    assert not deep.is_object
    record = '{"order_id": "o-1", "x": [], "x": ' + nested(MAX_DEPTH) + ', "amount": 1.50, "y": [[2]]}'
    deep, is_deep = read(record)
    assert is_deep
    assert deep == {"order_id": "o-1", "amount": Decimal("1.50"), "y": [[2]]}
    assert isinstance(deep, DeepRecord)
    assert deep.is_object
    assert not read('{"order_id": "o-1", "x": ' + nested(MAX_DEPTH - 1) + "}")[1]


def test_brackets_in_strings_are_no_nesting() -> None:
    record = '"' + "[{" * 5_000 + r'\\\"["'
    assert parse_json(record) == "[{" * 5_000 + r"\"["
    assert split_texts(Page(1, f"[{record}]".encode())) == [record.encode()]


def test_a_page_of_tiny_records_is_refused_before_it_is_taken_apart() -> None:
    for body in (b"[" + b"0," * 3_000_000 + b"0]", b'{"orders":[' + b"0," * 3_000_000 + b"0]}"):
        tracemalloc.start()
        try:
            with pytest.raises(InvalidResponseError, match="more than 100,000 records"):
                read_head(body, most=100_000)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 3 * len(body)
    with pytest.raises(InvalidResponseError, match="more than 2 records"):
        read_head(b"[1, 2, 3]", most=2)
    with pytest.raises(InvalidResponseError, match="more than 2 records"):
        read_head(b"[1, 2, NaN]", most=2)
    assert read_head(b"[1, 2]", most=2).records == 2


def test_the_keys_of_an_unexpected_object_are_named() -> None:
    with pytest.raises(InvalidResponseError, match="its keys: data, count"):
        read_head(b'{"data": [], "count": 0}')


def test_numbers_are_exact() -> None:
    records = read_records(Page(1, b"[1, 1.00, 0.1000000000000000000001, 1e2, 123456789012345678901234567890, -0]"))
    assert records == [
        1,
        Decimal("1.00"),
        Decimal("0.1000000000000000000001"),
        Decimal("1e2"),
        123456789012345678901234567890,
        0,
    ]
    assert [type(record) for record in records] == [int, Decimal, Decimal, Decimal, int, int]


def test_numbers_beyond_all_measure_stay_text() -> None:
    assert parse_json("1e99999999999999999999") == "1e99999999999999999999"
    assert parse_json("9" * 5000) == "9" * 5000


def test_the_last_of_repeated_keys_counts() -> None:
    assert parse_json('{"a": 1, "\\u0061": {"b": 1, "b": null}}') == {"a": {"b": None}}


def test_a_broken_byte_is_read_as_a_surrogate_and_surrogates_are_read() -> None:
    assert parse_json(b'["a\xffb"]') == ["a\udcffb"]
    assert parse_json(rb'["\ud83e\udd8a", "\ud83e"]') == ["🦊", "\ud83e"]


def test_the_recursion_limit_is_as_before_even_with_many_threads() -> None:
    before = sys.getrecursionlimit()
    deep = "[" * 1500 + "]" * 1500
    threads = [threading.Thread(target=parse_json, args=(deep,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sys.getrecursionlimit() == before


def test_split_records_keeps_every_record_as_it_came() -> None:
    body = b' { "orders" : [ {"a" : 1.00 , "b\\u0061": "x  \\u00e9\\/" } , 1E+2, [ ], "\xc3\xa9" ] } '
    assert split_texts(Page(1, body)) == [
        rb'{"a" : 1.00 , "b\u0061": "x  \u00e9\/" }',
        b"1E+2",
        b"[ ]",
        '"é"'.encode(),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"[NaN]",
        rb'["\ud800"]',
        b'["\xff"]',
        b'["\x1e"]',
        b"\xef\xbb\xbf[1]",
        "[1]".encode("utf-16"),
        b"[" * 200_000 + b"]" * 200_000,
    ],
)
def test_split_records_leaves_to_the_lenient_parser_what_is_not_strict(body: bytes) -> None:
    assert split_texts(Page(1, body)) is None


@st.composite
def _bodies(draw: st.DrawFn) -> bytes:
    """Envelopes right and wrong, in many encodings, sometimes damaged in one byte."""
    seed = draw(st.none() | st.integers(0, 2**16))
    records = draw(st.lists(any_json(), max_size=4))
    cursor = draw(st.one_of(st.none(), odd_text(), st.integers(), any_json()))
    page: object = {"orders": records, "next_cursor": cursor, draw(odd_text()): draw(any_json())}
    text = encode(draw(st.sampled_from((page, page, records, cursor))), seed)
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32")))
    body = text.encode(encoding, "surrogatepass")
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=2)) + body[at + draw(st.integers(0, 1)) :]
    return body


def _answer(read: Callable[[bytes], object], body: bytes) -> object:
    """What the reader gives, or its words where it refuses."""
    try:
        return read(body)
    except InvalidResponseError as error:
        return str(error)


@settings(max_examples=150, deadline=None)
@given(_bodies())
def test_both_parsers_see_the_same_page(body: bytes) -> None:
    records, head = _answer(lambda text: read_records(Page(1, text)), body), _answer(read_head, body)
    if not isinstance(records, list) or not isinstance(head, PageHead):
        assert head == records
        return
    answer = parse_json(body)
    cursor = answer.get("next_cursor") if isinstance(answer, dict) else None
    assert head == PageHead(len(records), None if cursor in {None, ""} else str(cursor))
    texts = split_texts(Page(1, body))
    if texts is not None:
        assert [repr(parse_json(text.decode())) for text in texts] == [repr(record) for record in records]


def test_the_envelope_is_read_without_building_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the lenient parser was used")

    monkeypatch.setattr("ordersetl.source.head.parse_page", refuse)
    body = json.dumps({"orders": [{"order_id": "é\n", "amount": 1.5, "items": [{}]}] * 3, "next_cursor": "c"}).encode()
    assert read_head(body) == PageHead(3, "c")
    assert msgspec.json.decode(body)["next_cursor"] == "c"
