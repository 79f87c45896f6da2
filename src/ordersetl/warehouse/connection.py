"""What a warehouse has to do for us: the little that is not the same SQL in all of them."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol

import msgspec

from ordersetl.lake.layout import Lake
from ordersetl.star.schema import SqlType, Table
from ordersetl.warehouse.names import Names

__all__ = ["PG_RELATIONS", "CuratedFile", "Dialect", "Execute", "Row", "Warehouse", "stage_name"]

Row = tuple[Any, ...]
PG_RELATIONS = """(
    SELECT current_database() AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
        CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'BASE TABLE' END AS table_type
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
) AS r"""
"""What is there in PostgreSQL and its kin; information_schema hides what the user has no right to."""


class CuratedFile(msgspec.Struct, frozen=True):
    """A curated file that is to be staged: its key, its day (None for a dimension), and its size."""

    key: str
    day: date | None
    bytes: int


class Dialect(msgspec.Struct, frozen=True):
    """How a database writes what no two of them write alike.

    ``text_type`` is that of a text column. ``time_text``, ``date_text`` and ``hash_number`` are patterns of
    expressions: a time and a date as the curated files write them, whatever the session's style, and the number that
    the first 15 hex digits of a text's MD5 are. ``counts_bytes``: the limit of a text is in bytes, and not in
    characters. ``enforces_keys``: no row is there twice. ``enforces_references``: a row cannot go in the transaction in
    which those that refer to it go. ``updates_rows``: to update a row costs far less than to delete it and insert
    another of its key. ``folds_names``: names are one that differ in the case of their ASCII letters alone.
    ``relations`` has a row for each table and view, with the columns of ``information_schema.tables``.
    """

    text_type: str
    time_text: str
    date_text: str
    hash_number: str
    counts_bytes: bool = False
    enforces_keys: bool = False
    enforces_references: bool = False
    updates_rows: bool = False
    folds_names: bool = False
    relations: str = "information_schema.tables"

    def column_type(self, type_: SqlType) -> str:
        """The type of a column in this database's words."""
        return self.text_type if type_ == "VARCHAR" else type_

    def text_of(self, name: str, type_: SqlType) -> str:
        """The expression that gives a column's value as the curated files write it; null for null."""
        match type_:
            case "VARCHAR":
                return name
            case "TIMESTAMP":
                return self.time_text.format(name)
            case "DATE":
                return self.date_text.format(name)
            case "BOOLEAN":  # Redshift casts none to text
                return f"CASE WHEN {name} THEN 'true' WHEN NOT {name} THEN 'false' END"
            case _:
                return f"CAST({name} AS VARCHAR(40))"


class Execute(Protocol):
    """Runs a statement, with ``%s`` where a parameter goes; gives its rows, none where it has none."""

    def __call__(self, sql: str, parameters: Sequence[object] = (), /) -> list[Row]:
        """Run it."""


class Warehouse(Protocol):
    """A connection to a warehouse, in which one load is done at a time.

    Whatever the driver raises comes out as a WarehouseError, or as its ConnectionLostError where the connection broke.
    """

    names: Names
    dialect: Dialect

    def begin(self) -> None:
        """Begin a transaction, as the only load that works on these tables: another one is waited for.

        All that was committed by then is seen. What is not committed is gone with the connection.
        """

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> list[Row]:
        """As :class:`Execute` says."""

    def create_table(self, name: str) -> None:
        """Create a table of ours, with its keys."""

    def stage(self, table: Table, lake: Lake, files: Sequence[CuratedFile], timezone: str) -> None:
        """Make the temporary table ``stage_name(table.name)`` with the rows of these files, and the ``dt`` of facts.

        Orders are staged before refunds. There may be no file. The days are those of the time zone, an IANA name, for a
        warehouse that does not see which file a row is from.
        """

    def commit(self) -> None:
        """Commit.

        Raises:
            ConnectionLostError: whether it went through is not known.
        """

    def close(self) -> None:
        """Close, whatever state it is in."""


def stage_name(table: str) -> str:
    """The temporary table of a load that a table's new rows are in."""
    return f"ordersetl_stage_{table}"
