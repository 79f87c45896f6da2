"""One page of the API: its envelope, read without building its records, and its records, read exactly."""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError

from ordersetl.errors import InvalidResponseError
from ordersetl.source.complete import CLAIM_NAMES
from ordersetl.source.nested import MAX_DEPTH, count_records, is_shallow
from ordersetl.source.parser import NotJsonError, decode_text, is_utf8, parse_page

if TYPE_CHECKING:
    from ordersetl.source.shape import PageShape

__all__ = [
    "Envelope",
    "NotJsonError",
    "Page",
    "PageHead",
    "hash_texts",
    "page_text",
    "read_head",
    "read_records",
    "split_records",
]

_SAMPLES = 32
_MAX_KEYS = 12
_LONGEST_KEY = 40
_KINDS = {type(None): "null", bool: "true or false", str: "a string"}

_SURROGATE = re.compile("[\ud800-\udfff]")


class _Parts(msgspec.Struct, gc=False):
    """An envelope as a page of orders has it: the last of a repeated name counts, as in Python's parser."""

    orders: list[msgspec.Raw] | None
    next_cursor: Any = msgspec.UNSET


_CLAIMS = dict(enumerate(CLAIM_NAMES))
_parts = msgspec.json.Decoder(
    msgspec.defstruct(
        "_Envelope",
        [(f"claim{at}", Any, msgspec.field(default=None, name=name)) for at, name in _CLAIMS.items()],
        bases=(_Parts,),
        gc=False,
    )
)
_list = msgspec.json.Decoder(list[msgspec.Raw])
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

    ``texts`` are the records as the JSON they came in, views of the page; None where only the lenient parser helps.
    ``content`` tells the records of one page from those of another. ``claims`` are the envelope's other members, by
    name, that may say something of errors and of more pages; ``names_cursor`` whether ``next_cursor`` is there at all.
    """

    records: int
    next_cursor: str | None
    texts: Sequence[msgspec.Raw] | None = field(default=None, compare=False, repr=False)
    content: int = field(default=0, compare=False, repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    names_cursor: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Page:
    """The ``number``-th page of a batch, from 1, as received.

    ``charset`` is how its bytes are read where they are not UTF-8 or its kin; ``text`` is the page as these. More
    records than ``max_records`` are refused where the head is read. ``shape`` says how a page of a described source is
    read, None of the generic API; ``calls`` are the answers of its calls, as they are kept, and ``position`` is where
    its fetch goes on.

    Raises:
        InvalidResponseError: the bytes are not in this charset.
    """

    number: int
    body: bytes
    charset: str | None = None
    max_records: int | None = None
    shape: "PageShape | None" = field(default=None, repr=False)
    calls: bytes | None = field(default=None, repr=False)
    position: bytes | None = field(default=None, repr=False, compare=False)
    text: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", page_text(self.body, self.charset))

    def with_calls(self, calls: bytes | None, position: bytes) -> "Page":
        """The page with what calls answered for it, and where its fetch goes on; its head is not read again."""
        page = copy.copy(self)
        object.__setattr__(page, "calls", calls)
        object.__setattr__(page, "position", position)
        return page

    @cached_property
    def head(self) -> PageHead:
        """The head, read once.

        Raises:
            InvalidResponseError: as :func:`read_head`.
        """
        if self.shape is None:
            return read_head(self.text, most=self.max_records)
        head = self.shape.read_head(self.text)
        if self.max_records is not None:
            _require_at_most(head.records, self.max_records)
        return head


def page_text(body: bytes, charset: str | None) -> bytes:
    """A page as UTF-8: from the charset that its answer named, as it is where it named none or needed none.

    Raises:
        InvalidResponseError: it cannot be read so.
    """
    if charset is None:
        return body
    try:
        return body.decode(charset).encode("utf-8", "surrogatepass")
    except (LookupError, ValueError) as error:
        raise InvalidResponseError(
            f"the page is not valid {charset}: {error}", hint="Look at what the API sends."
        ) from None


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
        _require_at_most(count_records(decode_text(body), most), most)
    head = _read_fast(body)
    if head is None:
        envelope = parse_page(body)
        orders, cursor = _validate(envelope)
        claims = envelope if isinstance(envelope, dict) else {}
        head = PageHead(len(orders), cursor, None, _hash_records(orders, body), claims, "next_cursor" in claims)
    if most is not None:
        _require_at_most(head.records, most)
    return head


def read_records(page: Page) -> list[Any]:
    """All records of a page, numbers as exact decimals; what is nested past MAX_DEPTH as :class:`DeepRecord`.

    Those of a described source are native, with the answers of their calls.

    Raises:
        InvalidResponseError: as :func:`read_head`.
    """
    return _validate(parse_page(page.text))[0] if page.shape is None else page.shape.parse(page)


def split_records(page: Page) -> Sequence[bytes | msgspec.Raw] | None:
    """JSON of each record as it came, valid UTF-8; None where only the lenient parser helps.

    Those of a described source are native, with the answers of their calls.

    Raises:
        InvalidResponseError: as :func:`read_head`.
    """
    if page.shape is not None:
        return page.shape.split(page)
    return page.head.texts if is_utf8(page.text) else None


def _read_fast(body: bytes) -> PageHead | None:
    """The head, with the records' texts; None where the lenient parser must see to it, or say what it is."""
    try:
        envelope = _fast_envelope(body)
        texts, cursor = _validate(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidResponseError):
        return None
    lengths = tuple(map(len, texts))
    if max(lengths, default=0) > 2 * MAX_DEPTH and not all(map(is_shallow, map(bytes, texts))):
        return None
    return PageHead(len(texts), cursor, texts, hash_texts(texts), envelope, "next_cursor" in envelope)


def hash_texts(texts: Sequence[msgspec.Raw]) -> int:
    """Tells the records of one page from those of another: as many, each as long, and some of them the same."""
    if not texts:
        return 0
    return hash((tuple(map(len, texts)), b"".join(texts[:: 1 + len(texts) // _SAMPLES]), bytes(texts[-1])))


def _fast_envelope(body: bytes) -> dict[str, Any]:
    """The envelope: its records as the texts they came in, and what it claims; a bare list has no ``next_cursor``.

    Raises:
        msgspec.DecodeError: the lenient parser must see to it, or say what it is.
    """
    try:
        parts: Any = _parts.decode(body)
    except msgspec.ValidationError:
        return {"orders": _list.decode(body)}
    claims = msgspec.structs.astuple(parts)[2:]
    envelope: dict[str, Any] = {}
    if claims.count(None) < len(claims):  # which most pages do not: they make none
        envelope = {name: claim for name, claim in zip(CLAIM_NAMES, claims, strict=True) if claim is not None}
    envelope["orders"] = parts.orders
    if parts.next_cursor is not msgspec.UNSET:
        envelope["next_cursor"] = parts.next_cursor
    return envelope


def _validate(envelope: object) -> tuple[list[Any], str | None]:
    if isinstance(envelope, list):
        return envelope, None
    if isinstance(envelope, dict) and "orders" in envelope and envelope["orders"] is None:
        envelope = {**envelope, "orders": []}
    try:
        page = Envelope.model_validate(envelope)
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(map(str, first["loc"]))
        problem = "there is no list of orders in it" if what in {"", "orders"} else f"{what}: {first['msg']}"
        raise InvalidResponseError(
            f"the answer is JSON, but not a page of orders: {problem}{_name_keys(envelope)}",
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


def _hash_records(records: list[Any], body: bytes) -> int:
    """Tells the records of a page from those of another; where they are nested too deeply to be written, the pages."""
    if not records:
        return 0
    try:
        return hash(repr(records))
    except RecursionError:
        return hash(body)


def _require_at_most(records: int, most: int) -> None:
    if records > most:
        raise InvalidResponseError(
            f"one page holds more than {most:,} records",
            hint="Look at --api-url and at what the API sends; or ask for larger pages (page_size).",
        )
