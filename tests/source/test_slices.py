"""Slices: how a window is cut and written, so that nothing of it is left out."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from ordersetl.errors import ConfigError
from ordersetl.source.description.model import Description, Window
from ordersetl.source.slices import Slice, group_values, halve_slice, plan_slices, write_bounds
from ordersetl.zones import read_zone

BEGAN = datetime(2025, 9, 1, 12, 0, 0, 700000, tzinfo=UTC)
SINCE, UNTIL = datetime(2025, 8, 20, 10, 0, 5, 500000, tzinfo=UTC), datetime(2025, 8, 21, 10, 0, 5, 500000, tzinfo=UTC)


def window(**given: Any) -> Window:
    return Window.model_validate({"precision": "1s", "format": "%Y-%m-%dT%H:%M:%SZ", **given})


@pytest.mark.parametrize(
    ("given", "since", "until"),
    [
        ({}, "2025-08-20T10:00:05Z", "2025-08-21T10:00:06Z"),
        ({"since_inclusive": False}, "2025-08-20T10:00:04Z", "2025-08-21T10:00:06Z"),
        ({"format": "epoch"}, "1755684005", "1755770406"),
        ({"format": "epoch_ms", "precision": "0.001s"}, "1755684005500", "1755770405500"),
        ({"format": "rfc2822"}, "Wed, 20 Aug 2025 10:00:05 +0000", "Thu, 21 Aug 2025 10:00:06 +0000"),
        ({"format": "iso", "precision": "0.000001s"}, "2025-08-20T10:00:05.500000Z", "2025-08-21T10:00:05.500000Z"),
        ({"format": "%Y-%m-%d", "precision": "1d"}, "2025-08-20", "2025-08-22"),
        ({"format": "%Y-%m-%d %H:%M", "precision": "60s"}, "2025-08-20 10:00", "2025-08-21 10:01"),
        ({"format": "%Y-%m-%d %H:%M:%S", "zone": "Europe/Berlin"}, "2025-08-20 12:00:05", "2025-08-21 12:00:06"),
    ],
)
def test_bounds_are_widened_to_what_the_source_can_tell(given: dict[str, Any], since: str, until: str) -> None:
    assert write_bounds(window(**given), Slice(SINCE, UNTIL)) == {"since": since, "until": until}


def test_a_bound_that_the_source_can_tell_stays() -> None:
    whole = datetime(2025, 8, 20, 10, tzinfo=UTC)
    bounds = write_bounds(window(), Slice(whole, whole + timedelta(hours=1)))
    assert bounds == {"since": "2025-08-20T10:00:00Z", "until": "2025-08-20T11:00:00Z"}


def test_an_open_end_is_not_written_unless_the_source_wants_both() -> None:
    assert write_bounds(window(), plan_slices(window(), None, None, BEGAN, [{}])[0]) == {}
    bounded = window(bounded=True, earliest="2009-01-01T00:00:00Z")
    (part,) = plan_slices(bounded, None, None, BEGAN, [{}])
    assert write_bounds(bounded, part) == {"since": "2009-01-01T00:00:00Z", "until": "2025-09-01T12:00:01Z"}


def test_numbered_pages_leave_the_newest_slice_open_for_what_changes_meanwhile() -> None:
    bounded = window(bounded=True, max_span="30d")
    parts = plan_slices(bounded, datetime(2025, 7, 15, tzinfo=UTC), None, BEGAN, [{}], numbered=True)
    assert [part.until for part in parts[:-1]] == [part.since for part in parts[1:]]
    assert parts[-1].until == BEGAN + timedelta(days=1)
    assert parts[-2].until is not None
    assert parts[-2].until < BEGAN
    (hour,) = plan_slices(
        window(bounded=True, max_span="1h"), BEGAN - timedelta(minutes=30), None, BEGAN, [{}], numbered=True
    )
    assert hour.until == BEGAN + timedelta(minutes=30, seconds=-3)
    assert plan_slices(bounded, SINCE, UNTIL, BEGAN, [{}], numbered=True) == [Slice(SINCE, UNTIL)]
    aged = window(bounded=True, min_age="0s")
    assert plan_slices(aged, SINCE, None, BEGAN, [{}], numbered=True)[0].until == BEGAN.replace(microsecond=0)


def test_the_beginning_of_time_is_where_the_source_begins() -> None:
    short = window(bounded=True, reaches_back="730d")
    (part,) = plan_slices(short, None, None, BEGAN, [{}])
    assert write_bounds(short, part)["since"] == "2023-09-02T12:10:00Z"
    since = datetime(2020, 1, 1, tzinfo=UTC)
    assert plan_slices(short, since, None, BEGAN, [{}])[0].since == since


@pytest.mark.parametrize(
    "keys",
    [
        {"bounded": True, "reaches_back": "730d"},
        {"bounded": True, "earliest": "2023-09-02T12:10:00Z"},
        {"max_span": "30d", "reaches_back": "730d"},
    ],
)
def test_a_window_that_ends_where_the_source_begins_is_refused(keys: dict[str, Any]) -> None:
    began, begin = BEGAN.replace(microsecond=0), datetime(2023, 9, 2, 12, 10, tzinfo=UTC)
    with pytest.raises(ConfigError, match="begins at 2023-09-02T12:10:00Z, which is not before until 2023-09-02"):
        plan_slices(window(**keys), None, begin, began, [{}])
    (part,) = plan_slices(window(**keys), None, begin + timedelta(hours=1), began, [{}])
    assert part == Slice(begin, begin + timedelta(hours=1))


def test_the_end_is_as_old_as_it_must_be() -> None:
    aged = window(bounded=True, min_age="2m")
    (part,) = plan_slices(aged, SINCE, None, BEGAN, [{}])
    assert write_bounds(aged, part)["until"] == "2025-09-01T11:58:00Z"
    (part,) = plan_slices(aged, BEGAN - timedelta(minutes=1), None, BEGAN, [{}])
    assert part.since is not None
    assert part.until is not None
    assert part.since < part.until


@pytest.mark.parametrize("begin", range(22, 28))
@pytest.mark.parametrize("length", [1, 2, 3])
def test_an_hour_that_a_clock_shows_twice_leaves_nothing_out(begin: int, length: int) -> None:
    local, berlin = window(format="%Y-%m-%d %H:%M:%S", zone="Europe/Berlin"), read_zone("Europe/Berlin")
    since = datetime(2025, 10, 25, 0, 30, tzinfo=UTC) + timedelta(hours=begin)  # clocks were set back at 01:00 UTC
    until = since + timedelta(hours=length)
    bounds = write_bounds(local, Slice(since, until))
    for minutes in range(0, 60 * length, 10):
        stored = (since + timedelta(minutes=minutes)).astimezone(berlin).strftime("%Y-%m-%d %H:%M:%S")
        assert bounds["since"] <= stored < bounds["until"]


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo", "Asia/Kolkata", "Europe/Berlin", "UTC"])
@pytest.mark.parametrize(("form", "precision"), [("%Y-%m-%d", "1d"), ("%Y-%m-%d %H", "1h"), ("%Y-%m-%d %H:%M", "60s")])
@pytest.mark.parametrize("day", ["2025-03-09", "2025-03-30", "2025-08-20", "2025-10-26", "2025-11-02"])
def test_a_coarse_clock_elsewhere_leaves_nothing_out(zone: str, form: str, precision: str, day: str) -> None:
    how, home = window(format=form, precision=precision, zone=zone), read_zone(zone)
    begin = datetime.fromisoformat(f"{day}T00:00:00+00:00") - timedelta(hours=14)
    for hours in range(0, 40, 3):
        since = begin + timedelta(hours=hours, minutes=17)
        until = since + timedelta(hours=5)
        bounds = write_bounds(how, Slice(since, until))
        for minutes in range(0, 300, 20):
            stored = (since + timedelta(minutes=minutes)).astimezone(home).strftime(form)
            assert bounds["since"] <= stored < bounds["until"]


@given(st.integers(0, 10**12), st.integers(1, 10**12), st.sampled_from(["1s", "0.001s", "60s", "1h"]), st.booleans())
def test_no_time_of_a_window_is_left_out(since: int, length: int, precision: str, inclusive: bool) -> None:  # noqa: FBT001
    begin = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(microseconds=since % 10**13)
    end = begin + timedelta(microseconds=length)
    how = window(precision=precision, format="%Y-%m-%dT%H:%M:%S.%fZ", since_inclusive=inclusive)
    bounds = {name: datetime.fromisoformat(text) for name, text in write_bounds(how, Slice(begin, end)).items()}
    for time in (begin, end - timedelta(microseconds=1)):
        stored = time - (time - datetime(1970, 1, 1, tzinfo=UTC)) % how.precision
        assert stored >= bounds["since"] if inclusive else stored > bounds["since"]
        assert stored < bounds["until"]


def test_a_long_window_is_cut_into_slices_that_may_be_asked_for() -> None:
    short = window(max_span="30d", bounded=True)
    parts = plan_slices(short, datetime(2025, 1, 1, tzinfo=UTC), None, BEGAN, [{}])
    assert [part.until for part in parts[:-1]] == [part.since for part in parts[1:]]
    assert (parts[0].since, parts[-1].until) == (datetime(2025, 1, 1, tzinfo=UTC), BEGAN)
    for part in parts:
        begin, end = (datetime.fromisoformat(text) for text in write_bounds(short, part).values())
        assert end - begin <= timedelta(days=30)
    with pytest.raises(ConfigError, match="at most"):
        plan_slices(window(max_span="1m", bounded=True), None, None, BEGAN, [{}])


@pytest.mark.parametrize("month", [3, 10])
def test_no_slice_is_too_long_where_clocks_change(month: int) -> None:
    """What is written of local times is longer by the hour that a clock passes over or shows twice."""
    how = window(max_span="7d", bounded=True, format="%Y-%m-%d %H:%M:%S", zone="Europe/Berlin")
    zone, longest = ZoneInfo("Europe/Berlin"), timedelta(days=7)
    for hour in range(24 * 8):
        begin = datetime(2025, month, 18, 0, 30, tzinfo=UTC) + timedelta(hours=hour)
        for part in plan_slices(how, begin, begin + timedelta(days=20), BEGAN, [{}]):
            shown = [datetime.fromisoformat(text) for text in write_bounds(how, part).values()]
            meant = [time.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold, time in enumerate(shown)]
            assert shown[1] - shown[0] <= longest
            assert meant[1] - meant[0] <= longest


def test_a_slice_may_be_cut_where_its_orders_are() -> None:
    part, near = Slice(None, BEGAN), datetime(2025, 8, 20, 10, 0, 5, 500000, tzinfo=UTC)
    halves = halve_slice(window(), part, BEGAN, near)
    assert halves is not None
    assert halves[0].until == halves[1].since == near.replace(microsecond=0)
    for beyond in (BEGAN + timedelta(days=1), datetime(1960, 1, 1, tzinfo=UTC)):
        assert halve_slice(window(), part, BEGAN, beyond) == halve_slice(window(), part, BEGAN)


def test_halves_meet_until_they_cannot_be_told_apart() -> None:
    part, halvings = Slice(None, None, {"store": ("1",)}), 0
    while halves := halve_slice(window(), part, BEGAN):
        assert halves[0].until == halves[1].since
        assert (halves[0].since, halves[1].until, halves[1].group) == (part.since, part.until, part.group)
        part, halvings = halves[0] if halvings % 2 else halves[1], halvings + 1
    assert 20 < halvings < 40
    assert halve_slice(None, part, BEGAN) is None


def test_values_go_so_many_into_a_request_and_all_combinations_are_asked_for() -> None:
    variables = {"store": {"description": "x", "per_request": 2}, "state": {"description": "x", "per_request": 1}}
    given = {"name": "x", "title": "X", "records": "@", "request": {"path": "/"}, "paging": {"kind": "none"}}
    description = Description.model_validate({**given, "variables": {**variables, "other": {"description": "x"}}})
    groups = group_values(description, {"store": "1, 2,3", "state": "a,b", "other": "c"})
    assert groups == [
        {"store": ("1", "2"), "state": ("a",)},
        {"store": ("1", "2"), "state": ("b",)},
        {"store": ("3",), "state": ("a",)},
        {"store": ("3",), "state": ("b",)},
    ]
    assert group_values(description, {}) == [{}]
