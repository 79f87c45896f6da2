"""What ``status`` returns: how an output is, what was rejected, and what became of one order."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from ordersetl.results.checks import OpenQuarantine

__all__ = [
    "BatchCount",
    "CurrentRow",
    "LastFailure",
    "OrderResult",
    "OrderVersion",
    "OriginCoverage",
    "QuarantineResult",
    "QuarantinedRecord",
    "RefundRow",
    "RunningCommand",
    "SizeOf",
    "StatusResult",
]


@dataclass(frozen=True)
class RunningCommand:
    """A command that holds the lock, and the stage that it is in.

    ``certain`` is false where another machine holds it, of which this one cannot know whether it still does.
    """

    command: str
    pid: int
    host: str
    since: datetime
    stage: str
    stage_since: datetime | None
    certain: bool


@dataclass(frozen=True)
class LastFailure:
    """How a command failed, with nothing of its kind having ended well since.

    ``code`` is that of the error, or ``died`` where the process ended without a word.
    """

    command: str
    stage: str
    at: datetime
    code: str
    message: str


@dataclass(frozen=True)
class OriginCoverage:
    """What was ever asked of a source, by its own clock: ``intervals`` and the ``gaps`` between them.

    The beginning of an interval is None where everything before its end was asked for. ``newest`` is the newest time
    that any of its records has shown.
    """

    source: str
    url: str
    intervals: tuple[tuple[datetime | None, datetime], ...]
    gaps: tuple[tuple[datetime, datetime], ...]
    newest: datetime | None


@dataclass(frozen=True)
class BatchCount:
    """Committed batches, those that wait to be loaded, and folders of extractions that did not end."""

    committed: int
    waiting: tuple[str, ...]
    unfinished: tuple[str, ...]


@dataclass(frozen=True)
class SizeOf:
    """Files in one folder of the output, and their bytes together."""

    files: int
    bytes: int


@dataclass(frozen=True)
class StatusResult:
    """How an output is.

    ``as_of`` is the time up to which curated has what the source said (``age_s`` ago): it moves with every run, also
    with one that finds nothing new. ``newest`` of the coverage is the newest change that came. ``quiet_runs`` counts
    the extractions since the newest batch that brought nothing new. ``succeeded`` says when each stage last ended well.
    ``max_age_s`` is what was asked for, ``too_old`` whether ``age_s`` is past it, or unknown.
    """

    output: str
    at: datetime
    as_of: datetime | None
    age_s: float | None
    max_age_s: float | None
    too_old: bool
    running: RunningCommand | None
    last_failure: LastFailure | None
    succeeded: dict[str, datetime]
    quiet_runs: int
    coverage: OriginCoverage | None
    batches: BatchCount
    partitions: int
    orders: int
    rows: int
    revenue: dict[str, Decimal]
    quarantine: OpenQuarantine
    sizes: dict[str, SizeOf]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class QuarantinedRecord:
    """A rejected order (``line`` is None) or line, why, and where it is: record ``index`` of ``page``, both in raw.

    ``index`` and ``line`` count from 0. ``time`` is that of the order's version, None where it cannot be read.
    """

    batch: str
    page: str
    index: int
    line: int | None
    order_id: str | None
    scope: Literal["order", "line"]
    reason: str
    detail: str
    time: datetime | None


@dataclass(frozen=True)
class QuarantineResult:
    """What was rejected and is still open, of the newest batch first.

    An order is open until curated has a newer version of it, or it has left with one; a rejected line while the version
    that it is of is the current one. Newer is the later time, at the same time what came later; against a record
    without a readable time, what came later. ``open`` counts orders, ``lines`` the open lines by reason. ``selected``
    counts those of both that ``reason`` and ``order_id`` ask for, ``records`` are the first of these.
    """

    open: OpenQuarantine
    lines: dict[str, int]
    reason: str | None
    order_id: str | None
    selected: int
    records: tuple[QuarantinedRecord, ...]


@dataclass(frozen=True)
class OrderVersion:
    """One version of an order as it was received, at record ``index`` (from 0) of ``page`` of a batch.

    ``result`` is ``current``, ``superseded`` (a newer one replaced it), ``waiting`` (its batch is not loaded yet),
    ``rejected``, ``outside_window``, ``deleted`` or ``emptied`` (with it the order left). ``reason`` and ``detail`` say
    why it was rejected, ``lines_rejected`` counts lines of an accepted one that were.
    """

    batch: str
    page: str
    index: int
    received_at: datetime
    updated_at: datetime | None
    result: str
    day: date | None = None
    amount: Decimal | None = None
    currency: str | None = None
    status: str | None = None
    reason: str = ""
    detail: str = ""
    lines_rejected: int = 0


@dataclass(frozen=True)
class CurrentRow:
    """A row of fact_order."""

    sku: str
    product_name: str | None
    qty: Decimal
    net_amount: Decimal
    refunded_amount: Decimal


@dataclass(frozen=True)
class RefundRow:
    """A row of fact_refund."""

    refund_id: str
    sku: str | None
    refunded_at: datetime
    refund_amount: Decimal


@dataclass(frozen=True)
class OrderResult:
    """The life of one order: its versions as they were received, oldest first, and what curated has of it.

    ``state`` is ``current``, ``left``, ``waiting``, ``rejected``, ``outside_window``, ``unknown`` or ``damaged``
    (curated should have it); ``answer`` says it in a sentence, with what to do next. ``partition`` is the file that it
    is in, relative to ``curated/``.
    """

    order_id: str
    state: str
    answer: str
    versions: tuple[OrderVersion, ...]
    partition: str | None = None
    currency: str | None = None
    rows: tuple[CurrentRow, ...] = ()
    refunds: tuple[RefundRow, ...] = field(default=())
