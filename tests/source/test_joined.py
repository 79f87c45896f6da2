"""Answers of calls put into the records that they were made for: as texts and as parsed, the same."""

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, strategies as st

from ordersetl.source.description.expressions import Expression
from ordersetl.source.joined import CallAnswer, encode_answers, join_parsed, join_texts
from ordersetl.source.parser import parse_json

if TYPE_CHECKING:
    from ordersetl.source.description.model import Call


def make_call(**how: bool) -> "Call":
    return cast("Call", SimpleNamespace(name="lines", each=None, into="lines", records=Expression("@"), **how))


def join(
    record: dict[str, Any], *answers: list[Any], append: bool = False, keep_unanswered: bool = False
) -> dict[str, Any]:
    written = [json.dumps(answer) for answer in answers]
    return join_written(json.dumps(record), *written, append=append, keep_unanswered=keep_unanswered)


def join_written(record: str, *answers: str, append: bool = False, keep_unanswered: bool = False) -> dict[str, Any]:
    call = make_call(append=append, keep_unanswered=keep_unanswered)
    kept = encode_answers(
        CallAnswer.of(("lines", 0, None), number, answer.encode(), None) for number, answer in enumerate(answers, 1)
    )
    parsed = parse_json(record)
    join_parsed([parsed], kept, [call])
    (text,) = join_texts([record.encode()], kept, [call]) or []
    assert parse_json(text) == parsed
    return cast("dict[str, Any]", parsed)


@pytest.mark.parametrize(
    ("answers", "ids"),
    [
        ([[{"id": 3}]], [1, 2, 3]),
        ([[{"id": 2}, {"id": 3}], [{"id": 3}, {"id": 4}]], [1, 2, 3, 4]),
        ([[{"id": 1}, {"id": 2}]], [1, 2]),
        ([[{"id": "1"}, {"id": [1]}, {"id": [1]}]], [1, 2, "1", [1]]),
        ([[{"id": 2, "sku": "B"}, {"id": 2, "sku": "C"}, {"sku": "B", "id": 2}]], [1, 2, 2, 2]),
    ],
)
def test_what_pages_of_a_nested_list_repeat_is_in_it_once(answers: list[list[Any]], ids: list[Any]) -> None:
    joined = join({"lines": [{"id": 1}, {"id": 2}]}, *answers, append=True)
    assert [line["id"] for line in joined["lines"]] == ids


@pytest.mark.parametrize("record", [{}, {"lines": None}, {"lines": []}])
def test_where_there_was_no_list_the_elements_are_all_that_there_is(record: dict[str, Any]) -> None:
    assert join(record, [{"id": 1}, {"id": 1}, {"id": 2}], append=True)["lines"] == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize(
    ("before", "found", "is_same"),
    [
        ("10.0", "10.00", True),
        ("10", "1.0e1", True),
        ("0", "-0.0", True),
        ("0.3", "0.30000000000000001", False),  # one and the same float
        ("1e400", "10e399", True),
        ("1e99999999999999999999", "1e99999999999999999999", True),
        ("12345678901234567890123", "12345678901234567890124", False),
        ("1", "true", False),
        ("1", '"1"', False),
        ("1e99999999999999999999", '"1e99999999999999999999"', False),
        ('{"a": [1, {}], "b": null}', '{"b": null, "a": [1.0, {}]}', True),
        ("[[1], 2]", "[[1, 2]]", False),
        ("[]", "{}", False),
    ],
)
def test_an_element_is_there_already_by_the_values_that_it_has(before: str, found: str, *, is_same: bool) -> None:
    record, answer = (f'[{{"id": 1, "price": {value}}}]' for value in (before, found))
    joined = join_written(f'{{"lines": {record}}}', answer, append=True)
    assert len(joined["lines"]) == 2 - is_same


def test_elements_are_compared_at_any_depth_that_is_read() -> None:
    deep = "[" * 1500 + "1" + "]" * 1500
    answer = CallAnswer.of(("lines", 0, None), 1, f'[{{"id": 1, "in": {deep}}}]'.encode(), None)
    record = parse_json(f'{{"lines": [{{"id": 1.0, "in": {deep}}}]}}')
    join_parsed([record], encode_answers([answer]), [make_call(append=True)])
    assert len(record["lines"]) == 1


SPELLINGS = st.sampled_from(
    ["1", "1.0", "1.00", "10e-1", "2", "2.0", "0.3", "0.30000000000000001", "1e400", "true", '"1"']
)
WRITTEN = st.lists(st.builds('{{"id": {}, "price": {}}}'.format, SPELLINGS, SPELLINGS), max_size=4).map(
    lambda elements: f"[{', '.join(elements)}]"
)


@given(WRITTEN, WRITTEN, st.booleans())
def test_numbers_are_compared_alike_as_texts_and_as_parsed(before: str, found: str, append: bool) -> None:  # noqa: FBT001
    join_written(f'{{"lines": {before}}}', found, append=append, keep_unanswered=not append)


def test_elements_without_an_id_are_all_there() -> None:
    alike = [{"sku": "A"}, {"sku": "A", "id": None}, 7, None]
    assert join({"lines": alike}, alike, append=True)["lines"] == alike * 2


def test_an_answer_in_place_of_the_list_is_taken_as_it_is() -> None:
    assert join({"lines": [{"id": 1}]}, [{"id": 2}, {"id": 2}], append=False)["lines"] == [{"id": 2}, {"id": 2}]


@pytest.mark.parametrize(
    ("answer", "ids"),
    [
        ([], [1, 2]),
        ([{"id": 2, "sku": "B"}], [2, 1]),
        ([{"id": "1"}, {"id": 2}, {"id": 3}], ["1", 2, 3]),
        ([{"sku": "B"}], [None, 1, 2]),
        ([{"id": 1.0}], [1, 2]),
        ([{"id": True}], [True, 1, 2]),
    ],
)
def test_what_no_answer_has_stays_where_the_record_is_to_be_believed(answer: list[Any], ids: list[Any]) -> None:
    joined = join({"lines": [{"id": 1}, {"id": 2}, {"id": None}, 7]}, answer, keep_unanswered=True)
    *lines, nameless, number = joined["lines"]
    assert [line.get("id") for line in lines] == ids
    assert (nameless, number) == ({"id": None}, 7)  # nobody can tell that an answer has them: they are refused later


@pytest.mark.parametrize("record", [{}, {"lines": None}, {"lines": {"id": 1}}])
def test_without_a_list_the_answer_is_all_that_there_is(record: dict[str, Any]) -> None:
    assert join(record, [{"id": 2}], keep_unanswered=True)["lines"] == [{"id": 2}]
