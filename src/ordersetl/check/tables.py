"""DuckDB over the curated files: strict types, no sniffing, no glob, a bounded group of them at a time."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path, PurePosixPath

import duckdb

from ordersetl.lake.csv_scan import select_csv
from ordersetl.lake.layout import Lake, curated_key, file_day
from ordersetl.lake.manifest import FileEntry
from ordersetl.resources import locate
from ordersetl.star.schema import FACT_ORDER, FACT_REFUND, Table
from ordersetl.storage.disk import open_regular
from ordersetl.text import first_line

__all__ = [
    "GROUP_BYTES",
    "create_manifest_tables",
    "fetch_samples",
    "group_files",
    "open_database",
    "read_files",
    "read_sql",
    "read_why",
    "select_rows",
]

GROUP_BYTES = 64 * 1024 * 1024
"""CSV of a group that is loaded at a time. An order lies in one partition, so most checks need no more."""

_MEMORY_MB_A_THREAD = 100
_MIN_MEMORY_MB = 400
_MAX_THREADS = 16
_LABELS = frozenset({"status", "source", "promo", "product_name", "product_category"})
"""Columns that no check but the deep one looks at."""
_FACTS = (FACT_ORDER, FACT_REFUND)
"""Tables with a file a day, named by its path."""


@contextmanager
def open_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory database that spills to a temporary folder past its memory limit; both are gone afterwards."""
    threads = min(os.cpu_count() or 1, _MAX_THREADS)
    spill = tempfile.mkdtemp(prefix="ordersetl-check-")
    try:
        with duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{max(_MIN_MEMORY_MB, threads * _MEMORY_MB_A_THREAD)}MB",
                "temp_directory": spill,
                "threads": threads,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
            },
        ) as database:
            yield database
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def group_files(files: Mapping[str, FileEntry]) -> Iterator[list[str]]:
    """Names of partition files by day, in groups of at most ``GROUP_BYTES``; a larger day is a group of its own."""
    days: dict[date | None, list[str]] = {}
    for name in files:
        days.setdefault(file_day(name), []).append(name)
    group: list[str] = []
    size = 0
    for day in sorted(day for day in days if day is not None):
        bytes_of_day = sum(files[name].bytes for name in days[day])
        if group and size + bytes_of_day > GROUP_BYTES:
            yield group
            group, size = [], 0
        group += days[day]
        size += bytes_of_day
    if group:
        yield group


def read_files(
    database: duckdb.DuckDBPyConnection,
    table: Table,
    lake: Lake,
    names: Sequence[str],
    *,
    temporary: bool = False,
    labels: bool = True,
) -> dict[str, str]:
    """Load the files as the database's table of that name; return what could not be read, by name, with the reason.

    The table holds the readable files. Each is parsed once, unless one of them fails. Without ``labels`` the table
    lacks the columns that only the deep check looks at: they are read like the others, but not kept. A ``temporary``
    one belongs to this connection alone.
    """
    target = f"{'TEMP ' if temporary else ''}TABLE {table.name}"
    with lake.storage.local_files([curated_key(name) for name in names]) as files:
        paths = {name: files[curated_key(name)] for name in names}
        unreadable = {name: problem for name, path in paths.items() if (problem := _find_misfit(path, table))}
        good = [name for name in names if name not in unreadable]
        try:
            _create_table(database, target, table, [paths[name] for name in good], labels=labels)
        except duckdb.Error:
            for name in good:
                try:
                    _create_table(database, target, table, [paths[name]], labels=labels)
                except duckdb.Error as error:
                    unreadable[name] = first_line(error)
            good = [name for name in good if name not in unreadable]
            _create_table(database, target, table, [paths[name] for name in good], labels=labels)
    return unreadable


def create_manifest_tables(database: duckdb.DuckDBPyConnection, files: Mapping[str, FileEntry]) -> None:
    """Create ``manifest_files(file, table_name, dt, rows, orders)`` and the sums of these entries by currency.

    They are ``manifest_sums(table_name, dt, currency, amount)``: of fact_order revenue, of fact_refund refunds.
    """
    tables = {name: (PurePosixPath(name).stem, file_day(name)) for name in files}
    query, parameters = select_rows(
        {"file": "VARCHAR", "table_name": "VARCHAR", "dt": "DATE", "rows": "BIGINT", "orders": "BIGINT"},
        [(name, *tables[name], entry.rows, entry.orders) for name, entry in files.items()],
    )
    database.execute(f"CREATE OR REPLACE TEMP TABLE manifest_files AS {query}", parameters)
    query, parameters = select_rows(
        {"table_name": "VARCHAR", "dt": "DATE", "currency": "VARCHAR", "amount": "DECIMAL(38,4)"},
        [(*tables[name], *item) for name, entry in files.items() for item in entry.sums.items()],
    )
    database.execute(f"CREATE OR REPLACE TEMP TABLE manifest_sums AS {query}", parameters)


def select_rows(types: Mapping[str, str], rows: Sequence[Sequence[object]]) -> tuple[str, dict[str, list[object]]]:
    """A query of the rows under these column types, and its parameters."""
    columns = ", ".join(f"CAST(unnest(CAST(${name} AS VARCHAR[])) AS {kind}) AS {name}" for name, kind in types.items())
    texts: list[list[object]] = [
        [None if row[at] is None else str(row[at]) for row in rows] for at in range(len(types))
    ]
    return f"SELECT {columns}", dict(zip(types, texts, strict=True))


def fetch_samples(database: duckdb.DuckDBPyConnection, query: str, *, most: int) -> tuple[int, list[dict[str, str]]]:
    """How many rows the query selects, and the first of them as text, null as ``null``."""
    result = database.execute(query)
    names = [column[0] for column in result.description or ()]
    rows = result.fetchmany(most + 1)
    if len(rows) <= most:
        count = len(rows)
    else:
        count = database.execute(f"SELECT count(*) FROM ({query.rstrip().removesuffix(';')}\n)").fetchall()[0][0]
    return count, [
        {name: "null" if value is None else str(value) for name, value in zip(names, row, strict=True)}
        for row in rows[:most]
    ]


def read_sql(name: str) -> str:
    """A statement of the package's ``sql`` folder, by its path without the ending, without its semicolon."""
    return (locate("sql") / f"{name}.sql").read_text("utf-8").rstrip().removesuffix(";")


def read_why(sql: str) -> str:
    """What a check's query is for: the comment in its first line."""
    return sql.partition("\n")[0].removeprefix("--").strip()


def _create_table(
    database: duckdb.DuckDBPyConnection, target: str, table: Table, paths: Sequence[Path], *, labels: bool
) -> None:
    if paths:
        columns = [name for name in table.names if labels or name not in _LABELS]
        query, parameters = select_csv(table, paths, day=table in _FACTS, columns=columns)
        if left := [name for name in table.names if name not in columns]:
            query += f" WHERE hash({', '.join(left)}) IS NOT NULL"  # always so, but it has them read
        database.execute(f"CREATE OR REPLACE {target} AS {query}", parameters)
    else:
        day = "dt DATE, " if table in _FACTS else ""
        types = ", ".join(f"{name} {kind}" for name, kind in table.duckdb_columns.items())
        database.execute(f"CREATE OR REPLACE {target} ({day}{types})")


def _find_misfit(path: Path, table: Table) -> str | None:
    """What DuckDB would read past: another header, or a last row without its end."""
    try:
        with open_regular(path) as file:
            header = file.readline(10_000)
            if header != ",".join(table.names).encode() + b"\n":
                return "the header is not the table's" if header else "the file is empty"
            file.seek(-1, os.SEEK_END)
            return None if file.read(1) == b"\n" else "the last row is cut off"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
