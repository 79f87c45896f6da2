"""Pages that DuckDB does not read exactly, taken apart into the exact text of each record."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from ordersetl.source.nested import walk_elements, walk_members
from ordersetl.source.parser import decode_text

__all__ = ["split_page"]

_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF = "\uffff"
"""Stands for half a surrogate pair: it is no character, and a record that holds it all the same is unparseable."""
_HALF_WRITTEN = re.compile("\uffff|\\\\uffff", re.IGNORECASE)
_MAX_ID_DIGITS = 255


class _Fraction(str):
    """A number with a point or an exponent, as it is written."""

    __slots__ = ()


_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=_Fraction)


def split_page(body: bytes, *, expected: int) -> list[tuple[int, str | None, str | None]]:
    """Position, text and order id of each record; a lone surrogate in the text, or a broken byte, is U+FFFF already.

    A record that holds that character itself has no text. A page that this cannot read either yields
    ``expected`` times nothing.
    """
    try:
        spans = list(_find_records(decode_text(body).removeprefix("\ufeff").lstrip(" \t\n\r")))
    except (ValueError, RecursionError, IndexError):
        return [(index, None, None) for index in range(expected)]
    return [
        (
            index,
            None if _HALF_WRITTEN.search(text) else _SURROGATE.sub(_HALF, _ESCAPE.sub(_mark_half, text)),
            _read_id(record),
        )
        for index, (text, record) in enumerate(spans)
    ]


def _find_records(text: str) -> Iterator[tuple[str, object]]:
    """Text and value of each record; of several lists of orders the last counts."""
    at = 0
    if text[0] == "{":
        at = [begin for name, begin, _, _ in walk_members(text, 0, _DECODER.raw_decode) if name == "orders"][-1]
    for begin, end, record in walk_elements(text, at, _DECODER.raw_decode):
        yield text[begin:end], record


def _mark_half(escape: re.Match[str]) -> str:
    return r"\uffff" if escape["lone"] else escape[0]


def _read_id(record: object) -> str | None:
    given = record.get("order_id") if isinstance(record, dict) else None
    if isinstance(given, _Fraction):
        return _whole_number(given)
    return _SURROGATE.sub("\ufffd", given.replace("\0", "")).strip() or None if isinstance(given, str) else None


def _whole_number(number: str) -> str | None:
    """Digits of a number without a fraction; None where it has one, or more of them than an id may have."""
    try:
        exact = Decimal(number)
    except InvalidOperation:
        return None
    if exact.adjusted() > _MAX_ID_DIGITS or exact != exact.to_integral_value():
        return None
    return str(int(exact)) if exact else "0"
