"""The group of commands: whatever goes wrong in one of them ends here, as a message, an exit code and an envelope."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from typer._completion_classes import completion_init
from typer.core import TyperGroup
from typer.exceptions import TyperException

from ordersetl.cli.hints import OptionsInUse
from ordersetl.errors import ConfigError, InternalError, InterruptedRunError, OrdersetlError, StorageError
from ordersetl.unforeseen import find_shortage, is_failure

__all__ = ["COMPLETE_VARIABLE", "Commands", "Invocation"]

COMPLETE_VARIABLE = "_ORDERSETL_COMPLETE"
"""Set by a shell that asks how a command line goes on."""


def _tell_nobody(envelope: dict[str, object], error: OrdersetlError) -> None:
    """Nobody wants to know of a failure."""


@dataclass
class Invocation:
    """The command under way, and how it is to speak: what the error path must know.

    ``tell`` lets somebody know who does not watch.
    """

    command: str = ""
    json: bool = False
    verbose: bool = False
    options: OptionsInUse = field(default_factory=OptionsInUse)
    tell: Callable[[dict[str, object], OrdersetlError], None] = _tell_nobody


class Commands(TyperGroup):
    """Runs one command; in a shell and under Typer's test runner alike it always ends with SystemExit."""

    def main(self, args: Sequence[str] | None = None, *given: Any, **named: Any) -> NoReturn:  # noqa: ANN401
        """Parse and run; turn an error into a message on stderr and an exit code, with ``--json`` an envelope too.

        Raises:
            SystemExit: always, with the exit code.
        """
        words = list(sys.argv[1:] if args is None else args)
        command = next((word for word in words if word in self.commands), "")
        invocation = Invocation(command, json="--json" in words)
        named |= {"standalone_mode": False, "obj": invocation, "complete_var": COMPLETE_VARIABLE}
        if COMPLETE_VARIABLE in os.environ:
            completion_init()
        try:
            code = super().main(args, *given, **named)
        except TyperException as error:
            if not words:  # Typer has the help as its message
                sys.stderr.write(f"{error.format_message()}\n")
                raise SystemExit(ConfigError.exit_code) from None
            hint = f"See: {' '.join(filter(None, ('ordersetl', command)))} --help"
            message = error.format_message().replace("Value error, ", "")  # pydantic's, which reads the values
            code = _end(invocation, ConfigError(message, hint=hint))
        except OrdersetlError as error:
            code = _end(invocation, error)
        except BaseException as error:
            if not is_failure(error):
                raise
            code = _end(invocation, _explain(error, verbose=invocation.verbose), error)
        raise SystemExit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer keeps its context class to itself
        """Run the command that was parsed; Ctrl-C before or after its work is an error like any other."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted", hint="Run the same command again.") from None


def _explain(error: BaseException, *, verbose: bool) -> OrdersetlError:
    """What nobody foresaw as one of our errors: a shortage, a file, else a bug."""
    said = f"{type(error).__name__}: {error}"
    if lacking := find_shortage(error):
        return InternalError(
            f"this process cannot have more {lacking}: {said}",
            hint="Raise the limit (`ulimit -a` shows it), or lower workers and chunk_mb; then run the same again.",
        )
    if isinstance(error, OSError):
        return _name_file(error)
    more = "." if verbose else ", with what the same command says with --verbose."
    return InternalError(said, hint=f"This is a bug in ordersetl: please report it{more}")


def _name_file(error: OSError) -> StorageError:
    from ordersetl.storage.store import hint_at  # noqa: PLC0415 - where all goes well nobody needs it

    is_object = str(error.filename).startswith("s3://")
    hint = hint_at(error) if is_object else "Look at the file, then run it again."
    return StorageError(f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}", hint=hint)


def _end(invocation: Invocation, failure: OrdersetlError, cause: BaseException | None = None) -> int:
    from ordersetl.cli import streams  # noqa: PLC0415 - Rich is not needed where all goes well

    if cause is not None and invocation.verbose:
        streams.print_traceback(cause)
    envelope = streams.make_envelope(invocation.command, None, failure, invocation.options)
    try:
        if invocation.json:
            streams.print_envelope(envelope)
    except OrdersetlError as unwritable:
        failure = unwritable
    streams.print_error(failure, invocation.options)
    with suppress(KeyboardInterrupt):
        invocation.tell(envelope, failure)
    return failure.exit_code
