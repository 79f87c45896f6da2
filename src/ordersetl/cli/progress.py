"""How far a command is: bars for who watches a terminal, a line now and then for who reads a log with ``--verbose``."""
# ruff: noqa: PLC0415 - what only people need is imported where it is

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ordersetl.cli.streams import somebody_watches
from ordersetl.text import format_span, many

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress, TaskID

    from ordersetl.runtime import Progress

__all__ = ["Bars", "LogLines", "Watch", "watch_progress"]

log = logging.getLogger(__name__)

_EVERY_S = 30.0
_MIN_WAIT_S = 1.0
"""Shorter waits are the pace that was set, and nothing to talk of."""
_WINDOW = "window "
"""How stages are named that are windows side by side."""
_STAGES = {
    "extract": ("fetching", "page"),
    "pages": ("fetching", "page"),
    "windows": ("windows done", "window"),
    "transform": ("reading", "page"),
    "transform batches": ("batches read", "batch"),
    "load": ("writing days", "day"),
}
"""What a stage does, and in what it counts."""
_PLURALS = {"batch": "batches"}


@dataclass(frozen=True)
class Watch:
    """Who is told how far a stage is, and how long the next request has to wait."""

    progress: "Progress"
    on_wait: Callable[[float], None]


def _label(stage: str) -> str:
    if stage.startswith(_WINDOW):
        return f"  {stage.removesuffix('T00:00:00Z')}"
    return _STAGES.get(stage, (stage, ""))[0]


def _count(stage: str, done: int, total: int | None, records: int | None, elapsed_s: float) -> str:
    """``3 of 12 pages``, ``3 pages, 3,000 records, 1,500/s``."""
    unit = _STAGES.get(stage, ("", "page"))[1]
    of = (
        f"{done:,} of {many(total, unit, _PLURALS.get(unit, ''))}"
        if total
        else many(done, unit, _PLURALS.get(unit, ""))
    )
    if records is None:
        return of
    rate = f", {records / elapsed_s:,.0f}/s" if elapsed_s >= 1 and records else ""
    return f"{of}, {many(records, 'record')}{rate}"


class Bars:
    """One bar a stage, and one a window that is under way."""

    def __init__(self, bars: "RichProgress", clock: Callable[[], float] = time.monotonic) -> None:
        self._bars = bars
        self._clock = clock
        self._tasks: dict[str, tuple[TaskID, float]] = {}
        self._waiting: TaskID | None = None

    def __call__(self, stage: str, done: int, total: int | None, records: int | None = None, /) -> None:
        """Show how far a stage is."""
        self._end_wait()
        if stage.startswith(_WINDOW) and done == total:
            self._remove(stage)
            return
        if stage not in self._tasks:
            label = (
                f"  {stage.removesuffix('T00:00:00Z')}"
                if stage.startswith(_WINDOW)
                else _STAGES.get(stage, (stage, ""))[0]
            )
            self._tasks[stage] = self._bars.add_task(label, total=total, counts="", left=""), self._clock()
        task, began = self._tasks[stage]
        elapsed = self._clock() - began
        left = format_span(elapsed / done * (total - done)) if total and 0 < done < total and elapsed >= 1 else ""
        counts = _count(stage, done, total, records, elapsed)
        self._bars.update(task, completed=done, total=total, counts=counts, left=f"{left} left" if left else "")

    def on_wait(self, seconds: float) -> None:
        """Show that the next request waits, for what the API asks or the settings allow."""
        if seconds >= _MIN_WAIT_S:
            self._end_wait()
            text = f"waits {format_span(seconds)}, as the API or max_requests_per_second asks"
            self._waiting = self._bars.add_task("paused", total=None, counts=text, left="")

    def _end_wait(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._bars.remove_task(waiting)

    def _remove(self, stage: str) -> None:
        if stage in self._tasks:
            self._bars.remove_task(self._tasks.pop(stage)[0])


@dataclass
class LogLines:
    """At most a line every 30 seconds, for a log."""

    clock: Callable[[], float] = time.monotonic
    _last: float | None = None
    _began: dict[str, float] = field(default_factory=dict)

    def __call__(self, stage: str, done: int, total: int | None, records: int | None = None, /) -> None:
        """Log how far a stage is, unless that was done just now."""
        now = self.clock()
        began = self._began.setdefault(stage, now)
        if self._is_due(now) and not stage.startswith(_WINDOW):
            log.info("%s: %s", _label(stage), _count(stage, done, total, records, now - began))

    def on_wait(self, seconds: float) -> None:
        """Log that the next request waits, where that takes a while."""
        if seconds >= _EVERY_S:
            log.info("the next request waits %s, as the API or max_requests_per_second asks", format_span(seconds))

    def _is_due(self, now: float) -> bool:
        """Whether 30 seconds have gone since the last line, or since the beginning."""
        if self._last is None:
            self._last = now
        if now - self._last < _EVERY_S:
            return False
        self._last = now
        return True


@contextmanager
def watch_progress(*, quiet: bool, verbose: bool) -> Iterator[Watch]:
    """Bars on stderr where that is a terminal; lines in the log where it is none and ``verbose``; else nothing."""
    from ordersetl.runtime import SilentProgress

    if not quiet and somebody_watches():
        from rich.console import Console

        with draw_bars(Console(stderr=True)) as bars:
            yield Watch(bars, bars.on_wait)
    elif verbose:
        lines = LogLines()
        yield Watch(lines, lines.on_wait)
    else:
        yield Watch(SilentProgress(), lambda _: None)


@contextmanager
def draw_bars(console: "Console") -> Iterator[Bars]:
    """Bars on a console, gone when the block ends."""
    from rich.progress import BarColumn, Progress as RichProgress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(12), TextColumn("{task.fields[counts]} {task.fields[left]}"))
    with RichProgress(*columns, console=console, transient=True) as bars:
        yield Bars(bars)
