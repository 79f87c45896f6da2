"""The report of each run, in ``runs/``: of the newest ones, and of runs in a row with nothing new the last one's."""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from ordersetl.errors import OrdersetlError
from ordersetl.lake.layout import RUNS, Lake
from ordersetl.results import to_plain
from ordersetl.unforeseen import is_failure
from ordersetl.version import __version__

__all__ = ["MAX_REPORTS", "RunReport", "describe_error", "keep_report"]

MAX_REPORTS = 1000
_MAX_BYTES = 1 << 28
_REPORT = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9]+\.json").fullmatch


class _Kind(msgspec.Struct):
    """What is asked of an earlier report."""

    is_quiet: bool = False


class RunReport:
    """What a run has done so far, stage by stage; ``is_quiet`` once it is known to have found nothing new."""

    def __init__(self, lake: Lake, started_at: datetime) -> None:
        self.started_at = started_at
        self.run_id = f"{self.started_at.strftime('%Y%m%dT%H%M%S.%fZ')}-{os.getpid()}"
        self._key = f"{RUNS}/{self.run_id}.json"
        self.path = lake.locate(self._key)
        self._storage = lake.storage
        self._stages: dict[str, object] = {}
        self.is_quiet = False

    def add(self, stage: str, result: object) -> None:
        """Note the result of a stage that is done."""
        self._stages[stage] = result

    def write(self, status: str, error: Mapping[str, str] | None = None) -> None:
        """Keep the report.

        Raises:
            StorageError: the disk refused.
        """
        head = {
            "run_id": self.run_id,
            "status": status,
            "version": __version__,
            "started_at": self.started_at,
            "is_quiet": self.is_quiet,
        }
        report = {**head, **self._stages, **({"error": error} if error else {})}
        self._storage.put(self._key, json.dumps(to_plain(report), indent=1).encode() + b"\n")
        self._prune()

    def _prune(self) -> None:
        """Remove the oldest reports past so many, and where this run was quiet that of a quiet one right before it."""
        names = [entry.name for entry in self._storage.entries(RUNS) if _REPORT(entry.name)]
        before = [name for name in names if name < f"{self.run_id}.json"]
        gone = names[:-MAX_REPORTS]
        if self.is_quiet and before and self._was_quiet(before[-1]):
            gone.append(before[-1])
        for name in gone:
            self._storage.remove_all(f"{RUNS}/{name}")

    def _was_quiet(self, name: str) -> bool:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(self._storage.read(f"{RUNS}/{name}", _MAX_BYTES), type=_Kind).is_quiet
        return False


@contextlib.contextmanager
def keep_report(lake: Lake, started_at: datetime) -> Iterator[RunReport]:
    """Keep the report of the run in the block in ``runs/``, whether it ends well or not."""
    report = RunReport(lake, started_at)
    try:
        yield report
    except BaseException as error:
        if is_failure(error):
            with contextlib.suppress(OrdersetlError):  # the error itself matters more than its report
                report.write("failed", describe_error(error))
        raise
    report.write("ok")


def describe_error(error: BaseException) -> dict[str, str]:
    """Code, message and hint of an error; one that nobody foresaw is ``internal``."""
    if isinstance(error, OrdersetlError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    return {"code": "internal", "message": f"{type(error).__name__}: {error}", "hint": ""}
