"""Speak: results as tables or one JSON envelope on stdout; progress, notices and errors on stderr."""
# ruff: noqa: PLC0415 - what only people need is imported where it is

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ordersetl import __version__
from ordersetl.errors import OrdersetlError, StorageError
from ordersetl.report import to_plain

if TYPE_CHECKING:
    from rich.progress import Progress as Bars, TaskID

    from ordersetl.job import Progress

__all__ = [
    "print_envelope",
    "print_error",
    "print_result",
    "print_traceback",
    "show_progress",
    "start_logging",
]

_WIDE = 10_000
"""Columns of a table that no terminal shows: nothing is wrapped, so that a line stays a line for grep."""


def start_logging(*, quiet: bool, verbose: bool) -> None:
    """Send notices to stderr, a line each; with ``verbose`` requests and retries too; with ``quiet`` none.

    On a terminal retries show as well: somebody waits there.
    """
    usual = logging.INFO if _somebody_watches() else logging.WARNING
    handler = _Notices()
    if verbose:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    else:
        handler.setFormatter(logging.Formatter("Note: %(message)s"))
    for name, usual_level, verbose_level in (
        ("ordersetl", usual, logging.DEBUG),
        ("httpx", logging.WARNING, logging.INFO),
    ):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(verbose_level if verbose else logging.ERROR if quiet else usual_level)


class _Notices(logging.Handler):
    """Writes to whatever stderr is at the time: while bars are shown, that is their console."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        if sys.stderr is not None:
            with suppress(OSError):
                sys.stderr.write(f"{_one_line(self.format(record))}\n")


class _Bars:
    """One bar a stage."""

    def __init__(self, bars: "Bars") -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)


@contextmanager
def show_progress(*, quiet: bool) -> Iterator["Progress"]:
    """Bars on stderr where that is a terminal; elsewhere nothing."""
    from ordersetl.job import SilentProgress

    if quiet or not _somebody_watches():
        yield SilentProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bars, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:18}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bars(bars)


def print_envelope(command: str, result: object, failure: OrdersetlError | None) -> None:
    """Print one JSON object: command, status, version, data, and error where it failed.

    Raises:
        StorageError: stdout cannot be written.
    """
    envelope: dict[str, object] = {
        "command": command,
        "status": "ok" if failure is None else "failed",
        "version": __version__,
        "data": to_plain(result),
    }
    if failure is not None:
        envelope["error"] = {"code": failure.code, "message": failure.message, "hint": failure.hint}
    _write(json.dumps(envelope) + "\n")


def print_result(result: object) -> None:
    """Print a stage's result as tables.

    Raises:
        StorageError: stdout cannot be written.
    """
    from rich.console import Console

    from ordersetl._tables import draw

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    with console.capture() as captured:
        for table in draw(result):
            console.print(table)
    _write("".join(f"{line.rstrip(' ')}\n" for line in captured.get().splitlines()))


def print_error(error: OrdersetlError) -> None:
    """Say on stderr what failed, where, and what to do next: a line each."""
    if sys.stderr is None:
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with suppress(OSError):
        console.print(Text.assemble(("Error: ", "bold red"), _one_line(error.message)))
        if error.hint:
            console.print(Text.assemble(("Next:  ", "bold"), _one_line(error.hint)))


def print_traceback(error: Exception) -> None:
    """Say on stderr where an error came from."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write("".join(traceback.format_exception(error)))


def _somebody_watches() -> bool:
    """Whether stderr is a terminal; asked without Rich, which a scheduled run can do without."""
    return sys.stderr is not None and sys.stderr.isatty()


def _one_line(text: str) -> str:
    from ordersetl._tables import printable

    return printable(" ".join(text.split()))


def _write(text: str) -> None:
    """Write to stdout what it can encode, and all of it; a reader that went away (``| head``) has had enough."""
    stream = sys.stdout
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except OSError as error:
        with suppress(OSError, ValueError):  # or the interpreter would try, and fail, once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if not isinstance(error, BrokenPipeError):
            raise StorageError(
                f"cannot write the result to stdout: {error.strerror}", hint="The work itself is done and kept."
            ) from error
