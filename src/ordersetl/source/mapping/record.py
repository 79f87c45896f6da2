"""One native record becomes an order of the generic API, as the mapping of its source says."""

from functools import partial
from typing import Any

from ordersetl.source.description.expressions import FAILED, Expression, is_true
from ordersetl.source.description.mapping import ItemMapping, Mapping, RefundItemMapping, RefundMapping
from ordersetl.source.mapping.times import find_time_reader
from ordersetl.source.mapping.values import Money, find_sku, says_no, without_sign
from ordersetl.source.nested import DeepRecord
from ordersetl.star.values import read_text

__all__ = ["OrderMapper", "list_native_lines", "map_record", "name_skipped"]

_SKIPPED_LINE = {"sku": "skipped", "qty": 0}
"""Stands for a line that is left out, so that lines keep their positions: one of quantity 0 is skipped and counted."""
_TEXTS = ("currency", "status")
_CHARGES = ("discount", "tax", "shipping")
_METADATA = ("source", "promo")
_USER = ("email", "country")


class OrderMapper:
    """A mapping, as functions on one record each: see those of this module."""

    def __init__(self, mapping: Mapping) -> None:
        self.name_skipped = partial(name_skipped, mapping)
        self.map_record = partial(map_record, mapping)
        self.list_native_lines = partial(list_native_lines, mapping)


def name_skipped(mapping: Mapping, record: object) -> str | None:
    """As what a record is left out, for it is no order; None of one that counts."""
    if not isinstance(record, dict) or isinstance(record, DeepRecord):  # which may lack what it is judged by
        return None
    return next((skip.name for skip in mapping.skip if _holds(skip.when, record)), None)


def map_record(mapping: Mapping, record: object) -> Any:  # noqa: ANN401 - what is no object stays what it is
    """The order of the generic API that a record is.

    Its ``items`` are in the positions of the native lines; an item may have ``total``, which that API does not know.
    What cannot be read stays as it is, for the rules on orders to refuse.
    """
    if not isinstance(record, dict):
        return record
    fields, read_time = mapping.order, find_time_reader(mapping.times, mapping.zone)
    money = Money(minor=mapping.money == "minor", currency=_find(fields.currency, record))
    order = {
        "order_id": _find(fields.order_id, record),
        "created_at": read_time(_find(fields.created_at, record)),
        "updated_at": read_time(_find(fields.updated_at, record)),
        "user_id": _map_user_id(mapping, record),
        "amount": money.read(_find(fields.amount, record)),
        "items": _map_items(mapping, money, record),
        **{name: _find(getattr(fields, name), record) for name in _TEXTS},
        **{name: money.read(_find(getattr(fields, name), record)) for name in _CHARGES},
        "cancelled_at": read_time(_find(fields.cancelled_at, record)),
        "metadata": {name: _find(getattr(fields, name), record) for name in _METADATA},
        "user": {name: _find(getattr(fields, name), record) for name in _USER},
    }
    if "discount" in mapping.absolute:
        order["discount"] = without_sign(order["discount"])
    if order["cancelled_at"] is None and _holds(fields.cancelled, record):
        order["cancelled_at"] = order["created_at"] if order["updated_at"] is None else order["updated_at"]
    if _holds(fields.deleted, record):
        order["deleted"] = True
    if mapping.refunds is not None:
        order["refunds"] = _map_refunds(mapping, mapping.refunds, money, record)
    return order


def list_native_lines(mapping: Mapping, record: object) -> Any:  # noqa: ANN401 - what is no list stays what it is
    """The lines of a record as it has them."""
    return _find(mapping.items.list, record)


def _find(expression: Expression | None, value: object) -> Any:  # noqa: ANN401 - any JSON value
    """The value of an expression; where it failed one that the rules on orders refuse."""
    return None if expression is None else expression.search(value, failed=FAILED)


def _holds(expression: Expression | None, value: object) -> bool:
    """Whether a condition holds; one that cannot be told does not."""
    return expression is not None and is_true(found := expression.search(value)) and not says_no(found)


def _map_user_id(mapping: Mapping, record: object) -> Any:  # noqa: ANN401 - any JSON value
    user_id = _find(mapping.order.user_id, record)
    return None if read_text(user_id) in mapping.guests else user_id


def _map_items(mapping: Mapping, money: Money, record: object) -> Any:  # noqa: ANN401 - what is no list stays
    lines = list_native_lines(mapping, record)
    return [_map_item(mapping, money, line) for line in lines] if isinstance(lines, list) else lines


def _map_item(mapping: Mapping, money: Money, line: object) -> Any:  # noqa: ANN401 - what is no object stays
    if not isinstance(line, dict):
        return line
    fields: ItemMapping = mapping.items
    if _holds(fields.skip, line):
        return _SKIPPED_LINE
    item = {
        "sku": find_sku(line, fields.sku, fields.fallbacks),
        "qty": _find(fields.qty, line),
        "name": _find(fields.name, line),
        **{name: money.read(_find(getattr(fields, name), line)) for name in ("price", "total", "discount", "tax")},
    }
    if "items.discount" in mapping.absolute:
        item["discount"] = without_sign(item["discount"])
    return item


def _map_refunds(mapping: Mapping, fields: RefundMapping, money: Money, record: object) -> Any:  # noqa: ANN401
    read_time = find_time_reader(fields.times or mapping.times, mapping.zone)

    def map_refund(refund: object) -> Any:  # noqa: ANN401 - what is no object stays
        if not isinstance(refund, dict):
            return refund
        amount = money.read(_find(fields.amount, refund))
        return {
            "refund_id": _find(fields.refund_id, refund),
            "created_at": read_time(_find(fields.created_at, refund)),
            "amount": without_sign(amount) if "refunds" in mapping.absolute else amount,
            "items": None if fields.items is None else _map_refund_items(mapping, fields.items, money, refund),
        }

    refunds = _find(fields.list, record)
    return [map_refund(refund) for refund in refunds] if isinstance(refunds, list) else refunds


def _map_refund_items(mapping: Mapping, fields: RefundItemMapping, money: Money, refund: object) -> Any:  # noqa: ANN401
    def map_item(line: object) -> Any:  # noqa: ANN401 - what is no object stays
        if not isinstance(line, dict):
            return line
        qty, amount = _find(fields.qty, line), money.read(_find(fields.amount, line))
        if "refund_items" in mapping.absolute:
            qty, amount = without_sign(qty), without_sign(amount)
        return {"sku": find_sku(line, fields.sku, fields.fallbacks), "qty": qty, "amount": amount}

    lines = _find(fields.list, refund)
    return [map_item(line) for line in lines] if isinstance(lines, list) else lines
