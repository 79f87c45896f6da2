"""How a page of a described source is read: where its records are, what its envelope says, the answers of its calls."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

import msgspec

from ordersetl.errors import InvalidResponseError
from ordersetl.source.claim_names import CLAIM_NAMES, ERROR_NAMES
from ordersetl.source.description.expressions import Expression
from ordersetl.source.description.model import Description
from ordersetl.source.head import DECODING, PageHead, split_shallow
from ordersetl.source.joined import join_parsed, join_texts
from ordersetl.source.listing import ListPath
from ordersetl.source.mapping.times import find_time_reader
from ordersetl.source.page import Page
from ordersetl.source.parser import decode_text, is_utf8, parse_json, parse_page
from ordersetl.source.paths import Chain, Members, find_chains, make_type
from ordersetl.source.record_keys import (
    RecordKey,
    hash_parsed,
    hash_records,
    hash_texts,
    list_keys,
    make_record_type,
)

__all__ = ["PageShape", "shape_of"]

_Decoders = tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]


class PageShape:
    """Reads pages as a description says. Of the envelope those members are read that it names, or that may be errors.

    Args:
        description: of the source.
    """

    def __init__(self, description: Description) -> None:
        self.description = description
        self._list = ListPath(description.records, bare=description.bare_list)

    def __reduce__(self) -> tuple[type["PageShape"], tuple[Description]]:
        return PageShape, (self.description,)

    def read_head(self, text: bytes) -> PageHead:
        """Records of a page, and as ``claims`` what of its envelope the description names.

        Raises:
            NotJsonError: no JSON parser reads it.
            InvalidResponseError: it has no list of records where the description says.
        """
        if not text.strip():
            return PageHead(0, None, [])
        try:
            found, records = self._read_fast(text, self._record_type)
            if records is None:  # all that it says may be of an error
                return self._read_leniently(text)
            envelope = found if self._are_apart or not found else parse_json(text)
        except DECODING:
            return self._read_leniently(text)
        if self._record_type is msgspec.Raw:
            return PageHead(len(records), None, None, hash_texts(records), envelope)
        keys = list_keys(records)
        content = hash_records(len(records), keys, lambda: self.split_texts(text) or [text])
        return PageHead(len(records), None, keys, content, envelope)

    def split_texts(self, text: bytes) -> Sequence[msgspec.Raw] | None:
        """The records of a page as the JSON they came in, views of it; None where only the lenient parser helps."""
        if not text.strip():
            return []
        try:
            return split_shallow(self._read_fast(text, msgspec.Raw)[1] or [])
        except DECODING:
            return None

    def split(self, page: Page) -> Sequence[bytes | msgspec.Raw] | None:
        """JSON of each record, with the answers of its calls; None where only the lenient parser helps.

        Raises:
            InvalidResponseError: as :func:`read_head`, or the answers are not what was kept.
        """
        texts = page.texts
        if texts is None or not is_utf8(page.text):
            return None
        if not page.calls:
            return texts
        joined = join_texts(list(map(bytes, texts)), page.calls, self.description.calls)
        return None if joined is None else split_shallow(joined)

    def parse(self, page: Page) -> list[Any]:
        """All records of a page, parsed leniently and exactly, with the answers of their calls.

        Raises:
            InvalidResponseError: as :func:`split`.
        """
        records = self._list.parse(page.text)
        if page.calls:
            join_parsed(records, page.calls, self.description.calls)
        return records

    def read_keys(self, page: Page) -> Sequence[RecordKey]:
        """Id and times of each record that is an object, as the mapping finds them."""
        if page.head.keys is not None:
            return page.head.keys
        return self._make_keys(self._read_members(page))

    def read_times(self, page: Page) -> list[Any]:
        """Of each record the time that orders it among its order's versions, as ISO 8601 text where it is one."""
        keys, mapping = self.read_keys(page), self.description.mapping
        if mapping is None or (mapping.times, mapping.zone) == ("iso", "UTC"):  # texts, as they are
            return [key.updated_at or key.created_at for key in keys]
        read = find_time_reader(mapping.times, mapping.zone)
        times = [(read(_exact(key.updated_at)), key.created_at) for key in keys]
        return [read(_exact(created)) if updated is None else updated for updated, created in times]

    def _make_keys(self, records: Iterable[Mapping[str, Any]]) -> list[RecordKey]:
        return [RecordKey(*(get(record) for get in self._key_getters)) for record in records]

    def _read_members(self, page: Page) -> list[dict[str, Any]]:
        """What of each record its key is made of, at least; none of what is no object."""
        texts = page.texts
        found = [...] * page.head.records if texts is None else self._key_members.read_all(texts)
        if ... in found:
            parsed = self.parse(page)
            found = [parsed[at] if members is ... else members for at, members in enumerate(found)]
        return [record for record in found if isinstance(record, dict)]

    def _read_fast(self, text: bytes, record: Any) -> tuple[dict[str, Any], list[Any] | None]:  # noqa: ANN401 - a type
        """What else was read, and the records as values of a type; None where there is no list, as there may be.

        Raises:
            DECODING: the lenient parser must see to it, or say what it is.
        """
        whole, bare = self._raw_decoders if record is msgspec.Raw else self._record_decoders
        if not self._list.path:
            return {}, whole.decode(text)
        try:
            found: Any = whole.decode(text)
        except msgspec.ValidationError:
            if not self.description.bare_list:
                raise
            return {}, bare.decode(text)
        *way, last = self._list.path
        inner = found or {}
        for name in way:
            inner = inner.get(name) or {}
        records = inner.get(last)
        if found is None or (records is None and not self.description.may_be_absent):
            raise msgspec.DecodeError("there is no list")
        return found, records

    def _read_leniently(self, text: bytes) -> PageHead:
        decoded = decode_text(text)
        span = self._list.locate(decoded)
        begin, end = span or (0, 0)
        rest = parse_json(f"{decoded[:begin]}[]{decoded[end:]}" if span else decoded)
        if decoded[begin] != "[" if span else not self._may_lack(rest):
            raise self._describe_missing(decoded)
        records = parse_page(decoded[begin:end].encode("utf-8", "surrogatepass")) if span else []
        keys = self._make_keys(record for record in records if isinstance(record, dict))
        content = hash_parsed(records, keys, text)
        return PageHead(len(records), None, keys, content, rest if isinstance(rest, dict) else {})

    def _may_lack(self, answer: object) -> bool:
        """Whether an answer without the list is an empty page: an object, or an empty list, as PHP writes an empty one.

        A server that is down answers anything else.
        """
        is_empty = isinstance(answer, dict) or answer == []
        return self.description.may_be_absent and is_empty and self._list.is_named(answer, may_be_absent=True)

    def _describe_missing(self, text: str) -> InvalidResponseError:
        answer = parse_json(text)
        keys = f"; its keys: {', '.join(list(answer)[:12])[:200]}" if isinstance(answer, dict) and answer else ""
        return InvalidResponseError(
            f"there is no list of orders at {self.description.records.text}{keys}",
            hint=f"Look at --api-url, and at `records` of the source {self.description.name}.",
        )

    @cached_property
    def _envelope(self) -> tuple[Expression, ...]:
        """Expressions about the envelope."""
        d = self.description
        named = (d.paging.next, d.paging.has_more, d.paging.total, d.paging.page_count)
        errors = (d.errors.when, d.errors.message, d.errors.throttled, d.errors.wait_s) if d.errors else ()
        costs = (d.throttle.requested, d.throttle.available, d.throttle.restored) if d.throttle else ()
        return tuple(expression for expression in (*named, *errors, *costs) if expression is not None)

    @cached_property
    def _chains(self) -> set[Chain]:
        return {chain for expression in self._envelope for chain in find_chains(expression.tree)}

    @cached_property
    def _are_apart(self) -> bool:
        """Whether no expression about the envelope looks at something that the records are in, or that is in them."""
        path = self._list.path
        return not any(chain[: len(path)] == path or path[: len(chain)] == chain for chain in self._chains)

    @cached_property
    def _record_decoders(self) -> _Decoders:
        return self._raw_decoders if self._record_type is msgspec.Raw else self._make_decoders(self._record_type)

    @cached_property
    def _raw_decoders(self) -> _Decoders:
        return self._make_decoders(msgspec.Raw)

    def _make_decoders(self, record: Any) -> _Decoders:  # noqa: ANN401 - a type for msgspec
        """Of a page whose records are values of a type: as the description says, and as a bare list."""
        chains = self._chains if self._are_apart else set()
        names = [*ERROR_NAMES, *CLAIM_NAMES, "next_cursor"]  # what says of more pages says that one is not the last
        path = self._list.path
        beside = {(*path[:at], name) for at, on in enumerate(path) for name in names if name != on}
        leaves: dict[Chain, Any] = dict.fromkeys(chains | beside, Any)
        records = list[record]
        return (
            msgspec.json.Decoder(make_type({**leaves, path: records | None})),
            msgspec.json.Decoder(records),
        )

    @cached_property
    def _record_type(self) -> Any:  # noqa: ANN401 - a type for msgspec
        """The type that records are read as with their envelope: keys, where they are members; texts, if not."""
        names = list(filter(None, map(_name_member, self._keys)))
        return make_record_type(*names) if len(set(names)) == len(self._keys) else msgspec.Raw

    @cached_property
    def _keys(self) -> tuple[Expression | None, ...]:
        mapping = self.description.mapping
        if mapping is None:
            return Expression("order_id"), Expression("created_at"), Expression("updated_at")
        order = mapping.order
        return order.order_id, order.created_at, order.updated_at

    @cached_property
    def _key_members(self) -> Members:
        return Members(self._keys)

    @cached_property
    def _key_getters(self) -> tuple[Callable[[Mapping[str, Any]], Any], ...]:
        return tuple(_make_getter(expression) for expression in self._keys)


def shape_of(description: Description | None) -> PageShape | None:
    """How pages of a source are read; None where their envelope is that of the generic API, of which more is known."""
    if description is None or (description.mapping is None and _is_generic(description)):
        return None
    return PageShape(description)


def _is_generic(description: Description) -> bool:
    paging, records = description.paging, description.records
    next_path = paging.next.path if paging.next is not None else None
    is_listed = (records.path, next_path, paging.kind) == (("orders",), ("next_cursor",), "cursor")
    return is_listed and not description.calls and description.errors is None


def _exact(value: object) -> object:
    """A number as it is written, nearly: of a time, all digits that matter."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _make_getter(expression: Expression | None) -> Callable[[Mapping[str, Any]], Any]:
    if expression is None:
        return lambda _: None
    name = _name_member(expression)
    return expression.search if name is None else lambda record: record.get(name)


def _name_member(expression: Expression | None) -> str | None:
    """The member of the record itself that an expression names; None where it names something else."""
    path = expression.path if expression is not None else None
    return path[0] if path is not None and len(path) == 1 else None
