"""Which spans of UTC are a day of the shop, by the data of :mod:`ordersetl.zones`: DuckDB's own may be older."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta

from ordersetl.zones import read_zone, split_by_offset

__all__ = ["list_spans"]

_DAY = timedelta(days=1)
_REACH = timedelta(hours=15)
"""No zone is further from UTC."""


def list_spans(days: Iterable[date], timezone: str) -> Iterator[tuple[date, datetime, datetime]]:
    """Day, begin and end (naive UTC, the end exclusive) of each span of the days in a zone, an IANA name.

    A day has several where clocks change in it or go back over its midnight, and none where a zone skipped it.
    """
    zone = read_zone(timezone)
    for day in days:
        midnight = datetime.combine(day, time())
        for since, until, offset in split_by_offset(zone, midnight - _REACH, midnight + _DAY + _REACH):
            begin, end = max(since, midnight - offset), min(until, midnight + _DAY - offset)
            if begin < end:
                yield day, begin, end
