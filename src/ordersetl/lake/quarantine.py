"""What was rejected, as a line of the quarantine file: written as standard JSON, and read."""

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from io import BufferedIOBase
from typing import Any

import msgspec

from ordersetl.star.values import replace_surrogates
from ordersetl.text import format_time

__all__ = ["Reject", "RejectLine", "decode_reject", "read_lines"]

_MAX_LINE_BYTES = 1 << 28
"""Of one record with its reason: more than any page of orders is meant to hold."""


class Reject(msgspec.Struct, frozen=True):
    """A rejected order (``line`` is None) or line, where it is in raw, and why.

    ``time`` is that of the order's version as it counts, None where it cannot be read.
    """

    page: int
    index: int
    line: int | None
    order_id: str | None
    reason: str
    detail: str
    time: datetime | None
    record: Any

    def to_json(self, batch: str) -> bytes:
        """One line of the quarantine file."""
        reject = {
            "batch": batch,
            "page": self.page,
            "index": self.index,
            "line": self.line,
            "order_id": self.order_id,
            "scope": "order" if self.line is None else "line",
            "reason": self.reason,
            "detail": self.detail,
            "time": None if self.time is None else format_time(self.time),
            "record": self.record,
        }
        try:
            return _dump(reject)
        except RecursionError:
            return _dump(
                {**reject, "record": None, "detail": f"{self.detail} (nested too deeply to be copied: see raw)"}
            )


class RejectLine(msgspec.Struct, frozen=True):
    """A line of the quarantine file, without its record."""

    batch: str
    scope: str
    reason: str
    order_id: str | None = None
    page: int = 0
    index: int = 0
    time: datetime | None = None
    line: int | None = None
    detail: str = ""


def read_lines(file: BufferedIOBase) -> Iterator[bytes]:
    """The lines of a quarantine file, up to one that is longer than any that was written."""
    while line := file.readline(_MAX_LINE_BYTES):
        if len(line) == _MAX_LINE_BYTES:
            return
        yield line


def decode_reject(line: bytes) -> RejectLine | None:
    """Read a line of a quarantine file; None where it is not one."""
    try:
        return _line.decode(line)
    except (msgspec.DecodeError, RecursionError):
        # half surrogate pairs, which files of earlier versions may hold, are for the lenient parser alone
        with suppress(ValueError, RecursionError):
            return msgspec.convert(json.loads(line), type=RejectLine)
    return None


_line = msgspec.json.Decoder(RejectLine)


def _dump(reject: dict[str, Any]) -> bytes:
    """Standard JSON: numbers as doubles where these are exact, else as text; no NaN, valid UTF-8, whole characters."""
    try:
        text = _encode(reject)
    except ValueError:  # NaN or Infinity
        return _dump(_without_nan(reject))
    # even escaped, DuckDB refuses half a surrogate pair, and with it every file of the query
    return replace_surrogates(text).encode() + b"\n"


def _to_number(value: Decimal) -> float | str:
    double, text = float(value), str(value)
    shown = repr(double)
    is_exact = shown == text or (math.isfinite(double) and Decimal(shown) == value)
    return double if is_exact else text


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_to_number).encode


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _without_nan(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_without_nan(member) for member in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
