"""The lenient parser: reads JSON that msgspec refuses, exactly, and at any depth."""

import json
import sys
import threading
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from ordersetl.errors import InvalidResponseError
from ordersetl.source.nested import MAX_DEPTH, is_shallow, read_deep_page, read_deep_record
from ordersetl.star.values import HugeNumber

__all__ = ["NotJsonError", "decode_text", "is_utf8", "parse_json", "parse_page", "read_fraction"]

_DEEPER = 2 * MAX_DEPTH + 500
"""The scanner in Python takes two frames a level."""
_deeper = threading.Lock()
"""The recursion limit is the whole process's: one thread at a time raises it, and puts it back."""
_LONGEST_INT = 4000
"""Digits: Python refuses to convert longer ones by default; as text they fail the same rules."""


class NotJsonError(InvalidResponseError):
    """No JSON parser reads the page."""


def parse_json(body: bytes | str) -> Any:  # noqa: ANN401 - any JSON value
    """Parse JSON leniently and exactly.

    Numbers become int or Decimal; a number beyond both stays text, which fails the same rules. NaN and Infinity are
    read. Control characters in strings are read; of a repeated key the last counts. A byte that is
    not UTF-8 becomes half a surrogate pair.
    What is nested past MAX_DEPTH becomes a :class:`DeepRecord`.

    Raises:
        NotJsonError: it is no JSON.
    """
    return _parse_leniently(decode_text(body) if isinstance(body, bytes) else body, read_deep_record)


def parse_page(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a page as :func:`parse_json` does, its records one by one: each may be a :class:`DeepRecord`.

    Raises:
        NotJsonError: it is no JSON.
    """
    return _parse_leniently(decode_text(body), read_deep_page)


def _parse_leniently(text: str, read_deep: Callable[[str, Callable[[str], Any]], Any]) -> Any:  # noqa: ANN401
    try:
        if is_shallow(text.encode("utf-8", "surrogatepass")):
            return _parse(text)
        return read_deep(text, _parse)
    except ValueError as error:
        raise NotJsonError(
            f"the page is not JSON: {error}", hint="Try again later, or look at what the API sends."
        ) from None


def _parse(text: str) -> Any:  # noqa: ANN401 - any JSON value
    decoder = json.JSONDecoder(strict=False, parse_float=read_fraction, parse_int=_read_int)
    try:
        return decoder.decode(text)
    except RecursionError:
        # the scanner in Python: that in C has a limit of its own from Python 3.12 on
        decoder.scan_once = json.scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]
        with _deeper:
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(limit + _DEEPER)
            try:
                return decoder.decode(text)
            finally:
                sys.setrecursionlimit(limit)


def is_utf8(body: bytes) -> bool:
    """Whether bytes are UTF-8, for which msgspec does not look at what it skips."""
    try:
        return body.isascii() or bool(body.decode())
    except UnicodeDecodeError:
        return False


def decode_text(body: bytes) -> str:
    """Text of JSON in UTF-8, UTF-16 or UTF-32; what is not valid is replaced."""
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:  # in UTF-8, a broken byte becomes half a surrogate pair, which no id may hold
        return body.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")


def read_fraction(text: str) -> Decimal | HugeNumber:
    """Exact value of a JSON number that is not written as an integer; as it is written where no Decimal holds it."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return HugeNumber(text)


def _read_int(text: str) -> int | str:
    return int(text) if len(text) <= _LONGEST_INT else text
