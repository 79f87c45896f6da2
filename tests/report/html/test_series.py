"""Figures are packed without losing a digit."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st
from packed import unpack

from ordersetl.report.html.series import encode_days, encode_shares, fold_months, pack
from ordersetl.results import DaySales, Share

STEPS = ("gross", "discount", "tax", "shipping", "amount", "refunded", "cancelled")
MONEY = st.decimals(-(10**15), 10**15, places=4, allow_nan=False)
ZERO = Decimal("0.0000")


def sales(day: date, amount: Decimal, orders: int = 1, **steps: Decimal) -> DaySales:
    usual = dict.fromkeys(STEPS, ZERO) | {"gross": amount, "amount": amount}
    return DaySales(day, "EUR", orders, **(usual | steps))


@given(st.lists(st.integers()))
def test_numbers_come_back(numbers: list[int]) -> None:
    text = pack(numbers)
    assert unpack(text) == numbers
    assert text.isascii()
    assert not set(text) & set("<>&\"'\\")


def test_numbers_are_written_as_source_maps_write_them() -> None:
    assert pack([0, 1, -1, 123, 123456789]) == "ACD2H" + "qxmvrH"


@given(st.dictionaries(st.dates(date(1970, 1, 1), date(2199, 12, 31)), st.lists(MONEY, min_size=7, max_size=7)))
def test_days_come_back(given_days: dict[date, list[Decimal]]) -> None:
    days = [DaySales(day, "EUR", number, *amounts) for number, (day, amounts) in enumerate(sorted(given_days.items()))]
    packed = encode_days(days)
    distances = unpack(packed["day"])
    assert [date(1970, 1, 1) + timedelta(sum(distances[: at + 1])) for at in range(len(distances))] == sorted(
        given_days
    )
    assert unpack(packed["orders"]) == list(range(len(days)))
    for step in STEPS:
        found = [Decimal(number).scaleb(-packed["places"]) for number in unpack(packed[step])]
        assert found == [getattr(day, step) for day in days]


@pytest.mark.parametrize(
    ("amount", "places"), [("5", 0), ("0", 0), ("1234567890.5", 1), ("0.01", 2), ("0.125", 3), ("1.0001", 4)]
)
def test_no_more_places_than_it_takes(amount: str, places: int) -> None:
    assert encode_days([sales(date(2025, 1, 1), Decimal(amount))])["places"] == places


def test_shares_name_each_product_once() -> None:
    names: dict[str, int] = {}
    first = [
        Share("all", "EUR", "B", 1, Decimal("1.5"), Decimal(20), Decimal("-0.0001")),
        Share("all", "EUR", None, 7, Decimal(8), Decimal(1), Decimal(1)),
    ]
    assert unpack(encode_shares(first, names)) == [1, 1, 15000, 200000, -1, 0, 7, 80000, 10000, 10000]
    assert unpack(encode_shares([Share("30", "EUR", "A", 1, *[Decimal(1)] * 3), first[0]], names))[::5] == [2, 1]
    assert names == {"B": 0, "A": 1}


@given(st.integers(1, 800), st.integers(0, 900))
def test_older_days_are_added_up_by_month(count: int, cut: int) -> None:
    days = [sales(date(2023, 1, 1) + timedelta(at), Decimal(at), at, refunded=Decimal(1)) for at in range(count)]
    since = date(2023, 1, 1) + timedelta(cut)
    folded = fold_months(days, since)
    first = since.replace(day=1)
    assert [day for day in folded if day.day >= first] == [day for day in days if day.day >= first]
    older = [day for day in folded if day.day < first]
    assert all(day.day.day == 1 for day in older)
    assert [day.day for day in folded] == sorted({day.day for day in folded})
    for step in (*STEPS, "orders"):
        assert sum(getattr(day, step) for day in folded) == sum(getattr(day, step) for day in days)
