"""Which fields a mapping looks at, and how many records have them."""

from collections import Counter
from collections.abc import Mapping as AnyMapping
from functools import cache
from typing import Any

import polars as pl

from ordersetl.lake.field_counts import FieldCount
from ordersetl.source.description.expressions import Expression
from ordersetl.source.description.mapping import Mapping
from ordersetl.source.description.table import Table
from ordersetl.source.nested import DeepRecord
from ordersetl.source.paths import find_chains
from ordersetl.transform.mapped_paths import Member, NativeTable, Step
from ordersetl.transform.seen_fields import join_path, name_type

__all__ = ["FieldTally", "count_tables", "list_used"]


@cache
def list_used(mapping: Mapping) -> Member:
    """What a mapping looks at, where it cannot be read in bulk, as far as paths without positions say it."""
    record = Member()
    for expression in _list_expressions(mapping.order, *mapping.skip):
        _add_chains(record, expression)
    _add_list(record, mapping.items)
    if mapping.refunds is not None:
        refund = _add_list(record, mapping.refunds)
        if mapping.refunds.items is not None and refund is not None:
            _add_list(refund, mapping.refunds.items)
    return record


def count_tables(record: Member, tables: AnyMapping[Member, NativeTable], records: int) -> dict[str, FieldCount]:
    """Fields of records that were read in bulk, by path.

    Args:
        record: what was looked at.
        tables: what was read.
        records: how many of the records were readable.
    """
    found: dict[str, FieldCount] = {}

    def count(member: Member, path: str, types: AnyMapping[str, dict[str, int]], height: int) -> None:
        if member.column in types:
            found[path] = FieldCount(height, types[member.column])
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
    """

    def __init__(self, record: Member) -> None:
        self._record = record
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
            if (kind := name_type(value)) is not None:
                types[kind] += 1
        for step, child in member.members.items():
            self._add(child, join_path(path, step), _find(value, step))
        if member.rows is not None and isinstance(value, list):
            for element in value:
                self._add(member.rows, f"{path}[]", element)


def _list_expressions(*tables: Table) -> list[Expression]:
    """All expressions of these tables and of those in them."""
    found: list[Expression] = []
    for table in tables:
        for name in type(table).model_fields:
            value = getattr(table, name)
            if isinstance(value, Expression) and name != "list":
                found.append(value)
            elif isinstance(value, tuple):
                found += _list_expressions(*(part for part in value if isinstance(part, Table)))
    return found


def _add_list(member: Member, table: Any) -> Member | None:  # noqa: ANN401 - of items, refunds or their items
    """What is looked at of each element of a list; None where the list is more than a path."""
    path = table.list.path
    if path is None:
        _add_chains(member, table.list)
        return None
    element = member.find(path).add_rows()
    for expression in _list_expressions(table):
        _add_chains(element, expression)
    return element


def _add_chains(member: Member, expression: Expression) -> None:
    for chain in sorted(find_chains(expression.tree)):
        member.find(chain).is_read = True


def _count_types(texts: pl.DataFrame) -> dict[str, dict[str, int]]:
    """How many of each column of JSON texts are of each type; in two steps, which take a fraction of many."""
    names = texts.columns
    counted = texts.select(
        *(pl.col(name).count().alias(f"{name} given") for name in names),
        *((pl.col(name) == '""').sum().alias(f"{name} empty") for name in names),
        *(pl.col(name).str.starts_with('"').sum().alias(f"{name} text") for name in names),
    ).row(0, named=True)
    others = [name for name in names if counted[f"{name} given"] > counted[f"{name} text"]]
    begins = {"boolean": ["t", "f"], "list": ["["], "object": ["{"]}
    kinds = texts.select(
        pl.sum_horizontal(pl.col(name).str.starts_with(sign).sum() for sign in signs).alias(f"{name} {kind}")
        for name in others
        for kind, signs in begins.items()
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
        return value[step] if isinstance(value, list) and len(value) > step else None
    return value.get(step) if isinstance(value, dict) else None
