"""Answers of calls, kept in one file beside their page, and joined into the page's records.

A line of the file is a JSON object: ``call`` is the call's name, ``order`` the record's place on the page from 0,
``element`` that of the list's element where the call is made for each of them, ``number`` the answer's number from 1,
``body`` the answer's text as received. A body that is not UTF-8 is in base64, and ``encoding`` says so; ``charset`` is
how it is read then.
"""

from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from ordersetl.errors import InvalidResponseError
from ordersetl.source.description.model import Call
from ordersetl.source.head import DECODING
from ordersetl.source.listing import ListPath
from ordersetl.source.page import page_text

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
_Join = Callable[[list[Any], list[Any], Callable[[Any], Any]], list[Any]]
"""Makes one list of the elements that are there before, and of those that were found; the last parses an element."""


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
        return msgspec.json.encode(join(before, found, msgspec.json.decode))
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
        value[str(last)] = join(before, found, lambda element: element)


def _replace(_: list[Any], found: list[Any], __: Callable[[Any], Any]) -> list[Any]:
    return found


def _keep_unanswered(before: list[Any], found: list[Any], parse: Callable[[Any], Any]) -> list[Any]:
    """The found elements, and after them those of before whose id none of these has, or that have none."""
    ids = {_name_id(parse(element)) for element in found} - {None}
    return [*found, *(element for element in before if _name_id(parse(element)) not in ids)]


def _name_id(value: object) -> str | None:
    number = value.get("id") if isinstance(value, dict) else None
    return None if number is None else str(number)


def _append(before: list[Any], found: list[Any], parse: Callable[[Any], Any]) -> list[Any]:
    """The elements of both lists, but those found ones that were there before, ``id`` and all: pages may overlap."""
    seen = {repr(parse(element)) for element in before}
    joined = [*before]
    for element in found:
        value = parse(element)
        has_id = isinstance(value, dict) and value.get("id") is not None
        if not has_id or repr(value) not in seen:
            joined.append(element)
            seen.add(repr(value))
    return joined
