"""JSON nested deeper than any recursive parser follows: taken apart by a scanner that keeps its own stack."""

import json
import json.decoder
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice
from typing import Any, TypeVar

__all__ = [
    "MAX_DEPTH",
    "DeepRecord",
    "count_records",
    "find_span",
    "is_shallow",
    "read_deep_page",
    "read_deep_record",
    "walk_elements",
    "walk_members",
]

MAX_DEPTH = 2000
"""Levels of nesting up to which a record is read, the record itself being the first."""

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord(c): 1 if c in "[{" else -1 for c in "[]{}"}
_BLANK = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity")
_CLOSERS = {"[": "]", "{": "}"}
_scan_string = json.decoder.scanstring  # type: ignore[attr-defined] # which typeshed leaves out
_COUNTING = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)

Parse = Callable[[str], Any]
"""Parses a text of at most MAX_DEPTH levels."""
_Value = TypeVar("_Value")
Read = Callable[[str, int], tuple[_Value, int]]
"""Reads the value that begins at a position: what it makes of it, and where it ends."""


class DeepRecord(dict[str, Any]):
    """A record nested past MAX_DEPTH: its members that can be read; the others are left out. An array has none."""

    is_object: bool = True


def is_shallow(text: bytes, levels: int = MAX_DEPTH) -> bool:
    """Whether UTF-8 JSON is nested no deeper than so many levels; of what is not JSON this says nothing."""
    if text.count(b"[") + text.count(b"{") <= levels:
        return True
    brackets = _STRING.sub(b"", text).translate(None, _NO_BRACKET)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0) <= levels


def read_deep_page(text: str, parse: Parse) -> Any:  # noqa: ANN401 - any JSON value
    """An envelope, or a bare list, whose records may be nested to any depth.

    Raises:
        ValueError: it is not JSON.
    """
    start = _skip_blank(text, 0)
    if text[start : start + 1] == "[":
        return _whole(text, start, lambda: _read_records(text, start, parse))
    if text[start : start + 1] == "{":
        return _whole(text, start, lambda: _read_envelope(text, start, parse))
    return parse(text)


def read_deep_record(text: str, parse: Parse) -> Any:  # noqa: ANN401 - any JSON value
    """One value, nested to any depth: a :class:`DeepRecord` where that is past MAX_DEPTH.

    Raises:
        ValueError: it is not JSON.
    """
    start = _skip_blank(text, 0)
    depth, end = _skip_value(text, start)
    _require_end(text, end)
    return _read_value(text, start, end, depth, parse)


def count_records(text: str, most: int) -> int:
    """How many records a page holds, no more than one of them built at a time; past ``most`` it stops counting.

    What cannot be counted so counts as nothing: its parser will say what it is.
    """
    try:
        at = _skip_blank(text, 0)
        if text[at] != "[":
            at = _find_orders(text, at)
        return sum(1 for _ in islice(walk_elements(text, at, _COUNTING.raw_decode), most + 1))
    except (ValueError, IndexError, RecursionError):
        return 0


def find_span(text: str, path: Sequence[str]) -> tuple[int, int] | None:
    """Where the value begins and ends to which a path of names leads; None where it leads nowhere.

    Raises:
        ValueError: the text is not JSON.
    """
    start = _skip_blank(text, 0)
    end = _skip_value(text, start)[1]
    _require_end(text, end)
    for name in path:
        if text[start] != "{":
            return None
        found = [(at, stop) for member, at, stop, _ in walk_members(text, start, _skip_value) if member == name]
        if not found:
            return None
        start, end = found[-1]  # the last of a repeated name counts
    return start, end


def walk_members(text: str, at: int, read: Read[_Value]) -> Iterator[tuple[str, int, int, _Value]]:
    """Name, begin, end and what ``read`` makes of each member of the valid object at ``at``."""
    at = _skip_blank(text, at + 1)
    while text[at] != "}":
        name, at = _scan_string(text, at + 1, False)
        at = _skip_blank(text, _skip_blank(text, at) + 1)
        value, end = read(text, at)
        yield name, at, end, value
        at = _skip_blank(text, end)
        at = _skip_blank(text, at + 1) if text[at] == "," else at


def walk_elements(text: str, at: int, read: Read[_Value]) -> Iterator[tuple[int, int, _Value]]:
    """Begin, end and what ``read`` makes of each element of the valid array at ``at``."""
    at = _skip_blank(text, at + 1)
    while text[at] != "]":
        value, end = read(text, at)
        yield at, end, value
        at = _skip_blank(text, end)
        at = _skip_blank(text, at + 1) if text[at] == "," else at


def _find_orders(text: str, at: int) -> int:
    """Where the first list of orders in the object at ``at`` begins, which is not built."""
    at = _skip_blank(text, at + 1)
    while True:
        name, at = _scan_string(text, at + 1, False)
        at = _skip_blank(text, _skip_blank(text, at) + 1)
        if name == "orders" and text[at] == "[":
            return at
        at = _skip_blank(text, _COUNTING.raw_decode(text, at)[1])
        at = _skip_blank(text, at + 1) if text[at] == "," else at


def _whole(text: str, start: int, read: Callable[[], Any]) -> Any:  # noqa: ANN401 - any JSON value
    _, end = _skip_value(text, start)
    _require_end(text, end)
    return read()


def _read_envelope(text: str, start: int, parse: Parse) -> dict[str, Any]:
    envelope = {}
    for name, at, end, depth in walk_members(text, start, _skip_value):
        is_list = name == "orders" and text[at] == "["
        envelope[name] = _read_records(text, at, parse) if is_list else _read_value(text, at, end, depth, parse)
    return envelope


def _read_records(text: str, start: int, parse: Parse) -> list[Any]:
    return [_read_value(text, at, end, depth, parse) for at, end, depth in walk_elements(text, start, _skip_value)]


def _read_value(text: str, at: int, end: int, depth: int, parse: Parse) -> Any:  # noqa: ANN401 - any JSON value
    if depth <= MAX_DEPTH:
        return parse(text[at:end])
    deep = DeepRecord()
    deep.is_object = text[at] == "{"
    if deep.is_object:
        for name, begin, stop, levels in walk_members(text, at, _skip_value):
            deep.pop(name, None)  # the last of a repeated name counts
            if levels < MAX_DEPTH:
                deep[name] = parse(text[begin:stop])
    return deep


def _skip_value(text: str, at: int) -> tuple[int, int]:
    """Levels of nesting of the value at ``at``, 0 of a scalar, and where it ends.

    Raises:
        ValueError: it is not JSON.
    """
    opened: list[str] = []
    depth = 0
    while True:
        char = text[at : at + 1]
        if char in ("[", "{"):
            opened.append(char)
            depth = max(depth, len(opened))
            at = _skip_blank(text, at + 1)
            if text[at : at + 1] != _CLOSERS[char]:
                at = _skip_name(text, at) if char == "{" else at
                continue
        else:
            at = _skip_scalar(text, at)
        at = _close(text, at, opened)
        if not opened:
            return depth, at


def _close(text: str, at: int, opened: list[str]) -> int:
    """Go on after a value: past what closes here, to the next value of what stays open."""
    while opened:
        at = _skip_blank(text, at)
        char = text[at : at + 1]
        if char == _CLOSERS[opened[-1]]:
            opened.pop()
            at += 1
        elif char == ",":
            at = _skip_blank(text, at + 1)
            return _skip_name(text, at) if opened[-1] == "{" else at
        else:
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
    return at


def _skip_name(text: str, at: int) -> int:
    if text[at : at + 1] != '"':
        raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
    at = _skip_blank(text, _scan_string(text, at + 1, False)[1])
    if text[at : at + 1] != ":":
        raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
    return _skip_blank(text, at + 1)


def _skip_scalar(text: str, at: int) -> int:
    if text[at : at + 1] == '"':
        return int(_scan_string(text, at + 1, False)[1])
    match = _SCALAR.match(text, at)
    if match is None:
        raise json.JSONDecodeError("Expecting value", text, at)
    return match.end()


def _skip_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return at if match is None else match.end()


def _require_end(text: str, at: int) -> None:
    if _skip_blank(text, at) != len(text):
        raise json.JSONDecodeError("Extra data", text, at)
