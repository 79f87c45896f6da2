"""Amazon Redshift: the curated files go to S3 as they are, and from there by COPY into temporary tables."""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import redshift_connector
from redshift_connector import error as errors

from ordersetl.errors import ConfigError, ConnectionLostError, WarehouseError
from ordersetl.lake.layout import Lake
from ordersetl.star.schema import Table
from ordersetl.text import one_line
from ordersetl.warehouse.connection import CuratedFile, Row
from ordersetl.warehouse.names import LEDGER, Names, read_definition
from ordersetl.warehouse.redshift_sql import REDSHIFT, copy_from, create_copied, create_stage, derive_days, write_role
from ordersetl.warehouse.s3_staging import S3Staging
from ordersetl.warehouse.tables import FACTS, find_relations
from ordersetl.warehouse.target import Target

__all__ = ["Redshift", "connect"]

log = logging.getLogger(__name__)

_KEY = re.compile("[A-Za-z0-9/+=]+")
_LOAD_ERRORS = (
    """SELECT file_name, line_number, column_name, error_message FROM sys_load_error_detail
    WHERE session_id = pg_backend_pid() ORDER BY start_time DESC LIMIT 1""",
    """SELECT filename, line_number, colname, err_reason FROM stl_load_errors
    WHERE session = pg_backend_pid() ORDER BY starttime DESC LIMIT 1""",
)
"""Of clusters that have them, and of older ones."""


class Redshift:
    """A session of Redshift, as :class:`~ordersetl.warehouse.connection.Warehouse` says."""

    dialect = REDSHIFT

    def __init__(self, target: Target, *, read_only: bool = False) -> None:
        self.names: Names = target.names
        self._target = target
        self._read_only = read_only
        self._staging = S3Staging(target.options["staging"], target.options.get("region"))
        self._connection: Any = None
        mode = target.options.get("sslmode", "verify-full")
        with self._translate():
            self._connection = redshift_connector.connect(
                host=target.host,
                port=target.port or 5439,
                database=target.database,
                user=target.user,
                password=target.password.get_secret_value() if target.password else "",
                ssl=mode != "disable",
                sslmode=mode if mode != "disable" else "verify-ca",
                timeout=None,
                application_name="ordersetl",
            )
            self._connection.autocommit = True  # so that BEGIN and COMMIT are ours
        self.execute("SET datestyle = 'ISO'")  # the driver reads no other

    def begin(self) -> None:
        """Begin a transaction; a load locks the ledger, if there is one, by its first statement.

        A transaction sees the state of its first statement: looked at before the lock, the ledger could be an old one.
        To read, all tables are touched first: what may then take long waits for nobody.
        """
        ours = find_relations(self)
        self.execute("BEGIN")
        locks = [f"LOCK {self.names(LEDGER)}"] if LEDGER in ours else []
        if self._read_only:
            locks = [
                f"SELECT 1 FROM {self.names(name)} LIMIT 1" for name, kind in sorted(ours.items()) if kind == "table"
            ]
        if locks:
            self.execute(f"SET statement_timeout TO {max(1, round(self._target.timeout_s * 1000))}")
            for statement in locks:
                self.execute(statement)
            self.execute("SET statement_timeout TO 0")

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> list[Row]:
        """Run a statement."""
        with self._translate():
            cursor = self._connection.cursor()
            cursor.execute(statement, tuple(parameters) or None)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def create_table(self, name: str) -> None:
        """Create a table of ours."""
        for statement in read_definition("ledger" if name == LEDGER else "redshift-ddl", name):
            self.execute(self.names.place(statement))

    def stage(self, table: Table, lake: Lake, files: Sequence[CuratedFile], timezone: str) -> None:
        """Bring the files to S3 and have COPY read them; the day of facts is derived then."""
        for statement in [*create_stage(table), *(create_copied(table) if table in FACTS else ())]:
            self.execute(statement)
        if not files:
            return
        manifest = self._staging.put_files(lake, table.name, [file.key for file in files])
        try:
            self.execute(
                copy_from(table, manifest, access=_access(self._target), region=self._target.options.get("region"))
            )
        except ConnectionLostError:
            raise
        except WarehouseError as error:
            raise self._explain(error) from error
        if table in FACTS:
            self.execute(derive_days(table, [file.day for file in files if file.day is not None], timezone))

    def commit(self) -> None:
        """Commit."""
        self.execute("COMMIT")

    def close(self) -> None:
        """End the session, and remove what the load put to S3."""
        stream = getattr(self._connection, "_sock", None)
        with suppress(errors.Error, OSError):  # a connection that broke cannot be closed
            if self._connection is not None:
                self._connection.close()
        with suppress(OSError, ValueError):  # the driver then leaves its stream, and what is unsent, to the collector
            if stream is not None:
                stream.close()
        try:
            self._staging.remove()
        except WarehouseError as error:
            log.warning("files of the load are left behind in %s: %s", self._target.options["staging"], error.message)

    def _explain(self, failure: WarehouseError) -> WarehouseError:
        """The failure of a COPY with the file, line and column that Redshift names; as it is where it names none."""
        with suppress(WarehouseError):
            self.execute("ROLLBACK")
        for query in _LOAD_ERRORS:
            with suppress(WarehouseError):  # one of them may not be there, or not be for this user to read
                for file, line, column, reason in self.execute(query):
                    where = f"{str(file).strip()}, line {line}, column {str(column).strip()}"
                    return WarehouseError(
                        f"COPY failed: {one_line(str(reason))} ({where})",
                        hint="Nothing was changed. Compare the column with sql/redshift-ddl.sql.",
                    )
        return failure

    @contextmanager
    def _translate(self) -> Iterator[None]:
        """Raise what the driver raises as a WarehouseError."""
        try:
            yield
        except (errors.Error, OSError) as error:
            problem = _hide(one_line(_describe(error)))
            if self._connection is None:
                raise WarehouseError(
                    f"cannot connect to {self._target.url}{self._target.without_password}: {problem}",
                    hint="Look at host, user and database; the password is read from ORDERSETL_WAREHOUSE_PASSWORD.",
                ) from error
            is_lost = isinstance(error, errors.InterfaceError | OSError)
            kind = ConnectionLostError if is_lost else WarehouseError
            raise kind(f"the warehouse failed: {problem}", hint=_HINT_LOST if is_lost else _HINT_REFUSED) from error


_HINT_LOST = "Run the same command again: what was not committed is gone."
_HINT_REFUSED = "Nothing was changed. What the user must be allowed to do: docs/warehouses.md"


def connect(target: Target, *, read_only: bool = False) -> Redshift:
    """Open a session.

    Raises:
        WarehouseError: it cannot be opened.
    """
    return Redshift(target, read_only=read_only)


def _access(target: Target) -> str:
    """How COPY may read S3: by the role of the URL, else by the keys of AWS's own variables."""
    role = target.options.get("iam_role")
    if role:
        return write_role(role)
    names = {"ACCESS_KEY_ID": True, "SECRET_ACCESS_KEY": True, "SESSION_TOKEN": False}
    keys = {name: os.environ.get(f"AWS_{name}", "") for name in names}
    if any(required and not keys[name] for name, required in names.items()):
        raise ConfigError(
            "Redshift has no way to read S3: the URL names no iam_role, and there are no keys",
            hint="Add iam_role=default or the ARN of a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    if not all(_KEY.fullmatch(key) for key in keys.values() if key):
        raise ConfigError("an AWS key in the environment is none", hint="Look at AWS_ACCESS_KEY_ID and the others.")
    return " ".join(f"{name} '{key}'" for name, key in keys.items() if key)


def _describe(error: BaseException) -> str:
    """What the server said; the driver hands its fields on as they came."""
    fields = error.args[0] if error.args else ""
    return str(fields.get("M", fields)) if isinstance(fields, dict) else str(error)


def _hide(text: str) -> str:
    """The text without the keys of AWS, should the server quote a statement."""
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"):
        if key := os.environ.get(name):
            text = text.replace(key, "...")
    return text
