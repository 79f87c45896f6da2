"""The options of the commands, each with its help; those that several commands have are added by a decorator."""
# ruff: noqa: PLC0415

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ordersetl.cli.group import COMPLETE_VARIABLE
from ordersetl.text import printable
from ordersetl.version import __version__

__all__ = [
    "ApiUrl",
    "Deep",
    "ExportFile",
    "ExportFormat",
    "ExportTable",
    "FromDay",
    "Html",
    "InstallCompletion",
    "MaxAge",
    "NoPreview",
    "OrderId",
    "Preview",
    "PrintSql",
    "Prometheus",
    "Quarantine",
    "Reason",
    "Rebuild",
    "Set",
    "Shared",
    "ShowCompletion",
    "Source",
    "ToDay",
    "Verify",
    "Version",
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
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="PATH", help="Folder, or s3://, of all that is kept  [default: output]."),
]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file  [default: ordersetl.toml, if there].")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, also on failure.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors and warnings, and JSON if asked for.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show all details; log requests and retries to stderr.")]
Wait = Annotated[float, typer.Option("--wait", min=0, metavar="SECONDS", help="Wait so long for another run to end.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Orders updated from here on: YYYY-MM-DD or ISO 8601, UTC if naive."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Orders updated before this time.")]
Full = Annotated[bool, typer.Option("--full", help="Fetch everything again, not only what is new.")]
Window = Annotated[
    str | None,
    typer.Option("--window", metavar="SPAN", help="Cut the time since --since into windows, e.g. 7d, a batch each."),
]
Concurrency = Annotated[
    int | None,
    typer.Option("--concurrency", min=1, max=32, metavar="N", help="Fetch so many windows at a time  [default: 4]."),
]
ApiUrl = Annotated[
    str | None, typer.Option("--api-url", metavar="URL", help="Base URL of the API; the source adds its paths.")
]
Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="NAME|PATH",
        help="Kind of API: a built-in source, or a description's file  [default: generic; sample without an API].",
    ),
]
Users = Annotated[Path | None, typer.Option("--users", help="CSV with user_id,email,country,created_at.")]
Products = Annotated[Path | None, typer.Option("--products", help="CSV with sku,name,category,price.")]
Cluster = Annotated[
    str | None,
    typer.Option("--cluster", metavar="URL", help="Dask cluster that does the work: tcp://host:8786, or local:4."),
]
Warehouse = Annotated[
    str | None,
    typer.Option("--warehouse", metavar="URL", help="Warehouse that follows curated/, e.g. duckdb:///shop.duckdb."),
]
PrintSql = Annotated[
    str | None,
    typer.Option("--print-sql", metavar="KIND", help="Print SQL to run: postgres, redshift or redshift-spectrum."),
]
Verify = Annotated[bool, typer.Option("--verify", help="Hash every curated file first, and rebuild what differs.")]
Preview = Annotated[
    int | None,
    typer.Option(
        "--preview", min=1, max=1000, metavar="N", help="Fetch one page, show N orders as read; write nothing."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Value of one of the source's own variables; as often as needed."),
]
NoPreview = Annotated[bool, typer.Option("--no-preview", help="Write the file without asking the API for orders.")]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Fold everything from raw again.")]
Deep = Annotated[bool, typer.Option("--deep", help="Validate raw/ again too, by SQL of its own, order by order.")]

Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the result as one page, too.")]
MaxAge = Annotated[
    str | None, typer.Option("--max-age", metavar="SPAN", help="Exit 3 where curated is older, such as 6h or 2d.")
]
Prometheus = Annotated[
    Path | None, typer.Option("--prometheus", metavar="FILE", help="Write the figures there too, for Prometheus.")
]
Quarantine = Annotated[bool, typer.Option("--quarantine", help="List what was rejected and is still open.")]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="NAME", help="With --quarantine: only what this rule rejected.")
]
OrderId = Annotated[
    str | None, typer.Option("--order", metavar="ID", help="Tell the life of one order: why is it missing?")
]

ExportFile = Annotated[Path, typer.Argument(metavar="FILE", help="Where to: in .csv, .parquet or .xlsx.")]
ExportTable = Annotated[
    str, typer.Option("--table", metavar="NAME", help="orders, fact_order, sales_by_day or another table or view.")
]
ExportFormat = Annotated[
    Literal["csv", "parquet", "xlsx"] | None, typer.Option("--format", help="What the file's name does not say.")
]
FromDay = Annotated[str | None, typer.Option("--since", metavar="DAY", help="From this day on: YYYY-MM-DD.")]
ToDay = Annotated[str | None, typer.Option("--until", metavar="DAY", help="Before this day: YYYY-MM-DD.")]


@dataclass(frozen=True)
class Shared:
    """The options that several commands have, as they were given; those that a command lacks are as by default.

    ``settings`` are those that set something, by its field, None where not given.
    """

    context: typer.Context
    config: Path | None
    json: bool
    quiet: bool
    verbose: bool
    settings: Mapping[str, object]
    wait_s: float = 0.0
    since: str | None = None
    until: str | None = None
    full: bool = False
    window: str | None = None
    concurrency: int | None = None


_SETTINGS = ("cluster", "output", "api_url", "source", "users", "products", "warehouse")


def _declare_fetching(
    *,
    since: Since = None,
    until: Until = None,
    full: Full = False,
    window: Window = None,
    concurrency: Concurrency = None,
    api_url: ApiUrl = None,
    source: Source = None,
    users: Users = None,
    products: Products = None,
) -> None:
    """Say how Typer is to read what commands that fetch have, in the order of the help."""


def _declare_shared(
    *,
    warehouse: Warehouse = None,
    cluster: Cluster = None,
    wait_s: Wait = 0.0,
    output: Output = None,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    version: Version = False,
) -> None:
    """Say how Typer is to read what all commands have, in the order of the help."""


def share_options(
    *, fetches: bool = False, computes: bool = False, loads: bool = False, locks: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the shared options around its own; it gets them as its first argument, a :class:`Shared`.

    Args:
        fetches: it asks the source.
        computes: it has work for a cluster.
        locks: it takes the lock, so that it can wait for it.
        loads: it has to do with a warehouse.
    """
    before = list(inspect.signature(_declare_fetching).parameters.values()) if fetches else []
    has = {"warehouse": loads, "cluster": computes, "wait_s": locks}
    after = [p for p in inspect.signature(_declare_shared).parameters.values() if has.get(p.name, True)]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())[1:]

        @wraps(command)
        def call(context: typer.Context, **given: Any) -> None:  # noqa: ANN401 - any option's value
            given.pop("version")  # its callback has seen to it
            common = {p.name: given.pop(p.name) for p in (*before, *after) if p.name in given}
            settings = {name: common.pop(name) for name in _SETTINGS if name in common}
            command(Shared(context, settings=settings, **common), **given)

        context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        signature = inspect.Signature([context, *before, *own, *after])
        call.__signature__ = signature  # type: ignore[attr-defined] # what Typer reads
        call.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        return call

    return decorate
