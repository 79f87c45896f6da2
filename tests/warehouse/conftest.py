"""Warehouses of all kinds: a test that takes ``place`` runs on each. A new kind is a line in ``PLACES``."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from lakes import open_job
from warehouses import Place, duckdb_place, pg_execute, pg_server, postgres_place

from ordersetl.runtime import RunContext

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for all tests of a process: the URI of its database."""
    with pg_server(tmp_path_factory.mktemp("postgres")) as uri:
        execute = pg_execute(uri)
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            execute(f"ALTER SYSTEM SET {setting} = off")
        execute("SELECT pg_reload_conf()")
        yield uri


def _make_duckdb(request: pytest.FixtureRequest, folder: Path) -> Place:
    del request
    return duckdb_place(folder)


def _make_postgres(request: pytest.FixtureRequest, folder: Path) -> Place:
    del folder
    return postgres_place(request.getfixturevalue("postgres"), f"t{next(_numbers)}")


def _make_monthly(request: pytest.FixtureRequest, folder: Path) -> Place:
    del folder
    return postgres_place(request.getfixturevalue("postgres"), f"t{next(_numbers)}", parameters="&partition=month")


PLACES: dict[str, Callable[[pytest.FixtureRequest, Path], Place]] = {
    "duckdb": _make_duckdb,
    "postgresql": _make_postgres,
    "postgresql by month": _make_monthly,
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place in a warehouse."""
    return PLACES[request.param](request, tmp_path)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    """An output that is held by the test."""
    with open_job(tmp_path / "output") as opened:
        yield opened
