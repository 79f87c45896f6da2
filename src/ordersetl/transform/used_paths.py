"""What a mapping looks at in native records, by all parts of its expressions: in lists it is of each element."""

from collections.abc import Iterable, Iterator, Mapping as AnyMapping, Sequence
from functools import cache
from typing import Any

from ordersetl.source.description.expressions import Expression
from ordersetl.source.description.mapping import Mapping
from ordersetl.source.description.table import Table
from ordersetl.transform.mapped_paths import Member
from ordersetl.transform.seen_fields import join_path

__all__ = ["list_asked", "list_used", "split_absence"]

Tree = AnyMapping[str, Any]
_Value = tuple[Member, int]
"""Where a value is in the records, and in how many lists such values are that an expression made."""

_CONDITIONS = {"deleted", "cancelled", "skip", "when"}
_NO_LINES = {"type": "literal", "value": [], "children": []}


@cache
def list_used(mapping: Mapping) -> Member:
    """What a mapping looks at in a record: as asked what conditions, comparisons and functions do, else as read."""
    record = Member()
    order: list[_Value] = [(record, 0)]
    _use_all(order, mapping.order, *mapping.skip)
    _use_list(order, mapping.items)
    if mapping.refunds is not None:
        refunds = _use_list(order, mapping.refunds)
        if mapping.refunds.items is not None:
            _use_list(refunds, mapping.refunds.items)
    return record


@cache
def list_asked(mapping: Mapping) -> frozenset[str]:
    """Paths at which ``false`` says something: elsewhere it is nothing, as it is no text, number or time."""

    def list_below(member: Member, path: str) -> Iterator[str]:
        if member.is_asked:
            yield path
        for step, child in member.members.items():
            yield from list_below(child, join_path(path, step))
        for rows in (member.rows, *(rows for _, rows in member.chosen)):
            if rows is not None:
                yield from list_below(rows, f"{path}[]")

    return frozenset(list_below(list_used(mapping), ""))


def split_absence(tree: Tree) -> tuple[Tree, bool]:
    """The expression of a list without the empty one that stands for it where it is absent, and whether it had one."""
    may_be_absent = tree["type"] == "or_expression" and tree["children"][1] == _NO_LINES
    return (tree["children"][0] if may_be_absent else tree), may_be_absent


def _use_all(values: Sequence[_Value], *tables: Table) -> None:
    """Mark what all expressions of these tables, and of those in them, look at; but for lists."""
    for table in tables:
        for name in type(table).model_fields:
            given = getattr(table, name)
            if isinstance(given, Expression) and name != "list":
                _use(_follow(given.tree, values), asked=name in _CONDITIONS)
            elif isinstance(given, tuple):
                _use_all(values, *(part for part in given if isinstance(part, Table)))


def _use_list(values: Sequence[_Value], table: Any) -> list[_Value]:  # noqa: ANN401 - of items, refunds or their items
    """Mark what is looked at of the elements of a list, which are returned, and in how many lists they still are."""
    tree, may_be_absent = split_absence(table.list.tree)
    elements = _open(_follow(tree, values))
    while tree["type"] in {"filter_projection", "projection", "flatten"}:
        tree = tree["children"][0]
    for member, lists in _follow(tree, values) if may_be_absent else ():
        member.may_be_absent = member.may_be_absent or not lists
    _use_all(elements, table)
    return elements


def _use(values: Iterable[_Value], *, asked: bool) -> None:
    for member, _ in values:
        member.is_read = member.is_read or not asked
        member.is_asked = member.is_asked or asked


def _follow(tree: Tree, values: Sequence[_Value]) -> list[_Value]:
    """Where what an expression comes to may be in the records, and what else it looks at marked.

    Args:
        tree: the expression.
        values: where that is which it is about.
    """
    return list(dict.fromkeys(_find(tree, values)))  # of a few, or each part of an expression could double them


def _find(tree: Tree, values: Sequence[_Value]) -> Iterable[_Value]:
    found: Iterable[_Value] = ()
    children = tree["children"]
    match tree["type"]:
        case "current" | "identity" | "field" | "index" | "slice":
            found = _step(tree, values)
        case "subexpression" | "index_expression" | "pipe":
            found = values
            for child in children:
                found = _follow(child, list(found))
        case "projection" | "filter_projection":
            found = _wrap(_project(values, *children))
        case "flatten":
            found = [inner for value in _follow(children[0], values) for inner in _flatten(*value)]
        case "or_expression":
            found = _follow_all(children, values)
        case "and_expression":
            found = _follow_all(children, values)
            _use(found, asked=True)
        case "multi_select_list":
            found = _wrap(_follow_all(children, values))
        case "function_expression":
            found = _call(tree["value"], children, values)
        case kind:
            is_of_any_name = kind == "value_projection"  # what is wanted of such members has no path
            _use(_follow_all(children[:1] if is_of_any_name else children, values), asked=True)
    return found


def _follow_all(trees: Iterable[Tree], values: Sequence[_Value]) -> list[_Value]:
    return [found for tree in trees for found in _follow(tree, values)]


def _step(tree: Tree, values: Sequence[_Value]) -> Iterable[_Value]:
    """The next value on a path."""
    match tree["type"]:
        case "field":
            return [(member.find((tree["value"],)), 0) for member, lists in values if not lists]
        case "index":
            return [(m, lists - 1) if lists else (m.find((tree["value"],)), 0) for m, lists in values]
        case "slice":
            return _wrap(_open(values))
        case _:
            return values


def _open(values: Iterable[_Value]) -> list[_Value]:
    """The elements of these lists."""
    return [(member, lists - 1) if lists else (member.add_rows(), 0) for member, lists in values]


def _wrap(values: Iterable[_Value]) -> list[_Value]:
    """Lists of such values."""
    return [(member, lists + 1) for member, lists in values]


def _flatten(member: Member, lists: int) -> list[_Value]:
    """A list without those in it; what is in it may be one or not."""
    inner = [(member.add_rows(), 1)]
    return inner if lists == 0 else [(member, 1), *inner] if lists == 1 else [(member, lists - 1)]


def _project(values: Sequence[_Value], listed: Tree, wanted: Tree, condition: Tree | None = None) -> list[_Value]:
    """What is wanted of each element of a list for which the condition holds."""
    lists = _follow(listed, values)
    elements = _open(lists)
    if condition is not None:
        _use(_follow(condition, elements), asked=True)
        elements = [(m, depth - 1) if depth else (m.choose_rows(condition), 0) for m, depth in lists]
    return _follow(wanted, elements)


def _call(name: str, arguments: Sequence[Tree], values: Sequence[_Value]) -> Iterable[_Value]:
    """What a function comes to; one that makes something new of its arguments looks at them alone."""
    given = _follow_all((tree for tree in arguments if tree["type"] != "expref"), values)
    of_elements = [tree["children"][0] for tree in arguments if tree["type"] == "expref"]
    elements = _open(given) if of_elements or name == "reverse" else []
    mapped = _follow_all(of_elements, elements)
    _use(mapped, asked=True)
    found: Iterable[_Value] = ()
    match name:
        case "not_null" | "merge":
            found = given
        case "to_array":
            found = [*given, *_wrap(given)]
        case "reverse" | "sort_by":
            found = _wrap(elements)
        case "max_by" | "min_by":
            found = elements
        case "map":
            found = _wrap(mapped)
        case _:
            _use(given, asked=True)
    return found
