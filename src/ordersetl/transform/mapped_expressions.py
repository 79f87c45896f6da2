"""JMESPath expressions as expressions of Polars, over what DuckDB read of native records: as JSON text, or as truth.

Only those are known whose result is certain to be what the library says; where that depends on the value, ``certain``
says of which rows it is.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from ordersetl.transform.bulk_values import CENTS, all_of
from ordersetl.transform.mapped_paths import Member, NotInBulkError, Step

__all__ = ["ROOT", "Later", "Scope", "read_steps"]

ROOT = "native"
"""The column that holds the objects which a scope's expressions are about."""
_FALSE = ("false", '""', "[]", "{}")
_PLAIN = re.compile(r"[ !#-\[\]-~\u00a1-\ud7ff\ue000-\ufffd]*")
"""Text that JSON needs no escape for."""
_WHOLE = r"^(?:0|-?[1-9][0-9]{0,17})$"
_INT = re.compile(r"0|-?[1-9][0-9]{0,17}")

Later = Callable[[], pl.Expr]
"""An expression that is made once all paths are known."""
Tree = Mapping[str, Any]


def read_steps(tree: Tree) -> tuple[Step, ...]:
    """The path that an expression is.

    Raises:
        NotInBulkError: it is more than a path of names, and of positions from the front.
    """
    match tree["type"]:
        case "current" | "identity":
            return ()
        case "field":
            return (tree["value"],)
        case "index" if tree["value"] >= 0:
            return (tree["value"],)
        case "subexpression" | "index_expression":
            return tuple(step for child in tree["children"] for step in read_steps(child))
        case kind:
            raise NotInBulkError(f"a {kind} is no path")


class Scope:
    """Objects of one kind, and what expressions say of them. Absent and null are null; other values are JSON text.

    Args:
        member: what is known of these objects.
        root: the expression that gives them.
    """

    def __init__(self, member: Member, root: pl.Expr | None = None) -> None:
        self.member = member
        self._root = pl.col(ROOT) if root is None else root
        self._doubts: list[Callable[[], pl.Expr | None]] = []
        member.require("object")

    def certain(self) -> pl.Expr:
        """Whether all that was said of an object is what the library would say."""
        doubts = [doubt for make in self._doubts if (doubt := make()) is not None]
        return all_of(pl.lit(value=True), *(~doubt.fill_null(value=False) for doubt in doubts))

    def value(self, tree: Tree) -> Later:
        """The value of an expression.

        Raises:
            NotInBulkError: it is not known here.
        """
        match tree["type"]:
            case "or_expression" | "and_expression" as kind:
                first, second = tree["children"]
                truth, values = self.truth(first), (self.value(first), self.value(second))
                then, otherwise = values if kind == "or_expression" else reversed(values)
                return lambda: pl.when(truth()).then(then()).otherwise(otherwise())
            case "comparator" | "not_expression":
                is_true = self.truth(tree)
                return lambda: pl.when(is_true()).then(pl.lit("true")).otherwise(pl.lit("false"))
            case "literal":
                text = _write(tree["value"])
                return lambda: pl.lit(text, pl.String)
            case "function_expression" if tree["value"] == "not_null":
                values_ = [self.value(child) for child in tree["children"]]
                return lambda: pl.coalesce(value() for value in values_)
            case _:
                steps = read_steps(tree)
                self.member.find(*steps).require("text")
                return lambda: self.at(steps)

    def truth(self, tree: Tree) -> Later:
        """Whether an expression is true; never null.

        Raises:
            NotInBulkError: it is not known here.
        """
        match tree["type"]:
            case "or_expression" | "and_expression" as kind:
                one, other = (self.truth(child) for child in tree["children"])
                return (lambda: one() | other()) if kind == "or_expression" else lambda: one() & other()
            case "not_expression":
                negated = self.truth(tree["children"][0])
                return lambda: ~negated()
            case "comparator" if tree["value"] in {"eq", "ne"}:
                equal = self._compare(*tree["children"])
                return equal if tree["value"] == "eq" else lambda: ~equal()
            case "function_expression" if tree["value"] == "contains":
                return self._contains(*tree["children"])
            case "function_expression" | "literal":
                value = self.value(tree)
                return lambda: _is_true(value())
            case _:
                return self._path_truth(read_steps(tree))

    def amount(self, tree: Tree) -> Later:
        """The value of an expression of money: of a list the exact sum, without its nulls.

        Raises:
            NotInBulkError: it is not known here.
        """
        if tree["type"] == "multi_select_list":
            parts = [self.value(child) for child in tree["children"]]
            return lambda: _write_sum(pl.concat_list(part() for part in parts))
        if tree["type"] == "filter_projection":
            left, right, condition = tree["children"]
            steps = read_steps(left)
            of_element = Scope(self.member.find(*steps).element(), pl.element())
            kept, part = of_element.truth(condition), of_element.value(right)

            def is_doubtful() -> pl.Expr:
                return self.at(steps).list.eval(~of_element.certain()).list.any()

            self._doubts.append(is_doubtful)
            return lambda: _write_sum(self.at(steps).list.eval(pl.when(kept()).then(part())))
        return self.value(tree)

    def at(self, steps: Sequence[Step]) -> pl.Expr:
        """What is at the end of a path; null where there is nothing."""
        found = self._root
        for step in steps:
            found = found.list.get(step, null_on_oob=True) if isinstance(step, int) else found.struct.field(step)
        return found

    def _path_truth(self, steps: tuple[Step, ...]) -> Later:
        member = self.member.find(*steps)

        def is_true() -> pl.Expr:
            if member.kind == "text":
                return _is_true(self.at(steps))
            if member.kind == "list":
                return (self.at(steps).list.len() > 0).fill_null(value=False)
            return self._holds_any(member, steps)

        def is_doubtful() -> pl.Expr | None:  # an object of which nothing was read may have had members, or none
            return self.at(steps).is_not_null() & ~self._holds_any(member, steps) if member.kind == "object" else None

        self._doubts.append(is_doubtful)
        return is_true

    def _holds_any(self, member: Member, steps: tuple[Step, ...]) -> pl.Expr:
        texts = [self.at((*steps, *path)).is_not_null() for path in member.list_texts()]
        return pl.any_horizontal(pl.lit(value=False), *texts)

    def _compare(self, one: Tree, other: Tree) -> Later:
        if one["type"] == "literal":
            one, other = other, one
        if other["type"] != "literal":
            raise NotInBulkError("two values are compared")
        return self._is_one_of(one, [other["value"]])

    def _contains(self, listed: Tree, value: Tree) -> Later:
        children = listed["children"] if listed["type"] == "multi_select_list" else ()
        if children and all(child["type"] == "literal" for child in children):
            return self._is_one_of(value, [child["value"] for child in children])
        if listed["type"] == "literal" and isinstance(listed["value"], list):
            return self._is_one_of(value, listed["value"])
        raise NotInBulkError("contains() of what is no list of literals")

    def _is_one_of(self, tree: Tree, literals: Sequence[Any]) -> Later:
        value, texts = self.value(tree), [_write(literal) for literal in literals]
        listed = [text for text in texts if text is not None]
        has_numbers = any(_INT.fullmatch(text) for text in listed)
        has_texts = any(text.startswith('"') for text in listed)

        def is_one() -> pl.Expr:
            found = value().is_in(listed).fill_null(value=False)
            return found | value().is_null() if None in texts else found

        def is_doubtful() -> pl.Expr:  # the same text with an escape, the same number in another form
            is_escaped = value().str.contains("\\", literal=True) & has_texts
            is_number = value().str.contains(r"^-?[0-9]") & ~value().str.contains(_WHOLE) & has_numbers
            return ~value().is_in(listed) & (is_escaped | is_number)

        self._doubts.append(is_doubtful)
        return is_one


def _is_true(value: pl.Expr) -> pl.Expr:
    """Truth in the sense of JMESPath."""
    return (value.is_not_null() & ~value.is_in(_FALSE)).fill_null(value=False)


def _write(literal: object) -> str | None:
    """A literal as DuckDB writes it; None of null.

    Raises:
        NotInBulkError: it is not certain how.
    """
    if literal is None or isinstance(literal, bool) or (isinstance(literal, str) and _PLAIN.fullmatch(literal)):
        return None if literal is None else json.dumps(literal, ensure_ascii=False)
    if isinstance(literal, int) and _INT.fullmatch(str(literal)):
        return str(literal)
    raise NotInBulkError(f"the literal {literal!r}")


def _write_sum(amounts: pl.Expr) -> pl.Expr:
    """Sum of lists of amounts as a JSON number; null where they hold none, and no number where one is not certain."""
    given = amounts.list.eval(pl.element().filter(pl.element().is_not_null() & (pl.element() != '""')))
    certain = given.list.eval(pl.element().str.contains(CENTS)).list.all()
    total = given.list.eval(pl.element().str.strip_chars('"').cast(pl.Decimal(18, 4), strict=False)).list.sum()
    return pl.when(given.list.len() > 0).then(
        pl.when(certain).then(total.cast(pl.Decimal(38, 4)).cast(pl.String)).otherwise(pl.lit("?"))
    )
