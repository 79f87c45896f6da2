"""Compare a warehouse with the manifest and the curated files: tables, ledger, and the rows of each day."""

from collections.abc import Iterator, Mapping
from datetime import date

from ordersetl.errors import CorruptedError
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import Manifest
from ordersetl.results import CheckOutcome
from ordersetl.star.schema import Table
from ordersetl.warehouse.connection import Warehouse
from ordersetl.warehouse.ledger import VIEWS_ENTRY, read_ledger
from ordersetl.warehouse.names import LEDGER, VIEWS
from ordersetl.warehouse.summary import Day, Summary, summarize, summarize_files
from ordersetl.warehouse.tables import (
    DIMENSIONS,
    FACTS,
    NOT_OURS_HINT,
    find_columns,
    find_problems,
    find_relations,
)

__all__ = ["compare_warehouse", "describe_difference", "find_differing"]

_NOTHING = Summary(content=0)
_WHY_TABLES = "Tables that are missing, or not of this version, cannot hold what curated holds."
_WHY_LEDGER = "The ledger says which version of each file was loaded: one that differs was not loaded yet."
_WHY_ROWS = "Rows that differ from the curated files were changed in the warehouse, by something else than ordersetl."


def find_differing(warehouse: Warehouse, lake: Lake, manifest: Manifest) -> set[date | str]:
    """The days of facts, and the files of dimensions, whose rows in the warehouse differ from curated.

    Where a fact has rows without a day, all facts are among them, by their names: no day's rows are in the place of
    these. Those of a day that no date is are such rows.

    Raises:
        CorruptedError: a curated file cannot be read.
    """
    found: set[date | str] = set()
    for table, day, _, _ in _differences(warehouse, lake, manifest):
        if isinstance(day, str):
            found |= {fact.name for fact in FACTS}
        else:
            found.add(day or f"{table.name}.csv")
    return found


def compare_warehouse(warehouse: Warehouse, lake: Lake, manifest: Manifest, *, max_samples: int) -> list[CheckOutcome]:
    """Check a warehouse in a transaction of its own, which changes nothing.

    The rows are compared where the tables are ours: by day, in number, sums by currency, and the hashes of all values.
    Where a curated file cannot be read, they differ.

    Raises:
        WarehouseError: it failed, or the user may not read a table.
    """
    relations = find_relations(warehouse)
    columns = find_columns(warehouse, relations)
    foreign = list(find_problems(warehouse, relations, columns))
    problems = [*foreign, *_find_missing(warehouse, relations, columns)]
    rows = [{"problem": problem} for problem in problems]
    hint = NOT_OURS_HINT if foreign else ""  # a load refuses what is not ours, and makes what is missing
    outcomes = [_outcome("warehouse_tables", _WHY_TABLES, rows, max_samples, hint)]
    if problems:
        return outcomes
    held = {file: entry.sha256 for file, entry in read_ledger(warehouse).items() if file != VIEWS_ENTRY}
    stale = [
        {"file": file, "warehouse": held.get(file) or "none", "curated": entry.sha256 if entry else "none"}
        for file in sorted(held.keys() | manifest.files.keys())
        if (entry := manifest.files.get(file)) is None or entry.sha256 != held.get(file)
    ]
    outcomes.append(_outcome("warehouse_ledger", _WHY_LEDGER, stale, max_samples))
    try:
        rows = [
            {"table": table.name, **({"dt": str(day)} if day else {}), **describe_difference(wanted, found)}
            for table, day, wanted, found in _differences(warehouse, lake, manifest)
        ]
    except CorruptedError as error:
        rows = [{"problem": error.message}]
    outcomes.append(_outcome("warehouse_rows", _WHY_ROWS, rows, max_samples))
    return outcomes


def _find_missing(
    warehouse: Warehouse, relations: Mapping[str, str], columns: Mapping[str, Mapping[str, object]]
) -> Iterator[str]:
    """What an up-to-date warehouse has and this one has not."""
    for name in (*(table.name for table in (*DIMENSIONS, *FACTS)), LEDGER, *VIEWS):
        if name not in relations:
            yield f"there is no {warehouse.names.show(name)}"
    for table in (*DIMENSIONS, *FACTS):
        found = columns.get(table.name)
        if found and (lacking := [name for name in table.names if name not in found]):
            yield f"{warehouse.names.show(table.name)} lacks {', '.join(lacking)}"


def _differences(warehouse: Warehouse, lake: Lake, manifest: Manifest) -> Iterator[tuple[Table, Day, Summary, Summary]]:
    """Each table and day whose rows differ, what they come to in curated, and what in the warehouse."""
    for table in (*DIMENSIONS, *FACTS):
        wanted = summarize_files(lake, manifest, table)
        name = warehouse.names(table.name)
        found = summarize(warehouse.execute, warehouse.dialect, name, table, hashed=True)
        for day in sorted(wanted.keys() | found.keys(), key=str):
            ours, theirs = wanted.get(day, _NOTHING), found.get(day, _NOTHING)
            if ours != theirs:
                yield table, day, ours, theirs


def describe_difference(wanted: Summary, found: Summary) -> dict[str, str]:
    """What the rows that were found come to instead of those that are wanted, for people."""
    described = {"rows": f"{found.rows:,} instead of {wanted.rows:,}"} if found.rows != wanted.rows else {}
    for currency in sorted(wanted.sums.keys() | found.sums.keys()):
        theirs, ours = found.sums.get(currency), wanted.sums.get(currency)
        if theirs != ours:
            described[f"sum {currency}".strip()] = f"{theirs or 0} instead of {ours or 0}"
    return described or {"values": "they differ"}


def _outcome(name: str, why: str, offending: list[dict[str, str]], max_samples: int, detail: str = "") -> CheckOutcome:
    return CheckOutcome(name, not offending, why, len(offending), tuple(offending[:max_samples]), detail)
