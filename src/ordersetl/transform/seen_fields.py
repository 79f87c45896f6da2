"""Which fields some of the records have, whatever reads them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec
import polars as pl

from ordersetl.lake.field_counts import FieldCount, FieldCounts
from ordersetl.source.head import DECODING
from ordersetl.source.page import Page

__all__ = ["NOTHING_SEEN", "SeenFields", "join_path", "name_type", "sample_fields"]

_SAMPLES = 64
"""Records of a chunk that are looked into for fields that the mapping does not use."""
_MAX_DEPTH, _MAX_PATHS, _MAX_NAME = 6, 300, 80
"""Beyond these a sample does not look: objects that have data as names would have no end of them."""


class SeenFields(NamedTuple):
    """Fields of records that were read in bulk, by path; and the positions of those that could not be."""

    counts: Mapping[str, FieldCount]
    unread: pl.Series


NOTHING_SEEN = SeenFields({}, pl.Series(dtype=pl.UInt64))


def sample_fields(pages: Sequence[Page]) -> FieldCounts:
    """Fields of a few records, evenly out of all of the pages, but those that only the lenient parser reads."""
    texts = [text for page in pages for text in page.texts or ()]
    sample, sampled = _Sample(), 0
    for text in texts[:: 1 + len(texts) // _SAMPLES]:
        try:
            record = msgspec.json.decode(text)
        except DECODING:
            continue
        sampled += 1
        sample.add(record)
    return FieldCounts(sampled=sampled, others=sample.counts())


def name_type(value: object) -> str | None:
    """JSON's type of a value; None of an absence."""
    match value:
        case None | "":
            return None
        case str():
            return "text"
        case bool():
            return "boolean"
        case int() | float() | Decimal():
            return "number"
        case dict():
            return "object"
        case _:
            return "list" if isinstance(value, list) else "object"


def join_path(path: str, step: str | int) -> str:
    """The path of a member, or of the element at a position, of what is at a path."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


class _Sample:
    """How many objects there are at each path, and how many of each of their members are of each type."""

    def __init__(self) -> None:
        self._objects = Counter[str]()
        self._types: dict[str, Counter[str]] = {}

    def add(self, value: object, path: str = "", depth: int = _MAX_DEPTH) -> None:
        """Take in a value, and all below it."""
        if isinstance(value, list):
            for element in value:
                self.add(element, f"{path}[]", depth)
        elif isinstance(value, dict) and depth:
            self._objects[path] += 1
            for name, member in value.items():
                kind = name_type(member)
                if kind is None or len(name) > _MAX_NAME:
                    continue
                inner = join_path(path, name)
                if (types := self._find(inner)) is not None:
                    types[kind] += 1
                if kind in {"object", "list"}:
                    self.add(member, inner, depth - 1)

    def counts(self) -> dict[str, FieldCount]:
        """What was taken in, by path."""
        return {
            path: FieldCount(self._objects[path.rpartition(".")[0]], dict(sorted(types.items())))
            for path, types in sorted(self._types.items())
        }

    def _find(self, path: str) -> Counter[str] | None:
        types = self._types.get(path)
        if types is None and len(self._types) < _MAX_PATHS:
            types = self._types[path] = Counter()
        return types
