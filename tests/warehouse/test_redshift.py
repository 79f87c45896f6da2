"""Redshift: what is its own, beside the tests of all warehouses."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest
import sqlglot
from lakes import order, run, write_batch
from relay import RedshiftSql, Relay
from sqlglot import exp
from warehouses import Place, load_second, pg_execute, redshift_place

from ordersetl.errors import ConfigError, WarehouseError
from ordersetl.runtime import RunContext
from ordersetl.settings import Settings
from ordersetl.star.days import find_days
from ordersetl.star.schema import FACT_ORDER
from ordersetl.warehouse.redshift_sql import derive_days
from ordersetl.warehouse.target import find_target

URL = "redshift://ana@cluster.example/shop?staging=s3://bucket/prefix"


@pytest.fixture
def place(redshift: Relay, postgres: str, request: pytest.FixtureRequest) -> Place:
    schema = f"r{abs(hash(request.node.name))}"
    return redshift_place(redshift.port, postgres, schema)


@pytest.fixture
def broken_copy(redshift: Relay) -> Iterator[None]:
    """COPY fails for the time of the test."""
    assert isinstance(redshift.translate, RedshiftSql)
    redshift.translate.fails = True
    yield
    redshift.translate.fails = False


def objects(bucket: Any, place: Place) -> list[str]:
    listed = bucket.list_objects_v2(Bucket="staging", Prefix=place.schema)
    return [found["Key"] for found in listed.get("Contents", [])]


def test_only_what_differs_goes_to_s3_and_nothing_stays_there(
    first: RunContext, place: Place, redshift: Relay, bucket: Any
) -> None:
    place.load(first)
    write_batch(first, [order("kept", 20, status="paid", updated_at="2025-09-02")])
    run(first)
    seen: set[str] = set()
    redshift.on_statement = lambda statement: seen.update(objects(bucket, place) if statement == "COMMIT" else ())
    place.load(first)
    redshift.on_statement = str
    assert {key.partition("/curated/")[2] or key.rpartition("/")[2] for key in seen} == {
        "dt=2025-08-20/fact_order.csv",
        "fact_order.manifest",
    }
    assert objects(bucket, place) == []
    place.assert_holds(first.lake)


def test_redshift_is_told_nothing_but_what_its_grammar_has(first: RunContext, place: Place, redshift: Relay) -> None:
    place.load(first)
    load_second(first)
    told: list[str] = []
    redshift.on_statement = told.append
    place.load(first, verify=True)
    redshift.on_statement = str
    kinds = (
        *(exp.Transaction, exp.Commit, exp.Set, exp.Lock, exp.Command, exp.Select),
        *(exp.Create, exp.Drop, exp.Copy, exp.Insert, exp.Update, exp.Delete),
    )
    for statement in told:
        (parsed,) = sqlglot.parse(re.sub(r"\$\d+", "NULL", statement), read="redshift")
        assert isinstance(parsed, kinds), statement
        assert not isinstance(parsed, exp.Command) or statement.startswith(("LOCK ", "SET statement_timeout TO "))
    assert [statement for statement in told if statement.startswith(("BEGIN", "LOCK", "COMMIT"))] == [
        "BEGIN",
        f"LOCK {place.name('ordersetl_load')}",
        "COMMIT",
    ]
    begun = told.index("BEGIN")
    assert told[begun + 1].startswith("SET statement_timeout TO ")
    assert told[begun + 2].startswith("LOCK "), "the state that is read is that after the lock"


def test_two_loads_share_no_name(first: RunContext, place: Place, redshift: Relay, bucket: Any) -> None:
    folders = []
    redshift.on_statement = lambda statement: (
        folders.append(objects(bucket, place)[0].split("/")[1]) if statement == "COMMIT" else None
    )
    place.load(first)
    load_second(first)
    place.load(first)
    redshift.on_statement = str
    assert len(set(folders)) == 2


@pytest.mark.usefixtures("broken_copy")
def test_why_a_copy_failed_is_fetched_and_shown(first: RunContext, place: Place, postgres: str, bucket: Any) -> None:
    execute = pg_execute(postgres)
    execute(
        "CREATE VIEW sys_load_error_detail AS SELECT pg_backend_pid() AS session_id, now() AS start_time,"
        " CAST('s3://staging/x/dim_user.csv  ' AS CHAR(40)) AS file_name, CAST(7 AS BIGINT) AS line_number,"
        " CAST('email   ' AS CHAR(20)) AS column_name, 'String length exceeds DDL length' AS error_message"
    )
    problem = r"COPY failed: String length exceeds DDL length \(s3://staging/x/dim_user.csv, line 7, column email\)"
    try:
        with pytest.raises(WarehouseError, match=problem):
            place.load(first)
    finally:
        execute("DROP VIEW sys_load_error_detail")
    assert execute(f"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '{place.schema}'") == [(0,)]
    assert objects(bucket, place) == []


@pytest.mark.usefixtures("broken_copy")
def test_a_copy_that_fails_for_no_known_reason_says_what_the_server_said(first: RunContext, place: Place) -> None:
    with pytest.raises(WarehouseError, match="could not open file"):
        place.load(first)


def test_a_bucket_that_is_not_there_is_named(first: RunContext, place: Place) -> None:
    url = place.url.replace("s3://staging", "s3://elsewhere")
    with pytest.raises(WarehouseError, match=r"s3://elsewhere/\w+ refused"):
        Place(url, place.execute, place.schema).load(first)


def test_keys_serve_where_there_is_no_role_and_are_never_shown(
    first: RunContext, redshift: Relay, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = redshift_place(redshift.port, postgres, "keyed", parameters="&region=us-east-1")
    place.load(first)
    place.assert_holds(first.lake)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sp ace")
    load_second(first)
    with pytest.raises(ConfigError, match="an AWS key in the environment is none") as raised:
        place.load(first)
    assert "sp ace" not in str(raised.value)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises((ConfigError, WarehouseError)):
        place.load(first)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redshift://ana@cluster/shop", "staging, where files can be put for COPY, must be s3://BUCKET/PREFIX"),
        (URL.replace("//bucket", "//Bucket"), "must be s3://BUCKET/PREFIX, the bucket in lower case"),
        (f"{URL}'", "the prefix of staging may have"),
        (f"{URL}&iam_role=arn:aws:iam::1:role/x", "iam_role must be default"),
        (f"{URL}&iam_role=arn:aws:iam::123456789012:role/x'y", "iam_role must be default"),
        (f"{URL}&region=Paris", "region must be one of AWS"),
        (f"{URL}&sslmode=allow", "sslmode can be disable, verify-ca, verify-full"),
        (f"{URL}&partition=month", "there is no parameter partition for redshift"),
        (f"{URL}&schema=a%25b", "a schema has no % in its name"),
    ],
)
def test_what_would_end_a_literal_of_copy_is_refused(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        find_target(Settings(warehouse=url))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Beirut", "America/Havana", "Asia/Kathmandu"])
def test_the_day_of_a_row_is_that_of_its_file(zone: str) -> None:
    began = datetime(2023, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    times = pl.Series([began + timedelta(minutes=29 * number) for number in range(50_000)], dtype=pl.Datetime("us"))
    wanted = find_days(times, zone)
    days = sorted(set(wanted.to_list()))
    assert isinstance(days[0], date)
    expression = derive_days(FACT_ORDER, days, zone).partition("cancelled, dt) SELECT ")[2]
    expression = expression.partition("cancelled, ")[2].rpartition(" FROM ")[0]
    with duckdb.connect() as database:
        database.execute("CREATE TABLE t AS SELECT unnest(?) AS created_at_order", [times.to_list()])
        found = [row[0] for row in database.execute(f"SELECT {expression} FROM t").fetchall()]
    assert found == wanted.to_list()
