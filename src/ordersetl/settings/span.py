"""Spans of time as people write them."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, TypeAdapter, ValidationError, WithJsonSchema

__all__ = ["Span", "read_span"]

_SPAN = re.compile(r"(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(s|m|min|h|d)")
_SPAN_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_LONGEST_SPAN = timedelta(days=36525)


def _read_span(value: object) -> object:
    """A time span says its unit: ``90s``, ``10m``, ``2h``, ``1d``, or ISO 8601 (``PT10M``)."""
    if isinstance(value, str) and (match := _SPAN.fullmatch(value.strip())):
        return timedelta(seconds=float(match[1]) * _SPAN_SECONDS[match[2]])
    if isinstance(value, timedelta) or (isinstance(value, str) and value.startswith("P")):
        return value
    raise ValueError("must name its unit, as in 90s, 10m, 2h or 1d")


def _bound_span(value: timedelta) -> timedelta:
    if not timedelta(0) <= value <= _LONGEST_SPAN:
        raise ValueError(f"must be between 0s and {_LONGEST_SPAN.days}d")
    return value


Span = Annotated[
    timedelta,
    BeforeValidator(_read_span),
    AfterValidator(_bound_span),
    WithJsonSchema({"type": "string", "examples": ["90s", "10m", "2h", "1d", "PT10M"]}),
]


def read_span(text: str) -> timedelta:
    """A time span that was given as text.

    Raises:
        ValueError: it is none.
    """
    try:
        return TypeAdapter(Span).validate_python(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise ValueError(problem.removeprefix("Value error, ")) from None
