"""What results are outside Python: plain JSON values, the report of a run, and the error that a failed check is."""

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ordersetl import __version__
from ordersetl._text import many
from ordersetl.errors import CheckFailedError, OrdersetlError
from ordersetl.results import CheckOutcome, CheckResult

if TYPE_CHECKING:
    from ordersetl.job import Job

__all__ = ["RunReport", "check_failure", "describe_outcome", "keep_report", "to_plain"]


_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_HASH_SHOWN = 12
"""Digits of a hash that people are shown: enough to see that two differ."""


def to_plain(value: Any) -> Any:  # noqa: ANN401 - JSON out of any result
    """JSON-ready form of a result: dataclasses as objects, times as ISO 8601, decimals as text, seconds to 1e-6."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(member) for member in value]
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return round(value, 6)
    return str(value) if isinstance(value, Decimal | Path) else value


def check_failure(result: CheckResult) -> CheckFailedError | None:
    """The error that a verdict stands for: names each check that failed, and its first offending rows."""
    failed = [outcome for outcome in result.outcomes if not outcome.ok]
    if not failed:
        return None
    said = "; ".join(f"{outcome.name}: {describe_outcome(outcome)}" for outcome in failed)
    hint = "Rebuild from raw what is damaged: ordersetl load --verify. Fold everything anew: ordersetl load --rebuild."
    if [outcome.name for outcome in failed] == ["manifest"]:
        hint = "Fold what is in raw: ordersetl load. Fetch orders first: ordersetl run."
    elif {outcome.name for outcome in failed} <= {"stray_files", "raw_batches"}:
        hint = " ".join(outcome.detail for outcome in failed)
    elif any(outcome.name.startswith("raw_") for outcome in failed):
        hint = "Restore from a backup what raw has lost, or fetch it again: ordersetl run --full."
    return CheckFailedError(f"{len(failed)} of {many(len(result.outcomes), 'check')} failed: {said}", hint=hint)


def describe_outcome(outcome: CheckOutcome, *, most: int = 1) -> str:
    """What a failed check found, in one line, with ``most`` of the offending rows at most."""
    detail = outcome.detail.removesuffix(".")
    if not outcome.samples:
        return detail
    shown = " | ".join(", ".join(f"{k}={v}" for k, v in sample.items()) for sample in outcome.samples[:most])
    shown = _HASH.sub(lambda found: f"{found[0][:_HASH_SHOWN]}...", shown)
    return f"{outcome.offending:,} offending, the first: {shown}" + (f" ({detail})" if detail else "")


class RunReport:
    """What a run has done so far, stage by stage."""

    def __init__(self, job: "Job") -> None:
        self.started_at = job.now()
        self.run_id = f"{self.started_at.strftime('%Y%m%dT%H%M%S.%fZ')}-{os.getpid()}"
        self.path = job.lake.runs / f"{self.run_id}.json"
        self._disk = job.lake.disk
        self._stages: dict[str, object] = {}

    def add(self, stage: str, result: object) -> None:
        """Note the result of a stage that is done."""
        self._stages[stage] = result

    def write(self, status: str, error: Mapping[str, str] | None = None) -> None:
        """Keep the report.

        Raises:
            StorageError: the disk refused.
        """
        head = {"run_id": self.run_id, "status": status, "version": __version__, "started_at": self.started_at}
        report = {**head, **self._stages, **({"error": error} if error else {})}
        self._disk.make_folder(self.path.parent)
        self._disk.publish(self.path, json.dumps(to_plain(report), indent=1).encode() + b"\n")


@contextlib.contextmanager
def keep_report(job: "Job") -> Iterator[RunReport]:
    """Keep the report of the run in the block in ``runs/``, whether it ends well or not."""
    report = RunReport(job)
    try:
        yield report
    except Exception as error:
        with contextlib.suppress(OrdersetlError):  # the error itself matters more than its report
            report.write("failed", _describe_error(error))
        raise
    report.write("ok")


def _describe_error(error: Exception) -> dict[str, str]:
    if isinstance(error, OrdersetlError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    return {"code": "internal", "message": f"{type(error).__name__}: {error}", "hint": ""}
