"""What the page shows beyond a check: sales by day, the largest products and countries of each period, rejects."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

__all__ = ["DaySales", "LayerFigures", "Period", "RejectExample", "Share"]


@dataclass(frozen=True)
class DaySales:
    """From gross to net sales of one day in one currency ("" for none); what is not given counts 0.

    Orders and cancellations count on the day of the order, refunds on their own, as in the view ``sales_by_day``:
    ``other == amount - gross + discount - tax - shipping``, ``net == amount - refunded - cancelled``.
    """

    day: date
    currency: str
    orders: int
    gross: Decimal
    discount: Decimal
    tax: Decimal
    shipping: Decimal
    amount: Decimal
    refunded: Decimal
    cancelled: Decimal


@dataclass(frozen=True)
class Period:
    """Some days on end, the last one included. ``key`` is ``all``, a number of last days, a year or a month.

    A year or month that is not over ends with the last day that the figures have.
    """

    key: str
    since: date
    until: date


@dataclass(frozen=True)
class Share:
    """What one product or country ("" for guests and unknown users) has of a period and currency.

    ``name`` is a SKU or a country, None for all others in one, which are ``names`` many. ``count`` is the quantity sold
    or the number of orders, ``amount`` the orders' totals, ``net`` what refunds and cancellations leave of them.
    """

    period: str
    currency: str
    name: str | None
    names: int
    count: Decimal
    amount: Decimal
    net: Decimal


@dataclass(frozen=True)
class RejectExample:
    """The newest rejected order of one reason that no later good version closed, and where it is in raw."""

    reason: str
    orders: int
    batch: str
    page: int
    index: int
    order_id: str | None
    detail: str


@dataclass(frozen=True)
class LayerFigures:
    """The figures of the whole layer, of the ``currencies`` with the most orders, these first.

    ``days`` go by currency and day, ``products`` and ``countries`` by period, currency and falling amount, the others
    last. ``product_names`` are by SKU, those that have one. ``rejects`` go by falling number of orders.
    ``last_day`` is the newest day with orders or refunds that has begun, else the newest; ``updated_at`` the newest
    time of an order, as UTC.
    """

    currencies: tuple[str, ...]
    currencies_left_out: int
    periods: tuple[Period, ...]
    days: tuple[DaySales, ...]
    products: tuple[Share, ...]
    countries: tuple[Share, ...]
    product_names: dict[str, str]
    rejects: tuple[RejectExample, ...]
    last_day: date | None
    updated_at: datetime | None
