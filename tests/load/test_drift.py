"""Drift: a field that the mapping uses, that every record had, and that is no longer what it was."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from described_shop import SmallShop, sale

from ordersetl import pipeline
from ordersetl.errors import CheckFailedError
from ordersetl.lake.field_counts import FieldCount, FieldCounts, FieldHistory, Pending
from ordersetl.lake.layout import Lake
from ordersetl.lake.staged import StageMarker, read_stage
from ordersetl.load.drift import advance_history, fold_history


def counts(records: int = 100, **fields: dict[str, int]) -> FieldCounts:
    return FieldCounts({path: FieldCount(records, types) for path, types in fields.items()})


def advance(*steps: tuple[FieldCounts, str]) -> tuple[FieldHistory, list[str]]:
    history, notes = FieldHistory(), list[str]()
    for number, (given, setting) in enumerate(steps):
        history, told = advance_history(history, given, f"b{number}", drift=setting)  # type: ignore[arg-type]
        notes += told
    return history, notes


@pytest.mark.parametrize(
    ("before", "new", "problem"),
    [
        ({"total": {"text": 100}}, {"total": {}}, "vanished: it was in all of 100 before, and is in none of 100 since"),
        ({"total": {"text": 100}}, {"total": {"number": 3, "text": 97}}, "changed its type: it was text in all of 100"),
        ({"total": {"text": 99}}, {"total": {}}, None),
        ({"total": {"number": 50, "text": 50}}, {"total": {}}, "vanished"),
        ({"total": {"number": 50, "text": 50}}, {"total": {"text": 100}}, None),
        ({"total": {"number": 50, "text": 50}}, {"total": {"list": 1}}, "changed its type: it was number or text in"),
        ({"total": {}}, {"total": {"text": 100}}, None),
    ],
)
def test_what_drifts(before: dict[str, Any], new: dict[str, Any], problem: str | None) -> None:
    history, notes = advance((counts(**before), "fail"), (counts(**new), "fail"))
    assert notes == []
    assert [found.problem[: len(problem or "")] for found in history.drift] == ([] if problem is None else [problem])


def test_one_that_is_not_in_every_record_any_more_is_told_once() -> None:
    steps = [(counts(a={"text": 100}), "fail"), (counts(a={"text": 1}), "fail"), (counts(a={"text": 1}), "fail")]
    history, notes = advance(*steps)
    assert history.drift == ()
    assert notes == ["the field a, which all had so far, is not in 99 of 100"]


def test_ninety_nine_records_are_not_enough_and_no_new_ones_say_nothing() -> None:
    few, enough, gone = counts(99, a={"text": 99}), counts(a={"text": 100}), counts(a={})
    assert advance((few, "fail"), (gone, "fail"))[0].drift == ()
    assert advance((enough, "fail"), (counts(0, a={}), "fail"))[0].drift == ()
    assert advance((enough, "fail"), (counts(3, a={}), "fail"))[0].drift[0].batch == "b1"


def test_one_or_two_that_lack_a_field_are_no_change_three_in_a_row_are() -> None:
    full, one, two, back = counts(a={"text": 100}), counts(1, a={}), counts(2, a={}), counts(50, a={"text": 50})
    assert advance((full, "fail"), (one, "fail"), (one, "fail")) == (
        FieldHistory(full.used, 0, {}, (), {"a": Pending(row=2)}),
        [],
    )
    history, _ = advance((full, "fail"), (one, "fail"), (two, "fail"))
    assert [(found.batch, found.problem[-18:]) for found in history.drift] == [("b2", "in none of 3 since")]
    history, notes = advance((full, "fail"), (two, "fail"), (back, "fail"), (two, "fail"), (two, "fail"))
    assert notes == ["the field a, which all had so far, is not in 2 of 52"]
    assert (history.drift, history.pending) == ((), {})
    assert advance((full, "fail"), (one, "fail"), (counts(1, a={"number": 1}), "fail"))[0].drift[0].batch == "b2"


def test_it_stays_until_the_field_is_back_as_it_was() -> None:
    full, gone, other = counts(a={"text": 100}), counts(a={}), counts(a={"number": 100})
    assert advance((full, "fail"), (gone, "fail"), (gone, "fail"))[0].drift[0].batch == "b1"
    assert advance((full, "fail"), (gone, "fail"), (counts(0, a={}), "fail"))[0].drift
    assert advance((full, "fail"), (gone, "fail"), (full, "fail"))[0].drift == ()
    assert advance((full, "fail"), (other, "fail"), (other, "fail"))[0].drift
    assert advance((full, "fail"), (other, "fail"), (full, "fail"))[0].drift == ()


def test_old_records_that_lookback_brings_beside_the_new_ones_hide_no_drift() -> None:
    full, mixed = counts(a={"text": 200}, records=200), counts(31, a={"text": 11})
    history, notes = advance((full, "fail"), (mixed, "fail"), (counts(31, a={}), "fail"))
    assert [found.batch for found in history.drift] == ["b2"]
    assert notes == ["the field a, which all had so far, is not in 20 of 31"]
    few = [(counts(13, a={"text": 13 - lacking}), "fail") for lacking in (2, 4, 4, 8, 10, 12)]
    history, notes = advance((full, "fail"), *few)
    assert (history.drift, notes) == ((), ["the field a, which all had so far, is not in 2 of 13"])
    gone = counts(13, a={})
    assert [found.batch for found in advance((full, "fail"), *few, (gone, "fail"), (gone, "fail"))[0].drift] == ["b8"]


def test_a_field_that_some_have_and_some_have_not_is_one_that_a_record_may_lack() -> None:
    full, some, none = counts(a={"text": 100}), counts(20, a={"text": 15}), counts(50, a={})
    for between in (counts(20, a={"text": 20}), counts(20, a={"text": 16})):  # fewer lack it: it comes and goes
        history, notes = advance((full, "fail"), (some, "fail"), (between, "fail"), (none, "fail"))
        assert (history.drift, history.pending) == ((), {})
        assert notes == ["the field a, which all had so far, is not in 5 of 20"]


def test_a_few_guests_in_a_row_are_no_drift_where_there_were_guests_before() -> None:
    full, first, guests = counts(a={"text": 100}), counts(20, a={"text": 19}), counts(3, a={})
    assert advance((full, "fail"), (first, "fail"), *[(guests, "fail")] * 6)[0].drift == ()
    assert advance((full, "fail"), (first, "fail"), *[(guests, "fail")] * 7)[0].drift[0].batch == "b8"


@pytest.mark.parametrize("shares", [[9] * 30, [99, 98, 97, 96, 95]], ids=["equal", "ever fewer"])
def test_a_field_that_nine_in_ten_have_since_is_gone_after_a_hundred_in_a_row(shares: list[int]) -> None:
    full, size = counts(a={"text": 100}), 10 if max(shares) < 10 else 100
    steps = [(full, "fail"), *((counts(size, a={"text": seen}), "fail") for seen in shares)]
    guests, other = counts(33, a={}), counts(25, a={"number": 25})
    history, notes = advance(*steps, *[(guests, "fail")] * 3)
    assert history.drift == ()
    assert notes == [f"the field a, which all had so far, is not in {size - shares[0]} of {size}"]
    (gone,) = advance(*steps, *[(guests, "fail")] * 4)[0].drift
    seen, of = sum(shares), size * len(shares)
    assert gone.problem.endswith(f"in all of 100 before, in {seen} of {of} since, and is in none of the newest 132")
    assert "changed its type" in advance(*steps, (other, "fail"))[0].drift[0].problem


def test_a_drift_says_how_many_had_the_field_since_the_first_lacked_it() -> None:
    full, few = counts(a={"text": 100}), [(counts(10, a={"text": seen}), "fail") for seen in (8, 8, 7)]
    (gone,) = advance((full, "fail"), *few, (counts(10, a={}), "fail"), (counts(15, a={}), "fail"))[0].drift
    assert gone.problem == "vanished: it was in all of 100 before, in 23 of 30 since, and is in none of the newest 25"
    (other,) = advance((full, "fail"), *few, (counts(15, a={"text": 14, "number": 1}), "fail"))[0].drift
    assert other.problem == (
        "changed its type: it was text in all of 100 before, in 23 of 30 since, and is number in 1 of the newest 15"
    )


@pytest.mark.parametrize("lookback", [0, 1, 10, 50])
def test_a_field_that_vanished_drifts_however_many_old_records_lookback_brings(lookback: int) -> None:
    """From the last record of a run on; each run brings a hundred new ones, and those of so many runs before."""
    size = 100 * (lookback + 1)
    seen = [size - 1, *(100 * left for left in range(lookback, -1, -1))]
    steps = [(counts(size, a={"text": found} if found else {}), "fail") for found in seen]
    history, _ = advance((counts(a={"text": 100}), "fail"), *steps)
    assert [found.batch for found in history.drift] == [f"b{len(steps)}"]


def test_an_old_record_that_has_the_field_closes_no_drift_that_others_keep_open() -> None:
    full, gone, nearly = counts(a={"text": 100}), counts(32, a={}), counts(32, a={"text": 1})
    assert advance((full, "fail"), (gone, "fail"), (nearly, "fail"), (gone, "fail"))[0].drift[0].batch == "b1"
    history, _ = advance((full, "fail"), (gone, "fail"), (nearly, "fail"), (counts(2, a={"text": 1}), "fail"))
    assert (history.drift, history.pending) == ((), {})


def test_warn_tells_once_and_takes_it_as_it_is_from_then_on() -> None:
    full, other = counts(a={"text": 100}), counts(a={"number": 100})
    history, notes = advance((full, "fail"), (other, "fail"), (other, "warn"), (other, "fail"))
    assert history.drift == ()
    assert len(notes) == 1
    assert "the field a, which the mapping uses, changed its type" in notes[0]
    assert advance((full, "fail"), (other, "warn"), (full, "fail"))[0].drift[0].field == "a"
    assert advance((full, "fail"), (other, "ignore"), (other, "fail")) == (history, [])


def test_all_that_is_folded_again_is_taken_as_it_is() -> None:
    full, other = counts(a={"text": 100}), counts(a={"number": 100})
    history = fold_history([full, other])
    assert history.drift == ()
    assert history.used == {"a": FieldCount(100, {"number": 100})}


def test_other_fields_that_come_and_go_are_told_once() -> None:
    def sample(*paths: str) -> FieldCounts:
        return FieldCounts({}, 100, {path: FieldCount(100, {"text": 100}) for path in paths})

    steps = [(sample(*paths), "fail") for paths in (("a", "b"), ("a", "c"), ("a", "c"), ("a", "c", "b"))]
    history, notes = advance(*steps)
    assert notes == [
        "the records have no b any more, which all had so far",
        "the records have c now, which none had so far: no mapping uses it",
        "the records have b now, which none had so far: no mapping uses it",
    ]
    assert history.drift == ()
    assert advance(*[(given, "ignore") for given, _ in steps])[1] == []


# Over the whole pipeline


@pytest.fixture
def shop(tmp_path: Path) -> SmallShop:
    shop = SmallShop(tmp_path, [sale(number) for number in range(120)])
    shop.run()
    return shop


def test_a_field_that_vanished_fails_the_run_until_the_mapping_follows(shop: SmallShop) -> None:
    shop.sales = [{**sale(number, total=None), "sum": "25.00"} for number in range(125)]
    for _ in range(2):  # a scheduler tries again, and must not find all well then
        with pytest.raises(CheckFailedError) as caught:
            shop.run()
        assert caught.value.exit_code == 3
        assert "source_fields" in caught.value.message
        assert "field=total" in caught.value.message
        assert "vanished: it was in all of 120 before, and is in none of" in caught.value.message
        assert "drift = warn" in caught.value.hint
    failing = pipeline.check(shop.settings())
    assert [outcome.name for outcome in failing.outcomes if not outcome.ok] == ["source_fields"]
    shop.description = shop.description.replace('amount = "total"', 'amount = "total || sum"')
    assert shop.run().check.ok
    assert shop.run().check.ok


def test_a_field_of_lines_that_changed_its_type_can_be_taken_as_it_is(
    shop: SmallShop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.sales.append(sale(200, lines=[{"article": "A", "count": "2", "each": "12.50"}]))
    with pytest.raises(CheckFailedError, match=r"field=lines\[\]\.count.*number in all of 240 before.*text in 1"):
        shop.run()
    with pytest.raises(CheckFailedError):  # nothing new, and still failed
        shop.run()
    taken = shop.run(drift="warn")
    assert taken.check.ok
    assert len(taken.load.source_changes) == 1
    assert "the field lines[].count, which the mapping uses, changed its type" in caplog.text
    shop.sales.append(sale(202, lines=[{"article": "A", "count": "2", "each": "12.50"}]))
    assert shop.run().check.ok


@pytest.mark.parametrize(
    "expression", ["sums.[promo, manual]", "adj[].promo", "adj[*].promo", "sum(adj[].promo)", "sums | promo"]
)
def test_a_field_that_vanished_from_any_part_of_an_expression_fails_the_run(tmp_path: Path, expression: str) -> None:
    def discounted(number: int, name: str) -> dict[str, Any]:
        return sale(number, sums={name: 2, "manual": 1}, adj=[{name: 2}])

    shop = SmallShop(tmp_path, [discounted(number, "promo") for number in range(120)])
    shop.description = shop.description.replace('status = "state"', f'status = "state"\ndiscount = "{expression}"')
    shop.run()
    shop.sales += [discounted(number, "rebate") for number in range(200, 230)]
    shop.run()  # with some old ones, which lookback brings
    shop.sales += [discounted(number, "rebate") for number in range(300, 330)]
    path = "adj[].promo" if "adj" in expression else "sums.promo"
    with pytest.raises(CheckFailedError, match=re.escape(f"field={path}, problem=vanished: it was in all of 120")):
        shop.run()


FLAGS = 'status = "state"\npromo = "promo || null"\nsource = "shop"\ncancelled = "off"'


def flagged(number: int, **changes: Any) -> dict[str, Any]:
    return sale(number, **{"promo": False, "shop": "web", "off": False, **changes})


@pytest.mark.parametrize("expression", ["promo || null", "[promo] | [0]"])
def test_false_in_place_of_a_text_is_an_absence(tmp_path: Path, expression: str) -> None:
    shop = SmallShop(tmp_path, [flagged(number) for number in range(120)])
    shop.description = shop.description.replace('status = "state"', FLAGS.replace("promo || null", expression))
    shop.run()
    shop.sales += [flagged(200, promo="XMAS"), flagged(201, shop=False)]
    assert shop.run().check.ok
    shop.sales += [flagged(number, shop=False) for number in range(300, 325)]
    shop.run()
    shop.sales += [flagged(number, shop=False) for number in range(400, 425)]  # as null would be
    with pytest.raises(CheckFailedError, match=r"field=shop, problem=vanished"):
        shop.run()


@pytest.mark.parametrize("condition", ["off", "off == `true`", "!(off)", "off && state == 'x'", "off || promo"])
def test_a_boolean_that_became_a_text_is_drift(tmp_path: Path, condition: str) -> None:
    shop = SmallShop(tmp_path, [flagged(number) for number in range(120)])
    flags = FLAGS.replace('"off"', f'"{condition}"')
    shop.description = shop.description.replace('status = "state"', flags)
    shop.run()
    shop.sales.append(flagged(200, off="no"))
    with pytest.raises(CheckFailedError, match=r"field=off, problem=changed its type: it was boolean.*text in 1"):
        shop.run()


@pytest.mark.parametrize("bulk", [True, False])
def test_false_is_counted_where_a_condition_asks(tmp_path: Path, *, bulk: bool) -> None:
    odd = [flagged(700, promo=True, off=True), flagged(701, promo="A", off="no"), flagged(702, lines=False)]
    shop = SmallShop(tmp_path, [*(flagged(number) for number in range(600)), *odd])
    shop.description = shop.description.replace('status = "state"', FLAGS)
    shop.run(bulk=bulk, page_size=500)
    used = read_used(tmp_path)
    assert used["promo"] == FieldCount(603, {"boolean": 1, "text": 1})
    assert used["off"] == FieldCount(603, {"boolean": 602, "text": 1})
    assert used["lines"] == FieldCount(603, {"list": 602})


def read_only_stage(folder: Path) -> StageMarker:
    (batch,) = (path.name for path in (folder / "output/staged").iterdir())
    stage = read_stage(Lake(folder / "output"), batch)
    assert stage is not None
    return stage


def read_used(folder: Path) -> dict[str, FieldCount]:
    return read_only_stage(folder).fields.used


REFUNDS = """
[mapping.refunds]
list = "credits"
refund_id = "id"
created_at = "at"
amount = "value"

[mapping.refunds.items]
list = "of"
sku = "article"
qty = "count"
amount = "value"
"""


REFUNDS_CALL = """
[[calls]]
name = "credits"
when = "refunded"
path = "/sales/${number}/credits"
with = { number = "number" }
records = "@"
into = "credits"
"""


def credit(number: int) -> dict[str, Any]:
    part = {"article": "A", "count": 1, "value": "1.00"}
    return {"id": number, "at": "2025-08-20T10:00:00Z", "value": "1.00", "of": [part]}


@pytest.mark.parametrize("change", ["renamed", "object", "text"])
def test_a_list_that_vanished_fails_the_run(tmp_path: Path, change: str) -> None:
    shop = SmallShop(tmp_path, [sale(number, credits=[credit(number)]) for number in range(120)])
    shop.description += REFUNDS
    shop.run()
    found = [credit(1)]
    shapes: dict[str, dict[str, Any]] = {
        "renamed": {"refunds": found},
        "object": {"credits": {"data": found}},
        "text": {"credits": "see"},
    }
    shop.sales = [sale(number, **shapes[change]) for number in range(125)]
    problem = "vanished: it was in all" if change == "renamed" else "changed its type: it was list"
    for _ in range(2):
        with pytest.raises(CheckFailedError, match=f"field=credits, problem={problem}"):
            shop.run(min_rejects=100)


def test_a_list_that_is_empty_is_there(tmp_path: Path) -> None:
    shop = SmallShop(tmp_path, [sale(number, credits=[credit(number)]) for number in range(120)])
    shop.description += REFUNDS
    shop.run()
    shop.sales += [sale(number, credits=[]) for number in range(200, 210)]
    assert shop.run().check.ok


@pytest.mark.parametrize("bulk", [True, False])
def test_lists_are_counted_of_what_they_are_in(tmp_path: Path, *, bulk: bool) -> None:
    odd: list[Any] = [None, [], "x", [{"of": None}, None]]
    lists = [[credit(number)] for number in range(600)] + odd
    shop = SmallShop(tmp_path, [sale(number, credits=given) for number, given in enumerate(lists)])
    shop.description += REFUNDS
    shop.run(bulk=bulk, page_size=500)
    used = read_used(tmp_path)
    assert used["credits"] == FieldCount(604, {"list": 602, "text": 1})
    assert used["credits[].of"] == FieldCount(602, {"list": 600})
    assert used["credits[].of[].article"] == FieldCount(600, {"text": 600})


@pytest.mark.parametrize("bulk", [True, False])
def test_a_list_that_may_be_absent_is_not_counted(tmp_path: Path, *, bulk: bool) -> None:
    shop = SmallShop(tmp_path, [sale(number) for number in range(600)])
    shop.description = shop.description.replace('list = "lines"', 'list = "lines || `[]`"')
    shop.run(bulk=bulk, page_size=500)
    assert "lines" not in read_used(tmp_path)


class CallShop(SmallShop):
    """A shop that lists refunds by a call for each sale that has some."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/credits"):
            return httpx.Response(200, json=[credit(1)])
        return super().answer(request)


def test_a_list_that_calls_fill_is_where_they_were_made(tmp_path: Path) -> None:
    shop = CallShop(tmp_path, [sale(number, refunded=1) for number in range(120)])
    shop.description += REFUNDS + REFUNDS_CALL
    shop.run()
    used = read_used(tmp_path)
    assert used["credits[].of"] == FieldCount(120, {"list": 120})
    assert "credits" not in used
    shop.sales = [sale(number) for number in range(125)]
    assert shop.run().check.ok


@pytest.mark.parametrize("bulk", [True, False])
def test_what_the_mapping_uses_is_counted_exactly_in_bulk_or_one_by_one(tmp_path: Path, *, bulk: bool) -> None:
    odd = {"buyer": None, "lines": [{"article": "", "count": 1.5, "variant": 7}]}
    sales = [*(sale(number) for number in range(600)), sale(700, **odd), sale(701, state="draft")]
    shop = SmallShop(tmp_path, sales)
    shop.run(bulk=bulk, page_size=500)
    stage = read_only_stage(tmp_path)
    used = stage.fields.used
    assert used["total"] == FieldCount(602, {"text": 602})
    assert used["buyer.id"] == FieldCount(602, {"text": 601})
    assert used["lines[].article"] == FieldCount(1203, {"text": 1202})
    assert used["lines[].count"] == FieldCount(1203, {"number": 1203})
    assert used["lines[].variant"] == FieldCount(1203, {"number": 1})
    assert used["state"] == FieldCount(602, {"text": 602})
    assert used["lines"] == FieldCount(602, {"list": 602})
    assert 0 < stage.fields.sampled <= 130
    assert stage.fields.others["net"].types.keys() == {"text"}
    assert "total" not in stage.fields.others


def test_what_cannot_be_read_in_bulk_changes_no_count_of_the_rest(tmp_path: Path) -> None:
    odd: list[Any] = [[], [{}], [{"promo": ""}, None], "x", None]
    sales = [sale(number, adj=given) for number, given in enumerate(odd)]
    sales += [sale(number, adj=[{"promo": "1.00"}, {"promo": 2}]) for number in range(5, 600)]
    used = []
    for status in ("state", "sums | state"):
        shop = SmallShop(tmp_path / status[:4], sales)
        shop.root.mkdir()
        parts = f'status = "{status}"\ndiscount = "adj[*].promo"\nsource = "state"'
        shop.description = shop.description.replace('status = "state"', parts)
        shop.run(page_size=500)
        used.append(read_used(shop.root))
    in_bulk, one_by_one = used
    assert in_bulk["adj[].promo"] == FieldCount(1193, {"number": 595, "text": 595})
    assert one_by_one == {**in_bulk, "sums.state": FieldCount(600)}
