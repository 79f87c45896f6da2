"""The user's own checks: SQL files of the same form as ours, run over the whole layer; they can read nothing else."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Timer

import duckdb
import msgspec

from ordersetl.check.sql_checks import list_check_names
from ordersetl.check.tables import read_why
from ordersetl.check.views import open_views
from ordersetl.errors import ConfigError
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import read_readable
from ordersetl.results import CheckOutcome, CheckResult
from ordersetl.settings import Settings
from ordersetl.settings.checks import list_check_files, read_check_file

__all__ = ["OwnCheck", "add_own_checks", "read_own_checks"]

_ROWS = 10_000
"""Rows that are counted at a time."""


class OwnCheck(msgspec.Struct, frozen=True):
    """One file of the user's: its name without the ending, its one query, and how many seconds that may take."""

    path: Path
    sql: str
    timeout_s: float

    @property
    def name(self) -> str:
        """What results call it."""
        return self.path.stem


def read_own_checks(settings: Settings) -> list[OwnCheck]:
    """The checks in the folder that ``checks`` names, by name; none where the usual folder is not there.

    Raises:
        ConfigError: the folder that was set is missing; a file cannot be read, is no single SELECT, or is named as one
            of ours or another file is.
    """
    taken = set(list_check_names())
    found = [OwnCheck(path, _read_select(path), settings.check_timeout_s) for path in list_check_files(settings)]
    for check in found:
        if check.name in taken:
            raise ConfigError(
                f"{check.path} has the name of a check of ordersetl's own, or of another file",
                hint="Give the file another name.",
            )
        taken.add(check.name)
    return found


def add_own_checks(result: CheckResult, lake: Lake, checks: Sequence[OwnCheck], *, max_samples: int = 5) -> CheckResult:
    """The result of a check with the outcomes of these over the whole layer, whatever part of it that one looked at.

    A check that DuckDB refuses, or that takes longer than it may, has failed, and says why. Without a manifest whose
    files can be read, which is a failure of its own, none is run.
    """
    manifest = read_readable(lake) if checks else None
    if manifest is None:
        return result
    started = time.perf_counter()
    with open_views(lake, manifest) as database:
        outcomes = tuple(_run(database, check, max_samples) for check in checks)
    return replace(
        result,
        ok=result.ok and all(outcome.ok for outcome in outcomes),
        outcomes=(*result.outcomes, *outcomes),
        seconds=result.seconds + time.perf_counter() - started,
    )


def _run(database: duckdb.DuckDBPyConnection, check: OwnCheck, max_samples: int) -> CheckOutcome:
    why = read_why(check.sql) if check.sql.startswith("--") else "This check is your own."
    try:
        with _stop_after(database, check.timeout_s):
            offending, samples = _count_rows(database, check.sql, max_samples)
    except duckdb.Error as error:
        detail = f"{check.path} cannot be run: {str(error).splitlines()[0]}"
        if isinstance(error, duckdb.InterruptException):
            detail = f"{check.path} was stopped after {check.timeout_s:g} s: select less, or set check_timeout_s higher"
        return CheckOutcome(check.name, ok=False, why=why, offending=1, detail=detail, is_own=True)
    return CheckOutcome(check.name, not offending, why, offending, tuple(samples), is_own=True)


@contextmanager
def _stop_after(database: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt the query that still runs by then."""
    timer = Timer(seconds, database.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read_select(path: Path) -> str:
    sql = read_check_file(path)
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise ConfigError(
            f"the check {path} is not SQL: {str(error).splitlines()[0]}", hint="Correct the file, or move it away."
        ) from None
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise ConfigError(
            f"the check {path} must be a single SELECT, and is not",
            hint="Select the offending rows, and say why it matters in a comment in the first line; or move it away.",
        )
    return sql


def _count_rows(database: duckdb.DuckDBPyConnection, sql: str, most: int) -> tuple[int, list[dict[str, str]]]:
    """How many rows the query selects, and the first of them as text."""
    result = database.execute(sql)
    names = [column[0] for column in result.description or ()]
    count = 0
    samples: list[dict[str, str]] = []
    while rows := result.fetchmany(_ROWS):
        count += len(rows)
        samples += [
            {name: "null" if value is None else str(value) for name, value in zip(names, row, strict=True)}
            for row in rows[: most - len(samples)]
        ]
    return count, samples
