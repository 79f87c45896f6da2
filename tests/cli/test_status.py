"""``status`` at the command line: its answers, its exit codes, its file for Prometheus."""

from pathlib import Path

import pytest
from console import ordersetl

TABLE = {
    "data as of",
    "newest change",
    "ended well",
    "covered",
    "batches",
    "orders",
    "revenue",
    "open rejects",
    "on disk",
}


def test_the_table_says_what_matters_in_80_columns(shop: Path) -> None:
    ended = ordersetl("status", cwd=shop)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert {line[:13].strip() for line in lines[1:]} - {""} == TABLE
    assert max(map(len, lines)) <= 80
    assert "282 in 31 partitions, 770 rows" in ended.out


def test_an_age_past_the_one_that_is_allowed_is_exit_3(shop: Path) -> None:
    assert ordersetl("status", "--max-age", "1d", "--quiet", cwd=shop).code == 0
    ended = ordersetl("status", "--max-age", "0s", "--json", cwd=shop)
    assert ended.code == 3
    assert ended.json["error"]["code"] == "too_old"
    assert ended.json["data"]["too_old"] is True
    assert ended.json["data"]["max_age_s"] == 0
    assert "Next:" in ended.err
    assert ordersetl("status", "--max-age", "", cwd=shop).code == 2  # as of a variable that is not set
    assert ordersetl("status", "--quarantine", "--max-age", "", cwd=shop).code == 2
    wrong = ordersetl("status", "--max-age", "soon", cwd=shop)
    assert (wrong.code, wrong.out) == (2, "")
    assert "--max-age soon" in wrong.err


def test_without_an_output_there_is_no_status(tmp_path: Path) -> None:
    ended = ordersetl("status", cwd=tmp_path)
    assert ended.code == 2
    assert "there is no ordersetl output" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_the_file_for_prometheus_is_written_whole(shop: Path) -> None:
    file = shop / "ordersetl.prom"
    file.write_text("before")
    file.chmod(0o644)
    assert ordersetl("status", "--prometheus", file, "--quiet", cwd=shop).code == 0
    assert file.read_text().startswith("# HELP ordersetl_status_timestamp_seconds ")
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in shop.iterdir() if path.name != "output"] == ["ordersetl.prom"]


@pytest.mark.parametrize("place", ["output", "no/such/folder.prom", "/dev/null", "output/curated/x.prom"])
def test_a_file_that_is_no_file_is_refused(shop: Path, place: str) -> None:
    ended = ordersetl("status", "--prometheus", place, cwd=shop)
    assert (ended.code, ended.out) == (2, "")
    assert f"cannot write {place}" in ended.err
    assert (shop / "output/curated").is_dir()
    assert Path("/dev/null").is_char_device()


def test_the_quarantine_and_an_order_of_it(shop: Path) -> None:
    ended = ordersetl("status", "--quarantine", "--reason", "invalid_tax", cwd=shop)
    assert ended.code == 0
    assert "Open quarantine: 31 rejected orders, and 7 records without an id" in ended.out
    assert "ord-19030  invalid_tax" in ended.out
    assert "record 93 of raw/" in ended.out
    (record,) = (
        r
        for r in ordersetl("status", "--quarantine", "--order", "ord-19030", "--json", cwd=shop).json["data"]["records"]
    )
    assert (record["order_id"], record["index"]) == ("ord-19030", 93)
    told = ordersetl("status", "--order", "ord-19030", cwd=shop)
    assert told.code == 0
    assert told.out.startswith("Order ord-19030 is not in curated, since it was rejected: invalid_tax")
    assert ordersetl("status", "--order", "ord-19030", "--json", cwd=shop).json["data"]["state"] == "rejected"


@pytest.mark.parametrize(
    "options", [["--reason", "x"], ["--quarantine", "--max-age", "1d"], ["--order", "1", "--prometheus", "x"]]
)
def test_options_that_contradict_each_other_are_refused(shop: Path, options: list[str]) -> None:
    ended = ordersetl("status", *options, cwd=shop)
    assert ended.code == 2
    assert "do not go together" in ended.err


def test_no_order_has_an_empty_id(shop: Path) -> None:
    ended = ordersetl("status", "--order", "", cwd=shop)
    assert (ended.code, ended.out) == (2, "")
    assert "--order is empty" in ended.err
