"""``check --html`` and ``report_html``: the page is written whole, whatever the result, and in place of pages alone."""

import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from console import ordersetl
from faulty import FAULTS, Died, FaultyDisk
from packed import read_data

from ordersetl import pipeline
from ordersetl.errors import CheckFailedError, StorageError
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings

NOW = datetime(2025, 9, 1, 14, tzinfo=UTC)


def test_check_writes_the_page_and_says_the_same_as_without(shop: Path) -> None:
    plain = ordersetl("check", "--json", cwd=shop)
    ended = ordersetl("check", "--html", "report.html", "--json", cwd=shop)
    assert (ended.code, ended.err) == (0, plain.err)
    seconds = re.compile(r'"seconds": [0-9.]+')
    assert seconds.sub("", ended.out) == seconds.sub("", plain.out)
    page = (shop / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert {currency["code"] for currency in read_data(page)["currencies"]} == {"COP", "EUR", "MXN", "PEN", "USD"}
    assert not list(shop.glob(".*.tmp"))


def test_a_failed_check_has_its_page_with_the_command_that_repairs(shop: Path) -> None:
    next((shop / "output/curated").glob("dt=*")).joinpath("fact_order.csv").unlink()
    (shop / "report.html").write_text("old")
    ended = ordersetl("check", "--html", "report.html", "--output", "output", cwd=shop)
    assert ended.code == 3
    page = (shop / "report.html").read_text(encoding="utf-8")
    assert "checks failed</h1>" in page
    assert '<code class="command">ordersetl load --output output --verify</code>' in page


def test_an_output_without_a_manifest_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "output/raw/20250901T000000.000000Z").mkdir(parents=True)
    ended = ordersetl("check", "--html", "report.html", cwd=tmp_path)
    assert ended.code == 3
    assert "1 of 1 check failed</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_run_writes_the_page_that_is_set(tmp_path: Path) -> None:
    ended = ordersetl("run", "--source", "sample", "--json", cwd=tmp_path, ORDERSETL_REPORT_HTML="report.html")
    assert ended.code == 0, ended.err
    checked = ended.json["data"]["check"]
    assert (checked["scope"], checked["metrics"]["days"]) == ("all", [])
    assert len({outcome["name"] for outcome in checked["outcomes"]}) == len(checked["outcomes"])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "checks passed</h1>" in page
    again = ordersetl("run", "--source", "sample", "--json", cwd=tmp_path, ORDERSETL_REPORT_HTML="report.html")
    assert again.code == 0, again.err
    assert read_data((tmp_path / "report.html").read_text(encoding="utf-8")) == read_data(page)
    quiet = ordersetl("run", "--source", "sample", cwd=tmp_path, ORDERSETL_REPORT_HTML="report.html")
    assert quiet.out.startswith("Nothing new")
    assert "gross" not in quiet.out


def test_a_run_that_finds_the_layer_damaged_writes_the_page_and_fails(shop: Path) -> None:
    first = next((shop / "output/curated").glob("dt=*")) / "fact_order.csv"
    stat, text = first.stat(), first.read_text(encoding="utf-8")
    first.write_text(text.replace("\n", "\r", 1) if "\n" in text else "", encoding="utf-8")
    os.utime(first, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # so that the load trusts it
    settings = Settings(source="sample", output=shop / "output", report_html=shop / "report.html")
    with pytest.raises(CheckFailedError, match="files_unchanged"):
        pipeline.run(settings, runtime=Runtime(now=lambda: NOW))
    assert "checks failed</h1>" in (shop / "report.html").read_text(encoding="utf-8")


REFUSED = {
    "a settings file": ("ordersetl.toml", "the name of a page ends in .html"),
    "no folder": ("nowhere/report.html", "which is not a folder"),
    "a folder": ("folder.html", "it is a folder"),
    "the output's own": ("output/curated/report.html", "what is there is ordersetl's own"),
}


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(("path", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_place_for_a_page_is_refused_first(tmp_path: Path, command: str, path: str, reason: str) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "ordersetl.toml").write_text('source = "sample"\n')
    ended = ordersetl(command, cwd=tmp_path, ORDERSETL_REPORT_HTML=path)
    assert ended.code == 2
    assert reason in ended.err
    assert not (tmp_path / "output").exists()
    assert (tmp_path / "ordersetl.toml").read_text() == 'source = "sample"\n'


def test_a_link_is_followed(shop: Path) -> None:
    (shop / "public").mkdir()
    (shop / "report.html").symlink_to("public/index.html")
    assert ordersetl("check", "--html", "report.html", cwd=shop).code == 0
    assert (shop / "report.html").is_symlink()
    assert (shop / "public/index.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_whenever_the_disk_fails_there_is_a_whole_page(shop: Path) -> None:
    file = shop / "report.html"
    settings = Settings(output=shop / "output", report_html=file)

    def check(disk: FaultyDisk) -> str:
        file.write_text("old")
        with suppress(Died, StorageError):
            pipeline.check(settings, runtime=Runtime(disk=disk, now=lambda: NOW))
        return file.read_text(encoding="utf-8")

    steps = FaultyDisk()
    assert check(steps).rstrip().endswith("</html>")
    found = {fault: [check(FaultyDisk(at, fault)) for at in range(1, len(steps.steps) + 1)] for fault in FAULTS}
    assert {page == "old" or page.rstrip().endswith("</html>") for pages in found.values() for page in pages} == {True}
    assert found["ENOSPC"][0] == found["before"][0] == "old"
