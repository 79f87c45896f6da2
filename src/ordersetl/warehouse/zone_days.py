"""The day of a time in a zone, as SQL, by our own data of zones: that of a database may be older, or mean another one.

PostgreSQL takes ``CET``, ``EET``, ``MET`` and ``WET`` for abbreviations of a fixed offset.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cache

from ordersetl.zones import read_zone, split_by_offset

__all__ = ["find_day", "find_day_of_any"]

_DAY = timedelta(days=1)
_REACH = timedelta(hours=15)
"""No zone is further from UTC."""
_STEP = timedelta(days=3)
"""No zone has changed its clocks twice within six days since 1970: at least 6 days and 23 hours lie between."""
_FIRST, _LAST = date(2000, 1, 1), date(2049, 12, 31)
"""Of the days in a view: its text grows by two lines a year."""
_Span = tuple[datetime, timedelta]


def find_day(column: str, timezone: str, first: date, last: date) -> str:
    """The expression of the date in a zone.

    Args:
        column: of times in UTC.
        timezone: IANA name of the zone.
        first: of the days that the times are of.
        last: likewise.
    """
    if timezone == "UTC":
        return f"CAST({column} AS DATE)"
    return _choose(column, _list_spans(timezone, first, last))


@cache
def find_day_of_any(column: str, timezone: str) -> str:
    """Likewise, of times that are not known yet: by the database's data of zones where they are far from today."""
    theirs = f"CAST({column} AT TIME ZONE 'UTC' AT TIME ZONE '{timezone}' AS DATE)"
    if timezone == "UTC":
        return theirs
    ours = find_day(column, timezone, _FIRST, _LAST)
    return f"CASE WHEN CAST({column} AS DATE) BETWEEN DATE '{_FIRST}' AND DATE '{_LAST}' THEN {ours} ELSE {theirs} END"


def _choose(column: str, spans: tuple[_Span, ...]) -> str:
    """The date by the offset of the span that a time is in, found by halves."""
    middle = len(spans) // 2
    end, offset = spans[middle - 1]
    if middle == 0:
        return f"CAST({column} {_write(offset)} AS DATE)"
    before, after = _choose(column, spans[:middle]), _choose(column, spans[middle:])
    return f"CASE WHEN {column} < CAST('{end:%Y-%m-%d %H:%M:%S}' AS TIMESTAMP) THEN {before} ELSE {after} END"


def _list_spans(timezone: str, first: date, last: date) -> tuple[_Span, ...]:
    """End (naive UTC) and offset of each span of one offset, from before the first day to after the last."""
    spans: list[_Span] = []
    for until, offset in _walk(timezone, datetime.combine(first, time()) - _REACH, last):
        if spans and spans[-1][1] == offset:
            spans.pop()
        spans.append((until, offset))
    return tuple(spans)


def _walk(timezone: str, begin: datetime, last: date) -> Iterator[_Span]:
    zone, end = read_zone(timezone), datetime.combine(last, time()) + _DAY + _REACH
    while begin < end:
        for _, until, offset in split_by_offset(zone, begin, begin + _STEP):
            yield until, offset
        begin += _STEP


def _write(offset: timedelta) -> str:
    seconds = round(offset.total_seconds())
    return f"{'-' if seconds < 0 else '+'} INTERVAL '{abs(seconds)} seconds'"
