"""Batches that have pages and no marker: read by the description that fetched them, and not dropped once committed."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from described_shop import DESCRIPTION, SmallShop, sale

from ordersetl import pipeline
from ordersetl.errors import OrdersetlError, SourceError
from ordersetl.lake import listing, raw
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import MARKER, list_batches, list_unfinished
from ordersetl.status.overview import read_status
from ordersetl.window import Backfill, Window

CALL = """\
[[calls]]
name = "lines"
path = "/sales/${number}/lines"
with = { number = "number" }
records = "@"
into = "lines"

[mapping.order]
"""
WITH_CALL = DESCRIPTION.replace("[mapping.order]\n", CALL)
DAY = timedelta(days=1)
CUT = Window(datetime(2025, 8, 19, tzinfo=UTC), datetime(2025, 8, 22, tzinfo=UTC))
ELSEWHERE = DESCRIPTION.replace("data.sales", "data.orders")


class ChangedShop(SmallShop):
    """A shop whose lines and list can be asked for in other places, as its description says."""

    fails_from: int = 9

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/lines"):
            return httpx.Response(200, json=[{"article": "Z", "count": 1, "each": "5.00"}])
        if int(request.url.params["page"]) >= self.fails_from:
            return httpx.Response(500)
        answer = super().answer(request)
        if self.description != ELSEWHERE:
            return answer
        data: dict[str, Any] = json.loads(answer.content)["data"]
        return httpx.Response(200, json={"data": {"count": data["count"], "orders": data["sales"]}})

    @property
    def lake(self) -> Lake:
        return Lake(self.root / "output")

    @property
    def pages(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.root.glob("output/raw/*Z/page-*")}

    def folder(self, batch: str) -> Path:
        return self.root / "output/raw" / batch

    def run_later(self, **changes: Any) -> None:
        self.now += timedelta(hours=2)
        self.run(max_retries=0, **changes)


@pytest.fixture
def shop(tmp_path: Path) -> ChangedShop:
    """A shop with two batches by its first description."""
    shop = ChangedShop(tmp_path)
    for numbers in ([1, 2, 3], [61, 62]):
        shop.sales += [sale(number) for number in numbers]
        shop.run_later(page_size=2)
    assert len(list_batches(shop.lake)) == 2
    return shop


@pytest.mark.parametrize("description", [DESCRIPTION, WITH_CALL, ELSEWHERE])
@pytest.mark.parametrize("has_manifest", [True, False])
def test_a_lost_marker_is_made_again_by_the_description_of_its_batch(
    shop: ChangedShop, description: str, *, has_manifest: bool
) -> None:
    shop.description = description
    shop.sales.append(sale(121))
    shop.run_later()
    first, before, pages = list_batches(shop.lake)[0], shop.curated("sku"), shop.pages
    marker = raw.read_marker(shop.lake, first)
    (shop.folder(first) / MARKER).unlink()
    if not has_manifest:
        (shop.root / "output/curated/_manifest.json").unlink()
        shutil.rmtree(shop.root / "output/staged")
    shop.run_later()
    assert pages.items() <= shop.pages.items()
    assert raw.read_marker(shop.lake, first).pages == marker.pages
    assert shop.curated("sku") == before
    assert pipeline.load(shop.settings(), rebuild=True, runtime=shop.runtime()).rows == len(before)
    assert pipeline.check(shop.settings(), deep=True, runtime=shop.runtime()).ok


def _lose_page(shop: ChangedShop, batch: str) -> None:
    (shop.folder(batch) / "page-00002.json").unlink()


def _lose_request(shop: ChangedShop, batch: str) -> None:
    (shop.folder(batch) / "_request.json").write_bytes(b"{")


def _lose_description(shop: ChangedShop, batch: str) -> None:
    request = raw.read_request(shop.lake, batch)
    assert request is not None
    (shop.root / f"output/raw/source/{request.description}.toml").unlink()
    shutil.rmtree(shop.root / "output/staged")


@pytest.mark.parametrize("lose", [_lose_page, _lose_request, _lose_description])
def test_pages_that_were_committed_once_are_never_deleted(
    shop: ChangedShop, lose: Callable[[ChangedShop, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    first = list_batches(shop.lake)[0]
    lose(shop, first)
    (shop.folder(first) / MARKER).unlink()
    (shop.root / "output/curated/_manifest.json").unlink()
    pages = shop.pages
    shop.description = WITH_CALL
    for _ in range(2):
        pipeline.extract(shop.settings(), runtime=shop.runtime())
    assert pages.items() <= shop.pages.items()
    assert list_unfinished(shop.lake) == [first]
    assert (f"{first} has no marker, and stays as it is" in caplog.text) == (lose is _lose_description)


@pytest.fixture
def lost(shop: ChangedShop, monkeypatch: pytest.MonkeyPatch) -> str:
    """A batch that lost its marker, and that is so old that no listing looks for it."""
    first = list_batches(shop.lake)[0]
    monkeypatch.setattr(listing, "_LOOKED_AT", 1)
    (shop.folder(first) / MARKER).unlink()
    assert list_unfinished(shop.lake) == []
    return first


def test_a_lost_marker_of_an_old_batch_is_said_and_made_again_as_the_hints_say(shop: ChangedShop, lost: str) -> None:
    said = "`ordersetl run --verify` makes"
    shop.run_later()
    (problem,) = read_status(shop.lake, shop.now).problems
    assert problem.startswith(f"{shop.lake.folder / 'raw'} lacks the batch.json of 1 batch")
    assert said in problem
    checked = pipeline.check(shop.settings(), runtime=shop.runtime())
    (failed,) = (outcome for outcome in checked.outcomes if not outcome.ok)
    assert failed.samples == ({"batch": lost, "problem": "has lost its batch.json"},)
    assert said in failed.detail
    for refused in (
        lambda: pipeline.load(shop.settings(), rebuild=True, runtime=shop.runtime()),
        lambda: pipeline.run(shop.settings(), CUT, backfill=Backfill(DAY, 1), runtime=shop.runtime()),
    ):
        with pytest.raises(OrdersetlError) as caught:
            refused()
        assert "remove" not in str(caught.value.hint)
    assert said in caught.value.hint
    before = shop.curated("sku")
    assert pipeline.run(shop.settings(), verify=True, runtime=shop.runtime()).warnings == ()
    assert [page.name for page in raw.read_marker(shop.lake, lost).pages] == ["page-00001.json", "page-00002.json"]
    assert pipeline.run(shop.settings(), CUT, backfill=Backfill(DAY, 1), runtime=shop.runtime()).gaps == ()
    pipeline.load(shop.settings(), rebuild=True, runtime=shop.runtime())
    assert pipeline.check(shop.settings(), deep=True, runtime=shop.runtime()).ok
    assert shop.curated("sku") == before


def test_a_run_that_cannot_make_an_old_marker_again_says_so_and_goes_on(shop: ChangedShop, lost: str) -> None:
    (shop.folder(lost) / "page-00002.json").unlink()
    (warning,) = pipeline.run(shop.settings(), verify=True, runtime=shop.runtime()).warnings
    assert f"lacks the batch.json of 1 batch that curated holds, from {lost} on" in warning
    assert (shop.folder(lost) / "page-00001.json").exists()


@pytest.mark.parametrize("description", [DESCRIPTION, WITH_CALL])
def test_a_fetch_that_was_interrupted_under_another_description_is_dropped(shop: ChangedShop, description: str) -> None:
    batches = list_batches(shop.lake)
    shop.sales += [sale(number) for number in (181, 182, 183)]
    shop.description, shop.fails_from = ELSEWHERE, 2
    with pytest.raises(SourceError):
        shop.run_later(page_size=2)
    (left,) = list_unfinished(shop.lake)
    assert left not in batches
    shop.description, shop.fails_from = description, 9
    shop.run_later()
    assert not shop.folder(left).exists()
    assert list_batches(shop.lake)[:2] == batches
