"""One page, read as transform would, for people to look at."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl

from ordersetl.lake.fold_settings import FoldSettings
from ordersetl.lake.raw import BatchRequest
from ordersetl.results import PreviewLine, PreviewOrder, PreviewReject, PreviewResult
from ordersetl.source.description.mapping import Mapping
from ordersetl.source.page import Page
from ordersetl.star.frames import split_position
from ordersetl.star.lines import merge_lines, merge_refunds
from ordersetl.transform.validate import Validated, validate_pages

__all__ = ["preview_page"]

_LINE = (
    *("sku", "product_name", "qty", "item_price", "line_amount"),
    *("discount_amount", "tax_amount", "shipping_amount", "refunded_amount"),
)


def preview_page(
    page: Page, request: BatchRequest, settings: FoldSettings, mapping: Mapping | None, *, limit: int, seconds: float
) -> PreviewResult:
    """What becomes of the records of a page.

    Args:
        page: of the request.
        request: what was asked for.
        settings: as the records would be folded by.
        mapping: of the source, None where its records are orders as they are.
        limit: most accepted orders to show.
        seconds: that the page took.
    """
    window = request.window
    found = validate_pages([page], window, settings, mapping)
    rejects = tuple(PreviewReject(bad.index, bad.line, bad.order_id, bad.reason, bad.detail) for bad in found.rejects)
    counts = found.counts
    return PreviewResult(
        source=request.source,
        url=request.url,
        since=request.since,
        until=request.until,
        received=counts.received,
        accepted=counts.accepted,
        rejected=counts.orders_rejected,
        outside_window=counts.outside_window,
        rejected_by_reason=counts.rejected,
        skipped_by_reason=counts.skipped,
        lines_accepted=counts.lines_accepted,
        lines_rejected_by_reason=counts.lines_rejected,
        lines_skipped=counts.lines_skipped,
        orders=tuple(_list_orders(found, limit)),
        rejects=rejects,
        seconds=seconds,
    )


def _list_orders(found: Validated, limit: int) -> Iterator[PreviewOrder]:
    orders = found.orders.sort("pos").head(limit)
    refunds = merge_refunds(orders, found.refunds.join(orders, on="pos", how="semi"))
    lines = merge_lines(orders, found.items.join(orders, on="pos", how="semi"), refunds)
    by_order = lines.sort("pos", "sku").partition_by("pos", as_dict=True)
    for order in orders.iter_rows(named=True):
        rows = by_order.get((order["pos"],), lines.clear())
        yield PreviewOrder(
            index=split_position(order["pos"])[1],
            order_id=order["order_id"],
            created_at=_aware(order["created_at_order"]),
            updated_at=order["updated_at_order"].replace(tzinfo=UTC),
            user_id=order["user_id"],
            amount=order["order_amount"],
            currency=order["currency"],
            status=order["status"],
            source=order["source"],
            promo=order["promo"],
            cancelled=order["cancelled"],
            gone=order["dt"] is None,
            refunded=rows.select(pl.col("refunded_amount").sum()).item() or Decimal(0),
            lines=tuple(PreviewLine(*row) for row in rows.select(_LINE).iter_rows()),
        )


def _aware(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
