"""Expressions over columns say what the library says of each record, or that they are not certain."""

import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from ordersetl.source.description.expressions import Expression, is_true
from ordersetl.source.mapping.values import Money, says_no
from ordersetl.source.parser import parse_json
from ordersetl.transform.mapped_expressions import Scope
from ordersetl.transform.mapped_paths import Member, NotInBulkError, Reader

LEAVES = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 7, Decimal("0.0"), Decimal("1.0"), Decimal("2.50"), "", " ", "0", "1", "x"),
        *("false", " No\n", "\tOFF", "n", "N.", "fal\u017fe", "\x00no", Decimal("-0.00"), Decimal("0E+3"), "00", "0.0"),
        *("draft", "é", 'a"b', "a\\b", "a\nb", '"', "1.25", "-3", [], {}, [1], {"b": "x"}),
    ]
)
LISTS = st.lists(st.fixed_dictionaries({}, optional={"b": LEAVES, "c": LEAVES}), max_size=3)
OBJECTS = st.fixed_dictionaries({}, optional={"b": LEAVES})
RECORDS = st.fixed_dictionaries({}, optional={"a": LEAVES, "b": LEAVES, "o": OBJECTS | LEAVES, "l": LISTS | LEAVES})
VALUES = (
    *("a", "o.b", "a || b", "a || o.b || 'none'", "a && b", "l[0].b", "l[1].b || a", "not_null(a, b)", "a == 'draft'"),
    *("!a", "a || `null`", "(a == `1`) && b", "`7`", "a != 'x' && a"),
)
TRUTHS = (
    *("a", "!a", "a && !b", "a || b", "a == `0`", "a != `1`", "a == 'draft' || b == 'x'", "a == `null`", "a == `true`"),
    *(
        "contains(['draft', 'x'], a)",
        "contains(`[1, 7, null]`, a)",
        "l[0] && !l[1]",
        "l",
        "!(l[0].b)",
        "a == 'é'",
        "o.b",
    ),
    "not_null(a, b)",
)
AMOUNTS = ("[a, b]", "[a, o.b, l[0].c]", "l[?b=='x'].c", "l[?!b].c", "l[?b || c].c", "l[*].c")


def write(value: Any) -> str:
    """JSON of a value, decimals as they are."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}: {write(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(write, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def read_form(text: str | None) -> Any:
    """The value of a column's text: JSON, where texts need no escape between their quotes but for a backslash."""
    if text is None:
        return None
    return text[1:-1] if text.startswith('"') and "\\" not in text else parse_json(text)


def ask(scope: Scope, expression: pl.Expr, records: list[Any]) -> list[tuple[Any, bool]]:
    """Of each record the result of an expression, and whether it is certain."""
    scope.value(Expression("id").tree)  # as a mapping always has one
    tables, readable = Reader(scope.member).read([write(record).encode() for record in records])
    found = scope.open_table(tables).select(result=expression, certain=scope.certain() & pl.lit(readable))
    return list(found.iter_rows())


@pytest.mark.parametrize("text", VALUES)
@settings(max_examples=25, deadline=None)
@given(records=st.lists(RECORDS, min_size=1, max_size=20))
def test_values_are_those_of_the_library(text: str, records: list[Any]) -> None:
    expression, scope = Expression(text), Scope(Member())
    for record, (result, certain) in zip(records, ask(scope, scope.value(expression.tree), records), strict=True):
        if certain:
            said = expression.search(parse_json(write(record)))
            assert said == read_form(result)
            assert type(said) is type(read_form(result))


@pytest.mark.parametrize("text", TRUTHS)
@settings(max_examples=25, deadline=None)
@given(records=st.lists(RECORDS, min_size=1, max_size=20))
def test_truth_is_that_of_the_library(text: str, records: list[Any]) -> None:
    expression, scope = Expression(text), Scope(Member())
    for record, (result, certain) in zip(records, ask(scope, scope.truth(expression.tree), records), strict=True):
        if certain:
            assert result is is_true(expression.search(parse_json(write(record)))), record


@pytest.mark.parametrize("text", [*TRUTHS, "`0`", "a && (b || o.b)", "'no' || a", "l[0].b || not_null(a, b)"])
@settings(max_examples=25, deadline=None)
@given(records=st.lists(RECORDS, min_size=1, max_size=20))
def test_conditions_hold_as_for_one_record(text: str, records: list[Any]) -> None:
    expression, scope = Expression(text), Scope(Member())
    for record, (result, certain) in zip(records, ask(scope, scope.holds(expression.tree), records), strict=True):
        if certain:
            said = expression.search(parse_json(write(record)))
            assert result is (is_true(said) and not says_no(said)), record


@pytest.mark.parametrize("text", AMOUNTS)
@settings(max_examples=25, deadline=None)
@given(records=st.lists(RECORDS, min_size=1, max_size=20))
def test_sums_are_exact_or_no_number(text: str, records: list[Any]) -> None:
    expression, scope = Expression(text), Scope(Member())
    money = Money(minor=False, currency=None)
    for record, (result, certain) in zip(records, ask(scope, scope.amount(expression.tree), records), strict=True):
        if certain and result != "?":
            said = money.read(expression.search(parse_json(write(record))))
            assert said == (None if result is None else Decimal(result))


@pytest.mark.parametrize("text", ["a", "o.b", "a || b", "a == 'draft'", "l[0].b"])
def test_usual_values_are_certain(text: str) -> None:
    usual = {"a": "x", "b": 5, "o": {"b": None}, "l": [{"b": "1", "c": 2}]}
    scope = Scope(Member())
    assert ask(scope, scope.value(Expression(text).tree), [usual])[0][1]


@pytest.mark.parametrize("text", ["l[*].b", "l[-1].b", "a == b", "sort(l)", "starts_with(a, 'x')", "{x: a}", "a > `1`"])
def test_what_is_not_known_is_said(text: str) -> None:
    with pytest.raises(NotInBulkError):
        Scope(Member()).value(Expression(text).tree)


def test_a_value_and_what_is_in_it_are_not_both_read() -> None:
    scope = Scope(Member())
    for text in ("o", "o.b"):
        scope.value(Expression(text).tree)
    with pytest.raises(NotInBulkError, match="as itself, and into as an object or a list"):
        Reader(scope.member)
