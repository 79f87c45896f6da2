"""Write one table or view of the curated layer into one file, of one committed state, whatever runs meanwhile."""

import time
from datetime import date
from pathlib import Path
from typing import Literal

import duckdb
import msgspec

from ordersetl.check.views import open_views
from ordersetl.errors import ConfigError, CorruptedError, InternalError, StorageError
from ordersetl.export.tables import EXPORTS
from ordersetl.export.workbook import require_writer, write_workbook
from ordersetl.lake.commit import is_committing
from ordersetl.lake.integrity import file_problem
from ordersetl.lake.layout import Lake, file_day
from ordersetl.lake.manifest import Manifest, read_manifest, require_readable
from ordersetl.lake.settled import look_until_settled
from ordersetl.results import ExportResult
from ordersetl.storage.user_file import replace_user_file

__all__ = ["Format", "export_table", "read_format"]

Format = Literal["csv", "parquet", "xlsx"]
_FORMATS: tuple[Format, ...] = ("csv", "parquet", "xlsx")
_COPY = {
    "csv": "FORMAT csv, HEADER, TIMESTAMPFORMAT '%Y-%m-%d %H:%M:%S.%f', DATEFORMAT '%Y-%m-%d'",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}


def read_format(path: Path, given: str | None) -> Format:
    """The format that is given, else the one that the file's name says.

    Raises:
        ConfigError: neither does.
    """
    name = given or path.suffix.removeprefix(".").lower()
    if name not in _FORMATS:
        raise ConfigError(
            f"{path}: its name does not say in which format it is to be written",
            hint="End it in .csv, .parquet or .xlsx, or give --format.",
        )
    return name


def export_table(
    lake: Lake, table: str, path: Path, kind: Format, *, since: date | None = None, until: date | None = None
) -> ExportResult:
    """Write the rows of a table or view, from the day ``since`` on and before ``until``, into a file of the user's.

    Raises:
        ConfigError: there is no such table, it has no days to be cut by, or the file cannot be written.
        CorruptedError: curated is damaged.
        StorageError: the disk refused, or runs commit all the time.
    """
    started = time.perf_counter()
    export = EXPORTS.get(table)
    if export is None:
        raise ConfigError(f"there is no table {table}", hint=f"Give one of {', '.join(EXPORTS)}.")
    if export.day is None and (since or until):
        raise ConfigError(f"{table} has no days", hint="Leave out --since and --until.")
    if since is not None and until is not None and since >= until:
        raise ConfigError(f"no day is from {since} on and before {until}", hint="Give --until a later day.")
    lake.require_not_within(path)
    if kind == "xlsx":
        require_writer()
    days = _Days(since, until)
    with replace_user_file(path, lake.disk) as (temporary, publish):
        rows, is_settled = look_until_settled(
            lake, lambda: _write(lake, _read_manifest(lake), table, days, temporary, kind=kind)
        )
        if not is_settled:
            raise StorageError(
                "runs commit all the time: no state stayed as it was", hint="Try again when no run is under way."
            )
        size = publish()
    return ExportResult(table, kind, path.as_posix(), since, until, rows, size, time.perf_counter() - started)


def _read_manifest(lake: Lake) -> Manifest:
    """The manifest, its files found to be as it says by size and time.

    Raises:
        ConfigError: nothing was loaded yet, or an older version did it.
        CorruptedError: it or a file is damaged.
    """
    manifest = read_manifest(lake)
    if manifest is None:
        raise ConfigError("nothing was loaded yet", hint="Load orders first: ordersetl run")
    require_readable(lake, manifest)
    for file, entry in manifest.files.items():
        problem = file_problem(lake, file, entry, verify=False)
        if problem and read_manifest(lake) == manifest and not is_committing(lake):
            raise CorruptedError(f"{file} is damaged: {problem}", hint="Rebuild it from raw: ordersetl load --verify")
    return manifest


class _Days(msgspec.Struct, frozen=True):
    """From the day ``since`` on, and before ``until``; None is open."""

    since: date | None
    until: date | None

    def select(self, manifest: Manifest) -> list[date]:
        """Those that the layer has."""
        days = {day for name in manifest.files if (day := file_day(name)) is not None}
        return [d for d in days if (not self.since or d >= self.since) and (not self.until or d < self.until)]

    def where(self, column: str | None) -> str:
        """The condition on a column, empty where both ends are open."""
        ends = ((">=", self.since), ("<", self.until))
        limits = [f"{column} {sign} DATE '{day.isoformat()}'" for sign, day in ends if day is not None]
        return f"WHERE {' AND '.join(limits)}" if limits else ""


def _write(lake: Lake, manifest: Manifest, table: str, days: _Days, path: Path, *, kind: Format) -> int:
    """Write the rows; how many there are."""
    export = EXPORTS[table]
    where = days.where(export.day)
    query = f"SELECT * FROM {table} {where} ORDER BY {export.order}"
    some = days.select(manifest) if where and export.is_partitioned else None
    lake.disk.remove(path)  # over a file DuckDB writes by way of another one, which is out of its reach
    try:
        with open_views(lake, manifest, days=some, writes=path) as database:
            if kind == "xlsx":
                return write_workbook(database.execute(query), path, table)
            target = str(path).replace("'", "''")
            found = database.execute(f"COPY ({query}) TO '{target}' ({_COPY[kind]})").fetchall()
            return int(found[0][0])
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise StorageError(f"cannot write {path.parent}: {error}", hint="Free some room, and try again.") from error
    except duckdb.Error as error:
        hint = "This is a bug in ordersetl: please report it."
        raise InternalError(f"{table} could not be exported: {error}", hint=hint) from error
