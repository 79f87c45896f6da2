"""Warehouses of all kinds: a test that takes ``place`` runs on each. A new kind is a line in ``PLACES``."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from lakes import open_job
from relay import RedshiftSql, Relay, open_relay
from warehouses import (
    Place,
    duckdb_place,
    load_first,
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
    with open_relay(postgres, RedshiftSql(bucket, socket_folder(postgres))) as relay:
        yield relay


def _make_duckdb(request: pytest.FixtureRequest, folder: Path) -> Place:
    del request
    return duckdb_place(folder)


def _make_postgres(request: pytest.FixtureRequest, folder: Path) -> Place:
    del folder
    return postgres_place(request.getfixturevalue("postgres"), f"t{next(_numbers)}")


def _make_redshift(request: pytest.FixtureRequest, folder: Path) -> Place:
    del folder
    port = request.getfixturevalue("redshift").port
    return redshift_place(port, request.getfixturevalue("postgres"), f"t{next(_numbers)}")


PLACES = {"duckdb": _make_duckdb, "postgresql": _make_postgres, "redshift": _make_redshift}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place in a warehouse."""
    return PLACES[request.param](request, tmp_path)


@pytest.fixture(params=["postgresql", "redshift"])
def relayed(request: pytest.FixtureRequest, postgres: str, tmp_path: Path) -> Iterator[tuple[Place, Relay]]:
    """An empty place in a warehouse on a server, and the relay to it, which cuts connections."""
    place = PLACES[request.param](request, tmp_path)
    if request.param == "redshift":
        yield place, request.getfixturevalue("redshift")
        return
    with open_relay(postgres) as relay:
        url = f"postgresql://postgres@127.0.0.1:{relay.port}/postgres?sslmode=disable&gssencmode=disable"
        yield replace(place, url=f"{url}&schema={place.schema}"), relay


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    """An output that is held by the test."""
    with open_job(tmp_path / "output") as opened:
        yield opened


@pytest.fixture
def first(context: RunContext) -> RunContext:
    """Its first orders are in curated."""
    load_first(context)
    return context


@pytest.fixture
def loaded(first: RunContext, place: Place) -> RunContext:
    """They are in the warehouse too."""
    place.load(first)
    return first
