"""The deep check of a described source: each record mapped by itself, and compared with what was read in bulk."""

from pathlib import Path

import httpx
import polars as pl
import pytest
from described_shop import DESCRIPTION, SmallShop, sale

from ordersetl import pipeline
from ordersetl.results import CheckOutcome


@pytest.fixture
def shop(tmp_path: Path) -> SmallShop:
    bundle = [{"article": "KIT", "count": 1, "sum": "25.00"}, {"article": "PART", "count": 2, "sum": "9", "part": True}]
    sales = [
        *(sale(number) for number in range(300)),  # enough for the bulk path
        sale(301, state="draft"),
        sale(302, total="a lot"),
        sale(303, lines=bundle),
        sale(304, lines=[{"article": "", "variant": 7, "count": "3", "sum": "10.00"}], total=None),
        sale(305, lines=[{"article": "A", "count": 1, "sum": -1}, {"article": "B", "count": 2, "sum": "3.00"}]),
        sale(306, placed="soon"),
        sale(307) | {"number": None},
    ]
    mapped = 'price = "each"\ntotal = "sum"\nskip = "part"\n'
    return SmallShop(tmp_path, sales, DESCRIPTION.replace('price = "each"\n', mapped))


def check(shop: SmallShop) -> dict[str, CheckOutcome]:
    result = pipeline.check(shop.settings(), deep=True, runtime=shop.runtime())
    return {outcome.name: outcome for outcome in result.outcomes if outcome.name.startswith("raw_")}


def test_what_was_mapped_is_what_raw_holds(shop: SmallShop) -> None:
    run = shop.run()
    assert run.transform.skipped_by_reason == {"drafts": 1}
    assert run.transform.rejected_by_reason == {"invalid_amount": 1, "invalid_created_at": 1, "missing_order_id": 1}
    assert (run.transform.lines_skipped, run.transform.lines_rejected_by_reason) == (1, {"invalid_price": 1})
    found = check(shop)
    assert all(outcome.ok for outcome in found.values()), found
    assert found["raw_orders"].detail.startswith(
        "Raw holds 306 records: 303 accepted versions of 303 orders in 603 rows"
    )


def test_a_line_of_quantity_0_adds_nothing_to_an_absent_total(shop: SmallShop) -> None:
    lines = [{"article": "A", "count": 1, "sum": "10.00"}, {"article": "B", "count": 0, "sum": "4.00"}]
    shop.sales = [sale(1, lines=lines, total=None)]
    shop.run()
    assert shop.curated("order_amount") == ["10.0000"]
    found = check(shop)
    assert all(outcome.ok for outcome in found.values()), found


class LargeLabels(SmallShop):
    """A shop whose currency is a number that no double holds."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=super().answer(request).text.replace('"EUR"', "1e400"))


def test_a_currency_that_is_a_number_past_any_double_is_no_alarm(tmp_path: Path) -> None:
    shop = LargeLabels(tmp_path, [sale(1)])
    shop.run()
    found = check(shop)
    assert all(outcome.ok for outcome in found.values()), found


def test_what_was_read_wrong_in_bulk_is_found(shop: SmallShop, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("ordersetl.transform.mapped_fields.read_amount", lambda *_, **__: pl.lit('"9.99"'))
        shop.run()
    assert not check(shop)["raw_orders"].ok


def test_the_mapping_that_counts_is_that_of_the_last_load(shop: SmallShop) -> None:
    shop.run()
    shop.description = shop.description.replace('amount = "total"', 'amount = "net"')
    shop.sales.append(sale(310))
    pipeline.extract(shop.settings(), runtime=shop.runtime())
    assert all(outcome.ok for outcome in check(shop).values())  # the newer mapping waits for the next load
    pipeline.transform(shop.settings(), runtime=shop.runtime())
    pipeline.load(shop.settings(), runtime=shop.runtime())
    assert all(outcome.ok for outcome in check(shop).values())
    assert "20.0000" in shop.curated("order_amount")


def test_a_lost_description_is_named(shop: SmallShop) -> None:
    shop.run()
    (kept,) = (shop.root / "output/raw/source").iterdir()
    kept.unlink()
    (damaged, *_) = [outcome for outcome in check(shop).values() if outcome.name == "raw_readable"]
    assert not damaged.ok
    assert any("description" in sample for sample in damaged.samples)
