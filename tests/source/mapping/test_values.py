"""Amounts, times and truth of native records in the terms of the generic API."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from ordersetl.currencies import find_digits
from ordersetl.source.description.expressions import Expression
from ordersetl.source.mapping.times import find_time_reader
from ordersetl.source.mapping.values import Money, without_sign

UTC_TEN = "2025-08-20T10:00:00+00:00"


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("USD", 2), ("usd", 2), ("JPY", 0), ("CLP", 0), ("KWD", 3), ("TND", 3), ("CLF", 4), ("XYZ", None), (None, None)],
)
def test_currencies_have_the_digits_of_iso_4217(currency: str | None, digits: int | None) -> None:
    assert find_digits(currency) == digits


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (1599, Decimal("15.99")),
        ("1599", Decimal("15.99")),
        (" -250 ", Decimal("-2.5")),
        (Decimal("15.5"), Decimal("0.155")),
        ("1e3", Decimal(10)),
        (None, None),
        (" ", None),
        (True, True),
        ("12,50", "12,50"),
        ({"amount": 1}, {"amount": 1}),
        (Decimal("1e999"), Decimal("1e999")),
        (10**25, Decimal(10) ** 23),
    ],
)
def test_an_amount_in_cents(value: object, amount: object) -> None:
    assert Money(minor=True, currency="EUR").read(value) == amount


@pytest.mark.parametrize(
    ("values", "amount"),
    [
        (["5.0000", "0.10"], Decimal("5.10")),
        ([Decimal("0.1"), Decimal("0.2"), None, ""], Decimal("0.3")),
        ([None, ""], None),
        ([], None),
        (["5", "x"], ["5", "x"]),
        (["1e999", 1], ["1e999", 1]),
    ],
)
def test_a_list_of_amounts_is_their_exact_sum(values: list[Any], amount: object) -> None:
    assert Money(minor=False, currency=None).read(values) == amount
    in_cents = Money(minor=True, currency="EUR").read(values)
    assert in_cents == (amount / 100 if isinstance(amount, Decimal) else amount)


@pytest.mark.parametrize(
    ("value", "amount"),
    [(-5, 5), ("-5.25", "5.25"), (Decimal("-0.1"), Decimal("0.1")), (5, 5), ("-x", "-x"), (True, True), (None, None)],
)
def test_a_sign_that_says_what_an_amount_is_goes(value: object, amount: object) -> None:
    assert without_sign(value) == amount


@pytest.mark.parametrize(
    ("times", "zone", "value", "time"),
    [
        ("iso", "UTC", "2025-08-20 10:00:00", "2025-08-20 10:00:00"),
        ("iso", "UTC", "2025-08-20T12:00:00+02:00", "2025-08-20T12:00:00+02:00"),
        ("iso", "Europe/Berlin", "2025-08-20T12:00:00", UTC_TEN),
        ("iso", "Europe/Berlin", "2025-08-20T10:00:00Z", UTC_TEN),
        ("iso", "Europe/Berlin", "2025-10-26T02:30:00", "2025-10-26T00:30:00+00:00"),  # twice: the first counts
        ("iso", "Europe/Berlin", "20250820", "20250820"),  # a number is no time
        ("rfc2822", "UTC", "Wed, 20 Aug 2025 12:00:00 +0200", UTC_TEN),
        ("rfc2822", "UTC", "20 Aug 2025 10:00:00 GMT", UTC_TEN),
        ("rfc2822", "Europe/Berlin", "Wed, 20 Aug 2025 10:00:00 -0000", UTC_TEN),  # it is UTC, somewhere
        ("rfc2822", "Europe/Berlin", "Wed, 20 Aug 2025 10:00:00 -0000 (CEST)", UTC_TEN),
        ("rfc2822", "Europe/Berlin", "Wed, 20 Aug 2025 12:00:00", UTC_TEN),
        ("rfc2822", "Europe/Berlin", "Wed Aug 20 12:00:00 2025", UTC_TEN),
        ("rfc2822", "Europe/Berlin", "Wed, 20 Aug 2025 12:00:00 JST", "Wed, 20 Aug 2025 12:00:00 JST"),
        ("rfc2822", "UTC", "Wed, 20 Aug 2025 12:00:00 GMT+2", "Wed, 20 Aug 2025 12:00:00 GMT+2"),
        ("rfc2822", "UTC", "Wed, 31 Feb 2025 10:00:00 +0000", "Wed, 31 Feb 2025 10:00:00 +0000"),
        ("epoch", "UTC", 1755684000, UTC_TEN),
        ("epoch", "UTC", "1755684000", UTC_TEN),
        ("epoch", "UTC", Decimal("1755684000.25"), "2025-08-20T10:00:00.250000+00:00"),
        ("epoch_ms", "UTC", 1755684000123, "2025-08-20T10:00:00.123000+00:00"),
        ("epoch", "UTC", True, True),
        ("epoch", "UTC", -5, -5),
        ("epoch", "UTC", Decimal("1e400"), Decimal("1e400")),
        ("epoch", "UTC", 10**17, 10**17),  # after all years
        ("%d/%m/%Y %H:%M", "Europe/Berlin", "20/08/2025 12:00", UTC_TEN),
        ("%d/%m/%Y %H:%M", "UTC", "2025-08-20", "2025-08-20"),
        ("iso", "UTC", " ", None),
        ("rfc2822", "UTC", "", None),
        ("epoch", "UTC", None, None),
        ("rfc2822", "UTC", {"a": 1}, {"a": 1}),
    ],
)
def test_a_time_of_any_format_is_utc_or_stays_as_it_is(times: str, zone: str, value: object, time: object) -> None:
    assert find_time_reader(times, zone)(value) == time


def test_a_time_that_clocks_skip_is_read_as_before_the_change() -> None:
    read = find_time_reader("iso", "Europe/Berlin")("2025-03-30T02:30:00")
    assert datetime.fromisoformat(read).isoformat() == "2025-03-30T01:30:00+00:00"


@pytest.mark.parametrize(
    ("expression", "value", "result"),
    [
        ("sum(lines[].to_number(tax))", {"lines": [{"tax": "0.10"}, {"tax": Decimal("0.2")}]}, Decimal("0.30")),
        ("sum(lines[].tax)", {"lines": [{"tax": Decimal("0.1")}, {"tax": 1}]}, Decimal("1.1")),
        ("abs(total)", {"total": Decimal("-2.50")}, Decimal("2.50")),
        ("to_number(total)", {"total": "12,5"}, None),
        ("to_number(total)", {"total": True}, None),
        ("to_string(id)", {"id": Decimal("12.50")}, "12.50"),
        ("to_string(ids)", {"ids": [Decimal("1.50"), "a"]}, '[1.50,"a"]'),
        ("rate == `0.1`", {"rate": Decimal("0.1")}, True),
        ("rate > `0.1`", {"rate": Decimal("0.11")}, True),
        ("sum(lines)", {"lines": "no list"}, None),
        ("max_by(lines, &at).code", {"lines": [{"at": Decimal("1.5"), "code": "a"}, {"at": 2, "code": "b"}]}, "b"),
    ],
)
def test_expressions_reckon_exactly(expression: str, value: object, result: object) -> None:
    found = Expression(expression).search(value)
    assert found == result
    assert not isinstance(found, float)
