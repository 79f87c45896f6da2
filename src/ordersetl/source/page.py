"""One page of the API: its envelope, read without building its records, and its records, read exactly."""

import json
import re
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from pydantic import ValidationError

from ordersetl.errors import NonsenseError
from ordersetl.models import Envelope
from ordersetl.values import HugeNumber

__all__ = ["MAX_DEPTH", "DeepRecord", "Page", "PageHead", "parse_json", "read_head", "read_records", "split_records"]

_DEEPER = 3000
_deeper = threading.Lock()
"""The recursion limit is the whole process's: one thread at a time raises it, and puts it back."""
_LONGEST_INT = 4000
"""Digits: Python refuses to convert longer ones by default; as text they fail the same rules."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class _Parts(msgspec.Struct, gc=False):
    """An envelope as a page of orders has it: the last of a repeated name counts, as in Python's parser."""

    orders: list[msgspec.Raw]
    next_cursor: Any = None


_parts = msgspec.json.Decoder(_Parts)
_list = msgspec.json.Decoder(list[msgspec.Raw])


MAX_DEPTH = 2000
"""Levels of nesting up to which a record is read, the record itself being the first."""


class DeepRecord(dict[str, Any]):
    """A record nested past MAX_DEPTH: its members that can be read; the others are left out. An array has none."""

    is_object: bool = True


@dataclass(frozen=True)
class PageHead:
    """How many order records a page holds, and the cursor of the next page; None on the last.

    ``texts`` are the records as the JSON they came in, views of the page; None where only the lenient parser helps.
    """

    records: int
    next_cursor: str | None
    texts: Sequence[msgspec.Raw] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Page:
    """The ``number``-th page of a batch, from 1: its body, and its head where that was read already."""

    number: int
    body: bytes
    head: PageHead | None = None


def read_head(body: bytes) -> PageHead:
    """Validate the envelope of a page.

    msgspec walks the JSON without building the records, at some thirty times the speed of a full parse; what it
    refuses (NaN, lone surrogates, other encodings) goes to the lenient parser.

    Raises:
        NonsenseError: no JSON parser reads it, or it holds no list of orders.
    """
    head = _read_fast(body)
    if head is not None:
        return head
    orders, cursor = _validate(parse_json(body))
    return PageHead(len(orders), cursor)


def read_records(body: bytes) -> list[Any]:
    """All records of a page, numbers as exact decimals.

    Raises:
        NonsenseError: as :func:`read_head`.
    """
    return _validate(parse_json(body))[0]


def split_records(page: Page) -> list[bytes] | None:
    """JSON of each record as it came, valid UTF-8; None where only the lenient parser helps.

    Raises:
        NonsenseError: as :func:`read_head`.
    """
    head = page.head or _read_fast(page.body)
    if head is None or head.texts is None or not _is_utf8(page.body):
        return None
    return list(map(bytes, head.texts))


def parse_json(body: bytes | str) -> Any:  # noqa: ANN401 - any JSON value
    """Parse JSON leniently and exactly.

    Numbers become int or Decimal; a number beyond both stays text, which fails the same rules. NaN and Infinity are
    read. Control characters in strings are read; of a repeated key the last counts. A byte that is not UTF-8 becomes
    half a surrogate pair.

    Raises:
        NonsenseError: it is no JSON.
    """
    try:
        return _parse(_decode(body) if isinstance(body, bytes) else body)
    except RecursionError:
        raise NonsenseError("the page is nested too deeply to be read", hint="Look at what the API sends.") from None
    except ValueError as error:
        raise NonsenseError(
            f"the page is not JSON: {error}", hint="Try again later, or look at what the API sends."
        ) from None


def _parse(text: str) -> Any:  # noqa: ANN401 - any JSON value
    decoder = json.JSONDecoder(strict=False, parse_float=_read_float, parse_int=_read_int)
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


def _decode(body: bytes) -> str:
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:  # in UTF-8, a broken byte becomes half a surrogate pair, which no id may hold
        return body.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")


def _read_float(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return HugeNumber(text)


def _read_int(text: str) -> int | str:
    return int(text) if len(text) <= _LONGEST_INT else text


def _is_utf8(body: bytes) -> bool:
    try:
        return body.isascii() or bool(body.decode())
    except UnicodeDecodeError:
        return False


def _read_fast(body: bytes) -> PageHead | None:
    """The head, with the records' texts; None where the lenient parser must see to it, or say what it is."""
    try:
        texts, cursor = _validate(_fast_envelope(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return PageHead(len(texts), cursor, texts)


def _fast_envelope(body: bytes) -> object:
    """The envelope, its records as the texts they came in.

    Raises:
        msgspec.DecodeError: the lenient parser must see to it, or say what it is.
    """
    try:
        parts = _parts.decode(body)
    except msgspec.ValidationError:
        return _list.decode(body)
    return {"orders": parts.orders, "next_cursor": parts.next_cursor}


def _validate(envelope: object) -> tuple[list[Any], str | None]:
    if isinstance(envelope, list):
        return envelope, None
    try:
        page = Envelope.model_validate(envelope)
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(map(str, first["loc"]))
        said = "there is no list of orders in it" if what in {"", "orders"} else f"{what}: {first['msg']}"
        raise NonsenseError(
            f"the answer is JSON, but no page of orders: {said}",
            hint="Look at --api-url: it must be the base that /orders follows.",
        ) from None
    cursor = None if page.next_cursor is None else str(page.next_cursor)
    if cursor and _SURROGATE.search(cursor):
        raise NonsenseError(
            "next_cursor is no valid Unicode, so that it cannot be sent back", hint="Look at what the API sends."
        )
    return page.orders, cursor or None
