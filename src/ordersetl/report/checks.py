"""The result of a check as tables: what failed first, then the figures, the open quarantine, and the result."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby, islice
from typing import TypeVar

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ordersetl.report.bridge import draw_bridge
from ordersetl.report.currencies import count_digits
from ordersetl.report.failures import describe_outcome
from ordersetl.report.tables import Complete, list_most, name_or, new_table, plain_text
from ordersetl.results import CheckMetrics, CheckOutcome, CheckResult, OpenQuarantine
from ordersetl.text import many, printable

__all__ = ["draw_check"]

_Row = TypeVar("_Row")
_BAR = 24
"""Characters of the longest bar in the table of days."""
_MAX_DAYS = 31
_MAX_PRODUCTS = 3
_MAX_COUNTRIES = 5
_MAX_ROWS = 3


def draw_check(result: CheckResult, complete: Complete, *, verbose: bool) -> Iterator[RenderableType]:
    """The checks that failed or warn, all if ``verbose``; what the layer holds where all of it was looked at."""
    shown = [o for o in result.outcomes if verbose or not o.ok or o.warning]
    if shown:
        yield _draw_outcomes(sorted(shown, key=_rank), complete)
    metrics = result.metrics
    if metrics.currencies:
        yield from _draw_metrics(result)
    if metrics.amount_differs:
        have = "order has" if metrics.amount_differs == 1 else "orders have"
        yield f"\n{metrics.amount_differs:,} {have} an amount that is not the sum of the lines."
    if metrics.refunded_over_amount:
        yield f"\nOf {many(metrics.refunded_over_amount, 'order')} more was refunded than the amount."
    if result.open_quarantine is not None:
        yield from _draw_open(result.open_quarantine)
    yield _draw_result(result.outcomes)


def _rank(outcome: CheckOutcome) -> int:
    return 2 if outcome.ok and not outcome.warning else int(outcome.ok)


def _draw_outcomes(outcomes: Iterable[CheckOutcome], complete: Complete) -> Table:
    """A row a check: why it matters, cut to one line; of one that failed or warns, all there is to know."""
    table = Table(title="Checks", title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for outcome in outcomes:
        if outcome.ok and not outcome.warning:
            why = Text(printable(outcome.why), style="dim", no_wrap=True, overflow="ellipsis")
            table.add_row(Text("ok", style="green"), plain_text(outcome.name), why)
        else:
            mark = Text("warns", style="yellow") if outcome.ok else Text("FAILED", style="bold red")
            found = complete(printable(f"{describe_outcome(outcome, most=_MAX_ROWS)}. {outcome.why}"))
            table.add_row(mark, plain_text(outcome.name), Text(found))
    return table


def _draw_result(outcomes: Sequence[CheckOutcome]) -> Text:
    """The last line: how many passed."""
    failed = sum(not outcome.ok for outcome in outcomes)
    warn = sum(outcome.warning for outcome in outcomes)
    warned = f", {many(warn, 'warning')}" if warn else ""
    if failed:
        return Text(f"\nResult: {failed:,} of {many(len(outcomes), 'check')} failed{warned}", style="bold red")
    return Text(f"\nResult: {many(len(outcomes), 'check')} passed{warned}", style="bold green")


def _draw_metrics(result: CheckResult) -> Iterator[RenderableType]:
    metrics = result.metrics
    money = new_table("Revenue", "currency", "orders", "lines", "revenue", "average order")
    for c in metrics.currencies:
        digits = count_digits(c.currency)
        amounts = (f"{amount:,.{digits}f}" for amount in (c.revenue, c.average_order_value))
        money.add_row(name_or(c.currency, "(none)"), f"{c.orders:,}", f"{c.lines:,}", *amounts)
    yield money
    yield from draw_bridge(metrics.bridge, "From gross to net sales")
    yield _draw_days(result)
    yield _draw_products(metrics)
    countries = new_table("By country", "currency", "country", "orders", "revenue")
    for n in _first_of_each(metrics.countries, lambda n: n.currency, _MAX_COUNTRIES):
        revenue = f"{n.revenue:,.{count_digits(n.currency)}f}"
        countries.add_row(name_or(n.currency, "(none)"), name_or(n.country, "(unknown)"), f"{n.orders:,}", revenue)
    yield countries


def _draw_products(metrics: CheckMetrics) -> Table:
    products = new_table("Top products", "currency", "sku", "product", "qty", "revenue")
    for p in _first_of_each(metrics.products, lambda p: p.currency, _MAX_PRODUCTS):
        sold = (f"{p.qty.normalize():,f}", f"{p.revenue:,.{count_digits(p.currency)}f}")
        products.add_row(name_or(p.currency, "(none)"), plain_text(p.sku), plain_text(p.name or ""), *sold)
    for at in (1, 2):  # what came from outside gives way to the figures
        products.columns[at].no_wrap, products.columns[at].overflow = True, "ellipsis"
    return products


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
    without = f", {found.without_id:,} without an id" if found.without_id else ""
    yield Text.assemble(
        ("\nOpen quarantine: ", "bold"),
        f"{many(found.orders, 'rejected order')} with no later good version{without}\n",
        Text(f"{list_most(found.by_reason)}\nto see them: ordersetl status --quarantine"),
    )


def _first_of_each(rows: Iterable[_Row], key: Callable[[_Row], str], most: int) -> Iterator[_Row]:
    """The first rows of each group; rows of a group are neighbours."""
    for _, group in groupby(rows, key):
        yield from islice(group, most)
