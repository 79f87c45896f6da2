"""Time zones by the ``tzdata`` package: the same on every machine, whatever zone data its system has."""

import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

__all__ = ["hash_zone", "list_zones", "read_zone", "split_by_offset"]

_UNIT = timedelta(seconds=1)

_UNREAL = {"Factory"}
"""In the list, and no zone of a place."""


@cache
def list_zones() -> frozenset[str]:
    """IANA names of all zones."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split()) - _UNREAL


@cache
def read_zone(name: str) -> ZoneInfo:
    """A zone by its IANA name.

    Raises:
        ValueError: there is none of this name.
    """
    return ZoneInfo.from_file(io.BytesIO(_read(name)), key=name)


def hash_zone(name: str) -> str:
    """Tells the data of a zone from that of another version: 16 hex digits.

    Raises:
        ValueError: there is none of this name.
    """
    return hashlib.sha256(_read(name)).hexdigest()[:16]


def split_by_offset(zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Spans of one offset from UTC each, as begin, end and offset; so short a time that clocks change once at most.

    Args:
        zone: as :func:`read_zone` has it.
        since: naive UTC, in whole seconds, as clocks change.
        until: likewise, exclusive.
    """
    before, after = _find_offset(zone, since), _find_offset(zone, until)
    low, high = since, until
    while before != after and high - low > _UNIT:
        middle = low + (high - low) // 2 // _UNIT * _UNIT
        low, high = (middle, high) if _find_offset(zone, middle) == before else (low, middle)
    yield since, high, before
    if high < until:
        yield high, until, after


def _find_offset(zone: ZoneInfo, utc: datetime) -> timedelta:
    return utc.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta(0)


@cache
def _read(name: str) -> bytes:
    if name not in list_zones():
        raise ValueError(f"there is no time zone {name!r}")
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
