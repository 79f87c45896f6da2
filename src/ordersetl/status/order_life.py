"""What became of one order: each version that was received, which one counts, where it is, why it is not there."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl

from ordersetl.extract.coverage import Coverage, read_coverage
from ordersetl.lake import raw
from ordersetl.lake.in_force import find_in_force
from ordersetl.lake.layout import Lake, page_number, partition_file
from ordersetl.lake.listing import list_batches
from ordersetl.lake.manifest import Manifest, read_manifest, require_readable
from ordersetl.load.files import CorruptedFileError, read_partition, read_refunds
from ordersetl.results import CurrentRow, OrderResult, OrderVersion, RefundRow
from ordersetl.source.kept_pages import describe_request
from ordersetl.star.values import read_short_text
from ordersetl.status.received import find_versions
from ordersetl.status.rejects import find_days
from ordersetl.text import format_time

__all__ = ["trace_order"]

_LEFT = ("deleted", "emptied")
_STATES = {
    "current": "damaged",
    "deleted": "left",
    "emptied": "left",
    "waiting": "waiting",
    "rejected": "rejected",
    "outside_window": "outside_window",
}
"""State of an order that curated has not by the result of a version, the first of these that there is."""
_WAITS = "; a newer version waits in batch {}, which is not loaded yet: ordersetl load"
_CORRECT = "Correct it at the source: the next run takes it."


def trace_order(lake: Lake, order_id: str, now: datetime, *, lookback: timedelta = timedelta(0)) -> OrderResult:
    """The life of an order, by its id as the source or as curated and the quarantine write it.

    Args:
        lake: the output; nothing in it is changed.
        order_id: of the order; what is longer than the quarantine keeps is cut as there.
        now: the time, aware UTC.
        lookback: of the runs, by which a gap reaches back.

    Raises:
        CorruptedError: the manifest is damaged, or a batch that may have the order, in raw and staged.
        ConfigError: an older version wrote what curated holds.
    """
    manifest = read_manifest(lake) or Manifest()
    require_readable(lake, manifest)
    batches, order_id = list_batches(lake), read_short_text(order_id)[0] or order_id
    versions = _settle(find_versions(lake, batches, order_id, manifest.settings), set(manifest.batches))
    found = _find_rows(lake, manifest, order_id)
    if found is None:
        state, counts = _find_state(versions)
        answer = _explain(state, counts, versions) if counts else _explain_unknown(lake, batches, now, lookback)
        return OrderResult(order_id, state, f"order {order_id} {answer}", versions)
    day, rows = found
    return OrderResult(
        order_id=order_id,
        state="current",
        answer=f"order {order_id} is in curated/{partition_file(day)}{_explain_newer(versions)}.",
        versions=versions,
        partition=partition_file(day),
        currency=rows["currency"][0],
        rows=tuple(
            CurrentRow(*row)
            for row in rows.select("sku", "product_name", "qty", "net_amount", "refunded_amount").iter_rows()
        ),
        refunds=tuple(_find_refunds(lake, manifest, day, order_id)),
    )


def _settle(versions: Iterable[OrderVersion], applied: set[str]) -> tuple[OrderVersion, ...]:
    """The versions with their results, oldest first: which of the accepted ones counts, and which wait."""
    found = sorted(versions, key=_place)
    taken = [version for version in found if version.result in {"accepted", *_LEFT} and version.batch in applied]
    best = max(taken, key=_rank, default=None)
    settled = []
    for version in found:
        result = version.result
        if result in {"accepted", *_LEFT}:
            if version.batch not in applied:
                result = "waiting"
            elif version is not best:
                result = "superseded"
            elif result == "accepted":
                result = "current"
        settled.append(replace(version, result=result))
    return tuple(settled)


def _place(version: OrderVersion) -> tuple[str, int, int]:
    return version.batch, page_number(version.page), version.index


def _rank(version: OrderVersion) -> tuple[datetime, str, int, int]:
    """What the newest version of an order has most of; one without a readable time is as new as its batch."""
    return version.updated_at or version.received_at, *_place(version)


def _is_newer(version: OrderVersion, current: OrderVersion) -> bool:
    """Whether it would win; without a readable time, whether it came later."""
    return _place(version) > _place(current) if version.updated_at is None else _rank(version) > _rank(current)


def _find_rows(lake: Lake, manifest: Manifest, order_id: str) -> tuple[date, pl.DataFrame] | None:
    """The day of the partition that has the order, and its rows there."""
    for day in find_days(lake, manifest, [order_id]):
        with suppress(CorruptedFileError):
            rows = read_partition(lake, day, manifest.partitions[day]).filter(pl.col("order_id") == order_id)
            if rows.height:
                return day, rows
    return None


def _find_refunds(lake: Lake, manifest: Manifest, day: date, order_id: str) -> Iterator[RefundRow]:
    if day in manifest.refunds:
        with suppress(CorruptedFileError):
            rows = read_refunds(lake, day, manifest.refunds[day]).filter(pl.col("order_id") == order_id)
            for refund_id, sku, at, amount in rows.select(
                "refund_id", "sku", "refunded_at", "refund_amount"
            ).iter_rows():
                yield RefundRow(refund_id, sku, at.replace(tzinfo=UTC), amount)


def _find_state(versions: Sequence[OrderVersion]) -> tuple[str, OrderVersion | None]:
    """The state of an order that curated has not, and the version that makes it so."""
    by_result = {version.result: version for version in versions}  # the last of each
    for result, state in _STATES.items():
        if result in by_result:
            return state, by_result[result]
    return "unknown", None


def _explain(state: str, version: OrderVersion, versions: Sequence[OrderVersion]) -> str:
    match state:
        case "left":
            return _explain_left(version, _find_newer(versions, version))
        case "waiting":
            return f"is in batch {version.batch}, which is not loaded yet: ordersetl load"
        case "rejected":
            return f"is not in curated, since it was rejected: {_why(version)}. {_CORRECT}"
        case "outside_window":
            return "was received, but lies outside of the window that was asked for. To take it: ordersetl run --full"
    return "was accepted, and curated has it not: ordersetl load --verify"


def _explain_left(left: OrderVersion, newer: OrderVersion | None) -> str:
    how = "the source says that it is deleted" if left.result == "deleted" else "it has no line and no amount left"
    if newer is None:
        then = ". A later version with lines brings it back."
    elif newer.result == "waiting":
        then = _WAITS.format(newer.batch)
    else:
        then = f"; a newer version was rejected: {_why(newer)}. {_CORRECT}"
    return f"has left curated with batch {left.batch}: {how}{then}"


def _explain_newer(versions: Sequence[OrderVersion]) -> str:
    """What is to be known of a version that is newer than the one that curated has."""
    current = next((version for version in versions if version.result == "current"), None)
    newer = None if current is None else _find_newer(versions, current)
    if newer is None:
        return ""
    if newer.result == "waiting":
        return _WAITS.format(newer.batch)
    return f", in an older version: the newest was rejected ({_why(newer)})"


def _find_newer(versions: Sequence[OrderVersion], counting: OrderVersion) -> OrderVersion | None:
    """The newest version that does not count, as it waits or was rejected, where it is newer than the one that does."""
    others = [version for version in versions if version.result in {"rejected", "waiting"}]
    return max((version for version in others if _is_newer(version, counting)), key=_rank, default=None)


def _why(version: OrderVersion) -> str:
    return f"{version.reason}: {version.detail}" if version.detail else version.reason


def _explain_unknown(lake: Lake, batches: Sequence[str], now: datetime, lookback: timedelta) -> str:
    """What was never asked for, where the order may be."""
    coverage = _read_coverage(lake, batches, now, lookback)
    if not coverage.intervals:
        return "was never received: nothing was fetched yet. To begin: ordersetl run"
    places = [f"between {format_time(since)} and {format_time(until)}" for since, until in coverage.gaps]
    if (first := coverage.intervals[0][0]) is not None:
        places.insert(0, f"before {format_time(first)}")
    skipped = _name_skipped(lake, batches)
    asked = f"was never received in what was asked for, up to {format_time(coverage.intervals[-1][1])}{skipped}"
    if not places:
        return f"{asked}. If the shop has it all the same, fetch all again: ordersetl run --full"
    return f"{asked}. Never asked for was what changed {' or '.join(places)}. To fetch all: ordersetl run --full"


def _name_skipped(lake: Lake, batches: Sequence[str]) -> str:
    """Records that the newest batch's mapping leaves out, of which nobody looks whether one is of the order."""
    description = describe_request(lake, raw.read_marker(lake, batches[-1]).request, find_in_force(lake))
    skips = description.mapping.skip if description is not None and description.mapping is not None else ()
    return f", unless as one of what is no order ({', '.join(skip.name for skip in skips)})" if skips else ""


def _read_coverage(lake: Lake, batches: Sequence[str], now: datetime, lookback: timedelta) -> Coverage:
    if not batches:
        return Coverage()
    request = raw.read_marker(lake, batches[-1]).request
    return read_coverage(lake, batches, request, now=now, lookback=lookback)
