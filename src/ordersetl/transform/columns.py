"""Validated orders, their items and their refunds, and how accepted orders become columns of these."""

from datetime import datetime
from itertools import chain
from typing import Any

import msgspec
import polars as pl

from ordersetl.star.frames import CHARGE_SCHEMA, ITEM_SCHEMA, ORDER_SCHEMA, REFUND_ITEM_SCHEMA
from ordersetl.transform.charges import split_refund
from ordersetl.transform.models import GoneOrder, ReadOrder

__all__ = ["CHARGED_SCHEMA", "Columns"]

CHARGED_SCHEMA: dict[str, pl.DataType] = {**ORDER_SCHEMA, **CHARGE_SCHEMA}
"""Validated orders, with what they say of the whole order."""


def _empty(schema: dict[str, pl.DataType]) -> dict[str, list[Any]]:
    return {name: [] for name in schema}


class Columns(msgspec.Struct):
    """Accepted orders, items and parts of refunds of the models' path, column by column."""

    _orders: dict[str, list[Any]] = msgspec.field(default_factory=lambda: _empty(CHARGED_SCHEMA))
    _items: dict[str, list[Any]] = msgspec.field(default_factory=lambda: _empty(ITEM_SCHEMA))
    _refunds: dict[str, list[Any]] = msgspec.field(default_factory=lambda: _empty(REFUND_ITEM_SCHEMA))

    @property
    def orders(self) -> pl.DataFrame:
        """CHARGED_SCHEMA; no ``dt`` yet, and ``cancelled`` where a time says so."""
        return pl.DataFrame(self._orders, schema=CHARGED_SCHEMA)

    @property
    def items(self) -> pl.DataFrame:
        """ITEM_SCHEMA."""
        return pl.DataFrame(self._items, schema=ITEM_SCHEMA)

    @property
    def refunds(self) -> pl.DataFrame:
        """REFUND_ITEM_SCHEMA."""
        return pl.DataFrame(self._refunds, schema=REFUND_ITEM_SCHEMA)

    def add(self, pos: int, order: ReadOrder, time: datetime) -> None:
        """Add an order whose version counts as of ``time``."""
        charges, user = order.charges, order.charges.get("user", {})
        _append(
            self._orders,
            pos=pos,
            order_id=order.order_id,
            user_id=order.user_id,
            order_amount=order.amount,
            currency=order.currency,
            created_at_order=order.created_at.replace(tzinfo=None),
            updated_at_order=time.replace(tzinfo=None),
            status=order.status,
            source=order.source,
            promo=order.promo,
            cancelled=charges.get("cancelled_at") is not None,
            user_email=user.get("email"),
            user_country=user.get("country"),
            order_discount=charges.get("discount"),
            order_tax=charges.get("tax"),
            order_shipping=charges.get("shipping"),
        )
        for _, line in order.lines:
            _append(self._items, pos=pos, **line)
        for part in chain.from_iterable(map(split_refund, charges.get("refunds") or [])):
            _append(
                self._refunds,
                pos=pos,
                refund_id=part.refund_id,
                sku=part.sku,
                qty=part.qty,
                refund_amount=part.amount,
                refunded_at=part.refunded_at.replace(tzinfo=None),
            )

    def add_gone(self, pos: int, order: GoneOrder, time: datetime) -> None:
        """Add a version with which its order leaves, as of ``time``."""
        _append(self._orders, pos=pos, order_id=order.order_id, updated_at_order=time.replace(tzinfo=None))


def _append(columns: dict[str, list[Any]], **values: Any) -> None:  # noqa: ANN401 - any column's value
    for name, column in columns.items():
        column.append(values.get(name))
