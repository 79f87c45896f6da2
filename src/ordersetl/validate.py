"""Validate pages of orders: what is good becomes typed frames, what is not becomes quarantine records.

Two paths give the same verdict and the same values: the bulk path for what is plain, the models for the rest.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import Any

import polars as pl

from ordersetl.bulk import NOTHING_READ, PAGE_BITS, read_bulk
from ordersetl.models import Failure, ReadOrder, read_order
from ordersetl.source.page import Page, parse_json, read_records
from ordersetl.star import ITEM_SCHEMA, ORDER_SCHEMA
from ordersetl.values import read_short_text, read_time

__all__ = ["Reject", "TimeWindow", "Validated", "validate_pages"]


@dataclass(frozen=True)
class TimeWindow:
    """A window on an order's ``updated_at`` (``created_at`` where it has none): since inclusive, until exclusive.

    What lies outside is dropped, so it holds only what a user asked for. ``began_at`` is when the extraction began: a
    version that claims to be more than a day newer counts as of that time; None caps nothing.
    """

    since: datetime | None = None
    until: datetime | None = None
    began_at: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether the moment, aware, lies inside."""
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class Reject:
    """A rejected order (``line`` is None) or line, where it is in raw, and why."""

    page: int
    index: int
    line: int | None
    order_id: str | None
    reason: str
    detail: str
    record: Any

    def to_json(self, batch: str) -> bytes:
        """One line of the quarantine file."""
        told = {
            "batch": batch,
            "page": self.page,
            "index": self.index,
            "line": self.line,
            "order_id": self.order_id,
            "scope": "order" if self.line is None else "line",
            "reason": self.reason,
            "detail": self.detail,
            "record": self.record,
        }
        try:
            return _dump(told)
        except RecursionError:
            return _dump({**told, "record": None, "detail": f"{self.detail} (nested too deeply to be copied: see raw)"})


@dataclass
class Validated:
    """What a chunk of pages holds.

    ``orders`` has ORDER_SCHEMA (each ``pos`` once), ``items`` ITEM_SCHEMA; rejects are in the order of the pages.
    ``received == orders.height + rejected orders + outside_window``.
    """

    orders: pl.DataFrame
    items: pl.DataFrame
    rejects: list[Reject]
    received: int
    outside_window: int
    lines_received: int
    texts_cut: int

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected orders by reason."""
        return dict(sorted(Counter(r.reason for r in self.rejects if r.line is None).items()))

    @property
    def lines_rejected(self) -> dict[str, int]:
        """Rejected lines of accepted orders by reason."""
        return dict(sorted(Counter(r.reason for r in self.rejects if r.line is not None).items()))


@dataclass
class _Columns:
    """Accepted orders and items of the models' path, column by column."""

    orders: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in ORDER_SCHEMA})
    items: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in ITEM_SCHEMA})

    def add(self, pos: int, order: ReadOrder) -> None:
        created = order.created_at.replace(tzinfo=None)
        values = (
            pos,
            created.date(),
            order.order_id,
            order.user_id,
            order.amount,
            order.currency,
            created,
            order.updated_at.replace(tzinfo=None),
            order.status,
            order.source,
            order.promo,
        )
        for column, value in zip(self.orders.values(), values, strict=True):
            column.append(value)
        for _, line in order.lines:
            for column, value in zip(
                self.items.values(), (pos, line["sku"], line["qty"], line.get("price")), strict=True
            ):
                column.append(value)


def validate_pages(pages: Sequence[Page], window: TimeWindow, *, bulk: bool = True) -> Validated:
    """Judge every record of the pages.

    Args:
        pages: pages of one batch.
        window: readable orders outside it are dropped and counted, whatever else they are.
        bulk: take the bulk path where it applies; the result is the same without it.

    Raises:
        NonsenseError: a page holds no list of orders (extract lets no such page in).
    """
    fast = read_bulk(pages) if bulk else NOTHING_READ
    in_doubt = chain.from_iterable(_page_records(page) for page in pages if page.number not in fast.pages)
    rest = _judge(chain(in_doubt, ((d.pos, parse_json(d.text)) for d in fast.doubtful)), window)
    plain, plain_items, outside = _inside(fast.orders, fast.items, window)
    orders = pl.concat([plain, pl.DataFrame(rest.columns.orders, schema=ORDER_SCHEMA)])
    items = pl.concat([plain_items, pl.DataFrame(rest.columns.items, schema=ITEM_SCHEMA)])
    return Validated(
        orders=orders,
        items=items,
        rejects=sorted(rest.rejects, key=lambda r: (r.page, r.index, -1 if r.line is None else r.line)),
        received=fast.orders.height + rest.received,
        outside_window=outside + rest.outside,
        lines_received=items.height + sum(r.line is not None for r in rest.rejects),
        texts_cut=rest.texts_cut,
    )


@dataclass
class _Judged:
    """What the models said of the records they were given."""

    columns: _Columns = field(default_factory=_Columns)
    rejects: list[Reject] = field(default_factory=list)
    received: int = 0
    outside: int = 0
    texts_cut: int = 0


def _judge(records: Iterable[tuple[int, Any]], window: TimeWindow) -> _Judged:
    judged = _Judged()
    for pos, record in records:
        judged.received += 1
        moment = _moment(record)
        if moment is not None and not window.holds(moment):
            judged.outside += 1
            continue
        read = read_order(record)
        page, index = pos >> PAGE_BITS, pos & ((1 << PAGE_BITS) - 1)
        if isinstance(read, Failure):
            told = read_short_text(record.get("order_id"))[0] if isinstance(record, dict) else None
            judged.rejects.append(Reject(page, index, None, told, read.reason, read.detail, record))
            continue
        judged.columns.add(pos, read)
        judged.texts_cut += read.texts_cut
        judged.rejects.extend(
            Reject(page, index, f.line, read.order_id, f.reason, f.detail, record["items"][f.line])
            for f in read.failures
        )
    return judged


def _moment(record: object) -> datetime | None:
    """When a record was last updated, as far as it says so readably."""
    if not isinstance(record, dict):
        return None
    given = record.get("updated_at")
    return read_time(record.get("created_at") if given is None else given)


def _page_records(page: Page) -> Iterator[tuple[int, Any]]:
    for index, record in enumerate(read_records(page.body)):
        yield page.number << PAGE_BITS | index, record


def _inside(orders: pl.DataFrame, items: pl.DataFrame, window: TimeWindow) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    moment = pl.col("updated_at_order").dt.replace_time_zone("UTC")
    inside = pl.lit(value=True)
    if window.since is not None:
        inside &= moment >= window.since.astimezone(UTC)
    if window.until is not None:
        inside &= moment < window.until.astimezone(UTC)
    kept = orders.filter(inside)
    if kept.height == orders.height:
        return orders, items, 0
    return kept, items.join(kept.select("pos"), on="pos", how="semi"), orders.height - kept.height


def _dump(told: dict[str, Any]) -> bytes:
    """JSON that any reader takes: numbers as doubles where these are exact, else as text; no NaN, valid UTF-8."""
    try:
        text = json.dumps(told, ensure_ascii=False, allow_nan=False, default=_plain_number)
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate can only be written escaped
        return json.dumps(told, allow_nan=False, default=_plain_number).encode() + b"\n"
    except ValueError:  # NaN or Infinity
        return _dump(_without_nan(told))


def _plain_number(value: Decimal) -> float | str:
    double = float(value)
    return double if math.isfinite(double) and Decimal(repr(double)) == value else str(value)


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _without_nan(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_without_nan(member) for member in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
