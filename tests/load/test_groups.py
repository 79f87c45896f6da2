"""Days that are folded together: neighbours, bounded, and about equal."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given, strategies as st

from ordersetl.lake.manifest import FileEntry
from ordersetl.load.partitions import group_days
from ordersetl.load.plan import Part
from ordersetl.storage.columns import ColumnFile

FIRST = date(2025, 8, 1)


def group(counts: Sequence[int], *, orders: int, workers: int) -> list[list[int]]:
    """The counts of the days of each group."""
    days = {FIRST + timedelta(n): count for n, count in enumerate(counts)}
    # half of a day's orders come in, the others are curated
    coming = {day: count - count // 2 for day, count in days.items()}
    part = Part(
        1,
        "b",
        orders=ColumnFile("o"),
        lines=ColumnFile("l"),
        refunds=None,
        days=coming,
        line_days=coming,
        refund_days={},
        gone=0,
        pending=True,
        applied=False,
    )
    current = {day: FileEntry("", 0, 0, 0, count // 2, {}) for day, count in days.items()}
    runs = list(group_days(days, [part], current, orders=orders, workers=workers))
    assert [day for run in runs for day in run] == sorted(days)
    return [[days[day] for day in run] for run in runs]


@pytest.mark.parametrize(
    ("counts", "orders", "workers", "expected"),
    [
        ([10, 10, 10, 10], 1000, 1, [[10, 10, 10, 10]]),
        ([10, 10, 10, 10], 1000, 2, [[10, 10], [10, 10]]),
        ([11, 11, 11, 1], 1000, 2, [[11, 11], [11, 1]]),
        ([30, 1, 1], 1000, 2, [[30], [1, 1]]),
        ([10, 10, 10, 10, 10], 20, 1, [[10, 10], [10, 10], [10]]),
        ([10, 10, 10, 10, 10], 40, 2, [[10, 10, 10], [10, 10]]),
        ([10] * 9, 30, 2, [[10, 10], [10, 10, 10], [10, 10], [10, 10]]),
        ([50, 50], 20, 1, [[50], [50]]),
        ([5], 1000, 8, [[5]]),
        ([], 1000, 2, []),
    ],
)
def test_groups(counts: list[int], orders: int, workers: int, expected: list[list[int]]) -> None:
    assert group(counts, orders=orders, workers=workers) == expected


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(1, 200), st.integers(1, 8))
def test_a_group_is_bounded_or_a_day(counts: list[int], orders: int, workers: int) -> None:
    for days in group(counts, orders=orders, workers=workers):
        assert len(days) == 1 or sum(days) <= orders
