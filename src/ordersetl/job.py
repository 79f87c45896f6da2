"""What every stage is given: the output it works on, its settings, and how it reports, pauses and runs in parallel."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol, TypeVar

import httpx

from ordersetl.lake.disk import Disk
from ordersetl.lake.layout import Lake
from ordersetl.lake.lock import Hold
from ordersetl.settings import Settings

__all__ = ["Job", "Progress", "Runtime", "SilentProgress", "map_bounded", "worker_count"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Progress(Protocol):
    """Receives how far a stage is; ``total`` is None where nobody knows."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that ``done`` of ``total`` units of ``stage`` are done."""


class SilentProgress:
    """A progress that nobody watches."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Do nothing."""


def _go_on() -> None:
    """No signal came."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Runtime:
    """What surrounds a command, each part replaceable: the command line shows progress and obeys signals, tests count.

    ``checkpoint`` is called wherever the work may end without loss, and raises InterruptedRunError after a signal.
    Within ``interruptible`` nothing is half done at any time: a signal may end it at once.
    ``executor`` runs the parallel parts (chunks of pages, groups of partitions); its functions and arguments pickle.
    None makes threads. ``transport`` answers instead of the network.
    """

    progress: Progress = field(default_factory=SilentProgress)
    checkpoint: Callable[[], None] = _go_on
    interruptible: Callable[[], AbstractContextManager[None]] = nullcontext
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = _utc_now
    disk: Disk = field(default_factory=Disk)
    executor: Executor | None = None
    transport: httpx.BaseTransport | None = None


@dataclass(frozen=True)
class Job:
    """One writing command at work on one output, which it alone may change."""

    lake: Lake
    settings: Settings
    hold: Hold
    executor: Executor
    runtime: Runtime

    @property
    def progress(self) -> Progress:
        """Where to report how far a stage is."""
        return self.runtime.progress

    def checkpoint(self) -> None:
        """Allow the work to end here.

        Raises:
            InterruptedRunError: a signal came.
        """
        self.runtime.checkpoint()

    def now(self) -> datetime:
        """The time, aware UTC."""
        return self.runtime.now()


def worker_count(settings: Settings) -> int:
    """Parallel workers: as set, or one a core."""
    return settings.workers or len(
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )


def map_bounded(job: Job, work: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """Results in the order of the items, with no more items under way than workers and one waiting.

    Memory is bounded by what is under way, however many items there are. After an error nothing new is begun, and
    what is under way is awaited before the error goes on.
    """
    queue = iter(items)
    limit = worker_count(job.settings) + 1
    running: list[Future[_Out]] = []
    try:
        running.extend(job.executor.submit(work, item) for item in islice(queue, limit))
        while running:
            result = running.pop(0).result()
            job.checkpoint()
            running.extend(job.executor.submit(work, item) for item in islice(queue, 1))
            yield result
    finally:
        for future in running:
            future.cancel()
        for future in running:
            if not future.cancelled():
                future.exception()
