"""What a preview returns: orders as a source's answer is read, before anything is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

__all__ = ["InitResult", "PreviewLine", "PreviewOrder", "PreviewReject", "PreviewResult"]


@dataclass(frozen=True)
class PreviewLine:
    """A row of an order, as fact_order would have it."""

    sku: str
    name: str | None
    qty: Decimal
    item_price: Decimal | None
    line_amount: Decimal | None
    discount_amount: Decimal | None
    tax_amount: Decimal | None
    shipping_amount: Decimal | None
    refunded_amount: Decimal


@dataclass(frozen=True)
class PreviewOrder:
    """An accepted order; one that is ``gone``, deleted or emptied, has no more than its id and time."""

    index: int
    order_id: str
    created_at: datetime | None
    updated_at: datetime
    user_id: str | None
    amount: Decimal | None
    currency: str | None
    status: str | None
    source: str | None
    promo: str | None
    cancelled: bool | None
    gone: bool
    refunded: Decimal
    lines: tuple[PreviewLine, ...]


@dataclass(frozen=True)
class PreviewReject:
    """A rejected order, or a line of one: the position of its record on the page, and why."""

    index: int
    line: int | None
    order_id: str | None
    reason: str
    detail: str


@dataclass(frozen=True)
class PreviewResult:
    """The first page of a source, read as a run would.

    ``received`` to ``lines_skipped`` count all of the page; ``orders`` are the first accepted ones, as many as were
    asked for, ``rejects`` are all.
    """

    source: str
    url: str
    since: datetime | None
    until: datetime | None
    received: int
    accepted: int
    rejected: int
    outside_window: int
    rejected_by_reason: Mapping[str, int]
    skipped_by_reason: Mapping[str, int]
    lines_accepted: int
    lines_rejected_by_reason: Mapping[str, int]
    lines_skipped: int
    orders: tuple[PreviewOrder, ...]
    rejects: tuple[PreviewReject, ...]
    seconds: float


@dataclass(frozen=True)
class InitResult:
    """The settings file that was written, and what a preview with it showed; None where there was none.

    ``secrets`` are the variables of the environment that hold the credentials, each way on its own.
    """

    path: str
    source: str
    api_url: str | None
    secrets: tuple[tuple[str, ...], ...]
    preview: PreviewResult | None
