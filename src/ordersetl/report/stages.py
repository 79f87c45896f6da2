"""Results of extract, transform and load as tables."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from ordersetl.report.tables import Hanging, format_size, list_counts, list_money, plain_text
from ordersetl.results import BackfillResult, Damage, ExtractResult, LoadResult, TransformResult, WarehouseResult
from ordersetl.text import format_time, many

__all__ = ["draw_gaps", "draw_repaired", "extract_facts", "load_facts", "transform_facts"]


def extract_facts(result: ExtractResult | BackfillResult) -> dict[str, str]:
    """What was fetched, from where, and of which window."""
    since = format_time(result.since) if result.since else "the beginning"
    until = format_time(result.until) if result.until else "now"
    resumed = f", {result.resumed_pages:,} of them kept from an interrupted run" if result.resumed_pages else ""
    retries = f", {many(result.retries, 'retry', 'retries')}" if result.retries else ""
    pages = many(result.pages, "page")
    if isinstance(result, BackfillResult):
        covered = f", {result.windows_covered:,} covered before" if result.windows_covered else ""
        batches = {"windows": f"{len(result.windows):,} fetched{covered}"}
    else:
        batches = {"batch": result.batch or "none kept: nothing new came"}
    return {
        **batches,
        "source": "the built-in sample API" if result.source == "sample" else result.url,
        "window": f"{since} to {until}",
        "fetched": f"{many(result.records, 'record')} in {pages}, {format_size(result.bytes)}{resumed}{retries}",
    }


def transform_facts(result: TransformResult) -> dict[str, str]:
    """What became of the records that wait."""
    return {
        "batches": f"{len(result.batches):,} to load, {len(result.staged_anew):,} of them validated now",
        "received": f"{many(result.received, 'record')}: {result.accepted:,} accepted, {result.rejected:,} rejected, "
        f"{result.outside_window:,} outside the window"
        + (f"; skipped {skipped}" if (skipped := _list_skipped(result)) else ""),
        "rejected orders": list_counts(result.rejected_by_reason),
        "lines": f"{result.lines_accepted:,} accepted, {result.lines_rejected:,} rejected"
        + (f", {result.lines_skipped:,} of quantity 0" if result.lines_skipped else "")
        + f"; {many(result.rows, 'row')} of one order and product",
        "rejected lines": list_counts(result.lines_rejected_by_reason),
        **({"of these orders": states} if (states := _order_states(result)) else {}),
        **({"future times": f"{result.future_updated_at:,}, taken as now"} if result.future_updated_at else {}),
        **({"texts cut": f"{result.texts_cut:,} to 255 bytes"} if result.texts_cut else {}),
    }


def _list_skipped(result: TransformResult) -> str:
    """Records that are no orders, by what they are: ``3 drafts, 1 returns``."""
    return ", ".join(f"{count:,} {name}" for name, count in result.skipped_by_reason.items())


def _order_states(result: TransformResult) -> str:
    """What became of accepted orders at the source, where anything did."""
    states = ("cancelled", "refunded", "deleted", "emptied")
    return ", ".join(f"{count:,} {state}" for state in states if (count := getattr(result, state)))


def load_facts(result: LoadResult) -> dict[str, str]:
    """What became of the orders, the partitions and the dimensions."""
    orders = result.orders
    return {
        "orders": f"{orders.inserted:,} inserted, {orders.updated:,} updated ({orders.moved:,} moved), "
        f"{orders.unchanged:,} unchanged, {orders.superseded:,} replaced by a newer version"
        + (f", {orders.removed:,} removed" if orders.removed else "")
        + (f", {orders.absent:,} already absent" if orders.absent else ""),
        "lines removed": f"{orders.lines_removed:,}",
        "partitions": f"{result.partitions_written:,} written, {result.partitions_unchanged:,} left alone, "
        f"{result.partitions_removed:,} removed" + ("; everything was folded again" if result.rebuilt else ""),
        "dimensions": f"{many(result.users, 'user')}, {many(result.products, 'product')}",
        **({"reference notes": list_counts(result.reference_notes)} if result.reference_notes else {}),
        "curated": f"{many(result.orders_total, 'order')}, {many(result.rows, 'row')}",
        "revenue": list_money(result.revenue),
        **warehouse_facts(result.warehouse),
        **({"late batches": ", ".join(result.late)} if result.late else {}),
        **({"recovered": "carried an interrupted commit through"} if result.recovered else {}),
    }


def warehouse_facts(result: WarehouseResult | None) -> dict[str, str]:
    """What was brought to the warehouse; nothing where none is set."""
    if result is None:
        return {}
    done = [f"{many(result.rows, 'row')} of {many(len(result.files_loaded), 'file')} loaded"]
    done += [f"{many(len(result.days), 'day')} replaced"] if result.days else []
    done += [f"{many(len(result.tables_created), 'table')} created"] if result.tables_created else []
    done += [f"{table} has new columns" for table in result.columns_added]
    return {"warehouse": f"{result.url}: {'nothing to do' if result.is_quiet else ', '.join(done)}"}


def draw_gaps(gaps: Iterable[tuple[datetime, datetime]], *, origin: str = "") -> Iterator[RenderableType]:
    """A line a span of time that nobody ever asked for, with the command that fills it; ``origin`` is its options."""
    for since, until in ((format_time(since), format_time(until)) for since, until in gaps):
        fill = f"ordersetl run{origin} --since {since} --until {until}"
        yield Text.assemble(("never fetched ", "yellow"), f"{since} to {until}:\n  {fill}")


def draw_repaired(repaired: Iterable[Damage]) -> Iterator[RenderableType]:
    """A line a file that was not what it had to be."""
    for damage in repaired:
        kept = f"; what was there is now {damage.kept_as}" if damage.kept_as else ""
        yield Hanging(Text.assemble(("repaired ", "yellow"), plain_text(f"{damage.file}: {damage.problem}{kept}")))
