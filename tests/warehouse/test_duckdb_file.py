"""DuckDB: what is its own, from a file that another program holds to the keys of its tables."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from lakes import order, run, write_batch
from warehouses import Place, duckdb_place

from ordersetl.errors import ConfigError, WarehouseError
from ordersetl.runtime import RunContext

HOLD = """
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=True):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return duckdb_place(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop.duckdb"


@pytest.fixture
def loaded(context: RunContext, place: Place) -> RunContext:
    write_batch(context, [order()])
    run(context)
    place.load(context)
    return context


def test_a_load_with_nothing_to_do_leaves_the_file_alone(loaded: RunContext, place: Place, file: Path) -> None:
    before = file.read_bytes()
    place.load(loaded)
    assert file.read_bytes() == before


def test_a_file_that_a_reader_holds_is_named_with_who_holds_it(loaded: RunContext, place: Place, file: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "held\n"
        with pytest.raises(WarehouseError, match=rf"shop.duckdb is open in another program: .*PID {reader.pid}\)$"):
            place.load(loaded)
        reader.communicate()
    place.load(loaded)


def test_keys_are_enforced(loaded: RunContext, place: Place) -> None:
    del loaded
    with pytest.raises(duckdb.ConstraintException):
        place.execute("INSERT INTO fact_order SELECT * FROM fact_order")
    with pytest.raises(duckdb.ConstraintException):
        place.execute("DELETE FROM dim_product")


def test_an_index_that_is_in_the_way_is_named(loaded: RunContext, place: Place) -> None:
    place.execute("CREATE INDEX mine ON dim_user (country)")
    place.execute("CREATE INDEX harmless ON fact_order (status)")
    write_batch(loaded, [order(status="paid", updated_at="2025-09-02")])
    run(loaded)
    place.load(loaded)
    write_batch(loaded, [order(status="sent", updated_at="2025-09-03", user={"country": "PT"})])
    run(loaded)
    with pytest.raises(WarehouseError, match="refused a statement") as raised:
        place.load(loaded)
    assert raised.value.hint.endswith(': DROP INDEX "main"."mine"; Then run the same command again.')
    place.execute("DROP INDEX mine")
    place.load(loaded)
    place.assert_holds(loaded.lake)


def test_what_is_no_duckdb_file_is_left_alone(context: RunContext, place: Place, file: Path) -> None:
    write_batch(context, [order()])
    run(context)
    file.write_text("notes\n" * 1000)
    with pytest.raises(WarehouseError, match="not a valid DuckDB database file"):
        place.load(context)
    assert file.read_text() == "notes\n" * 1000


def test_a_folder_that_is_not_there_is_named(context: RunContext, tmp_path: Path) -> None:
    write_batch(context, [order()])
    run(context)
    with pytest.raises(WarehouseError, match=r"there is no folder .*missing for shop\.duckdb"):
        duckdb_place(tmp_path / "missing").load(context)


def test_checking_a_file_that_is_not_there_makes_none(loaded: RunContext, place: Place, file: Path) -> None:
    file.unlink()
    with pytest.raises(WarehouseError, match="there is no file"):
        place.check(loaded.lake)
    assert not file.exists()


# Names, of which DuckDB folds the case ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ('CREATE VIEW "Orders" AS SELECT 42 AS own', "orders is a view of somebody else"),
        ('CREATE TABLE "FACT_REFUND" AS SELECT 42 AS own', "fact_refund has columns that are not ours: own"),
    ],
)
def test_what_is_of_somebody_else_is_left_alone_in_whatever_case(
    context: RunContext, place: Place, made: str, problem: str
) -> None:
    write_batch(context, [order()])
    run(context)
    place.execute(made)
    with pytest.raises(ConfigError, match=problem):
        place.load(context)
    assert place.execute(f"SELECT own FROM {made.split()[2]}") == [(42,)]


@pytest.mark.parametrize(("there", "given"), [("main", "MAIN"), ("Sales", "sales"), ("é", "É")])
def test_a_schema_in_another_case_is_the_same_one(
    context: RunContext, place: Place, tmp_path: Path, there: str, given: str
) -> None:
    write_batch(context, [order()])
    run(context)
    place.execute(f'CREATE SCHEMA IF NOT EXISTS "{there}"')
    other = duckdb_place(tmp_path, parameters=f"?schema={given}", schema=given)
    other.load(context)
    other.assert_holds(context.lake)
    assert other.load(context).tables_created == ()
    schemas = "SELECT COUNT(DISTINCT schema_name) FROM duckdb_tables()"
    assert place.execute(schemas) == [(1,)]
