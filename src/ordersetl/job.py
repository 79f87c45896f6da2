"""What every stage is given: the output it works on, its settings, and how it reports, pauses and runs in parallel."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, ParamSpec, Protocol, TypeVar

import httpx

from ordersetl.lake.disk import Disk
from ordersetl.lake.layout import Lake
from ordersetl.lake.lock import Hold
from ordersetl.settings import Settings

__all__ = ["Job", "Progress", "Runtime", "SilentProgress", "WorkQueue", "background", "count_cores", "map_bounded"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Given = ParamSpec("_Given")


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
    None makes threads. ``width`` says how many of them it works on at a time, as a number or, where that changes, as a
    function that is asked each time; None asks the executor, where it is one of Python's own.
    ``threads`` does what only this process can do (page writes, the index), beside the work; None makes threads.
    ``transport`` answers instead of the network.
    """

    progress: Progress = field(default_factory=SilentProgress)
    checkpoint: Callable[[], None] = _go_on
    interruptible: Callable[[], AbstractContextManager[None]] = nullcontext
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = _utc_now
    disk: Disk = field(default_factory=Disk)
    executor: Executor | None = None
    width: int | Callable[[], int] | None = None
    threads: Executor | None = None
    transport: httpx.BaseTransport | None = None


@dataclass(frozen=True)
class Job:
    """One writing command at work on one output, which it alone may change.

    ``executor`` computes, perhaps elsewhere. ``threads`` are this process's own, for what only it can do beside that.
    """

    lake: Lake
    settings: Settings
    hold: Hold
    executor: Executor
    runtime: Runtime
    threads: Executor

    @property
    def progress(self) -> Progress:
        """Where to report how far a stage is."""
        return self.runtime.progress

    @property
    def workers(self) -> int:
        """How many items the executor works on at a time: as set, else its width, else the cores of this machine."""
        width = self.settings.workers or self.runtime.width or getattr(self.executor, "_max_workers", None)
        return max(1, width() if callable(width) else width or count_cores())

    def checkpoint(self) -> None:
        """Allow the work to end here.

        Raises:
            InterruptedRunError: a signal came.
        """
        self.runtime.checkpoint()

    def now(self) -> datetime:
        """The time, aware UTC."""
        return self.runtime.now()


def count_cores() -> int:
    """Cores of this machine that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def background(
    job: Job, work: Callable[_Given, _Out], *given: _Given.args, **named: _Given.kwargs
) -> Iterator[Future[_Out]]:
    """Have work done on this process's threads while the block runs; it is awaited at its end, also after an error."""
    future = job.threads.submit(work, *given, **named)
    try:
        yield future
    finally:
        wait([future])


class WorkQueue(Generic[_In, _Out]):
    """Work for the job's executor, an item a worker under way; results in the order of the items.

    Memory is bounded by what is under way, however many items there are. After an error nothing new is begun, and
    what is under way is awaited before the error goes on.

    Args:
        job: its executor does the work.
        work: what is done with each item; like the items, it pickles.
        spare: how many more items are under way, since some wait for the disk.
    """

    def __init__(self, job: Job, work: Callable[[_In], _Out], *, spare: int = 0) -> None:
        self._job = job
        self._work = work
        self._spare = spare
        self._waiting: deque[_In] = deque()
        self._begun: deque[Future[_Out]] = deque()

    def put(self, item: _In) -> None:
        """Add an item; it is begun now, or when there is room."""
        self._waiting.append(item)
        self._begin()

    def await_room(self) -> None:
        """Wait until every item is begun, or one has failed."""
        while self._waiting and (running := [future for future in self._begun if not future.done()]):
            wait(running, return_when=FIRST_COMPLETED)
            self._begin()

    def results(self) -> Iterator[_Out]:
        """Results of all items, in their order, as they come."""
        try:
            while self._begun:
                result = self._begun.popleft().result()
                self._job.checkpoint()
                self._begin()
                yield result
        finally:
            self.close()

    def close(self) -> None:
        """Begin nothing more, and wait for all that was begun: nothing of it is at work when the lock is released.

        Nothing is cancelled: an executor may say so of work that goes on elsewhere.
        """
        self._waiting.clear()
        for future in self._begun:
            with suppress(CancelledError):  # only an executor that was itself shut down does that
                future.exception()  # an error of what nobody wants any more; the one that matters is on its way
        self._begun.clear()

    def _begin(self) -> None:
        running = 0
        for future in self._begun:
            if not future.done():
                running += 1
            elif future.exception() is not None:
                return
        most = self._job.workers + self._spare if self._waiting else 0
        while self._waiting and running < most:
            self._begun.append(self._job.executor.submit(self._work, self._waiting.popleft()))
            running += 1


def map_bounded(job: Job, work: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """Results in the order of the items, by a :class:`WorkQueue` with one item to spare."""
    queue = WorkQueue(job, work, spare=1)
    for item in items:
        queue.put(item)
    return queue.results()
