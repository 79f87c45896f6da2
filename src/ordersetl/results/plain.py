"""Results as values that JSON can say."""

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ordersetl.text import format_time

__all__ = ["to_plain"]


def to_plain(value: Any) -> Any:  # noqa: ANN401 - JSON out of any result
    """JSON-ready form of a result: dataclasses as objects, times as ISO 8601, decimals as text, seconds to 1e-6."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(member) for member in value]
    if isinstance(value, datetime | date):
        return format_time(value)
    if isinstance(value, float):
        return round(value, 6)
    return str(value) if isinstance(value, Decimal | Path) else value
