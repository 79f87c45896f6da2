"""Spans of UTC are the days that Python's zone data gives, to the microsecond."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ordersetl.check.shop_days import list_spans

STEP = timedelta(microseconds=1)
CASES = {
    ("UTC", date(2025, 8, 20)): 24,
    ("Pacific/Kiritimati", date(2025, 8, 20)): 24,  # +14
    ("Etc/GMT+12", date(2025, 8, 20)): 24,  # -12
    ("Europe/Berlin", date(2025, 3, 30)): 23,
    ("Europe/Berlin", date(2025, 10, 26)): 25,
    ("America/Sao_Paulo", date(2018, 11, 4)): 23,  # whose first hour is missing
    ("America/Sao_Paulo", date(2019, 2, 16)): 25,  # whose last hour comes twice
    ("America/St_Johns", date(2010, 11, 7)): 24 + 1 / 60,  # back to the day before after a minute
    ("America/St_Johns", date(2010, 11, 6)): 24 + 59 / 60,
    ("Pacific/Apia", date(2011, 12, 30)): 0,  # skipped
    ("Europe/Berlin", date(2150, 3, 29)): 23,
}


@pytest.mark.parametrize(("case", "hours"), CASES.items(), ids=str)
def test_a_day_is_as_long_as_its_clock_says(case: tuple[str, date], hours: float) -> None:
    timezone, day = case
    spans = list(list_spans([day], timezone))
    assert sum((until - since) / timedelta(hours=1) for _, since, until in spans) == pytest.approx(hours)
    for _, since, until in spans:
        assert day_of(since, timezone) == day_of(until - STEP, timezone) == day
    if spans:
        assert day_of(spans[0][1] - STEP, timezone) != day
        assert day_of(spans[-1][2], timezone) != day


def day_of(utc: datetime, timezone: str) -> date:
    return utc.replace(tzinfo=UTC).astimezone(ZoneInfo(timezone)).date()
