"""Whether a source still sends the fields that it always sent: what it sends now, compared with all before."""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from ordersetl.lake.field_counts import Drift, FieldCount, FieldCounts, FieldHistory, Pending, add_counts
from ordersetl.text import many

__all__ = ["advance_history", "fold_history"]

_ENOUGH = 100
"""Records that a field must have been in, all of them, before anybody relies on it."""
_ENOUGH_NEW = 10
"""Sampled records that a field that is not used must be in, all of them, to be told of as new."""
_ENOUGH_LACKING = 3
"""Records in a row that lack a field which all had before, until it counts as gone: one guest is not a change."""
_ENOUGH_AFTER_SOME = 20
"""The same, where some lacked it before: it may be a field that a record may lack, after all."""
_ONE_IN = 10
"""Of at least a hundred records after the first that lacked a field no more than this lack it: few do."""
_ENOUGH_OF_FEW = 100
"""As above, of a field that few records lack: a row of guests is no change, and a renamed field is."""
_MAX_OTHERS = 400


def fold_history(batches: Iterable[FieldCounts]) -> FieldHistory:
    """The history of batches that are all folded again: whatever changed among them is taken as it is."""
    history = FieldHistory()
    for counts in batches:
        history = advance_history(history, counts, "", drift="ignore")[0]
    return history


def advance_history(
    history: FieldHistory, counts: FieldCounts, batch: str, *, drift: Literal["fail", "warn", "ignore"]
) -> tuple[FieldHistory, list[str]]:
    """The history with more batches, and what is to be told of it once.

    A used field that was in every record so far, of at least a hundred, drifts where none of the newest records has it,
    at least three in a row, or where one has it with a type that it never had; not where some lacked it and most of
    those that came then have it: it was in every record no more. With ``fail`` it stays as a drift until
    half of the new ones have it as it was; else what it is now counts from now on, also of one that drifted before.

    Args:
        history: so far.
        counts: of the new batches.
        batch: the newest of them.
        drift: the setting.
    """
    open_drift = {found.field: found for found in history.drift}
    used: dict[str, FieldCount] = {}
    pending: dict[str, Pending] = dict(history.pending)
    notes: list[str] = []
    known = dict(history.used)
    if drift != "fail":
        notes += [f"the field {path}, which the mapping uses, {found.problem}" for path, found in open_drift.items()]
        known = {path: count for path, count in known.items() if path not in open_drift}
        open_drift = {}
    for path, new in counts.used.items():
        before, held = known.get(path, FieldCount()), pending.pop(path, Pending())
        problem = _find_problem(before, held, new)
        still_held = _hold(held, new) if problem is None and _was_always_there(before) else None
        if path in open_drift and (problem is not None or 2 * new.seen < new.of or not new.of):
            used[path] = before
        elif problem is not None and drift == "fail":
            open_drift[path], used[path] = Drift(path, problem, batch), before
        elif problem is not None:
            notes.append(f"the field {path}, which the mapping uses, {problem}")
            used[path] = new
        else:
            is_closed = open_drift.pop(path, None) is not None
            if still_held is None or is_closed:
                used[path] = before + held.counts + new
            else:
                used[path], pending[path] = before, still_held
            if _was_always_there(before) and not held.some.of and (still_held is None or still_held.some.of):
                notes += _describe_lacking(path, held.counts + new)
    kept = {path: count for path, count in known.items() if path not in used}
    others = _advance_others(history, counts)
    if drift != "ignore":
        notes += _describe_others(history, counts)
    opened = tuple(open_drift[path] for path in sorted(open_drift))
    told = notes if drift != "ignore" else []
    return FieldHistory(kept | used, history.sampled + counts.sampled, others, opened, pending), told


def _find_problem(before: FieldCount, held: Pending, new: FieldCount) -> str | None:
    """How a field differs from what it always was; None where it does not, or nobody could rely on it."""
    if not _was_always_there(before):
        return None
    strange = {name: count for name, count in new.types.items() if name not in before.types}
    if strange:
        kind = " or ".join(before.types)
        found = ", ".join(f"{name} in {count:,}" for name, count in strange.items())
        told, since = _describe_since(held.counts, new.of)
        return f"changed its type: it was {kind} in all of {before.of:,} before{told}, and is {found} of {since}"
    row = held.row + new.of
    if new.of and not new.seen and row >= _least_row(held):
        told, since = _describe_since(held.mixed, row)
        return f"vanished: it was in all of {before.of:,} before{told}, and is in none of {since}"
    return None


def _describe_since(mixed: FieldCount, newest: int) -> tuple[str, str]:
    """Words for the records between those that all had a field and the newest ones, and for these."""
    if not mixed.of:
        return "", f"{newest:,} since"
    seen = f"{mixed.seen:,}" if mixed.seen else "none"
    return f", in {seen} of {mixed.of:,} since", f"the newest {newest:,}"


def _least_row(held: Pending) -> int:
    """How many records in a row must lack a field that all had before, until it counts as gone.

    The records among which the first was that lacked it say nothing of whether it is one that a record may lack: a
    field may have vanished from the last of them on. Where lookback brings old records beside new ones that all lack
    it, ever fewer have it, half of them on the way to none.
    """
    later = held.between + held.some
    if held.first.of and later.of >= _ENOUGH and later.lacking * _ONE_IN <= later.of:
        return _ENOUGH_OF_FEW
    return _ENOUGH_AFTER_SOME if held.some.of else _ENOUGH_LACKING


def _hold(held: Pending, new: FieldCount) -> Pending | None:
    """Counts of a field that all had before which wait for the next ones; None where these settle it.

    Lookback brings old records beside the new ones. So where only some lack it, what comes next tells whether ever more
    do, until all do, or whether it is a field that a record may lack.
    """
    if not new.of:
        return held if held.counts.of else None
    if not new.lacking:
        return None
    if not new.seen:
        return msgspec.structs.replace(held, row=held.row + new.of)
    newest = FieldCount(held.row) + new
    are_fewer = held.some.of and newest.lacking * held.some.of < held.some.lacking * newest.of
    return None if are_fewer else held.add(newest)


def _describe_lacking(path: str, counts: FieldCount) -> list[str]:
    if not counts.lacking:
        return []
    return [f"the field {path}, which all had so far, is not in {counts.lacking:,} of {counts.of:,}"]


def _was_always_there(before: FieldCount) -> bool:
    return before.of >= _ENOUGH and before.seen == before.of


def _advance_others(history: FieldHistory, counts: FieldCounts) -> dict[str, FieldCount]:
    """The counts of fields that are not used; one that went or came is counted from now on."""
    before = {path: count for path, count in history.others.items() if path not in _list_gone(history, counts)}
    known = {path: count for path, count in counts.others.items() if path not in counts.used}
    absent = {path: FieldCount(counts.sampled) for path in before if path not in known}
    added = add_counts(before, known | absent)
    return dict(list(added.items())[:_MAX_OTHERS])


def _list_gone(history: FieldHistory, counts: FieldCounts) -> list[str]:
    """Fields that every sampled object had so far, and none has now."""
    return [
        path
        for path, before in history.others.items()
        if "." not in path  # one in an object that may be absent goes and comes with it
        and path not in counts.others
        and path not in counts.used
        and before.of >= _ENOUGH
        and before.seen == before.of
        and counts.sampled
    ]


def _describe_others(history: FieldHistory, counts: FieldCounts) -> Iterator[str]:
    if gone := _list_gone(history, counts):
        yield f"the records have no {_join(gone)} any more, which all had so far"
    if history.sampled < _ENOUGH or counts.sampled < _ENOUGH_NEW or len(history.others) >= _MAX_OTHERS:
        return
    came = [
        path
        for path, new in counts.others.items()
        if "." not in path and path not in history.others and path not in counts.used and new.seen == counts.sampled
    ]
    if came:
        yield f"the records have {_join(came)} now, which none had so far: no mapping uses it"


def _join(paths: list[str], most: int = 5) -> str:
    more = f" and {many(len(paths) - most, 'more field')}" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more
