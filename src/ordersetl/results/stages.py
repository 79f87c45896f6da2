"""What extract, transform, load and a run return."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ordersetl.results.checks import CheckResult
from ordersetl.results.warehouse import WarehouseResult

__all__ = [
    "BackfillResult",
    "Damage",
    "ExtractResult",
    "LoadResult",
    "OrderChanges",
    "RunResult",
    "TransformResult",
]


@dataclass(frozen=True)
class ExtractResult:
    """One committed raw batch. ``since`` and ``until`` are what was asked for.

    ``batch`` is None where nothing new came (no record, or those that the newest batch ends with): then none was kept.

    It covers what lies before ``window_end``, by the source's clock; nothing where that is None. ``gaps`` are spans
    of time, since and until, that no batch of this origin ever asked for, between those that were. ``asked`` is up to
    when the source was asked, by this machine's clock: of an extraction that was taken up, when that began. None where
    it says nothing new of the source, as of a window that begins after all that is covered and brought nothing.
    """

    batch: str | None
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
    asked: datetime | None = None

    @property
    def batches(self) -> tuple[str, ...]:
        """Id of the batch that was committed, if one was."""
        return () if self.batch is None else (self.batch,)


@dataclass(frozen=True)
class BackfillResult:
    """A long window, fetched as several batches: ``windows`` has those that were fetched now, oldest first.

    ``windows_covered`` counts the others: a batch has them that was fetched more than a day after their end. The counts
    are those of ``windows``; ``gaps`` as there. ``asked`` is the newest of theirs, None where all windows were covered.
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
    asked: datetime | None = None

    @property
    def batches(self) -> tuple[str, ...]:
        """Ids of the batches that were committed, oldest first."""
        return tuple(batch for window in self.windows for batch in window.batches)


@dataclass(frozen=True)
class TransformResult:
    """What the waiting batches hold, summed over them.

    Records balance: ``received == accepted + rejected + outside_window + skipped``, the latter being those that are no
    orders, ``skipped_by_reason`` by what the source's mapping calls them. ``deleted`` and ``emptied`` count those of
    the accepted versions with which an order leaves, ``future_updated_at`` those whose time lay too far in the future,
    ``cancelled`` and ``refunded`` those whose order was cancelled, or has refunds.
    Lines of accepted orders balance: ``lines_received == lines_accepted + lines_rejected + lines_skipped``, the latter
    being those of quantity 0 and those that the mapping leaves out; ``rows`` is what is left of the accepted ones after
    lines with one SKU became one.
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
    cancelled: int = 0
    refunded: int = 0
    skipped: int = 0
    skipped_by_reason: dict[str, int] = field(default_factory=dict)


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
    """One commit of the curated layer. ``written`` names files relative to ``curated/``.

    ``source_changes`` say which fields of the source are not what they were, each told once.
    ``warehouse`` is what was then loaded into the warehouse, None where none is set.
    """

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
    source_changes: tuple[str, ...] = ()
    warehouse: WarehouseResult | None = None


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
    check: CheckResult
    seconds: dict[str, float]
    report: str
    warnings: tuple[str, ...] = ()
    gaps: tuple[tuple[datetime, datetime], ...] = ()
    warehouse: WarehouseResult | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether it found nothing new and nothing to do."""
        done = (self.extract.batches, self.transform.batches, self.load.written, self.load.dimensions_written)
        loaded = self.warehouse is not None and not self.warehouse.is_quiet
        return not any(done) and not self.load.healed and not self.load.recovered and not loaded
