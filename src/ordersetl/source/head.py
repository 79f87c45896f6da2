"""The head of a page: how many records it holds, what identifies these, and what its envelope says."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError

from ordersetl.errors import InvalidResponseError
from ordersetl.source.claim_names import CLAIM_NAMES
from ordersetl.source.complete import HINT, find_error
from ordersetl.source.nested import MAX_DEPTH, count_records, is_shallow
from ordersetl.source.parser import decode_text, parse_page
from ordersetl.source.record_keys import Record, RecordKey, hash_parsed, hash_records, list_keys

__all__ = [
    "DECODING",
    "PageHead",
    "read_head",
    "require_at_most",
    "split_shallow",
    "split_texts",
    "validate_envelope",
]

DECODING = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises where the lenient parser must see to a text, or say what it is."""

_MAX_KEYS = 12
_LONGEST_KEY = 40
_KINDS = {type(None): "null", bool: "true or false", str: "a string"}
_Text = TypeVar("_Text", bytes, msgspec.Raw)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MANY = 2_000_000
"""Values: a page of more commas is counted before its records are taken apart, which costs some 60 bytes each."""


class Envelope(BaseModel):
    """A page of the generic API. An empty or absent ``next_cursor`` means that it is the last."""

    model_config = ConfigDict(strict=True)

    orders: list[Any]
    next_cursor: str | int | None = None


@dataclass(frozen=True)
class PageHead:
    """How many order records a page holds, and the cursor of the next page; None on the last.

    ``keys`` are those of the records that are objects; None where they were not read with the envelope. ``content``
    tells the records of one page from those of another. ``claims`` are the envelope's other members, by name, that may
    say something of errors and of more pages; ``names_cursor`` whether ``next_cursor`` is there at all.
    """

    records: int
    next_cursor: str | None
    keys: Sequence[RecordKey] | None = field(default=None, compare=False, repr=False)
    content: int = field(default=0, compare=False, repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    names_cursor: bool = field(default=False, compare=False)


class _Decoders:
    """Of a page of the generic API: an envelope with a list of records of a type, or that list alone.

    Args:
        record: the type, for msgspec.
        claim_names: of the envelope's other members that are read too.
    """

    def __init__(self, record: Any, claim_names: Collection[str] = ()) -> None:  # noqa: ANN401 - a type for msgspec
        self._claim_names = claim_names
        claims = [(f"claim{at}", Any, msgspec.field(default=None, name=name)) for at, name in enumerate(claim_names)]
        members: list[Any] = [("orders", list[record] | None), ("next_cursor", Any, msgspec.UNSET), *claims]
        self.envelope = msgspec.json.Decoder(msgspec.defstruct("_Envelope", members, gc=False))
        self.list = msgspec.json.Decoder(list[record])

    def decode(self, body: bytes) -> dict[str, Any]:
        """The records and what the envelope claims; the last of a repeated name counts, as in Python's parser.

        Raises:
            DECODING: the lenient parser must see to it, or say what it is.
        """
        try:
            parts: Any = self.envelope.decode(body)
        except msgspec.ValidationError:
            return {"orders": self.list.decode(body)}  # it has no next_cursor
        claims = msgspec.structs.astuple(parts)[2:]
        envelope: dict[str, Any] = {}
        if claims.count(None) < len(claims):  # which most pages do not: they make none
            envelope = {name: claim for name, claim in zip(self._claim_names, claims, strict=True) if claim is not None}
        envelope["orders"] = parts.orders
        if parts.next_cursor is not msgspec.UNSET:
            envelope["next_cursor"] = parts.next_cursor
        return envelope


_keyed, _raw = _Decoders(Record, CLAIM_NAMES), _Decoders(msgspec.Raw)


def read_head(body: bytes, *, most: int | None = None) -> PageHead:
    """Validate the envelope of a page.

    msgspec walks the JSON without building the records, at some thirty times the speed of a full parse; what it
    refuses (NaN, lone surrogates, other encodings) goes to the lenient parser.

    Args:
        body: the page, as UTF-8 or in what other encoding JSON shows by itself.
        most: refuse a page of more records.

    Raises:
        NotJsonError: no JSON parser reads it.
        InvalidResponseError: it holds no list of orders, or more than ``most``.
    """
    if most is not None and len(body) > max(most, _MANY) < body.count(b","):
        require_at_most(count_records(decode_text(body), most), most)
    head = _read_fast(body)
    if head is None:
        envelope = parse_page(body)
        orders, cursor = validate_envelope(envelope)
        claims = envelope if isinstance(envelope, dict) else {}
        names = RecordKey.__struct_fields__
        keys = [RecordKey(*map(order.get, names)) for order in orders if isinstance(order, dict)]
        content = hash_parsed(orders, keys, body)
        head = PageHead(len(orders), cursor, keys, content, claims, "next_cursor" in claims)
    if most is not None:
        require_at_most(head.records, most)
    return head


def split_texts(body: bytes) -> Sequence[msgspec.Raw] | None:
    """The records of a page as the JSON they came in, views of it; None where only the lenient parser helps.

    Raises:
        InvalidResponseError: as :func:`read_head`.
    """
    try:
        return split_shallow(validate_envelope(_raw.decode(body))[0])
    except DECODING:
        return None


def split_shallow(texts: Sequence[_Text]) -> Sequence[_Text] | None:
    """The texts; None where one is nested so deeply that only the lenient parser reads it."""
    long = (bytes(text) for text in texts if len(text) > 2 * MAX_DEPTH)
    return texts if all(map(is_shallow, long)) else None


def _read_fast(body: bytes) -> PageHead | None:
    """The head; None where the lenient parser must see to the page, or say what it is."""
    try:
        envelope = _keyed.decode(body)
        records, cursor = validate_envelope(envelope)
    except (*DECODING, InvalidResponseError):
        return None
    keys = list_keys(records)
    content = hash_records(len(records), keys, lambda: split_texts(body) or [body])
    return PageHead(len(records), cursor, keys, content, envelope, "next_cursor" in envelope)


def validate_envelope(envelope: object) -> tuple[list[Any], str | None]:
    """The records of a page, and the cursor of the next one.

    Raises:
        InvalidResponseError: it holds no list of orders, or a cursor that is none.
    """
    if isinstance(envelope, list):
        return envelope, None
    if isinstance(envelope, dict) and "orders" in envelope and envelope["orders"] is None:
        envelope = {**envelope, "orders": []}
    try:
        page = Envelope.model_validate(envelope)
    except ValidationError as error:
        if isinstance(envelope, dict) and (said := find_error(envelope)):
            raise InvalidResponseError(f"it is not a page of orders, but an error: {said}", hint=HINT) from None
        first = error.errors()[0]
        what = ".".join(map(str, first["loc"]))
        problem = "there is no list of orders in it" if what in {"", "orders"} else f"{what}: {first['msg']}"
        raise InvalidResponseError(
            f"it is not a page of orders: {problem}{_name_keys(envelope)}",
            hint="Look at --api-url: it must be the base that /orders follows.",
        ) from None
    cursor = None if page.next_cursor is None else str(page.next_cursor)
    if cursor and _SURROGATE.search(cursor):
        raise InvalidResponseError(
            "next_cursor is not valid Unicode, so that it cannot be sent back", hint="Look at what the API sends."
        )
    return page.orders, cursor or None


def _name_keys(envelope: object) -> str:
    if not isinstance(envelope, dict):
        return f" (it is {_KINDS.get(type(envelope), 'a number')})"
    if not envelope:
        return " (it is an empty object)"
    names = ", ".join(_shorten(name) for name in list(envelope)[:_MAX_KEYS])
    return f"; its keys: {names}{', ...' if len(envelope) > _MAX_KEYS else ''}"


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST_KEY else f"{name[:_LONGEST_KEY]}..."


def require_at_most(records: int, most: int) -> None:
    """Refuse a page of more records.

    Raises:
        InvalidResponseError: there are more.
    """
    if records > most:
        raise InvalidResponseError(
            f"one page holds more than {most:,} records",
            hint="Look at --api-url and at what the API sends; or ask for larger pages (page_size).",
        )
