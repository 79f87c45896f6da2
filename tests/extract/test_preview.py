"""A preview: what becomes of the first page's orders, and nothing is written."""

from decimal import Decimal
from pathlib import Path

import pytest
from described_shop import SmallShop, sale

from ordersetl import pipeline
from ordersetl.errors import ConfigError, SourceError
from ordersetl.results import PreviewResult
from ordersetl.window import Window


def preview(shop: SmallShop, orders: int = 20) -> PreviewResult:
    return pipeline.preview(shop.settings(), orders=orders, runtime=shop.runtime())


def test_it_shows_orders_rejects_and_what_is_skipped(tmp_path: Path) -> None:
    lines = [{"article": "", "count": 1, "each": "25"}, {"count": 1, "each": "1", "variant": 9}]
    odd = [sale(2, total="much"), sale(3, state="draft"), sale(4, lines=lines, total="26")]
    result = preview(SmallShop(tmp_path, [sale(1), *odd]))
    assert (result.received, result.accepted, result.rejected) == (4, 2, 1)
    assert result.skipped_by_reason == {"drafts": 1}
    assert result.lines_rejected_by_reason == {"missing_sku": 1}
    first, last = result.orders
    assert (first.order_id, first.amount, first.currency, first.user_id) == ("1", Decimal(25), "EUR", "b1")
    assert [(line.sku, line.qty, line.item_price) for line in first.lines] == [
        ("A", Decimal(2), Decimal(10)),
        ("B", Decimal(1), Decimal(5)),
    ]
    assert [line.sku for line in last.lines] == ["variant:9"]
    assert [(bad.index, bad.line, bad.order_id, bad.reason) for bad in result.rejects] == [
        (1, None, "2", "invalid_amount"),
        (3, 0, "4", "missing_sku"),
    ]


def test_one_page_of_so_many_is_asked_for_and_nothing_written(tmp_path: Path) -> None:
    shop = SmallShop(tmp_path, [sale(number) for number in range(30)])
    result = preview(shop, 3)
    assert [url.params["size"] for url in shop.asked] == ["3"]
    assert (len(result.orders), result.received) == (3, 3)
    assert {path.name for path in tmp_path.iterdir()} == {"small.toml"}
    shop.asked.clear()
    assert len(preview(shop, 900).orders) == 30
    assert [url.params["size"] for url in shop.asked] == ["500"]


def test_a_window_is_asked_for_and_an_empty_answer_is_shown(tmp_path: Path) -> None:
    shop = SmallShop(tmp_path)
    shop.settings()
    since = shop.now.replace(month=8)
    result = pipeline.preview(shop.settings(), Window(since), runtime=shop.runtime())
    assert (result.received, result.orders, result.since) == (0, (), since)
    assert shop.asked[0].params["from"] == "2025-08-01T12:00:00Z"


def test_what_a_run_would_refuse_is_refused(tmp_path: Path) -> None:
    shop = SmallShop(tmp_path, description="name = 1")
    with pytest.raises(ConfigError, match=r"small\.toml, line 1: name"):
        preview(shop)
    with pytest.raises(ConfigError, match="a preview of 0 orders shows nothing"):
        preview(SmallShop(tmp_path), 0)
    wrong = SmallShop(tmp_path)
    wrong.description = wrong.description.replace('"data.sales"', '"data.orders"')
    with pytest.raises(SourceError, match=r"data\.orders"):
        preview(wrong)
