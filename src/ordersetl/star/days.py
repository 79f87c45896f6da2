"""The shop's days: at which date in its time zone an instant lies, by the data of :mod:`ordersetl.zones`.

Polars and DuckDB carry zone data of their own, of the day they were built, so that theirs is for no rule to use: the
same orders would lie on other days after an upgrade.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from ordersetl.zones import read_zone

__all__ = ["find_days"]

_DAY = timedelta(days=1)
_FINEST = timedelta(seconds=1)


def find_days(times: pl.Series, timezone: str) -> pl.Series:
    """The date of each time in the zone, null for null.

    Args:
        times: naive UTC, in microseconds.
        timezone: an IANA name.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: there is no such zone (settings let none such in).
    """
    if timezone == "UTC":
        return times.dt.date()
    zone = read_zone(timezone)
    utc_days = times.dt.date().drop_nulls().unique().sort()
    if utc_days.is_empty():
        return times.dt.date()
    spans = [span for day in utc_days for span in _list_offsets(day, zone)]
    begins = pl.Series([begin.replace(tzinfo=None) for begin, _ in spans], dtype=times.dtype)
    offsets = pl.Series([offset for _, offset in spans], dtype=pl.Duration("us"))
    span = begins.search_sorted(times.fill_null(begins[0]), side="right") - 1
    return (times + offsets.gather(span)).dt.date()


def _list_offsets(day: date, zone: ZoneInfo) -> Iterator[tuple[datetime, timedelta]]:
    """From when on which offset from UTC holds on a day of UTC; clocks change once on it at most."""
    begin = datetime.combine(day, time(), UTC)
    end = begin + _DAY
    first, last = _offset(begin, zone), _offset(end, zone)
    yield begin, first
    if first == last:
        return
    before, after = begin, end
    while after - before > _FINEST:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0) if middle - before >= _FINEST else middle
        if _offset(middle, zone) == first:
            before = middle
        else:
            after = middle
    yield after, last


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)
