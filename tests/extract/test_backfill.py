"""A backfill: windows that are fetched at once, each its own batch, and none of them twice."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from lakes import LaxDisk

from ordersetl import pipeline
from ordersetl.errors import ConfigError, InterruptedRunError, SourceError
from ordersetl.extract.backfill import cut_windows, extract_windows
from ordersetl.extract.batches import extract_orders
from ordersetl.extract.origin import Origin
from ordersetl.extract.stage import prepare
from ordersetl.lake import raw
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import list_batches
from ordersetl.results import BackfillResult, ExtractResult
from ordersetl.runtime import RunContext, Runtime
from ordersetl.settings import Settings
from ordersetl.source.client import OrdersClient, open_http
from ordersetl.source.description.loading import load_builtin
from ordersetl.storage.lock import acquire_lock
from ordersetl.window import Backfill, Window

GENERIC = load_builtin("generic")
ORIGIN = Origin("generic", "https://shop.example/api", GENERIC)
DAY = timedelta(days=1)
NOW = datetime(2025, 9, 1, 12, tzinfo=UTC)
PAGE = 2


def day(number: int) -> datetime:
    return datetime(2025, 8, number, tzinfo=UTC)


@dataclass
class Shop:
    """An API of three orders a day in August, two a page, and a tool that backfills from it."""

    root: Path
    before_answer: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
    now: datetime = NOW
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        params = request.url.params
        since, cursor = params.get("updated_since", "2"), params.get("cursor", "0")
        self.asked.append((since[8:10], cursor))
        if (other := self.before_answer(request)) is not None:
            return other
        times = [day(d) + n * timedelta(hours=7) for d in range(1, 32) for n in range(3)]
        until = params.get("updated_until")
        chosen = [t for t in times if since <= t.strftime("%Y-%m-%dT%H:%M:%SZ") < (until or "9")]
        at = int(cursor)
        orders: list[dict[str, Any]] = [
            {"order_id": t.isoformat(), "created_at": t.isoformat()} for t in chosen[at : at + PAGE]
        ]
        following = str(at + PAGE) if at + PAGE < len(chosen) else None
        return httpx.Response(200, json={"orders": orders, "next_cursor": following})

    def backfill(
        self,
        first: int,
        last: int,
        *,
        origin: Origin = ORIGIN,
        concurrency: int = 3,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> BackfillResult:
        windows = cut_windows(Window(day(first), day(last)), DAY, self.now)
        with self._open(checkpoint) as (context, open_client):
            return extract_windows(context, open_client, origin, windows, concurrency=concurrency)

    @contextmanager
    def _open(self, checkpoint: Callable[[], None] = lambda: None) -> Iterator[tuple[RunContext, Any]]:
        settings = Settings(output=self.root, max_retries=0)
        runtime = Runtime(now=lambda: self.now, checkpoint=checkpoint)
        self.root.mkdir(parents=True, exist_ok=True)
        lake = Lake(self.root, LaxDisk())

        @contextmanager
        def open_client(sleep: Callable[[float], None]) -> Iterator[OrdersClient]:
            with open_http(settings, httpx.MockTransport(self.answer)) as http:
                yield OrdersClient(http, settings, sleep=sleep, now=runtime.now)

        with acquire_lock(lake.folder / ".lock", disk=lake.disk) as lock, ThreadPoolExecutor(2) as threads:
            yield RunContext(lake, settings, lock, threads, runtime, threads), open_client

    def extract(self) -> ExtractResult:
        with self._open() as (context, open_client), open_client(lambda _: None) as client:
            return extract_orders(context, client, ORIGIN, Window())

    def windows(self) -> list[tuple[datetime | None, datetime | None, int]]:
        lake = Lake(self.root)
        markers = [raw.read_marker(lake, batch) for batch in list_batches(lake)]
        return [(marker.since, marker.until, marker.records) for marker in markers]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "output")


@pytest.mark.parametrize(
    ("window", "span", "expected"),
    [
        (Window(day(1), day(3)), DAY, [(1, 2), (2, 3)]),
        (Window(day(1), day(4)), 2 * DAY, [(1, 3), (3, 4)]),
        (Window(day(1), day(2)), 30 * DAY, [(1, 2)]),
        (Window(day(30)), DAY, [(30, 31), (31, 32), (32, None)]),
    ],
)
def test_a_window_is_cut_from_its_beginning(
    window: Window, span: timedelta, expected: list[tuple[int, int | None]]
) -> None:
    def time(number: int | None) -> datetime | None:
        return None if number is None else day(1) + (number - 1) * DAY

    assert cut_windows(window, span, NOW) == [Window(time(since), time(until)) for since, until in expected]


@pytest.mark.parametrize(
    ("window", "span", "problem"),
    [
        (Window(), DAY, "--window needs --since"),
        (Window(day(1)), timedelta(0), "longer than nothing"),
        (Window(day(1)), timedelta(seconds=1), "windows"),
    ],
)
def test_a_window_that_cannot_be_cut_is_refused(window: Window, span: timedelta, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        cut_windows(window, span, NOW)


def test_each_window_is_a_batch_in_the_order_of_time(shop: Shop) -> None:
    result = shop.backfill(1, 6)
    assert shop.windows() == [(day(n), day(n + 1), 3) for n in range(1, 6)]
    assert [window.since for window in result.windows] == [day(n) for n in range(1, 6)]
    assert (result.records, result.pages, result.windows_covered, result.gaps) == (15, 10, 0, ())


def test_bounds_that_the_tool_cut_drop_nothing(tmp_path: Path) -> None:
    """A source whose times are its wall clock's, of an hour ahead, and that selects by true ones."""

    def answer(request: httpx.Request) -> httpx.Response:
        since, until = (datetime.fromisoformat(request.url.params[f"updated_{name}"]) for name in ("since", "until"))
        at = since + timedelta(hours=23, minutes=30)
        assert at < until
        shown = (at + timedelta(hours=1)).replace(tzinfo=None).isoformat()
        found = {"order_id": str(at.day), "created_at": shown, "amount": 1, "items": [{"sku": "a", "qty": 1}]}
        return httpx.Response(200, json={"orders": [found], "next_cursor": None})

    runtime = Runtime(now=lambda: NOW, transport=httpx.MockTransport(answer), disk=LaxDisk())
    settings = Settings(output=tmp_path / "output", api_url="http://shop.test", max_reject_ratio=1)
    done = pipeline.run(settings, Window(day(1), day(4)), backfill=Backfill(DAY, 1), runtime=runtime)
    assert (done.load.orders_total, done.transform.outside_window) == (2, 1)  # the last is past the user's own bound
    assert len(list_batches(Lake(tmp_path / "output"))) == 3


def test_what_is_covered_is_not_fetched_again_but_for_the_newest_day(shop: Shop) -> None:
    shop.now = day(5) + DAY / 2
    shop.backfill(1, 5)
    shop.asked.clear()
    result = shop.backfill(1, 7)
    assert {since for since, _ in shop.asked} == {"04", "05", "06"}  # the 4th was not long enough ago to be complete
    assert (result.windows_covered, len(result.windows)) == (3, 3)


def test_a_window_that_ended_within_the_last_day_is_fetched_until_it_is_settled(shop: Shop) -> None:
    shop.now = day(5) + DAY / 2
    shop.extract()  # shows times up to now
    assert shop.backfill(3, 5).windows_covered == 0
    shop.asked.clear()
    assert shop.backfill(3, 5).windows_covered == 1
    assert {since for since, _ in shop.asked} == {"04"}
    shop.now += 3 * DAY
    assert shop.backfill(3, 5).windows_covered == 1  # nothing new came, and now it is known that nothing is missing
    assert shop.backfill(3, 5).windows_covered == 2


class OtherStore(Origin, frozen=True):
    """The same API, where another store's orders are selected."""

    @property
    def selection(self) -> dict[str, str]:
        return {"store": "b"}


def test_what_another_selection_covers_is_fetched(shop: Shop) -> None:
    shop.backfill(1, 3)
    result = shop.backfill(1, 3, origin=OtherStore(ORIGIN.source, ORIGIN.url, GENERIC))
    assert (result.windows_covered, result.records) == (0, 6)
    assert shop.backfill(1, 3, origin=OtherStore(ORIGIN.source, ORIGIN.url, GENERIC)).windows_covered == 2


def test_windows_are_fetched_at_the_same_time(shop: Shop) -> None:
    together = threading.Barrier(3, timeout=30)

    def wait_for_others(request: httpx.Request) -> None:
        if "cursor" not in request.url.params:
            together.wait()

    shop.before_answer = wait_for_others
    assert shop.backfill(1, 7, concurrency=3).records == 18


def test_no_more_windows_are_under_way_than_asked_for(shop: Shop) -> None:
    alone = threading.Lock()

    def require_alone(request: httpx.Request) -> None:
        del request
        assert alone.acquire(blocking=False)
        alone.release()

    shop.before_answer = require_alone
    assert shop.backfill(1, 4, concurrency=1).records == 9


def test_a_window_that_fails_goes_on_at_its_page(shop: Shop) -> None:
    def fail(request: httpx.Request) -> httpx.Response | None:
        params = request.url.params
        return httpx.Response(404) if params["updated_since"][8:10] == "03" and "cursor" in params else None

    shop.before_answer = fail
    with pytest.raises(SourceError, match="404"):
        shop.backfill(1, 6, concurrency=1)
    assert shop.windows() == [(day(1), day(2), 3), (day(2), day(3), 3)]
    shop.asked.clear()
    shop.before_answer = lambda _: None
    result = shop.backfill(1, 6, concurrency=1)
    assert shop.asked[0] == ("03", "2")
    assert Counter(since for since, _ in shop.asked) == {"03": 1, "04": 2, "05": 2}
    assert (result.windows_covered, result.resumed_pages) == (2, 1)
    assert sum(records for _, _, records in shop.windows()) == 15


def test_later_windows_that_are_complete_do_not_hide_that_the_first_is_not(shop: Shop) -> None:
    def fail_last(request: httpx.Request) -> httpx.Response | None:
        params = request.url.params
        if params["updated_since"][8:10] == "02" or "cursor" not in params:
            return None
        while not [*shop.root.glob("raw/*/page-00002.json")]:
            pass  # until the second window has all its pages
        return httpx.Response(404)

    shop.before_answer = fail_last
    with pytest.raises(SourceError, match="404"):
        shop.backfill(1, 3, concurrency=2)
    assert shop.windows() == []  # the second waits for the first
    shop.before_answer = lambda _: httpx.Response(404)
    with pytest.raises(SourceError, match="404"):
        shop.extract()
    shop.before_answer = lambda _: None
    assert shop.extract().records == 3 * 31


def test_an_expired_cursor_begins_its_window_again(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    def fail(status: int) -> Callable[[httpx.Request], httpx.Response | None]:
        return lambda request: httpx.Response(status) if "cursor" in request.url.params else None

    shop.before_answer = fail(503)
    with pytest.raises(SourceError):
        shop.backfill(1, 2)
    refused = fail(410)

    def forget_once(request: httpx.Request) -> httpx.Response | None:
        shop.before_answer = lambda _: None
        return refused(request)

    shop.before_answer = forget_once
    assert shop.backfill(1, 2).resumed_pages == 0
    assert "fetching from its first page" in caplog.text
    assert shop.windows() == [(day(1), day(2), 3)]


def test_a_signal_ends_all_windows_and_keeps_their_pages(shop: Shop) -> None:
    interrupted = threading.Event()

    def interrupt() -> None:
        if len(shop.asked) >= 5:
            interrupted.set()
            raise InterruptedRunError("SIGINT")

    def hold(_: httpx.Request) -> None:
        assert len(shop.asked) < 12 or interrupted.wait(10)

    shop.before_answer = hold

    with pytest.raises(InterruptedRunError, match="SIGINT"):
        shop.backfill(1, 20, checkpoint=interrupt)
    assert len(shop.asked) < 38
    result = shop.backfill(1, 20)
    assert len(shop.asked) == 38, "a page was fetched twice"
    assert sum(records for _, _, records in shop.windows()) == 57
    assert result.windows_covered + len(result.windows) == 19


@pytest.mark.parametrize(
    ("url", "token", "warned"),
    [
        ("http://shop.example", "t", True),
        ("https://shop.example", "t", False),
        ("http://127.0.0.1:8000", "t", False),
        ("http://localhost", "t", False),
        ("http://[::1]:8000", "t", False),
        ("http://sample.ordersetl.invalid", "t", False),
        ("http://shop.example", None, False),
    ],
)
def test_a_token_over_plain_http_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, url: str, token: str | None, *, warned: bool
) -> None:
    settings = Settings(output=tmp_path, api_url=url, api_token=token)
    prepare(settings, Window(), None, None, Runtime(), backfill=None)
    assert ("travel to shop.example unencrypted" in caplog.text) == warned
