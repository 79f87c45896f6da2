"""The newest time that a page shows."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ordersetl.source.page import Page
from ordersetl.source.times import find_newest
from ordersetl.star.values import read_time

BEGAN = datetime(2025, 9, 1, 12, tzinfo=UTC)


def newest(*records: Any, body: bytes | None = None) -> str | None:
    text = json.dumps({"orders": records, "next_cursor": None}).encode() if body is None else body
    found = find_newest(Page(1, text), BEGAN)
    return None if found is None else found.isoformat().replace("+00:00", "Z")


def at(updated: Any, created: Any = "2025-08-01T00:00:00Z") -> dict[str, Any]:
    return {"created_at": created, "updated_at": updated, "items": [{"updated_at": "2025-08-31T23:00:00Z"}]}


@pytest.mark.parametrize(
    ("records", "shown"),
    [
        ([], None),
        ([at("2025-08-20T10:00:00Z"), at("2025-08-20T10:00:01Z"), at("2025-08-20T09:00:00Z")], "2025-08-20T10:00:01Z"),
        ([at(None, "2025-08-21T10:00:00Z"), {"created_at": "2025-08-22T10:00:00Z"}], "2025-08-22T10:00:00Z"),
        ([at("2025-08-20T10:00:00"), at("2025-08-20T11:00:00")], "2025-08-20T11:00:00Z"),
        ([at("2025-08-20T10:00:00.5"), at("2025-08-20T10:00:00.25")], "2025-08-20T10:00:00.500000Z"),
        ([at("2025-08-20T10:00:00+02:00"), at("2025-08-20T09:00:00-05:00")], "2025-08-20T14:00:00Z"),
        ([at("2025-08-20T10:00:00+02:00"), at("2025-08-20T10:00:00+02:00")], "2025-08-20T08:00:00Z"),
        ([at("2025-08-20"), at("2025-08-19T10:00:00Z"), at("2025-08-20T00:00:00.1Z")], "2025-08-20T00:00:00.100000Z"),
        ([at("2025-08-20 11:00:00Z"), at("2025-08-20T10:00:00Z"), at("2025-08-19T10:00:00Z")], "2025-08-20T11:00:00Z"),
        ([at("zzzz-08-20T10:00:00Z"), at("2025-08-20T10:00:00Z")], "2025-08-20T10:00:00Z"),
        ([at("soon"), at(17), at(["x"]), at(True), {}, 5, None, "x", [], at("20250820")], None),
        ([5, at("2025-08-20T10:00:00Z"), [[]]], "2025-08-20T10:00:00Z"),
        ([at("soon", "2025-08-25T10:00:00Z"), at("2025-08-20T10:00:00Z")], "2025-08-20T10:00:00Z"),
        ([at("2099-01-01T00:00:00Z"), at("2025-08-20T10:00:00Z")], "2025-08-20T10:00:00Z"),
        ([at("2025-09-02T02:00:00Z"), at("2025-08-20T10:00:00Z")], "2025-09-02T02:00:00Z"),
        ([at("2099-01-01T00:00:00Z"), at("2098-01-01T00:00:00Z")], "2099-01-01T00:00:00Z"),
    ],
)
def test_the_newest_time_is_the_latest_that_can_be_read(records: list[Any], shown: str | None) -> None:
    assert newest(*records) == shown
    assert newest(body=json.dumps(records).encode()) == shown
    odd = json.dumps({"x": "\ud800", "orders": records}).encode()  # which the lenient parser reads
    assert newest(body=odd) == shown


@pytest.mark.parametrize("nested", ["2025-08-31T00:00:00Z", "2025-08-01T00:00:00Z"])
def test_times_within_a_record_are_not_the_record_s(nested: str) -> None:
    inner = {"items": [{"updated_at": nested}]}
    alone = {"created_at": "2025-08-19T00:00:00Z", **inner}
    top = {"updated_at": "2025-08-20T00:00:00Z"}
    assert newest(alone, top) == newest(top, alone) == "2025-08-20T00:00:00Z"
    assert newest({**top, **inner}, {}) == newest({**inner, **top}, {}) == "2025-08-20T00:00:00Z"
    assert newest({**top, "updated_at": "2025-08-18T00:00:00Z"}, {**top, "x": 1}, top) == "2025-08-20T00:00:00Z"


def test_a_deep_record_shows_its_time_too() -> None:
    deep = b'{"updated_at": "2025-08-20T10:00:00Z", "x": ' + b"[" * 3000 + b"]" * 3000 + b"}"
    assert newest(body=b"[" + deep + b', {"updated_at": "2025-08-19T10:00:00Z"}]') == "2025-08-20T10:00:00Z"


_FORMATS = (
    *("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d"),
    *("%Y-%m-%d %H:%M:%SZ", "%Y-%m-%d %H:%M:%S"),
)

_FIRST, _LAST = datetime(2024, 1, 1), datetime(2025, 8, 31)  # noqa: DTZ001 - naive ones are asked for


@given(
    st.lists(
        st.one_of(
            st.tuples(st.datetimes(_FIRST, _LAST), st.sampled_from(_FORMATS)),
            st.tuples(st.datetimes(_FIRST, _LAST), st.integers(-14, 14)),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_it_is_the_maximum_of_all_in_any_mixture_of_forms(times: list[tuple[datetime, str | int]]) -> None:
    texts = [
        time.strftime(form) if isinstance(form, str) else f"{time:%Y-%m-%dT%H:%M:%S}{form:+03d}:00"
        for time, form in times
    ]
    expected = max(filter(None, map(read_time, texts)))
    text = json.dumps([{"updated_at": text} for text in texts]).encode()
    assert find_newest(Page(1, text), BEGAN + timedelta(days=9)) == expected


def test_offsets_without_a_colon_are_compared_too() -> None:
    assert newest(at("2025-08-20T10:00:00+0200"), at("2025-08-20T09:00:00-0500")) == "2025-08-20T14:00:00Z"
