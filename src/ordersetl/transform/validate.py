"""Validate pages of orders: what is good becomes typed frames, what is not becomes quarantine records.

Two paths give the same result: the bulk path for records that fit it, the models for the rest.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from ordersetl.lake.counts import BatchCounts
from ordersetl.lake.field_counts import FieldCount, add_counts
from ordersetl.lake.fold_settings import DEFAULTS, FoldSettings
from ordersetl.lake.quarantine import Reject
from ordersetl.source.nested import MAX_DEPTH
from ordersetl.source.page import Page, read_records
from ordersetl.source.parser import parse_json, parse_page
from ordersetl.star.days import find_days
from ordersetl.star.frames import ORDER_SCHEMA, join_position, split_position
from ordersetl.star.values import to_naive
from ordersetl.transform.bulk import NOTHING_READ, BulkOrders, read_bulk
from ordersetl.transform.outcomes import Outcome, RejectedLines, validate_records
from ordersetl.window import Window

if TYPE_CHECKING:
    from ordersetl.source.description.mapping import Mapping
    from ordersetl.source.mapping.record import OrderMapper
    from ordersetl.transform.mapped_fields import BulkMapping
    from ordersetl.transform.used_fields import FieldTally

__all__ = ["Validated", "validate_pages"]


class Validated(msgspec.Struct):
    """What a chunk of pages holds.

    ``orders`` has CHARGED_SCHEMA (each ``pos`` once), ``items`` ITEM_SCHEMA, ``refunds`` REFUND_ITEM_SCHEMA;
    ``found_bad`` is in the order of the pages. A version with which its order leaves has no ``dt``, nothing but its id
    and time, and no items. ``seen`` are the fields of the records that the mapping uses, by path.
    """

    orders: pl.DataFrame
    items: pl.DataFrame
    refunds: pl.DataFrame
    found_bad: list[Reject | RejectedLines]
    counts: BatchCounts
    seen: dict[str, FieldCount] = msgspec.field(default_factory=dict)

    @property
    def rejects(self) -> Iterator[Reject]:
        """All rejected orders and lines, in the order of the pages; those of lines are made as they are asked for."""
        for bad in self.found_bad:
            if isinstance(bad, Reject):
                yield bad
            else:
                yield from bad


def validate_pages(
    pages: Sequence[Page],
    window: Window,
    settings: FoldSettings = DEFAULTS,
    mapping: "Mapping | None" = None,
    *,
    bulk: bool = True,
) -> Validated:
    """Validate every record of the pages.

    Args:
        pages: pages of one batch.
        window: readable orders outside it are dropped and counted, whatever else they are.
        settings: say in which zone an order's day is, and which statuses are those of cancelled ones.
        mapping: what the records say of orders; None of those that are such already.
        bulk: take the bulk path where it applies; the result is the same without it.

    Raises:
        InvalidResponseError: a page holds no list of orders (extract lets no such page in).
    """
    mapper, in_bulk = (None, None) if mapping is None else _find_mappers(mapping)
    fast = read_bulk(pages, in_bulk) if bulk and (mapper is None) == (in_bulk is None) else NOTHING_READ
    unread = chain.from_iterable(_page_records(page) for page in pages if page.number not in fast.pages)
    records: Iterable[tuple[int, Any]] = chain(unread, ((d.pos, _parse_record(d.text)) for d in fast.fallback))
    tally = None if mapping is None else _begin_tally(mapping, in_bulk)
    if tally is not None:
        records = _count_fields(records, tally, fast)
    rest = validate_records(records, window, mapper)
    rest.skipped.update(fast.skipped)
    fast_orders, future = _apply_window(fast.orders, window)
    outside = fast.orders.height - fast_orders.height
    of_orders = [fast.items, fast.refunds]
    if outside:
        of_orders = [rows.join(fast_orders.select("pos"), on="pos", how="semi") for rows in of_orders]
    if fast.skipped_lines is not None:
        skipped = fast.skipped_lines.join(fast_orders, on="pos", how="semi")
        rest.counts["lines_skipped"] += int(skipped["count"].sum())
    orders = _apply_settings(pl.concat([fast_orders, rest.columns.orders]), settings)
    items, refunds = map(pl.concat, zip(of_orders, (rest.columns.items, rest.columns.refunds), strict=True))
    return Validated(
        orders=orders,
        items=items,
        refunds=refunds,
        found_bad=sorted(rest.found_bad, key=lambda bad: (bad.page, bad.index)),
        counts=_count(rest, orders, items, refunds, bulk=fast.orders.height, outside=outside, future=future),
        seen={} if tally is None else add_counts(dict(fast.seen.counts), tally.counts()),
    )


def _find_mappers(mapping: "Mapping") -> "tuple[OrderMapper, BulkMapping | None]":
    """A mapping on single records, and in bulk where there is one."""
    from ordersetl.source.mapping.record import OrderMapper  # noqa: PLC0415 - the generic API does without
    from ordersetl.transform.mapped_fields import find_bulk_mapping  # noqa: PLC0415 - likewise

    return OrderMapper(mapping), find_bulk_mapping(mapping)


def _begin_tally(mapping: "Mapping", in_bulk: "BulkMapping | None") -> "FieldTally":
    from ordersetl.transform.used_fields import FieldTally  # noqa: PLC0415 - likewise
    from ordersetl.transform.used_paths import list_asked, list_used  # noqa: PLC0415 - likewise

    return FieldTally(in_bulk.record if in_bulk is not None else list_used(mapping), list_asked(mapping))


def _count_fields(
    records: Iterable[tuple[int, Any]], tally: "FieldTally", fast: BulkOrders
) -> Iterator[tuple[int, Any]]:
    """The records, the fields of those counted that were not read in bulk."""
    unread = frozenset(fast.seen.unread)
    for pos, record in records:
        if split_position(pos)[0] not in fast.pages or pos in unread:
            tally.add(record)
        yield pos, record


def _apply_settings(orders: pl.DataFrame, settings: FoldSettings) -> pl.DataFrame:
    """The orders with their day in the shop's zone, and with whether they are cancelled."""
    by_status = pl.col("status").str.to_lowercase().is_in(settings.cancelled_statuses).fill_null(value=False)
    return orders.with_columns(
        find_days(orders["created_at_order"], settings.timezone).alias("dt"), cancelled=pl.col("cancelled") | by_status
    )


def _count(
    rest: Outcome,
    orders: pl.DataFrame,
    items: pl.DataFrame,
    refunds: pl.DataFrame,
    *,
    bulk: int,
    outside: int,
    future: int,
) -> BatchCounts:
    """What became of all records: ``rest`` is the models' part; of ``bulk`` read in bulk, ``outside`` were dropped."""
    counts, reasons, lines = rest.counts, Counter[str](), Counter[str]()
    for bad in rest.found_bad:
        if isinstance(bad, Reject):
            reasons[bad.reason] += 1
        else:
            lines.update(bad.failures.reasons)
    return BatchCounts(
        received=counts["received"] + bulk + rest.skipped.total(),
        accepted=orders.height,
        outside_window=outside + counts["outside"],
        rejected=dict(sorted(reasons.items())),
        skipped=dict(sorted(rest.skipped.items())),
        lines_received=items.height + counts["lines_skipped"] + counts["lines_rejected"],
        lines_accepted=items.height,
        lines_skipped=counts["lines_skipped"],
        lines_rejected=dict(sorted(lines.items())),
        deleted=counts["deleted"],
        emptied=counts["emptied"],
        future_updated_at=future + counts["future"],
        texts_cut=counts["texts_cut"],
        cancelled=int(orders["cancelled"].sum()),
        refunded=refunds["pos"].n_unique(),
    )


def _parse_record(text: str) -> Any:  # noqa: ANN401 - any JSON value
    if text.count("[") + text.count("{") > MAX_DEPTH:  # perhaps too deep, which is for the reader of pages to say
        return parse_page(f"[{text}]".encode())[0]
    return parse_json(text)


def _page_records(page: Page) -> Iterator[tuple[int, Any]]:
    for index, record in enumerate(read_records(page)):
        yield join_position(page.number, index), record


def _apply_window(orders: pl.DataFrame, window: Window) -> tuple[pl.DataFrame, int]:
    """Orders inside the window, their times capped, and how many were."""
    updated_at = pl.col("updated_at_order")
    is_future = pl.lit(value=False) if window.latest is None else updated_at > to_naive(window.latest)
    future = orders.filter(is_future).height
    if future and window.began_at is not None:
        began = pl.lit(to_naive(window.began_at), ORDER_SCHEMA["updated_at_order"])
        marked = orders.with_columns(future=is_future)
        orders = marked.with_columns(updated_at_order=pl.when("future").then(began).otherwise(updated_at))
    inside = pl.lit(value=True)
    if window.since is not None:
        inside &= updated_at >= to_naive(window.since)
    if window.until is not None:
        inside &= updated_at < to_naive(window.until)
    kept = orders.filter(inside)
    if future:
        return kept.drop("future"), kept.filter("future").height
    return kept, 0
