"""The pace of requests: one for all that ask one API, so that what it asks of one slows all."""

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["Pace", "read_rate_limit", "read_retry_after"]

_LONGEST_HOLD_S = 3600.0
_SECONDS = re.compile(r"\s*(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)
_LONGEST_WAIT_S = 1e9
_EPOCH_S = 1e8
"""A reset of more seconds than this is a time since 1970, as some APIs send it."""


class Pace:
    """Turns in which requests go out.

    Args:
        per_second: most requests a second; None for as fast as answers come.
        clock: seconds that only go forward.
    """

    def __init__(self, per_second: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._learnt: float | None = None
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock()

    def take_turn(self) -> float:
        """Take the next turn; the seconds until it comes."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._interval
            return turn - now

    def left(self) -> float:
        """Seconds until the next turn."""
        with self._lock:
            return max(0.0, self._next - self._clock())

    def hold(self, seconds: float) -> None:
        """Give no turn for so long, whoever asks."""
        with self._lock:
            self._next = max(self._next, self._clock() + min(seconds, _LONGEST_HOLD_S))

    def learn(self, per_second: float) -> None:
        """Keep a rate that the API names, which counts once it has refused a request: until then it allows more."""
        with self._lock:
            self._learnt = per_second

    def obey(self, per_second: float | None) -> float | None:
        """Ask no faster than the rate that the API names now, or named before; the seconds between two requests.

        None where it never named one.
        """
        with self._lock:
            rate = per_second or self._learnt
            if rate is None:
                return None
            self._interval = max(self._interval, min(1 / rate, _LONGEST_HOLD_S))
            return 1 / rate


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a server asks to wait, from seconds or an HTTP date (RFC 9110, 10.2.3); None where it is neither."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value):
        return min(float(value), _LONGEST_WAIT_S)
    try:
        time = parsedate_to_datetime(value)
    except (ValueError, OverflowError, IndexError):
        return None
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return min(max(0.0, (time - now).total_seconds()), _LONGEST_WAIT_S)


def read_rate_limit(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until the API has requests left again; None where it has some, or says nothing.

    ``RateLimit-Remaining`` and ``RateLimit-Reset`` (draft-ietf-httpapi-ratelimit-headers-03: seconds to go), also with
    ``X-``, where a reset may be a time since 1970 as well.
    """
    for prefix in ("RateLimit", "X-RateLimit", "X-Rate-Limit"):
        remaining = _read(headers.get(f"{prefix}-Remaining"))
        if remaining is None or remaining > 0:
            continue
        reset = _read(headers.get(f"{prefix}-Reset"))
        if reset is None:
            continue
        seconds = reset - now.astimezone(UTC).timestamp() if reset > _EPOCH_S else reset
        return max(0.0, seconds)
    return None


def _read(value: str | None) -> float | None:
    try:
        number = math.nan if value is None else float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
