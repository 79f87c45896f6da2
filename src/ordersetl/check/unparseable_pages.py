"""Pages that DuckDB cannot read as a whole, taken apart into the exact text of each record."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

__all__ = ["split_page"]

_BLANK = re.compile(r"[ \t\n\r]*")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF = "\uffff"
"""Stands for half a surrogate pair: it is no character, and a record that holds it all the same is opaque."""
_HALF_WRITTEN = re.compile("\uffff|\\\\uffff", re.IGNORECASE)
_LONGEST_ID = 255


class _Fraction(str):
    """A number with a point or an exponent, as it is written."""

    __slots__ = ()


_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=_Fraction)


def split_page(body: bytes, *, expected: int) -> list[tuple[str | None, str | None]]:
    """Text and order id of each record, in order; a lone surrogate in the text, or a broken byte, is U+FFFF already.

    A record that holds that character itself has no text. A page too odd even for this yields ``expected`` times
    nothing.
    """
    encoding = json.detect_encoding(body)
    try:
        spans = list(_find_records(_decode(body, encoding).removeprefix("\ufeff")))
    except (ValueError, RecursionError, IndexError):
        return [(None, None)] * expected
    return [
        (None if _HALF_WRITTEN.search(text) else _SURROGATE.sub(_HALF, _ESCAPE.sub(_mend, text)), _read_id(record))
        for text, record in spans
    ]


def _decode(body: bytes, encoding: str) -> str:
    """Text of the page; what is no valid Unicode becomes half a surrogate pair, as far as the encoding allows."""
    try:
        return body.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        return body.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")


def _find_records(text: str) -> Iterator[tuple[str, object]]:
    at = _skip(text, 0)
    if text[at] == "{":
        at = _find_orders(text, at)
    yield from _elements(text, at)


def _find_orders(text: str, at: int) -> int:
    """Where the value of the last ``orders`` member of the object at ``at`` begins."""
    found = -1
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if name == "orders":
            found = at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    if found < 0:
        raise ValueError("no orders")
    return found


def _elements(text: str, at: int) -> Iterator[tuple[str, object]]:
    at = _skip(text, at + 1)
    while text[at] != "]":
        record, end = _DECODER.raw_decode(text, at)
        yield text[at:end], record
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return at if match is None else match.end()


def _mend(escape: re.Match[str]) -> str:
    return r"\uffff" if escape["lone"] else escape[0]


def _read_id(record: object) -> str | None:
    given = record.get("order_id") if isinstance(record, dict) else None
    if isinstance(given, _Fraction):
        return _whole(given)
    return _SURROGATE.sub("\ufffd", given.replace("\0", "")).strip() or None if isinstance(given, str) else None


def _whole(number: str) -> str | None:
    """Digits of a number without a fraction; None where it has one, or more of them than an id may have."""
    try:
        exact = Decimal(number)
    except InvalidOperation:
        return None
    if exact.adjusted() > _LONGEST_ID or exact != exact.to_integral_value():
        return None
    return str(int(exact)) if exact else "0"
