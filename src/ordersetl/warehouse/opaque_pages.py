"""Pages that DuckDB cannot read as a whole, taken apart into the exact text of each record."""

import json
import re
from collections.abc import Iterator

__all__ = ["split_page"]

_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=lambda _: None)
_BLANK = re.compile(r"[ \t\n\r]*")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def split_page(body: bytes, *, expected: int) -> list[tuple[str | None, str | None]]:
    """Text and order id of each record, in order; a lone surrogate in the text is U+FFFD already.

    A page too odd even for this yields ``expected`` times nothing.
    """
    encoding = json.detect_encoding(body)
    try:
        spans = list(_find_records(body.decode(encoding, "replace").removeprefix("\ufeff")))
    except (ValueError, RecursionError, IndexError):
        return [(None, None)] * expected
    return [(_ESCAPE.sub(_mend, text), _read_id(record)) for text, record in spans]


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
    return r"\ufffd" if escape["lone"] else escape[0]


def _read_id(record: object) -> str | None:
    given = record.get("order_id") if isinstance(record, dict) else None
    return _SURROGATE.sub("\ufffd", given.replace("\0", "")).strip() or None if isinstance(given, str) else None
