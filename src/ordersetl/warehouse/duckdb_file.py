"""DuckDB: the tables in a file, which the ``duckdb`` program, Python and BI tools open as it is."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ordersetl.errors import WarehouseError
from ordersetl.lake.csv_scan import select_csv
from ordersetl.lake.layout import Lake
from ordersetl.star.schema import Table
from ordersetl.storage.copies import local_groups
from ordersetl.storage.user_file import has_folder
from ordersetl.text import first_line, printable
from ordersetl.warehouse.connection import CuratedFile, Dialect, Row, stage_name
from ordersetl.warehouse.names import LEDGER, Names, quote, read_definition
from ordersetl.warehouse.tables import DAY, DIMENSIONS, FACTS
from ordersetl.warehouse.target import Target

__all__ = ["DUCKDB", "DuckDBFile", "connect"]

DUCKDB = Dialect(
    text_type="VARCHAR",
    time_text="strftime({}, '%Y-%m-%d %H:%M:%S.%f')",
    date_text="CAST({} AS VARCHAR)",
    hash_number="CAST('0x' || left(md5({}), 15) AS BIGINT)",
    enforces_keys=True,
    enforces_references=True,
    updates_rows=True,
    folds_names=True,
)
_HOLDER = re.compile(r"Conflicting lock is held in (.*?)\. (?:However|See)")


class DuckDBFile:
    """An open DuckDB file, as :class:`~ordersetl.warehouse.connection.Warehouse` says.

    The file's lock keeps other processes out; within this one, the second of two loads fails at its commit.
    """

    dialect = DUCKDB

    def __init__(self, path: Path, names: Names, *, read_only: bool = False) -> None:
        self.names = names
        self._path = path
        with _translate(path):
            self._database = duckdb.connect(path, read_only=read_only, config={"autoinstall_known_extensions": False})

    def begin(self) -> None:
        """Begin a transaction."""
        self.execute("BEGIN")

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> list[Row]:
        """Run a statement."""
        try:
            with _translate(self._path):
                written = sql.replace("%s", "?") if parameters else sql
                return self._database.execute(written, list(parameters)).fetchall()
        except WarehouseError as error:
            if isinstance(error.__cause__, duckdb.ConstraintException) and (indexes := self._list_indexes()):
                drops = " ".join(f"DROP INDEX {index};" for index in indexes)
                hint = f"DuckDB cannot update what is in an index of yours: {drops} Then run the same command again."
                raise WarehouseError(error.message, hint=hint) from error
            raise

    def create_table(self, name: str) -> None:
        """Create a table of ours."""
        for statement in read_definition("ledger" if name == LEDGER else "duckdb-ddl", name):
            self.execute(self.names.place(statement))

    def stage(self, table: Table, lake: Lake, files: Sequence[CuratedFile], timezone: str) -> None:
        """Have DuckDB read the files, or copies of some of them at a time; the day is in their path."""
        del timezone
        name, is_fact = stage_name(table.name), table in FACTS
        statement = f"CREATE OR REPLACE TEMPORARY TABLE {name} AS "
        for paths in local_groups(lake.storage, {file.key: file.bytes for file in files}):
            query, parameters = select_csv(table, list(paths.values()), day=is_fact)
            with _translate(self._path):
                self._database.execute(f"{statement}{query}", parameters)
            statement = f"INSERT INTO {name} "
        if not files:
            columns = [*table.columns, DAY] if is_fact else table.columns
            self.execute(
                f"CREATE OR REPLACE TEMPORARY TABLE {name} ({', '.join(f'{c.name} {c.type}' for c in columns)})"
            )

    def _list_indexes(self) -> list[str]:
        """Indexes that can be in a load's way, once a statement failed: of others, as our definitions make none."""
        dimensions, facts = ([f"{self.names.prefix}{table.name}" for table in some] for some in (DIMENSIONS, FACTS))
        query = (
            "SELECT schema_name, index_name FROM duckdb_indexes() WHERE database_name = current_database()"
            " AND lower(schema_name) = lower(?) AND"
            " (list_contains(?, lower(table_name)) OR is_unique AND list_contains(?, lower(table_name))) ORDER BY ALL"
        )
        with _translate(self._path):
            self._database.execute("ROLLBACK")
            found = self._database.execute(query, [self.names.schema, dimensions, facts]).fetchall()
        return [f"{quote(schema)}.{quote(index)}" for schema, index in found]

    def commit(self) -> None:
        """Commit."""
        self.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def connect(target: Target, *, read_only: bool = False) -> DuckDBFile:
    """Open the file of a target; it is made where there is none, unless it is only to be read.

    Raises:
        WarehouseError: it cannot be opened.
    """
    return DuckDBFile(Path(target.database).expanduser(), target.names, read_only=read_only)


@contextmanager
def _translate(path: Path) -> Iterator[None]:
    """Raise what DuckDB raises as a WarehouseError."""
    shown = printable(str(path))
    try:
        yield
    except duckdb.IOException as error:
        if "Could not set lock" in str(error):
            holder = _HOLDER.search(str(error))
            raise WarehouseError(
                f"{shown} is open in another program{f': {printable(holder[1])}' if holder else ''}",
                hint="Close it there, and run the same command again: DuckDB lets one program at a time change a file.",
            ) from error
        if not has_folder(path):
            raise WarehouseError(
                f"there is no folder {printable(str(path.parent))} for {printable(path.name)}",
                hint="Make it, or correct the path.",
            ) from error
        if "does not exist" in str(error) or "No such file" in str(error):
            raise WarehouseError(
                f"there is no file {shown}", hint="Correct the path; where it is right, fill it: ordersetl load"
            ) from error
        raise WarehouseError(
            f"{shown} cannot be used: {printable(first_line(error))}",
            hint="Name another file; where its disk is full, free some room.",
        ) from error
    except duckdb.Error as error:
        raise WarehouseError(
            f"{shown} refused a statement: {printable(first_line(error))}",
            hint="Nothing was changed there. Where the file was changed by hand, remove it and run: ordersetl load",
        ) from error
