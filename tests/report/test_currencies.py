"""Amounts in the digits of their currency."""

from decimal import Decimal

import pytest

from ordersetl.report.currencies import count_digits, format_money

SHOWN = {
    ("1234567.8950", "EUR"): "1,234,567.90",
    ("0.0050", "USD"): "0.00",  # half-even
    ("0.0150", "USD"): "0.02",
    ("-12.5000", "EUR"): "\N{MINUS SIGN}12.50",
    ("1234.5000", "JPY"): "1,234",
    ("1.2345", "KWD"): "1.234",
    ("99999999999999.9999", "CLF"): "99,999,999,999,999.9999",
    ("1.0000", ""): "1.00",
    ("1.0000", "NO SUCH"): "1.00",
}


@pytest.mark.parametrize(("given", "shown"), SHOWN.items(), ids=str)
def test_money(given: tuple[str, str], shown: str) -> None:
    amount, currency = given
    assert format_money(Decimal(amount), currency) == shown


def test_digits_are_those_of_the_minor_unit() -> None:
    assert [count_digits(currency) for currency in ("EUR", "JPY", "KWD", "CLF", "XXX")] == [2, 0, 3, 4, 2]
