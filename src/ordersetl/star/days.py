"""The shop's days: at which date in its time zone an instant lies, by the data of :mod:`ordersetl.zones`.

Polars and DuckDB carry zone data of their own, of the day they were built, so that theirs is for no rule to use: the
same orders would lie on other days after an upgrade.
"""

from datetime import datetime, time, timedelta

import polars as pl

from ordersetl.zones import read_zone, split_by_offset

__all__ = ["find_days"]

_DAY = timedelta(days=1)


def find_days(times: pl.Series, timezone: str) -> pl.Series:
    """The date of each time in the zone, null for null.

    Args:
        times: naive UTC, in microseconds.
        timezone: an IANA name.

    Raises:
        ValueError: there is no such zone (settings let none such in).
    """
    if timezone == "UTC":
        return times.dt.date()
    zone = read_zone(timezone)
    utc_days = times.dt.date().drop_nulls().unique().sort()
    if utc_days.is_empty():
        return times.dt.date()
    midnights = [datetime.combine(day, time()) for day in utc_days]
    spans = [span for midnight in midnights for span in split_by_offset(zone, midnight, midnight + _DAY)]
    begins = pl.Series([begin for begin, _, _ in spans], dtype=times.dtype)
    offsets = pl.Series([offset for _, _, offset in spans], dtype=pl.Duration("us"))
    span = begins.search_sorted(times.fill_null(begins[0]), side="right") - 1
    return (times + offsets.gather(span)).dt.date()
