"""What a run keeps account of, stage by stage: in its report, and in the journal."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from ordersetl.lake.journal import JournalKeeper
from ordersetl.lake.runs import RunReport

__all__ = ["StageAccount"]


class _TakesTime(Protocol):
    @property
    def seconds(self) -> float: ...


_Result = TypeVar("_Result", bound=_TakesTime)


class StageAccount(msgspec.Struct):
    """Keeps account of the stages of a run: which is under way, what each did, how long it took."""

    report: RunReport
    journal: JournalKeeper
    seconds: dict[str, float] = msgspec.field(default_factory=dict)

    def take(self, stage: str, work: Callable[[], _Result]) -> _Result:
        """Go through a stage; its result."""
        self.journal.begin(stage)
        result = work()
        self.report.add(stage, result)
        self.seconds[stage] = result.seconds
        return result
