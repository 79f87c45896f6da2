"""Time zones by the ``tzdata`` package: the same on every machine, whatever zone data its system has."""

import hashlib
import io
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

__all__ = ["hash_zone", "list_zones", "read_zone"]

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


@cache
def _read(name: str) -> bytes:
    if name not in list_zones():
        raise ValueError(f"there is no time zone {name!r}")
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
