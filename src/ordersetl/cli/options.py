"""The options of the commands, each with its help; and those that all commands share, added by a decorator."""
# ruff: noqa: PLC0415

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ordersetl.cli.group import COMPLETE_VARIABLE
from ordersetl.text import printable
from ordersetl.version import __version__

__all__ = [
    "ApiUrl",
    "Config",
    "Deep",
    "Full",
    "InstallCompletion",
    "Json",
    "Output",
    "Products",
    "Quiet",
    "Rebuild",
    "Shared",
    "Shell",
    "ShowCompletion",
    "Since",
    "Source",
    "Until",
    "Users",
    "Verbose",
    "Verify",
    "Version",
    "Wait",
    "share_options",
]


def _show_version(value: bool) -> None:  # noqa: FBT001 - a Typer callback
    if value:
        typer.echo(f"ordersetl {__version__}")
        raise typer.Exit


def _show_completion(shell: str | None) -> None:  # a Typer callback
    if shell is not None:
        from typer._completion_shared import get_completion_script

        typer.echo(get_completion_script(prog_name="ordersetl", complete_var=COMPLETE_VARIABLE, shell=shell))
        raise typer.Exit


def _install_completion(shell: str | None) -> None:  # a Typer callback
    if shell is not None:
        from typer._completion_shared import install

        _, path = install(shell, prog_name="ordersetl", complete_var=COMPLETE_VARIABLE)
        typer.echo(f"Completion for {shell} is installed in {printable(str(path))}; it works in a new terminal.")
        raise typer.Exit


Shell = Literal["bash", "zsh", "fish", "powershell", "pwsh"]
ShowCompletion = Annotated[
    Shell | None,
    typer.Option(
        "--show-completion", callback=_show_completion, is_eager=True, help="Print the completion script of a shell."
    ),
]
InstallCompletion = Annotated[
    Shell | None,
    typer.Option(
        "--install-completion", callback=_install_completion, is_eager=True, help="Install completion for a shell."
    ),
]
Version = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Folder of all that is kept  [default: output].")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file  [default: ordersetl.toml, if there].")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, also on failure.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors and warnings, and JSON if asked for.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Log requests and retries to stderr, and where a bug is.")
]
Wait = Annotated[float, typer.Option("--wait", min=0, metavar="SECONDS", help="Wait so long for another run to end.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Orders updated from here on: YYYY-MM-DD or ISO 8601, UTC if naive."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Orders updated before this time.")]
Full = Annotated[bool, typer.Option("--full", help="Fetch everything again, not only what is new.")]
ApiUrl = Annotated[
    str | None, typer.Option("--api-url", metavar="URL", help="Base URL of the API; /orders is appended to it.")
]
Source = Annotated[
    str | None, typer.Option("--source", metavar="KIND", help="Kind of API: generic, or sample (the built-in one).")
]
Users = Annotated[Path | None, typer.Option("--users", help="CSV with user_id,email,country,created_at.")]
Products = Annotated[Path | None, typer.Option("--products", help="CSV with sku,name,category,price.")]
Verify = Annotated[bool, typer.Option("--verify", help="Hash every curated file first, and rebuild what differs.")]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Fold everything from raw anew.")]
Deep = Annotated[bool, typer.Option("--deep", help="Judge raw/ again too, by SQL of its own, order by order.")]


@dataclass(frozen=True)
class Shared:
    """The options that all commands have, as they were given; ``wait_s`` is 0 where the command takes no lock."""

    context: typer.Context
    output: Path | None
    config: Path | None
    json: bool
    quiet: bool
    verbose: bool
    wait_s: float = 0.0


def _declare_shared(
    *,
    wait_s: Wait = 0.0,
    output: Output = None,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    version: Version = False,
) -> None:
    """Say how Typer is to read them, in the order of the help."""


def share_options(*, locks: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the shared options after its own; it gets them as its first argument, a :class:`Shared`.

    Args:
        locks: it takes the lock, so that it can wait for it.
    """
    shared = [p for p in inspect.signature(_declare_shared).parameters.values() if locks or p.name != "wait_s"]
    kept = {field.name for field in fields(Shared)}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())[1:]

        @wraps(command)
        def call(context: typer.Context, **given: Any) -> None:  # noqa: ANN401 - any option's value
            common = {p.name: given.pop(p.name) for p in shared}
            command(Shared(context, **{name: common[name] for name in kept & common.keys()}), **given)

        context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        signature = inspect.Signature([context, *own, *shared])
        call.__signature__ = signature  # type: ignore[attr-defined] # what Typer reads
        call.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        return call

    return decorate
