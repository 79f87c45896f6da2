"""What failed, in words: the error that a failed check is."""

import re
from collections.abc import Sequence

from ordersetl.errors import CheckFailedError, OrdersetlError, TooOldError
from ordersetl.results import CheckOutcome, CheckResult, StatusResult
from ordersetl.text import format_span, format_time, many

__all__ = ["advise", "check_failure", "describe_outcome", "find_failure", "shorten_hashes"]


_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_HASH_SHOWN = 12
"""Digits of a hash that people are shown: enough to see that two differ."""

_ADVICE = {
    "": "These checks are your own: correct what they found at the source, and run again; or correct their files.",
    "manifest": "Fold what is in raw: ordersetl load. Fetch orders first: ordersetl run.",
    "source_fields": "Look at an answer of the source: ordersetl extract --preview 5. Correct the mapping and run "
    "again, and all is folded by it; or set drift = warn, by which the next run takes the fields as they are now.",
}
"""What to do where one check failed, and no other of ours; "" where none of ours did."""
_OF_RAW = {"raw_readable", "raw_batches"}
"""Checks that look at what all is made from: until that is right, to make it again is no help."""
_RESTORE = "Restore from a backup what raw has lost."


def find_failure(result: object) -> OrdersetlError | None:
    """The error of a result that says that something is not well; None of any other."""
    match result:
        case CheckResult():
            return check_failure(result)
        case StatusResult(too_old=True):
            return _age_failure(result)
    return None


def check_failure(result: CheckResult) -> CheckFailedError | None:
    """The error of a result that is not ok: names each check that failed, and its first offending rows."""
    failed = [outcome for outcome in result.outcomes if not outcome.ok]
    if not failed:
        return None
    found = "; ".join(f"{outcome.name}: {describe_outcome(outcome)}" for outcome in failed)
    return CheckFailedError(
        f"{len(failed)} of {many(len(result.outcomes), 'check')} failed: {found}", hint=advise(failed)
    )


def advise(failed: Sequence[CheckOutcome]) -> str:
    """What to do about checks that failed, one or more: sentences with commands to paste."""
    names = {outcome.name for outcome in failed if not outcome.is_own}
    if advice := _ADVICE.get(" ".join(sorted(names))):
        return advice
    details = _join_details(failed)
    if all(name.startswith("warehouse_") for name in names):
        return details or "Load what the warehouse lacks, and what was changed there: ordersetl load --verify"
    if names <= {"stray_files", "raw_batches", "folders"}:
        return details
    if names & _OF_RAW:
        return _join_details([outcome for outcome in failed if outcome.name in _OF_RAW]) or _RESTORE
    return "Rebuild from raw what is damaged: ordersetl load --verify. Fold everything again: ordersetl load --rebuild."


def _join_details(outcomes: Sequence[CheckOutcome]) -> str:
    return " ".join(outcome.detail for outcome in outcomes if outcome.detail and not outcome.is_own)


def _age_failure(result: StatusResult) -> TooOldError:
    allowed = format_span(result.max_age_s or 0)
    hint = "Look at what the last runs say; to catch up: ordersetl run"
    if result.last_failure is not None:
        hint = f"The last {result.last_failure.command} failed: {result.last_failure.message}"
    if result.as_of is None or result.age_s is None:
        return TooOldError(f"nothing was loaded yet, and {allowed} is the oldest that is allowed", hint=hint)
    age = format_span(result.age_s)
    return TooOldError(
        f"curated is {age} old, as of {format_time(result.as_of.replace(microsecond=0))}; {allowed} is the oldest that "
        "is allowed",
        hint=hint,
    )


def describe_outcome(outcome: CheckOutcome, *, most: int = 1) -> str:
    """What a failed check found, in one line, with ``most`` of the offending rows at most."""
    detail = outcome.detail.rstrip(".!")
    if not outcome.samples:
        return detail
    shown = " | ".join(", ".join(f"{k}={v}" for k, v in sample.items()) for sample in outcome.samples[:most])
    return f"{outcome.offending:,} offending, the first: {shorten_hashes(shown)}" + (f" ({detail})" if detail else "")


def shorten_hashes(text: str) -> str:
    """The text, each SHA-256 in it cut to its first digits."""
    return _HASH.sub(lambda found: f"{found[0][:_HASH_SHOWN]}...", text)
