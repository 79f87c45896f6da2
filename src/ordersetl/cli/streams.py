"""Speak: results as tables or one JSON envelope on stdout; progress, notices and errors on stderr."""
# ruff: noqa: PLC0415 - what only people need is imported where it is

import json
import logging
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ordersetl.cli.hints import OptionsInUse
from ordersetl.errors import OrdersetlError, StorageError
from ordersetl.results import SqlScript, to_plain
from ordersetl.text import one_line, printable
from ordersetl.version import __version__

__all__ = [
    "make_envelope",
    "print_envelope",
    "print_error",
    "print_result",
    "print_traceback",
    "somebody_watches",
    "start_logging",
]

_ENVELOPE_SCHEMA = 1
"""Version of the JSON envelope: it changes where a member is taken away or means something else."""
_NO_OPTIONS = OptionsInUse()
_WIDE = 10_000
"""Columns of a table that no terminal shows: nothing is wrapped, so that a line stays a line for grep."""


def start_logging(options: OptionsInUse, *, quiet: bool, verbose: bool) -> None:
    """Send warnings and notes to stderr, a line each; with ``verbose`` requests and retries too.

    A warning is for somebody to look at: it shows with ``quiet`` as well. A note is not, and shows on a terminal,
    where somebody waits.
    """
    usual = logging.INFO if somebody_watches() else logging.WARNING
    handler = _Notices(options)
    if verbose:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    for name, usual_level, verbose_level in (
        ("ordersetl", usual, logging.DEBUG),
        ("httpx", logging.WARNING, logging.WARNING),  # which logs whole URLs: our own lines leave secrets out
    ):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(verbose_level if verbose else logging.WARNING if quiet else usual_level)


class _Notices(logging.Handler):
    """Writes to whatever stderr is at the time: while bars are shown, that is their console."""

    def __init__(self, options: OptionsInUse) -> None:
        super().__init__()
        self._options = options

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        if sys.stderr is None:
            return
        kind = "" if self.formatter else "Warning: " if record.levelno >= logging.WARNING else "Note: "
        with suppress(OSError):
            sys.stderr.write(f"{kind}{self._options.complete(one_line(self.format(record)))}\n")


def print_envelope(envelope: Mapping[str, object]) -> None:
    """Print one JSON object.

    Raises:
        StorageError: stdout cannot be written.
    """
    _write(json.dumps(envelope) + "\n")


def make_envelope(
    command: str, result: object, failure: OrdersetlError | None, options: OptionsInUse = _NO_OPTIONS
) -> dict[str, object]:
    """The envelope of a result: schema, command, status, version, data, and error where it failed."""
    envelope: dict[str, object] = {
        "schema": _ENVELOPE_SCHEMA,
        "command": command,
        "status": "ok" if failure is None else "failed",
        "version": __version__,
        "data": _complete_details(to_plain(result), options),
    }
    if failure is not None:
        message, hint = map(options.complete, (failure.message, failure.hint))
        envelope["error"] = {"code": failure.code, "message": message, "hint": hint}
    return envelope


def print_result(result: object, options: OptionsInUse = _NO_OPTIONS, *, verbose: bool = False) -> None:
    """Print a stage's result as tables: what matters first, or with ``verbose`` all of it.

    Raises:
        StorageError: stdout cannot be written.
    """
    if isinstance(result, SqlScript):
        _write(result.sql)
        return
    from rich.console import Console

    from ordersetl.report.terminal import draw

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    with console.capture() as captured:
        for table in draw(result, options.complete, verbose=verbose):
            console.print(table)
    _write("".join(f"{line.rstrip(' ')}\n" for line in captured.get().splitlines()))


def print_error(error: OrdersetlError, options: OptionsInUse = _NO_OPTIONS) -> None:
    """Say on stderr what failed, where, and what to do next: a line each."""
    if sys.stderr is None:
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with suppress(OSError):
        console.print(Text.assemble(("Error: ", "bold red"), options.complete(one_line(error.message))))
        if error.hint:
            console.print(Text.assemble(("Next:  ", "bold"), options.complete(one_line(error.hint))))


def print_traceback(error: BaseException) -> None:
    """Say on stderr where an error came from."""
    if sys.stderr is not None:
        lines = "".join(traceback.format_exception(error)).splitlines()
        with suppress(OSError):
            sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))


def _complete_details(data: Any, options: OptionsInUse) -> Any:  # noqa: ANN401 - plain JSON values
    """The data with the options in use in the commands of every ``detail`` and ``hint``."""
    if isinstance(data, list):
        return [_complete_details(member, options) for member in data]
    if not isinstance(data, dict):
        return data
    return {
        name: options.complete(member)
        if name in {"detail", "hint"} and isinstance(member, str)
        else _complete_details(member, options)
        for name, member in data.items()
    }


def somebody_watches() -> bool:
    """Whether stderr is a terminal; asked without Rich, which a scheduled run can do without."""
    return sys.stderr is not None and sys.stderr.isatty()


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
