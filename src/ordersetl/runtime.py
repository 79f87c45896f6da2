"""What a command runs in: the output it works on, its settings, and how it reports, pauses and computes."""

import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

from ordersetl.lake.fold_settings import FoldSettings
from ordersetl.lake.in_force import NOTHING_IN_FORCE, InForce
from ordersetl.lake.layout import Lake
from ordersetl.settings import Settings
from ordersetl.storage.disk import Disk
from ordersetl.storage.lease import Lease
from ordersetl.storage.lock import Lock

if TYPE_CHECKING:
    import httpx

__all__ = ["Progress", "RunContext", "Runtime", "SilentProgress", "count_cores"]


class Progress(Protocol):
    """Receives how far a stage is; ``total`` is None where nobody knows."""

    def __call__(self, stage: str, done: int, total: int | None, records: int | None = None, /) -> None:
        """Show that ``done`` of ``total`` units of ``stage`` are done, and how many records that are, if it counts."""


class SilentProgress:
    """A progress that nobody watches."""

    def __call__(self, stage: str, done: int, total: int | None, records: int | None = None, /) -> None:
        """Do nothing."""


def _go_on() -> None:
    """No signal came."""


def _tell_nobody(seconds: float) -> None:
    """Nobody watches."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Runtime(msgspec.Struct, frozen=True):
    """What a command runs in, each part replaceable: the command line shows progress and obeys signals, tests count.

    ``checkpoint`` is called wherever the work may end without loss, and raises InterruptedRunError after a signal.
    Within ``interruptible`` nothing is half done at any time: a signal may end it at once.
    ``executor`` runs the parallel parts (chunks of pages, groups of partitions); its functions and arguments pickle.
    None makes threads. ``width`` says how many of them it works on at a time, as a number or, where that changes, as a
    function that is asked each time; None asks the executor, where it is one of Python's own.
    Where ``is_remote``, it runs in other processes, which see the output but not this one's memory.
    ``threads`` does what only this process can do (page writes, the index), beside the work; None makes threads.
    ``transport`` answers instead of the network. ``on_wait`` learns of each wait before a request, in seconds, from the
    thread that waits.
    ``complete`` adds the options in use to the commands that a text for people names.
    """

    progress: Progress = msgspec.field(default_factory=SilentProgress)
    checkpoint: Callable[[], None] = _go_on
    interruptible: Callable[[], AbstractContextManager[None]] = nullcontext
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = _utc_now
    disk: Disk = msgspec.field(default_factory=Disk)
    executor: Executor | None = None
    width: int | Callable[[], int] | None = None
    is_remote: bool = False
    threads: Executor | None = None
    transport: "httpx.BaseTransport | None" = None
    on_wait: Callable[[float], None] = _tell_nobody
    complete: Callable[[str], str] = str


class RunContext(msgspec.Struct, frozen=True):
    """One writing command at work on one output, which it alone may change.

    ``executor`` computes, perhaps elsewhere. ``threads`` are this process's own, for what only it can do beside that.
    ``in_force`` says which description maps the batches; it counts from when raw changes no more.
    """

    lake: Lake
    settings: Settings
    lock: Lock | Lease
    executor: Executor
    runtime: Runtime
    threads: Executor
    in_force: InForce = NOTHING_IN_FORCE

    @property
    def fold_settings(self) -> FoldSettings:
        """What the batches are folded by."""
        return FoldSettings.of(self.settings, self.in_force.mapping)

    @property
    def progress(self) -> Progress:
        """Where to report how far a stage is."""
        return self.runtime.progress

    @property
    def is_remote(self) -> bool:
        """Whether the executor's work reads what it needs from the output, and not from this process's memory."""
        return self.runtime.is_remote

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
