"""SQL over the curated tables: the dimensions, then group by group of partitions, then what only all of them show."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

import duckdb
import msgspec

from ordersetl.check.figures import (
    FIGURE_TOTALS,
    REFUND_TOTAL,
    collect_figures,
    create_periods,
    find_last_day,
    list_periods,
    list_refund_days,
)
from ordersetl.check.files import find_regular_files
from ordersetl.check.groups import GroupTask, OpenWorkers, check_groups, list_twice
from ordersetl.check.members import load_members
from ordersetl.check.metrics import METRIC_TOTALS, collect_bridge, collect_metrics
from ordersetl.check.open_quarantine import (
    close_rejects,
    list_examples,
    list_open,
    list_rejected,
    load_rejects,
)
from ordersetl.check.reconciliation import CURATED_ROWS, compare_raw
from ordersetl.check.shop_days import list_spans
from ordersetl.check.sql_checks import merge_outcomes, run_checks
from ordersetl.check.tables import create_manifest_tables, group_files, open_database, read_files, read_sql, select_rows
from ordersetl.lake.layout import Lake, file_day
from ordersetl.lake.manifest import FileEntry, Manifest
from ordersetl.results import CheckMetrics, CheckOutcome, LayerFigures, OpenQuarantine, Period
from ordersetl.star.dimensions import Dimension
from ordersetl.star.schema import DIM_PRODUCT, DIM_USER, FACT_ORDER, FACT_REFUND
from ordersetl.storage.looks import Looks

__all__ = ["DIMENSIONS", "QueryResult", "TableQuery"]

DIMENSIONS = {f"{table.name}.csv": table for table in (DIM_USER, DIM_PRODUCT)}
_READABLE_WHY = "A file that does not read as its table under its types breaks every query over it."
_GROUPS_AT_A_TIME = 2
"""While one group is read, which is half of the work, the other is queried."""
_MAX_WANTED = 10_000
"""Orders that workers are told to tell of in full."""
_METRIC_COLUMNS = ("line_amount", "lines_with_amount", "user_country", "updated_at_order")
"""Columns of order_summary that no check looks at."""


class QueryResult(msgspec.Struct, frozen=True):
    """What the SQL found; of a part of the layer no metrics but the bridge, and no open quarantine.

    ``figures`` are None where they were not asked for.
    """

    outcomes: list[CheckOutcome]
    metrics: CheckMetrics
    open_quarantine: OpenQuarantine | None
    figures: LayerFigures | None = None


@dataclass(frozen=True)
class TableQuery:
    """All SQL checks over some files of the manifest.

    ``looks`` looks at them. ``all_days`` where these are all of it: then metrics are collected. ``deep`` compares with
    raw as well. ``open_workers`` opens what checks groups elsewhere, which neither of both nor a page can use.
    The dimensions in ``looked_up`` are not read, but asked for the keys of each group.
    """

    lake: Lake
    manifest: Manifest
    files: Mapping[str, FileEntry]
    looks: Looks
    all_days: bool
    deep: bool
    max_samples: int
    today: date | None = None
    open_workers: OpenWorkers | None = None
    looked_up: tuple[Dimension, ...] = ()

    def run(self) -> QueryResult:
        """Read every file once and run each check where its scope says.

        Raises:
            duckdb.Error: no room for what DuckDB spills to disk, or a query is wrong.
        """
        present = find_regular_files(self.looks, self.files)
        groups = list(group_files({name: self.files[name] for name in present if file_day(name)})) or [[]]
        with open_database() as database:
            self._create_spans(database)
            periods, last_day = self._find_periods(database, groups)
            create_periods(database, periods)
            outcomes = [*self._check_dimensions(database, [name for name in present if name in self._whole])]
            self._create_totals(database)
            if self.all_days:
                load_rejects(database, self.lake, list_rejected(self.lake, self.manifest))
            outcomes += self._check_all(database, groups)
            outcomes += run_checks(database, "layer", max_samples=self.max_samples)
            result = self._finish(database, merge_outcomes(outcomes, max_samples=self.max_samples))
            if self.today is None or not self.all_days:
                return result
            examples = list_examples(database, self.lake)
            figures = collect_figures(database, periods, examples, last_day=last_day)
            return msgspec.structs.replace(result, figures=figures)

    def _check_all(self, database: duckdb.DuckDBPyConnection, groups: Sequence[list[str]]) -> Iterator[CheckOutcome]:
        """Check all groups: elsewhere where there are workers and that pays, or here."""
        pays = self.open_workers is not None and len(groups) > 1 and not self.deep and self.today is None
        wanted = self._list_wanted(database) if pays else None
        if self.open_workers is not None and wanted is not None:
            with self.open_workers() as workers:
                yield from check_groups(database, workers, [self._make_task(group, wanted) for group in groups])
            self._add_twice(database)
            return
        with ThreadPoolExecutor(_GROUPS_AT_A_TIME) as pool:
            for found in pool.map(lambda group: list(self._check_partitions(database, group)), groups):
                yield from found

    def _list_wanted(self, database: duckdb.DuckDBPyConnection) -> tuple[str, ...] | None:
        """Orders of which versions were rejected; None where they are too many to be told to workers."""
        if not self.all_days:
            return ()
        query = "SELECT DISTINCT order_id FROM rejected_order WHERE order_id IS NOT NULL ORDER BY ALL LIMIT $most"
        found = [row[0] for row in database.execute(query, {"most": _MAX_WANTED + 1}).fetchall()]
        return tuple(found) if len(found) <= _MAX_WANTED else None

    def _make_task(self, group: list[str], wanted: tuple[str, ...]) -> GroupTask:
        files = {name: entry for name, entry in self.files.items() if name in group or name in DIMENSIONS}
        manifest = Manifest(settings=self.manifest.settings, members=self.manifest.members)
        query = replace(self, manifest=manifest, files=files, looks=self.lake.storage, open_workers=None)
        return GroupTask(query, group, wanted)

    def _add_twice(self, database: duckdb.DuckDBPyConnection) -> None:
        """Add the orders to ``order_partition`` that may lie in several partitions, from these."""
        keys, days = list_twice(database)
        names = [name for name in self.files if file_day(name) in days]
        if keys:
            with database.cursor() as own:
                self._load_group(own, names)
                own.execute(
                    f"INSERT INTO order_partition SELECT * FROM ({self.totals['order_partition']}) AS found"
                    " WHERE list_contains($keys, hash(order_id))"
                    " AND order_id NOT IN (SELECT order_id FROM order_partition)",
                    {"keys": keys},
                )

    @contextmanager
    def open_group(self, group: Sequence[str]) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[CheckOutcome]]]:
        """A database with the totals of one group alone, and what its checks found."""
        with open_database() as database:
            self._create_spans(database)
            create_periods(database, ())
            for name, table in DIMENSIONS.items():
                read_files(database, table, self.lake, [name] if name in self.files.keys() & self._whole else [])
            self._create_totals(database)
            yield database, list(self._check_partitions(database, list(group)))

    @property
    def _whole(self) -> set[str]:
        """The files of the dimensions that are read."""
        return DIMENSIONS.keys() - {dimension.file for dimension in self.looked_up}

    def _create_spans(self, database: duckdb.DuckDBPyConnection) -> None:
        """Create ``shop_span``: the spans of UTC that each partition's day is, the end exclusive."""
        days = sorted({day for name in self.files if (day := file_day(name))})
        query, parameters = select_rows(
            {"dt": "DATE", "since": "TIMESTAMP", "until": "TIMESTAMP"},
            list(list_spans(days, self.manifest.settings.timezone)),
        )
        database.execute(f"CREATE TABLE shop_span AS {query}", parameters)

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
            yield self._report_unreadable(self._load_group(own, group))
            yield from run_checks(own, "partition", max_samples=self.max_samples)
            for name, query in self.totals.items():
                own.execute(f"INSERT INTO {name} {query}")

    def _create_totals(self, database: duckdb.DuckDBPyConnection) -> None:
        """Create the empty tables that every group of partitions adds to."""
        with database.cursor() as own:
            self._load_group(own, [])
            for name, query in self.totals.items():
                own.execute(f"CREATE TABLE {name} AS {query}")

    def _load_group(self, own: duckdb.DuckDBPyConnection, group: list[str]) -> dict[str, str]:
        """Create what the checks of partitions read; return what could not be read, by name, with the reason."""
        unreadable: dict[str, str] = {}
        for table in (FACT_ORDER, FACT_REFUND):
            names = [name for name in group if name.endswith(f"/{table.name}.csv")]
            unreadable |= read_files(own, table, self.lake, names, temporary=True, labels=self.deep)
        for dimension in self.looked_up:
            load_members(own, self.lake, self.manifest, dimension)
        create_manifest_tables(own, {name: self.files[name] for name in group if name not in unreadable})
        columns = "*" if self.all_days else f"* EXCLUDE ({', '.join(_METRIC_COLUMNS)})"
        own.execute(f"CREATE TEMP TABLE order_summary AS SELECT {columns} FROM ({read_sql('metrics/order_summary')})")
        own.execute("CREATE TEMP VIEW mixed_order AS SELECT dt, order_id FROM order_summary WHERE is_mixed")
        own.execute(f"CREATE TEMP TABLE bridge AS {read_sql('metrics/bridge')}")
        return unreadable

    @property
    def totals(self) -> dict[str, str]:
        """Tables of the whole layer by name, and what a group adds to each; of an order no more than is needed."""
        columns = ["order_id", "dt"]
        columns += ["updated_at_order"] if self.all_days else []
        columns += ["order_amount", "currency", "lines", "cancelled"] if self.deep else []
        totals = {"order_partition": f"SELECT {', '.join(columns)} FROM order_summary", "bridge_total": "FROM bridge"}
        totals |= METRIC_TOTALS if self.all_days else {}
        return totals | (FIGURE_TOTALS if self.today else {}) | (CURATED_ROWS if self.deep else {})

    def _find_periods(
        self, database: duckdb.DuckDBPyConnection, groups: Sequence[list[str]]
    ) -> tuple[tuple[Period, ...], date | None]:
        """What figures are collected by, and their last day: refunds are read for it. Nothing where none are wanted."""
        if self.today is None:
            return (), None
        self._add_refunds(database, "CREATE TABLE refund_total AS", [])
        for group in groups:
            self._add_refunds(database, "INSERT INTO refund_total", group)
        days = [*filter(None, map(file_day, self.files))]
        days += list_refund_days(database, self.manifest.settings.timezone)
        return list_periods(days, self.today), find_last_day(days, self.today)

    def _add_refunds(self, database: duckdb.DuckDBPyConnection, target: str, group: Sequence[str]) -> None:
        with database.cursor() as own:
            names = [name for name in group if name.endswith(f"/{FACT_REFUND.name}.csv")]
            read_files(own, FACT_REFUND, self.lake, names, temporary=True)
            own.execute(f"{target} {REFUND_TOTAL}")

    def _finish(self, database: duckdb.DuckDBPyConnection, outcomes: list[CheckOutcome]) -> QueryResult:
        if not self.all_days:
            return QueryResult(outcomes, CheckMetrics(bridge=collect_bridge(database)), None)
        close_rejects(database, self.lake, self.manifest)
        if self.deep:
            outcomes += compare_raw(database, self.lake, self.manifest, max_samples=self.max_samples)
        metrics, still_open = collect_metrics(database), list_open(database, most=self.max_samples)
        return QueryResult(outcomes, metrics, still_open)

    def _report_unreadable(self, problems: Mapping[str, str]) -> CheckOutcome:
        rows = [{"file": name, "problem": problem} for name, problem in sorted(problems.items())]
        return CheckOutcome("readable", not rows, _READABLE_WHY, len(rows), tuple(rows[: self.max_samples]))
