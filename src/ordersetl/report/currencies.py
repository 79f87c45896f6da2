"""Amounts as people read them: in the digits of their currency."""

from decimal import Decimal

from ordersetl.currencies import find_digits

__all__ = ["count_digits", "format_money"]

_USUAL = 2


def count_digits(currency: str) -> int:
    """Digits after the point: those of the currency's minor unit, two of one that ISO 4217 does not know."""
    digits = find_digits(currency)
    return _USUAL if digits is None else digits


def format_money(amount: Decimal, currency: str) -> str:
    """The amount in the currency's digits, rounded half-even, with commas between thousands and a minus sign."""
    return f"{amount:,.{count_digits(currency)}f}".replace("-", "\N{MINUS SIGN}")
