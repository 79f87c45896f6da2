"""A shop in one plain form, which the shapes render.

What the shapes make of it differs in form alone: each order's total is the sum of its lines, less discount, plus tax
and shipping, to the digits of its currency. Times are whole seconds of UTC.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

__all__ = ["Kind", "Shop", "ShopLine", "ShopOrder", "ShopRefund", "digits_of"]

Kind = Literal["order", "draft", "test", "deleted"]
_DIGITS = {"COP": 2, "JPY": 0, "KWD": 3}


@dataclass(frozen=True, kw_only=True)
class ShopLine:
    """A line: money is for all its units but ``price``; ``parent`` the line that it is a part of (a bundle)."""

    line_id: int
    sku: str
    product_id: int
    variant_id: int = 0
    name: str = "Coffee"
    qty: Decimal
    price: Decimal
    discount: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    parent: int | None = None

    @property
    def subtotal(self) -> Decimal:
        """Before discount and tax."""
        return self.qty * self.price


@dataclass(frozen=True, kw_only=True)
class ShopRefund:
    """Money back: ``lines`` are line ids with the units and the money that they account for."""

    refund_id: int
    created_at: datetime
    amount: Decimal
    lines: tuple[tuple[int, Decimal, Decimal], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ShopOrder:
    """An order; customer 0 is a guest."""

    number: int
    customer: int = 0
    email: str = ""
    country: str = ""
    currency: str = "USD"
    created_at: datetime
    updated_at: datetime
    status: str = "paid"
    kind: Kind = "order"
    cancelled_at: datetime | None = None
    lines: tuple[ShopLine, ...]
    shipping: Decimal = Decimal(0)
    refunds: tuple[ShopRefund, ...] = ()
    source: str = "web"
    promo: str = ""

    @property
    def sold(self) -> tuple[ShopLine, ...]:
        """Lines that count: without parts of bundles, whose parent has their value."""
        return tuple(line for line in self.lines if line.parent is None)

    @property
    def discount(self) -> Decimal:
        """Of all lines."""
        return sum((line.discount for line in self.sold), Decimal(0))

    @property
    def tax(self) -> Decimal:
        """Of all lines."""
        return sum((line.tax for line in self.sold), Decimal(0))

    @property
    def subtotal(self) -> Decimal:
        """Of all lines, before discount and tax."""
        return sum((line.subtotal for line in self.sold), Decimal(0))

    @property
    def total(self) -> Decimal:
        """What is paid."""
        return self.subtotal - self.discount + self.tax + self.shipping

    @property
    def is_fractional(self) -> bool:
        """Whether a line has a part of a unit."""
        return any(line.qty % 1 for line in self.lines)

    def line(self, line_id: int) -> ShopLine:
        """The line of this id."""
        return next(line for line in self.lines if line.line_id == line_id)


@dataclass
class Shop:
    """Orders by number. A server reads them at each request: put what changes."""

    orders: dict[int, ShopOrder] = field(default_factory=dict)

    def put(self, order: ShopOrder) -> None:
        """Add an order, or put it in the place of the one with its number."""
        self.orders[order.number] = order

    def list_orders(self, since: datetime | None = None, until: datetime | None = None) -> list[ShopOrder]:
        """Orders updated in ``[since, until)``, by number."""
        found = sorted(self.orders.copy().values(), key=lambda order: order.number)
        return [
            o for o in found if (since is None or since <= o.updated_at) and (until is None or o.updated_at < until)
        ]


def digits_of(currency: str) -> int:
    """Digits after the point of a currency's amounts."""
    return _DIGITS.get(currency, 2)
