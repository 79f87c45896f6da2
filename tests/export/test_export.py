"""Out of the lake: each table and format holds what the layer holds, of one state, and nothing else is touched."""

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest
from lakes import curated_bytes, item, open_job, order, run, write_batch

from ordersetl.check.views import open_views
from ordersetl.errors import ConfigError, CorruptedError, StorageError
from ordersetl.export.stage import Format, export_table, read_format
from ordersetl.export.tables import EXPORTS
from ordersetl.lake.layout import Lake

BIG = Decimal("99999999999999.1234")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    refund = {"refund_id": "r", "created_at": "2025-08-25T10:00:00Z", "amount": 2}
    with open_job(tmp_path / "output") as job:
        write_batch(
            job,
            [
                order("007", items=[item("A"), item("B")], refunds=[refund], status="=cmd()"),
                order("b", 21, currency="USD", amount=str(BIG)),
                order("c", 22, status='a "b",\nc'),
            ],
        )
        run(job)
    return Lake(tmp_path / "output")


def test_a_file_of_the_output_is_not_written_over(lake: Lake) -> None:
    before = curated_bytes(lake)
    for file in ("curated/dt=2025-08-20/fact_order.csv", "raw/new.csv", "../output/runs/new.csv"):
        with pytest.raises(ConfigError, match="is ordersetl's own"):
            export_table(lake, "orders", lake.folder / file, "csv")
    assert curated_bytes(lake) == before


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(), newline="")))


@pytest.mark.parametrize("table", EXPORTS)
@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx"])
def test_each_table_in_each_format(lake: Lake, tmp_path: Path, table: str, kind: Format) -> None:
    before = curated_bytes(lake)
    target = tmp_path / f"out.{kind}"
    result = export_table(lake, table, target, kind)
    assert (result.table, result.format, result.bytes) == (table, kind, target.stat().st_size)
    assert result.rows > 0
    if kind == "csv":
        assert len(rows(target)) == result.rows
    elif kind == "parquet":
        assert duckdb.connect().execute(f"SELECT count(*) FROM '{target}'").fetchall() == [(result.rows,)]
    else:
        assert openpyxl.load_workbook(target).active.max_row == result.rows + 1
    assert curated_bytes(lake) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"out.{kind}", "output"]
    again = target.read_bytes()
    export_table(lake, table, target, kind)
    assert target.read_bytes() == again


def test_a_table_as_csv_is_its_partitions_with_their_day(lake: Lake, tmp_path: Path) -> None:
    export_table(lake, "fact_order", tmp_path / "out.csv", "csv")
    files = {name: body.decode() for name, body in curated_bytes(lake).items() if name.startswith("dt=")}
    expected = [
        {**row, "dt": name[3:13]}
        for name, text in files.items()
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]
    assert rows(tmp_path / "out.csv") == expected


def test_days_cut_the_span(lake: Lake, tmp_path: Path) -> None:
    span = {"since": date(2025, 8, 21), "until": date(2025, 8, 22)}
    export_table(lake, "orders", tmp_path / "out.csv", "csv", **span)
    assert [row["order_id"] for row in rows(tmp_path / "out.csv")] == ["b"]
    export_table(lake, "sales_by_day", tmp_path / "out.csv", "csv", since=date(2025, 8, 22))
    assert [(row["day"], row["net_sales"]) for row in rows(tmp_path / "out.csv")] == [
        ("2025-08-22", "10.0000"),
        ("2025-08-25", "-2.0000"),  # the refund of an order of the 20th
    ]
    assert export_table(lake, "orders", tmp_path / "out.csv", "csv", since=date(2026, 1, 1)).rows == 0
    for until in (date(2025, 8, 22), date(2025, 8, 10)):
        with pytest.raises(ConfigError, match=f"no day is from 2025-08-22 on and before {until}"):
            export_table(lake, "orders", tmp_path / "x.csv", "csv", since=date(2025, 8, 22), until=until)
    with pytest.raises(ConfigError, match="has no days"):
        export_table(lake, "dim_user", tmp_path / "x.csv", "csv", since=date(2025, 8, 1))


def test_a_workbook_has_values_and_no_formulas(lake: Lake, tmp_path: Path) -> None:
    export_table(lake, "orders", tmp_path / "out.xlsx", "xlsx")
    head, first, second, _ = openpyxl.load_workbook(tmp_path / "out.xlsx").active.iter_rows()
    cells = dict(zip([cell.value for cell in head], first, strict=True))
    assert (cells["order_id"].value, cells["order_id"].data_type) == ("007", "s")
    assert (cells["order_amount"].value, cells["lines"].value) == (10, 2)
    assert cells["dt"].value == datetime(2025, 8, 20)  # noqa: DTZ001 - sheets have no zones
    assert (cells["status"].value, cells["status"].data_type) == ("=cmd()", "s")
    assert cells["cancelled"].value is False
    assert dict(zip(cells, second, strict=True))["order_amount"].value == str(BIG)  # more digits than a sheet has


def test_a_sheet_takes_so_many_rows(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordersetl.export.workbook.MAX_ROWS", 2)
    with pytest.raises(ConfigError, match="a sheet takes 2 rows"):
        export_table(lake, "orders", tmp_path / "out.xlsx", "xlsx")
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


def test_without_its_package_there_are_no_workbooks(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xlsxwriter", None)
    with pytest.raises(ConfigError, match="xlsxwriter") as caught:
        export_table(lake, "orders", tmp_path / "out.xlsx", "xlsx")
    assert "pip install 'ordersetl[xlsx]'" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "given", "kind"), [("a.csv", None, "csv"), ("a.XLSX", None, "xlsx"), ("a", "parquet", "parquet")]
)
def test_the_format_is_what_is_given_or_the_name_says(name: str, given: str | None, kind: str) -> None:
    assert read_format(Path(name), given) == kind


def test_what_cannot_be_written_is_refused(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no table orderz"):
        export_table(lake, "orderz", tmp_path / "x.csv", "csv")
    with pytest.raises(ConfigError, match="cannot write"):
        export_table(lake, "orders", tmp_path / "output", "csv")
    with pytest.raises(ConfigError, match="its name does not say"):
        read_format(tmp_path / "x.txt", None)
    assert (tmp_path / "output/curated").is_dir()


def test_a_pipe_is_not_written_to(lake: Lake) -> None:
    ends = os.pipe()
    try:
        with pytest.raises(ConfigError, match=rf"cannot write /dev/fd/{ends[1]}: it is not a regular file"):
            export_table(lake, "orders", Path(f"/dev/fd/{ends[1]}"), "csv")
    finally:
        for end in ends:
            os.close(end)


def test_a_file_that_cannot_be_made_is_named(lake: Lake, tmp_path: Path) -> None:
    name = "x" * 240 + ".csv"  # that which is renamed to it has a longer one
    with pytest.raises(StorageError, match=r"cannot write .*x\.csv: File name too long") as caught:
        export_table(lake, "orders", tmp_path / name, "csv")
    assert "Choose another place for the file" in caught.value.hint


def test_a_damaged_layer_is_not_exported(lake: Lake, tmp_path: Path) -> None:
    (lake.folder / "curated/dt=2025-08-21/fact_order.csv").unlink()
    with pytest.raises(CorruptedError, match=r"fact_order\.csv is damaged: it is missing"):
        export_table(lake, "orders", tmp_path / "out.csv", "csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_commit_meanwhile_makes_it_look_again(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    @contextmanager
    def commit_first(*arguments: object, **options: object) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_views(*arguments, **options) as database:  # type: ignore[arg-type]
            yield database
        looks.append(1)
        if len(looks) == 1:
            with open_job(lake.folder, now=lambda: datetime(2025, 9, 2, tzinfo=UTC)) as job:
                write_batch(job, [order("new", 21)])
                run(job)

    monkeypatch.setattr("ordersetl.export.stage.open_views", commit_first)
    assert export_table(lake, "orders", tmp_path / "out.csv", "csv").rows == 4
    assert len(looks) == 2
    assert "new" in [row["order_id"] for row in rows(tmp_path / "out.csv")]
