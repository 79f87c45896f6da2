"""The shop's days, compared with Python's own arithmetic."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from ordersetl.star.days import find_days

ZONES = (
    *(
        "UTC",
        "Europe/Berlin",
        "America/Bogota",
        "Pacific/Kiritimati",
        "Etc/GMT+12",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
    ),
    *("America/St_Johns", "Africa/Casablanca", "Africa/Monrovia", "Pacific/Apia", "Asia/Beirut", "America/Sao_Paulo"),
)


def days_of(times: list[datetime | None], zone: str) -> list[object]:
    naive = [time and time.replace(tzinfo=None) for time in times]
    return find_days(pl.Series(naive, dtype=pl.Datetime("us")), zone).to_list()


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.lists(
        st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
        max_size=20,
    ),
)
def test_days_are_those_of_python(zone: str, times: list[datetime | None]) -> None:
    assert days_of(times, zone) == [time and time.astimezone(ZoneInfo(zone)).date() for time in times]


@pytest.mark.parametrize("zone", ZONES)
def test_days_of_23_and_25_hours_end_when_they_end(zone: str) -> None:
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    times: list[datetime | None] = [begin + at * timedelta(minutes=17, seconds=1) for at in range(31_000)]
    assert days_of(times, zone) == [time and time.astimezone(ZoneInfo(zone)).date() for time in times]


def test_a_change_of_the_clocks_is_found_to_the_second() -> None:
    around = datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC)  # Monrovia gave up 44 minutes and a half
    times: list[datetime | None] = [around + at * timedelta(milliseconds=500) for at in range(-4, 5)]
    assert days_of(times, "Africa/Monrovia") == [
        time and time.astimezone(ZoneInfo("Africa/Monrovia")).date() for time in times
    ]


def test_without_times_there_are_no_days() -> None:
    assert days_of([], "Europe/Berlin") == []
    assert days_of([None], "Europe/Berlin") == [None]
