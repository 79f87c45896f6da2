"""SQL over the curated tables: the dimensions, then group by group of partitions, then what only all of them show."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import duckdb

from ordersetl.check.files import find_regular_files
from ordersetl.check.metrics import add_metrics, collect_metrics, create_metric_tables
from ordersetl.check.open_quarantine import close_gone, close_rejects, list_open, load_rejects
from ordersetl.check.reconciliation import compare_raw
from ordersetl.check.sql_checks import merge_outcomes, run_checks
from ordersetl.check.tables import create_manifest_tables, group_files, open_database, read_files, read_sql
from ordersetl.lake.layout import Lake, partition_day
from ordersetl.lake.manifest import FileEntry, Manifest
from ordersetl.results import CheckMetrics, CheckOutcome, OpenQuarantine
from ordersetl.star.schema import DIM_PRODUCT, DIM_USER, FACT_ORDER

__all__ = ["DIMENSIONS", "QueryResult", "TableQuery"]

DIMENSIONS = {f"{table.name}.csv": table for table in (DIM_USER, DIM_PRODUCT)}
_READABLE_WHY = "A file that does not read as its table under its types breaks every query over it."
_GROUPS_AT_A_TIME = 2
"""While one group is read, which is half of the work, the other is queried."""
_METRIC_COLUMNS = ("line_amount", "lines_with_amount", "user_country", "updated_at_order")
"""Columns of order_summary that no check looks at."""


@dataclass(frozen=True)
class QueryResult:
    """What the SQL found; no metrics and no open quarantine of a part of the layer."""

    outcomes: list[CheckOutcome]
    metrics: CheckMetrics
    open_quarantine: OpenQuarantine | None


@dataclass(frozen=True)
class TableQuery:
    """All SQL checks over some files of the manifest.

    ``whole`` where these are all of it: then metrics are collected. ``deep`` compares with raw as well.
    """

    lake: Lake
    manifest: Manifest
    files: Mapping[str, FileEntry]
    whole: bool
    deep: bool
    max_samples: int

    def run(self) -> QueryResult:
        """Read every file once and run each check where its scope says.

        Raises:
            duckdb.Error: no room for what DuckDB spills to disk.
        """
        present = find_regular_files(self.lake, self.files)
        partitions = {name: self.files[name] for name in present if partition_day(name)}
        with open_database() as database:
            outcomes = [*self._check_dimensions(database, [name for name in present if name in DIMENSIONS])]
            self._create_totals(database)
            with ThreadPoolExecutor(_GROUPS_AT_A_TIME) as pool:
                groups = list(group_files(partitions)) or [[]]
                for found in pool.map(lambda group: list(self._check_partitions(database, group)), groups):
                    outcomes += found
            outcomes += run_checks(database, "layer", max_samples=self.max_samples)
            return self._finish(database, merge_outcomes(outcomes, max_samples=self.max_samples))

    def _check_dimensions(self, database: duckdb.DuckDBPyConnection, present: list[str]) -> Iterator[CheckOutcome]:
        unreadable: dict[str, str] = {}
        for name, table in DIMENSIONS.items():
            unreadable |= read_files(database, table, self.lake, [name] if name in present else [])
        create_manifest_tables(database, {name: self.files[name] for name in present if name not in unreadable})
        yield self._report_unreadable(unreadable)
        yield from run_checks(database, "dimension", max_samples=self.max_samples)

    def _check_partitions(self, database: duckdb.DuckDBPyConnection, group: list[str]) -> Iterator[CheckOutcome]:
        """Check one group in temporary tables of its own, and add it to the totals."""
        with database.cursor() as own:
            unreadable = read_files(own, FACT_ORDER, self.lake, group, temporary=True, labels=self.whole)
            create_manifest_tables(own, {name: self.files[name] for name in group if name not in unreadable})
            columns = "*" if self.whole else f"* EXCLUDE ({', '.join(_METRIC_COLUMNS)})"
            own.execute(f"CREATE TEMP TABLE order_summary AS SELECT {columns} FROM ({_ORDER_SUMMARY})")
            own.execute("CREATE TEMP VIEW mixed_order AS SELECT dt, order_id FROM order_summary WHERE is_mixed")
            yield self._report_unreadable(unreadable)
            yield from run_checks(own, "partition", max_samples=self.max_samples)
            own.execute(f"INSERT INTO order_partition SELECT {self._order_columns} FROM order_summary")
            if self.whole:
                add_metrics(own)

    def _create_totals(self, database: duckdb.DuckDBPyConnection) -> None:
        """Create the empty tables that every group of partitions adds to."""
        with database.cursor() as own:
            read_files(own, FACT_ORDER, self.lake, [], temporary=True)
            own.execute(f"CREATE TEMP TABLE order_summary AS {_ORDER_SUMMARY}")
            own.execute(f"CREATE TABLE order_partition AS SELECT {self._order_columns} FROM order_summary")
            if self.whole:
                create_metric_tables(own)

    def _finish(self, database: duckdb.DuckDBPyConnection, outcomes: list[CheckOutcome]) -> QueryResult:
        if not self.whole:
            return QueryResult(outcomes, CheckMetrics(), None)
        load_rejects(database, self.lake, self.manifest.quarantine)
        close_gone(database, self.lake, self.manifest.tombstones)
        close_rejects(database)
        if self.deep:
            outcomes += compare_raw(database, self.lake, self.manifest, max_samples=self.max_samples)
        return QueryResult(outcomes, collect_metrics(database), list_open(database, most=self.max_samples))

    @property
    def _order_columns(self) -> str:
        """Columns of ``order_partition``, one row per order of a partition: kept for the whole layer, so few."""
        compared = ", order_amount, currency, lines" if self.deep else ""
        return "order_id, dt" + (f", updated_at_order{compared}" if self.whole else "")

    def _report_unreadable(self, problems: Mapping[str, str]) -> CheckOutcome:
        rows = [{"file": name, "problem": problem} for name, problem in sorted(problems.items())]
        return CheckOutcome("readable", not rows, _READABLE_WHY, len(rows), tuple(rows[: self.max_samples]))


_ORDER_SUMMARY = read_sql("metrics/order_summary")
