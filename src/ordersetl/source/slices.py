"""Slices of a window: what one search of a source is asked for, and how its times are written.

A slice asks for no less than its part of the window: exclusive bounds are widened, and so are times that are finer than
the source stores or compares. What comes twice the fold removes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise, product

import msgspec

from ordersetl.errors import ConfigError
from ordersetl.source.description.model import Description, Window
from ordersetl.text import format_time
from ordersetl.window import MAX_AHEAD
from ordersetl.zones import read_zone

__all__ = [
    "MAX_SLICES",
    "REACH_MARGIN",
    "Slice",
    "find_youngest",
    "group_values",
    "halve_slice",
    "plan_slices",
    "write_bounds",
]

MAX_SLICES = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
REACH_MARGIN = timedelta(minutes=10)
"""What a clock may be off where a source counts back from its own."""
_FINEST = ((("%f",), timedelta(0)), (("%S", "%T", "%X", "%c"), _SECOND), (("%M", "%R"), timedelta(minutes=1)))
_SPARE_STEPS = 3
_SPARE_HOURS = timedelta(hours=2)
"""By how much a slice may be asked for longer than it is: so many steps, and hours that a clock shows twice."""


class Slice(msgspec.Struct, frozen=True):
    """Part of a window, since inclusive and until exclusive, for some values of the variables that are lists.

    Times are aware; None is open.
    """

    since: datetime | None = None
    until: datetime | None = None
    group: dict[str, tuple[str, ...]] = {}


def group_values(description: Description, variables: Mapping[str, str]) -> list[dict[str, tuple[str, ...]]]:
    """The values of the variables that are lists, so many together as go into one request; one group where none are."""
    lists = []
    for name, variable in description.variables.items():
        if variable.per_request is not None and name in variables:
            values = [value.strip() for value in variables[name].split(",") if value.strip()]
            size = variable.per_request
            lists.append([(name, tuple(values[at : at + size])) for at in range(0, len(values), size)])
    return [dict(chosen) for chosen in product(*lists)]


def plan_slices(
    window: Window | None,
    since: datetime | None,
    until: datetime | None,
    began_at: datetime,
    groups: Sequence[dict[str, tuple[str, ...]]],
    *,
    numbered: bool = False,
) -> list[Slice]:
    """The slices that a window is fetched in, oldest first within each group.

    Args:
        window: how the source filters by time; None where it does not.
        since: of what is wanted, inclusive; None for the beginning of time.
        until: likewise, exclusive; None for all that there is.
        began_at: when the extraction began.
        groups: of values, as :func:`group_values` has them.
        numbered: its pages are: an order that is changed meanwhile would leave a window that ends now, and shift them.

    Raises:
        ConfigError: there would be too many, or the window ends before anything that the source shows.
    """
    if window is None:
        return [Slice(None, None, group) for group in groups]
    if (latest := find_youngest(window, began_at)) is not None:
        until = latest if until is None or until > latest else until
        since = min(since, until - _step(window)) if since is not None else None
    is_open = until is None and window.bounded
    if is_open:
        until = began_at
    if window.bounded and since is None:
        since = _begin(window, began_at, until)
    bounds: list[tuple[datetime | None, datetime | None]] = [(since, until)]
    if window.max_span is not None:
        bounds = _cut(window, since, until, began_at)
    if is_open and numbered:
        last, latest = bounds[-1][0], began_at + MAX_AHEAD
        bounds[-1] = (
            last,
            latest if last is None or window.max_span is None else min(latest, last + _usable_span(window)),
        )
    if len(bounds) * len(groups) > MAX_SLICES:
        raise ConfigError(
            f"the window would be fetched in {len(bounds) * len(groups):,} slices, and {MAX_SLICES:,} are the most",
            hint="Give --since a later time.",
        )
    return [Slice(begin, end, group) for group in groups for begin, end in bounds]


def find_youngest(window: Window | None, began_at: datetime) -> datetime | None:
    """Before when a source is asked at most, since its end must be so old; None where it may be any."""
    if window is None or window.min_age is None:
        return None
    return _floor(began_at - window.min_age, _step(window))


def halve_slice(
    window: Window | None, part: Slice, began_at: datetime, near: datetime | None = None
) -> tuple[Slice, Slice] | None:
    """The two halves of a slice; None where the source's times are too coarse to tell them apart.

    Args:
        window: how the source filters.
        part: the slice.
        began_at: when the extraction began.
        near: where to cut it, if that is within it; else in the middle of its time.
    """
    if window is None:
        return None
    step = max(_step(window), timedelta(microseconds=1))
    since = part.since or read_earliest(window)
    until = part.until or max(began_at, since + step)
    middle = _floor(near or since, step)
    if not since < middle < until:
        middle = _floor(since + (until - since) / 2, step)
    if not since < middle < until:
        return None
    return Slice(part.since, middle, part.group), Slice(middle, part.until, part.group)


def write_bounds(window: Window | None, part: Slice, zone: str | None = None) -> dict[str, str]:
    """``since`` and ``until`` as the source is asked for them; none that is open.

    Args:
        window: how the source filters.
        part: what is wanted.
        zone: name of the zone of the times, with its variable filled in.
    """
    if window is None:
        return {}
    step, zone, bounds = _step(window), zone or window.zone, {}
    if part.since is not None:
        since = _floor(_read_clock(window, zone, part.since), step)
        since -= timedelta(0) if window.since_inclusive else step
        bounds["since"] = _write(window, since - _repeated_hour(zone, since), zone)
    if part.until is not None:
        until = _read_clock(window, zone, part.until)
        until = _floor(until - timedelta(microseconds=1), step) + step if step else until
        bounds["until"] = _write(window, until + _repeated_hour(zone, until), zone)
    return bounds


def read_earliest(window: Window) -> datetime:
    """What stands for the beginning of time."""
    time = datetime.fromisoformat(window.earliest)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _begin(window: Window, began_at: datetime, until: datetime | None) -> datetime:
    """What stands for the beginning of time; not before what the source shows, since some refuse to be asked for it.

    Raises:
        ConfigError: that is not before ``until``.
    """
    begin = read_earliest(window)
    if window.reaches_back is not None:
        begin = max(begin, began_at - window.reaches_back + REACH_MARGIN)
    if until is not None and begin >= until:
        raise ConfigError(
            f"the window is empty: what the source shows begins at {format_time(begin)}, which is not before until "
            f"{format_time(until)}",
            hint="Give a later --until, or none.",
        )
    return begin


def _cut(
    window: Window, since: datetime | None, until: datetime | None, began_at: datetime
) -> list[tuple[datetime | None, datetime | None]]:
    longest, span = window.max_span, _usable_span(window)
    begin, end = since or _begin(window, began_at, until), until or began_at
    count = max(1, -((begin - end) // span))
    if count > MAX_SLICES:
        raise ConfigError(
            f"the source takes windows of {longest} at most: {format_time(begin)} to {format_time(end)} are {count:,}",
            hint=f"Give --since a later time: {MAX_SLICES:,} are the most.",
        )
    edges: list[datetime | None] = [begin + at * span for at in range(count)]
    return list(pairwise([*edges, until]))


def _usable_span(window: Window) -> timedelta:
    """How long a slice may be, so that what is written of it is not too long."""
    step = _step(window)
    longest = window.max_span or timedelta(0)
    hours = timedelta(0) if _names_its_offset(window, window.zone) else min(_SPARE_HOURS, longest / 2)
    return max(longest - _SPARE_STEPS * step - hours, step)


def _step(window: Window) -> timedelta:
    """The finest step that the source compares and that can be written."""
    return max(window.precision, _finest(window.format))


def _finest(form: str) -> timedelta:
    if form in {"iso", "epoch_ms"}:
        return timedelta(0) if form == "iso" else timedelta(milliseconds=1)
    if "%" not in form:
        return _SECOND
    return next((step for marks, step in _FINEST if any(mark in form for mark in marks)), timedelta(days=1))


def _floor(time: datetime, step: timedelta) -> datetime:
    return time - (time - _EPOCH.replace(tzinfo=time.tzinfo)) % step if step else time


def _read_clock(window: Window, zone: str, time: datetime) -> datetime:
    """A time as it counts its steps: naive, as a clock in the zone shows it, where it is written without an offset."""
    return time if _names_its_offset(window, zone) else time.astimezone(read_zone(zone)).replace(tzinfo=None)


def _names_its_offset(window: Window, zone: str) -> bool:
    """Whether a time as it is written is one time alone."""
    return zone == "UTC" or "%z" in window.format or "%" not in window.format


def _repeated_hour(zone: str, time: datetime) -> timedelta:
    """By how much a naive time is ambiguous: what a clock shows twice when it is set back."""
    if time.tzinfo is not None:
        return timedelta(0)
    local = time.replace(tzinfo=read_zone(zone))
    offsets = [local.replace(fold=fold).utcoffset() or timedelta(0) for fold in (0, 1)]
    return max(offsets[0] - offsets[1], timedelta(0))


def _write(window: Window, time: datetime, zone: str) -> str:
    match window.format:
        case "iso":
            return format_time(time.astimezone(UTC))
        case "epoch":
            return str((time - _EPOCH) // _SECOND)
        case "epoch_ms":
            return str((time - _EPOCH) // timedelta(milliseconds=1))
        case "rfc2822":
            return format_datetime(time.astimezone(read_zone(zone)))
        case form:
            return (time if time.tzinfo is None else time.astimezone(read_zone(zone))).strftime(form)
