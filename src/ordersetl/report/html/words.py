"""Days, times and commands as the page words them."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

from ordersetl.text import many

__all__ = ["describe_age", "format_day", "format_moment", "split_commands"]

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_COMMAND = re.compile(r"`?(ordersetl [a-z]+(?: --?[a-z][\w-]*(?: [0-9][\w:.+-]*\w)?)*)`?")
_HOUR_S = 3600
_DAYS_SHOWN_FROM_S = 48 * _HOUR_S


def format_day(day: date) -> str:
    """As ``3 Sep 2025``, whatever the locale."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year:04d}"


def format_moment(time: datetime) -> str:
    """A time as ``3 Sep 2025, 14:05 UTC``."""
    utc = time.astimezone(UTC)
    return f"{format_day(utc)}, {utc:%H:%M} UTC"


def describe_age(time: datetime | None, now: datetime) -> str:
    """How long ago a time was, in hours, or in days from two on; "" for None."""
    if time is None:
        return ""
    seconds = (now - time).total_seconds()
    if seconds < _HOUR_S:
        return "less than an hour old"
    if seconds < _DAYS_SHOWN_FROM_S:
        return f"{many(int(seconds // _HOUR_S), 'hour')} old"
    return f"{many(int(seconds // (24 * _HOUR_S)), 'day')} old"


def split_commands(text: str, complete: Callable[[str], str]) -> Iterator[tuple[bool, str]]:
    """The text in pieces, with whether each is a command; commands get the options in use by ``complete``."""
    at = 0
    for found in _COMMAND.finditer(text):
        if text[at : found.start()]:
            yield False, text[at : found.start()]
        yield True, complete(found[1])
        at = found.end() + text.startswith(".", found.end())  # a full stop would look like a part of it
    if text[at:]:
        yield False, text[at:]
