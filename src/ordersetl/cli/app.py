"""The command line: each command parses its flags, makes one library call, and shows the result.

Nothing heavy is imported here: ``ordersetl --help`` must answer at once.
"""
# ruff: noqa: PLC0415

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import typer

from ordersetl.cli.group import Commands, Invocation
from ordersetl.cli.hints import OptionsInUse
from ordersetl.cli.options import (
    Deep,
    InstallCompletion,
    Rebuild,
    Shared,
    ShowCompletion,
    Verify,
    Version,
    share_options,
)
from ordersetl.cli.process import end_process_with, import_pipeline
from ordersetl.errors import ConfigError

if TYPE_CHECKING:
    from ordersetl.runtime import Runtime
    from ordersetl.settings import Settings
    from ordersetl.window import Backfill, Window

__all__ = ["app", "main"]

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,  # Typer's options take no shell: theirs are below
    rich_markup_mode=None,  # Rich would triple the time that help takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Orders from a JSON API into a partitioned star schema you can trust.

    Raw responses are kept, and everything else is derived from them: run it twice, kill it, delete a folder, change
    an order at the source, and the result is right again after the next run.

    With no API set, the built-in sample API answers. Example: ordersetl run, in an empty folder.""",
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 data, 4 source, 5 locked, 130 interrupted.",
)


def main() -> None:
    """Entry point of the console script: the process ends here."""
    end_process_with(partial(app, prog_name="ordersetl"))


@app.callback()
def _root(
    *,
    version: Version = False,
    install_completion: InstallCompletion = None,
    show_completion: ShowCompletion = None,
) -> None:
    """Declare the options of the tool itself."""


@app.command(epilog="Example: ordersetl run --api-url https://shop.example/api --users users.csv")
@share_options(fetches=True, computes=True)
def run(shared: Shared, *, verify: Verify = False) -> None:
    """Fetch what is new, transform, load and check it: the main job.

    Without --since it goes on where the newest batch ended, and fetches everything on the first run.
    """

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        return pipeline.run(
            settings,
            _read_window(shared),
            backfill=_read_backfill(shared),
            verify=verify,
            wait_s=shared.wait_s,
            runtime=runtime,
        )

    _execute(shared, work)


@app.command(epilog="Example: ordersetl extract --since 2025-08-20 --until 2025-08-25")
@share_options(fetches=True)
def extract(shared: Shared) -> None:
    """Fetch a window of orders into raw/; commit it as one batch."""

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        return pipeline.extract(
            settings, _read_window(shared), backfill=_read_backfill(shared), wait_s=shared.wait_s, runtime=runtime
        )

    _execute(shared, work)


@app.command(epilog="Example: ordersetl transform --json | jq .data.rejected_by_reason")
@share_options(computes=True)
def transform(shared: Shared) -> None:
    """Validate raw batches that wait; stage typed orders and lines."""

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        return pipeline.transform(settings, wait_s=shared.wait_s, runtime=runtime)

    _execute(shared, work)


@app.command(epilog="Example: ordersetl load --verify")
@share_options(computes=True)
def load(shared: Shared, *, verify: Verify = False, rebuild: Rebuild = False) -> None:
    """Fold staged batches into curated/; repair what is damaged there."""

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        return pipeline.load(settings, verify=verify, rebuild=rebuild, wait_s=shared.wait_s, runtime=runtime)

    _execute(shared, work)


@app.command(epilog="Example: ordersetl check --json | jq '.data.outcomes[] | select(.ok | not)'")
@share_options(locks=False)
def check(shared: Shared, *, deep: Deep = False) -> None:
    """Check with DuckDB that curated/ is right; exit 3 if it is not.

    It changes nothing and takes no lock.
    """

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        del runtime
        return pipeline.check(settings, deep=deep)

    _execute(shared, work)


def _execute(shared: Shared, work: "Callable[[Settings, Runtime], object]") -> None:
    """Settings, one library call under the signals' eyes, and the result on stdout."""
    from ordersetl.cli import streams
    from ordersetl.cli.signals import Interrupts
    from ordersetl.report.failures import check_failure
    from ordersetl.results import CheckResult
    from ordersetl.runtime import Runtime
    from ordersetl.settings import load_settings

    invocation = shared.context.find_object(Invocation) or Invocation()
    invocation.json, invocation.verbose = shared.json, shared.verbose
    options = invocation.options = OptionsInUse.of({"config": shared.config, **shared.settings})
    streams.start_logging(options, quiet=shared.quiet, verbose=shared.verbose)
    settings = load_settings(shared.config, **shared.settings)
    import_pipeline()
    interrupts = Interrupts()
    with interrupts.obey(), streams.show_progress(quiet=shared.quiet) as progress:
        runtime = Runtime(
            progress=progress,
            checkpoint=interrupts.checkpoint,
            interruptible=interrupts.interruptible,
            sleep=interrupts.sleep,
        )
        result = work(settings, runtime)
    failure = check_failure(result) if isinstance(result, CheckResult) else None
    if shared.json:
        streams.print_envelope(invocation.command, result, failure, options)
    elif not shared.quiet:
        streams.print_result(result, options)
    if failure is not None:
        streams.print_error(failure, options)
        raise typer.Exit(failure.exit_code)


def _read_window(shared: Shared) -> "Window":
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


def _read_backfill(shared: Shared) -> "Backfill | None":
    from ordersetl.settings import read_span
    from ordersetl.window import Backfill

    if shared.window is None:
        if shared.concurrency is not None:
            raise ConfigError("--concurrency is for windows", hint="Give --window too, such as --window 7d.")
        return None
    try:
        span = read_span(shared.window)
    except ValueError as error:
        raise ConfigError(f"--window {shared.window}: {error}", hint="Give a span such as 7d or 12h.") from None
    return Backfill(span) if shared.concurrency is None else Backfill(span, shared.concurrency)
