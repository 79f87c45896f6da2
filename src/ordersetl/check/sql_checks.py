"""The SQL checks: each selects offending rows, and the folder it is in says when it runs and over what."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

import duckdb

from ordersetl.check.tables import fetch_samples, read_why
from ordersetl.resources import locate
from ordersetl.results import CheckOutcome

__all__ = ["Scope", "list_check_names", "merge_outcomes", "run_checks"]

Scope = Literal["dimension", "partition", "layer"]
"""Once over the dimensions; over each group of partitions; once over ``order_partition``, where every order lies."""

_OTHERS = frozenset(
    {
        *("manifest", "folders", "files_present", "files_unchanged", "stray_files", "quarantine_files", "readable"),
        *("raw_batches", "raw_readable", "raw_orders", "raw_rows", "raw_refunds", "raw_rejects"),
        *("source_fields", "orders_of_a_day"),
        *("warehouse_tables", "warehouse_ledger", "warehouse_rows"),
    }
)
"""Checks that are no SQL file in ``sql/checks/``."""


def list_check_names() -> frozenset[str]:
    """The names of all checks of ours, whichever of them a command runs."""
    return _OTHERS | {path.stem for path in (locate("sql") / "checks").glob("*/*.sql")}


def run_checks(database: duckdb.DuckDBPyConnection, scope: Scope, *, max_samples: int) -> Iterator[CheckOutcome]:
    """Run the checks of one scope over the tables as they are now."""
    for path in sorted((locate("sql") / "checks" / scope).glob("*.sql")):
        sql = path.read_text("utf-8")
        offending, samples = fetch_samples(database, sql, most=max_samples)
        yield CheckOutcome(path.stem, not offending, read_why(sql), offending, tuple(samples))


def merge_outcomes(outcomes: Iterable[CheckOutcome], *, max_samples: int) -> list[CheckOutcome]:
    """One outcome a check, out of one for each group of partitions: the first, then the others by name."""
    merged: dict[str, CheckOutcome] = {}
    for outcome in outcomes:
        before = merged.get(outcome.name)
        merged[outcome.name] = outcome if before is None else _add(before, outcome, max_samples)
    first, *others = merged.values()
    return [first, *sorted(others, key=lambda outcome: outcome.name)]


def _add(before: CheckOutcome, outcome: CheckOutcome, max_samples: int) -> CheckOutcome:
    return replace(
        before,
        ok=before.ok and outcome.ok,
        offending=before.offending + outcome.offending,
        samples=(*before.samples, *outcome.samples)[:max_samples],
    )
