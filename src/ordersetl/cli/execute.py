"""What every command does with what it was given: settings, one library call under the signals' eyes, the result."""
# ruff: noqa: PLC0415

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

import typer

from ordersetl.cli.group import Invocation
from ordersetl.cli.hints import OptionsInUse
from ordersetl.cli.options import Shared
from ordersetl.cli.process import import_pipeline
from ordersetl.errors import ConfigError

if TYPE_CHECKING:
    from ordersetl.runtime import Runtime
    from ordersetl.settings import Settings
    from ordersetl.window import Backfill, Window

__all__ = ["execute", "read_backfill", "read_day", "read_span_of", "read_window", "refuse_with_preview"]


def execute(
    shared: Shared, work: "Callable[[Settings, Runtime], object]", load: "Callable[[], Settings] | None" = None
) -> None:
    """Settings, one library call under the signals' eyes, and the result on stdout; ``load`` finds other settings."""
    from ordersetl.cli import streams
    from ordersetl.cli.notify import notify_failure, notify_recovery
    from ordersetl.cli.progress import watch_progress
    from ordersetl.cli.signals import Interrupts
    from ordersetl.report.failures import find_failure
    from ordersetl.runtime import Runtime
    from ordersetl.settings import load_settings

    invocation = shared.context.find_object(Invocation) or Invocation()
    invocation.json, invocation.verbose = shared.json, shared.verbose
    options = invocation.options = OptionsInUse.of({"config": shared.config, **shared.settings})
    streams.start_logging(options, quiet=shared.quiet, verbose=shared.verbose)
    settings = load() if load is not None else load_settings(shared.config, **shared.settings)
    tells = invocation.command == "run" and settings.notify_url is not None
    if tells:
        invocation.tell = partial(notify_failure, settings)
    import_pipeline()
    interrupts = Interrupts()
    with interrupts.obey(), watch_progress(quiet=shared.quiet, verbose=shared.verbose) as watch:
        runtime = Runtime(
            progress=watch.progress,
            on_wait=watch.on_wait,
            checkpoint=interrupts.checkpoint,
            interruptible=interrupts.interruptible,
            sleep=interrupts.sleep,
            complete=options.complete,
        )
        result = work(settings, runtime)
    failure = find_failure(result)
    envelope = streams.make_envelope(invocation.command, result, failure, options) if shared.json or tells else {}
    if shared.json:
        streams.print_envelope(envelope)
    elif not shared.quiet:
        streams.print_result(result, options, verbose=shared.verbose)
    if failure is not None:
        streams.print_error(failure, options)
        raise typer.Exit(failure.exit_code)
    if tells:
        notify_recovery(settings, envelope)


def read_window(shared: Shared) -> "Window":
    """The window that the flags name.

    Raises:
        ConfigError: they contradict each other, or one is not a time.
    """
    from ordersetl.star.values import read_time
    from ordersetl.window import Window

    if shared.full and shared.since is not None:
        raise ConfigError("--full and --since contradict each other", hint="Leave one of them out.")
    times = []
    for flag, text in (("--since", shared.since), ("--until", shared.until)):
        time = read_time(text)
        if text is not None and time is None:
            raise ConfigError(
                f"{flag} {text}: not a time",
                hint="Give YYYY-MM-DD or ISO 8601, as in 2025-08-23 or 2025-08-23T06:00:00Z.",
            )
        times.append(time)
    return Window(times[0], times[1], full=shared.full)


def refuse_with_preview(shared: Shared) -> None:
    """Refuse what a preview cannot have.

    Raises:
        ConfigError: the window is to be cut.
    """
    for flag, given in (("--window", shared.window), ("--concurrency", shared.concurrency)):
        if given is not None:
            raise ConfigError(f"--preview fetches one page: {flag} has no meaning there", hint=f"Leave {flag} out.")


def read_day(flag: str, text: str | None) -> "date | None":
    """The day that a flag names.

    Raises:
        ConfigError: it is none.
    """
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{flag} {text}: not a day", hint="Give YYYY-MM-DD, as in 2025-08-01.") from None


def read_span_of(flag: str, text: str) -> "timedelta":
    """The time span that a flag names.

    Raises:
        ConfigError: it is none.
    """
    from ordersetl.settings import read_span

    try:
        return read_span(text)
    except ValueError as error:
        raise ConfigError(f"{flag} {text}: {error}", hint="Give a span such as 7d or 12h.") from None


def read_backfill(shared: Shared) -> "Backfill | None":
    """How the flags cut that window; None where they do not.

    Raises:
        ConfigError: the span is none, or there is only a concurrency.
    """
    from ordersetl.window import Backfill

    if shared.window is None:
        if shared.concurrency is not None:
            raise ConfigError("--concurrency is for windows", hint="Give --window too, such as --window 7d.")
        return None
    span = read_span_of("--window", shared.window)
    return Backfill(span) if shared.concurrency is None else Backfill(span, shared.concurrency)
