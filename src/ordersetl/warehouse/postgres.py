"""PostgreSQL by psycopg 3: the curated files go there as they are, through ``COPY FROM STDIN``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ordersetl.errors import ConfigError, ConnectionLostError, WarehouseError
from ordersetl.lake.layout import Lake
from ordersetl.star.schema import Table
from ordersetl.text import one_line
from ordersetl.warehouse.connection import CuratedFile, Row, stage_name
from ordersetl.warehouse.postgres_sql import COPY_OPTIONS, POSTGRES, create_partitions, create_stage, create_table
from ordersetl.warehouse.tables import FACTS
from ordersetl.warehouse.target import Target

__all__ = ["Postgres", "connect"]

_CHUNK_BYTES = 1 << 18
_KEEPALIVE_S = 30


class Postgres:
    """A session of PostgreSQL, as :class:`~ordersetl.warehouse.connection.Warehouse` says."""

    dialect = POSTGRES

    def __init__(self, target: Target, *, read_only: bool = False) -> None:
        self.names = target.names
        self._target = target
        self._read_only = read_only
        self._by_month = target.by_month
        with self._translate():
            self._connection = psycopg.connect(_conninfo(target), autocommit=True)
        encoding = self.execute("SHOW server_encoding")[0][0]
        if encoding != "UTF8":
            self.close()
            raise ConfigError(
                f"the database is encoded in {encoding}", hint="Create one for it: CREATE DATABASE ... ENCODING 'UTF8'"
            )

    def begin(self) -> None:
        """Begin a transaction; a load locks the place of the tables, by a lock that ends with it."""
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if self._read_only else "BEGIN")
        milliseconds = str(max(1, round(self._target.timeout_s * 1000)))
        self.execute("SELECT set_config('lock_timeout', %s, true)", (milliseconds,))
        if self._read_only:
            return
        place = f"ordersetl {self.names.schema} {self.names.prefix}"
        self.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (place,))

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> list[Row]:
        """Run a statement."""
        with self._translate():
            cursor = self._connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def create_table(self, name: str) -> None:
        """Create a table of ours; a fact in partitions where that is asked for."""
        for statement in create_table(name, self.names, by_month=self._by_month):
            self.execute(statement)

    def stage(self, table: Table, lake: Lake, files: Sequence[CuratedFile], timezone: str) -> None:
        """Copy the files, one after the other; the day of each is the default of its rows."""
        del timezone
        target = stage_name(table.name)
        self.execute(create_stage(table))
        if table in FACTS:
            self._require_partitions(table, {file.day for file in files if file.day is not None})
        copy = f"COPY {target} ({', '.join(table.names)}) FROM STDIN {COPY_OPTIONS}"
        default = sql.SQL("ALTER TABLE {} ALTER COLUMN dt SET DEFAULT {}")
        for file in files:
            if file.day is not None:
                self._run(default.format(sql.Identifier(target), sql.Literal(file.day)))
            with (
                lake.storage.open(file.key) as content,
                self._translate(),
                self._connection.cursor().copy(copy.encode()) as copying,
            ):
                while chunk := content.read(_CHUNK_BYTES):
                    copying.write(chunk)
        self.execute(f"ANALYZE {target} ({table.key[0]})")

    def commit(self) -> None:
        """Commit."""
        self.execute("COMMIT")

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def _require_partitions(self, table: Table, days: set[date]) -> None:
        """Create the partitions of these days' months that are missing, where the table is in partitions.

        Raises:
            ConfigError: it was made without, and is to have them.
        """
        name = self.names(table.name)
        partitioned = self.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = CAST(%s AS regclass)", (name,))[0][0]
        if self._by_month and not partitioned:
            raise ConfigError(
                f"{self.names.show(table.name)} was made without partitions",
                hint=f"Drop it to have it made again, by month: DROP TABLE {name} CASCADE",
            )
        if not partitioned:
            return
        there = "SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        for partition, statement in create_partitions(table, self.names, days):
            if not self.execute(f"{there} WHERE nspname = %s AND relname = %s", (self.names.schema, partition)):
                self.execute(statement)

    def _run(self, statement: sql.Composed) -> None:
        """Run a statement that takes no parameters, into which the driver wrote the values."""
        with self._translate():
            self._connection.execute(statement)

    @contextmanager
    def _translate(self) -> Iterator[None]:
        """Raise what psycopg raises as a WarehouseError."""
        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            raise WarehouseError(
                f"another session holds a lock on our tables for more than {self._target.timeout_s:g} s",
                hint="Run the same command again once it has ended; pg_stat_activity shows it. Nothing was changed.",
            ) from error
        except psycopg.OperationalError as error:
            connection = getattr(self, "_connection", None)
            if connection is None:
                raise WarehouseError(
                    f"cannot connect to {self._target.url}{self._target.without_password}: {one_line(str(error))}",
                    hint="Look at host, user and database; the password is read from ORDERSETL_WAREHOUSE_PASSWORD.",
                ) from error
            kind = ConnectionLostError if connection.closed else WarehouseError
            raise kind(_describe(error), hint="Run the same command again: what was not committed is gone.") from error
        except psycopg.Error as error:
            raise WarehouseError(
                _describe(error), hint="Nothing was changed. What the user must be allowed to do: docs/warehouses.md"
            ) from error


def connect(target: Target, *, read_only: bool = False) -> Postgres:
    """Open a session.

    Raises:
        WarehouseError: it cannot be opened.
        ConfigError: the URL has a parameter that PostgreSQL does not know.
    """
    return Postgres(target, read_only=read_only)


def _conninfo(target: Target) -> str:
    """What libpq connects by; what the URL leaves out, its own variables and files say."""
    given: dict[str, str | int | None] = {
        "host": target.host,
        "port": target.port,
        "user": target.user,
        "dbname": target.database,
        "password": target.password.get_secret_value() if target.password else None,
    }
    others = {name: value for name, value in target.options.items() if name != "partition"}
    defaults: dict[str, str | int] = {
        "application_name": "ordersetl",
        "connect_timeout": max(2, round(target.timeout_s)),
        "keepalives_idle": _KEEPALIVE_S,
    }
    ours = {**given, "client_encoding": "UTF8"}  # of the files, whose bytes are copied as they are
    try:
        return make_conninfo("", **{**defaults, **others, **{name: value for name, value in ours.items() if value}})
    except psycopg.ProgrammingError as error:
        raise ConfigError(
            f"the URL of the warehouse cannot be used: {one_line(str(error))}",
            hint="Parameters beside schema, prefix and partition are those of libpq, such as sslmode=require.",
        ) from None


def _describe(error: psycopg.Error) -> str:
    """What the server said, in one line; without what it quotes of the data."""
    return f"the warehouse failed: {one_line(error.diag.message_primary or str(error))}"
