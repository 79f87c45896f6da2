"""The command line: each command parses its flags, makes one library call, and shows the result.

Nothing heavy is imported here: ``ordersetl --help`` must answer at once.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ordersetl import __version__
from ordersetl.errors import ConfigError, InternalError, OrdersetlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ordersetl.extract import Window
    from ordersetl.job import Runtime
    from ordersetl.settings import Settings

__all__ = ["app", "main"]

_USAGE = 2


@dataclass
class _State:
    """What the error path must know of the command under way."""

    command: str = ""
    json: bool = False
    quiet: bool = False
    verbose: bool = False


class _Commands(TyperGroup):
    """The group of commands; errors of the library end here, in a shell and under a test runner alike."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer keeps its context class to itself
        """Run the command; turn its errors into a message, an exit code and, with ``--json``, an envelope."""
        given = [*getattr(ctx, "_protected_args", []), *ctx.args]
        command = next((name for name in given if name in self.commands), "")
        state = ctx.obj = _State(command=command, json="--json" in given)
        try:
            return super().invoke(ctx)
        except OrdersetlError as error:
            _fail(state, error)
        except (typer.Exit, typer.Abort, KeyboardInterrupt, BrokenPipeError):
            raise
        except Exception as error:
            if getattr(error, "exit_code", None) == _USAGE and hasattr(error, "format_message"):
                if state.json:
                    _print_failure(state, ConfigError(error.format_message(), hint=f"See: ordersetl {command} --help"))
                raise
            if state.verbose:
                raise
            message = f"{type(error).__name__}: {error}"
            hint = "This is a bug in ordersetl. Run again with --verbose to see where, and please report it."
            _fail(state, InternalError(message, hint=hint))


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Orders from a JSON API into a partitioned star schema you can trust.

    Raw responses are kept, everything else is derived from them: run it twice, kill it, delete a folder, change an
    order at the source, and the result is right again after the next run.

    With no API set, the built-in sample API answers: try [bold]ordersetl run[/bold] in an empty folder.""",
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 data, 4 source, 5 locked, 130 interrupted.",
)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="ordersetl")


def _show_version(value: bool) -> None:  # noqa: FBT001 - a Typer callback
    if value:
        typer.echo(f"ordersetl {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder of all that is kept.  [default: ./output]", show_default=False)
]
Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file.  [default: ./ordersetl.toml]", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notices; errors still show.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr: every request and retry.")]
Wait = Annotated[float, typer.Option("--wait", min=0, metavar="SECONDS", help="Wait so long for another run to end.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Orders updated from here on: YYYY-MM-DD or ISO 8601, UTC if naive."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Orders updated before this time.")]
Full = Annotated[bool, typer.Option("--full", help="Fetch everything again, not only what is new.")]
ApiUrl = Annotated[str | None, typer.Option("--api-url", help="Base URL of the API; /orders follows it.")]
Source = Annotated[str | None, typer.Option("--source", help="Kind of API: generic, or sample (built in).")]
Users = Annotated[Path | None, typer.Option("--users", help="CSV: user_id,email,country,created_at.")]
Products = Annotated[Path | None, typer.Option("--products", help="CSV: sku,name,category,price.")]
Verify = Annotated[bool, typer.Option("--verify", help="Hash every curated file first, and rebuild what differs.")]


@app.callback()
def _root(version: Version = False) -> None:
    """Hold the options of the whole tool."""


@app.command(epilog="Example: ordersetl run --api-url https://shop.example/api --users users.csv --since 2025-08-01")
def run(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    full: Full = False,
    api_url: ApiUrl = None,
    source: Source = None,
    users: Users = None,
    products: Products = None,
    verify: Verify = False,
    wait: Wait = 0.0,
    output: Output = None,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    version: Version = False,
) -> None:
    """Fetch what is new, transform, load and check it: the main job.

    Without --since it goes on where the newest batch ended, and fetches everything on the first run.
    """

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        window = _window(since, until, full=full)
        return pipeline.run(
            settings, window, users=users, products=products, verify=verify, wait_s=wait, runtime=runtime
        )

    flags = {"output": output, "api_url": api_url, "source": source}
    _execute(ctx, work, config, flags, json=json, quiet=quiet, verbose=verbose)


@app.command(epilog="Example: ordersetl extract --since 2025-08-20 --until 2025-08-25")
def extract(
    ctx: typer.Context,
    since: Since = None,
    until: Until = None,
    full: Full = False,
    api_url: ApiUrl = None,
    source: Source = None,
    users: Users = None,
    products: Products = None,
    wait: Wait = 0.0,
    output: Output = None,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    version: Version = False,
) -> None:
    """Fetch a window of orders into raw/, and commit it as one batch."""

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        window = _window(since, until, full=full)
        return pipeline.extract(settings, window, users=users, products=products, wait_s=wait, runtime=runtime)

    flags = {"output": output, "api_url": api_url, "source": source}
    _execute(ctx, work, config, flags, json=json, quiet=quiet, verbose=verbose)


@app.command(epilog="Example: ordersetl transform --json | jq .data.rejected_by_reason")
def transform(
    ctx: typer.Context,
    wait: Wait = 0.0,
    output: Output = None,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    version: Version = False,
) -> None:
    """Validate the raw batches that wait, and stage them as typed orders and lines."""

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        return pipeline.transform(settings, wait_s=wait, runtime=runtime)

    _execute(ctx, work, config, {"output": output}, json=json, quiet=quiet, verbose=verbose)


@app.command(epilog="Example: ordersetl load --verify")
def load(
    ctx: typer.Context,
    verify: Verify = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Fold everything from raw anew.")] = False,
    wait: Wait = 0.0,
    output: Output = None,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    version: Version = False,
) -> None:
    """Fold the staged batches into curated/, and heal what is missing or damaged there."""

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        return pipeline.load(settings, verify=verify, rebuild=rebuild, wait_s=wait, runtime=runtime)

    _execute(ctx, work, config, {"output": output}, json=json, quiet=quiet, verbose=verbose)


@app.command(epilog="Example: ordersetl check --json | jq '.data.outcomes[] | select(.ok | not)'")
def check(
    ctx: typer.Context,
    deep: Annotated[bool, typer.Option("--deep", help="Also count raw/ again, by SQL of its own.")] = False,
    output: Output = None,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    version: Version = False,
) -> None:
    """Prove with DuckDB that curated/ is what it must be; changes nothing, and fails with exit 3."""

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        del runtime
        return pipeline.check(settings, deep=deep)

    _execute(ctx, work, config, {"output": output}, json=json, quiet=quiet, verbose=verbose)


def _execute(
    ctx: typer.Context,
    work: "Callable[[Settings, Runtime], object]",
    config: Path | None,
    flags: dict[str, object],
    *,
    json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Settings, one library call under the signals' eyes, and the result on stdout."""
    from ordersetl import _render
    from ordersetl._signals import Interrupts
    from ordersetl.job import Runtime
    from ordersetl.settings import load_settings

    state: _State = ctx.obj
    state.json, state.quiet, state.verbose = json, quiet, verbose
    _render.start_logging(quiet=quiet, verbose=verbose)
    settings = load_settings(config, **flags)
    interrupts = Interrupts()
    with interrupts.obey(), _render.show_progress(quiet=quiet) as progress:
        runtime = Runtime(
            progress=progress,
            checkpoint=interrupts.checkpoint,
            interruptible=interrupts.interruptible,
            sleep=interrupts.sleep,
        )
        result = work(settings, runtime)
    failure = _render.failure_of(result)
    if json:
        _render.print_envelope(state.command, result, failure)
    else:
        _render.print_result(result)
    if failure is not None:
        _render.print_error(failure)
        raise typer.Exit(failure.exit_code)


def _window(since: str | None, until: str | None, *, full: bool) -> "Window":
    from ordersetl.extract import Window
    from ordersetl.models import read_time

    moments = []
    for flag, text in (("--since", since), ("--until", until)):
        moment = read_time(text)
        if text is not None and moment is None:
            raise ConfigError(
                f"{flag} {text}: not a time", hint="Give YYYY-MM-DD or ISO 8601, as in 2025-08-23 or 2025-08-23T06:00:00Z."
            )
        moments.append(moment)
    if full and since is not None:
        raise ConfigError("--full and --since contradict each other", hint="Leave one of them out.")
    return Window(moments[0], moments[1], full=full)


def _fail(state: _State, error: OrdersetlError) -> None:
    from ordersetl import _render

    if state.json:
        _print_failure(state, error)
    _render.print_error(error)
    raise typer.Exit(error.exit_code)


def _print_failure(state: _State, error: OrdersetlError) -> None:
    from ordersetl import _render

    _render.print_envelope(state.command, None, error)


if __name__ == "__main__":
    sys.exit(main())
