"""Results as tables for people."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby, islice
from typing import TypeVar

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ordersetl.report.bridge import draw_bridge
from ordersetl.report.failures import describe_outcome
from ordersetl.results import (
    BackfillResult,
    CheckOutcome,
    CheckResult,
    Damage,
    ExtractResult,
    LoadResult,
    OpenQuarantine,
    RunResult,
    TransformResult,
    WarehouseResult,
)
from ordersetl.text import format_time, many, printable

__all__ = ["draw"]

_Row = TypeVar("_Row")
_Complete = Callable[[str], str]

_BAR = 24
"""Characters of the longest bar in the table of days."""
_MAX_DAYS = 31
_MAX_PRODUCTS = 3
_MAX_COUNTRIES = 5
_MAX_ROWS = 3
_KIB = 1024
_NUMBERS = {"orders", "lines", "qty", "revenue", "average order"}


def draw(result: object, complete: _Complete = str) -> Iterator[RenderableType]:
    """The tables that show a result, one after the other.

    Args:
        result: of a stage.
        complete: adds the options in use to the commands that a text names.
    """
    for shown in _draw(result, complete):
        yield Text(complete(shown.plain), spans=shown.spans) if isinstance(shown, Text) else shown


def _draw(result: object, complete: _Complete) -> Iterator[RenderableType]:
    match result:
        case ExtractResult() | BackfillResult():
            yield _facts("Extract", _extract_facts(result), complete)
            yield from _draw_gaps(result.gaps)
        case TransformResult():
            yield _facts("Transform", _transform_facts(result), complete)
        case LoadResult():
            yield _facts("Load", _load_facts(result), complete)
            yield from _draw_repaired(result.healed)
        case RunResult():
            yield _facts(f"Run {result.run_id}", _run_facts(result), complete)
            yield from _draw_gaps(result.gaps)
            yield from _draw_repaired(result.load.healed)
            written = many(len(result.check.days), "partition")
            yield from draw_bridge(result.check.metrics.bridge, f"From gross to net sales, of the {written} written")
        case CheckResult():
            yield from _draw_check(result, complete)


def _facts(title: str, facts: Mapping[str, str], complete: _Complete) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(complete(printable(value))))
    return table


def _extract_facts(result: ExtractResult | BackfillResult) -> dict[str, str]:
    since = format_time(result.since) if result.since else "the beginning"
    until = format_time(result.until) if result.until else "now"
    resumed = f", {result.resumed_pages:,} of them kept from an interrupted run" if result.resumed_pages else ""
    retries = f", {many(result.retries, 'retry', 'retries')}" if result.retries else ""
    pages = many(result.pages, "page")
    if isinstance(result, BackfillResult):
        covered = f", {result.windows_covered:,} covered before" if result.windows_covered else ""
        batches = {"windows": f"{len(result.windows):,} fetched{covered}"}
    else:
        batches = {"batch": result.batch}
    return {
        **batches,
        "source": "the built-in sample API" if result.source == "sample" else result.url,
        "window": f"{since} to {until}",
        "fetched": f"{many(result.records, 'record')} in {pages}, {_size(result.bytes)}{resumed}{retries}",
    }


def _transform_facts(result: TransformResult) -> dict[str, str]:
    return {
        "batches": f"{len(result.batches):,} waiting, {len(result.staged_anew):,} staged",
        "received": f"{many(result.received, 'record')}: {result.accepted:,} accepted, {result.rejected:,} rejected, "
        f"{result.outside_window:,} outside the window",
        "rejected orders": _counts(result.rejected_by_reason),
        "lines": f"{result.lines_accepted:,} accepted, {result.lines_rejected:,} rejected"
        + (f", {result.lines_skipped:,} of quantity 0" if result.lines_skipped else "")
        + f"; {many(result.rows, 'row')}",
        "rejected lines": _counts(result.lines_rejected_by_reason),
        **({"of these orders": states} if (states := _order_states(result)) else {}),
        **({"future times": f"{result.future_updated_at:,}, taken as now"} if result.future_updated_at else {}),
        **({"texts cut": f"{result.texts_cut:,} to 255 bytes"} if result.texts_cut else {}),
    }


def _order_states(result: TransformResult) -> str:
    """What became of accepted orders at the source, where anything did."""
    states = ("cancelled", "refunded", "deleted", "emptied")
    return ", ".join(f"{count:,} {state}" for state in states if (count := getattr(result, state)))


def _load_facts(result: LoadResult) -> dict[str, str]:
    orders = result.orders
    return {
        "orders": f"{orders.inserted:,} inserted, {orders.updated:,} updated ({orders.moved:,} moved), "
        f"{orders.unchanged:,} unchanged, {orders.superseded:,} superseded"
        + (f", {orders.removed:,} removed" if orders.removed else "")
        + (f", {orders.absent:,} already absent" if orders.absent else ""),
        "lines removed": f"{orders.lines_removed:,}",
        "partitions": f"{result.partitions_written:,} written, {result.partitions_unchanged:,} left alone, "
        f"{result.partitions_removed:,} removed" + ("; folded from all of raw" if result.rebuilt else ""),
        "dimensions": f"{many(result.users, 'user')}, {many(result.products, 'product')}",
        **({"reference notes": _counts(result.reference_notes)} if result.reference_notes else {}),
        "curated": f"{many(result.orders_total, 'order')}, {many(result.rows, 'row')}",
        "revenue": _money(result.revenue),
        **_warehouse_facts(result.warehouse),
        **({"late batches": ", ".join(result.late)} if result.late else {}),
        **({"recovered": "carried an interrupted commit through"} if result.recovered else {}),
    }


def _warehouse_facts(result: WarehouseResult | None) -> dict[str, str]:
    if result is None:
        return {}
    if not (result.files_loaded or result.files_removed or result.tables_created):
        return {"warehouse": f"{result.url}: nothing to do"}
    done = [f"{many(result.rows, 'row')} of {many(len(result.files_loaded), 'file')} loaded"]
    done += [f"{many(len(result.days), 'day')} replaced"] if result.days else []
    done += [f"{many(len(result.tables_created), 'table')} created"] if result.tables_created else []
    done += [f"{table} has new columns" for table in result.columns_added]
    return {"warehouse": f"{result.url}: {', '.join(done)}"}


def _run_facts(result: RunResult) -> dict[str, str]:
    seconds = {**result.seconds, "together": sum(result.seconds.values())}
    wrote = result.load.written or result.load.dimensions_written
    partitions = many(len(result.check.days), "partition")
    covered = f"{partitions} and the totals" if wrote else "the manifest alone: nothing was written"
    return {
        **_extract_facts(result.extract),
        **_transform_facts(result.transform),
        **_load_facts(result.load),
        **({"refunded": _money(refunded)} if (refunded := result.check.totals.refunded) else {}),
        "check": f"{len(result.check.outcomes)} checks hold, over {covered}",
        **_warehouse_facts(result.warehouse),
        "seconds": ", ".join(f"{stage} {spent:.2f}" for stage, spent in seconds.items()),
        "report": result.report,
    }


def _draw_gaps(gaps: Iterable[tuple[datetime, datetime]]) -> Iterator[RenderableType]:
    for since, until in ((format_time(since), format_time(until)) for since, until in gaps):
        fill = f"ordersetl run --since {since} --until {until}"
        yield Text.assemble(("never fetched ", "yellow"), f"{since} to {until}: {fill}")


def _draw_repaired(repaired: Iterable[Damage]) -> Iterator[RenderableType]:
    for damage in repaired:
        kept = f"; what was there is now {damage.kept_as}" if damage.kept_as else ""
        yield Text.assemble(("repaired ", "yellow"), _text(f"{damage.file}: {damage.problem}{kept}"))


def _draw_check(result: CheckResult, complete: _Complete) -> Iterator[RenderableType]:
    yield _draw_outcomes(result.outcomes, complete)
    metrics = result.metrics
    if metrics.currencies:
        money = _table("Revenue", "currency", "orders", "lines", "revenue", "average order")
        for c in metrics.currencies:
            figures = (f"{c.orders:,}", f"{c.lines:,}", f"{c.revenue:,.2f}", f"{c.average_order_value:,.2f}")
            money.add_row(_name(c.currency, "(none)"), *figures)
        yield money
        yield from draw_bridge(metrics.bridge, "From gross to net sales")
        yield _draw_days(result)
        products = _table("Top products", "currency", "sku", "product", "qty", "revenue")
        for p in _first_of_each(metrics.products, lambda p: p.currency, _MAX_PRODUCTS):
            sold = (f"{p.qty.normalize():,f}", f"{p.revenue:,.2f}")
            products.add_row(_name(p.currency, "(none)"), _text(p.sku), _text(p.name or ""), *sold)
        yield products
        countries = _table("By country", "currency", "country", "orders", "revenue")
        for n in _first_of_each(metrics.countries, lambda n: n.currency, _MAX_COUNTRIES):
            place = _name(n.country, "(unknown)")
            countries.add_row(_name(n.currency, "(none)"), place, f"{n.orders:,}", f"{n.revenue:,.2f}")
        yield countries
    if metrics.amount_differs:
        have = "order has" if metrics.amount_differs == 1 else "orders have"
        yield f"\n{metrics.amount_differs:,} {have} an amount that is not the sum of the lines."
    if metrics.refunded_over_amount:
        yield f"\nOf {many(metrics.refunded_over_amount, 'order')} more was refunded than the amount."
    if result.open_quarantine is not None:
        yield from _draw_open(result.open_quarantine)


def _draw_outcomes(outcomes: Iterable[CheckOutcome], complete: _Complete) -> Table:
    """A row a check: why it matters, cut to one line; of one that failed, all there is to know."""
    table = Table(title="Checks", title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for outcome in outcomes:
        if outcome.ok:
            why = Text(printable(outcome.why), style="dim", no_wrap=True, overflow="ellipsis")
            table.add_row(Text("ok", style="green"), _text(outcome.name), why)
        else:
            found = complete(printable(f"{describe_outcome(outcome, most=_MAX_ROWS)}. {outcome.why}"))
            table.add_row(Text("FAILED", style="bold red"), _text(outcome.name), Text(found))
    return table


def _draw_days(result: CheckResult) -> Table:
    """Orders a day, a bar each: one currency's revenue cannot be added to another's, orders can."""
    orders: dict[date, int] = {}
    for metric in result.metrics.days:
        orders[metric.day] = orders.get(metric.day, 0) + metric.orders
    shown = sorted(orders.items())[-_MAX_DAYS:]
    most = max(count for _, count in shown)
    days = _table("By day" + (f" (the last {_MAX_DAYS})" if len(orders) > _MAX_DAYS else ""), "day", "orders", "")
    for day, count in shown:
        days.add_row(day.isoformat(), f"{count:,}", "█" * max(1, round(_BAR * count / most)))
    return days


def _draw_open(found: OpenQuarantine) -> Iterator[RenderableType]:
    if not (found.orders or found.without_id):
        return
    yield Text.assemble(
        ("\nOpen quarantine: ", "bold"),
        f"{many(found.orders, 'rejected order')} with no later good version, {found.without_id:,} without an id\n",
        _text(_counts(found.by_reason)),
    )
    newest = _table("", "order", "reason", "batch")
    for order in found.newest:
        newest.add_row(*map(_text, (order.order_id, order.reason, order.batch)))
    yield newest


def _table(title: str, *columns: str) -> Table:
    above = f"\n{title}" if title else None
    table = Table(title=above, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in _NUMBERS else "left", header_style="dim")
    return table


def _first_of_each(rows: Iterable[_Row], key: Callable[[_Row], str], most: int) -> Iterator[_Row]:
    """The first rows of each group; rows of a group are neighbours."""
    for _, group in groupby(rows, key):
        yield from islice(group, most)


def _text(text: str) -> Text:
    """Text as it is: no markup is read from it."""
    return Text(printable(text))


def _name(name: str, absent: str) -> Text:
    return _text(name or absent)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _money(amounts: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{currency or '(no currency)'} {amount:,.2f}" for currency, amount in amounts.items()) or "none"


def _size(count: float) -> str:
    if count < _KIB:
        return many(round(count), "byte")
    for unit in ("KiB", "MiB"):
        count /= _KIB
        if count < _KIB:
            return f"{count:,.1f} {unit}"
    return f"{count / _KIB:,.1f} GiB"
