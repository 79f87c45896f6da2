"""A model of sources that show no more than what is younger than a span, or are asked for what is older than one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, strategies as st

from ordersetl.extract.coverage import Coverage, is_settled
from ordersetl.lake.raw import BatchRequest, Interval, PageEntry
from ordersetl.source.description.model import Window as Filter
from ordersetl.source.slices import find_youngest, plan_slices

START = datetime(2025, 9, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LOOKBACK = timedelta(minutes=10)
FIRST = timedelta(days=10)
_MARGIN = timedelta(minutes=10)


def covers(parts: Sequence[tuple[datetime | None, datetime | None]], time: datetime) -> bool:
    return any((since is None or since <= time) and (end is None or time < end) for since, end in parts)


@dataclass
class Source:
    """A source of a right clock, its orders by the time of their change, and what was asked of it."""

    min_age: int | None
    reach: int | None
    now: datetime = START
    orders: set[datetime] = field(default_factory=set)
    got: set[datetime] = field(default_factory=set)
    asked: list[Interval] = field(default_factory=list)
    settled: list[tuple[datetime | None, datetime | None]] = field(default_factory=list)
    requests: list[BatchRequest] = field(default_factory=list)
    ends: list[tuple[datetime | None, datetime | None]] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def window(self) -> Filter:
        return Filter.model_validate(
            {
                "format": "%Y-%m-%dT%H:%M:%SZ",
                "precision": "1s",
                "min_age": None if self.min_age is None else f"{self.min_age}h",
                "reaches_back": None if self.reach is None else f"{self.reach}h",
            }
        )

    def run(self, since: datetime | None = None, until: datetime | None = None, *, is_changed: bool = False) -> None:
        """One run; where ``is_changed`` the newest order that it gets was changed between the search and the answer."""
        self.coverage = self.coverage.as_of(self.now)
        continues = since is None
        if since is None and self.coverage.end is not None:
            since = self.coverage.end - LOOKBACK
        if since is not None and until is not None and since >= until:
            return
        reach = None if self.reach is None else self.now - self.reach * HOUR
        request = BatchRequest(
            source="small",
            url="http://shop.test",
            since=since,
            until=until,
            page_size=100,
            began_at=self.now,
            continues=continues,
            shown_since=None if reach is None else reach + _MARGIN,
            shown_until=find_youngest(self.window, self.now),
        )
        (part,) = plan_slices(self.window, since, until, self.now, [{}])
        span = (max(filter(None, (part.since, reach)), default=None), min(filter(None, (part.until, self.now))))
        found = sorted(time for time in self.orders if covers([span], time))
        newest = self.now if found and is_changed else max(found, default=None)
        pages = [PageEntry("page-00001.json", "", 0, len(found), newest)] if found else []
        self.coverage, end = self.coverage.add(request, pages, LOOKBACK)
        self.asked.append(span)
        self.got.update(found)
        self.requests.append(request)
        self.ends.append((end, self.coverage.shown))
        if is_settled(request):
            self.settled.append((request.covered_since, request.until))


_HOURS = st.sampled_from([0, 1, 5, 20, 30, 50, 100])
_RUNS = st.tuples(
    st.sampled_from([1, 6, 30, 100]),  # hours after the run before
    st.sampled_from(["plain", "plain", "plain", "since", "until"]),
    _HOURS,  # until so long before now
    st.sampled_from([1, 12, 60, 200]),  # since so long before that
    st.lists(st.sampled_from([0, 1, 5, 20, 29]), max_size=2),  # orders so long before now, after the run before
    st.booleans(),
)
_SOURCES = st.tuples(st.sampled_from([None, 0, 6, 48]), st.sampled_from([None, 80, 240]))


def play(source: Source, runs: Sequence[tuple[int, str, int, int, list[int], bool]]) -> None:
    source.orders.add(source.now - FIRST / 5)
    source.run()
    for later, kind, until, since, orders, is_changed in runs:
        source.now += later * HOUR
        source.orders.update(source.now - ago * HOUR for ago in orders if ago < later)
        end = source.now - until * HOUR if kind == "until" else None
        begin = None if kind == "plain" else (end or source.now) - since * HOUR
        source.run(begin, end, is_changed=is_changed)


@given(_SOURCES, st.lists(_RUNS, max_size=7))
@example((48, None), [(30, "until", 30, 200, [29], False)])
@example((6, None), [(30, "plain", 0, 1, [20, 5], True)])
@example((None, 240), [(100, "plain", 0, 1, [], False)] * 4 + [(1, "plain", 0, 1, [0], False)])
def test_nothing_counts_that_a_source_did_not_show_or_was_not_asked_for(
    limits: tuple[int | None, int | None], runs: list[tuple[int, str, int, int, list[int], bool]]
) -> None:
    source = Source(*limits)
    play(source, runs)
    covered = source.coverage.intervals
    times = [source.now - hours * HOUR - timedelta(seconds=1) for hours in range(1000)]
    assert not [time for time in times if covers(covered, time) and not covers(source.asked, time)]
    assert not [time for time in times if covers(source.settled, time) and not covers(source.asked, time)]
    again = Coverage()
    for request, (end, shown) in zip(source.requests, source.ends, strict=True):
        again = again.as_of(request.began_at).join(request, end, shown, LOOKBACK)
    assert again == source.coverage


@given(_SOURCES, st.lists(_RUNS, max_size=7))
@example((48, None), [(30, "until", 30, 200, [29], False)])
@example((6, None), [(30, "plain", 0, 1, [20, 5], True)])
def test_an_order_comes_with_a_later_run_or_lies_in_a_gap_or_before_all(
    limits: tuple[int | None, int | None], runs: list[tuple[int, str, int, int, list[int], bool]]
) -> None:
    source = Source(*limits)
    play(source, runs)
    source.now += (source.min_age or 0) * HOUR + timedelta(minutes=1)
    source.run()
    missed, covered = source.orders - source.got, source.coverage.intervals
    assert not [time for time in missed if covers(covered, time)]
    shown = [time for time in missed if source.reach is None or time >= source.now - source.reach * HOUR]
    first = covered[0][0] if covered else None
    later = [time for time in shown if first is None or time >= first]
    assert not [time for time in later if not covers(source.coverage.gaps, time)]
