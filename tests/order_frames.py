"""Small frames of validated orders and items."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from ordersetl.star.frames import CHARGE_SCHEMA, ITEM_SCHEMA, ORDER_SCHEMA

DAY = date(2025, 8, 20)


def orders_of(*amounts: Decimal | str, **charges: list[Any]) -> pl.DataFrame:
    """Orders at pos 1, 2, ... with these amounts; ``charges`` by column of CHARGE_SCHEMA."""
    time = datetime(2025, 8, 20, 10)  # noqa: DTZ001 - the schema's times are naive UTC
    rows = [
        {
            "pos": pos,
            "dt": DAY,
            "order_id": f"o-{pos}",
            "user_id": "u-1",
            "order_amount": Decimal(amount),
            "currency": "USD",
            "created_at_order": time,
            "updated_at_order": time,
            "status": "paid",
            "source": "web",
            "cancelled": False,
            **{name: values[pos - 1] for name, values in charges.items()},
        }
        for pos, amount in enumerate(amounts, 1)
    ]
    return pl.DataFrame(rows, schema={**ORDER_SCHEMA, **CHARGE_SCHEMA})


def items_of(*rows: tuple[Any, ...]) -> pl.DataFrame:
    """Items (pos, sku, qty, price), and where given (discount, tax, name, total)."""
    names = list(ITEM_SCHEMA)
    money = {"qty", "price", "discount", "tax", "total"}
    exact = [
        {n: Decimal(v) if n in money and v is not None else v for n, v in zip(names, row, strict=False)} for row in rows
    ]
    return pl.DataFrame(exact, schema=ITEM_SCHEMA)
