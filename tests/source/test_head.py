"""What tells the records of one page from those of another."""

import json
from typing import Any

import pytest

from ordersetl.source.head import read_head


def content(records: list[Any], cursor: str | None = None) -> int:
    return read_head(json.dumps({"orders": records, "next_cursor": cursor}).encode()).content


def order(number: int, **members: Any) -> dict[str, Any]:
    return {"order_id": f"o{number}", "updated_at": f"2025-08-20T10:00:{number % 60:02d}Z", **members}


@pytest.mark.parametrize("count", [1, 8, 9, 300])
def test_the_same_records_are_the_same_under_another_cursor(count: int) -> None:
    records = [order(at) for at in range(count)]
    assert content(records, "c9") == content(records, "c10")
    assert content(records) != content([*records[:-1], order(count)])
    assert content(records) != content(records[:-1])


def test_many_versions_are_known_by_their_keys_whatever_else_they_say() -> None:
    assert content([order(at, asked="10:00") for at in range(9)]) == content(
        [order(at, asked="10:01") for at in range(9)]
    )


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([order(at) for at in range(8)], id="few"),
        pytest.param([order(1, line=at) for at in range(300)], id="the lines of one order"),
        pytest.param([{"line": at} for at in range(300)], id="no keys"),
        pytest.param([order(at, order_id=[at]) for at in range(300)], id="a list as a key"),
        pytest.param([[at] for at in range(300)], id="lists"),
    ],
)
def test_records_that_their_keys_do_not_tell_apart_are_known_by_their_texts(records: list[Any]) -> None:
    others = [record if isinstance(record, list) else {**record, "x": 1} for record in records[:-1]]
    others.append([0] if isinstance(records[-1], list) else {**records[-1], "x": 1})
    assert content(records) == content(records)
    assert content(records) != content(others)
