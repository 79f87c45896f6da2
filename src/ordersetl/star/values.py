"""Values of payloads and reference files: what counts as a text, a number or a time, and how it is read exactly."""

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

from ordersetl.star.rules import MONEY_SCALE

__all__ = [
    "AMOUNT_LIMIT",
    "EXACT",
    "QTY_LIMIT",
    "TEXT_BYTES",
    "UNIT",
    "HugeNumber",
    "UnscaledAmount",
    "has_surrogate",
    "parse_iso",
    "read_date",
    "read_decimal",
    "read_short_text",
    "read_text",
    "read_time",
    "read_version_time",
    "replace_surrogates",
    "to_naive",
    "version_time_of",
]

AMOUNT_LIMIT = Decimal(10) ** 14
"""Amounts, prices and quantity x price stay below this: what DECIMAL(18,4) holds."""
QTY_LIMIT = Decimal(10) ** 9
TEXT_BYTES = 255
"""Most bytes of an id or a text in UTF-8: what VARCHAR(255) holds in Redshift."""
UNIT = Decimal(1).scaleb(-MONEY_SCALE)
"""The last digit of an amount: 0.0001."""
_ZERO = 0 * UNIT
EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)
"""Decimal arithmetic that never loses a digit of what a payload holds."""
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_DATE_AND_TIME = re.compile(r"[0-9W-]{7,10}(?:[Tt ].*)?", re.ASCII)
"""What ``fromisoformat`` may read: for it any character parts the two, also the sign of a date's own offset."""
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_LONGEST_WHOLE = 300
"""Digits of a whole number that are written out: more than any text holds."""


class HugeNumber(str):
    """A JSON number whose exponent is beyond what a Decimal holds, as it was written."""

    __slots__ = ()


class UnscaledAmount(str):
    """An amount in the smallest unit of a currency that is not known, in words: it is no number."""

    __slots__ = ()


_FRACTIONAL = (HugeNumber, float, Decimal)
"""Types of numbers that may have a fraction. A tuple: a union would be made, and looked through, at each call."""


def has_surrogate(value: object) -> bool:
    """Whether a value is a string with half a surrogate pair, so that nobody knows which character it was."""
    return isinstance(value, str) and not value.isascii() and _SURROGATE.search(value) is not None


def replace_surrogates(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, so that it can be written as UTF-8."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def read_text(value: object) -> str | None:
    """Text of a string or a whole number: NUL removed, half surrogate pairs replaced, stripped; None where empty.

    A number is whole by its value, not by its form: ``501.0`` and ``5.01e2`` are ``501``. One with a fraction, and any
    other type, is no text. Of a whole number the first 300 digits are true; the rest of a larger one may be left out.
    """
    if value is None:
        return None
    if isinstance(value, _FRACTIONAL):
        return _write_whole(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    text = str(value).replace("\0", "")
    return replace_surrogates(text).strip() or None


def _write_whole(number: HugeNumber | float | Decimal) -> str | None:
    """Digits of a number without a fraction; None where it has one, or is not finite."""
    if isinstance(number, HugeNumber):
        mantissa, _, exponent = number.lower().partition("e")
        digits = mantissa.lstrip("-").replace(".", "").lstrip("0")
        if not digits or exponent.startswith("-"):
            return None if digits else "0"
        sign = "-" if mantissa.startswith("-") else ""
        return sign + digits.ljust(_LONGEST_WHOLE, "0")
    exact = number if isinstance(number, Decimal) else Decimal(repr(number))
    if not exact.is_finite() or exact != exact.to_integral_value():
        return None
    if not exact or exact.adjusted() < _LONGEST_WHOLE:
        return str(int(exact)) if exact else "0"
    first = "".join(map(str, exact.as_tuple().digits[:_LONGEST_WHOLE]))
    return ("-" if exact < 0 else "") + first.ljust(_LONGEST_WHOLE, "0")


def read_short_text(value: object, *, upper: bool = False) -> tuple[str | None, bool]:
    """Text cut to 255 bytes at a character's edge, without a blank at its end, and whether it was cut."""
    text = read_text(value)
    if text is None:
        return None, False
    if upper:
        text = text.upper()
    encoded = text.encode()
    if len(encoded) <= TEXT_BYTES:
        return text, False
    return encoded[:TEXT_BYTES].decode("utf-8", "ignore").rstrip() or None, True


def read_decimal(value: object) -> Decimal | None:
    """Exact decimal of a JSON number or numeric text at four digits, half-even; None where it is none or out of range.

    A result of 10^14 or more is possible just above the limit: compare after rounding.
    """
    if isinstance(value, Decimal):
        exact = value
    elif isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    else:
        text = repr(value) if isinstance(value, float) else str(value).strip()
        if not _NUMBER.fullmatch(text):
            return None
        try:
            exact = Decimal(text)
        except InvalidOperation:  # an exponent beyond all measure
            exact = _read_beyond(text)
    if not exact:  # in whatever exponent it is written
        return _ZERO
    if not exact.is_finite() or exact.adjusted() > AMOUNT_LIMIT.adjusted() + 1:
        return None
    return EXACT.quantize(exact, UNIT)


def _read_beyond(text: str) -> Decimal:
    """A number whose exponent no Decimal holds: nothing at all, or more than any limit."""
    mantissa, _, exponent = text.lower().partition("e")
    return Decimal(0) if exponent.startswith("-") or not mantissa.strip("+-.0") else Decimal("Infinity")


def read_time(value: object) -> datetime | None:
    """Aware UTC time of ISO 8601 text from 1970 to 2199, naive taken as UTC; None for anything else.

    A number is no time, not even as text: ``20250820`` could be seconds as well.
    """
    if not isinstance(value, str):
        return None
    try:
        time = parse_iso(value.strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time if _FIRST_YEAR <= time.year <= _LAST_YEAR else None


def parse_iso(text: str) -> datetime:
    """Time of ISO 8601 text, naive where it names no offset; a date alone is its midnight.

    Raises:
        ValueError: it is none, or a number, or a date with an offset, of which nobody knows the time of day.
    """
    if _NUMBER.fullmatch(text) or not _DATE_AND_TIME.fullmatch(text):
        raise ValueError("is no date with a time")
    return datetime.fromisoformat(text)


def version_time_of(created_at: object, updated_at: object) -> object:
    """Which of the two orders an order's versions, as given: ``updated_at``, and ``created_at`` where that is null."""
    return created_at if updated_at is None else updated_at


def read_version_time(record: object) -> datetime | None:
    """The time that orders a record among the versions of its order, as far as it gives one readably."""
    if not isinstance(record, dict):
        return None
    return read_time(version_time_of(record.get("created_at"), record.get("updated_at")))


def to_naive(time: datetime) -> datetime:
    """An aware time as naive UTC: how frames and tables hold times."""
    return time.astimezone(UTC).replace(tzinfo=None)


def read_date(value: object) -> date | None:
    """UTC date of a readable time, or None."""
    time = read_time(value)
    return None if time is None else time.date()
