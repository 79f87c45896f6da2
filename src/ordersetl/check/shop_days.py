"""Which spans of UTC are a day of the shop, by the data of :mod:`ordersetl.zones`: DuckDB's own may be older."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from ordersetl.zones import read_zone

__all__ = ["list_spans"]

_DAY = timedelta(days=1)
_REACH = timedelta(hours=15)
"""No zone is further from UTC."""
_UNIT = timedelta(seconds=1)


def list_spans(days: Iterable[date], timezone: str) -> Iterator[tuple[date, datetime, datetime]]:
    """Day, begin and end (naive UTC, the end exclusive) of each span of the days in a zone, an IANA name.

    A day has several where clocks change in it or go back over its midnight, and none where a zone skipped it.
    """
    zone = read_zone(timezone)
    for day in days:
        midnight = datetime.combine(day, time())
        for since, until, offset in _split_by_offset(zone, midnight - _REACH, midnight + _DAY + _REACH):
            begin, end = max(since, midnight - offset), min(until, midnight + _DAY - offset)
            if begin < end:
                yield day, begin, end


def _split_by_offset(zone: tzinfo, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Spans of one offset each, in a span so short that clocks change once in it at most."""
    before, after = _find_offset(zone, since), _find_offset(zone, until)
    low, high = since, until
    while before != after and high - low > _UNIT:
        middle = low + (high - low) // 2 // _UNIT * _UNIT
        low, high = (middle, high) if _find_offset(zone, middle) == before else (low, middle)
    yield since, high, before
    if high < until:
        yield high, until, after


def _find_offset(zone: tzinfo, utc: datetime) -> timedelta:
    return utc.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta(0)
