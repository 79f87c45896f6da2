"""How an output is, its quarantine, and the life of one order as tables."""

import shlex
from collections.abc import Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from ordersetl.report.currencies import count_digits
from ordersetl.report.stages import draw_gaps
from ordersetl.report.tables import (
    Complete,
    Hanging,
    align_money,
    draw_facts,
    format_size,
    list_most,
    new_table,
    plain_text,
)
from ordersetl.results import (
    OpenQuarantine,
    OrderResult,
    OrderVersion,
    OriginCoverage,
    QuarantineResult,
    RunningCommand,
    StatusResult,
)
from ordersetl.text import format_span, format_time, many, printable

__all__ = ["draw_order", "draw_quarantine", "draw_status"]

_MAX_SHOWN = 20
"""Rejects that are listed; ``--json`` has more."""
_MAX_INTERVALS = 5
_PLAIN = {"current": "green", "waiting": "yellow", "left": "yellow"}


def draw_status(result: StatusResult, complete: Complete) -> Iterator[RenderableType]:
    """What matters first: is it new enough, is something under way, did the last command fail; then the rest."""
    yield draw_facts(f"Status of {result.output}", _status_facts(result), complete)
    if result.coverage is not None:
        yield from draw_gaps(result.coverage.gaps, origin=_name_origin(result.coverage))
    for problem in result.problems:
        yield Text.assemble(("problem ", "bold red"), plain_text(problem))


def _name_origin(coverage: OriginCoverage) -> str:
    """The options that name where orders come from, as ``status`` itself has none; of a description its user knows."""
    match coverage.source:
        case "generic":
            return f" --api-url {shlex.quote(coverage.url)}"
        case "sample":
            return " --source sample"
    return ""


def _status_facts(result: StatusResult) -> dict[str, str | list[str]]:
    waiting, unfinished = len(result.batches.waiting), len(result.batches.unfinished)
    waits = f"; {waiting:,} of them not loaded yet: ordersetl load" if waiting else ""
    left = f"; {many(unfinished, 'extraction')} did not end" if unfinished else ""
    quiet = result.quiet_runs
    return {
        "data as of": _ago(result, result.as_of) + (", too old" if result.too_old else ""),
        **({"under way": _running(result, result.running)} if result.running else {}),
        **({"last failure": _failure(result)} if result.last_failure else {}),
        **({"newest change": _ago(result, result.coverage.newest)} if result.coverage else {}),
        "ended well": [f"{stage:<9} {_since(result, at)} ago" for stage, at in result.succeeded.items()]
        or "nobody knows",
        **({"covered": covered} if (covered := _covered(result)) else {}),
        "batches": f"{result.batches.committed:,}{waits}{left}",
        **({"nothing new": f"in {many(quiet, 'extraction')} since the newest batch"} if quiet else {}),
        "orders": f"{result.orders:,} in {many(result.partitions, 'partition')}, {many(result.rows, 'row')}",
        "revenue": align_money(result.revenue),
        "open rejects": _rejects(result.quarantine),
        "on disk": _sizes(result),
    }


def _rejects(found: OpenQuarantine) -> list[str]:
    if not found.by_reason:
        return ["none"]
    rejects = f"{many(found.orders, 'order')}, {many(found.without_id, 'record')} without an id"
    return [rejects, list_most(found.by_reason), "to see them: ordersetl status --quarantine"]


def _sizes(result: StatusResult) -> list[str]:
    sizes = {place: size.bytes for place, size in result.sizes.items() if size.files}
    shown = {place: format_size(size) for place, size in {**sizes, "together": sum(sizes.values())}.items()}
    widest = max(map(len, shown.values()))
    return [f"{place:<10} {size:>{widest}}" for place, size in shown.items()]


def _running(result: StatusResult, running: RunningCommand) -> str:
    command, place = running.command or "a command", f"process {running.pid} on {running.host}"
    stage = f", in {running.stage} for {_since(result, running.stage_since)}" if running.stage_since else ""
    unknown = "" if running.certain else "; whether it still runs can be told on that machine alone"
    return f"{command} for {_since(result, running.since)}{stage} ({place}{unknown})"


def _failure(result: StatusResult) -> str:
    failed = result.last_failure
    if failed is None:
        return ""
    stage = f" in {failed.stage}" if failed.stage and failed.stage != failed.command else ""
    return f"{failed.command}{stage}, {_since(result, failed.at)} ago: {failed.message}"


def _covered(result: StatusResult) -> list[str]:
    intervals = result.coverage.intervals if result.coverage else ()
    shown = [f"{_second(since) if since else 'the beginning'} to {_second(end)}" for since, end in intervals]
    more = [f"{many(len(shown) - _MAX_INTERVALS, 'older span')}"] if len(shown) > _MAX_INTERVALS else []
    return more + shown[-_MAX_INTERVALS:]


def _second(time: datetime) -> str:
    return format_time(time.replace(microsecond=0))


def _ago(result: StatusResult, time: datetime | None) -> str:
    if time is None:
        return "nothing yet"
    return f"{_second(time)}, {_since(result, time)} ago"


def _since(result: StatusResult, time: datetime | None) -> str:
    return "" if time is None else format_span(max(0.0, (result.at - time).total_seconds()))


def draw_quarantine(result: QuarantineResult) -> Iterator[RenderableType]:
    """What is open by reason, then the newest records: why, and where each is in raw."""
    found = result.open
    without = f", and {many(found.without_id, 'record')} without an id" if found.without_id else ""
    yield Text(f"Open quarantine: {many(found.orders, 'rejected order')}{without}", style="bold")
    reasons = new_table("", "reason", "orders", "lines")
    for reason in sorted(found.by_reason | result.lines):
        counts = (f"{n:,}" if n else "" for n in (found.by_reason.get(reason, 0), result.lines.get(reason, 0)))
        reasons.add_row(reason, *counts)
    yield reasons
    if result.reason is not None or result.order_id is not None:
        yield plain_text(f"{many(result.selected, 'record')} selected")
    for record in result.records[:_MAX_SHOWN]:
        line = "" if record.line is None else f" line {record.line}"
        name = (printable(record.order_id or "(no id)"), "bold")
        found_there = f"  {printable(record.detail)}"
        yield ""
        yield Hanging(Text.assemble(name, f"{printable(line)}  ", (record.reason, "yellow"), found_there))
        yield Text(f"  record {record.index} of {record.page}", style="dim")
    if result.selected > len(result.records[:_MAX_SHOWN]):
        more = result.selected - len(result.records[:_MAX_SHOWN])
        yield f"\n{more:,} more; narrow them with --reason or --order, or take --json"


def draw_order(result: OrderResult, complete: Complete) -> Iterator[RenderableType]:
    """The answer first; then what curated has of the order, and each version as it came."""
    answer = complete(printable(result.answer))
    yield Text(answer[:1].upper() + answer[1:], style=_PLAIN.get(result.state, "red"))
    if result.rows:
        sold = new_table(
            f"Rows ({printable(result.currency or 'no currency')})", "sku", "product", "qty", "net", "refunded"
        )
        for row in result.rows:
            digits = count_digits(result.currency or "")
            money = (f"{amount:,.{digits}f}" for amount in (row.net_amount, row.refunded_amount))
            sold.add_row(plain_text(row.sku), plain_text(row.product_name or ""), f"{row.qty.normalize():,f}", *money)
        yield sold
    if result.refunds:
        refunds = new_table("Refunds", "refund", "sku", "at", "amount")
        for refund in result.refunds:
            at = format_time(refund.refunded_at)
            amount = f"{refund.refund_amount:,.{count_digits(result.currency or '')}f}"
            refunds.add_row(plain_text(refund.refund_id), plain_text(refund.sku or ""), at, amount)
        yield refunds
    if result.versions:
        yield Text(f"\n{many(len(result.versions), 'version')} received, oldest first", style="bold")
    for version in result.versions:
        yield from _draw_version(version)


def _draw_version(version: OrderVersion) -> Iterator[RenderableType]:
    updated = format_time(version.updated_at) if version.updated_at else "no readable time"
    currency = version.currency or ""
    amount = "" if version.amount is None else f"  {version.amount:,.{count_digits(currency)}f} {currency}"
    status = f"  {version.status}" if version.status else ""
    lines = f"  {many(version.lines_rejected, 'line')} rejected" if version.lines_rejected else ""
    yield Text.assemble(
        (f"{version.result.replace('_', ' '):<14}", _PLAIN.get(version.result, "")),
        printable(f"  updated {updated}{amount}{status}{lines}"),
    )
    if version.reason:
        yield Hanging(plain_text(f"  {version.reason}: {version.detail}"), indent=4)
    received = _second(version.received_at)
    yield Text(f"  received {received}", style="dim")
    yield Text(f"  record {version.index} of {version.page}", style="dim")
