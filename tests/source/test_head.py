"""What the head of a page says: of its records, and why it is none."""

import json
from typing import Any

import pytest

from ordersetl.errors import InvalidResponseError
from ordersetl.source.head import read_head


def content(records: list[Any], cursor: str | None = None) -> int:
    return read_head(json.dumps({"orders": records, "next_cursor": cursor}).encode()).content


def order(number: int, **members: Any) -> dict[str, Any]:
    return {"order_id": f"o{number}", "updated_at": f"2025-08-20T10:00:{number % 60:02d}Z", **members}


def test_an_error_in_place_of_a_page_is_quoted() -> None:
    with pytest.raises(InvalidResponseError, match="but an error: error is 'cursor expired'") as caught:
        read_head(b'{"error": "cursor expired"}')
    assert "run the same command later" in caught.value.hint


@pytest.mark.parametrize("count", [1, 2, 9, 300])
def test_the_same_records_are_the_same_under_another_cursor(count: int) -> None:
    records = [order(at) for at in range(count)]
    assert content(records, "c9") == content(records, "c10")
    assert content(records) != content([*records[:-1], order(count)])
    assert content(records) != content(records[:-1])


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([], id="alone"),
        pytest.param([{"order_id": ["x"], "updated_at": "2025-08-20"}], id="beside a list as an id"),
        pytest.param([{"order_id": "o1"}], id="beside one without a time"),
        pytest.param([7, "x", None, [1]], id="beside no objects"),
        pytest.param([{"order_id": "nan", "amount": float("nan")}], id="read leniently"),
    ],
)
def test_versions_are_known_by_their_keys_whatever_else_they_say_and_in_any_order(others: list[Any]) -> None:
    records = [order(at, asked="10:00") for at in range(20)]
    again = [order(at, asked="10:01") for at in range(20)]
    assert content([*records, *others]) == content([*again, *others]) == content([*again[::-1], *others])
    assert content([*records[:-1], *others]) != content([*records, *others])


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([order(1)], id="one"),
        pytest.param([order(1, line=at) for at in range(300)], id="the lines of one order"),
        pytest.param([{"line": at} for at in range(300)], id="no keys"),
        pytest.param([{**order(at), "updated_at": None} for at in range(300)], id="no time of a change"),
        pytest.param([[at] for at in range(300)], id="lists"),
    ],
)
@pytest.mark.parametrize("at", [0, -1])
def test_records_that_their_keys_do_not_tell_apart_are_known_by_their_texts(records: list[Any], at: int) -> None:
    others = [*records]
    others[at] = [0, 0] if isinstance(records[at], list) else {**records[at], "x": 1}
    assert content(records) == content(records)
    assert content(records) != content(others)
