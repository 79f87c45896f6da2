"""The check stage: is the curated layer what it must be? It reads, judges and measures, and changes nothing."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

import duckdb

from ordersetl.check.files import (
    find_regular_files,
    inspect_batches,
    inspect_files,
    inspect_orphans,
    inspect_quarantine,
)
from ordersetl.check.metrics import add_metrics, collect_metrics, create_metric_tables
from ordersetl.check.open_quarantine import close_gone, close_rejects, list_open, load_rejects
from ordersetl.check.reconciliation import compare_raw, create_held_orders, hold_orders
from ordersetl.check.tables import (
    create_manifest_tables,
    fetch_samples,
    group_files,
    open_database,
    read_files,
    read_sql,
)
from ordersetl.errors import CorruptedError, StorageError
from ordersetl.lake.layout import CURATED, MANIFEST, Lake, file_day, partition_file, refund_day
from ordersetl.lake.manifest import FileEntry, Manifest, read_manifest
from ordersetl.resources import locate
from ordersetl.results import CheckMetrics, CheckOutcome, CheckResult, LayerTotals, OpenQuarantine
from ordersetl.star.schema import DIM_PRODUCT, DIM_USER, FACT_ORDER

__all__ = ["check"]

_DIMENSIONS = {f"{table.name}.csv": table for table in (DIM_USER, DIM_PRODUCT)}
_MANIFEST_WHY = "The manifest says what the curated layer holds: without it nothing can be held against anything."
_METRIC_COLUMNS = ("line_amount", "lines_with_amount", "user_country", "updated_at_order")
"""Columns of order_spread that no check looks at."""
_READABLE_WHY = "A file that does not read as its table under its types breaks every query over it."


@dataclass
class _CheckRun:
    """What one SQL check has found so far, over the groups of partitions."""

    name: str
    sql: str
    offending: int = 0
    samples: list[dict[str, str]] = field(default_factory=list)

    @property
    def outcome(self) -> CheckOutcome:
        why = self.sql.partition("\n")[0].removeprefix("--").strip()
        return CheckOutcome(self.name, not self.offending, why, self.offending, tuple(self.samples))

    def reads(self, *tables: str) -> bool:
        query = self.sql.partition("\n")[2]
        return any(table in query for table in tables)


def check(
    lake: Lake,
    *,
    deep: bool = False,
    days: Collection[date] | None = None,
    dimensions: bool = True,
    max_samples: int = 5,
) -> CheckResult:
    """Hold the curated layer against its manifest, its rules and, with ``deep``, the raw log.

    Args:
        lake: the output folder; nothing in it is changed.
        deep: judge the raw pages anew in SQL and compare order by order; only over the whole layer.
        days: the partitions to cover; None for the whole layer, and only then with metrics, and every file hashed.
        dimensions: cover the dimensions, which partitions are held against; without them, no day may be given.
        max_samples: offending rows that are shown of each check.

    Returns:
        The verdict. Where checks fail, it says which and on what; a missing or damaged manifest is such a failure.

    Raises:
        StorageError: the disk refused, or there was no room for what DuckDB sets aside.
    """
    started = time.perf_counter()
    outcomes: list[CheckOutcome] = []
    metrics, open_quarantine = CheckMetrics(), None
    manifest, problem = _read_manifest(lake)
    outcomes.append(CheckOutcome("manifest", not problem, _MANIFEST_WHY, int(bool(problem)), detail=problem))
    if not problem:
        files = _select_files(manifest, days) if dimensions else {}
        outcomes += _inspect(lake, manifest, files, days, max_samples)
        try:
            if dimensions:
                with open_database() as database:
                    found, metrics, open_quarantine = _query(
                        database,
                        lake,
                        manifest,
                        files,
                        deep=deep and days is None,
                        whole=days is None,
                        max_samples=max_samples,
                    )
                    outcomes += found
        except duckdb.Error as error:
            raise StorageError(
                f"the check could not be finished: {error}",
                hint="Free some room in the folder for temporary files (TMPDIR) and run it again.",
            ) from error
    return CheckResult(
        ok=all(outcome.ok for outcome in outcomes),
        scope="all" if days is None else "days",
        days=() if days is None else tuple(sorted(days)),
        deep=deep and days is None,
        outcomes=tuple(outcomes),
        metrics=metrics,
        totals=_sum_totals(manifest) if not problem else LayerTotals(),
        open_quarantine=open_quarantine,
        seconds=time.perf_counter() - started,
    )


def _read_manifest(lake: Lake) -> tuple[Manifest, str]:
    """The manifest, and what is wrong with it ("" if nothing)."""
    folder = lake.storage.stat(CURATED)
    if folder is not None and not folder.is_folder:
        return Manifest(), f"{lake.locate(CURATED)} must be a folder of its own"
    try:
        manifest = read_manifest(lake)
    except CorruptedError as error:
        return Manifest(), f"{error.message}; `ordersetl load --rebuild` makes it anew from raw"
    if manifest is None:
        return Manifest(), f"there is no {lake.locate(MANIFEST)}: nothing was loaded yet, `ordersetl run` does it"
    unknown = [name for name in manifest.files if name not in _DIMENSIONS and file_day(name) is None]
    if unknown:
        return Manifest(), f"{lake.locate(MANIFEST)} lists what is no table's file: {', '.join(sorted(unknown)[:5])}"
    return manifest, ""


def _select_files(manifest: Manifest, days: Collection[date] | None) -> dict[str, FileEntry]:
    """The files in scope: the dimensions, and the partitions of ``days`` (all where None)."""
    wanted = None if days is None else set(days)
    return {
        name: entry
        for name, entry in manifest.files.items()
        if wanted is None or name in _DIMENSIONS or file_day(name) in wanted
    }


def _inspect(
    lake: Lake, manifest: Manifest, files: Mapping[str, FileEntry], days: Collection[date] | None, max_samples: int
) -> list[CheckOutcome]:
    folders = None if days is None else [partition_file(day).partition("/")[0] for day in days]
    outcomes = inspect_files(lake, files, hashed=days is None, max_samples=max_samples)
    outcomes.append(inspect_orphans(lake, manifest.files, folders, max_samples=max_samples))
    if days is None:
        outcomes.append(inspect_quarantine(lake, manifest.quarantine, max_samples=max_samples))
        outcomes.append(inspect_batches(lake, manifest.batches, max_samples=max_samples))
    return outcomes


def _query(
    database: duckdb.DuckDBPyConnection,
    lake: Lake,
    manifest: Manifest,
    files: Mapping[str, FileEntry],
    *,
    deep: bool,
    whole: bool,
    max_samples: int,
) -> tuple[list[CheckOutcome], CheckMetrics, OpenQuarantine | None]:
    """Run every SQL check: once over the dimensions, for each group of partitions, once over where orders lie."""
    tallies = [
        _CheckRun(path.stem, path.read_text("utf-8")) for path in sorted((locate("sql") / "checks").glob("*.sql"))
    ]
    over_groups = [run for run in tallies if run.reads("fact_order", "order_spread")]
    over_all = [run for run in tallies if run.reads("order_place")]
    present = find_regular_files(lake, files)

    unreadable: dict[str, str] = {}
    for name, table in _DIMENSIONS.items():
        unreadable |= read_files(database, table, lake, [name] if name in present else [])
    create_manifest_tables(
        database, {name: files[name] for name in present if name in _DIMENSIONS and name not in unreadable}
    )
    for run in tallies:
        if run not in over_groups and run not in over_all:
            _judge(database, run, max_samples)

    _prepare_totals(database, lake, manifest, deep=deep, whole=whole)
    order_spread = read_sql("metrics/order_spread")
    spread = "*" if whole else f"* EXCLUDE ({', '.join(_METRIC_COLUMNS)})"
    for group in group_files({n: files[n] for n in present if n not in _DIMENSIONS and refund_day(n) is None}):
        unreadable |= (failed := read_files(database, FACT_ORDER, lake, group, labels=whole))
        create_manifest_tables(database, {name: files[name] for name in group if name not in failed})
        database.execute(f"CREATE OR REPLACE TABLE order_spread AS SELECT {spread} FROM ({order_spread})")
        for run in over_groups:
            _judge(database, run, max_samples)
        _add_totals(database, deep=deep, whole=whole)
    for run in over_all:
        _judge(database, run, max_samples)

    outcomes = [_judge_readable(unreadable, max_samples), *(run.outcome for run in tallies)]
    if deep:
        outcomes += compare_raw(database, lake, manifest, max_samples=max_samples)
    if not whole:
        return outcomes, CheckMetrics(), None
    return outcomes, collect_metrics(database), list_open(database, most=max_samples)


def _judge(database: duckdb.DuckDBPyConnection, run: _CheckRun, max_samples: int) -> None:
    count, samples = fetch_samples(database, run.sql, most=max_samples)
    run.offending += count
    run.samples += samples[: max_samples - len(run.samples)]


def _judge_readable(unreadable: Mapping[str, str], max_samples: int) -> CheckOutcome:
    rows = [{"file": name, "problem": problem} for name, problem in sorted(unreadable.items())]
    return CheckOutcome("readable", not rows, _READABLE_WHY, len(rows), tuple(rows[:max_samples]))


def _prepare_totals(
    database: duckdb.DuckDBPyConnection, lake: Lake, manifest: Manifest, *, deep: bool, whole: bool
) -> None:
    """Create the empty tables that every group of partitions adds to."""
    read_files(database, FACT_ORDER, lake, [])
    database.execute(f"CREATE TABLE order_spread AS {read_sql('metrics/order_spread')}")
    database.execute("CREATE TABLE order_place AS SELECT order_id, dt FROM order_spread")
    if whole:
        create_metric_tables(database)
        load_rejects(database, lake, manifest.quarantine)
        close_gone(database, lake, manifest.tombstones)
    if deep:
        create_held_orders(database)


def _add_totals(database: duckdb.DuckDBPyConnection, *, deep: bool, whole: bool) -> None:
    database.execute("INSERT INTO order_place SELECT order_id, dt FROM order_spread")
    if whole:
        add_metrics(database)
        close_rejects(database)
    if deep:
        hold_orders(database)


def _sum_totals(manifest: Manifest) -> LayerTotals:
    """What the manifest counts over all partitions."""
    entries = manifest.partitions.values()
    return LayerTotals(
        partitions=len(entries),
        rows=sum(entry.rows for entry in entries),
        orders=sum(entry.orders for entry in entries),
        revenue=manifest.revenue,
    )
