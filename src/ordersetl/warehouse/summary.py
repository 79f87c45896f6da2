"""What the rows of a day come to, by a query that curated files and warehouse tables answer alike."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import msgspec

from ordersetl.errors import CorruptedError, StorageError
from ordersetl.lake.csv_scan import select_csv
from ordersetl.lake.layout import Lake, curated_key, file_day
from ordersetl.lake.manifest import FileEntry, Manifest
from ordersetl.star.schema import Table
from ordersetl.storage.copies import local_groups
from ordersetl.text import first_line, printable
from ordersetl.warehouse.connection import Dialect, Execute
from ordersetl.warehouse.duckdb_file import DUCKDB
from ordersetl.warehouse.tables import FACTS

__all__ = ["AMOUNTS", "Day", "Summary", "summarize", "summarize_files", "summarize_manifest"]

AMOUNTS = {"fact_order": "net_amount", "fact_refund": "refund_amount"}
"""The additive amount of each fact, whose sums the manifest has."""
Day = date | str | None
"""Whose rows: of a day, of a dimension (None), or of a ``dt`` that no date is: null, or outside of years 1 to 9999."""
_DATES = "BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
"""What Python and most drivers can hold."""
_NULL, _END = 30, 31
"""Codes of the characters that stand for a null, and after each value, where a row is hashed."""


class Summary(msgspec.Struct, frozen=True):
    """Rows, sums by currency ("" for none) and, where asked for, the sum of the hashes of the rows."""

    rows: int = 0
    sums: Mapping[str, Decimal] = msgspec.field(default_factory=dict)
    content: int | None = None


def summarize(
    execute: Execute,
    dialect: Dialect,
    relation: str,
    table: Table,
    *,
    where: str = "",
    parameters: Sequence[object] = (),
    hashed: bool = False,
) -> dict[Day, Summary]:
    """What a relation's rows come to by ``dt``; under None, where the table is a dimension.

    Args:
        execute: of the database.
        dialect: likewise.
        relation: a table's name, or a query in brackets, with the table's columns and, of a fact, ``dt``.
        table: which.
        where: a condition on it.
        parameters: those of the condition.
        hashed: sum the hashes of the rows too.
    """
    amount = AMOUNTS.get(table.name)
    content = f"CAST(SUM(CAST({_hash_row(dialect, table)} AS DECIMAL(38,0))) AS VARCHAR(40))" if hashed else "NULL"
    figures = f"COUNT(*), {content}"
    condition = f" WHERE {where}" if where else ""
    if amount is None:
        rows = [(None, None, None, *row) for row in execute(f"SELECT {figures} FROM {relation}{condition}", parameters)]
    else:
        # a sum comes as text: Redshift's driver misreads a wide NUMERIC
        # a day too: drivers fail at infinity
        day = f"CASE WHEN dt {_DATES} THEN {dialect.date_text.format('dt')} ELSE CAST(dt AS VARCHAR(40)) END"
        query = f"SELECT {day}, currency, CAST(SUM({amount}) AS VARCHAR(40)), {figures} FROM {relation}{condition}"
        grouped = execute(f"{query} GROUP BY dt, currency", parameters)
        rows = [(_read_day(text), *row) for text, *row in grouped]
    found: dict[Day, Summary] = {}
    for day, currency, total, count, hashes in rows:
        before = found.get(day, Summary(content=0 if hashed else None))
        found[day] = Summary(
            before.rows + int(count),
            {**before.sums, currency or "": Decimal(total)} if total is not None else before.sums,
            before.content + int(hashes or 0) if before.content is not None else None,
        )
    return found


def summarize_manifest(files: Mapping[str, FileEntry], table: Table) -> dict[Day, Summary]:
    """What the manifest says of these files by day; those of other tables are passed over."""
    mine = {file: entry for file, entry in files.items() if file.endswith(f"{table.name}.csv")}
    return {
        file_day(file): Summary(entry.rows, {currency: Decimal(amount) for currency, amount in entry.sums.items()})
        for file, entry in mine.items()
    }


def summarize_files(lake: Lake, manifest: Manifest, table: Table) -> dict[Day, Summary]:
    """What the curated files of a table come to by day, as they are, with the hashes of their rows.

    Raises:
        CorruptedError: one of them is missing, or is no such file.
        StorageError: they cannot be read for want of memory or room.
    """
    files = manifest.files.items()
    sizes = {curated_key(file): entry.bytes for file, entry in files if file.endswith(f"{table.name}.csv")}
    found: dict[Day, Summary] = {}
    if sizes:
        with _translate(table), duckdb.connect() as database:
            for paths in local_groups(lake.storage, sizes):  # a day is in one of them
                found |= _summarize_paths(database, table, [*paths.values()])
    return found


@contextmanager
def _translate(table: Table) -> Iterator[None]:
    """Raise what reading the files of a table raises as ours."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise StorageError(
            f"the files of {table.name} cannot be compared: {printable(first_line(error))}",
            hint="Free some memory, or some room in the folder for temporary files (TMPDIR), and run it again.",
        ) from error
    except (OSError, duckdb.Error) as error:
        raise CorruptedError(
            f"the files of {table.name} cannot be read: {printable(first_line(error))}",
            hint="Rebuild them from raw, and load them: ordersetl load --verify",
        ) from error


def _summarize_paths(database: duckdb.DuckDBPyConnection, table: Table, paths: Sequence[Path]) -> dict[Day, Summary]:
    query, parameters = select_csv(table, paths, day=table in FACTS)

    def execute(sql: str, _: Iterable[object] = (), /) -> list[tuple[object, ...]]:
        return database.execute(sql, parameters).fetchall()

    return summarize(execute, DUCKDB, f"({query})", table, hashed=True)


def _read_day(text: str | None) -> date | str:
    """The day that a fact's row is of; what no date is as the database writes it."""
    try:
        return date.fromisoformat(text or "null")
    except ValueError:
        return text or "null"


def _hash_row(dialect: Dialect, table: Table) -> str:
    values = (f"COALESCE({dialect.text_of(c.name, c.type)}, CHR({_NULL})) || CHR({_END})" for c in table.columns)
    return dialect.hash_number.format(" || ".join(values))
