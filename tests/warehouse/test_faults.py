"""What goes wrong in the middle of a load leaves the old state or the new one, and the next load mends it."""

import gc
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from console import environment
from lakes import open_job, order, run, write_batch
from relay import Relay, open_relay
from warehouses import (
    Place,
    curated_rows,
    failed,
    load_first,
    load_second,
    pg_execute,
    pg_server,
    postgres_place,
    socket_folder,
)

from ordersetl.errors import ConfigError, ConnectionLostError, WarehouseError
from ordersetl.runtime import RunContext

KILLED = Path(__file__).parents[1] / "killed_load.py"
COMMIT = 0
POINTS = (2, 4, 6, *range(9, 57, 3), COMMIT)
"""Statements of a load before which it is killed: there are 41 to 59."""


def test_killed_at_any_point_it_is_as_before_or_as_after(first: RunContext, place: Place, tmp_path: Path) -> None:
    with open_job(tmp_path / "other") as other:
        load_first(other)
        load_second(other)
    place.load(other)
    states = [curated_rows(lake) for lake in (first.lake, other.lake)]
    command = [sys.executable, KILLED, place.url, first.lake.folder, other.lake.folder, *POINTS]
    with subprocess.Popen(
        list(map(str, command)), env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for point in POINTS:
            assert process.stdout.readline() in {"killed\n", "finished\n"} - {"finished\n" * (point == COMMIT)}, point
            assert place.tables() in states, point
            process.stdin.write("\n")
            process.stdin.flush()
    assert process.returncode == 0
    place.load(first)
    place.assert_holds(first.lake)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the driver leaves its socket behind
@pytest.mark.parametrize("moment", ["before commit", "in copy"])
def test_a_connection_that_breaks_before_the_commit_changes_nothing(
    first: RunContext, relayed: tuple[Place, Relay], moment: Literal["before commit", "in copy"]
) -> None:
    place, relay = relayed
    if moment == "in copy" and place.url.startswith("redshift"):
        pytest.skip("its COPY reads S3")
    place.load(first)
    before = place.tables()
    load_second(first)
    relay.cut = moment
    with pytest.raises(ConnectionLostError, match=r"was lost before|the warehouse failed"):
        place.load(first)
    assert relay.cut is None
    assert place.tables() == before
    place.load(first)
    place.assert_holds(first.lake)


def test_a_commit_whose_answer_is_lost_is_found_in_the_ledger(first: RunContext, relayed: tuple[Place, Relay]) -> None:
    place, relay = relayed
    relay.cut = "after commit"
    assert place.load(first).rows > 0
    assert relay.cut is None
    place.assert_holds(first.lake)
    assert place.load(first).files_loaded == ()


def test_of_two_loads_at_once_one_waits_for_the_other(first: RunContext, relayed: tuple[Place, Relay]) -> None:
    place, relay = relayed
    place.load(first)
    load_second(first)
    copying, waiting = threading.Event(), threading.Event()

    def meet(statement: str) -> None:
        if statement.startswith("DELETE") and not copying.is_set():
            copying.set()
            assert waiting.wait(30), "the second load did not come"
        elif copying.is_set() and statement.startswith(("LOCK", "SELECT pg_advisory_xact_lock")):
            waiting.set()

    relay.on_statement = meet
    try:
        with ThreadPoolExecutor(2) as threads:
            one = threads.submit(place.load, first)
            assert copying.wait(30)
            other = threads.submit(place.load, first)
            results = [one.result(), other.result()]
    finally:
        relay.on_statement = str
    assert [bool(result.files_loaded) for result in results] == [True, False]
    place.assert_holds(first.lake)


def test_a_lock_that_somebody_holds_is_not_waited_for_without_end(first: RunContext, postgres: str) -> None:
    place = postgres_place(postgres, "held")
    place.load(first)
    load_second(first)
    with psycopg.connect(postgres) as holder:
        holder.execute("LOCK TABLE held.fact_order")
        with pytest.raises(WarehouseError, match=r"another session holds a lock on our tables for more than 0\.1 s"):
            place.load(first, warehouse_timeout_s=0.1)
    place.load(first)
    place.assert_holds(first.lake)


def test_check_does_not_wait_without_end_for_a_lock(
    first: RunContext, relayed: tuple[Place, Relay], postgres: str
) -> None:
    place, _ = relayed
    place.load(first)
    hasty = replace(place, settings={"warehouse_timeout_s": 0.1})
    for table in ("fact_refund", "ordersetl_load"):
        with psycopg.connect(postgres) as holder:
            holder.execute(f"LOCK TABLE {place.name(table)}".encode())
            with pytest.raises(WarehouseError, match=r"for more than 0\.1 s|statement timeout"):
                hasty.check(first.lake)
    assert failed(place.check(first.lake)) == {}


def test_a_server_that_dies_in_mid_load_is_loaded_once_it_is_back(first: RunContext, tmp_path: Path) -> None:
    with pg_server(tmp_path) as uri, open_relay(uri) as relay:
        place = postgres_place(uri, "shop")
        place.load(first)
        before = place.tables()
        load_second(first)
        execute = pg_execute(uri)
        session = psycopg.connect(uri, autocommit=True)

        def crash(statement: str) -> None:
            if statement.startswith("DELETE"):
                relay.on_statement = str
                ((pid,),) = execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'ordersetl'")
                os.kill(pid, signal.SIGKILL)  # the server ends all sessions then, and recovers

        relay.on_statement = crash
        url = f"postgresql://postgres@127.0.0.1:{relay.port}/postgres?sslmode=disable&gssencmode=disable&schema=shop"
        with pytest.raises(ConnectionLostError):
            replace(place, url=url).load(first)
        _await_recovery(uri, session)
        assert place.tables() == before
        place.load(first)
        place.assert_holds(first.lake)


def _await_recovery(uri: str, session: psycopg.Connection) -> None:
    """Wait until the server has ended an old session, as it does once it notices, and answers to a new one."""
    for _ in range(200):
        try:
            session.execute("SELECT 1")
        except psycopg.OperationalError:
            break
        threading.Event().wait(0.05)
    for _ in range(200):
        try:
            pg_execute(uri)("SELECT 1")
        except psycopg.OperationalError:
            threading.Event().wait(0.05)
        else:
            return


def test_a_server_that_is_not_there_is_named_without_the_password(first: RunContext) -> None:
    place = Place("postgresql://ana@/shop?host=/nowhere", lambda _: [], settings={"warehouse_password": "s3cret"})
    with pytest.raises(WarehouseError, match=r"cannot connect to postgresql://ana@/shop.*No such file") as raised:
        place.load(first)
    assert "s3cret" not in str(raised.value) + raised.value.hint


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Redshift's driver leaves the socket to the collector
def test_credentials_that_are_wrong_are_said_so(first: RunContext, relayed: tuple[Place, Relay]) -> None:
    place, _ = relayed
    wrong = replace(place, url=place.url.replace("postgres@", "nobody@"), settings={"warehouse_password": "s3cret"})
    with pytest.raises(WarehouseError, match=r'cannot connect to .*role "nobody" does not exist') as raised:
        wrong.load(first)
    assert "s3cret" not in str(raised.value) + raised.value.hint
    del raised
    gc.collect()


def test_what_a_user_may_not_do_changes_nothing(first: RunContext, relayed: tuple[Place, Relay]) -> None:
    place, _ = relayed
    place.load(first)
    before = place.tables()
    load_second(first)
    user = f"reader_{place.schema}"
    place.execute(f"CREATE ROLE {user} LOGIN")
    place.execute(f"GRANT USAGE ON SCHEMA {place.schema} TO {user}")
    place.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {place.schema} TO {user}")
    reader = replace(place, url=place.url.replace("postgres@", f"{user}@"))
    with pytest.raises(WarehouseError, match="permission denied for table"):
        reader.load(first)
    assert place.tables() == before
    place.load(first)


def test_a_text_that_is_too_long_for_its_column_is_found_before_the_load(
    first: RunContext, relayed: tuple[Place, Relay]
) -> None:
    place, _ = relayed
    place.load(first)
    for view in ("sales_by_day", "refunds", "orders_enriched", "orders"):
        place.execute(f"DROP VIEW {place.name(view)}")
    place.execute(f"ALTER TABLE {place.name('fact_order')} ALTER COLUMN status TYPE VARCHAR(4)")
    is_redshift = place.url.startswith("redshift")
    status, unit = ("gehé", "bytes") if is_redshift else ("gehen", "characters")
    write_batch(first, [order("kept", 20, status=status, updated_at="2025-09-02")])
    run(first)
    with pytest.raises(WarehouseError, match=rf"fact_order\.status .* takes 4 {unit}, and there is a text of 5"):
        place.load(first)
    place.execute(f"ALTER TABLE {place.name('fact_order')} ALTER COLUMN status TYPE VARCHAR(255)")
    place.load(first)
    place.assert_holds(first.lake)


def test_rows_that_a_trigger_changes_are_not_committed(first: RunContext, relayed: tuple[Place, Relay]) -> None:
    place, _ = relayed
    place.load(first)
    before = place.tables()
    place.execute(
        f"CREATE FUNCTION {place.name('skim')}() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.net_amount = NEW.net_amount - 1; RETURN NEW; END $$"
    )
    trigger = f"CREATE TRIGGER skim BEFORE INSERT OR UPDATE ON {place.name('fact_order')} FOR EACH ROW"
    place.execute(f"{trigger} EXECUTE FUNCTION {place.name('skim')}()")
    load_second(first)
    problem = r"fact_order would hold other rows than fact_order\.csv of 2025-08-20: sum EUR=\S+ instead of \S+$"
    with pytest.raises(WarehouseError, match=problem):
        place.load(first)
    assert place.tables() == before


# What is PostgreSQL's own ------------------------------------------------------------------------------------------


def test_orders_that_did_not_change_are_not_written_again(first: RunContext, postgres: str) -> None:
    place = postgres_place(postgres, "kept")
    place.load(first)
    versions = "SELECT order_id, sku, xmin::text FROM kept.fact_order"
    before = set(place.execute(versions))
    write_batch(first, [order("kept", 20, status="paid", updated_at="2025-09-02")])
    run(first)
    place.load(first)
    place.assert_holds(first.lake)
    assert {row[0] for row in before ^ set(place.execute(versions))} == {"kept"}


def test_partitions_by_month_hold_the_same(first: RunContext, postgres: str) -> None:
    place = postgres_place(postgres, "monthly", parameters="&partition=month")
    place.load(first)
    place.assert_holds(first.lake)
    load_second(first)
    place.load(first)
    place.assert_holds(first.lake)
    found = place.execute(
        "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relnamespace = 'monthly'::regnamespace"
    )
    assert {name for (name,) in found} >= {"fact_order_2025_08", "fact_order_2025_09", "fact_refund_2025_08"}
    place.execute("UPDATE monthly.fact_order SET dt = '2025-09-02' WHERE order_id = 'kept'")
    place.load(first, verify=True)
    place.assert_holds(first.lake)


def test_tables_without_partitions_are_not_taken_for_some(first: RunContext, postgres: str) -> None:
    postgres_place(postgres, "plain").load(first)
    load_second(first)
    with pytest.raises(ConfigError, match=r"plain\.fact_order was made without partitions"):
        postgres_place(postgres, "plain", parameters="&partition=month").load(first)


def test_a_database_of_another_encoding_is_refused(first: RunContext, postgres: str) -> None:
    pg_execute(postgres)("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    url = f"postgresql://postgres@/latin?host={socket_folder(postgres)}"
    with pytest.raises(ConfigError, match="the database is encoded in LATIN1"):
        Place(url, lambda _: []).load(first)


def test_a_parameter_that_libpq_does_not_know_is_refused(first: RunContext, postgres: str) -> None:
    with pytest.raises(ConfigError, match='invalid connection option "colour"'):
        postgres_place(postgres, "any", parameters="&colour=red").load(first)
