"""Room: a run that brings nothing new leaves no batch behind; the fold, and where runs continue, are as if it had."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from faulty import Died, FaultyDisk
from hypothesis import given, settings as hypothesis_settings, strategies as st
from lakes import LaxDisk, SerialExecutor, curated_bytes, expected_bytes, order

from ordersetl import pipeline
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import list_batches, list_unfinished
from ordersetl.lake.runs import MAX_REPORTS
from ordersetl.results import ExtractResult, RunResult
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings
from ordersetl.status.overview import read_status
from ordersetl.storage.disk import Disk
from ordersetl.window import Backfill, Window

START = datetime(2025, 8, 20, 12, tzinfo=UTC)
QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)


@dataclass
class Shop:
    """A shop that answers what changed in a window, sorted by time, and the output that follows it."""

    root: Path
    now: datetime = START
    orders: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    url: str = "http://shop.test"

    def sell(self, name: str, **fields: Any) -> None:
        self.orders.append(order(name, created_at=self.now.isoformat(), **fields))

    def answer(self, request: httpx.Request) -> httpx.Response:
        since, until = (request.url.params.get(f"updated_{name}") for name in ("since", "until"))
        chosen = [
            found
            for found in self.orders
            if (not since or _time(found) >= datetime.fromisoformat(since))
            and (not until or _time(found) < datetime.fromisoformat(until))
        ]
        return httpx.Response(200, json={"orders": chosen, "next_cursor": None, **self.extra})

    def run(self, window: Window = Window(), *, disk: Disk | None = None, **options: Any) -> RunResult:  # noqa: B008
        self.now += QUARTER
        workers = SerialExecutor()
        runtime = Runtime(
            now=lambda: self.now,
            disk=disk or LaxDisk(),
            transport=httpx.MockTransport(self.answer),
            executor=workers,
            threads=workers,
        )
        given_settings = Settings(output=self.root, api_url=self.url, workers=1, max_retries=0)
        return pipeline.run(given_settings, window, runtime=runtime, **options)

    @property
    def batches(self) -> list[str]:
        return list_batches(Lake(self.root))

    def assert_right(self) -> None:
        lake = Lake(self.root)
        assert curated_bytes(lake) == expected_bytes(lake)
        assert list_unfinished(lake) == []


def _time(found: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(found.get("updated_at") or found["created_at"])


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "output")


def test_each_order_leaves_one_batch_and_nothing_else_does(shop: Shop) -> None:
    for number in range(5):
        shop.sell(f"o-{number}")
        first = shop.run()
        assert first.extract.batches == (shop.batches[-1],)
        quiet = [shop.run() for _ in range(3)]
        assert {run.extract.batches for run in quiet} == {()}
        assert {run.extract.gaps for run in quiet} == {()}
        assert isinstance(first.extract, ExtractResult)
        assert isinstance(quiet[0].extract, ExtractResult)
        assert quiet[0].extract.window_end == first.extract.window_end
    assert len(shop.batches) == 5
    assert sorted(path.name for path in (shop.root / "staged").iterdir()) == shop.batches
    shop.assert_right()


def test_an_empty_shop_leaves_one_batch(shop: Shop) -> None:
    assert [bool(shop.run().extract.batches) for _ in range(4)] == [True, False, False, False]
    shop.sell("a")
    assert shop.run().load.orders.inserted == 1


def test_status_knows_of_the_runs_that_found_nothing(shop: Shop) -> None:
    shop.sell("a")
    shop.run()
    before = shop.now
    shop.run()
    shop.run()
    found = read_status(Lake(shop.root), shop.now)
    assert found.as_of == shop.now == before + 2 * QUARTER
    assert (found.quiet_runs, found.batches.committed) == (2, 1)
    shop.sell("b")
    shop.run()
    assert read_status(Lake(shop.root), shop.now).quiet_runs == 0


def test_the_envelope_may_differ(shop: Shop) -> None:
    shop.sell("a")
    shop.run()
    shop.extra = {"generated_at": "2025-08-20T12:30:00Z"}
    assert shop.run().extract.batches == ()


def test_a_changed_byte_of_a_record_is_news(shop: Shop) -> None:
    shop.sell("a")
    shop.run()
    shop.orders[0]["note"] = "x"
    assert shop.run().extract.batches
    assert shop.run().extract.batches == ()


def test_the_same_bytes_in_a_corrected_charset_are_news(shop: Shop) -> None:
    found = {"orders": [order("a", created_at=START.isoformat(), status="привет")], "next_cursor": None}
    body, charset = json.dumps(found, ensure_ascii=False).encode("cp1251"), "iso-8859-1"

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body, headers={"Content-Type": f"application/json; charset={charset}"})

    shop.answer = answer  # type: ignore[method-assign,assignment]
    assert [bool(shop.run(Window(full=True)).extract.batches) for _ in range(2)] == [True, False]
    charset = "windows-1251"
    assert [bool(shop.run(Window(full=True)).extract.batches) for _ in range(2)] == [True, False]
    assert ",привет," in (shop.root / "curated/dt=2025-08-20/fact_order.csv").read_text("utf-8")


def test_a_charset_that_only_has_another_name_is_no_news(shop: Shop) -> None:
    body = json.dumps({"orders": [order("a")], "next_cursor": None, "shop": "é"}, ensure_ascii=False).encode("latin-1")
    charsets = iter(["latin1", "ISO-8859-1", "windows-1252"])

    def answer(_: httpx.Request) -> httpx.Response:
        headers = {"Content-Type": f"application/json; charset={next(charsets)}"}
        return httpx.Response(200, content=body, headers=headers)

    shop.answer = answer  # type: ignore[method-assign,assignment]
    assert [bool(shop.run(Window(full=True)).extract.batches) for _ in range(3)] == [True, False, False]


def test_a_window_that_somebody_asked_for_is_kept_once(shop: Shop) -> None:
    shop.sell("a")
    shop.run()
    past = Window(START - 9 * DAY, START - 8 * DAY)
    shop.now += 3 * DAY
    assert [bool(shop.run(past).extract.batches) for _ in range(3)] == [True, False, False]
    found = read_status(Lake(shop.root), shop.now).coverage
    assert found is not None
    assert (START - 9 * DAY, START - 8 * DAY) in found.intervals or found.intervals[0][0] is None


def test_what_a_window_dropped_counts_when_it_comes_again(shop: Shop) -> None:
    shop.sell("a")
    shop.now += DAY
    shop.sell("b")
    answer = json.dumps({"orders": shop.orders, "next_cursor": None})
    shop.answer = lambda _: httpx.Response(200, content=answer)  # type: ignore[method-assign,assignment]
    assert shop.run(Window(since=START + QUARTER)).transform.outside_window == 1
    assert shop.run(Window(full=True)).load.orders.inserted == 1
    assert shop.run(Window(full=True)).extract.batches == ()
    shop.assert_right()


def test_a_time_in_the_future_is_looked_at_again(shop: Shop) -> None:
    shop.sell("a", updated_at=(START + 3 * DAY).isoformat())
    shop.run()
    shop.now += DAY
    assert shop.run().extract.batches
    shop.assert_right()


def test_new_reference_files_are_news_and_known_ones_are_not(shop: Shop, tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    users.write_text("user_id,email,country,created_at\nu-1,a@x.test,ES,2025-01-01\n")
    shop.sell("a")
    shop.run()
    assert shop.run(users=users).extract.batches
    assert shop.run(users=users).extract.batches == ()
    assert shop.run().extract.batches == ()
    users.write_text("user_id,email,country,created_at\nu-1,a@x.test,FR,2025-01-01\n")
    assert shop.run(users=users).load.dimensions_written
    shop.assert_right()


def test_a_reference_file_that_is_known_as_of_another_kind_is_news(shop: Shop, tmp_path: Path) -> None:
    both = tmp_path / "both.csv"
    both.write_text(
        "user_id,email,country,created_at,sku,name,category,price\nu-1,a@x.test,ES,2025-01-01,A,Mug,kitchen,2\n"
    )
    shop.sell("a")
    shop.run(users=both)
    assert shop.run(users=both, products=both).load.dimensions_written == ("dim_product.csv",)
    assert shop.run(users=both, products=both).extract.batches == ()
    shop.assert_right()


def test_a_backfill_takes_a_reference_file_that_is_given_again_after_another(shop: Shop, tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    shop.sell("a")
    shop.now += 6 * DAY
    window = Window(START - 2 * DAY, START + 2 * DAY)
    for country in ("ES", "FR", "ES"):
        users.write_text(f"user_id,email,country,created_at\nu-1,a@x.test,{country},2025-01-01\n")
        found = shop.run(window, backfill=Backfill(2 * DAY, 1), users=users)
        assert "dim_user.csv" in found.load.dimensions_written
        assert f",{country}," in (shop.root / "curated/dim_user.csv").read_text()
        assert shop.run(window, backfill=Backfill(2 * DAY, 1), users=users).extract.batches == ()
    shop.assert_right()


def test_a_batch_that_went_away_is_recorded_by_the_next_run(shop: Shop) -> None:
    for name in "abc":
        shop.sell(name)
        shop.run()
    first = shop.batches[0]
    (shop.root / "raw" / first).rename(shop.root.parent / first)
    assert shop.run().extract.batches
    assert shop.run().extract.batches == ()


def test_a_backfill_keeps_its_windows_and_no_more(shop: Shop) -> None:
    shop.sell("a")
    shop.now += 6 * DAY
    window = Window(START - 2 * DAY, START + 2 * DAY)
    assert len(shop.run(window, backfill=Backfill(DAY, 1)).extract.batches) == 4
    assert shop.run(window, backfill=Backfill(DAY, 1)).extract.batches == ()
    assert len(shop.batches) == 4


def test_reports_of_quiet_runs_take_one_file_and_all_of_them_are_bounded(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sell("a")
    kept = [shop.run(), shop.run(), shop.run()]
    assert _reports(shop) == [kept[0].run_id, kept[2].run_id]
    shop.sell("b")
    kept.append(shop.run())
    assert _reports(shop) == [kept[0].run_id, kept[2].run_id, kept[3].run_id]
    assert MAX_REPORTS == 1000
    monkeypatch.setattr("ordersetl.lake.runs.MAX_REPORTS", 2)
    (shop.root / "runs/mine.json").write_text("{}")
    shop.sell("c")
    last = shop.run()
    assert _reports(shop) == [kept[3].run_id, last.run_id, "mine"]


def _reports(shop: Shop) -> list[str]:
    return sorted(path.stem for path in (shop.root / "runs").glob("*.json"))


def test_a_quiet_run_may_die_anywhere(shop: Shop) -> None:
    shop.sell("a")
    shop.run()
    batches = shop.batches
    counting = FaultyDisk()
    shop.run(disk=counting)
    assert 5 < len(counting.steps) < 60
    for at, step in enumerate(counting.steps, 1):
        for fault in ("after", "within") if step.operation in {"write", "remove_tree"} else ("after",):
            with suppress(Died):
                shop.run(disk=FaultyDisk(at, fault))
            shop.run()
            assert shop.batches == batches, (step, fault)
            shop.assert_right()
    shop.sell("b")
    assert shop.run().load.orders.inserted == 1


CHANGES = st.lists(
    st.sampled_from(["sell", "change", "tie", "future", "nothing", "nothing", "full", "since"]), min_size=3, max_size=14
)


@given(CHANGES)
@hypothesis_settings(max_examples=15)
def test_any_story_folds_to_what_the_shop_has(tmp_path_factory: pytest.TempPathFactory, changes: Sequence[str]) -> None:
    shop = Shop(tmp_path_factory.mktemp("story") / "output")
    for number, change in enumerate(changes):
        window = Window()
        if change == "sell":
            shop.sell(f"o-{number}")
        elif change == "change" and shop.orders:
            shop.orders.append({**shop.orders[0], "amount": 10 + number, "updated_at": shop.now.isoformat()})
        elif change == "tie" and shop.orders:
            shop.orders.append({**shop.orders[-1], "amount": 10 + number})
        elif change == "future":
            shop.sell(f"o-{number}", updated_at=(shop.now + DAY * 2).isoformat())
        elif change == "full":
            window = Window(full=True)
        elif change == "since":
            window = Window(since=shop.now - QUARTER)
        shop.run(window)
    shop.assert_right()
    last = {found["order_id"] for found in shop.orders}
    rows = b"".join(body for name, body in curated_bytes(Lake(shop.root)).items() if "fact_order" in name).decode()
    assert all(f"\n{name}," in rows for name in last)
