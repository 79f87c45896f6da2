"""Show results: tables for people, one JSON envelope for machines; progress, notices and errors on stderr."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bars, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ordersetl import __version__
from ordersetl.errors import CheckFailedError, OrdersetlError
from ordersetl.job import Progress, SilentProgress
from ordersetl.pipeline import to_plain
from ordersetl.results import (
    CheckOutcome,
    CheckResult,
    Damage,
    ExtractResult,
    LoadResult,
    RunResult,
    TransformResult,
)

__all__ = [
    "failure_of",
    "print_envelope",
    "print_error",
    "print_result",
    "show_progress",
    "start_logging",
]

_BAR = 24
"""Characters of the longest bar in the table of days."""
_MOST_DAYS = 31


def start_logging(*, quiet: bool, verbose: bool) -> None:
    """Send the library's notices to stderr: warnings, with ``verbose`` everything, with ``quiet`` nothing."""
    logger = logging.getLogger("ordersetl")
    handler = RichHandler(
        console=Console(stderr=True), show_time=verbose, show_path=False, show_level=verbose, markup=False, highlighter=None
    )
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.WARNING)


class _Bars:
    """One bar a stage."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[Progress]:
    """Bars on stderr where that is a terminal; elsewhere nothing."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield SilentProgress()
        return
    columns = (TextColumn("{task.description:18}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        yield _Bars(bars)


def failure_of(result: object) -> OrdersetlError | None:
    """The error that a result stands for, if it is a failed check."""
    if not isinstance(result, CheckResult) or result.ok:
        return None
    failed = [outcome for outcome in result.outcomes if not outcome.ok]
    said = "; ".join(_outcome_line(outcome) for outcome in failed)
    return CheckFailedError(
        f"{len(failed)} of {len(result.outcomes)} checks failed: {said}",
        hint="Heal it from raw with: ordersetl load --verify",
    )


def print_envelope(command: str, result: object, failure: OrdersetlError | None) -> None:
    """Print one JSON object: command, status, version, data, and error where it failed."""
    envelope: dict[str, object] = {
        "command": command,
        "status": "ok" if failure is None else "failed",
        "version": __version__,
        "data": to_plain(result),
    }
    if failure is not None:
        envelope["error"] = {"code": failure.code, "message": failure.message, "hint": failure.hint}
    sys.stdout.write(json.dumps(envelope) + "\n")


def print_error(error: OrdersetlError) -> None:
    """Say on stderr what failed, where, and what to do next."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[bold red]Error:[/bold red] {escape(error.message)}")
    if error.hint:
        console.print(f"[bold]Next:[/bold]  {escape(error.hint)}")


def print_result(result: object) -> None:
    """Print a stage's result as tables."""
    console = Console(highlight=False)
    if isinstance(result, ExtractResult):
        console.print(_facts("Extract", _extract_facts(result)))
    elif isinstance(result, TransformResult):
        console.print(_facts("Transform", _transform_facts(result)))
    elif isinstance(result, LoadResult):
        console.print(_facts("Load", _load_facts(result)))
        _print_healed(console, result.healed)
    elif isinstance(result, RunResult):
        console.print(_facts(f"Run {result.run_id}", _run_facts(result)))
        _print_healed(console, result.load.healed)
    elif isinstance(result, CheckResult):
        _print_check(console, result)


def _facts(title: str, facts: Mapping[str, str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, escape(value))
    return table


def _extract_facts(result: ExtractResult) -> dict[str, str]:
    since = result.since.isoformat() if result.since else "the beginning"
    until = result.until.isoformat() if result.until else "now"
    resumed = f", {result.resumed_pages} of them kept from an interrupted run" if result.resumed_pages else ""
    retries = f", {result.retries} retries" if result.retries else ""
    return {
        "batch": result.batch,
        "source": f"{result.source} {result.url}",
        "window": f"{since} to {until}",
        "fetched": f"{result.records:,} records in {result.pages:,} pages, {_size(result.bytes)}{resumed}{retries}",
    }


def _transform_facts(result: TransformResult) -> dict[str, str]:
    return {
        "batches": f"{len(result.batches)} waiting, {len(result.staged_anew)} staged anew",
        "received": f"{result.received:,} records: {result.accepted:,} accepted, {result.rejected:,} rejected, "
        f"{result.outside_window:,} outside the window",
        "rejected orders": _counts(result.rejected_by_reason),
        "lines": f"{result.lines_accepted:,} accepted, {result.lines_rejected:,} rejected; {result.rows:,} rows",
        "rejected lines": _counts(result.lines_rejected_by_reason),
        **({"texts cut": f"{result.texts_cut:,} to 255 bytes"} if result.texts_cut else {}),
    }


def _load_facts(result: LoadResult) -> dict[str, str]:
    orders = result.orders
    notes = {"reference notes": _counts(result.reference_notes)} if result.reference_notes else {}
    return {
        "orders": f"{orders.inserted:,} inserted, {orders.updated:,} updated ({orders.moved:,} moved), "
        f"{orders.unchanged:,} unchanged, {orders.superseded:,} superseded, {orders.removed:,} removed",
        "lines removed": f"{orders.lines_removed:,}",
        "partitions": f"{result.partitions_written:,} written, {result.partitions_unchanged:,} left alone, "
        f"{result.partitions_removed:,} removed" + (" (rebuilt from raw)" if result.rebuilt else ""),
        "dimensions": f"{result.users:,} users, {result.products:,} products",
        **notes,
        "curated": f"{result.orders_total:,} orders, {result.rows:,} rows",
        "revenue": _money(result.revenue),
        **({"late batches": ", ".join(result.late)} if result.late else {}),
        **({"recovered": "carried an interrupted commit through"} if result.recovered else {}),
    }


def _run_facts(result: RunResult) -> dict[str, str]:
    return {
        **_extract_facts(result.extract),
        **_transform_facts(result.transform),
        **_load_facts(result.load),
        "check": f"{len(result.check.outcomes)} checks hold on {len(result.check.days)} partitions written and the totals",
        "seconds": ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in result.seconds.items()),
        "report": result.report,
    }


def _print_healed(console: Console, healed: tuple[Damage, ...]) -> None:
    for damage in healed:
        kept = f"; the old one is {damage.kept_as}" if damage.kept_as else ""
        console.print(f"[yellow]healed[/yellow] {escape(damage.file)}: {escape(damage.problem)}{escape(kept)}")


def _print_check(console: Console, result: CheckResult) -> None:
    checks = Table(title="Checks", title_justify="left", title_style="bold", box=None, pad_edge=False)
    checks.add_column("")
    checks.add_column("check", no_wrap=True)
    checks.add_column("why it matters, or what is wrong", overflow="fold")
    for outcome in result.outcomes:
        mark = "[green]ok[/green]" if outcome.ok else "[red]FAILED[/red]"
        told = outcome.why if outcome.ok and not outcome.detail else _outcome_line(outcome, with_name=False)
        checks.add_row(mark, outcome.name, escape(told))
    console.print(checks)
    metrics = result.metrics
    if metrics.currencies:
        money = _table("Revenue", "currency", "orders", "lines", "revenue", "average order")
        for c in metrics.currencies:
            money.add_row(
                c.currency or "(none)", f"{c.orders:,}", f"{c.lines:,}", f"{c.revenue:,.2f}", f"{c.average_order_value:,.2f}"
            )
        console.print(money)
        _print_days(console, result)
        products = _table("Top products", "currency", "sku", "product", "qty", "revenue")
        for p in metrics.products:
            products.add_row(p.currency or "(none)", escape(p.sku), escape(p.name or ""), f"{p.qty:,.0f}", f"{p.revenue:,.2f}")
        console.print(products)
        countries = _table("By country", "country", "currency", "orders", "revenue")
        for n in metrics.countries:
            countries.add_row(escape(n.country or "(unknown)"), n.currency or "(none)", f"{n.orders:,}", f"{n.revenue:,.2f}")
        console.print(countries)
    if metrics.amount_differs:
        console.print(f"{metrics.amount_differs:,} orders have an amount that is not the sum of their lines.")
    _print_open(console, result)


def _print_days(console: Console, result: CheckResult) -> None:
    """Orders a day, a bar each: one currency's revenue cannot be added to another's, orders can."""
    orders: dict[str, int] = {}
    for metric in result.metrics.days:
        day = metric.day.isoformat()
        orders[day] = orders.get(day, 0) + metric.orders
    most = max(orders.values(), default=1)
    days = _table("By day" if len(orders) <= _MOST_DAYS else f"By day (the last {_MOST_DAYS})", "day", "orders", "")
    for day, count in list(sorted(orders.items()))[-_MOST_DAYS:]:
        days.add_row(day, f"{count:,}", "█" * max(1, round(_BAR * count / most)))
    console.print(days)


def _print_open(console: Console, result: CheckResult) -> None:
    found = result.open_quarantine
    if found is None or not (found.orders or found.without_id):
        return
    console.print(
        f"[bold]Open quarantine[/bold]  {found.orders:,} rejected orders with no later good version, "
        f"{found.without_id:,} without an id: {escape(_counts(found.by_reason))}"
    )
    for order in found.newest:
        console.print(f"  {escape(order.order_id)}  {escape(order.reason)}  in batch {order.batch}")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    texts = {"currency", "sku", "product", "country", "day", ""}
    for column in columns:
        table.add_column(column, justify="left" if column in texts else "right", header_style="dim")
    return table


def _outcome_line(outcome: CheckOutcome, *, with_name: bool = True) -> str:
    said = f"{outcome.name}: " if with_name else ""
    if outcome.offending:
        said += f"{outcome.offending:,} offending"
    if outcome.samples:
        shown = (", ".join(f"{k}={v}" for k, v in sample.items()) for sample in outcome.samples[:3])
        said += f", the first: {' | '.join(shown)}"
    return f"{said} {outcome.detail}".strip()


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _money(amounts: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{currency or '(no currency)'} {amount:,.2f}" for currency, amount in amounts.items()) or "none"


def _size(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"
