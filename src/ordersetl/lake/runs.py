"""The report of each run, in ``runs/``."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime

from ordersetl.errors import OrdersetlError
from ordersetl.lake.layout import RUNS, Lake
from ordersetl.results import to_plain
from ordersetl.version import __version__

__all__ = ["RunReport", "describe_error", "keep_report"]


class RunReport:
    """What a run has done so far, stage by stage."""

    def __init__(self, lake: Lake, started_at: datetime) -> None:
        self.started_at = started_at
        self.run_id = f"{self.started_at.strftime('%Y%m%dT%H%M%S.%fZ')}-{os.getpid()}"
        self._key = f"{RUNS}/{self.run_id}.json"
        self.path = lake.locate(self._key)
        self._storage = lake.storage
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
        self._storage.put(self._key, json.dumps(to_plain(report), indent=1).encode() + b"\n")


@contextlib.contextmanager
def keep_report(lake: Lake, started_at: datetime) -> Iterator[RunReport]:
    """Keep the report of the run in the block in ``runs/``, whether it ends well or not."""
    report = RunReport(lake, started_at)
    try:
        yield report
    except Exception as error:
        with contextlib.suppress(OrdersetlError):  # the error itself matters more than its report
            report.write("failed", describe_error(error))
        raise
    report.write("ok")


def describe_error(error: Exception) -> dict[str, str]:
    """Code, message and hint of an error; one that nobody foresaw is ``internal``."""
    if isinstance(error, OrdersetlError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    return {"code": "internal", "message": f"{type(error).__name__}: {error}", "hint": ""}
