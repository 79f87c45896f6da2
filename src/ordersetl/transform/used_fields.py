"""How many records have the fields that a mapping looks at."""

from collections import Counter
from collections.abc import Collection, Mapping as AnyMapping
from typing import Any

import polars as pl

from ordersetl.lake.field_counts import FieldCount
from ordersetl.source.description.expressions import holds_of
from ordersetl.source.nested import DeepRecord
from ordersetl.transform.mapped_paths import Member, NativeTable, Step
from ordersetl.transform.seen_fields import join_path, name_type

__all__ = ["FieldTally", "count_tables"]


def count_tables(
    record: Member, tables: AnyMapping[Member, NativeTable], records: int, asked: Collection[str]
) -> dict[str, FieldCount]:
    """Fields of records that were read in bulk, by path.

    Args:
        record: what was looked at.
        tables: what was read.
        records: how many of the records were readable.
        asked: paths at which ``false`` is a boolean; elsewhere it is an absence.
    """
    found: dict[str, FieldCount] = {}

    def count(member: Member, path: str, types: AnyMapping[str, dict[str, int]], height: int) -> None:
        if member.column in types:
            found[path] = FieldCount(height, _read_false(types[member.column], is_boolean=path in asked))
        for step, child in member.members.items():
            count(child, join_path(path, step), types, height)
        if member.rows is not None:
            rows = tables[member.rows]
            if not member.may_be_absent:
                found[path] = FieldCount(height, {"list": rows.lists} if rows.lists else {})
            count(member.rows, f"{path}[]", _count_types(rows.to_frame(member.rows)), len(rows.parents))

    count(record, "", _count_types(tables[record].to_frame(record)), records)
    return found


class FieldTally:
    """Fields of records that are read one by one, by path.

    Args:
        record: what is looked at.
        asked: as of :func:`count_tables`.
    """

    def __init__(self, record: Member, asked: Collection[str]) -> None:
        self._record = record
        self._asked = asked
        self._of = Counter[str]()
        self._types: dict[str, Counter[str]] = {}

    def add(self, record: object) -> None:
        """Take in a record."""
        if not isinstance(record, DeepRecord):
            self._add(self._record, "", record)

    def counts(self) -> dict[str, FieldCount]:
        """What was taken in."""
        return {path: FieldCount(of, dict(sorted(self._types[path].items()))) for path, of in self._of.items()}

    def _add(self, member: Member, path: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
        if member.is_read or member.is_asked or (member.rows is not None and not member.may_be_absent):
            self._of[path] += 1
            types = self._types.setdefault(path, Counter())
            kind = name_type(value)
            if kind is not None and (value is not False or path in self._asked):
                types[kind] += 1
        for step, child in member.members.items():
            self._add(child, join_path(path, step), _find(value, step))
        if member.rows is not None and isinstance(value, list):
            for element in value:
                self._add(member.rows, f"{path}[]", element)
                for condition, rows in member.chosen:
                    if holds_of(condition, element):
                        self._add(rows, f"{path}[]", element)


def _read_false(types: AnyMapping[str, int], *, is_boolean: bool) -> dict[str, int]:
    """Counts by type with those of ``false``, which stands apart, among the booleans, or without them."""
    booleans = types.get("boolean", 0) + (types.get("false", 0) if is_boolean else 0)
    others = {kind: count for kind, count in types.items() if kind not in {"boolean", "false"}}
    return ({"boolean": booleans} if booleans else {}) | others


def _count_types(texts: pl.DataFrame) -> dict[str, dict[str, int]]:
    """How many of each column of JSON texts are of each type, ``false`` apart; two steps take a fraction of many."""
    names = texts.columns
    counted = texts.select(
        *(pl.col(name).count().alias(f"{name} given") for name in names),
        *((pl.col(name) == '""').sum().alias(f"{name} empty") for name in names),
        *(pl.col(name).str.starts_with('"').sum().alias(f"{name} text") for name in names),
    ).row(0, named=True)
    others = [name for name in names if counted[f"{name} given"] > counted[f"{name} text"]]
    begins = {"boolean": "t", "false": "f", "list": "[", "object": "{"}
    kinds = texts.select(
        pl.col(name).str.starts_with(sign).sum().alias(f"{name} {kind}")
        for name in others
        for kind, sign in begins.items()
    )
    of_others = kinds.row(0, named=True) if others else {}
    found = {}
    for name in names:
        counts = {kind: of_others.get(f"{name} {kind}", 0) for kind in begins}
        text = counted[f"{name} text"]
        counts["number"] = counted[f"{name} given"] - text - sum(counts.values())
        counts["text"] = text - counted[f"{name} empty"]
        found[name] = {kind: count for kind, count in sorted(counts.items()) if count}
    return found


def _find(value: Any, step: Step) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None
    return value.get(step) if isinstance(value, dict) else None
