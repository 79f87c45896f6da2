"""Warehouses of all kinds: a test that takes ``place`` runs on each. A new kind is a line in ``PLACES``."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from lakes import open_job
from relay import RedshiftSql, Relay, open_relay
from warehouses import (
    Place,
    duckdb_place,
    pg_execute,
    pg_server,
    postgres_place,
    redshift_place,
    s3_server,
    socket_folder,
)

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


@pytest.fixture(scope="session")
def bucket() -> Iterator[Any]:
    """A client of S3, where the bucket ``staging`` is."""
    with s3_server("staging") as client:
        yield client


@pytest.fixture(scope="session")
def redshift(postgres: str, bucket: Any) -> Iterator[Relay]:
    """What passes as a Redshift cluster: Redshift's own driver talks to it, and PostgreSQL answers."""
    execute = pg_execute(postgres)
    execute(
        "CREATE FUNCTION strtol(text, int) RETURNS bigint IMMUTABLE"
        " RETURN CAST(CAST('x' || lpad($1, 16, '0') AS BIT(64)) AS BIGINT)"
    )
    with open_relay(postgres, RedshiftSql(bucket, socket_folder(postgres), execute)) as relay:
        yield relay


def _make_redshift(request: pytest.FixtureRequest, folder: Path) -> Place:
    del folder
    relay = request.getfixturevalue("redshift")
    return redshift_place(relay.port, request.getfixturevalue("postgres"), f"t{next(_numbers)}")


PLACES: dict[str, Callable[[pytest.FixtureRequest, Path], Place]] = {
    "duckdb": _make_duckdb,
    "postgresql": _make_postgres,
    "redshift": _make_redshift,
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
