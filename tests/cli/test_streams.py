"""stdout carries results and nothing else; stderr what is said besides; neither wraps, pads or breaks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from console import environment, ordersetl, start
from typer.testing import CliRunner

from ordersetl.cli import app
from ordersetl.source.sample import Fault, sample_app, sample_orders, serve

FACTS = [
    *("batch", "source", "window", "fetched", "batches", "received", "rejected orders", "lines", "rejected lines"),
    *("orders", "lines removed", "partitions", "dimensions", "curated", "revenue", "check", "seconds", "report"),
]


def test_a_run_says_all_that_it_did_a_line_each(tmp_path: Path) -> None:
    ended = ordersetl("run", cwd=tmp_path)
    title, *lines = ended.out.splitlines()
    assert title.startswith("Run 2")
    names = [line[: max(map(len, FACTS))].rstrip() for line in lines if not line.startswith("texts cut")]
    assert names == FACTS
    assert "378 records in 4 pages" in ended.out
    assert "invalid_amount 7" in ended.out
    assert "282 inserted, 0 updated (0 moved), 0 unchanged" in ended.out
    assert "31 written, 0 left alone, 0 removed" in ended.out
    assert all(stage in lines[-2] for stage in ("extract", "transform", "load", "check", "together"))
    assert (tmp_path / lines[-1].split()[-1]).is_file()


def test_a_run_with_nothing_new_says_what_its_check_covered(shop: Path) -> None:
    ended = ordersetl("run", cwd=shop)
    assert "0 written, 31 left alone, 0 removed" in ended.out
    assert "checks hold, over the manifest alone: nothing was written" in ended.out


@pytest.mark.parametrize("command", ["run", "extract", "transform", "load", "check"])
def test_in_a_pipe_no_line_is_padded_or_coloured(shop: Path, command: str) -> None:
    ended = ordersetl(command, cwd=shop, COLUMNS="40")
    assert "\x1b" not in ended.out + ended.err
    assert not [line for line in (ended.out + ended.err).splitlines() if line != line.rstrip()]


def test_a_notice_is_one_plain_line(tmp_path: Path) -> None:
    ended = ordersetl("extract", cwd=tmp_path, COLUMNS="40")
    (notice,) = ended.err.splitlines()
    assert notice.startswith("Note: no API is set, so the built-in sample API answers")
    assert ordersetl("extract", "--source", "sample", cwd=tmp_path).err == ""


def test_quiet_says_nothing_but_errors(tmp_path: Path) -> None:
    ended = ordersetl("run", "--quiet", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    (tmp_path / "output/curated/dim_user.csv").unlink()
    ended = ordersetl("check", "--quiet", cwd=tmp_path)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("Error: ")
    assert ordersetl("load", "--quiet", "--json", cwd=tmp_path).json["status"] == "ok"


def test_verbose_tells_requests_and_retries(tmp_path: Path) -> None:
    faults = [Fault(on=[2], status=503, headers={"Retry-After": "0"})]
    with serve(sample_app(faults=faults)) as url:
        ended = ordersetl("run", "--api-url", url, "--verbose", "--json", cwd=tmp_path)
    assert ended.json["data"]["extract"]["retries"] == 1
    assert f"GET {url}/orders?limit=1000" in ended.err
    assert "HTTP 503" in ended.err
    assert "(attempt 2)" in ended.err


def test_verbose_shows_where_a_bug_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("one\ntwo")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ordersetl.pipeline.load", fail)
    short = CliRunner().invoke(app, ["load"])
    told = CliRunner().invoke(app, ["load", "--verbose"])
    assert short.exit_code == told.exit_code == 1
    assert short.stderr.splitlines()[0] == "Error: RuntimeError: one two"
    assert len(short.stderr.splitlines()) == 2
    assert "Traceback" in told.stderr
    assert "in fail" in told.stderr


def test_an_interrupt_before_the_work_is_an_interrupt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ordersetl.settings.load_settings", interrupt)
    ended = CliRunner().invoke(app, ["run", "--json"])
    assert ended.exit_code == 130
    assert '"code": "interrupted"' in ended.stdout
    assert ended.stderr.startswith("Error: interrupted")


def test_a_refusal_of_the_system_is_no_bug(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "output/raw")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ordersetl.pipeline.load", refuse)
    ended = CliRunner().invoke(app, ["load", "--json"])
    assert ended.exit_code == 1
    assert '"code": "storage"' in ended.stdout
    assert ended.stderr.startswith("Error: Permission denied (output/raw)")


@pytest.mark.parametrize(("command", "code"), [("run", 0), ("check", 3)])
def test_a_reader_that_goes_away_changes_nothing(shop: Path, command: str, code: int) -> None:
    if code:
        (shop / "output/curated/dim_user.csv").unlink()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as pipe:
        process = start(command, cwd=shop, stdout=pipe)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert "roken" not in said
    assert "Traceback" not in said


def test_what_stdout_cannot_encode_is_replaced(shop: Path) -> None:
    ended = ordersetl("check", cwd=shop, PYTHONIOENCODING="ascii")
    assert ended.code == 0
    assert 'Hand grinder "Colibr?"' in ended.out


def test_what_an_api_sends_does_not_steer_the_terminal(tmp_path: Path) -> None:
    order = {**_good_order(), "currency": "\x1b[31mred", "items": [{"sku": "[bold]\x07", "qty": 1, "price": 1}]}
    with serve(sample_app([order])) as url:
        ended = ordersetl("run", "--api-url", url, cwd=tmp_path)
    assert ended.code == 0, ended.err
    shown = ordersetl("check", cwd=tmp_path).out
    assert "\x1b" not in ended.out + shown
    assert "\x07" not in shown
    assert "[bold]" in shown


def test_a_terminal_gets_tables_that_fit(shop: Path) -> None:
    pty = pytest.importorskip("pty", reason="terminals need POSIX")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "ordersetl", "check"]
    variables = environment(COLUMNS="80", TERM="xterm", NO_COLOR="1")
    with subprocess.Popen(command, cwd=shop, env=variables, stdout=follower, stderr=follower) as process:
        os.close(follower)
        said = b""
        try:
            while piece := os.read(leader, 65536):
                said += piece
        except OSError:  # the other end is closed
            pass
        os.close(leader)
    assert process.returncode == 0
    assert b"\x1b[3" not in said
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode()).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("ok") for line in lines) > 20


def test_the_figures_of_a_check_are_those_of_the_sample(shop: Path) -> None:
    said = ordersetl("check", cwd=shop).out
    assert "2025-08-20      1" in said
    assert said.count("█") > 31
    assert "Open quarantine: " in said


def _good_order() -> dict[str, object]:
    (first, *_) = sample_orders()
    assert isinstance(first, dict)
    return first
