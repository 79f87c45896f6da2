"""Where a run continues: by the source's clock, past backfills and gaps, and with clocks that are off."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from hypothesis import example, given, strategies as st
from lakes import LaxDisk, SerialExecutor

from ordersetl.errors import ConfigError, CorruptedError
from ordersetl.extract.batches import extract_orders
from ordersetl.extract.coverage import Coverage, find_gaps, merge_intervals, read_coverage
from ordersetl.extract.origin import Origin
from ordersetl.lake import raw
from ordersetl.lake.checksum import encode_record
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import MARKER, list_batches
from ordersetl.results import ExtractResult
from ordersetl.runtime import RunContext, Runtime
from ordersetl.settings import Settings
from ordersetl.source.client import OrdersClient, open_http
from ordersetl.source.description.loading import load_builtin
from ordersetl.storage.lock import acquire_lock
from ordersetl.window import Window

GENERIC = load_builtin("generic")
ORIGIN = Origin("generic", "http://shop.test", GENERIC)
START = datetime(2025, 9, 1, 12, tzinfo=UTC)
MIN, HOUR, DAY, YEAR = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=365)
LOOKBACK = 10 * MIN


def day(number: int) -> datetime:
    return datetime(2025, 8, number, tzinfo=UTC)


@dataclass
class Shop:
    """A shop with a clock of its own, ``ahead`` of the true one, that stamps and filters by it."""

    root: Path
    ahead: timedelta = timedelta(0)
    naive: bool = False
    host_ahead: timedelta = timedelta(0)
    now: datetime = START
    orders: dict[str, datetime] = field(default_factory=dict)
    got: set[str] = field(default_factory=set)
    asked: list[datetime | None] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)

    def sell(self, name: str, at: datetime | None = None) -> None:
        """An order is made now, or was changed at another time by the shop's clock."""
        self.orders[name] = at or self.now + self.ahead

    def answer(self, request: httpx.Request) -> httpx.Response:
        since, until = (self.read(request.url.params.get(f"updated_{name}")) for name in ("since", "until"))
        self.asked.append(since)
        chosen = [n for n, t in self.orders.items() if (not since or t >= since) and (not until or t < until)]
        self.answered.append(len(chosen))
        self.got.update(chosen)
        return httpx.Response(200, json={"orders": [self.show(name) for name in chosen], "next_cursor": None})

    def show(self, name: str) -> dict[str, Any]:
        time = self.orders[name].isoformat()
        return {"order_id": name, "created_at": time[:19] if self.naive else time}

    @staticmethod
    def read(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text)

    def run(self, window: Window = Window(), *, origin: Origin = ORIGIN, **settings: Any) -> ExtractResult:  # noqa: B008
        lake = Lake(self.root, LaxDisk())
        self.root.mkdir(parents=True, exist_ok=True)
        known = Settings(output=self.root, **{"max_retries": 0, **settings})
        runtime = Runtime(now=lambda: self.now + self.host_ahead)
        with (
            acquire_lock(lake.folder / ".lock", disk=lake.disk) as lock,
            open_http(known, httpx.MockTransport(self.answer)) as http,
        ):
            client = OrdersClient(http, known, sleep=lambda _: None, now=runtime.now)
            workers = SerialExecutor()
            return extract_orders(RunContext(lake, known, lock, workers, runtime, workers), client, origin, window)

    def wait(self, span: timedelta) -> None:
        self.now += span


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "output")


# The source's clock


@pytest.mark.parametrize("ahead", [-14, -5, -0.1, 0, 0.1, 5, 14])
@pytest.mark.parametrize("naive", [False, True])
def test_a_shop_whose_clock_is_off_loses_nothing_and_repeats_little(tmp_path: Path, ahead: float, naive: bool) -> None:  # noqa: FBT001
    shop = Shop(tmp_path, ahead=ahead * HOUR, naive=naive)
    for number in range(200):
        shop.sell(f"o-{number}")
        shop.wait(7 * MIN)
        if number % 3 == 0:
            shop.run()
    shop.run()
    assert shop.got == set(shop.orders)
    repeated = max(0.0, ahead) * 60 / 7 + 6
    assert max(shop.answered[-5:]) <= repeated


@pytest.mark.parametrize(("lookback", "lost"), [("10m", True), ("70m", False)])
def test_a_naive_clock_west_of_utc_that_is_set_back_needs_an_hour_more_of_lookback(
    shop: Shop, lookback: str, *, lost: bool
) -> None:
    shop.naive = True
    shop.now = datetime(2025, 11, 2, 4, 30, tzinfo=UTC)
    for number in range(18):
        local = shop.now.astimezone(ZoneInfo("America/New_York"))  # back from 2 to 1 o'clock at 6:00 UTC
        shop.sell(f"o-{number}", local.replace(tzinfo=UTC))
        shop.run(lookback=lookback)
        shop.wait(10 * MIN)
    assert (shop.got != set(shop.orders)) is lost


def test_the_window_begins_at_the_newest_time_that_was_shown_less_lookback(shop: Shop) -> None:
    shop.sell("a", day(20))
    result = shop.run()
    assert (result.since, result.window_end) == (None, day(20))
    shop.wait(DAY)
    result = shop.run()
    assert (result.since, result.window_end) == (day(20) - LOOKBACK, day(20))
    shop.sell("b", day(25))
    assert shop.run().window_end == day(25)
    assert shop.run(lookback="2h").since == day(25) - 2 * HOUR
    request = raw.read_marker(Lake(shop.root), max(list_batches(Lake(shop.root)))).request
    assert (request.continues, request.enforced_since) == (True, None)


def test_a_run_that_shows_nothing_newer_goes_on_from_where_the_one_before_did(shop: Shop) -> None:
    shop.sell("a", day(20))
    for _ in range(4):
        shop.run()
        shop.orders.clear()
        shop.wait(HOUR)
    assert shop.asked == [None, *[day(20) - LOOKBACK] * 3]
    assert shop.run().gaps == ()


def test_what_was_never_shown_anything_is_asked_for_from_the_beginning_again(shop: Shop) -> None:
    assert shop.run().window_end is None
    shop.wait(DAY)
    assert shop.run().window_end is None
    assert shop.asked == [None, None]


def test_since_without_anything_shown_is_where_the_next_run_begins(shop: Shop) -> None:
    assert shop.run(Window(since=day(23))).window_end == day(23)
    assert shop.run().since == day(23) - LOOKBACK
    shop.sell("a", day(22))
    shop.run()
    assert shop.run(Window(full=True)).since is None
    assert shop.got == {"a"}


def test_the_end_is_at_most_when_the_extraction_began(shop: Shop) -> None:
    shop.sell("a", START + 14 * HOUR)
    assert shop.run().window_end == START


def test_one_time_in_the_far_future_moves_nothing(shop: Shop) -> None:
    shop.sell("slip", START + 74 * YEAR)
    shop.sell("a", START - 5 * HOUR)
    assert shop.run().window_end == START - 5 * HOUR
    shop.wait(HOUR)
    shop.sell("b", shop.now - 5 * HOUR)
    shop.run()
    assert shop.got == {"slip", "a", "b"}


# The host's clock


@pytest.mark.parametrize("leap", [YEAR, -YEAR, 90 * DAY, -2 * DAY])
def test_a_host_clock_that_leaps_and_comes_back_neither_skips_nor_refetches(shop: Shop, leap: timedelta) -> None:
    for number in range(100):
        shop.sell(f"o-{number}", shop.now - (100 - number) * DAY)
    shop.run()
    for step in range(30):
        shop.wait(HOUR)
        shop.sell(f"n-{step}")
        shop.host_ahead = leap if 10 <= step < 15 else timedelta(0)
        shop.run()
    assert shop.got == set(shop.orders)
    assert shop.asked[0] is None
    assert None not in shop.asked[1:]
    assert max(shop.answered[1:]) <= 1 + 6  # while the host's clock is behind, nothing moves on
    ids = list_batches(Lake(shop.root))
    assert len(ids) == 31


def test_until_of_a_clock_that_was_ahead_covers_no_future(shop: Shop) -> None:
    shop.sell("a", day(30))
    shop.run()
    shop.host_ahead = YEAR
    shop.run(Window(since=day(20), until=START + 100 * DAY))
    shop.host_ahead = timedelta(0)
    shop.wait(HOUR)
    shop.sell("b")
    assert shop.run().since == day(30) - LOOKBACK
    assert shop.got == {"a", "b"}


# Backfills and gaps


def test_a_backfill_moves_the_next_window_neither_back_nor_forward(shop: Shop) -> None:
    for number in range(1, 31):
        shop.sell(f"o-{number}", day(number))
    shop.run()
    for window in (
        Window(full=True, until=day(5)),
        Window(since=day(2), until=day(6)),
        Window(since=datetime(2024, 1, 1, tzinfo=UTC), until=datetime(2024, 2, 1, tzinfo=UTC)),
        Window(since=day(3)),
        Window(full=True, until=day(9)),
    ):
        shop.wait(HOUR)
        assert shop.run(window).gaps == ()
        assert shop.run().since == day(30) - LOOKBACK, window


def test_a_backfill_before_the_first_plain_run(shop: Shop) -> None:
    for number in range(1, 31):
        shop.sell(f"o-{number}", day(number))
    assert shop.run(Window(since=day(3), until=day(6))).window_end == day(6)
    result = shop.run()
    assert (result.since, result.gaps) == (day(6) - LOOKBACK, ())
    assert shop.run().since == day(30) - LOOKBACK


def test_gaps_are_named_until_they_are_filled(shop: Shop) -> None:
    for number in range(1, 31):
        shop.sell(f"o-{number}", day(number) + HOUR)
    assert shop.run(Window(until=day(5))).gaps == ()
    gap = (day(5), day(10))
    assert shop.run(Window(since=day(10), until=day(15))).gaps == (gap,)
    assert shop.run(Window(since=day(20))).gaps == (gap, (day(15), day(20)))
    assert shop.run().gaps == (gap, (day(15), day(20)))
    assert shop.run(Window(since=day(7), until=day(8))).gaps == (
        (day(5), day(7)),
        (day(8), day(10)),
        (day(15), day(20)),
    )
    for since, until in shop.run().gaps:
        shop.run(Window(since, until))
    assert shop.run().gaps == ()
    assert shop.got == set(shop.orders)


def test_a_gap_that_ends_within_the_last_day_can_be_filled(shop: Shop) -> None:
    shop.sell("a", START - 3 * DAY)
    shop.sell("missed", START - 9 * HOUR)
    shop.sell("b", START - HOUR)
    shop.run(Window(until=START - 2 * DAY))
    result = shop.run(Window(since=START - 8 * HOUR))
    ((since, until),) = result.gaps
    assert (since, until) == (START - 2 * DAY, START - 8 * HOUR)
    assert shop.run(Window(since, until)).gaps == ()
    assert shop.got == set(shop.orders)


def test_until_within_the_last_day_ends_where_something_was_shown(shop: Shop) -> None:
    shop.sell("a", START - 9 * HOUR)
    assert shop.run(Window(until=START - 2 * HOUR)).window_end == START - 9 * HOUR
    shop.sell("b", START - HOUR)
    shop.run()
    assert shop.run(Window(since=START - 5 * DAY, until=START - 2 * HOUR)).window_end == START - 2 * HOUR


def test_a_gap_reaches_back_by_lookback_where_no_until_settled_its_beginning(shop: Shop) -> None:
    shop.sell("a", day(3))
    shop.run()
    shop.sell("late", day(3) - 9 * MIN)
    shop.sell("b", day(20))
    ((since, until),) = shop.run(Window(since=day(10))).gaps
    assert (since, until) == (day(3) - LOOKBACK, day(10))
    assert shop.run(Window(since, until)).gaps == ()
    assert shop.got == set(shop.orders)


def test_since_within_the_lookback_leaves_a_gap(shop: Shop) -> None:
    shop.sell("a", day(3))
    shop.run()
    shop.sell("late", day(3) - 9 * MIN)
    shop.sell("b", day(20))
    assert shop.run(Window(since=day(3) - MIN)).gaps == ((day(3) - LOOKBACK, day(3) - MIN),)
    ((since, until),) = shop.run().gaps
    shop.run(Window(since, until))
    assert shop.run().gaps == ()
    assert shop.got == set(shop.orders)
    shop.sell("c", day(25))
    assert shop.run(Window(since=day(20) - LOOKBACK)).gaps == ()


@pytest.mark.parametrize("earlier", [False, True])
def test_a_gap_after_an_interval_shorter_than_the_lookback_is_named(shop: Shop, *, earlier: bool) -> None:
    if earlier:
        shop.sell("long ago", day(2))
        shop.run(Window(since=day(1), until=day(3)))
    begin = shop.now - 5 * HOUR
    shop.sell("first", begin + 3 * MIN)
    shop.run(Window(since=begin))
    shop.sell("late", begin + 30 * MIN)  # it becomes visible after that
    shop.sell("new", begin + 2 * HOUR)
    gaps = shop.run(Window(since=begin + HOUR)).gaps
    assert gaps[-1][0] <= begin + timedelta(microseconds=1)
    assert gaps[-1][1] == begin + HOUR
    for since, until in gaps:
        shop.run(Window(since=since, until=until))
    assert "late" in shop.got
    assert shop.run().gaps == ()


def test_an_end_that_until_settled_is_sure_whatever_came_between(shop: Shop) -> None:
    for number in range(1, 31):
        shop.sell(f"o-{number}", day(number) + HOUR)
    shop.run(Window(since=day(10), until=day(20)))
    shop.run(Window(since=day(5), until=day(10)))
    assert shop.run(Window(since=day(20), until=day(21))).gaps == ()
    assert shop.run(Window(since=day(23))).gaps == ((day(21), day(23)),)


def test_all_markers_together_tell_of_the_gaps_that_the_newest_one_does(shop: Shop) -> None:
    shop.sell("a", day(3))
    shop.run()
    shop.wait(HOUR)
    shop.sell("b", day(4))
    shop.run(lookback="1m")
    for number in (10, 20):
        shop.sell(f"o-{number}", day(number) + HOUR)
        shop.wait(HOUR)
        told = shop.run(Window(since=day(number), until=day(number) + 2 * HOUR if number == 10 else None)).gaps
    assert told == ((day(4) - LOOKBACK, day(10)), (day(10) + 2 * HOUR, day(20)))
    forget_recorded(shop)
    assert shop.run().gaps == told


def forget_recorded(shop: Shop) -> None:
    """Have what is covered computed again from all markers, as when a batch was moved away, put back or copied in."""
    newest = max(list_batches(Lake(shop.root)))
    marker = raw.read_marker(Lake(shop.root), newest)
    record = encode_record(msgspec.structs.replace(marker, covered_of=""))
    (shop.root / "raw" / newest / MARKER).write_bytes(record)


def test_a_window_that_showed_nothing_lets_no_later_ones_cover_what_lies_between(shop: Shop) -> None:
    begin = START - 2 * HOUR
    shop.run(Window(since=begin))
    shop.sell("old", START - 10 * DAY)
    shop.sell("missed", START - 5 * DAY)
    shop.run(Window(since=START - 11 * DAY, until=START - 9 * DAY))
    shop.sell("new", START - 5 * MIN)
    gap = (START - 9 * DAY, START - 30 * MIN)
    assert shop.run(Window(since=gap[1])).gaps == (gap,)
    forget_recorded(shop)
    assert shop.run().gaps == (gap,)
    assert shop.run(Window(*gap)).gaps == ()
    assert "missed" in shop.got


def test_of_windows_that_showed_nothing_the_earliest_is_where_the_next_run_begins(shop: Shop) -> None:
    shop.run(Window(since=START - 2 * HOUR))
    shop.wait(HOUR)
    shop.sell("between", START - HOUR)
    shop.run(Window(since=START - 30 * MIN))
    shop.run()
    assert shop.got == {"between"}


_STEP = 5 * MIN
_REQUESTS = st.tuples(
    st.sampled_from(["since", "until", "continues", "full"]),
    st.sampled_from([1, 30, 600]),  # steps after the request before
    st.sampled_from([1, 3, 30, 600]),  # since so long before now, or before its until
    st.sampled_from([1, 30, 900]),  # until so long before now
    st.sampled_from([None, 0, 1, 2, 40, 901, 1000]),  # a new order so long before now
)


@given(st.lists(_REQUESTS, min_size=2, max_size=5))
@example([("since", 1, 30, 1, None), ("until", 1, 30, 900, 901), ("since", 1, 3, 1, 1)])
def test_what_is_covered_was_asked_for_and_is_the_same_computed_from_all_markers(
    requests: list[tuple[str, int, int, int, int | None]],
) -> None:
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder) / "output")
        asked: list[tuple[datetime | None, datetime]] = []
        for kind, later, since, until, order in requests:
            shop.wait(later * _STEP)
            if order is not None:
                shop.sell(f"o-{len(shop.orders)}", shop.now - order * _STEP)
            end = shop.now - until * _STEP if kind == "until" else None
            begin = (end or shop.now) - since * _STEP
            window = {"continues": Window(), "full": Window(full=True)}.get(kind) or Window(since=begin, until=end)
            result = shop.run(window)
            asked.append((result.since, end or shop.now))
        carried = read(shop)
        if list_batches(Lake(shop.root)):
            forget_recorded(shop)
        assert read(shop) == carried
        for minute in range(0, 16 * 24 * 60, 5):
            time = shop.now - minute * MIN
            assert not covers(carried.intervals, time) or covers(asked, time)


def read(shop: Shop) -> Coverage:
    lake = Lake(shop.root)
    return read_coverage(lake, list_batches(lake), ORIGIN, now=shop.now, lookback=LOOKBACK)


def test_a_gap_s_command_takes_its_ends_as_they_are_printed(shop: Shop) -> None:
    from ordersetl.results import to_plain  # noqa: PLC0415

    shop.sell("a", day(3).replace(microsecond=123456))
    shop.run()
    shop.sell("b", day(20))
    output = to_plain(shop.run(Window(since=day(10))))["gaps"]
    assert output == [["2025-08-02T23:50:00.123456Z", "2025-08-10T00:00:00Z"]]
    since, until = map(datetime.fromisoformat, output[0])
    assert shop.run(Window(since, until)).gaps == ()


def test_an_empty_window_after_what_is_covered_says_nothing_of_the_source(shop: Shop) -> None:
    shop.sell("a", day(3))
    assert shop.run().asked == START
    assert shop.run(Window(since=day(10))).asked is None
    assert shop.run(Window(since=day(2), until=day(3))).asked == day(3)
    assert shop.run().asked == START
    shop.sell("b", day(11))
    assert shop.run(Window(since=day(10))).asked == START


# Windows that are empty


def test_a_window_that_is_empty_once_since_is_known_is_refused(shop: Shop) -> None:
    shop.sell("a", day(20))
    shop.run()
    with pytest.raises(ConfigError, match="continues from 2025-08-19T23:50:00Z, which is not before") as caught:
        shop.run(Window(until=day(5)))
    assert caught.value.exit_code == 2
    assert "--since" in caught.value.hint
    assert len(shop.asked) == 1


# What markers record


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    read: list[str] = []
    usual = raw.read_marker

    def count(lake: Lake, batch: str) -> raw.BatchMarker:
        read.append(batch)
        return usual(lake, batch)

    with monkeypatch.context() as patch:
        patch.setattr(raw, "read_marker", count)
        yield read


def test_the_newest_marker_tells_alone_while_batches_come_one_after_the_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 9):
        shop.sell(f"o-{number}", day(number))
        shop.run()
    with counting(monkeypatch) as read:
        shop.run()
    assert len(set(read)) == 1
    assert len(read) == 2
    shop.run(origin=Origin("generic", "http://other.test", GENERIC))
    with counting(monkeypatch) as read:
        assert shop.run().since == day(8) - LOOKBACK
    assert len(set(read)) == 2


def test_a_batch_that_turns_up_or_goes_away_is_taken_into_account_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 9):
        shop.sell(f"o-{number}", day(number))
        shop.run(Window(since=day(number), until=day(number + 1)))
        shop.wait(HOUR)
    batches = list_batches(Lake(shop.root))
    assert shop.run().gaps == ()
    (shop.root / "raw" / batches[3]).rename(shop.root / "aside")
    with counting(monkeypatch) as read:
        assert shop.run().gaps == ((day(4), day(5)),)
    assert len(read) == 2 * len(set(read))
    with counting(monkeypatch) as read:
        assert shop.run().gaps == ((day(4), day(5)),)
    assert len(set(read)) == 1
    (shop.root / "aside").rename(shop.root / "raw" / batches[3])
    assert shop.run().gaps == ()


def make_old(root: Path, batch: str, **fields: Any) -> None:
    """Turn a marker into one of before 0.2."""
    lake = Lake(root)
    marker = raw.read_marker(lake, batch)
    pages = tuple(msgspec.structs.replace(page, newest=None) for page in marker.pages)
    request = msgspec.structs.replace(marker.request, continues=None)
    old = msgspec.structs.replace(
        marker,
        **{"format": 1, "shown": None, "covered": (), "covered_of": "", "pages": pages, "request": request, **fields},
    )
    (root / "raw" / batch / MARKER).write_bytes(encode_record(old))


def test_batches_of_before_end_where_they_say_but_not_in_the_future(shop: Shop) -> None:
    first = shop.run().batches[0]
    make_old(shop.root, first, window_end=START)
    shop.wait(HOUR)
    assert shop.run().since == START - LOOKBACK
    shop.sell("a", START + 30 * MIN)
    assert shop.run().window_end == START + 30 * MIN
    ahead = shop.run().batches[0]
    make_old(shop.root, ahead, window_end=START + 10 * YEAR)
    assert shop.run().since == START + 20 * MIN


def test_a_damaged_marker_stops_the_run_that_needs_it_alone(shop: Shop) -> None:
    shop.sell("a", day(20))
    batch = shop.run().batches[0]
    path = shop.root / "raw" / batch / MARKER
    good = path.read_bytes()
    path.write_bytes(good[:-9])
    with pytest.raises(CorruptedError, match=batch):
        shop.run()
    shop.wait(HOUR)
    shop.run(Window(since=day(25)))
    with pytest.raises(CorruptedError, match=batch):
        shop.run()
    path.write_bytes(good)
    assert shop.run().gaps == ()


def test_a_recovered_batch_is_covered(shop: Shop) -> None:
    for number in (1, 5, 9):
        shop.sell(f"o-{number}", day(number))
        shop.run(Window(since=day(number), until=day(number + 4)))
        shop.wait(HOUR)
    middle = list_batches(Lake(shop.root))[1]
    (shop.root / "raw" / middle / MARKER).unlink()
    assert shop.run().gaps == ()
    assert middle in list_batches(Lake(shop.root))


# Intervals


def covers(parts: Iterable[tuple[datetime | None, datetime]], time: datetime) -> bool:
    return any((since is None or since <= time) and time < end for since, end in parts)


_TIMES = st.integers(0, 20).map(lambda hours: START + timedelta(hours=hours))


@given(st.lists(st.tuples(st.none() | _TIMES, _TIMES)))
def test_merged_intervals_cover_what_the_single_ones_do(intervals: list[tuple[datetime | None, datetime]]) -> None:
    given_ = [(since, end) for since, end in intervals if since is None or since <= end]
    merged = merge_intervals(given_)
    gaps = find_gaps(merged)
    for hours in range(-1, 42):
        time = START + timedelta(hours=hours / 2)
        assert covers(merged, time) == covers(given_, time)
        assert not (covers(gaps, time) and covers(merged, time))
    assert merged == merge_intervals(reversed(merged))
    assert all(since < end for since, end in gaps)


def test_gaps_are_json_and_a_line_of_the_table(shop: Shop) -> None:
    from rich.console import Console  # noqa: PLC0415

    from ordersetl.report.terminal import draw  # noqa: PLC0415

    shop.sell("a", day(20))
    shop.run(Window(until=day(5)))
    result = shop.run(Window(since=day(10)))
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        for table in draw(result):
            console.print(table)
    output = captured.get()
    assert "never fetched 2025-08-05T00:00:00Z to 2025-08-10T00:00:00Z" in output
    assert "ordersetl run --since 2025-08-05T00:00:00Z --until 2025-08-10T00:00:00Z" in output
    assert json.loads(json.dumps(result.gaps, default=str))
