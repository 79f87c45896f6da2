"""Answers of calls, kept in one file beside their page, and joined into the page's records.

A line of the file is a JSON object: ``call`` is the call's name, ``order`` the record's place on the page from 0,
``element`` that of the list's element where the call is made for each of them, ``number`` the answer's number from 1,
``body`` the answer's text as received. A body that is not UTF-8 is in base64, and ``encoding`` says so; ``charset`` is
how it is read then.
"""

from base64 import b64decode, b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from ordersetl.errors import InvalidResponseError
from ordersetl.source.description.model import Call
from ordersetl.source.head import DECODING
from ordersetl.source.listing import ListPath
from ordersetl.source.page import page_text
from ordersetl.source.parser import read_fraction
from ordersetl.star.values import HugeNumber, read_text

__all__ = ["CallAnswer", "Key", "decode_answers", "encode_answers", "join_parsed", "join_texts"]

Key = tuple[str, int, int | None]
"""A call's name, a record's place on its page, and that of its list's element where the call is made for each."""


class CallAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the file."""

    call: str
    order: int
    number: int
    body: str
    element: int | None = None
    encoding: Literal["base64"] | None = None
    charset: str | None = None

    @classmethod
    def of(cls, key: Key, number: int, body: bytes, charset: str | None) -> "CallAnswer":
        """An answer as it is kept."""
        try:
            return cls(key[0], key[1], number, body.decode("utf-8"), key[2], None, charset)
        except UnicodeDecodeError:
            return cls(key[0], key[1], number, b64encode(body).decode("ascii"), key[2], "base64", charset)

    @property
    def text(self) -> bytes:
        """The body as UTF-8, or in what other encoding JSON shows by itself.

        Raises:
            InvalidResponseError: it is not what was kept.
        """
        try:
            body = b64decode(self.body) if self.encoding else self.body.encode()
        except ValueError as error:
            raise InvalidResponseError(f"an answer of the call {self.call} is damaged: {error}") from None
        return page_text(body, self.charset)


_answer = msgspec.json.Decoder(CallAnswer)


class _Named(msgspec.Struct):
    id: Any = None


class _Reader(msgspec.Struct, frozen=True):
    """Reads elements, which are texts or parsed: their id, and all of them, to the same values."""

    find_id: Callable[[Any], object]
    parse: Callable[[Any], object]


_named = msgspec.json.Decoder(_Named, float_hook=read_fraction)
_UNLIKE_TEXTS_AND_NUMBERS = (bool, float, HugeNumber)
"""Types that Python takes for the one or the other: the lenient parser has NaN and Infinity as floats."""
_Join = Callable[[list[Any], list[Any], _Reader], list[Any]]
"""Makes one list of the elements that are there before, and of those that were found."""


def encode_answers(answers: Iterable[CallAnswer]) -> bytes:
    """The file of a page's answers."""
    return msgspec.json.Encoder().encode_lines(list(answers))


def decode_answers(kept: bytes) -> list[CallAnswer]:
    """The answers of a file.

    Raises:
        InvalidResponseError: it is not one of those that are kept.
    """
    try:
        return _answer.decode_lines(kept)
    except DECODING as error:
        raise InvalidResponseError(f"the file of calls is damaged: {error}") from None


def join_texts(records: Sequence[bytes], kept: bytes, calls: Sequence[Call]) -> list[bytes] | None:
    """The records' JSON with what the calls answered; all else in them stays as it is written.

    None where only the lenient parser helps.

    Raises:
        InvalidResponseError: the answers are not what was kept.
    """
    joined = list(records)
    try:
        for key, texts in _group(kept).items():
            call = next((call for call in calls if call.name == key[0]), None)
            if call is None or not 0 <= key[1] < len(joined):
                continue
            found = [element for text in texts for element in ListPath(call.records).read(text)]
            joined[key[1]] = _put_text(joined[key[1]], _steps(call, key), found, _choose_join(call))
    except (*DECODING, IndexError):
        return None
    return joined


def join_parsed(records: Sequence[Any], kept: bytes, calls: Sequence[Call]) -> None:
    """Put into the parsed records what the calls answered.

    Raises:
        InvalidResponseError: the answers are not what was kept.
    """
    for key, texts in _group(kept).items():
        call = next((call for call in calls if call.name == key[0]), None)
        if call is not None and 0 <= key[1] < len(records):
            found = [element for text in texts for element in ListPath(call.records).parse(text)]
            _put(records[key[1]], _steps(call, key), found, _choose_join(call))


def _group(kept: bytes) -> Mapping[Key, list[bytes]]:
    grouped = defaultdict[Key, list[bytes]](list)
    for answer in decode_answers(kept):
        grouped[answer.call, answer.order, answer.element].append(answer.text)
    return grouped


def _steps(call: Call, key: Key) -> list[str | int]:
    """From the record to the list that the answer is: names of members, and places in lists."""
    each = call.each.path if call.each is not None else None
    outer: list[str | int] = [] if each is None or key[2] is None else [*each, key[2]]
    return [*outer, *call.into.split(".")]


def _choose_join(call: Call) -> _Join:
    return _append if call.append else _keep_unanswered if call.keep_unanswered else _replace


def _put_text(value: bytes | msgspec.Raw, steps: Sequence[str | int], found: list[Any], join: _Join) -> bytes:
    if not steps:
        is_list = bytes(value).lstrip()[:1] == b"["
        before = msgspec.json.decode(value, type=list[msgspec.Raw]) if is_list else []
        return msgspec.json.encode(join(before, found, _AS_WRITTEN))
    step = steps[0]
    if isinstance(step, int):
        elements = msgspec.json.decode(value, type=list[msgspec.Raw])
        elements[step] = msgspec.Raw(_put_text(elements[step], steps[1:], found, join))
        return msgspec.json.encode(elements)
    members = msgspec.json.decode(value, type=dict[str, msgspec.Raw] | None) or {}
    inner = members.get(step, msgspec.Raw(b"null"))
    members[step] = msgspec.Raw(_put_text(inner, steps[1:], found, join))
    return msgspec.json.encode(members)


def _put(value: Any, steps: Sequence[str | int], found: list[Any], join: _Join) -> None:  # noqa: ANN401
    *way, last = steps
    for step in way:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        elif isinstance(value, dict):
            if value.get(step) is None:
                value[step] = {}
            value = value[step]
        else:
            return  # the record has another form than when it was asked for
    if isinstance(value, dict):
        before = value.get(str(last))
        before = before if isinstance(before, list) else []
        value[str(last)] = join(before, found, _AS_PARSED)


def _replace(_: list[Any], found: list[Any], __: _Reader) -> list[Any]:
    return found


def _keep_unanswered(before: list[Any], found: list[Any], reader: _Reader) -> list[Any]:
    """The found elements, and after them those of before whose id none of these has, or that have none."""
    ids = {read_text(reader.find_id(element)) for element in found} - {None}
    return [*found, *(element for element in before if read_text(reader.find_id(element)) not in ids)]


def _append(before: list[Any], found: list[Any], reader: _Reader) -> list[Any]:
    """The elements of both lists, but those found ones that were there before, ``id`` and all: pages may overlap."""
    elements = [*before, *found]
    ids = [_bucket_id(reader.find_id(element)) for element in elements]
    repeated = {number for number, times in Counter(ids).items() if times > 1} - {None}  # few: the rest is not parsed
    joined, seen = list[Any](), set[tuple[object, ...]]()
    for at, (number, element) in enumerate(zip(ids, elements, strict=True)):
        if number in repeated:
            content = _flatten(reader.parse(element))
            if content in seen and at >= len(before):
                continue
            seen.add(content)
        joined.append(element)
    return joined


def _find_id(element: object) -> object:
    return element.get("id") if isinstance(element, dict) else None


def _find_written_id(element: msgspec.Raw) -> object:
    return _named.decode(element).id if bytes(element).lstrip()[:1] == b"{" else None


_AS_WRITTEN = _Reader(_find_written_id, msgspec.json.Decoder(float_hook=read_fraction).decode)
_AS_PARSED = _Reader(_find_id, lambda element: element)


def _bucket_id(value: object) -> object:
    """The same of ids that are equal, and of few others."""
    return value if value is None or isinstance(value, str | int | Decimal) else type(value)


def _flatten(value: object) -> tuple[object, ...]:
    """What equal JSON values have alike, and others not: numbers count by value, members in any order, true is not 1.

    Without recursion: an element may be nested deeper than Python follows.
    """
    tokens, waiting = list[object](), [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            names = sorted(value)
            tokens.append((dict, *names))
            waiting += map(value.__getitem__, names)
        elif isinstance(value, list):
            tokens.append((list, len(value)))
            waiting += value
        elif isinstance(value, _UNLIKE_TEXTS_AND_NUMBERS):
            tokens.append((type(value), repr(value)))
        else:
            tokens.append(value)
    return tuple(tokens)
