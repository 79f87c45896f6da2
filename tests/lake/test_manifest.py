"""Curated files of an older version, with other columns: whoever reads them says so, until a load folds them again."""

import csv
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from lakes import item, open_job, order, run, write_batch

from ordersetl import pipeline
from ordersetl.errors import ConfigError
from ordersetl.export.stage import export_table
from ordersetl.lake.layout import MANIFEST, Lake
from ordersetl.lake.manifest import encode_manifest, read_manifest
from ordersetl.settings import Settings
from ordersetl.star.rules import COLUMNS_SINCE
from ordersetl.star.schema import TABLES
from ordersetl.status.order_life import trace_order
from ordersetl.status.overview import read_status
from ordersetl.status.rejects import list_quarantine
from ordersetl.warehouse.stage import write_statements

NOW = datetime(2025, 9, 2, tzinfo=UTC)
FILE = "dt=2025-08-20/fact_order.csv"
PROBLEM = "curated was written by an older version of ordersetl, with other columns"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An output whose orders have the columns that they had at first, and whose manifest is of those rules."""
    with open_job(tmp_path / "output") as job:
        write_batch(job, [order("a", items=[item("A"), item("B")]), order("bad", amount=-1)])
        run(job)
    lake = Lake(tmp_path / "output")
    path = lake.folder / "curated" / FILE
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(
        row[:-5] for row in csv.reader(io.StringIO(path.read_text(), newline=""))
    )
    path.write_text(text.getvalue())
    body = path.read_bytes()
    manifest = read_manifest(lake)
    assert manifest is not None
    entry = msgspec.structs.replace(
        manifest.files[FILE], sha256=hashlib.sha256(body).hexdigest(), bytes=len(body), mtime_ns=path.stat().st_mtime_ns
    )
    older = msgspec.structs.replace(manifest, rules=COLUMNS_SINCE - 1, files={**manifest.files, FILE: entry})
    lake.storage.put(MANIFEST, encode_manifest(older))
    return lake


def test_status_shows_what_the_manifest_says_and_names_the_version(lake: Lake) -> None:
    found = read_status(lake, NOW)
    assert (found.orders, found.rows, found.quarantine.orders) == (1, 2, 0)
    assert found.revenue == {"EUR": 10}
    (problem,) = found.problems
    assert PROBLEM in problem


@pytest.mark.parametrize(
    "read",
    [
        lambda lake: export_table(lake, "orders", lake.folder.parent / "x.csv", "csv"),
        list_quarantine,
        lambda lake: trace_order(lake, "a", NOW),
        lambda lake: write_statements(Settings(output=lake.folder), "postgres", NOW),
    ],
    ids=["export", "quarantine", "order", "print_sql"],
)
def test_what_needs_the_rows_is_refused_with_what_to_do(lake: Lake, read: Callable[[Lake], object]) -> None:
    with pytest.raises(ConfigError, match=PROBLEM) as raised:
        read(lake)
    assert raised.value.hint == "Fold it again by this version, from raw: ordersetl load"
    assert not (lake.folder.parent / "x.csv").exists()


def test_check_fails_by_that_alone_and_the_next_load_heals_it(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/mine.sql").write_text("SELECT order_id FROM orders WHERE cancelled")
    warehouse = f"duckdb:///{tmp_path}/shop.duckdb"
    settings = Settings(output=lake.folder, checks=tmp_path / "checks", warehouse=warehouse)
    (outcome,) = pipeline.check(settings).outcomes
    assert (outcome.name, outcome.ok) == ("manifest", False)
    assert PROBLEM in outcome.detail
    loaded = pipeline.load(settings)
    assert (loaded.rebuilt, loaded.healed) == (True, ())
    assert pipeline.check(settings).ok
    assert read_status(lake, NOW).problems == ()


def test_columns_that_change_are_of_newer_rules() -> None:
    """Whoever changes the columns raises RULES, sets COLUMNS_SINCE to that, and pins what they are now."""
    columns = repr([(table.name, table.duckdb_columns) for table in TABLES])
    assert (COLUMNS_SINCE, hashlib.sha256(columns.encode()).hexdigest()[:12]) == (3, "b14a5176742d")
