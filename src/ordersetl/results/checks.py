"""What a check returns: its outcomes, the business figures, the open quarantine."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

__all__ = [
    "BridgeMetric",
    "CheckMetrics",
    "CheckOutcome",
    "CheckResult",
    "CountryMetric",
    "CurrencyMetric",
    "DayMetric",
    "LayerTotals",
    "OpenOrder",
    "OpenQuarantine",
    "ProductMetric",
]


@dataclass(frozen=True)
class CheckOutcome:
    """One check: ``offending`` counts what breaks it (rows, files, ...), ``samples`` shows the first of them.

    ``why`` says why the check matters; ``detail`` what there is to know beyond the samples, often empty. With
    ``warning`` it found something to look at, and passes all the same. ``is_own``: it is the user's.
    """

    name: str
    ok: bool
    why: str
    offending: int = 0
    samples: tuple[dict[str, str], ...] = ()
    detail: str = ""
    warning: bool = False
    is_own: bool = False


@dataclass(frozen=True)
class CurrencyMetric:
    """Orders, rows and revenue in one currency ("" for none); the average is rounded half-even to four digits."""

    currency: str
    orders: int
    lines: int
    revenue: Decimal
    average_order_value: Decimal


@dataclass(frozen=True)
class DayMetric:
    """Orders, rows and revenue of one partition in one currency ("" for none)."""

    day: date
    currency: str
    orders: int
    lines: int
    revenue: Decimal


@dataclass(frozen=True)
class ProductMetric:
    """What one product sold in one currency ("" for none)."""

    sku: str
    name: str | None
    currency: str
    qty: Decimal
    lines: int
    revenue: Decimal


@dataclass(frozen=True)
class CountryMetric:
    """Orders, rows and revenue of one country ("" for guests and unknown users) in one currency ("" for none)."""

    country: str
    currency: str
    orders: int
    lines: int
    revenue: Decimal


@dataclass(frozen=True)
class BridgeMetric:
    """From gross to net sales in one currency ("" for none); what is not given counts 0.

    ``gross`` are the lines at line prices, ``amount == gross - discount + tax + shipping + other`` the orders' totals,
    ``refunded`` all refunds, ``cancelled`` what cancelled orders have left after theirs;
    ``net == amount - refunded - cancelled``.
    """

    currency: str
    gross: Decimal
    discount: Decimal
    tax: Decimal
    shipping: Decimal
    other: Decimal
    amount: Decimal
    refunded: Decimal
    cancelled: Decimal
    net: Decimal


@dataclass(frozen=True)
class CheckMetrics:
    """The business figures of the partitions in scope.

    ``currencies`` go by currency, ``days`` by day and currency, ``products`` (the ten with the highest revenue in each
    currency) and ``countries`` by currency and falling revenue. ``amount_differs`` counts the orders whose lines, all
    priced, sum to another amount than the order's; ``refunded_over_amount`` those that more was refunded of than they
    came to. ``bridge`` goes by currency.
    """

    currencies: tuple[CurrencyMetric, ...] = ()
    days: tuple[DayMetric, ...] = ()
    products: tuple[ProductMetric, ...] = ()
    countries: tuple[CountryMetric, ...] = ()
    amount_differs: int = 0
    bridge: tuple[BridgeMetric, ...] = ()
    refunded_over_amount: int = 0


@dataclass(frozen=True)
class LayerTotals:
    """The whole curated layer as its manifest counts it; ``revenue`` and ``refunded`` by currency ("" for none)."""

    partitions: int = 0
    rows: int = 0
    orders: int = 0
    revenue: dict[str, Decimal] = field(default_factory=dict)
    refunded: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenOrder:
    """A rejected order of which curated has no newer version (see QuarantineResult); its newest rejection."""

    batch: str
    order_id: str
    reason: str


@dataclass(frozen=True)
class OpenQuarantine:
    """Rejected orders with no later good version.

    ``orders`` counts order ids, ``without_id`` the rejected records that have none; ``by_reason`` covers both.
    ``newest`` lists the first of ``orders``, newest batch first.
    """

    orders: int = 0
    without_id: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)
    newest: tuple[OpenOrder, ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """The result for the curated layer; ``ok`` where every outcome is.

    ``scope`` is ``all``, or ``days`` where only the partitions of ``days`` (and the dimensions) were looked at. Then,
    and in the result of a run, there is of the ``metrics`` the bridge alone. ``totals`` always cover the whole layer,
    as the manifest counts it.
    ``open_quarantine`` is None where the scope cannot tell.
    """

    ok: bool
    scope: Literal["all", "days"]
    days: tuple[date, ...]
    deep: bool
    outcomes: tuple[CheckOutcome, ...]
    metrics: CheckMetrics
    totals: LayerTotals
    open_quarantine: OpenQuarantine | None
    seconds: float
