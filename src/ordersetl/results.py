"""What the stages return: frozen, typed, ready to be rendered or turned into JSON."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from ordersetl.text import format_time

__all__ = [
    "CheckMetrics",
    "CheckOutcome",
    "CheckResult",
    "CountryMetric",
    "CurrencyMetric",
    "Damage",
    "DayMetric",
    "ExtractResult",
    "LayerTotals",
    "LoadResult",
    "OpenOrder",
    "OpenQuarantine",
    "OrderChanges",
    "ProductMetric",
    "RunResult",
    "TransformResult",
    "to_plain",
]


@dataclass(frozen=True)
class ExtractResult:
    """One committed raw batch. ``since`` and ``until`` are what was asked for.

    It covers what lies before ``window_end``, by the source's clock; nothing where that is None. ``gaps`` are spans
    of time, since and until, that no batch of this origin ever asked for, between those that were.
    """

    batch: str
    source: str
    url: str
    since: datetime | None
    until: datetime | None
    window_end: datetime | None
    pages: int
    records: int
    bytes: int
    retries: int
    resumed_pages: int
    seconds: float
    gaps: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True)
class BackfillResult:
    """A long window, fetched as several batches: ``windows`` has those that were committed now, oldest first.

    ``windows_covered`` of them a batch had covered before. The counts are those of ``windows``; ``gaps`` as there.
    """

    source: str
    url: str
    since: datetime | None
    until: datetime | None
    windows: tuple[ExtractResult, ...]
    windows_covered: int
    pages: int
    records: int
    bytes: int
    retries: int
    resumed_pages: int
    seconds: float
    gaps: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True)
class TransformResult:
    """What the waiting batches hold, summed over them.

    Orders balance: ``received == accepted + rejected + outside_window``; ``deleted`` and ``emptied`` count those of the
    accepted versions with which an order leaves, ``future_updated_at`` those whose time lay too far in the future.
    Lines of accepted orders balance: ``lines_received == lines_accepted + lines_rejected + lines_skipped``, the latter
    being those of quantity 0; ``rows`` is what is left of the accepted ones after lines with one SKU became one.
    """

    batches: tuple[str, ...]
    staged_anew: tuple[str, ...]
    received: int
    accepted: int
    rejected: int
    outside_window: int
    rejected_by_reason: dict[str, int]
    lines_received: int
    lines_accepted: int
    lines_rejected: int
    lines_rejected_by_reason: dict[str, int]
    rows: int
    texts_cut: int
    seconds: float
    lines_skipped: int = 0
    deleted: int = 0
    emptied: int = 0
    future_updated_at: int = 0


@dataclass(frozen=True)
class OrderChanges:
    """What became of the accepted order versions: ``versions`` is the sum of the first six.

    ``removed`` made their order leave the layer (it was deleted, or has no line left), ``absent`` did so to an order
    that was not in it. ``moved`` are those of ``updated`` whose partition changed; ``lines_removed`` are rows that an
    updated or removed order no longer has.
    """

    versions: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    superseded: int = 0
    removed: int = 0
    absent: int = 0
    moved: int = 0
    lines_removed: int = 0


@dataclass(frozen=True)
class Damage:
    """A file that was not what it had to be, and was rebuilt. ``kept_as`` is where the old bytes are, if any."""

    file: str
    problem: str
    kept_as: str | None = None


@dataclass(frozen=True)
class LoadResult:
    """One commit of the curated layer. ``written`` names files relative to ``curated/``."""

    batches: tuple[str, ...]
    late: tuple[str, ...]
    orders: OrderChanges
    partitions_written: int
    partitions_unchanged: int
    partitions_removed: int
    written: tuple[str, ...]
    dimensions_written: tuple[str, ...]
    users: int
    products: int
    reference_notes: dict[str, int]
    healed: tuple[Damage, ...]
    recovered: bool
    rebuilt: bool
    revenue: dict[str, Decimal]
    rows: int
    orders_total: int
    seconds: float


@dataclass(frozen=True)
class RunResult:
    """The four stages in order, and the report that was written.

    ``warnings`` tell what is wrong with raw; ``gaps`` are those of its ``extract``.
    """

    run_id: str
    started_at: datetime
    extract: ExtractResult | BackfillResult
    transform: TransformResult
    load: LoadResult
    check: "CheckResult"
    seconds: dict[str, float]
    report: str
    warnings: tuple[str, ...] = ()
    gaps: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True)
class CheckOutcome:
    """One check: ``offending`` counts what breaks it (rows, files, ...), ``samples`` shows the first of them.

    ``why`` says why the check matters; ``detail`` what there is to know beyond the samples, often empty.
    """

    name: str
    ok: bool
    why: str
    offending: int = 0
    samples: tuple[dict[str, str], ...] = ()
    detail: str = ""


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
class CheckMetrics:
    """The business figures of the partitions in scope.

    ``currencies`` go by currency, ``days`` by day and currency, ``products`` (the ten with the highest revenue in each
    currency) and ``countries`` by currency and falling revenue. ``amount_differs`` counts the orders whose lines, all
    priced, sum to another amount than the order's.
    """

    currencies: tuple[CurrencyMetric, ...] = ()
    days: tuple[DayMetric, ...] = ()
    products: tuple[ProductMetric, ...] = ()
    countries: tuple[CountryMetric, ...] = ()
    amount_differs: int = 0


@dataclass(frozen=True)
class LayerTotals:
    """The whole curated layer as its manifest counts it; ``revenue`` by currency ("" for none)."""

    partitions: int = 0
    rows: int = 0
    orders: int = 0
    revenue: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenOrder:
    """A rejected order that curated holds in no version as new; its newest rejection."""

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

    ``scope`` is ``all``, or ``days`` where only the partitions of ``days`` (and the dimensions) were looked at:
    there are no ``metrics`` then. ``totals`` always cover the whole layer, as the manifest counts it.
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
