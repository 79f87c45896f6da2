"""What a mapping looks at: every part of its expressions, in lists of each element, as what is read in bulk."""

from typing import Any

import pytest
from native_orders import USUAL

from ordersetl.source.description.loading import load_builtin
from ordersetl.source.description.mapping import Mapping
from ordersetl.transform.mapped_fields import find_bulk_mapping
from ordersetl.transform.mapped_paths import Member
from ordersetl.transform.used_fields import FieldTally
from ordersetl.transform.used_paths import list_asked, list_used

ORDER = {"order_id": "id", "created_at": "made"}
ITEMS = {"list": "lines", "sku": "code", "qty": "count"}
ALWAYS = {"id", "made", "lines"}
RECORD: dict[str, Any] = {
    "id": 1,
    "made": "2025-08-20",
    "lines": [],
    "adj": [{"promo": 1, "kind": "x", "parts": [{"of": 1}]}, {"promo": 2, "kind": 5}],
    "pair": {"a": 1, "b": {"c": 2}},
    "other": {"b": {"c": 3}},
}


def count(record: Member, *given: object) -> dict[str, tuple[int, dict[str, int]]]:
    tally = FieldTally(record, ())
    for one in given:
        tally.add(one)
    return {path: (found.of, found.types) for path, found in tally.counts().items()}


def find_used(expression: str) -> set[str]:
    """Paths that an expression looks at, apart from those of all mappings, and there are in the record."""
    mapping = Mapping.model_validate({"order": ORDER | {"promo": expression}, "items": ITEMS})
    return {path for path, (_, types) in count(list_used(mapping), RECORD).items() if types} - ALWAYS


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("pair.a", {"pair.a"}),
        ("pair.[a, b.c]", {"pair.a", "pair.b.c"}),
        ("pair.{x: a, y: b.c}", {"pair.a", "pair.b.c"}),
        ("pair | b | c", {"pair.b.c"}),
        ("pair.b.c || other.b.c", {"pair.b.c", "other.b.c"}),
        ("(pair || other).b.c", {"pair.b.c", "other.b.c"}),
        ("not_null(pair, other).b.c", {"pair.b.c", "other.b.c"}),
        ("pair.a && other.b.c", {"pair.a", "other.b.c"}),
        ("pair.a == other.b.c", {"pair.a", "other.b.c"}),
        ("!(pair.a)", {"pair.a"}),
        ("to_string(pair.a)", {"pair.a"}),
        ("adj[].promo", {"adj", "adj[].promo"}),
        ("adj[*].promo | [0]", {"adj", "adj[].promo"}),
        ("adj[*] | [0].promo", {"adj", "adj[].promo"}),
        ("adj[:1].promo", {"adj", "adj[].promo"}),
        ("adj[0].promo", {"adj[0].promo"}),
        ("adj[-1].promo", {"adj[-1].promo"}),
        ("adj[?kind=='x'].promo", {"adj", "adj[].kind", "adj[].promo"}),
        ("adj[].[promo, kind]", {"adj", "adj[].promo", "adj[].kind"}),
        ("adj[].parts[].of", {"adj", "adj[].parts", "adj[].parts[].of"}),
        ("adj[*].parts[*].of | [0][0]", {"adj", "adj[].parts", "adj[].parts[].of"}),
        ("[pair, other][].b.c", {"pair", "pair.b.c", "other", "other.b.c"}),
        ("sum(adj[].promo)", {"adj", "adj[].promo"}),
        ("sum(map(&promo, adj))", {"adj", "adj[].promo"}),
        ("max_by(adj, &promo).kind", {"adj", "adj[].promo", "adj[].kind"}),
        ("reverse(sort_by(adj, &promo))[0].kind", {"adj", "adj[].promo", "adj[].kind"}),
        ("to_array(pair)[].b.c", {"pair", "pair.b.c"}),
        ("values(pair)", {"pair"}),
        ("pair.*.c", {"pair"}),
        ("'WEB'", set()),
    ],
)
def test_every_part_of_an_expression_is_followed(expression: str, paths: set[str]) -> None:
    assert find_used(expression) == paths


def test_a_field_of_elements_is_counted_of_those_that_count() -> None:
    mapping = Mapping.model_validate(
        {"order": ORDER | {"promo": "adj[?kind=='x'].promo | [0]", "tax": "sum(adj[].promo)"}, "items": ITEMS}
    )
    filtered = Mapping.model_validate({"order": ORDER | {"promo": "adj[?kind=='x'].promo | [0]"}, "items": ITEMS})
    record = {"adj": [{"kind": "x", "promo": "A"}, {"kind": "y", "promo": {}}, {"kind": "x"}, "odd"]}
    assert count(list_used(filtered), record)["adj[].promo"] == (2, {"text": 1})
    assert count(list_used(filtered), record)["adj[].kind"] == (4, {"text": 3})
    assert count(list_used(mapping), record)["adj[].promo"] == (6, {"text": 2, "object": 1})
    assert "adj[].promo" not in count(list_used(filtered), {"adj": []}, {"adj": None}, {})


@pytest.mark.parametrize("listed", ["lines || `[]`", "lines[?code] || `[]`", "lines[] || `[]`"])
def test_a_list_that_may_be_absent_is_not_counted_and_its_elements_are(listed: str) -> None:
    mapping = Mapping.model_validate({"order": ORDER, "items": ITEMS | {"list": listed}})
    found = count(list_used(mapping), {"lines": [{"code": "A"}]}, {})
    assert "lines" not in found
    assert found["lines[].count"] == (1, {})


@pytest.mark.parametrize("listed", ["lines[]", "[lines, more][]", "lines || more", "lines[:9]", "to_array(lines)"])
def test_lines_that_are_more_than_a_path_are_looked_into(listed: str) -> None:
    mapping = Mapping.model_validate({"order": ORDER, "items": ITEMS | {"list": listed}})
    assert count(list_used(mapping), {"lines": [{"code": "A"}, {}]})["lines[].code"] == (2, {"text": 1})


def test_many_parts_do_not_double_the_work() -> None:
    for expression in ("a" + "[]" * 24, "to_array(" * 45 + "a" + ")" * 45, "(a || " * 45 + "a" + ")" * 45):
        assert list_used(Mapping.model_validate({"order": ORDER | {"promo": expression}, "items": ITEMS})).members


def test_false_says_something_to_conditions_comparisons_and_functions_alone() -> None:
    parts: dict[str, Any] = {
        "order": ORDER | {"promo": "a || b", "source": "c && d", "deleted": "e || f", "country": "to_string(g)"},
        "items": ITEMS | {"list": "lines[?h]", "name": "!i && j", "skip": "k"},
        "skip": [{"name": "s", "when": "l == `true`"}],
    }
    asked = {*"cdefgl", *(f"lines[].{name}" for name in "hijk")}
    assert list_asked(Mapping.model_validate(parts)) == asked


@pytest.mark.parametrize("source", USUAL)
def test_what_is_counted_of_single_records_is_what_is_read_in_bulk(source: str) -> None:
    mapping = load_builtin(source).description.mapping
    assert mapping is not None
    in_bulk = find_bulk_mapping(mapping)
    assert in_bulk is not None
    read, followed = (count(record, USUAL[source]) for record in (in_bulk.record, list_used(mapping)))
    assert read.keys() == followed.keys()
    filtered = {path for path in read if read[path] != followed[path]}  # in bulk all elements are counted
    begin = {"magento": "creditmemos[].", "bigcommerce": "refunds[].payments[].", "amazon": "proceeds.breakdowns[]."}
    assert all(path.startswith(begin.get(source, "none")) for path in filtered)
