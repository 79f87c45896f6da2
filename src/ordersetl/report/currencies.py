"""Amounts as people read them: in the digits of their currency."""

from decimal import Decimal

__all__ = ["count_digits", "format_money"]

_USUAL = 2
_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""Currencies whose minor unit is not a hundredth, by ISO 4217 (list one, of 2024)."""
_BY_CURRENCY = {currency: digits for digits, currencies in _DIGITS.items() for currency in currencies.split()}


def count_digits(currency: str) -> int:
    """Digits after the point: those of the currency's minor unit, two of one that ISO 4217 does not know."""
    return _BY_CURRENCY.get(currency, _USUAL)


def format_money(amount: Decimal, currency: str) -> str:
    """The amount in the currency's digits, rounded half-even, with commas between thousands and a minus sign."""
    return f"{amount:,.{count_digits(currency)}f}".replace("-", "\N{MINUS SIGN}")
