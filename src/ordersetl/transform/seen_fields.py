"""Which fields some of the records have, whatever reads them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec
import polars as pl

from ordersetl.lake.field_counts import FieldCount, FieldCounts
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
    texts = [text for page in pages for text in page.head.texts or ()]
    chosen = texts[:: 1 + len(texts) // _SAMPLES]
    objects, types, sampled = Counter[str](), dict[str, Counter[str]](), 0
    for text in chosen:
        try:
            record = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        sampled += 1
        for parent, name, kind in _walk(record, "", _MAX_DEPTH):
            if name is None:
                objects[parent] += 1
            elif kind is not None and (name in types or len(types) < _MAX_PATHS):
                types.setdefault(name, Counter())[kind] += 1
    counts = {
        path: FieldCount(objects[_parent(path)], dict(sorted(kinds.items()))) for path, kinds in sorted(types.items())
    }
    return FieldCounts(sampled=sampled, others=counts)


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


def _walk(value: object, path: str, depth: int) -> Iterator[tuple[str, str | None, str | None]]:
    """Each object's path, and of each of its members the path of both and the type."""
    if isinstance(value, list):
        for element in value:
            yield from _walk(element, f"{path}[]", depth)
    elif isinstance(value, dict) and depth:
        yield path, None, None
        for name, member in value.items():
            if len(name) <= _MAX_NAME:
                inner = join_path(path, name)
                yield path, inner, name_type(member)
                yield from _walk(member, inner, depth - 1)


def _parent(path: str) -> str:
    return path.rpartition(".")[0]
