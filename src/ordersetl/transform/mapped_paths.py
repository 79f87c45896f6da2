"""What a mapping looks at in native records, read by msgspec into columns of JSON text: the rest costs little.

Of a repeated name the last counts, as for the lenient parser; numbers are as they are written.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain, count
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import polars as pl
from msgspec.structs import astuple

from ordersetl.source.head import DECODING
from ordersetl.transform.bulk_values import SEPARATOR

__all__ = ["Member", "NativeTable", "NotInBulkError", "Reader", "Step"]

Step = str | int
"""The name of a member, or the position of an element."""

_NULL = msgspec.Raw(b"null")
_PLAIN = re.compile(r"[\t\n\r -\[\]-~\u00a0-\ud7ff\ue000-\uffff\U00010000-\U0010ffff]*")
"""Text that stands between quotes as it is, though JSON escapes some of it: it can mean nothing else."""
_columns = count()
_BLOCK = 128
"""Records that are in memory as objects at a time: as many as the processor's cache holds are read far faster."""


class NotInBulkError(Exception):
    """A mapping, or an expression of it, that the bulk path does not know: its records go one by one."""


class Member:
    """A value somewhere in native records: read as its text unless something looks into it.

    ``column`` names its column of texts, ``rows`` are the elements of a list where each is looked at; ``is_read`` says
    that its text is, ``is_asked`` whether it is true; ``may_be_absent`` is said of a list that a record need not have.
    ``chosen`` are the elements for which a condition holds, where these are looked at apart, as records one by one are.
    ``nothing`` is the object without anything that is looked at, and ``places`` says at which of its attributes each of
    the members is.
    """

    def __init__(self) -> None:
        self.column = f"native {next(_columns)}"
        self.members: dict[Step, Member] = {}
        self.rows: Member | None = None
        self.chosen: list[tuple[Mapping[str, Any], Member]] = []
        self.is_read = False
        self.is_asked = False
        self.may_be_absent = False
        self.nothing: Any = None
        self.places: dict[int, Member] = {}

    def find(self, steps: Iterable[Step]) -> "Member":
        """The value at the end of a path from this one."""
        member = self
        for step in steps:
            member = member.members.setdefault(step, Member())
        return member

    def add_rows(self) -> "Member":
        """Any element of the list that this value is."""
        self.rows = self.rows or Member()
        return self.rows

    def choose_rows(self, condition: Mapping[str, Any]) -> "Member":
        """Any element of the list for which the tree of an expression is true."""
        for known, rows in self.chosen:
            if known == condition:
                return rows
        self.chosen.append((condition, Member()))
        return self.chosen[-1][1]

    @cached_property
    def ways(self) -> "list[_Way]":
        """How to what is looked at in the objects that it is."""
        return [_Way(place, child, *child.find_only()) for place, child in self.places.items()]

    def find_only(self) -> "tuple[attrgetter[Any] | None, Member]":
        """The only thing that is looked at in it, as far in as there is but one, and what gets it."""
        member, way = self, []
        while len(member.places) == 1 and not member.is_asked:
            ((place, child),) = member.places.items()
            way.append(member.nothing.__struct_fields__[place])
            member = child
        return attrgetter(".".join(way)) if way else None, member

    def list_columns(self) -> list[str]:
        """The columns that it and what is known below it are read into."""
        below = [column for member in self.members.values() for column in member.list_columns()]
        return [self.column, *below] if self.is_read or self.is_asked else below

    @property
    def absent(self) -> Any:  # noqa: ANN401 - null, as what reads it gives it
        """What stands for it where it is not there."""
        return None if self.is_list or self.nothing is not None else _NULL

    @property
    def is_list(self) -> bool:
        """Whether it is looked at as a list."""
        return self.rows is not None or any(isinstance(step, int) for step in self.members)

    @property
    def is_object(self) -> bool:
        """Whether it is looked at as an object."""
        return any(isinstance(step, str) for step in self.members)


class _Way(NamedTuple):
    """The ``place`` of a ``member`` among what is read of an object; and ``get``, to the ``only`` thing in it."""

    place: int
    member: Member
    get: "attrgetter[Any] | None"
    only: Member


class NativeTable:
    """Columns of texts, taken in block by block.

    Of elements of lists ``parents`` are the rows that they belong to, and ``lists`` is how many lists were there.
    """

    def __init__(self) -> None:
        self._blocks = defaultdict[str, list[bytes]](list)
        self._lengths: list[int] = []
        self._null: list[int] = []
        self._height = 0
        self.lists = 0
        self._frame: pl.DataFrame | None = None

    def add(self, column: str, texts: Sequence[bytes | msgspec.Raw]) -> None:
        """Take in the texts of the next rows of a column."""
        if texts:
            self._blocks[column].append(SEPARATOR.join(texts))

    def add_lists(self, given: Sequence[Sequence[Any] | None]) -> list[Any]:
        """Take in how many elements each of the next lists has, and which are null; the elements. None is absent."""
        first = self._height
        lists = [value or () for value in given]
        self.lists += len(given) - given.count(None)
        self._lengths.extend(map(len, lists))
        elements = list(chain.from_iterable(lists))
        self._null.extend(row for row, element in enumerate(elements, first) if element is None)
        self._height += len(elements)
        return elements

    def to_frame(self, member: Member) -> pl.DataFrame:
        """All columns of what is known of a value; null where there is nothing."""
        if self._frame is None:
            columns = member.list_columns()
            joined = {column: SEPARATOR.join(self._blocks.pop(column, [])) for column in columns}
            self._frame = _split_texts(joined)
        return self._frame

    @cached_property
    def parents(self) -> pl.Series:
        """Of each element, in which row of the other table it is: of all its rows, as they were read."""
        lengths = pl.DataFrame({"length": self._lengths}, schema={"length": pl.UInt32}).with_row_index("row")
        return lengths.select(pl.col("row").repeat_by("length").list.explode(empty_as_null=False)).to_series()

    @property
    def rows(self) -> pl.Series:
        """The number of each row of elements, from 0."""
        return pl.int_range(self._height, dtype=pl.UInt32, eager=True)

    @property
    def is_null(self) -> pl.Series:
        """Of each element, whether it is nothing."""
        return pl.repeat(value=False, n=self._height, eager=True).scatter(self._null, values=True)


class Reader:
    """Reads what is known of records when it is made.

    Raises:
        NotInBulkError: a value is looked at as different kinds, or names differ in case alone.
    """

    def __init__(self, record: Member) -> None:
        self._record = record
        self._attributes: dict[str, str] = {}
        kind: Any = self._make_type([record])
        self._decoder = msgspec.json.Decoder(kind)
        self._list_decoder = msgspec.json.Decoder(list[kind])

    def read(self, texts: Sequence[bytes | msgspec.Raw]) -> tuple[dict[Member, NativeTable], pl.Series]:
        """A table of the records and one of each list whose elements are looked at; and which records are readable."""
        tables = defaultdict[Member, NativeTable](NativeTable)
        readable: list[bool] = []
        for at in range(0, len(texts), _BLOCK):
            records = self._decode(texts[at : at + _BLOCK])
            readable += [record is not None for record in records]
            self._flatten(self._record, records, tables[self._record], tables)
        return tables, pl.Series(readable, dtype=pl.Boolean)

    def _decode(self, texts: Sequence[bytes | msgspec.Raw]) -> list[Any]:
        try:
            return self._list_decoder.decode(b"[" + b",".join(texts) + b"]")
        except DECODING:
            return [self._decode_one(text) for text in texts]

    def _decode_one(self, text: bytes | msgspec.Raw) -> Any:  # noqa: ANN401 - a struct
        try:
            return self._decoder.decode(text)
        except DECODING:
            return None

    def _make_type(self, members: Sequence[Member]) -> Any:  # noqa: ANN401 - a type for msgspec
        """The type of a value that is looked at in all these ways."""
        is_object, is_list = any(m.is_object for m in members), any(m.is_list for m in members)
        if (is_object, is_list, any(m.is_read for m in members)).count(True) > 1:
            raise NotInBulkError("a value is looked at as itself, and into as an object or a list")
        if is_list:
            elements = [child for m in members for child in (*m.members.values(), *([m.rows] if m.rows else []))]
            found: Any = list[self._make_type(elements)] | None  # type: ignore[misc]
        elif is_object:
            names = dict.fromkeys(str(name) for m in members for name in m.members)
            parts = {name: [m.members[name] for m in members if name in m.members] for name in names}
            fields = [self._make_field(name, self._make_type(part)) for name, part in parts.items()]
            struct = msgspec.defstruct("_Object", fields, gc=False)
            for member in members:
                member.nothing = struct()
                member.places = {list(names).index(str(name)): child for name, child in member.members.items()}
            found = struct | None
        else:
            found = msgspec.Raw
        return found

    def _make_field(self, name: str, kind: Any) -> tuple[str, Any, Any]:  # noqa: ANN401 - a type for msgspec
        attribute = self._attributes.setdefault(name, f"member{len(self._attributes)}")
        default = _NULL if kind is msgspec.Raw else None
        return attribute, kind, msgspec.field(default=default, name=name)

    def _flatten(
        self, member: Member, values: Sequence[Any], table: NativeTable, tables: dict[Member, NativeTable]
    ) -> None:
        """Take in a value, given that of each row, and all that is known below it; None is absent."""
        if member.is_read or member.is_asked:
            table.add(member.column, _write(member, values))
        if member.nothing is not None:
            try:
                rows = list(map(astuple, values))
            except TypeError:  # one of them is absent
                rows = [astuple(member.nothing if value is None else value) for value in values]
            columns = list(zip(*rows, strict=True))
            for way in member.ways if columns else ():
                found = columns[way.place]
                try:  # through objects of one member each at once, unless one of them is absent
                    parts = found if way.get is None else list(map(way.get, found))
                except AttributeError:
                    self._flatten(way.member, found, table, tables)
                else:
                    self._flatten(way.only, parts, table, tables)
            return
        for step, child in member.members.items():
            at, absent = int(step), child.absent
            elements = [value[at] if value and len(value) > at else absent for value in values]
            self._flatten(child, elements, table, tables)
        if member.rows is not None:
            elements = tables[member.rows].add_lists(values)
            self._flatten(member.rows, elements, tables[member.rows], tables)


def _write(member: Member, values: Sequence[Any]) -> Sequence[bytes | msgspec.Raw]:
    """The texts of a value; of a list whether it is empty, of an object whether anything was read of it."""
    if member.is_list:
        return [b"null" if value is None else b"[...]" if value else b"[]" for value in values]
    if member.nothing is not None:
        return [b"null" if value is None else b"{?}" if value == member.nothing else b"{...}" for value in values]
    return values


def _split_texts(joined: Mapping[str, bytes]) -> pl.DataFrame:
    """Columns of texts; all at once, for each step over a column by itself would take longer than what it does."""
    if not any(joined.values()):
        return pl.DataFrame(schema=dict.fromkeys(joined, pl.String()))
    texts = pl.DataFrame({column: [text.decode()] for column, text in joined.items()})
    rows = texts.select(pl.all().str.split(SEPARATOR.decode()).explode())
    columns = rows.select(pl.when(pl.col(name) != "null").then(pl.col(name)).alias(name) for name in rows.columns)
    escaped = [_unescape(columns[name]) for name, text in joined.items() if b"\\" in text]
    return columns.with_columns(escaped) if escaped else columns


def _unescape(column: pl.Series) -> pl.Series:
    r"""Texts without escapes where they need none: ``"\u00e9"`` is ``"é"``, and a quote or line end is itself."""
    rows = column.str.contains("\\", literal=True).fill_null(value=False).arg_true()
    return column.scatter(rows, pl.Series(map(_unescape_one, column.gather(rows)), dtype=pl.String))


def _unescape_one(text: str) -> str:
    value = json.loads(text) if text.startswith('"') else None
    return f'"{value}"' if isinstance(value, str) and _PLAIN.fullmatch(value) else text
