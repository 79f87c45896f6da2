"""Records validated one by one by the models, native ones mapped before: what became of each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ordersetl.lake.quarantine import Reject
from ordersetl.source.nested import MAX_DEPTH, DeepRecord
from ordersetl.star.frames import split_position
from ordersetl.star.values import read_short_text, read_version_time
from ordersetl.transform.columns import Columns
from ordersetl.transform.models import GoneOrder, ReadOrder, read_order
from ordersetl.transform.order_lines import Failure, LineFailures
from ordersetl.window import Window

if TYPE_CHECKING:
    from ordersetl.source.mapping.record import OrderMapper

__all__ = ["Outcome", "RejectedLines", "validate_records"]

_ID_REASONS = {"not_an_object", "missing_order_id", "invalid_order_id"}
"""Rules that come before the one on depth."""


class RejectedLines(msgspec.Struct, frozen=True):
    """Rejected lines of one accepted order."""

    page: int
    index: int
    order: ReadOrder
    time: datetime
    items: Sequence[Any]

    @property
    def failures(self) -> LineFailures:
        """Why each is rejected."""
        return self.order.failures

    def __iter__(self) -> Iterator[Reject]:
        where, order_id = (self.page, self.index), self.order.order_id
        for f in self.failures:
            yield Reject(*where, f.line, order_id, f.reason, f.detail, self.time, self.items[f.line or 0])


class Outcome(msgspec.Struct):
    """What became of records: those accepted as ``columns``, the bad ones in the order of the pages, and how many."""

    columns: Columns = msgspec.field(default_factory=Columns)
    found_bad: list[Reject | RejectedLines] = msgspec.field(default_factory=list)
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    skipped: Counter[str] = msgspec.field(default_factory=Counter)

    def accept(self, pos: int, order: ReadOrder | GoneOrder, time: datetime) -> None:
        """Take in an order whose version counts as of ``time``."""
        self.counts["future"] += time != order.updated_at
        self.counts["lines_skipped"] += order.lines_skipped
        if isinstance(order, GoneOrder):
            self.counts["deleted" if order.deleted else "emptied"] += 1
            self.columns.add_gone(pos, order, time)
        else:
            self.counts["texts_cut"] += order.texts_cut
            self.columns.add(pos, order, time)


def validate_records(records: Iterable[tuple[int, Any]], window: Window, mapper: "OrderMapper | None") -> Outcome:
    """Validate records, each with its position in the batch.

    Args:
        records: as they are on their pages.
        window: readable orders outside it are dropped and counted.
        mapper: makes orders of them; None where they are such already.
    """
    outcome = Outcome()
    for pos, record in records:
        if mapper is not None and (name := mapper.name_skipped(record)) is not None:
            outcome.skipped[name] += 1
            continue
        outcome.counts["received"] += 1
        order = record if mapper is None else mapper.map_record(record)
        stated = read_version_time(order)
        time = None if stated is None else window.cap(stated)
        if time is not None and not window.holds(time):
            outcome.counts["outside"] += 1
            continue
        page, index = split_position(pos)
        read = _read_any(record, order, totals=mapper is not None)
        if isinstance(read, Failure):
            order_id = read_short_text(order.get("order_id"))[0] if isinstance(order, dict) else None
            shown = None if isinstance(record, DeepRecord) else record
            outcome.found_bad.append(Reject(page, index, None, order_id, read.reason, read.detail, time, shown))
            continue
        time = window.cap(read.updated_at)
        outcome.accept(pos, read, time)
        if isinstance(read, ReadOrder) and read.failures:
            outcome.counts["lines_rejected"] += len(read.failures)
            lines = record["items"] if mapper is None else mapper.list_native_lines(record)
            outcome.found_bad.append(RejectedLines(page, index, read, time, lines))
    return outcome


def _read_any(record: object, order: object, *, totals: bool) -> ReadOrder | GoneOrder | Failure:
    """What :func:`read_order` says of the order that a record is, also of one that is nested too deeply to be read."""
    if not isinstance(record, DeepRecord):
        return read_order(order, totals=totals)
    where = f"it is nested more than {MAX_DEPTH} levels deep, and not copied here: see raw"
    if not record.is_object:
        return Failure("not_an_object", f"the record is not a JSON object; {where}")
    read = read_order(order)
    if isinstance(read, Failure) and read.reason in _ID_REASONS:
        return Failure(read.reason, f"{read.detail}; {where}")
    return Failure("too_deep", where)
