"""One load of a warehouse: what differs from the manifest is replaced, in one transaction."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime

from ordersetl.errors import ConnectionLostError, CorruptedError, WarehouseError
from ordersetl.lake.integrity import find_problem
from ordersetl.lake.layout import Lake, curated_key
from ordersetl.lake.manifest import Manifest
from ordersetl.results import WarehouseResult
from ordersetl.star.schema import FACT_ORDER, Table
from ordersetl.warehouse.compare import describe_difference, find_differing
from ordersetl.warehouse.connection import Warehouse, stage_name
from ordersetl.warehouse.ledger import (
    STAGED_DAYS,
    VIEWS_ENTRY,
    Difference,
    LedgerEntry,
    find_difference,
    read_ledger,
    stage_ledger,
)
from ordersetl.warehouse.limits import require_fit
from ordersetl.warehouse.names import VIEWS, quote
from ordersetl.warehouse.replace import replace_all, replace_days, replace_orders
from ordersetl.warehouse.summary import Summary, summarize, summarize_manifest
from ordersetl.warehouse.tables import (
    DIMENSIONS,
    FACTS,
    Prepared,
    create_views,
    find_relations,
    hash_views,
    prepare_tables,
)

__all__ = ["Connect", "Load", "sync_warehouse"]

Connect = Callable[[], Warehouse]


@dataclass
class Load:
    """One load under way: :func:`sync_warehouse` runs its steps, a script has them written down."""

    warehouse: Warehouse
    lake: Lake
    manifest: Manifest
    now: datetime
    prepared: Prepared = field(init=False)
    ledger: dict[str, LedgerEntry] = field(init=False)
    difference: Difference = field(init=False)
    distrusted: set[date | str] = field(default_factory=set)
    renews_views: bool = False
    rows: int = 0

    @property
    def timezone(self) -> str:
        """The zone whose days the partitions are."""
        return self.manifest.settings.timezone

    @property
    def views(self) -> str:
        """Tells our views from those of another version or zone."""
        return hash_views(self.timezone)

    def find_work(self, *, verify: bool) -> bool:
        """Whether there is anything to do; our tables are there then, and the difference is known."""
        self.prepared = prepare_tables(self.warehouse)
        self.ledger = read_ledger(self.warehouse)
        if verify:
            self.distrusted = find_differing(self.warehouse, self.lake, self.manifest)
        self.difference = find_difference(
            self.manifest, self.ledger, lost=self._find_lost(), distrusted=self.distrusted
        )
        views = self.ledger.get(VIEWS_ENTRY)
        is_current = views is not None and views.sha256 == self.views
        # views of servers stay with a table that was renamed when another is made in its place
        is_bound = not self.prepared.created and set(VIEWS) <= find_relations(self.warehouse).keys()
        self.renews_views = not is_current or not is_bound
        return bool(self.difference) or self.renews_views

    def _find_lost(self) -> set[str]:
        """Files of tables that were made just now, got columns, were emptied, or have rows without a day."""
        lost = set()
        for table in (*DIMENSIONS, *FACTS):
            files = {file for file, entry in self.ledger.items() if file.endswith(f"{table.name}.csv") and entry.rows}
            name = self.warehouse.names(table.name)
            if table.name in self.prepared.changed | self.distrusted or (
                files and not self.warehouse.execute(f"SELECT 1 FROM {name} LIMIT 1")
            ):
                lost |= files
        return lost

    def perform(self) -> None:
        """Replace what differs, and write the ledger."""
        _require_files(self.lake, self.difference)
        require_fit(self.warehouse.dialect, self.lake, self.difference, self.prepared.columns)
        self._stage(DIMENSIONS)
        if self.warehouse.dialect.enforces_references and any(map(self._loses_keys, DIMENSIONS)):
            self._recreate()
        if self._has_facts:
            self._stage(FACTS)
        stage_ledger(self.warehouse, self.difference, self.views, self.now)
        changed = [table for table in DIMENSIONS if self.difference.files_of(table)]
        for table in changed:
            self._merge(table)
        if self._has_facts:
            for table in FACTS:
                self._replace(table)
        for table in changed:
            self._remove_keys(table)
        if self.renews_views:
            create_views(self.warehouse, self.timezone)

    def compare(self) -> None:
        """Compare what the changed rows of the tables are now with the manifest.

        Raises:
            WarehouseError: they are others.
        """
        for table in (*DIMENSIONS, *FACTS):
            if self._has_facts if table in FACTS else self.difference.files_of(table):
                self._compare(table)

    @property
    def _has_facts(self) -> bool:
        return self.difference.everything or bool(self.difference.days)

    def _stage(self, tables: tuple[Table, ...]) -> None:
        for table in tables:
            self.warehouse.stage(table, self.lake, self.difference.files_of(table), self.timezone)

    def _loses_keys(self, table: Table) -> bool:
        return bool(self.difference.files_of(table)) and bool(
            self.warehouse.execute(
                f"SELECT 1 FROM {self.warehouse.names(table.name)} WHERE {table.key[0]} NOT IN"
                f" (SELECT {table.key[0]} FROM {stage_name(table.name)}) LIMIT 1"
            )
        )

    def _recreate(self) -> None:
        """Begin with empty tables."""
        for table in (*FACTS, *DIMENSIONS):
            self.warehouse.execute(f"DROP TABLE {self.warehouse.names(table.name)}")
        for table in (*DIMENSIONS, *FACTS):
            self.warehouse.create_table(table.name)
        self.difference = find_difference(self.manifest, self.ledger, lost=self.ledger.keys())
        self.renews_views = True
        self._stage(DIMENSIONS)

    def _merge(self, table: Table) -> None:
        """Bring the rows of a dimension to what is staged, but for those whose keys are no more.

        Keys that are there twice, or null, as they can be where none is enforced or somebody dropped it, go first.
        """
        target, stage, key = self.warehouse.names(table.name), stage_name(table.name), table.key[0]
        columns = ", ".join(table.names)
        changes = ", ".join(f"{name} = s.{name}" for name in table.names if name != key)
        if f"{table.name}.csv" in self.distrusted:
            twice = f"SELECT {key} FROM {target} GROUP BY {key} HAVING COUNT(*) > 1"
            self.warehouse.execute(f"DELETE FROM {target} WHERE {key} IS NULL OR {key} IN ({twice})")
        # EXCEPT takes two nulls as equal, in all databases alike
        self.warehouse.execute(
            f"UPDATE {target} SET {changes}"
            f" FROM (SELECT {columns} FROM {stage} EXCEPT SELECT {columns} FROM {target}) AS s"
            f" WHERE {quote(self.warehouse.names.prefix + table.name)}.{key} = s.{key}"
        )
        self.warehouse.execute(
            f"INSERT INTO {target} ({columns}) SELECT {columns} FROM {stage}"
            f" WHERE {key} NOT IN (SELECT {key} FROM {target})"
        )

    def _remove_keys(self, table: Table) -> None:
        target, key = self.warehouse.names(table.name), table.key[0]
        self.warehouse.execute(f"DELETE FROM {target} WHERE {key} NOT IN (SELECT {key} FROM {stage_name(table.name)})")

    def _replace(self, table: Table) -> None:
        """Replace the rows of a fact that differ: all, or those of the days, or of the orders in them that changed.

        Orders are told apart where keys are enforced and the rows are not distrusted: EXCEPT does not see a row that is
        there twice, as refunds without a SKU can be, and any row whose key somebody dropped.
        """
        if self.difference.everything:
            replace_all(self.warehouse, table)
        elif self.warehouse.dialect.enforces_keys and table is FACT_ORDER and not self.distrusted:
            replace_orders(self.warehouse, *self._where_days())
        else:
            replace_days(self.warehouse, table, *self._where_days())

    def _where_days(self) -> tuple[str, tuple[date, ...]]:
        """A condition on the days of the difference, and its parameters: bounds, by which scans skip blocks."""
        days = self.difference.days
        return f"dt BETWEEN %s AND %s AND dt IN (SELECT dt FROM {STAGED_DAYS})", (days[0], days[-1])

    def _compare(self, table: Table) -> None:
        where, bounds = self._where_days() if table in FACTS and not self.difference.everything else ("", ())
        name = self.warehouse.names(table.name)
        execute, dialect = self.warehouse.execute, self.warehouse.dialect
        found = summarize(execute, dialect, name, table, where=where, parameters=bounds)
        wanted = summarize_manifest(self.difference.loaded, table)
        for day in sorted(found.keys() | wanted.keys(), key=str):
            theirs, ours = found.get(day, Summary()), wanted.get(day, Summary())
            if theirs != ours:
                described = describe_difference(ours, theirs)
                raise WarehouseError(
                    f"{self.warehouse.names.show(table.name)} would hold other rows than {table.name}.csv"
                    f"{f' of {day}' if day else ''}: {', '.join(map('='.join, described.items()))}",
                    hint="Nothing was changed. Where rows were changed by hand: ordersetl load --verify. Else look for "
                    "triggers or rules there: ordersetl loads rows as they are.",
                )
            self.rows += ours.rows


def sync_warehouse(
    connect: Connect, url: str, lake: Lake, manifest: Manifest, *, now: datetime, verify: bool = False
) -> WarehouseResult:
    """Bring a warehouse to the manifest; where it is there already, nothing is written.

    Args:
        connect: opens a connection.
        url: of the warehouse, for the result.
        lake: the output; nobody else writes it meanwhile.
        manifest: its current one.
        now: the ledger's time of loading.
        verify: compare all rows of the tables with the files first, instead of trusting the ledger.

    Raises:
        WarehouseError: it failed, or refused; it is as it was.
        ConnectionLostError: the connection broke, and it could not be found out whether the load was committed.
        ConfigError: there are other tables under our names.
        CorruptedError: a curated file is not what the manifest says.
    """
    started = time.monotonic()
    with closing(connect()) as warehouse:
        warehouse.begin()
        load = Load(warehouse, lake, manifest, now)
        if load.find_work(verify=verify):
            load.perform()
            load.compare()
            try:
                warehouse.commit()
            except ConnectionLostError:
                _require_committed(connect, load)
    difference = load.difference
    return WarehouseResult(
        url=url,
        files_loaded=tuple(sorted(difference.loaded)),
        files_removed=difference.gone,
        days=difference.days,
        rows=load.rows,
        tables_created=load.prepared.created,
        columns_added=load.prepared.added,
        seconds=time.monotonic() - started,
    )


def _require_files(lake: Lake, difference: Difference) -> None:
    """Check that the files to load are what the manifest says.

    Raises:
        CorruptedError: one of them is not.
    """
    for file, entry in difference.loaded.items():
        if problem := find_problem(lake, curated_key(file), entry):
            raise CorruptedError(
                f"{lake.locate(curated_key(file))} is not what the manifest says: its {problem.text}",
                hint="Rebuild it from raw, and load it: ordersetl load --verify",
            )


def _require_committed(connect: Connect, load: Load) -> None:
    """Find out from the ledger whether a commit went through whose answer was lost.

    Raises:
        ConnectionLostError: it did not, or the warehouse cannot be asked.
    """
    with closing(connect()) as warehouse:
        warehouse.begin()  # which waits for the lost session, should the server still be busy with it
        held = read_ledger(warehouse) if prepare_tables(warehouse).created == () else {}
        if find_difference(load.manifest, held) or VIEWS_ENTRY not in held:
            raise ConnectionLostError(
                "the connection to the warehouse was lost before the load was committed: it is as it was",
                hint="Run the same command again.",
            )
