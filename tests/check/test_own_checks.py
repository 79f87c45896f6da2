"""Checks of the user's own: found, refused where they are no single SELECT, run over the layer and nothing else."""

from pathlib import Path

import duckdb
import pytest
from console import ordersetl
from lakes import item, open_job, order, run, write_batch
from warehouses import duckdb_place

from ordersetl import pipeline
from ordersetl.check.own_checks import read_own_checks
from ordersetl.check.sql_checks import list_check_names
from ordersetl.check.views import VIEWS, open_views
from ordersetl.errors import CheckFailedError, ConfigError
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import read_manifest
from ordersetl.results import CheckOutcome
from ordersetl.settings import Settings


@pytest.fixture
def output(tmp_path: Path) -> Path:
    root = tmp_path / "my [shop]'s *"
    refund = {"refund_id": "r", "created_at": "2025-08-22T23:30:00Z", "amount": 2}
    with open_job(root, timezone="Europe/Berlin") as job:
        write_batch(job, [order("a", items=[item("A"), item("B")], refunds=[refund]), order("b", 21, currency="USD")])
        run(job)
    return root


def outcomes(output: Path, folder: Path, *, timeout_s: float = 60, **checks: str) -> dict[str, CheckOutcome]:
    folder.mkdir(exist_ok=True)
    for name, sql in checks.items():
        (folder / f"{name}.sql").write_text(sql)
    result = pipeline.check(Settings(output=output, checks=folder, check_timeout_s=timeout_s))
    return {outcome.name: outcome for outcome in result.outcomes if outcome.name in checks}


def test_a_check_selects_offending_rows_and_says_why(output: Path, tmp_path: Path) -> None:
    found = outcomes(
        output,
        tmp_path / "checks",
        euros_only="-- We sell in euros.\nSELECT order_id, currency FROM orders WHERE currency <> 'EUR' --\n; -- end",
        no_guests="SELECT order_id FROM orders WHERE user_id IS NULL;",
    )
    assert not found["euros_only"].ok
    assert (found["euros_only"].offending, found["euros_only"].why) == (1, "We sell in euros.")
    assert found["euros_only"].samples == ({"order_id": "b", "currency": "USD"},)
    assert found["no_guests"].ok


def test_the_mark_that_windows_editors_begin_with_is_no_part_of_it(output: Path, tmp_path: Path) -> None:
    found = outcomes(output, tmp_path / "checks", mine="\ufeff-- We sell in euros.\nSELECT 1")
    assert (found["mine"].offending, found["mine"].why) == (1, "We sell in euros.")


def test_all_views_are_there_and_hold_the_layer(output: Path) -> None:
    lake = Lake(output)
    manifest = read_manifest(lake)
    assert manifest is not None
    with open_views(lake, manifest) as database:
        counts = {view: database.execute(f"SELECT count(*) FROM {view}").fetchall()[0][0] for view in VIEWS}
        refund_days = database.execute("SELECT CAST(refund_day AS VARCHAR) FROM refunds").fetchall()
        kinds = database.execute("DESCRIBE fact_order").fetchall()
    assert counts == {
        "fact_order": 3,
        "fact_refund": 1,
        "dim_user": 1,
        "dim_product": 2,
        "orders": 2,
        "orders_enriched": 3,
        "refunds": 1,
        "sales_by_day": 3,
    }
    assert refund_days == [("2025-08-23",)]  # by the shop's clock
    assert ("order_amount", "DECIMAL(18,4)") in {kind[:2] for kind in kinds}


def test_a_layer_without_refunds_has_an_empty_table_of_them(tmp_path: Path) -> None:
    with open_job(tmp_path / "output") as job:
        write_batch(job, [order()])
        run(job)
    found = outcomes(tmp_path / "output", tmp_path / "checks", mine="SELECT sku, dt FROM fact_refund")
    assert found["mine"].ok


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM read_csv('https://shop.example/a.csv')",
        "SELECT * FROM read_blob('{output}/raw/*/*')",
        "SELECT * FROM read_csv('{output}/curated/_manifest.json')",
        "SELECT * FROM query('COPY fact_order TO ''x''')",
        "WITH new AS (INSERT INTO dim_user VALUES ('x') RETURNING *) SELECT * FROM new",
        "SELECT * FROM duckdb_secrets()",
    ],
)
def test_nothing_but_the_layer_can_be_reached(output: Path, tmp_path: Path, query: str) -> None:
    plain = output.rename(tmp_path / "plain")
    found = outcomes(plain, tmp_path / "checks", mine=query.replace("{output}", str(plain)))
    assert not found["mine"].ok
    assert f"{tmp_path}/checks/mine.sql cannot be run: " in found["mine"].detail


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM fact_order",
        "SELECT 1; SELECT 2",
        "COPY orders TO 'x.csv'",
        "ATTACH 'x.db'",
        "SET memory_limit = '1GB'",
        "PRAGMA version",
        "INSTALL httpfs",
        "",
        "-- nothing",
        "SELEC 1",
    ],
)
def test_what_is_no_single_select_is_refused(tmp_path: Path, sql: str) -> None:
    folder = tmp_path / "checks"
    folder.mkdir()
    (folder / "mine.sql").write_text(sql)
    with pytest.raises(ConfigError, match=r"mine\.sql"):
        read_own_checks(Settings(checks=folder))


def test_names_and_files_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder of checks"):
        read_own_checks(Settings(checks=tmp_path / "none"))
    for name in ("unique_key.sql", "files_present.sql", "warehouse_rows.SQL"):
        (tmp_path / name).write_text("SELECT 1")
        with pytest.raises(ConfigError, match="has the name of a check"):
            read_own_checks(Settings(checks=tmp_path))
        (tmp_path / name).rename(tmp_path / "latin.sql")
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xe9'")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_own_checks(Settings(checks=tmp_path))
    (tmp_path / "latin.sql").unlink()
    (tmp_path / "folder.sql").mkdir()
    with pytest.raises(ConfigError, match="is not a file"):
        read_own_checks(Settings(checks=tmp_path))


def test_all_checks_of_ours_are_in_the_list_of_their_names(tmp_path: Path) -> None:
    with open_job(tmp_path / "output") as job:
        write_batch(job, [order()])
        run(job)
        place = duckdb_place(tmp_path)
        place.load(job)
        result = pipeline.check(place.settings_for(job.lake), deep=True)
    there_at_times = {"source_fields", "folders"}
    assert {outcome.name for outcome in result.outcomes} | there_at_times == list_check_names()


def test_the_ending_may_be_in_any_case_and_names_are_taken_once(tmp_path: Path) -> None:
    (tmp_path / "mine.SQL").write_text("SELECT 1")
    assert [check.name for check in read_own_checks(Settings(checks=tmp_path))] == ["mine"]
    (tmp_path / "mine.sql").write_text("SELECT 2")
    if len(list(tmp_path.iterdir())) == 2:  # not where names are one in any case
        with pytest.raises(ConfigError, match="or of another file"):
            read_own_checks(Settings(checks=tmp_path))


def test_the_usual_folder_need_not_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_own_checks(Settings()) == []
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/mine.sql").write_text("SELECT 1")
    (tmp_path / "checks/notes.txt").write_text("mine")
    assert [check.name for check in read_own_checks(Settings())] == ["mine"]


def test_a_run_looks_at_the_whole_layer_by_them(tmp_path: Path) -> None:
    settings = Settings(source="sample", output=tmp_path / "output", checks=tmp_path, workers=1)
    (tmp_path / "few.sql").write_text("-- Few orders.\nSELECT count(*) AS orders FROM orders HAVING count(*) > 281")
    with pytest.raises(CheckFailedError, match="few: 1 offending, the first: orders=282"):
        pipeline.run(settings)
    (tmp_path / "few.sql").write_text("SELECT count(*) FROM orders HAVING count(*) > 282")
    assert pipeline.run(settings).check.outcomes[-1].name == "few"


def test_the_command_line_tells_which_and_why(shop: Path) -> None:
    (shop / "checks").mkdir()
    (shop / "checks/no_cop.sql").write_text(
        "-- Pesos are another shop's.\nSELECT order_id FROM orders WHERE currency = 'COP'"
    )
    ended = ordersetl("check", cwd=shop)
    assert ended.code == 3
    assert ended.out.splitlines()[1].startswith("FAILED  no_cop  77 offending, the first: order_id=")
    assert "no_cop" in ended.err
    assert "Next:  These checks are your own: correct what they found at the source" in ended.err
    (shop / "checks/no_cop.sql").write_text("DROP TABLE orders")
    ended = ordersetl("run", "--json", cwd=shop)
    assert (ended.code, ended.json["error"]["code"]) == (2, "config")


ENDLESS = {
    "before its first row": "SELECT sum(a.x * b.x) FROM range(1000000) AS a(x), range(1000000) AS b(x)",
    "row by row": "SELECT a.x FROM range(1000000) AS a(x), range(1000000) AS b(x)",
}


@pytest.mark.parametrize("query", ENDLESS.values(), ids=ENDLESS.keys())
def test_a_check_that_takes_too_long_is_stopped_and_the_others_are_run(
    output: Path, tmp_path: Path, query: str
) -> None:
    found = outcomes(output, tmp_path / "checks", timeout_s=0.2, endless=query, later="SELECT 1 WHERE false")
    assert not found["endless"].ok
    assert found["endless"].detail == (
        f"{tmp_path}/checks/endless.sql was stopped after 0.2 s: select less, or set check_timeout_s higher"
    )
    assert found["later"].ok


def test_a_check_has_no_more_memory_than_ours(output: Path, tmp_path: Path) -> None:
    found = outcomes(output, tmp_path / "checks", greedy="SELECT list(x) FROM range(2000000000) AS t(x)")
    assert not found["greedy"].ok
    assert "greedy.sql cannot be run: Out of Memory Error" in found["greedy"].detail


def test_a_large_sort_may_spill(output: Path) -> None:
    manifest = read_manifest(Lake(output))
    assert manifest is not None
    with open_views(Lake(output), manifest) as database:
        try:
            database.execute(
                "SELECT x FROM range(30000000) AS t(x) ORDER BY hash(x) LIMIT 1 OFFSET 29999999"
            ).fetchall()
        except duckdb.PermissionException:
            pytest.fail("the spill folder is out of reach")
