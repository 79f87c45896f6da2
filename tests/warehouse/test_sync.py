"""A warehouse holds what curated holds, whatever it held before: the same tests on each kind."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lakes import item, open_job, order, run, write_batch
from warehouses import Place, curated_rows, failed, load_second, refund

from ordersetl.errors import ConfigError, CorruptedError
from ordersetl.runtime import RunContext
from ordersetl.star.schema import FACT_ORDER, TABLES
from ordersetl.warehouse import stage
from ordersetl.warehouse.names import VIEWS
from ordersetl.zones import read_zone


def test_a_first_load_brings_everything(loaded: RunContext, place: Place) -> None:
    place.assert_holds(loaded.lake)
    ledger = place.execute(f"SELECT file, rows FROM {place.name('ordersetl_load')} ORDER BY file")
    assert ("dt=2025-08-20/fact_order.csv", 3) in ledger
    assert ("dim_user.csv", 1) in ledger


def test_the_views_answer(loaded: RunContext, place: Place) -> None:
    del loaded
    orders = place.execute(f"SELECT order_id, lines FROM {place.name('orders')} WHERE order_id = 'removed line'")
    assert orders == [("removed line", 2)]
    sales = place.execute(f"SELECT SUM(refunded_amount) FROM {place.name('sales_by_day')}")
    assert [float(total) for (total,) in sales] == [3.0]
    assert place.execute(f"SELECT COUNT(*) FROM {place.name('orders_enriched')}") == [(9,)]


def test_a_second_load_writes_nothing(loaded: RunContext, place: Place) -> None:
    ledger = f"SELECT file, loaded_at FROM {place.name('ordersetl_load')} ORDER BY file"
    before = place.execute(ledger)
    result = place.load(loaded)
    assert (result.files_loaded, result.files_removed, result.days, result.rows) == ((), (), (), 0)
    assert place.execute(ledger) == before


def test_an_update_replaces_the_days_that_differ(loaded: RunContext, place: Place) -> None:
    load_second(loaded)
    result = place.load(loaded)
    place.assert_holds(loaded.lake)
    assert [day.isoformat() for day in result.days] == [f"2025-08-{day}" for day in range(20, 27)]
    assert result.files_removed == (
        *(f"dt=2025-08-{day}/fact_order.csv" for day in (21, 22, 23)),
        *(f"fact_refund/dt=2025-08-{day}/fact_refund.csv" for day in (21, 22)),
    )


def test_orders_change_in_every_way_at_once(first: RunContext, place: Place) -> None:
    """Rows updated, added, removed, given to another user or to none, moved by a day: in one load."""
    changing = [
        order("same key", 20),
        order("other user", 20),
        order("guest", 20),
        order("was guest", 20, user_id=None),
        order("more lines", 20, items=[item("A")]),
        order("other lines", 20, items=[item("A"), item("B")]),
        order("other day", 20, items=[item("A"), item("B")]),
    ]
    write_batch(first, changing)
    run(first)
    place.load(first)
    changed = [
        order("same key", 20, amount="12.5"),
        order("other user", 20, user_id="u-7"),
        order("guest", 20, user_id=None),
        order("was guest", 20, user_id="u-1"),
        order("more lines", 20, items=[item("A"), item("B"), item("D")]),
        order("other lines", 20, items=[item("C")]),
        order("other day", 27, items=[item("B", 3), item("C")], user_id="u-8"),
    ]
    write_batch(first, [{**one, "updated_at": "2025-09-02"} for one in changed])
    run(first)
    place.load(first)
    place.assert_holds(first.lake)


def test_only_what_differs_is_loaded(loaded: RunContext, place: Place) -> None:
    write_batch(loaded, [order("kept", 20, status="paid", updated_at="2025-09-02")])
    run(loaded)
    assert place.load(loaded).files_loaded == ("dt=2025-08-20/fact_order.csv",)
    place.assert_holds(loaded.lake)


def test_the_ledger_has_the_time_of_the_load(loaded: RunContext, place: Place) -> None:
    load_second(loaded)
    before = loaded.now()
    place.load(loaded)
    times = dict(place.execute(f"SELECT file, loaded_at FROM {place.name('ordersetl_load')}"))
    assert times["dt=2025-08-26/fact_order.csv"].replace(tzinfo=UTC) > before
    assert times["dt=2025-09-01/fact_order.csv"].replace(tzinfo=UTC) < before


def test_texts_come_through_as_they_are(context: RunContext, place: Place) -> None:
    texts = [
        'a "quote", and a comma',
        "line\nbreak",
        "\\.",
        "\\N",
        "NULL",
        "null",
        "%s {} ? $1",
        "ñ€𝄞",
        "'; DROP TABLE x",
    ]
    orders = [order(text, 20, status=text, metadata={"source": text, "promo": f"a\n{text}\nb"}) for text in texts]
    write_batch(context, [*orders, *(order(f"item {text}", 20, items=[item(text)]) for text in texts)])
    run(context)
    place.load(context)
    place.assert_holds(context.lake)


# What became of the tables in between ------------------------------------------------------------------------------


def test_what_was_changed_by_hand_is_found_and_repaired(loaded: RunContext, place: Place) -> None:
    fact, refunds, users, products = map(place.name, ("fact_order", "fact_refund", "dim_user", "dim_product"))
    for change in (
        f"UPDATE {fact} SET net_amount = 11 WHERE order_id = 'kept'",
        f"UPDATE {fact} SET status = 'x' WHERE order_id = 'moved'",
        f"UPDATE {fact} SET dt = '2025-08-30' WHERE order_id = 'deleted'",
        f"DELETE FROM {fact} WHERE order_id = 'refunded'",
        f"DELETE FROM {refunds} WHERE refund_id = 'r2'",
        f"UPDATE {users} SET country = 'XX'",
        f"INSERT INTO {products} (sku, inferred) VALUES ('foreign', true)",
    ):
        place.execute(change)
    assert place.load(loaded).files_loaded == (), "the ledger alone does not tell"
    assert failed(place.check(loaded.lake))["warehouse_rows"] == (
        {"table": "dim_user", "values": "they differ"},
        {"table": "dim_product", "rows": "3 instead of 2"},
        {"table": "fact_order", "dt": "2025-08-20", "sum EUR": "21.0000 instead of 20.0000"},
        {"table": "fact_order", "dt": "2025-08-21", "values": "they differ"},
        {"table": "fact_order", "dt": "2025-08-23", "rows": "0 instead of 1", "sum EUR": "0 instead of 10.0000"},
        {"table": "fact_order", "dt": "2025-08-24", "rows": "0 instead of 2", "sum EUR": "0 instead of 10.0000"},
        {"table": "fact_order", "dt": "2025-08-30", "rows": "1 instead of 0", "sum EUR": "10.0000 instead of 0"},
        {"table": "fact_refund", "dt": "2025-08-22", "rows": "0 instead of 1", "sum EUR": "0 instead of 1.0000"},
    )
    assert place.load(loaded, verify=True).rows > 0
    place.assert_holds(loaded.lake)
    assert place.load(loaded, verify=True).rows == 0


def test_rows_that_are_there_twice_are_repaired(loaded: RunContext, place: Place) -> None:
    if place.url.startswith("duckdb"):
        pytest.skip("its keys cannot be dropped")
    for table in TABLES:
        name = place.name(table.name)
        if place.url.startswith("postgres"):
            key = "order_id_refund_id_sku_key" if table.name == "fact_refund" else "pkey"
            place.execute(f"ALTER TABLE {name} DROP CONSTRAINT {table.name}_{key}")
        place.execute(f"INSERT INTO {name} SELECT * FROM {name} LIMIT 1")
    assert failed(place.check(loaded.lake)).keys() == {"warehouse_rows"}
    assert place.load(loaded, verify=True).rows > 0
    place.assert_holds(loaded.lake)


@pytest.mark.parametrize(
    ("table", "day"),
    [
        ("fact_order", "NULL"),
        ("fact_order", "'infinity'"),
        ("fact_refund", "'12000-01-01'"),
        ("fact_refund", "'0044-03-15 BC'"),
    ],
)
def test_rows_of_a_day_that_no_date_is_are_found_and_repaired(
    loaded: RunContext, place: Place, table: str, day: str
) -> None:
    if place.url.startswith("duckdb"):
        if day == "NULL":
            pytest.skip("its columns of keys stay as they are")
        day = day.replace("BC", "(BC)")
    elif day == "NULL":
        place.execute(f"ALTER TABLE {place.name(table)} ALTER COLUMN dt DROP NOT NULL")
    name = place.name(table)
    place.execute(f"UPDATE {name} SET dt = CAST({day} AS DATE) WHERE order_id = 'moved'")
    shown = {"NULL": "null"}.get(day, day.strip("'"))
    rows = failed(place.check(loaded.lake))["warehouse_rows"]
    assert {(row["table"], row["dt"], row["rows"]) for row in rows} == {
        (table, "2025-08-21", "0 instead of 1"),
        (table, shown, "1 instead of 0"),
    }
    assert place.load(loaded, verify=True).rows > 0
    place.assert_holds(loaded.lake)
    assert place.load(loaded, verify=True).rows == 0


def test_a_row_without_a_day_beside_good_ones_is_removed(loaded: RunContext, place: Place) -> None:
    if place.url.startswith("duckdb"):
        pytest.skip("its columns of keys stay as they are")
    fact = place.name("fact_order")
    columns = ", ".join(name for name in FACT_ORDER.names if name != "order_id")
    place.execute(f"ALTER TABLE {fact} ALTER COLUMN dt DROP NOT NULL")
    place.execute(f"INSERT INTO {fact} (order_id, {columns}) SELECT 'hand', {columns} FROM {fact} LIMIT 1")
    assert place.load(loaded, verify=True).rows > 0
    place.assert_holds(loaded.lake)


@pytest.mark.parametrize("table", ["dim_user", "dim_product"])
def test_a_key_that_is_null_is_removed(loaded: RunContext, place: Place, table: str) -> None:
    if place.url.startswith("duckdb"):
        pytest.skip("its keys cannot be dropped")
    name, key = place.name(table), {"dim_user": "user_id", "dim_product": "sku"}[table]
    if place.url.startswith("postgres"):
        place.execute(f"ALTER TABLE {name} DROP CONSTRAINT {table}_pkey")
    place.execute(f"ALTER TABLE {name} ALTER COLUMN {key} DROP NOT NULL")
    place.execute(f"DELETE FROM {name}")
    place.execute(f"INSERT INTO {name} ({key}, inferred) VALUES (NULL, true), (NULL, false)")
    assert place.load(loaded, verify=True).rows > 0
    place.assert_holds(loaded.lake)


def test_check_before_the_load_names_what_is_not_there(loaded: RunContext, place: Place) -> None:
    load_second(loaded)
    found = failed(place.check(loaded.lake))
    assert set(found) == {"warehouse_ledger", "warehouse_rows"}
    assert found["warehouse_ledger"][0]["file"] == "dim_product.csv"
    place.load(loaded)
    place.assert_holds(loaded.lake)


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_an_emptied_table_is_filled_again(loaded: RunContext, place: Place, table: str) -> None:
    if table.startswith("dim_") and place.url.startswith("duckdb"):
        pytest.skip("its foreign keys refuse that")
    place.execute(f"DELETE FROM {place.name(table)}")
    place.load(loaded)
    place.assert_holds(loaded.lake)


@pytest.mark.parametrize("table", ["fact_order", "fact_refund", "ordersetl_load"])
def test_a_dropped_table_is_made_again(loaded: RunContext, place: Place, table: str) -> None:
    cascade = "" if place.url.startswith("duckdb") else " CASCADE"
    place.execute(f"DROP TABLE {place.name(table)}{cascade}")
    assert "warehouse_tables" in failed(place.check(loaded.lake))
    assert table in place.load(loaded).tables_created
    place.assert_holds(loaded.lake)


def test_views_leave_a_table_that_was_renamed(loaded: RunContext, place: Place) -> None:
    if place.url.startswith("duckdb"):
        pytest.skip("it renames no table that has keys")
    place.execute(f"ALTER TABLE {place.name('fact_order')} RENAME TO fact_order_old")
    load_second(loaded)
    assert place.load(loaded).tables_created == ("fact_order",)
    place.assert_holds(loaded.lake)
    place.execute(f"DROP TABLE {place.name('fact_order_old')}")  # as no view is on it


def test_a_warehouse_that_is_gone_is_made_again(loaded: RunContext, place: Place) -> None:
    if place.url.startswith("duckdb"):
        Path(place.url.removeprefix("duckdb:///")).unlink()
    else:
        place.execute(f'DROP SCHEMA "{place.schema}" CASCADE')
    assert len(place.load(loaded).tables_created) == 5
    place.assert_holds(loaded.lake)


def test_a_dropped_view_is_made_again(loaded: RunContext, place: Place) -> None:
    place.execute(f"DROP VIEW {place.name('sales_by_day')}")
    assert "warehouse_tables" in failed(place.check(loaded.lake))
    place.load(loaded)
    place.assert_holds(loaded.lake)


def test_an_old_backup_is_brought_up_to_date(loaded: RunContext, place: Place) -> None:
    names = ("fact_order", "fact_refund", "ordersetl_load")
    for name in names:
        place.execute(f"CREATE TABLE {place.name(f'backup_{name}')} AS SELECT * FROM {place.name(name)}")
    load_second(loaded)
    place.load(loaded)
    for name in names:
        place.execute(f"DELETE FROM {place.name(name)}")
        place.execute(f"INSERT INTO {place.name(name)} SELECT * FROM {place.name(f'backup_{name}')}")
    place.execute(f"UPDATE {place.name('dim_user')} SET country = 'ES' WHERE user_id = 'u-1'")
    assert place.rows(FACT_ORDER) != curated_rows(loaded.lake)["fact_order"]
    place.load(loaded)
    place.assert_holds(loaded.lake)


def test_rows_of_another_hand_in_our_tables_give_way(loaded: RunContext, place: Place) -> None:
    fact = place.name("fact_order")
    place.execute(f"DROP TABLE {place.name('ordersetl_load')}")
    place.execute(f"UPDATE {fact} SET order_id = 'other', dt = '2025-08-01' WHERE order_id = 'kept'")
    place.load(loaded)
    place.assert_holds(loaded.lake)


def test_another_output_takes_the_place_of_the_first(loaded: RunContext, place: Place, tmp_path: Path) -> None:
    with open_job(tmp_path / "other") as other:
        write_batch(other, [order("other", 20, user_id="u-9", items=[item("Z")])])
        run(other)
        place.load(other)
        place.assert_holds(other.lake)
    place.load(loaded)
    place.assert_holds(loaded.lake)


def test_other_days_after_a_change_of_the_time_zone(loaded: RunContext, place: Place, tmp_path: Path) -> None:
    del loaded
    with open_job(tmp_path / "zone", timezone="America/Mexico_City") as context:
        refunds = [refund("r", 1, created_at="2025-08-30T03:00:00Z")]
        write_batch(context, [order("late", 20, created_at="2025-08-20T03:00:00Z", refunds=refunds)])
        run(context)
        place.load(context)
        place.assert_holds(context.lake)
        assert place.execute(f"SELECT CAST(refund_day AS VARCHAR) FROM {place.name('refunds')}") == [("2025-08-29",)]


@pytest.mark.parametrize("zone", ["CET", "WET", "America/New_York", "Africa/Casablanca"])
def test_a_refund_has_the_day_of_our_time_zones(place: Place, tmp_path: Path, zone: str) -> None:
    began = datetime(2025, 1, 1, 0, 30, tzinfo=UTC)
    times = [began + timedelta(days=9 * number, hours=number) for number in range(60)]
    refunds = [refund(f"r{number}", 1, created_at=time.isoformat()) for number, time in enumerate(times)]
    with open_job(tmp_path / "zone", timezone=zone) as context:
        write_batch(context, [order("refunded", 20, amount=100, items=[item("A", 1, 100)], refunds=refunds)])
        run(context)
        place.load(context)
    found = place.execute(f"SELECT refunded_at, refund_day FROM {place.name('refunds')}")
    assert len(found) == len(times)
    for time, day in found:
        assert day == time.replace(tzinfo=UTC).astimezone(read_zone(zone)).date(), time


# Tables that are not as they should be -----------------------------------------------------------------------------


def test_a_table_of_an_older_version_gets_its_columns(loaded: RunContext, place: Place) -> None:
    views = ["sales_by_day", "refunds", "orders_enriched", "orders"]
    for view in views:
        place.execute(f"DROP VIEW {place.name(view)}")
    for column in ("cancelled", "discount_amount"):
        place.execute(f"ALTER TABLE {place.name('fact_order')} DROP COLUMN {column}")
    result = place.load(loaded)
    assert result.columns_added == {"fact_order": ("discount_amount", "cancelled")}
    place.assert_holds(loaded.lake)


def test_foreign_columns_are_refused_with_the_difference(loaded: RunContext, place: Place) -> None:
    place.execute(f"ALTER TABLE {place.name('fact_order')} ADD COLUMN margin DECIMAL(18,4)")
    place.execute(f"ALTER TABLE {place.name('fact_refund')} RENAME COLUMN dt TO day")
    before = place.execute(f"SELECT COUNT(*) FROM {place.name('fact_order')}")
    with pytest.raises(
        ConfigError,
        match=r"fact_order has columns that are not ours: margin.*fact_refund has columns that are not ours: day",
    ):
        place.load(loaded)
    assert place.execute(f"SELECT COUNT(*) FROM {place.name('fact_order')}") == before


@pytest.mark.parametrize("column", ["rows", "sha256"])
def test_an_entry_of_the_ledger_with_a_null_is_loaded_again(loaded: RunContext, place: Place, column: str) -> None:
    ledger = place.name("ordersetl_load")
    place.execute(f"ALTER TABLE {ledger} ALTER COLUMN {column} DROP NOT NULL")
    files = ("dim_user.csv", "dt=2025-08-20/fact_order.csv", "views.sql")
    place.execute(f"UPDATE {ledger} SET {column} = NULL WHERE file IN {files}")
    assert [row["file"] for row in failed(place.check(loaded.lake))["warehouse_ledger"]] == list(files[:2])
    assert place.load(loaded).files_loaded == files[:2]
    place.assert_holds(loaded.lake)
    assert place.load(loaded).files_loaded == ()


@pytest.mark.parametrize("column", ["rows", "sha256", "loaded_at"])
def test_a_ledger_that_lacks_a_column_is_refused(loaded: RunContext, place: Place, column: str) -> None:
    place.execute(f"ALTER TABLE {place.name('ordersetl_load')} DROP COLUMN {column}")
    with pytest.raises(ConfigError, match=f"ordersetl_load lacks {column}"):
        place.load(loaded)
    assert f"ordersetl_load lacks {column}" in str(failed(place.check(loaded.lake))["warehouse_tables"])


def test_a_view_of_somebody_else_is_not_replaced(first: RunContext, place: Place) -> None:
    if place.schema != "main":
        place.execute(f"CREATE SCHEMA {place.schema}")
    place.execute(f"CREATE VIEW {place.name('orders')} AS SELECT 1 AS own")
    with pytest.raises(ConfigError, match="orders is a view of somebody else"):
        place.load(first)
    assert place.execute(f"SELECT own FROM {place.name('orders')}") == [(1,)]


@pytest.mark.parametrize("dropped", [1, 4], ids=["the_last_view", "all_views"])
def test_a_table_in_the_place_of_a_view_is_refused(loaded: RunContext, place: Place, dropped: int) -> None:
    taken = [*reversed(VIEWS)][:dropped]
    for view in taken:
        place.execute(f"DROP VIEW {place.name(view)}")
    place.execute(f"CREATE TABLE {place.name(taken[-1])} AS SELECT 1 AS own")
    problem = f"{taken[-1]} is a table of somebody else"
    assert problem in str(failed(place.check(loaded.lake))["warehouse_tables"])
    for verify in (False, True):
        with pytest.raises(ConfigError, match=problem):
            place.load(loaded, verify=verify)
    assert place.execute(f"SELECT own FROM {place.name(taken[-1])}") == [(1,)]


def test_two_prefixes_do_not_know_each_other(loaded: RunContext, place: Place) -> None:
    sign = "&" if "?" in place.url else "?"
    other = Place(f"{place.url}{sign}prefix=test_", place.execute, place.schema, "test_", place.settings)
    load_second(loaded)
    other.load(loaded)
    other.assert_holds(loaded.lake)
    assert place.tables() != other.tables()
    place.load(loaded)
    assert place.tables() == other.tables()


def test_a_curated_file_that_is_damaged_is_not_loaded(first: RunContext, place: Place) -> None:
    path = first.lake.folder / "curated/dt=2025-08-20/fact_order.csv"
    path.write_bytes(path.read_bytes().replace(b"kept", b"kepp"))
    with pytest.raises(CorruptedError, match="its content differs"):
        place.load(first)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: (path.unlink(), path.mkdir())], ids=["missing", "folder"])
@pytest.mark.parametrize("file", ["dim_user.csv", "dt=2025-08-20/fact_order.csv"])
def test_check_names_a_curated_file_that_cannot_be_compared(
    loaded: RunContext, place: Place, file: str, damage: Callable[[Path], object]
) -> None:
    damage(loaded.lake.folder / "curated" / file)
    found = failed(place.check(loaded.lake))
    assert set(found) == {"warehouse_rows"}
    assert f"the files of {Path(file).stem} cannot be read" in found["warehouse_rows"][0]["problem"]


def test_check_looks_again_where_a_run_came_between(
    loaded: RunContext, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = stage.connect
    waiting = [place]

    def come_between(*arguments: Any, **options: Any) -> Any:
        while waiting:
            load_second(loaded)
            waiting.pop().load(loaded)
        return connect(*arguments, **options)

    monkeypatch.setattr(stage, "connect", come_between)
    assert failed(place.check(loaded.lake)) == {}
