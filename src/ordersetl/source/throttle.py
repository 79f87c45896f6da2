"""What an API says of its limits in its own way: a bucket of points, milliseconds until there is more, a rate."""

import math
from collections.abc import Mapping
from typing import Any

from ordersetl.source.description.model import Throttle
from ordersetl.source.pace import Pace

__all__ = ["Throttling", "read_number"]


class Throttling:
    """Slows all who ask an API to what its answers allow.

    Args:
        throttle: how the API says it; None for no way of its own.
        pace: of all requests.
        most_s: seconds that one answer can make all wait.
    """

    def __init__(self, throttle: Throttle | None, pace: Pace, *, most_s: float) -> None:
        self._throttle = throttle
        self._pace = pace
        self._most_s = most_s

    def note_answer(self, headers: Mapping[str, str], envelope: Any) -> None:  # noqa: ANN401 - any JSON value
        """Learn from an answer of HTTP 200."""
        throttle = self._throttle
        if throttle is None:
            return
        wait = 0.0
        if throttle.kind == "cost":
            wait = self.find_wait(envelope) or 0.0
        elif throttle.kind == "reset_ms":
            left = read_number(headers.get(throttle.left_header or ""))
            wait = (_read_reset(throttle, headers) or 0.0) if left is not None and left < 1 else 0.0
        elif (rate := read_number(headers.get(throttle.rate_header or ""))) is not None and rate > 0:
            self._pace.learn(rate)
        if wait > 0:
            self._pace.hold(min(wait, self._most_s))

    def find_wait(self, envelope: Any) -> float | None:  # noqa: ANN401 - any JSON value
        """Seconds until a bucket has what the request took, or takes; None where nothing says so."""
        throttle = self._throttle
        if throttle is None or throttle.kind != "cost":
            return None
        named = (throttle.requested, throttle.available, throttle.restored)
        requested, available, restored = (read_number(e.search(envelope)) if e is not None else None for e in named)
        if requested is None or available is None or not restored:
            return None
        return max(0.0, (requested - available) / restored)

    def read_refusal(self, headers: Mapping[str, str]) -> float | None:
        """Seconds to wait that a refusal names in the API's own way; None where it names none."""
        throttle = self._throttle
        if throttle is None:
            return None
        if throttle.kind == "reset_ms":
            return _read_reset(throttle, headers)
        if throttle.kind == "rate":
            rate = read_number(headers.get(throttle.rate_header or ""))
            return self._pace.obey(rate if rate is not None and rate > 0 else None)
        return None


def _read_reset(throttle: Throttle, headers: Mapping[str, str]) -> float | None:
    reset = read_number(headers.get(throttle.reset_header or ""))
    return None if reset is None else max(0.0, reset / 1000)


def read_number(value: object) -> float | None:
    """A finite number, of any kind or as text; None of anything else."""
    try:
        number = math.nan if value is None or isinstance(value, bool) else float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
