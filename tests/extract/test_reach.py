"""What a source does not show, older than a span, or is not asked for, younger than one, is not covered, and named."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from described_shop import DESCRIPTION, SmallShop, sale

from ordersetl import pipeline
from ordersetl.errors import SourceError
from ordersetl.lake import raw
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import list_batches
from ordersetl.results import BackfillResult, ExtractResult, RunResult
from ordersetl.results.status import OriginCoverage
from ordersetl.status.overview import read_status
from ordersetl.window import Backfill, Window

DAY = timedelta(days=1)
LOOKBACK = timedelta(minutes=10)
SURELY_SHOWN = 60 * DAY - timedelta(minutes=10)  # the two clocks may differ
RIGHTS = """
[rights]
path = "/rights"
names = "names"

[[rights.wanted]]
name = "read_all"
without = "it shows 60 days"
reaches_back = "60d"

[mapping]
"""


@dataclass
class ShortShop(SmallShop):
    """A shop that shows what was changed in the last 60 days to those who lack a right."""

    rights: list[str] = field(default_factory=list)
    fails: bool = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/rights"):
            return httpx.Response(200, json={"names": self.rights})
        if self.fails and int(request.url.params["page"]) > 1:
            return httpx.Response(500)
        with self.hidden():
            return super().answer(request)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        everything, oldest = self.sales, f"{self.now - 60 * DAY:%Y-%m-%dT%H:%M:%SZ}"
        self.sales = [sale for sale in everything if self.rights or sale["changed"] >= oldest]
        yield
        self.sales = everything

    def fetch(self, window: Window = Window(), backfill: Backfill | None = None, **changes: Any) -> RunResult:  # noqa: B008
        return pipeline.run(self.settings(**changes), window, backfill=backfill, runtime=self.runtime())

    def covered(self) -> OriginCoverage:
        found = read_status(Lake(self.root / "output"), self.now, lookback=LOOKBACK).coverage
        assert found is not None
        return found

    @property
    def ids(self) -> set[str]:
        return set(self.curated("order_id"))


@pytest.fixture
def shop(tmp_path: Path) -> ShortShop:
    shop = ShortShop(tmp_path, description=DESCRIPTION.replace("[[mapping.skip]]", f"{RIGHTS}\n[[mapping.skip]]"))
    shop.now = datetime(2025, 9, 1, 12, tzinfo=UTC)
    for days in range(20, 220, 20):
        time = f"{shop.now - days * DAY:%Y-%m-%dT%H:%M:%SZ}"
        shop.sales.append(sale(days, placed=time, changed=time))
    shop.sales.reverse()
    return shop


def test_what_a_missing_right_hides_is_not_covered(shop: ShortShop, caplog: pytest.LogCaptureFixture) -> None:
    shop.fetch()
    assert shop.ids == {"20", "40", "60"}
    assert "With the right, ordersetl run --full fetches what is older." in caplog.text
    begin, newest = shop.now - SURELY_SHOWN, shop.now - 20 * DAY
    assert shop.covered().intervals == ((begin, newest),)
    shop.now += DAY
    shop.rights.append("read_all")
    asked = len(shop.asked)
    assert shop.fetch().extract.since == newest - LOOKBACK  # it goes on, and fetches nothing twice
    assert len(shop.asked) == asked + 1
    assert shop.covered().intervals == ((begin, newest),)
    shop.fetch(Window(full=True))
    assert shop.ids == {str(days) for days in range(20, 220, 20)}
    assert shop.covered().intervals == ((None, newest),)


def test_a_hole_that_a_long_pause_left_is_named(shop: ShortShop) -> None:
    shop.fetch()
    newest = shop.now - 20 * DAY
    shop.now += 100 * DAY
    hidden, shown = shop.now - 80 * DAY, shop.now - 10 * DAY
    for number, time in ((1, hidden), (2, shown)):
        text = f"{time:%Y-%m-%dT%H:%M:%SZ}"
        shop.sales.append(sale(number, placed=text, changed=text))
    assert shop.fetch().extract.gaps == ((newest - LOOKBACK, shop.now - SURELY_SHOWN),)
    shop.rights.append("read_all")
    shop.fetch(Window(newest - LOOKBACK, shop.now - SURELY_SHOWN))
    assert shop.covered().gaps == ()
    assert "1" in shop.ids


def test_a_window_that_the_source_did_not_show_is_fetched_again(shop: ShortShop) -> None:
    window, backfill = Window(shop.now - 210 * DAY, shop.now - 15 * DAY), Backfill(50 * DAY)
    shop.fetch(window, backfill)
    assert shop.ids == {"20", "40", "60"}
    assert shop.covered().intervals == ((shop.now - SURELY_SHOWN, shop.now - 15 * DAY),)
    shop.rights.append("read_all")
    shop.fetch(window, backfill)
    assert shop.ids == {str(days) for days in range(20, 220, 20)}
    assert shop.covered().intervals == ((window.since, window.until),)


def test_what_the_source_hides_is_kept_once_however_often_it_is_asked_for(shop: ShortShop) -> None:
    window, backfill = Window(shop.now - 210 * DAY, shop.now - 15 * DAY), Backfill(50 * DAY)
    kept = []
    for _ in range(3):
        shop.fetch(window, backfill)
        kept.append(len(list((shop.root / "output/raw").glob("2*"))))
    assert kept[0] == kept[1] == kept[2]


def test_a_fetch_that_goes_on_covers_what_was_shown_when_it_began(shop: ShortShop) -> None:
    shop.fails = True
    with pytest.raises(SourceError):
        shop.fetch(page_size=2, max_retries=0)
    shop.fails = False
    shop.rights.append("read_all")
    shop.fetch(page_size=2)
    assert shop.covered().intervals == ((shop.now - SURELY_SHOWN, shop.now - 20 * DAY),)


# What is younger than min_age is not asked for


def settling(root: Path, min_age: str, ages: dict[int, timedelta]) -> SmallShop:
    """A shop that is not asked for what is younger than ``min_age``, and its orders, changed so long ago."""
    shop = SmallShop(root, description=DESCRIPTION.replace("[window]", f'[window]\nmin_age = "{min_age}"'))
    for number, age in ages.items():
        add(shop, number, shop.now - age)
    return shop


def add(shop: SmallShop, number: int, at: datetime) -> None:
    time = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    shop.sales.append(sale(number, placed=time, changed=time))


def find_end(result: RunResult) -> datetime | None:
    assert isinstance(result.extract, ExtractResult)
    return result.extract.window_end


def run_daily(shop: SmallShop, days: int) -> None:
    for _ in range(days):
        shop.now += DAY
        assert shop.run().gaps == ()


@pytest.mark.parametrize("until", [timedelta(hours=30), timedelta(hours=2)])
def test_until_within_min_age_covers_no_more_than_was_asked_for(tmp_path: Path, until: timedelta) -> None:
    shop = settling(tmp_path, "2d", {1: 5 * DAY, 2: timedelta(hours=40), 3: timedelta(hours=20)})
    window = Window(shop.now - 6 * DAY, shop.now - until)
    assert find_end(pipeline.run(shop.settings(), window, runtime=shop.runtime())) == shop.now - 2 * DAY
    run_daily(shop, 4)
    assert set(shop.curated("order_id")) == {"1", "2", "3"}


def test_a_batch_of_before_that_is_taken_up_covers_no_more_than_was_asked_for(tmp_path: Path) -> None:
    """Its request says nothing of what was asked for, and its description does."""
    shop = settling(tmp_path, "2d", {1: 5 * DAY, 2: timedelta(hours=40)})
    window, asked_until = Window(shop.now - 6 * DAY, shop.now - timedelta(hours=30)), shop.now - 2 * DAY
    pipeline.run(shop.settings(), window, runtime=shop.runtime())
    lake = Lake(shop.settings().output)
    (batch,) = list_batches(lake)
    request = raw.read_request(lake, batch)
    assert request is not None
    raw.write_request(lake, batch, msgspec.structs.replace(request, shown_until=None))
    (lake.folder / "raw" / batch / "batch.json").unlink()
    run_daily(shop, 1)
    assert raw.read_marker(lake, batch).window_end == asked_until


def test_windows_of_a_backfill_within_min_age_are_fetched_again(tmp_path: Path) -> None:
    shop = settling(tmp_path, "2d", {1: 5 * DAY, 2: timedelta(hours=40), 3: timedelta(hours=20)})
    window, backfill = Window(shop.now - 6 * DAY, shop.now), Backfill(timedelta(hours=12))
    known = []
    for _ in range(3):
        result = pipeline.run(shop.settings(), window, backfill=backfill, runtime=shop.runtime()).extract
        assert isinstance(result, BackfillResult)
        known.append(result.windows_covered)
        shop.now += 2 * DAY
    assert known == [0, 8, 12]
    assert set(shop.curated("order_id")) == {"1", "2", "3"}
    run_daily(shop, 1)


def test_an_order_that_changes_while_it_is_fetched_moves_no_end_past_what_was_asked_for(tmp_path: Path) -> None:
    shop = settling(tmp_path, "6h", {1: 7 * timedelta(hours=1), 2: timedelta(hours=3)})
    first, until = shop.sales[0], shop.now - timedelta(hours=6)
    answer = shop.answer

    def change(request: httpx.Request) -> httpx.Response:
        answered = answer(request)
        return httpx.Response(200, text=answered.text.replace(first["changed"], f"{shop.now:%Y-%m-%dT%H:%M:%SZ}"))

    shop.answer = change  # type: ignore[method-assign]
    assert find_end(shop.run()) == until
    shop.answer = answer  # type: ignore[method-assign]
    run_daily(shop, 1)
    assert set(shop.curated("order_id")) == {"1", "2"}


def test_runs_that_find_nothing_older_than_min_age_leave_nothing_and_say_how_old_the_data_is(tmp_path: Path) -> None:
    shop = settling(tmp_path, "2d", {1: 5 * DAY})
    run_daily(shop, 5)
    lake = Lake(shop.root / "output")
    assert len(list((shop.root / "output/raw").glob("2*"))) == 1
    assert read_status(lake, shop.now).as_of == shop.now - 2 * DAY
    assert read_status(lake, shop.now, max_age=DAY).too_old
    assert not read_status(lake, shop.now, max_age=3 * DAY).too_old
