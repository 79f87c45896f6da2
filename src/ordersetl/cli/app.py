"""The command line: each command parses its flags, makes one library call, and shows the result.

Nothing heavy is imported here: ``ordersetl --help`` must answer at once.
"""
# ruff: noqa: PLC0415

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from ordersetl.cli.execute import execute, read_backfill, read_day, read_span_of, read_window, refuse_with_preview
from ordersetl.cli.group import Commands
from ordersetl.cli.options import (
    ApiUrl,
    Deep,
    ExportFile,
    ExportFormat,
    ExportTable,
    FromDay,
    Html,
    InstallCompletion,
    MaxAge,
    NoPreview,
    OrderId,
    Preview,
    PrintSql,
    Prometheus,
    Quarantine,
    Reason,
    Rebuild,
    Set,
    Shared,
    ShowCompletion,
    Source,
    ToDay,
    Verify,
    Version,
    share_options,
)
from ordersetl.cli.process import end_process_with
from ordersetl.errors import ConfigError

if TYPE_CHECKING:
    from ordersetl.runtime import Runtime
    from ordersetl.settings import Settings

__all__ = ["app", "main"]

_INIT_ORDERS = 5
"""Orders that init shows."""

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
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 data, 4 source or warehouse, 5 locked, 130 interrupted.",
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
@share_options(fetches=True, computes=True, loads=True)
def run(shared: Shared, *, verify: Verify = False) -> None:
    """Fetch what is new, transform, load and check it: the main job.

    Without --since it goes on where the newest batch ended, and fetches everything on the first run.
    """

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        return pipeline.run(
            settings,
            read_window(shared),
            backfill=read_backfill(shared),
            verify=verify,
            wait_s=shared.wait_s,
            runtime=runtime,
        )

    execute(shared, work)


@app.command(epilog="Example: ordersetl extract --source shopify --preview 20")
@share_options(fetches=True)
def extract(shared: Shared, *, preview: Preview = None) -> None:
    """Fetch a window of orders into raw/; commit it as one batch.

    With --preview it shows what becomes of the first orders instead, and writes nothing.
    """

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        if preview is not None:
            refuse_with_preview(shared)
            return pipeline.preview(settings, read_window(shared), orders=preview, runtime=runtime)
        return pipeline.extract(
            settings, read_window(shared), backfill=read_backfill(shared), wait_s=shared.wait_s, runtime=runtime
        )

    execute(shared, work)


@app.command(epilog="Example: ordersetl transform --json | jq .data.rejected_by_reason")
@share_options(computes=True)
def transform(shared: Shared) -> None:
    """Validate raw batches that wait; stage typed orders and lines."""

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        return pipeline.transform(settings, wait_s=shared.wait_s, runtime=runtime)

    execute(shared, work)


@app.command(epilog="Example: ordersetl load --verify")
@share_options(computes=True, loads=True)
def load(shared: Shared, *, verify: Verify = False, rebuild: Rebuild = False, print_sql: PrintSql = None) -> None:
    """Fold staged batches into curated/; repair what is damaged there.

    With --print-sql nothing is loaded: it prints statements that load curated/ into a warehouse, for you to run.
    """
    if print_sql is not None and (verify or rebuild):
        raise ConfigError("--print-sql loads nothing", hint="Leave --verify and --rebuild out.")

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        if print_sql is not None:
            from ordersetl.warehouse.stage import write_statements

            return write_statements(settings, print_sql, runtime.now())
        return pipeline.load(settings, verify=verify, rebuild=rebuild, wait_s=shared.wait_s, runtime=runtime)

    execute(shared, work)


@app.command(epilog="Example: ordersetl check --html report.html")
@share_options(locks=False, computes=True, loads=True)
def check(shared: Shared, *, deep: Deep = False, html: Html = None) -> None:
    """Check with DuckDB that curated/ is right; exit 3 if it is not.

    It changes nothing and takes no lock.
    """

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        return pipeline.check(settings, deep=deep, runtime=runtime)

    execute(replace(shared, settings={**shared.settings, "report_html": html}), work)


@app.command(epilog="Example: ordersetl status --max-age 6h")
@share_options(locks=False)
def status(
    shared: Shared,
    *,
    max_age: MaxAge = None,
    prometheus: Prometheus = None,
    quarantine: Quarantine = False,
    reason: Reason = None,
    order: OrderId = None,
) -> None:
    """Show how old the data is, what waits, what is missing, and why.

    It takes no lock, reads little, and works while a run is under way.
    """
    of_records, of_age = quarantine or order is not None, max_age is not None or prometheus is not None
    if (reason is not None and not quarantine) or (of_records and of_age):
        raise ConfigError(
            "these options do not go together",
            hint="Give --max-age and --prometheus, or --quarantine with --reason and --order, or --order alone.",
        )

    if order == "":
        raise ConfigError("--order is empty", hint="Give the id of an order, as curated and the quarantine write it.")

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl.lake.location import find_lake
        from ordersetl.status.order_life import trace_order
        from ordersetl.status.overview import read_status
        from ordersetl.status.prometheus import write_metrics
        from ordersetl.status.rejects import list_quarantine

        lake = find_lake(settings.output, runtime.disk)
        if quarantine:
            return list_quarantine(lake, reason=reason, order_id=order)
        if order is not None:
            return trace_order(lake, order, runtime.now(), lookback=settings.lookback)
        if prometheus is not None:
            lake.require_not_within(prometheus)
        oldest = None if max_age is None else read_span_of("--max-age", max_age)
        result = read_status(lake, runtime.now(), max_age=oldest, lookback=settings.lookback)
        if prometheus is not None:
            write_metrics(prometheus, result, runtime.disk)
        return result

    execute(shared, work)


@app.command(epilog="Example: ordersetl export august.xlsx --since 2025-08-01 --until 2025-09-01")
@share_options(locks=False)
def export(
    shared: Shared,
    file: ExportFile,
    *,
    table: ExportTable = "orders",
    since: FromDay = None,
    until: ToDay = None,
    kind: ExportFormat = None,
) -> None:
    """Write a table or view, or some days of it, into one file.

    Days are the shop's. It takes no lock, and what it writes is of one committed state.
    """

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl.export.stage import export_table, read_format
        from ordersetl.lake.location import find_lake

        days = {"since": read_day("--since", since), "until": read_day("--until", until)}
        found = read_format(file, kind)
        return export_table(find_lake(settings.output, runtime.disk), table, file, found, **days)

    execute(shared, work)


@app.command(epilog="Example: ordersetl init --source shopify --api-url https://NAME.myshopify.com")
@share_options(locks=False)
def init(
    shared: Shared, *, source: Source = None, api_url: ApiUrl = None, set_: Set = None, no_preview: NoPreview = False
) -> None:
    """Preview a source's orders, and write its settings file.

    On a terminal it asks for what the flags and the environment do not say. Secrets are taken from the environment, or
    asked for, and never written. A file that is there stays as it is.
    """
    from ordersetl.cli.init import complete_settings, read_assignments, require_new_file, write_settings_file

    path = require_new_file(shared.config)

    def load() -> "Settings":
        from ordersetl.settings import load_given

        variables = read_assignments(set_ or [])
        given = {**shared.settings, "source": source, "api_url": api_url, "variables": variables or None}
        return complete_settings(load_given(**given))

    def work(settings: "Settings", runtime: "Runtime") -> object:
        from ordersetl import pipeline

        shown = None if no_preview else pipeline.preview(settings, orders=_INIT_ORDERS, runtime=runtime)
        return write_settings_file(path, settings, shown)

    execute(shared, work, load)
