"""JMESPath expressions as expressions of Polars, over columns of native records: as JSON text, or as truth.

Only those are known whose result is certain to be what the library says; where that depends on the value, ``certain``
says of which rows it is.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from ordersetl.transform.bulk_values import CENTS, all_of
from ordersetl.transform.mapped_paths import Member, NativeTable, NotInBulkError, Step

__all__ = ["Scope", "read_steps"]

_FALSE = r'^(?:false|""|\[\s*\]|\{\s*\})$'
_NO = r'^(?:"[ \t\r\n]*(?:false|0|no|n|off)?[ \t\r\n]*"|-?0(?:\.0+)?)$'
"""What says no though it is true in JMESPath, in lower case: as :func:`ordersetl.source.mapping.values.says_no`."""
_ODD_ZERO = r"^-?0(?:\.0+)?[eE]"
_PROJECTIONS = {"filter_projection", "projection"}
_UNKNOWN = "{?}"
"""An object of which nothing was read: it may have had members, or none."""
_PLAIN = re.compile(r"[ !#-\[\]-~\u00a1-\ud7ff\ue000-\ufffd]*")
"""Text that JSON needs no escape for."""
_WHOLE = r"^(?:0|-?[1-9][0-9]{0,17})$"
_INT = re.compile(r"0|-?[1-9][0-9]{0,17}")

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
            raise NotInBulkError(f"an expression has a {kind.replace('_', ' ')}")


class _Sum(NamedTuple):
    """A sum over the elements of a list for which a condition holds, as a column of the scope's table."""

    column: str
    condition: pl.Expr
    part: pl.Expr


class Scope:
    """Objects of one kind, and what expressions say of them. Absent and null are null; other values are JSON text.

    Args:
        member: what is known of these objects.
    """

    def __init__(self, member: Member) -> None:
        self.member = member
        self._doubts: list[pl.Expr] = []
        self._sums: dict[Scope, list[_Sum]] = {}

    def certain(self) -> pl.Expr:
        """Whether all that was said of an object is what the library would say."""
        return all_of(pl.lit(value=True), *(~doubt.fill_null(value=False) for doubt in self._doubts))

    def open_table(self, tables: Mapping[Member, NativeTable]) -> pl.DataFrame:
        """The columns that the expressions are about, a row an object."""
        table = tables[self.member].to_frame(self.member)
        sums = [_add_up(elements, wanted, tables, table.height) for elements, wanted in self._sums.items()]
        return pl.concat([table, *sums], how="horizontal") if sums else table

    def value(self, tree: Tree) -> pl.Expr:
        """The value of an expression.

        Raises:
            NotInBulkError: it is not known here.
        """
        match tree["type"]:
            case "or_expression" | "and_expression" as kind:
                first, second = tree["children"]
                truth, values = self.truth(first), (self.value(first), self.value(second))
                then, otherwise = values if kind == "or_expression" else reversed(values)
                return pl.when(truth).then(then).otherwise(otherwise)
            case "comparator" | "not_expression":
                return pl.when(self.truth(tree)).then(pl.lit("true")).otherwise(pl.lit("false"))
            case "literal":
                return pl.lit(_write(tree["value"]), pl.String)
            case "function_expression" if tree["value"] == "not_null":
                return pl.coalesce(self.value(child) for child in tree["children"])
            case _:
                member = self.member.find(read_steps(tree))
                member.is_read = True
                return pl.col(member.column)

    def truth(self, tree: Tree) -> pl.Expr:
        """Whether an expression is true; never null.

        Raises:
            NotInBulkError: it is not known here.
        """
        match tree["type"]:
            case "or_expression" | "and_expression" as kind:
                one, other = (self.truth(child) for child in tree["children"])
                return one | other if kind == "or_expression" else one & other
            case "not_expression":
                return ~self.truth(tree["children"][0])
            case "comparator" if tree["value"] in {"eq", "ne"}:
                equal = self._compare(*tree["children"])
                return equal if tree["value"] == "eq" else ~equal
            case "function_expression" if tree["value"] == "contains":
                return self._contains(*tree["children"])
            case "function_expression" | "literal":
                return _is_true(self.value(tree))
            case _:
                member = self.member.find(read_steps(tree))
                member.is_asked = True
                self._doubts.append(pl.col(member.column) == _UNKNOWN)
                return _is_true(pl.col(member.column))

    def holds(self, tree: Tree) -> pl.Expr:
        """Whether a condition of a mapping holds: it is true, and its value does not say no; never null.

        Raises:
            NotInBulkError: it is not known here.
        """
        match tree["type"]:
            case "or_expression":
                first, second = tree["children"]
                return pl.when(self.truth(first)).then(self.holds(first)).otherwise(self.holds(second))
            case "and_expression":
                first, second = tree["children"]
                return self.truth(first) & self.holds(second)
            case "comparator" | "not_expression":
                return self.truth(tree)
            case "function_expression" if tree["value"] == "contains":
                return self.truth(tree)
            case "function_expression" | "literal":
                value = self.value(tree)
            case _:
                value = pl.col(self.member.find(read_steps(tree)).column)
        self._doubts.append(value.str.contains(_ODD_ZERO))
        return self.truth(tree) & ~value.str.to_lowercase().str.contains(_NO).fill_null(value=False)

    def amount(self, tree: Tree) -> pl.Expr:
        """The value of an expression of money: of a list the exact sum, without its nulls.

        Raises:
            NotInBulkError: it is not known here.
        """
        if tree["type"] == "multi_select_list":
            return _write_sum(pl.concat_list(self.value(child) for child in tree["children"]))
        if tree["type"] in _PROJECTIONS:
            return self._add_sum(tree)
        if tree["type"] == "or_expression" and tree["children"][0]["type"] in _PROJECTIONS:
            listed, other = tree["children"]
            return pl.coalesce(self._add_sum(listed, or_else=True), self.amount(other))
        return self.value(tree)

    def _add_sum(self, tree: Tree, *, or_else: bool = False) -> pl.Expr:
        """The sum over elements of a list; null without any. With ``or_else`` it is in doubt where any is blank."""
        left, right, *conditions = tree["children"]
        rows = self.member.find(read_steps(left)).add_rows()
        elements = next((scope for scope in self._sums if scope.member is rows), None) or Scope(rows)
        wanted, part = self._sums.setdefault(elements, []), elements.value(right)
        column = f"{rows.column} sum {len(wanted)}"
        condition = all_of(pl.lit(value=True), *map(elements.truth, conditions))
        wanted.append(_Sum(column, condition, part))
        if or_else:
            blanks = _Sum(f"{column} blanks", condition & part.is_not_null() & ~_is_given(part), pl.lit("1"))
            wanted.append(blanks)
            self._doubts.append(pl.col(blanks.column).is_not_null())
        return pl.col(column)

    def _compare(self, one: Tree, other: Tree) -> pl.Expr:
        if one["type"] == "literal":
            one, other = other, one
        if other["type"] != "literal":
            raise NotInBulkError("an expression compares two values of a record")
        return self._is_one_of(one, [other["value"]])

    def _contains(self, listed: Tree, value: Tree) -> pl.Expr:
        children = listed["children"] if listed["type"] == "multi_select_list" else ()
        if children and all(child["type"] == "literal" for child in children):
            literals = [child["value"] for child in children]
        elif listed["type"] == "literal" and isinstance(listed["value"], list):
            literals = listed["value"]
        else:
            raise NotInBulkError("contains() is about what is no list of literals")
        found = self._is_one_of(value, literals)
        if any(literal in (0, 1) for literal in literals):  # which the library takes for false and true, as Python does
            self._doubts.append(~found & self.value(value).is_in(["true", "false", "0", "1"]))
        return found

    def _is_one_of(self, tree: Tree, literals: Sequence[Any]) -> pl.Expr:
        value, texts = self.value(tree), [_write(literal) for literal in literals]
        listed = [text for text in texts if text is not None]
        found = value.is_in(listed).fill_null(value=False)
        if any(_INT.fullmatch(text) for text in listed):  # the same number may be written in another form
            self._doubts.append(~found & value.str.contains(r"^-?[0-9]") & ~value.str.contains(_WHOLE))
        return found | value.is_null() if None in texts else found


def _is_true(value: pl.Expr) -> pl.Expr:
    """Truth in the sense of JMESPath."""
    return (~value.str.contains(_FALSE)).fill_null(value=False)


def _write(literal: object) -> str | None:
    """A literal as JSON text, without escapes; None of null.

    Raises:
        NotInBulkError: it is not certain how.
    """
    if literal is None or isinstance(literal, bool) or (isinstance(literal, str) and _PLAIN.fullmatch(literal)):
        return None if literal is None else json.dumps(literal, ensure_ascii=False)
    if isinstance(literal, int) and _INT.fullmatch(str(literal)):
        return str(literal)
    raise NotInBulkError(f"an expression has the literal {literal!r}")


def _write_sum(amounts: pl.Expr) -> pl.Expr:
    """Sum of lists of amounts as a JSON number; null where they hold none, and no number where one is not certain."""
    given = amounts.list.eval(pl.element().filter(_is_given(pl.element())))
    certain = given.list.eval(pl.element().str.contains(CENTS)).list.all()
    total = given.list.eval(_read_cents(pl.element())).list.sum()
    return pl.when(given.list.len() > 0).then(pl.when(certain).then(_write_number(total)).otherwise(pl.lit("?")))


def _add_up(elements: Scope, sums: Sequence[_Sum], tables: Mapping[Member, NativeTable], height: int) -> pl.DataFrame:
    """The same over the elements of lists, of each of so many rows that have such a list."""
    parts = elements.open_table(tables).select(
        pl.lit(tables[elements.member].parents).alias("parent"),
        elements.certain().alias("sure"),
        *(pl.when(wanted.condition & _is_given(wanted.part)).then(wanted.part).alias(wanted.column) for wanted in sums),
    )
    totals = parts.group_by("parent", maintain_order=True).agg(pl.col("sure").all(), *map(_total, sums))
    rows = pl.DataFrame({"parent": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    return rows.join(totals, on="parent", how="left", maintain_order="left").select(wanted.column for wanted in sums)


def _total(wanted: _Sum) -> pl.Expr:
    part = pl.col(wanted.column)
    is_exact = pl.col("sure").all() & part.str.contains(CENTS).fill_null(value=True).all()
    there = part.is_not_null().any() | ~pl.col("sure").all()
    total = pl.when(is_exact).then(_write_number(_read_cents(part).sum())).otherwise(pl.lit("?"))
    return pl.when(there).then(total).alias(wanted.column)


def _is_given(amount: pl.Expr) -> pl.Expr:
    return amount.is_not_null() & (amount != '""')


def _read_cents(amount: pl.Expr) -> pl.Expr:
    return amount.str.strip_chars('"').cast(pl.Decimal(18, 4), strict=False)


def _write_number(total: pl.Expr) -> pl.Expr:
    return total.cast(pl.Decimal(38, 4)).cast(pl.String)
