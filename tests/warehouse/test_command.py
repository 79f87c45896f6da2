"""Warehouses on the command line: run, load and check with ``--warehouse``."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from console import environment, ordersetl


@pytest.fixture
def file(shop: Path) -> Path:
    return shop / "shop.duckdb"


def test_run_fills_the_warehouse_once_the_check_has_passed(shop: Path, file: Path) -> None:
    ended = ordersetl("run", "--json", "--warehouse", "duckdb:///shop.duckdb", cwd=shop)
    assert ended.code == 0, ended.err
    loaded = ended.json["data"]["warehouse"]
    assert loaded["url"] == "duckdb:///shop.duckdb"
    assert loaded["rows"] > 700
    with duckdb.connect(file) as database:
        (net,) = database.execute("SELECT SUM(net_amount) FROM fact_order WHERE currency = 'EUR'").fetchall()[0]
    assert str(net) == ended.json["data"]["load"]["revenue"]["EUR"]


def test_load_says_what_it_did_and_that_there_is_nothing_to_do(shop: Path) -> None:
    first = ordersetl("load", "--warehouse", "duckdb:///shop.duckdb", cwd=shop)
    assert "5 tables created" in first.out
    again = ordersetl("load", cwd=shop, ORDERSETL_WAREHOUSE="duckdb:///shop.duckdb")
    assert "duckdb:///shop.duckdb: nothing to do" in again.out


def test_without_a_warehouse_none_is_named(shop: Path) -> None:
    assert ordersetl("load", "--json", cwd=shop).json["data"]["warehouse"] is None
    assert "warehouse" not in ordersetl("load", cwd=shop).out


def test_check_fails_where_the_warehouse_differs_and_says_how_to_repair_it(shop: Path, file: Path) -> None:
    flags = ("--warehouse", "duckdb:///shop.duckdb")
    assert ordersetl("load", *flags, cwd=shop).code == 0
    assert ordersetl("check", *flags, "--quiet", cwd=shop).code == 0
    with duckdb.connect(file) as database:
        database.execute("UPDATE fact_order SET promo = 'x' WHERE dt = (SELECT min(dt) FROM fact_order)")
    failed = ordersetl("check", *flags, "--quiet", cwd=shop)
    assert failed.code == 3
    assert "warehouse_rows: 1 offending, the first: table=fact_order, dt=" in failed.err
    assert "ordersetl load --warehouse duckdb:///shop.duckdb --verify" in failed.err.replace("\n", " ")
    assert ordersetl("load", "--verify", *flags, cwd=shop).code == 0
    assert ordersetl("check", *flags, "--quiet", cwd=shop).code == 0


def test_check_advises_what_helps_where_tables_are_missing_and_where_they_are_not_ours(shop: Path, file: Path) -> None:
    flags = ("--warehouse", "duckdb:///shop.duckdb")
    assert ordersetl("load", *flags, cwd=shop).code == 0
    with duckdb.connect(file) as database:
        database.execute("DROP VIEW sales_by_day")
    missing = ordersetl("check", *flags, "--json", cwd=shop).json["error"]
    assert "there is no main.sales_by_day" in missing["message"]
    assert "load --warehouse duckdb:///shop.duckdb --verify" in missing["hint"]
    with duckdb.connect(file) as database:
        database.execute("CREATE TABLE sales_by_day AS SELECT 1 AS own")
    foreign = ordersetl("check", *flags, "--json", cwd=shop).json["error"]
    refused = ordersetl("load", *flags, "--verify", "--json", cwd=shop).json["error"]
    assert "main.sales_by_day is a table of somebody else" in foreign["message"]
    assert (foreign["hint"], refused["code"]) == (refused["hint"], "config")


def test_check_fails_where_a_curated_file_is_missing_and_writes_its_page(shop: Path) -> None:
    flags = ("--warehouse", "duckdb:///shop.duckdb")
    assert ordersetl("load", *flags, cwd=shop).code == 0
    next((shop / "output/curated").glob("dt=*/fact_order.csv")).unlink()
    failed = ordersetl("check", *flags, "--quiet", "--html", "page.html", cwd=shop)
    assert failed.code == 3
    assert "files_present: 1 offending" in failed.err
    assert (shop / "page.html").exists()
    assert ordersetl("load", "--verify", *flags, cwd=shop).code == 0
    assert ordersetl("check", *flags, "--quiet", cwd=shop).code == 0


def test_a_warehouse_that_fails_is_exit_4_and_curated_is_loaded(shop: Path, file: Path) -> None:
    file.write_text("notes\n" * 1000)
    ended = ordersetl("run", "--json", "--warehouse", "duckdb:///shop.duckdb", cwd=shop)
    assert (ended.code, ended.json["error"]["code"]) == (4, "warehouse")
    assert ordersetl("check", "--quiet", cwd=shop).code == 0


def test_a_disk_that_is_full_is_exit_4_and_the_file_is_as_it_was(shop: Path, file: Path) -> None:
    flags = ("--warehouse", "duckdb:///shop.duckdb")
    limited = f"ulimit -f 100; exec {shlex.join([sys.executable, '-m', 'ordersetl', 'load', '--json', *flags])}"
    ended = subprocess.run(
        ["/bin/sh", "-c", limited], cwd=shop, env=environment(), capture_output=True, text=True, check=False
    )
    assert (ended.returncode, json.loads(ended.stdout)["error"]["code"]) == (4, "warehouse"), ended.stderr
    assert "File too large" in ended.stderr
    assert ordersetl("load", *flags, cwd=shop).code == 0
    assert ordersetl("check", *flags, "--quiet", cwd=shop).code == 0
    assert file.stat().st_size > 100 * 1024


def test_a_url_that_cannot_be_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    ended = ordersetl("run", "--warehouse", "mysql://db/shop", cwd=tmp_path)
    assert ended.code == 2
    assert "mysql is not a warehouse" in ended.err
    assert not (tmp_path / "output").exists()
