"""The result of a run as tables: first whether all is well, what came and what it sold, then what needs a look."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from ordersetl.report.bridge import draw_bridge
from ordersetl.report.stages import (
    draw_gaps,
    draw_repaired,
    extract_facts,
    load_facts,
    transform_facts,
    warehouse_facts,
)
from ordersetl.report.tables import Complete, Hanging, draw_facts, format_size, list_money, list_most
from ordersetl.report.unexplained import find_unexplained
from ordersetl.results import BackfillResult, BridgeMetric, RunResult, TransformResult
from ordersetl.text import format_time, many, printable

__all__ = ["draw_run"]


def draw_run(result: RunResult, complete: Complete, *, verbose: bool) -> Iterator[RenderableType]:
    """One line where nothing new came; else what came, what it sold, and what needs a look; all else if ``verbose``."""
    notes = list(_list_notes(result))
    more = [*draw_gaps(result.gaps), *draw_repaired(result.load.healed)]
    count = sum(not note.startswith(" ") for note in notes) + len(more)
    if verbose:
        yield draw_facts(f"Run {result.run_id}", _all_facts(result), complete)
    elif result.is_quiet:
        yield Text(f"Nothing new{_until(result)}; {many(result.load.orders_total, 'order')}, as before")
    else:
        state = f"done, and {many(count, 'thing needs', 'things need')} a look" if count else "done, all is well"
        yield draw_facts(f"Run {result.run_id}: {state}", _main_facts(result), complete)
    if verbose or not result.is_quiet:
        yield from draw_bridge(result.check.metrics.bridge, _title_bridge(result))
    if notes or more:
        yield Text("\nNeeds a look", style="bold yellow")
    for note in notes:
        yield Hanging(Text(complete(printable(note))), indent=4 if note.startswith(" ") else 2)
    yield from more


def _main_facts(result: RunResult) -> dict[str, str]:
    orders, loaded = result.load.orders, result.load
    changes = {
        "new": orders.inserted,
        "changed": orders.updated,
        "left": orders.removed,
        "as they were": orders.unchanged,
    }
    told = ", ".join(f"{count:,} {what}" for what, count in changes.items() if count) or "none changed"
    fetched = result.extract
    is_first = set(loaded.batches) == set(fetched.batches)
    is_rebuilt = loaded.rebuilt and not is_first  # then all of them are new to it
    return {
        "came": f"{many(fetched.records, 'record')} in {many(fetched.pages, 'page')}, {format_size(fetched.bytes)}",
        "orders": "everything was folded again" if is_rebuilt else told,
        "now": f"{many(loaded.orders_total, 'order')} in {many(result.check.totals.partitions, 'partition')}, "
        f"{many(loaded.rows, 'row')}{',' if (until := _until(result)) else ''}{until}",
        "checked": _covered(result),
        **warehouse_facts(result.warehouse),
    }


def _all_facts(result: RunResult) -> dict[str, str]:
    seconds = {**result.seconds, "together": sum(result.seconds.values())}
    return {
        **extract_facts(result.extract),
        **transform_facts(result.transform),
        **load_facts(result.load),
        **({"refunded": list_money(refunded)} if (refunded := result.check.totals.refunded) else {}),
        "checked": _covered(result),
        **warehouse_facts(result.warehouse),
        "seconds": ", ".join(f"{stage} {spent:.2f}" for stage, spent in seconds.items()),
        "report": result.report,
    }


def _covered(result: RunResult) -> str:
    passed = f"{many(len(result.check.outcomes), 'check')} passed"
    if result.check.scope == "all":
        return f"{passed}, on all partitions"
    if not (result.load.written or result.load.dimensions_written):
        return f"{passed}; nothing was written, so the manifest alone"
    return f"{passed}, on {many(len(result.check.days), 'partition')} and the totals"


def _title_bridge(result: RunResult) -> str:
    days = len(result.check.days)
    if result.check.scope == "all":
        return "From gross to net sales, of all that there is"
    return f"From gross to net sales, of {'the day' if days == 1 else f'all {days:,} days'} that this run wrote"


def _until(result: RunResult) -> str:
    """Up to which time of the source it is; empty where a window of one's own ended before, or nobody knows."""
    if isinstance(result.extract, BackfillResult) or result.extract.until or result.extract.window_end is None:
        return ""
    return f" up to {format_time(result.extract.window_end.replace(microsecond=0))}"


def _list_notes(result: RunResult) -> Iterator[str]:
    """What somebody should look at, a line each; what goes with a line is indented below it."""
    yield from _note_rejects(result.transform)
    yield from _note_oddities(result.transform)
    yield from (f"reference files: {note.replace('_', ' ')} {n:,}" for note, n in result.load.reference_notes.items())
    yield from (f"the source changed: {change}" for change in result.load.source_changes)
    yield from filter(None, map(_note_other, result.check.metrics.bridge))
    yield from (f"{warned.name}: {warned.detail}" for warned in result.check.outcomes if warned.warning)
    if result.load.late:
        yield f"{many(len(result.load.late), 'batch', 'batches')} came late, and were folded in their place"
    if result.load.recovered:
        yield "an interrupted commit was carried through"
    yield from result.warnings


def _note_rejects(read: TransformResult) -> Iterator[str]:
    if read.rejected:
        yield f"{many(read.rejected, 'order')} rejected: {list_most(read.rejected_by_reason)}"
    if read.lines_rejected:
        yield f"{many(read.lines_rejected, 'line')} rejected: {list_most(read.lines_rejected_by_reason)}"
    if read.rejected or read.lines_rejected:
        yield "  to see them: ordersetl status --quarantine"


def _note_oddities(read: TransformResult) -> Iterator[str]:
    if read.outside_window:
        yield f"{many(read.outside_window, 'record')} outside of the window that was asked for"
    if read.future_updated_at:
        yield f"{many(read.future_updated_at, 'time')} in the future, taken as now"
    if read.texts_cut:
        yield f"{many(read.texts_cut, 'text')} cut to 255 bytes"


def _note_other(bridge: BridgeMetric) -> str | None:
    share = find_unexplained(bridge)
    if share is None:
        return None
    return f"{bridge.currency or '(none)'}: {share:.1%} of the amount is in no line, discount, tax or shipping"
