"""Values of native records in the terms of the generic API: amounts in major units, ids of lines."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from functools import reduce
from typing import Any

from ordersetl.currencies import find_digits
from ordersetl.source.description.expressions import FAILED, Expression
from ordersetl.source.description.mapping import Fallback
from ordersetl.star.values import EXACT, UnscaledAmount, has_surrogate, read_text

__all__ = ["Money", "find_sku", "says_no", "without_sign"]

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_MAX_EXPONENT = 60
"""Beyond it an amount is out of range, or 0, in any unit."""
_NO = {"", "false", "0", "no", "n", "off"}


class Money:
    """How amounts of one order are read: in the currency's smallest unit, or as they are.

    Args:
        minor: they are whole numbers of the smallest unit.
        currency: the order's, as its record has it.
    """

    def __init__(self, *, minor: bool, currency: object) -> None:
        self._minor = minor
        self._currency = read_text(currency)
        self._digits = find_digits(self._currency) if minor else 0

    def read(self, value: object) -> Any:  # noqa: ANN401 - what cannot be read stays what it is
        """An amount in major units; null of a blank one, the exact sum of a list, and what is no number as it is.

        A list's nulls do not count; without any number in it there is no amount. In a unit that is not known, an amount
        is text that is no number.
        """
        if isinstance(value, list):
            return self._sum(value)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        return self._scale(value) if self._minor else value

    def _sum(self, values: list[Any]) -> Any:  # noqa: ANN401 - what cannot be read stays what it is
        amounts = [amount for value in values if (amount := self.read(value)) is not None]
        unscaled = next((amount for amount in amounts if isinstance(amount, UnscaledAmount)), None)
        if unscaled is not None:
            return unscaled
        exact = [_read_exact(amount) for amount in amounts]
        if any(amount is None or (amount and abs(amount.adjusted()) > _MAX_EXPONENT) for amount in exact):
            return values
        return reduce(EXACT.add, exact) if exact else None  # type: ignore[arg-type] # None is none of them

    def _scale(self, value: object) -> Any:  # noqa: ANN401 - what cannot be read stays what it is
        exact = _read_exact(value)
        if exact is None or (exact and abs(exact.adjusted()) > _MAX_EXPONENT):
            return value
        if self._digits is None:
            currency = self._currency or "an unknown currency"
            return UnscaledAmount(f"{value} in the smallest unit of {currency}") if exact else exact
        return EXACT.scaleb(exact, -self._digits)


def says_no(value: object) -> bool:
    """Whether a condition with this value does not hold, though JMESPath takes it for true: 0, or a text such as no."""
    if isinstance(value, str):
        return value.strip(" \t\r\n").lower() in _NO
    return isinstance(value, int | float | Decimal) and value == 0


def without_sign(value: object) -> Any:  # noqa: ANN401 - what has no sign stays what it is
    """A number, or a number as text, without its minus sign."""
    if isinstance(value, str):
        text = value.strip()
        return text[1:] if text.startswith("-") and _NUMBER.fullmatch(text) else value
    return -value if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and value < 0 else value


def find_sku(line: object, sku: Expression, fallbacks: Sequence[Fallback]) -> Any:  # noqa: ANN401 - any JSON value
    """What identifies a line: its SKU, or where that is blank the first id that is not, after its prefix."""
    given = sku.search(line, failed=FAILED)
    if read_text(given) is not None:
        return given
    for fallback in fallbacks:
        value = fallback.id.search(line, failed=FAILED)
        text = value if has_surrogate(value) else read_text(value)  # half a pair must stay, to be refused as such
        if text is not None and text != "0":
            return f"{fallback.prefix}:{text}"
    return given


def _read_exact(value: object) -> Decimal | None:
    """All digits of a number, or of a number as text."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value.strip()):
            return None
        try:
            return Decimal(value.strip())
        except InvalidOperation:
            return None
    exact = Decimal(value)
    return exact if exact.is_finite() else None
