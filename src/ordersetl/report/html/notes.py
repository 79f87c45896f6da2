"""What is no failure, and yet for somebody to look at."""

from collections.abc import Iterator

import msgspec

from ordersetl.report.html.state import RawState
from ordersetl.report.html.words import format_moment
from ordersetl.report.unexplained import find_unexplained
from ordersetl.results import CheckResult
from ordersetl.text import format_time, many

__all__ = ["Note", "list_notes"]

_MAX_GAPS = 3
_MAX_SUMS = 6


class Note(msgspec.Struct, frozen=True):
    """A sentence, with commands to paste in it; ``link`` is the id of the section that says more, "" for none."""

    text: str
    link: str = ""
    link_text: str = ""


def list_notes(check: CheckResult, state: RawState) -> list[Note]:
    """What to look at, the most pressing first."""
    return [*_note_raw(state), *_note_orders(check)]


def _note_raw(state: RawState) -> Iterator[Note]:
    if state.problem:
        yield Note(state.problem)
    for since, until in state.gaps[:_MAX_GAPS]:
        fill = f"ordersetl run --since {format_time(since)} --until {format_time(until)}"
        yield Note(f"Never fetched, {format_moment(since)} to {format_moment(until)}: {fill}")
    if len(state.gaps) > _MAX_GAPS:
        yield Note(f"{len(state.gaps) - _MAX_GAPS:,} more gaps were never fetched.", "raw", "All windows")
    if state.waiting:
        yield Note(f"{many(state.waiting, 'batch', 'batches')} not loaded yet: ordersetl load")


def _note_orders(check: CheckResult) -> Iterator[Note]:
    found = check.open_quarantine
    if found is not None and (found.orders or found.without_id):
        unnamed = f", and {many(found.without_id, 'record')} without an id" if found.without_id else ""
        rejected = many(found.orders, "rejected order")
        yield Note(f"{rejected} without a later good version{unnamed}.", "rejects", "By reason")
    if shares := [(b.currency, share) for b in check.metrics.bridge if (share := find_unexplained(b)) is not None]:
        listed = [f"{currency or 'none'} {share:.1%}" for currency, share in shares[:_MAX_SUMS]]
        shown = ", ".join([*listed, *(["..."] if len(shares) > _MAX_SUMS else [])])
        yield Note(f"Of the amount, this is in no line, discount, tax or shipping: {shown}")
    if over := check.metrics.refunded_over_amount:
        yield Note(f"Of {many(over, 'order')} more was refunded than the amount.")
