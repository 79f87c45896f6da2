"""Pages of described sources: where their records are, what their envelope says, and the answers of calls in them."""

import json
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st
from page_texts import split_texts
from strategies import any_json, encode

from ordersetl.errors import InvalidResponseError
from ordersetl.source.description.model import Description
from ordersetl.source.joined import CallAnswer, encode_answers
from ordersetl.source.nested import MAX_DEPTH, DeepRecord
from ordersetl.source.page import Page, read_records
from ordersetl.source.shape import PageShape
from ordersetl.source.times import find_newest

BEGAN = datetime(2025, 9, 1, 12, tzinfo=UTC)


def describe(records: str = "data.orders", **given: Any) -> Description:
    mapping = {
        "order": {"order_id": "id", "created_at": "created", "updated_at": "updated"},
        "items": {"list": "lines", "sku": "sku", "qty": "qty"},
        **given.pop("mapping", {}),
    }
    usual = {"request": {"path": "/orders"}, "paging": {"kind": "cursor", "next": "data.next", "end": "null"}}
    return Description.model_validate(
        {"name": "shop", "title": "Shop", "records": records, **usual, "mapping": mapping, **given}
    )


def page_of(body: bytes | str, description: Description | None = None, **given: Any) -> Page:
    text = body.encode() if isinstance(body, str) else body
    return Page(1, text, shape=PageShape(description or describe()), **given)


@pytest.mark.parametrize(
    "body",
    [
        '{"data": {"orders": [{"id": 1.10}, 2], "next": "c", "big": [[1]]}}',
        '{"data": {"orders": [{"id": 1.10}, 2], "next": "c"}, "x": NaN}',
        '{"data": {"orders": [3], "orders": [{"id": 1.10}, 2], "next": "c"}}',
        ('{"data": {"orders": [{"id": 1.10}, 2], "next": "c"}}').encode("utf-16"),
    ],
)
def test_a_page_shows_its_records_and_what_its_envelope_says(body: bytes | str) -> None:
    page = page_of(body)
    assert page.head.records == 2
    assert read_records(page) == [{"id": Decimal("1.10")}, 2]
    assert page.head.claims["data"]["next"] == "c"
    assert split_texts(page) in ([b'{"id": 1.10}', b"2"], None)


def test_a_record_that_only_the_lenient_parser_reads_costs_no_other() -> None:
    page = page_of(
        '{"data": {"orders": [{"id": 1}, {"id": NaN}, ' + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1) + "]}}"
    )
    records = read_records(page)
    assert page.head.records == 3
    assert records[0] == {"id": 1}
    assert type(records[2]) is DeepRecord
    assert split_texts(page) is None


@pytest.mark.parametrize(
    "body", ["{}", '{"data": null}', '{"data": {"orders": null}}', '{"data": {"orders": {}}}', "7", "[]"]
)
def test_an_answer_without_the_list_is_no_page(body: str) -> None:
    with pytest.raises(InvalidResponseError, match=r"no list of orders at data\.orders"):
        _ = page_of(body).head


def test_a_list_may_be_absent_where_the_description_says_so() -> None:
    description = describe("orders", may_be_absent=True, paging={"kind": "cursor", "next": "cursor", "end": "absent"})
    assert (page_of("[]", description).head.records, read_records(page_of("[]", description))) == (0, [])
    for body in ("{}", '{"orders": null}', '{"cursor": "c"}', ""):
        page = page_of(body, description)
        assert (page.head.records, read_records(page), split_texts(page)) == (0, [], [])


@pytest.mark.parametrize(
    "body",
    [
        *('"upstream connect error"', "503", "true", "null", '[{"id": 1}]'),
        *('{"data": "busy"}', '{"data": [1]}', '{"data": {"orders": "busy"}}', '{"data": {"orders": {}}}'),
    ],
)
def test_what_is_not_an_object_lacks_no_list(body: str) -> None:
    for text in (body.encode(), body.encode("utf-16")):
        with pytest.raises(InvalidResponseError, match=r"no list of orders at data\.orders"):
            _ = page_of(text, describe(may_be_absent=True)).head


@pytest.mark.parametrize("body", ["{}", '{"data": null}', '{"data": []}', '{"data": {"next": "c"}}', "[]"])
def test_an_object_may_lack_the_list_at_any_depth(body: str) -> None:
    for text in (body.encode(), body.encode("utf-16")):
        assert page_of(text, describe(may_be_absent=True)).head.records == 0


def test_a_bare_list_is_read_where_the_description_says_so() -> None:
    assert split_texts(page_of("[1, 2]", describe("@"))) == [b"1", b"2"]
    assert split_texts(page_of("[1, 2]", describe("orders", bare_list=True))) == [b"1", b"2"]
    assert read_records(page_of("[1, NaN]", describe("orders", bare_list=True)))[0] == 1


@pytest.mark.parametrize("body", ["null", " null\n", "0", "false", '""', "{}"])
@pytest.mark.parametrize("given", [{}, {"may_be_absent": True}])
def test_what_is_not_a_list_is_not_an_empty_one(body: str, given: dict[str, Any]) -> None:
    for text in (body.encode(), body.encode("utf-16")):
        with pytest.raises(InvalidResponseError, match="no list of orders at @"):
            _ = page_of(text, describe("@", **given)).head


def test_what_an_expression_says_of_the_records_is_seen_too() -> None:
    errors = {"when": "length(orders) == `0` && message"}
    page = page_of('{"orders": [], "message": "no"}', describe("orders", errors=errors))
    assert page.head.claims == {"orders": [], "message": "no"}
    assert page.head.records == 0


@given(any_json())
def test_both_parsers_see_the_same(record: Any) -> None:
    text = f'{{"data": {{"orders": [{encode(record)}, 1], "next": null}}}}'
    page = page_of(text)
    split = split_texts(page)
    assert page.head.records == len(read_records(page)) == 2
    if split is not None:
        assert list(map(len, split)) == [len(encode(record).encode()), 1]


def test_a_shape_travels_to_other_processes() -> None:
    page = pickle.loads(pickle.dumps(page_of('{"data": {"orders": [1]}}')))  # noqa: S301 - our own
    assert split_texts(page) == [b"1"]


# The newest time


@pytest.mark.parametrize(
    ("mapping", "updated", "newest"),
    [
        ({}, "2025-08-20T10:00:00", "2025-08-20T10:00:00+00:00"),
        ({"zone": "Europe/Berlin"}, "2025-08-20 10:00:00", "2025-08-20T08:00:00+00:00"),
        ({"times": "rfc2822"}, "Wed, 20 Aug 2025 10:00:00 +0000", "2025-08-20T10:00:00+00:00"),
        ({"times": "epoch"}, 1755684000, "2025-08-20T10:00:00+00:00"),
        ({"times": "epoch_ms"}, 1755684000123, "2025-08-20T10:00:00.123000+00:00"),
    ],
)
def test_the_newest_time_is_read_as_the_mapping_says(mapping: dict[str, Any], updated: object, newest: str) -> None:
    body = json.dumps({"data": {"orders": [{"id": 1, "updated": updated}, {"id": 2, "updated": "nonsense"}, 3]}})
    found = find_newest(page_of(body, describe(mapping=mapping)), BEGAN)
    assert found is not None
    assert found.isoformat() == newest


def test_the_time_of_creation_counts_where_there_is_no_other() -> None:
    order = {"order_id": "id", "created_at": "dates.made", "updated_at": "dates.changed || dates.seen"}
    description = describe(mapping={"order": order})
    records = [{"dates": {"made": "2025-08-02T00:00:00Z"}}, {"dates": {"made": "x", "seen": "2025-08-01T00:00:00Z"}}]
    found = find_newest(page_of(json.dumps({"data": {"orders": records}}), description), BEGAN)
    assert found == datetime(2025, 8, 2, tzinfo=UTC)


@given(st.lists(st.fixed_dictionaries({}, optional={"created": any_json(), "updated": any_json()}) | any_json()))
def test_times_that_are_members_are_read_as_any_expression_is(records: list[Any]) -> None:
    order = {"order_id": "id", "created_at": "not_null(created)", "updated_at": "not_null(updated)"}
    body = f'{{"data": {{"orders": [{", ".join(map(encode, records))}]}}}}'
    plain, general = page_of(body), page_of(body, describe(mapping={"order": order}))
    assert plain.shape is not None
    assert general.shape is not None
    found, expected = plain.shape.read_times(plain), general.shape.read_times(general)
    # the lenient parser, which reads one of the pages perhaps, makes decimals of what others read as floats
    assert json.dumps(found, default=float) == json.dumps(expected, default=float)


# Calls


CALLS = [
    {"name": "lines", "path": "/orders/${id}/lines", "with": {"id": "id"}, "records": "@", "into": "lines"},
    {"name": "more", "path": "/more", "records": "data.node.list", "into": "inner.list", "append": True},
    {"name": "parts", "path": "/parts", "each": "refunds", "records": "parts", "into": "parts.nodes", "append": True},
]


def kept(*answers: tuple[str, int, int | None, int, str]) -> bytes:
    return encode_answers(
        CallAnswer.of((call, order, element), number, body.encode(), None)
        for call, order, element, number, body in answers
    )


def both(body: str, calls: bytes) -> list[Any]:
    """The records, which both ways must read alike."""
    page = page_of(body, describe("@", calls=CALLS), calls=calls)
    texts, parsed = split_texts(page), read_records(page)
    assert texts is not None
    assert [json.loads(text, parse_float=Decimal) for text in texts] == parsed
    return parsed


def test_answers_go_where_the_description_says() -> None:
    records = both(
        '[{"id": 1, "lines": "a link"}, {"id": 2, "inner": {"list": [1], "x": 2}}, {"id": 3}]',
        kept(
            ("lines", 0, None, 1, "[{}]"),
            ("lines", 0, None, 2, "[7]"),
            ("more", 1, None, 1, '{"data": {"node": {"list": [2]}}}'),
            ("more", 2, None, 1, '{"data": {"node": {"list": [2]}}}'),
            ("lines", 2, None, 1, ""),
        ),
    )
    assert records == [
        {"id": 1, "lines": [{}, 7]},
        {"id": 2, "inner": {"list": [1, 2], "x": 2}},
        {"id": 3, "inner": {"list": [2]}, "lines": []},
    ]


def test_an_answer_may_be_that_of_an_element() -> None:
    body = '[{"refunds": [{"id": 1}, {"id": 2, "parts": {"nodes": [1]}}]}]'
    records = both(body, kept(("parts", 0, 1, 1, '{"parts": [2, 3]}')))
    assert records == [{"refunds": [{"id": 1}, {"id": 2, "parts": {"nodes": [1, 2, 3]}}]}]


def test_every_digit_outlives_a_join() -> None:
    page = page_of(
        '[{"id": 12345678901234567890123, "amount": 1.10, "x": 1e400}]',
        describe("@", calls=CALLS),
        calls=kept(("lines", 0, None, 1, "[0.1000000000000000000000001]")),
    )
    text = b'{"id":12345678901234567890123,"amount":1.10,"x":1e400,"lines":[0.1000000000000000000000001]}'
    assert split_texts(page) == [text]


def test_answers_in_other_charsets_are_read_too() -> None:
    answer = CallAnswer.of(("lines", 0, None), 1, '["é"]'.encode("latin-1"), "iso8859-1")
    assert answer.encoding == "base64"
    assert both("[{}]", encode_answers([answer])) == [{"lines": ["é"]}]


def test_odd_answers_are_read_leniently() -> None:
    page = page_of("[{}]", describe("@", calls=CALLS), calls=kept(("lines", 0, None, 1, "[NaN, 1]")))
    assert split_texts(page) is None
    assert read_records(page)[0]["lines"][1] == 1


@pytest.mark.parametrize(
    "damaged", [b"x", b'{"call": 1}', b'{"call": "lines", "order": -1, "number": 1, "body": "[]"}']
)
def test_a_damaged_file_of_answers_is_refused(damaged: bytes) -> None:
    page = page_of("[{}]", describe("@", calls=CALLS), calls=damaged)
    if b"-1" in damaged:
        assert split_texts(page) == [b"{}"]
        return
    with pytest.raises(InvalidResponseError, match="damaged"):
        split_texts(page)
