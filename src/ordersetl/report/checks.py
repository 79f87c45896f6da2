"""The result of a check as tables."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import groupby, islice
from typing import TypeVar

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ordersetl.report.bridge import draw_bridge
from ordersetl.report.failures import describe_outcome
from ordersetl.report.tables import Complete, list_counts, name_or, new_table, plain_text
from ordersetl.results import CheckOutcome, CheckResult, OpenQuarantine
from ordersetl.text import many, printable

__all__ = ["draw_check"]

_Row = TypeVar("_Row")
_BAR = 24
"""Characters of the longest bar in the table of days."""
_MAX_DAYS = 31
_MAX_PRODUCTS = 3
_MAX_COUNTRIES = 5
_MAX_ROWS = 3


def draw_check(result: CheckResult, complete: Complete) -> Iterator[RenderableType]:
    """The checks, and where the whole layer was looked at its figures and the open quarantine."""
    yield _draw_outcomes(result.outcomes, complete)
    metrics = result.metrics
    if metrics.currencies:
        money = new_table("Revenue", "currency", "orders", "lines", "revenue", "average order")
        for c in metrics.currencies:
            figures = (f"{c.orders:,}", f"{c.lines:,}", f"{c.revenue:,.2f}", f"{c.average_order_value:,.2f}")
            money.add_row(name_or(c.currency, "(none)"), *figures)
        yield money
        yield from draw_bridge(metrics.bridge, "From gross to net sales")
        yield _draw_days(result)
        products = new_table("Top products", "currency", "sku", "product", "qty", "revenue")
        for p in _first_of_each(metrics.products, lambda p: p.currency, _MAX_PRODUCTS):
            sold = (f"{p.qty.normalize():,f}", f"{p.revenue:,.2f}")
            products.add_row(name_or(p.currency, "(none)"), plain_text(p.sku), plain_text(p.name or ""), *sold)
        yield products
        countries = new_table("By country", "currency", "country", "orders", "revenue")
        for n in _first_of_each(metrics.countries, lambda n: n.currency, _MAX_COUNTRIES):
            place = name_or(n.country, "(unknown)")
            countries.add_row(name_or(n.currency, "(none)"), place, f"{n.orders:,}", f"{n.revenue:,.2f}")
        yield countries
    if metrics.amount_differs:
        have = "order has" if metrics.amount_differs == 1 else "orders have"
        yield f"\n{metrics.amount_differs:,} {have} an amount that is not the sum of the lines."
    if metrics.refunded_over_amount:
        yield f"\nOf {many(metrics.refunded_over_amount, 'order')} more was refunded than the amount."
    if result.open_quarantine is not None:
        yield from _draw_open(result.open_quarantine)


def _draw_outcomes(outcomes: Iterable[CheckOutcome], complete: Complete) -> Table:
    """A row a check: why it matters, cut to one line; of one that failed, all there is to know."""
    table = Table(title="Checks", title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for outcome in outcomes:
        if outcome.ok:
            why = Text(printable(outcome.why), style="dim", no_wrap=True, overflow="ellipsis")
            table.add_row(Text("ok", style="green"), plain_text(outcome.name), why)
        else:
            found = complete(printable(f"{describe_outcome(outcome, most=_MAX_ROWS)}. {outcome.why}"))
            table.add_row(Text("FAILED", style="bold red"), plain_text(outcome.name), Text(found))
    return table


def _draw_days(result: CheckResult) -> Table:
    """Orders a day, a bar each: one currency's revenue cannot be added to another's, orders can."""
    orders: dict[date, int] = {}
    for metric in result.metrics.days:
        orders[metric.day] = orders.get(metric.day, 0) + metric.orders
    shown = sorted(orders.items())[-_MAX_DAYS:]
    most = max(count for _, count in shown)
    days = new_table("By day" + (f" (the last {_MAX_DAYS})" if len(orders) > _MAX_DAYS else ""), "day", "orders", "")
    for day, count in shown:
        days.add_row(day.isoformat(), f"{count:,}", "█" * max(1, round(_BAR * count / most)))
    return days


def _draw_open(found: OpenQuarantine) -> Iterator[RenderableType]:
    if not (found.orders or found.without_id):
        return
    yield Text.assemble(
        ("\nOpen quarantine: ", "bold"),
        f"{many(found.orders, 'rejected order')} with no later good version, {found.without_id:,} without an id\n",
        plain_text(list_counts(found.by_reason)),
    )
    newest = new_table("", "order", "reason", "batch")
    for order in found.newest:
        newest.add_row(*map(plain_text, (order.order_id, order.reason, order.batch)))
    yield newest


def _first_of_each(rows: Iterable[_Row], key: Callable[[_Row], str], most: int) -> Iterator[_Row]:
    """The first rows of each group; rows of a group are neighbours."""
    for _, group in groupby(rows, key):
        yield from islice(group, most)
