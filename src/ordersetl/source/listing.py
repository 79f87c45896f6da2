"""The list that an answer holds: each element as it is written, or parsed leniently."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from ordersetl.errors import InvalidResponseError
from ordersetl.source.description.expressions import Expression
from ordersetl.source.nested import find_span
from ordersetl.source.parser import NotJsonError, decode_text, parse_json, parse_page
from ordersetl.source.paths import Chain, make_type

__all__ = ["ListPath"]


class ListPath:
    """Where a list is: a path of names, empty where the answer is the list itself.

    Of nothing at all, the body of HTTP 204, the list is empty.

    Args:
        expression: the path.
        bare: the answer may as well be the list itself.
    """

    def __init__(self, expression: Expression, *, bare: bool = False) -> None:
        self.path: Chain = expression.path or ()
        self._bare = bare

    def read(self, text: bytes) -> list[msgspec.Raw]:
        """The elements as they are written; none where the list is absent or null.

        Raises:
            msgspec.DecodeError: the lenient parser must see to it, or say what it is.
            RecursionError: likewise.
        """
        if not text.strip():
            return []
        found: Any = _list_decoder(self.path).decode(text)
        for name in self.path:
            found = None if found is None else found.get(name)
        return found or []

    def is_named(self, answer: object, *, may_be_absent: bool) -> bool:
        """Whether an answer names the list; or has nothing, null or an empty list in its place or on the way to it.

        Args:
            answer: parsed; None where there is nothing.
            may_be_absent: the object that should name it, or what it is in, need not.
        """
        value = answer
        for name in self.path:
            if value is None or value == []:
                return True
            if not isinstance(value, Mapping):
                return False
            if name not in value:
                return may_be_absent
            value = value[name]
        return True

    def parse(self, text: bytes) -> list[Any]:
        """The elements, parsed leniently and exactly.

        Raises:
            NotJsonError: it is not JSON.
            InvalidResponseError: there is something else in the list's place.
        """
        if not text.strip():
            return []
        decoded = decode_text(text)
        span = self.locate(decoded)
        if span is None:
            return []
        found = parse_page(decoded[slice(*span)].encode("utf-8", "surrogatepass"))
        if not isinstance(found, list):
            raise InvalidResponseError(
                f"there is no list at {'.'.join(self.path) or 'the top'}", hint="Look at what the API sends."
            )
        return found

    def locate(self, text: str) -> tuple[int, int] | None:
        """Where the value begins and ends; None where it is absent or null, or a member on the way is.

        Raises:
            NotJsonError: it is not JSON.
        """
        is_bare = self._bare and text.lstrip()[:1] == "["
        try:
            span = find_span(text, () if is_bare else self.path)
        except ValueError as error:
            parse_json(text)  # says it better
            raise NotJsonError(f"the page is not JSON: {error}", hint="Look at what the API sends.") from None
        return None if span is None or text[slice(*span)] == "null" else span


@cache
def _list_decoder(path: Chain) -> msgspec.json.Decoder[Any]:
    leaves: Mapping[Chain, Any] = {path: list[msgspec.Raw] | None}
    return msgspec.json.Decoder(make_type(leaves))
