"""Times of native records as ISO 8601 text in UTC."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from ordersetl.star.values import parse_iso
from ordersetl.zones import read_zone

__all__ = ["TimeReader", "find_time_reader"]

TimeReader = Callable[[object], Any]
"""ISO 8601 text of a time as a source has it; null of a blank one, and of what is none the value as it is."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COUNT = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?")
_DIGITS = 18
_CLOCK = re.compile(r"[0-9]{1,2}[:.][0-9]{2}(?:[:.][0-9]{2})?")
_PER_SECOND = {"epoch": 1, "epoch_ms": 1000}


@cache
def find_time_reader(times: str, zone: str) -> TimeReader:
    """The reader of a format, as :data:`ordersetl.source.description.mapping.TimeFormat` names them.

    Args:
        times: the format.
        zone: IANA name of the zone of times that name none.

    Raises:
        ValueError: there is no such zone.
    """
    if times in _PER_SECOND:
        return _read_safely(lambda value: _read_count(value, _PER_SECOND[times]))
    if times == "iso" and zone == "UTC":  # as the generic API: every form, and naive is UTC
        return lambda value: None if _is_blank(value) else value
    parse = {"iso": parse_iso, "rfc2822": _parse_mail_time}.get(times)
    home = read_zone(zone)

    def read(value: object) -> str | None:
        if not isinstance(value, str):
            return None
        time = parse(value.strip()) if parse else datetime.strptime(value.strip(), times)  # noqa: DTZ007 - see below
        return (time.replace(tzinfo=home) if time.tzinfo is None else time).astimezone(UTC).isoformat()

    return _read_safely(read)


def _parse_mail_time(text: str) -> datetime:
    """A time of RFC 2822, of which ``-0000`` is UTC too; naive where it names no zone.

    Raises:
        ValueError: it is none, or the name of its zone is not one of that standard.
    """
    time = parsedate_to_datetime(text)
    zone = _CLOCK.split(text)[-1].strip()
    if time.tzinfo is not None or not zone or zone.isdigit():  # a year may be there
        return time
    if not zone.startswith("-0000"):
        raise ValueError(f"{zone} is the name of no zone")
    return time.replace(tzinfo=UTC)


def _read_safely(read: Callable[[object], str | None]) -> TimeReader:
    def read_or_keep(value: object) -> Any:  # noqa: ANN401 - any JSON value
        if _is_blank(value):
            return None
        try:
            time = read(value)
        except (ValueError, OverflowError):
            return value
        return value if time is None else time

    return read_or_keep


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _read_count(value: object, per_second: int) -> str | None:
    """The time of a count since 1970, as a number or as text, to the microsecond."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    text = format(value, "f") if isinstance(value, Decimal) and abs(value.adjusted()) < _DIGITS else str(value)
    if not _COUNT.fullmatch(text.strip()):
        return None
    micros = int(Decimal(text.strip()) * (1_000_000 // per_second))
    return (_EPOCH + timedelta(microseconds=micros)).isoformat()
