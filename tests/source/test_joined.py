"""Answers of calls put into the records that they were made for: as texts and as parsed, the same."""

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ordersetl.source.description.expressions import Expression
from ordersetl.source.joined import CallAnswer, encode_answers, join_parsed, join_texts

if TYPE_CHECKING:
    from ordersetl.source.description.model import Call


def join(
    record: dict[str, Any], *answers: list[Any], append: bool = False, keep_unanswered: bool = False
) -> dict[str, Any]:
    how = {"append": append, "keep_unanswered": keep_unanswered}
    call = cast("Call", SimpleNamespace(name="lines", each=None, into="lines", records=Expression("@"), **how))
    kept = encode_answers(
        CallAnswer.of(("lines", 0, None), number, json.dumps(answer).encode(), None)
        for number, answer in enumerate(answers, 1)
    )
    parsed = json.loads(json.dumps(record))
    join_parsed([parsed], kept, [call])
    (text,) = join_texts([json.dumps(record).encode()], kept, [call]) or []
    assert json.loads(text) == parsed
    return cast("dict[str, Any]", parsed)


@pytest.mark.parametrize(
    ("answers", "ids"),
    [
        ([[{"id": 3}]], [1, 2, 3]),
        ([[{"id": 2}, {"id": 3}], [{"id": 3}, {"id": 4}]], [1, 2, 3, 4]),
        ([[{"id": 1}, {"id": 2}]], [1, 2]),
        ([[{"id": "1"}, {"id": [1]}, {"id": [1]}]], [1, 2, "1", [1]]),
        ([[{"id": 2, "sku": "B"}, {"sku": "B", "id": 2}]], [1, 2, 2, 2]),  # not the same element
    ],
)
def test_what_pages_of_a_nested_list_repeat_is_in_it_once(answers: list[list[Any]], ids: list[Any]) -> None:
    joined = join({"lines": [{"id": 1}, {"id": 2}]}, *answers, append=True)
    assert [line["id"] for line in joined["lines"]] == ids


@pytest.mark.parametrize("record", [{}, {"lines": None}, {"lines": []}])
def test_where_there_was_no_list_the_elements_are_all_that_there_is(record: dict[str, Any]) -> None:
    assert join(record, [{"id": 1}, {"id": 1}, {"id": 2}], append=True)["lines"] == [{"id": 1}, {"id": 2}]


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
