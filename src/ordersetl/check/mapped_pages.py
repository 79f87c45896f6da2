"""Pages of a described source as the deep check sees them: each record as the order that the mapping makes of it."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from ordersetl.source.description.mapping import Mapping
from ordersetl.source.mapping.record import map_record, name_skipped
from ordersetl.source.nested import DeepRecord
from ordersetl.source.page import Page, read_records
from ordersetl.star.values import read_text

__all__ = ["map_page"]

_encoder = msgspec.json.Encoder(decimal_format="number")


def map_page(page: Page, mapping: Mapping) -> Iterator[tuple[int, str | None, str | None]]:
    """Position, text and order id of each record that is not skipped, mapped one by one: never in bulk.

    Without text is what cannot be written as standard JSON: numbers that are none, half surrogate pairs, deep nesting.

    Raises:
        InvalidResponseError: the page holds no list of records.
    """
    for index, record in enumerate(read_records(page)):
        if name_skipped(mapping, record) is None:
            order = map_record(mapping, record)
            text = None if isinstance(record, DeepRecord) else _encode(order)
            yield index, text, read_text(order["order_id"]) if isinstance(order, dict) else None


def _encode(order: object) -> str | None:
    try:
        return None if _holds_nan(order) else _encoder.encode(order).decode()
    except (TypeError, UnicodeEncodeError, RecursionError):
        return None


def _holds_nan(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return any(map(_holds_nan, value.values()))
    if isinstance(value, list):
        return any(map(_holds_nan, value))
    return isinstance(value, float) and not math.isfinite(value)
