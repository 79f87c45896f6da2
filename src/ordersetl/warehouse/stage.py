"""The warehouse as a step of the pipeline: after a load it is brought to the manifest, and a check compares it.

Where no warehouse is set, nothing of it is imported; a driver is imported by what connects.
"""
# ruff: noqa: PLC0415

import dataclasses
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ordersetl.errors import ConfigError
from ordersetl.lake.layout import Lake
from ordersetl.lake.location import find_lake
from ordersetl.lake.manifest import read_manifest, read_readable, require_readable
from ordersetl.results import CheckResult, SqlScript, WarehouseResult
from ordersetl.runtime import RunContext
from ordersetl.settings import Settings

if TYPE_CHECKING:
    from ordersetl.warehouse.connection import Warehouse
    from ordersetl.warehouse.target import Target

__all__ = ["add_warehouse", "connect", "follow_manifest", "require_warehouse", "write_statements"]

_MAX_SAMPLES = 20
_DRIVERS = {"postgresql": ("psycopg", "postgres"), "redshift": ("redshift_connector", "redshift")}
"""The module of each driver that is no dependency, and the extra that brings it."""


def require_warehouse(settings: Settings) -> None:
    """Refuse a warehouse that cannot be worked with, before any work is done for it.

    Raises:
        ConfigError: its URL says what cannot be, or its driver is not installed.
    """
    target = _find_target(settings)
    module, extra = _DRIVERS.get(target.kind, ("", "")) if target else ("", "")
    if module and find_spec(module) is None:
        raise ConfigError(
            f"the driver for {extra} is not installed", hint=f"Install it: pip install 'ordersetl[{extra}]'"
        )


def follow_manifest(
    context: RunContext, begin: Callable[[str], object] = str, *, verify: bool = False
) -> WarehouseResult | None:
    """Bring the warehouse that is set to the manifest; None where none is set.

    Args:
        context: the run context; its lock keeps others from writing the output meanwhile.
        begin: is told where this begins to be the stage under way.
        verify: compare all rows of the warehouse with curated first, instead of trusting its ledger.

    Raises:
        OrdersetlError: as :func:`~ordersetl.warehouse.sync.sync_warehouse` says.
    """
    target = _find_target(context.settings)
    manifest = read_manifest(context.lake) if target else None
    if target is None or manifest is None:
        return None
    begin("warehouse")
    from ordersetl.warehouse.sync import sync_warehouse

    return sync_warehouse(
        partial(connect, target), target.url, context.lake, manifest, now=context.now(), verify=verify
    )


def add_warehouse(settings: Settings, lake: Lake, result: CheckResult) -> CheckResult:
    """The result of a check with what comparing the warehouse that is set with curated finds; as it is where none is.

    Raises:
        WarehouseError: it cannot be reached, or failed.
    """
    target = _find_target(settings)
    if target is None:
        return result
    manifest = read_readable(lake)
    if manifest is None:
        return result  # which says so
    from ordersetl.warehouse.compare import compare_warehouse

    with closing(connect(target, read_only=True)) as warehouse:
        warehouse.begin()
        found = compare_warehouse(warehouse, lake, manifest, max_samples=_MAX_SAMPLES)
    outcomes = (*result.outcomes, *found)
    return dataclasses.replace(result, outcomes=outcomes, ok=all(outcome.ok for outcome in outcomes))


def write_statements(settings: Settings, kind: str, now: datetime) -> SqlScript:
    """The statements of a load of all that curated holds, for people who run them themselves; nothing is connected to.

    Raises:
        ConfigError: there is no such kind, nothing was loaded into curated yet, or an older version did it.
    """
    from ordersetl.warehouse.names import Names
    from ordersetl.warehouse.redshift_sql import write_role
    from ordersetl.warehouse.script import OF_WAREHOUSE, SCRIPTS, STAGING, write_script

    if kind not in SCRIPTS:
        raise ConfigError(f"--print-sql {kind}: no such statements", hint=f"Choose one of {', '.join(SCRIPTS)}.")
    lake = find_lake(settings.output)
    manifest = read_manifest(lake)
    if manifest is None:
        raise ConfigError("there is nothing in curated yet", hint="Load it first: ordersetl run")
    require_readable(lake, manifest)
    found = _find_target(settings)
    target = found if found and found.kind == OF_WAREHOUSE[kind] else None
    schema = settings.warehouse_schema or ("spectrum" if kind == "redshift-spectrum" else "public")
    names = target.names if target else Names(schema, settings.warehouse_prefix or "")
    options = target.options if target else {}
    sql = write_script(
        kind,
        lake,
        manifest,
        names,
        now,
        staging=options.get("staging", STAGING),
        access=write_role(options.get("iam_role", "default")),
        by_month=target is not None and target.by_month,
    )
    return SqlScript(kind, sql)


def _find_target(settings: Settings) -> "Target | None":
    if settings.warehouse is None:
        return None
    from ordersetl.warehouse.target import find_target

    return find_target(settings)


def connect(target: "Target", *, read_only: bool = False) -> "Warehouse":
    """Open a warehouse; its driver is only imported then.

    Raises:
        WarehouseError: it cannot be opened.
    """
    match target.kind:
        case "duckdb":
            from ordersetl.warehouse import duckdb_file

            return duckdb_file.connect(target, read_only=read_only)
        case "postgresql":
            from ordersetl.warehouse import postgres

            return postgres.connect(target, read_only=read_only)
        case "redshift":
            from ordersetl.warehouse import redshift

            return redshift.connect(target, read_only=read_only)
