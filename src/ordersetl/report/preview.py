"""A preview as tables: the orders with their rows, and what was rejected."""

from collections.abc import Iterator
from decimal import Decimal

from rich.console import RenderableType
from rich.text import Text

from ordersetl.report.tables import Complete, Hanging, draw_facts, list_counts, plain_text
from ordersetl.results import InitResult, PreviewOrder, PreviewResult
from ordersetl.text import format_time, many, printable

__all__ = ["draw_preview"]


def draw_preview(result: PreviewResult | InitResult, complete: Complete) -> Iterator[RenderableType]:
    """What the page holds in numbers, the first orders, all that was rejected, and what to do next."""
    page = result if isinstance(result, PreviewResult) else result.preview
    if page is not None:
        yield from _draw_page(page, complete)
    if isinstance(result, PreviewResult):
        yield Text("\nNothing was written. To fetch them all: ordersetl run")
        return
    ways = [" and ".join(way) for way in result.secrets]
    secrets = f" Set {', or '.join(ways)}; then:" if ways else " Next:"
    yield Text(f"{'' if page is None else chr(10)}{printable(result.path)} is written.{secrets} ordersetl run")


def _draw_page(result: PreviewResult, complete: Complete) -> Iterator[RenderableType]:
    yield draw_facts("Preview", _facts(result), complete)
    if result.orders:
        shown = len(result.orders)
        of = "" if shown == result.accepted else f", {shown:,} of {result.accepted:,}"
        yield Text(f"\nOrders{of}", style="bold")
        for order in result.orders:
            yield from _draw_order(order)
    if result.rejects:
        yield Text("\nRejected", style="bold")
    for bad in result.rejects:
        line = "" if bad.line is None else f" line {bad.line}"
        order_id = bad.order_id or "(no id)"
        yield Hanging(plain_text(f"record {bad.index}  {order_id}{line}  {bad.reason}  {bad.detail}"))


def _facts(result: PreviewResult) -> dict[str, str]:
    since = format_time(result.since) if result.since else "the beginning"
    until = format_time(result.until) if result.until else "now"
    outside = f", {result.outside_window:,} outside the window" if result.outside_window else ""
    skipped = f", {list_counts(result.skipped_by_reason)} skipped" if result.skipped_by_reason else ""
    of_lines = {"lines rejected": list_counts(result.lines_rejected_by_reason)}
    return {
        "source": f"{result.source}, {result.url}",
        "window": f"{since} to {until}",
        "first page": f"{many(result.received, 'record')}: {result.accepted:,} accepted, {result.rejected:,} rejected"
        f"{outside}{skipped}",
        **({"rejected orders": list_counts(result.rejected_by_reason)} if result.rejected_by_reason else {}),
        "lines": f"{result.lines_accepted:,} accepted, {result.lines_skipped:,} skipped",
        **(of_lines if result.lines_rejected_by_reason else {}),
    }


def _draw_order(order: PreviewOrder) -> Iterator[RenderableType]:
    """What an order is, its times, and its lines below it."""
    amount = f"{_number(order.amount)} {order.currency or ''}".rstrip()
    user = f"user {order.user_id}" if order.user_id else "guest"
    head = "  ".join(filter(None, (amount, _describe_state(order), user)))
    yield Hanging(Text.assemble((printable(order.order_id), "bold"), "  ", printable(head)))
    created = f"created {format_time(order.created_at)}, " if order.created_at else ""
    yield Text(f"  {created}updated {format_time(order.updated_at)}", style="dim")
    for line in order.lines:
        yield Hanging(plain_text(f"  {_number(line.qty, 0)} x {line.sku} at {_number(line.item_price)}"), indent=4)


def _describe_state(order: PreviewOrder) -> str:
    states = [order.status] if order.status else []
    states += ["gone: leaves curated"] if order.gone else []
    states += ["cancelled"] if order.cancelled and order.status not in {"cancelled", "canceled"} else []
    states += [f"refunded {_number(order.refunded)}"] if order.refunded else []
    return ", ".join(states)


def _number(value: Decimal | None, digits: int = 2) -> str:
    """A number with so many digits behind the point, or as many as it needs; a dash where it is not known."""
    if value is None:
        return "-"
    whole, _, fraction = f"{value:f}".partition(".")
    fraction = fraction.rstrip("0").ljust(digits, "0")
    return f"{whole}.{fraction}" if fraction else whole
