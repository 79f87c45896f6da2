"""What a table of a description needs, and cannot have, by its kind."""

import re
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ordersetl.zones import list_zones

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ordersetl.source.description.model import Auth, Paging, Throttle, TokenRequest, Window

__all__ = [
    "EPOCHS",
    "WRITTEN_TIMES",
    "check_auth",
    "check_paging",
    "check_throttle",
    "check_time_format",
    "check_token",
    "check_window",
    "check_zone",
    "check_zone_or_name",
    "suggest",
]

EPOCHS = ("epoch", "epoch_ms")
WRITTEN_TIMES = ("iso", "rfc2822", *EPOCHS)
"""Formats of times that have a name of their own."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SAMPLE_TIME = datetime(2025, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)
_HALF_A_DAY = timedelta(hours=12)
_APART = {
    "a second": timedelta(seconds=1),
    "a minute": timedelta(minutes=1),
    "an hour": timedelta(hours=1),
    "half a day": _HALF_A_DAY,
    "a day": timedelta(days=1),
    "a month": timedelta(days=31),
    "a year": timedelta(days=365),
}
"""By how much times differ that a window may not mix up."""
_UNITS = tuple(timedelta(**{unit: 1}) for unit in ("microseconds", "seconds", "minutes", "hours", "days"))
"""To which a time may be written."""
_CLIENT_ERRORS = 4
"""First digit of status codes that say that the request is at fault, as one with an expired token is."""
_ENDS = {
    "cursor": ("has_more", "total", "page_count", "null", "absent", "empty_page"),
    "next_url": ("has_more", "total", "page_count", "null", "absent", "empty_page"),
    "link": ("has_more", "total", "page_count", "absent", "empty_page"),
    "page": ("has_more", "total", "page_count", "empty_page", "short_page"),
    "offset": ("has_more", "total", "page_count", "empty_page", "short_page"),
    "none": ("has_more", "total", "page_count"),
}
_PAGING_KEYS = {
    "next": ("cursor", "next_url"),
    "first": ("page", "offset"),
    "cursor_lifetime": ("cursor", "next_url", "link"),
    "cursor_alone": ("cursor", "link"),
}
_THROTTLE_KEYS = {
    "cost": ("requested", "available", "restored"),
    "reset_ms": ("left_header", "reset_header"),
    "rate": ("rate_header",),
}


def check_paging(paging: "Paging") -> None:
    """Check that a kind of paging has what it goes on by, and a proof of its end.

    Raises:
        ValueError: a key is missing, or cannot be.
    """
    kind, end = paging.kind, paging.end
    _require_keys(paging, kind, ["next"] if kind in _PAGING_KEYS["next"] else [])
    for key, kinds in _PAGING_KEYS.items():
        if key in paging.model_fields_set and kind not in kinds:
            raise ValueError(f'{key} is for kind = {_join(kinds)}, and this is kind = "{kind}"')
    if end is None:
        if kind not in {"link", "none"}:
            ends = [
                name for name in _ENDS[kind] if name != "short_page"
            ]  # which proves little, and that in calls alone
            raise ValueError(f'kind = "{kind}" needs end, what proves that there is no more: {_join(ends)}')
        return
    if end not in _ENDS[kind]:
        raise ValueError(f'end = "{end}" cannot be with kind = "{kind}": it must be {_join(_ENDS[kind])}')
    proofs = {"has_more": ("has_more",), "total": ("total", "total_header")}
    proofs["page_count"] = ("page_count", "page_count_header")
    if end in proofs and not any(getattr(paging, key) for key in proofs[end]):
        raise ValueError(f'end = "{end}" needs {" or ".join(proofs[end])}')


def check_auth(auth: "Auth") -> None:
    """Check that it is known where the credentials go.

    Raises:
        ValueError: a key is missing, or cannot be.
    """
    _require_keys(auth, auth.kind, ["name"] if auth.kind in {"header", "query"} else [])
    if auth.kind in {"none", "bearer"} and auth.name is not None:
        raise ValueError(f'name is for kind = "header" or "query", and this is kind = "{auth.kind}"')
    if auth.kind in {"none", "basic"} and auth.token is not None:
        raise ValueError(f'token is for kind = "bearer", "header" or "query", and this is kind = "{auth.kind}"')


def check_token(token: "TokenRequest") -> None:
    """Check that a request for a token has a body where its grant gives none, and codes that can mean an expiry.

    Raises:
        ValueError: it does not.
    """
    if token.grant == "request" and not token.body:
        raise ValueError('grant = "request" needs body, which holds the credentials')
    if token.grant == "request" and token.client == "basic":
        raise ValueError('client = "basic" is for the grants of OAuth 2, and this is grant = "request"')
    if wrong := [code for code in token.renew_on if code // 100 != _CLIENT_ERRORS]:
        raise ValueError(f"renew_on holds {wrong[0]}: it must be status codes from 400 to 499")


def check_throttle(throttle: "Throttle") -> None:
    """Check that a kind of throttling has what it reads, and no other.

    Raises:
        ValueError: a key is missing, or cannot be.
    """
    needed = _THROTTLE_KEYS[throttle.kind]
    _require_keys(throttle, throttle.kind, needed)
    for key in sorted(throttle.model_fields_set - {"kind", *needed}):
        raise ValueError(f'{key} has no meaning with kind = "{throttle.kind}", which reads {_join(needed, "and")}')


def check_window(window: "Window") -> None:
    """Check that the windows can be: what is written of a time tells it from another one, and spans have a length.

    Raises:
        ValueError: they cannot.
    """
    if not window.precision:
        raise ValueError("precision must be more than 0s")
    for key in ("max_span", "reaches_back"):
        span = getattr(window, key)
        if span is not None and span <= window.precision:
            raise ValueError(f"{key} must be longer than precision")
    if window.min_age and window.reaches_back and window.min_age >= window.reaches_back:
        raise ValueError("min_age must be shorter than reaches_back: else nothing can be asked for")
    _require_past(window.earliest)
    if "%" not in window.format:
        if window.format not in WRITTEN_TIMES:
            meant = suggest(window.format, WRITTEN_TIMES)
            raise ValueError(f"format must be {_join(WRITTEN_TIMES)}, or one as %Y-%m-%dT%H:%M:%SZ{meant}")
    else:
        _require_distinct(window)


def _require_past(earliest: str) -> None:
    """Require that windows can begin then: orders are from 1970 on, and a step may be taken off the first time."""
    try:
        time = datetime.fromisoformat(earliest)
    except ValueError:
        raise ValueError(f"earliest is not a time: {earliest!r}; write it as 2010-01-01T00:00:00Z") from None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    if not _EPOCH <= time < datetime.now(UTC):
        raise ValueError(f"earliest must be a time from 1970 (in UTC) to now, and it is {earliest}")


def _require_distinct(window: "Window") -> None:
    if "%s" in window.format:
        raise ValueError('%s counts seconds in the zone of the machine that writes it: format = "epoch" does not')
    before = _SAMPLE_TIME.strftime(window.format)
    for name, span in (("precision", window.precision), *_APART.items()):
        if span >= window.precision and (_SAMPLE_TIME + span).strftime(window.format) == before:
            raise ValueError(
                f"format = {window.format!r} writes times that are {name} apart alike ({before}): write all of a time, "
                "or set a coarser precision"
            )


def check_time_format(text: str) -> str:
    """The text, which is a name of a format of times, or one of strptime's.

    Raises:
        ValueError: it is neither.
    """
    if text in WRITTEN_TIMES:
        return text
    if "%" not in text:
        named = _join(WRITTEN_TIMES)
        raise ValueError(f"must be {named}, or a format as %Y-%m-%d %H:%M:%S{suggest(text, WRITTEN_TIMES)}")
    if "%Z" in text:
        raise ValueError(
            "%Z reads names of zones, which mean something else on another machine: write the name itself in its "
            "place, such as GMT, and set zone"
        )
    _require_readable(text)
    return text


def _require_readable(text: str) -> None:
    """Require that a time which is written so is read as the same one, cut to a unit of the day at the coarsest."""
    time = _SAMPLE_TIME + _HALF_A_DAY  # an afternoon, which %I alone does not say
    written = time.strftime(text)
    try:
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of a format without a year
            read = datetime.strptime(written, text).replace(tzinfo=UTC)
    except re.error:
        raise ValueError("is not a format that times can be read by: a part of the time is in it twice") from None
    except ValueError as error:
        raise ValueError(f"is not a format that times can be read by: {error}") from None
    if all(read != time - (time - _EPOCH) % unit for unit in _UNITS):
        raise ValueError(
            f"writes {time:%F %T} as {written!r}, which is read as {read:%F %T}: a format needs year, month (%m) and "
            "day, and the hour (with %p where it is %I) before minutes (%M) and seconds (%S)"
        )


def check_zone_or_name(name: str) -> str:
    """As :func:`check_zone`; or the name has ``${`` in it, and a value must be that of a time zone.

    Raises:
        ValueError: there is no such zone.
    """
    return name if "${" in name else check_zone(name)


def check_zone(name: str) -> str:
    """The name, which is that of a time zone.

    Raises:
        ValueError: there is no such zone.
    """
    if name in list_zones():
        return name
    raise ValueError(
        f"must be the IANA name of a time zone, such as Europe/Berlin{suggest(name, sorted(list_zones()))}"
    )


def suggest(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` of the nearest of what is known; empty where nothing is near."""
    near = get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def _require_keys(table: "BaseModel", kind: str, needed: Iterable[str]) -> None:
    for key in needed:
        if getattr(table, key) is None:
            raise ValueError(f'kind = "{kind}" needs {key}{_explain(table, key)}')


def _explain(table: "BaseModel", key: str) -> str:
    fields: Mapping[str, object] = type(table).model_fields
    description = getattr(fields[key], "description", None)
    return f": {description}" if description else ""


def _join(names: Iterable[str], word: str = "or") -> str:
    quoted = [f'"{name}"' if word == "or" else name for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {word} {quoted[-1]}"
