"""stdout carries results and nothing else; stderr everything else; neither wraps, pads or breaks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from console import COMMANDS, environment, ordersetl, start
from typer.testing import CliRunner

from ordersetl.cli.app import app
from ordersetl.source.sample import Fault, sample_app, sample_orders
from ordersetl.source.server import serve

FACTS = [
    *("batch", "source", "window", "fetched", "batches", "received", "rejected orders", "lines", "rejected lines"),
    *("of these orders", "orders", "lines removed", "partitions", "dimensions", "curated", "revenue", "refunded"),
    *("checked", "seconds", "report"),
]


def test_a_run_says_what_matters_first(tmp_path: Path) -> None:
    ended = ordersetl("run", cwd=tmp_path)
    facts, bridge, notes = re.split(r"\n\n", ended.out)
    title, *lines = facts.splitlines()
    assert re.fullmatch(r"Run \S+: done, and 7 things need a look", title)
    assert [line.split()[0] for line in lines] == ["came", "orders", "now", "checked"]
    assert "387 records in 4 pages" in lines[0]
    assert lines[1].split(maxsplit=1)[1] == "282 new"
    assert "282 orders in 31 partitions, 770 rows, up to 2025-09-01T13:51:34Z" in lines[2]
    assert bridge.startswith("From gross to net sales, of all 31 days that this run wrote\n")
    assert [line.split()[-1] for line in bridge.splitlines() if line.startswith("net sales")] == [
        "74,321.65",
        "16,038.85",
    ]
    assert notes.startswith("Needs a look\n39 orders rejected: invalid_amount 7, ")
    assert "USD: 74.4% of the amount is in no line, discount, tax or shipping" in notes
    assert max(map(len, ended.out.splitlines())) <= 80


def test_a_run_says_all_that_it_did_if_asked(tmp_path: Path) -> None:
    ended = ordersetl("run", "--verbose", cwd=tmp_path)
    facts, _, bridge = ended.out.partition("\n\n")
    title, *lines = facts.splitlines()
    assert title.startswith("Run 2")
    names = [line[: max(map(len, FACTS))].rstrip() for line in lines if not line.startswith("texts cut")]
    assert names == FACTS
    assert "387 records in 4 pages" in ended.out
    assert "invalid_amount 7" in ended.out
    assert "282 inserted, 0 updated (0 moved), 0 unchanged" in ended.out
    assert "31 written, 0 left alone, 0 removed" in ended.out
    assert all(stage in lines[-2] for stage in ("extract", "transform", "load", "check", "together"))
    assert (tmp_path / lines[-1].split()[-1]).is_file()
    assert bridge.startswith("From gross to net sales")


def test_a_run_with_nothing_new_is_one_line(shop: Path) -> None:
    ended = ordersetl("run", "--source", "sample", cwd=shop)
    assert ended.out == "Nothing new up to 2025-09-01T13:51:34Z; 282 orders, as before\n"
    assert "checks passed; nothing was written, so the manifest alone" in ordersetl("run", "-v", cwd=shop).out


def test_what_a_run_repaired_needs_a_look(shop: Path) -> None:
    (shop / "output/curated/dim_user.csv").unlink()
    ended = ordersetl("run", cwd=shop)
    assert "Needs a look\nrepaired dim_user.csv: it is missing\n" in ended.out
    assert "and 1 thing needs a look" in ended.out


@pytest.mark.parametrize("command", ["run", "extract", "transform", "load", "check"])
def test_in_a_pipe_no_line_is_padded_or_coloured(shop: Path, command: str) -> None:
    ended = ordersetl(command, cwd=shop, COLUMNS="40")
    assert "\x1b" not in ended.out + ended.err
    assert not [line for line in (ended.out + ended.err).splitlines() if line != line.rstrip()]


@pytest.mark.parametrize("flags", [[], ["--quiet"], ["--json"], ["--quiet", "--json"]])
def test_the_sample_that_nobody_asked_for_is_a_warning_in_one_plain_line(tmp_path: Path, flags: list[str]) -> None:
    ended = ordersetl("extract", *flags, cwd=tmp_path, COLUMNS="40")
    (notice,) = ended.err.splitlines()
    assert notice.startswith("Warning: no API is set, so the built-in sample API answers")
    assert ordersetl("extract", *flags, "--source", "sample", cwd=tmp_path).err == ""


def test_a_misspelt_variable_lets_nothing_happen(tmp_path: Path) -> None:
    for command in COMMANDS:
        line = [command, *(["x.csv"] if command == "export" else []), "--quiet", "--json"]
        ended = ordersetl(*line, cwd=tmp_path, ORDERSETL_API_ULR="https://shop.example/SECRET")
        assert ended.code == 2
        assert ended.json["error"]["code"] == "config"
        assert "ORDERSETL_API_ULR" in ended.err
        assert "did you mean ORDERSETL_API_URL?" in ended.err
        assert "SECRET" not in ended.err + ended.out
    assert list(tmp_path.iterdir()) == []


def test_a_bad_cell_of_a_reference_file_is_a_warning_once(shop: Path) -> None:
    (shop / "products.csv").write_text("sku,name,category,price\np_0,Mug,home,free\n")
    arguments = ["run", "--quiet", "--products", "products.csv", "--source", "sample"]
    first, second = ordersetl(*arguments, cwd=shop), ordersetl(*arguments, cwd=shop)
    assert first.code == second.code == 0
    assert first.err.startswith("Warning: products.csv: 1 cell cannot be taken as it is: line 2, column price: ")
    assert second.err == ""


def test_quiet_says_nothing_but_errors_and_warnings(tmp_path: Path) -> None:
    ended = ordersetl("run", "--quiet", "--source", "sample", cwd=tmp_path)
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
    assert f"GET {url}/orders (limit=1000): HTTP 200" in ended.err
    assert "HTTP 503" in ended.err
    assert "(attempt 2)" in ended.err


def test_verbose_shows_where_a_bug_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("one\ntwo")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ordersetl.pipeline.load", fail)
    short = CliRunner().invoke(app, ["load"])
    output = CliRunner().invoke(app, ["load", "--verbose"])
    assert short.exit_code == output.exit_code == 1
    assert short.stderr.splitlines()[0] == "Error: RuntimeError: one two"
    assert len(short.stderr.splitlines()) == 2
    assert "Traceback" in output.stderr
    assert "in fail" in output.stderr


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
        _, output = process.communicate(timeout=60)
    assert process.returncode == code
    assert "roken" not in output
    assert "Traceback" not in output


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


EVIL = "\x1b[2J\x1b]8;;http://x\x07evil\u202e\u009b31m"
EVIL_FILE = f"{EVIL.replace('/', '')}.toml"
STEERING = {"\x1b", "\x07", "\u202e", "\u009b"}
FROM_OUTSIDE: dict[str, tuple[list[str], dict[str, str]]] = {
    "an option": (["run", f"--{EVIL}"], {}),
    "a command": ([EVIL], {}),
    "a value": (["load", "--wait", EVIL], {}),
    "a time": (["run", "--since", EVIL], {}),
    "a source": (["run", "--source", EVIL], {}),
    "a URL": (["run", "--api-url", EVIL], {}),
    "a reference file": (["run", "--users", EVIL], {}),
    "a settings file": (["run", "--config", EVIL], {}),
    "a broken settings file": (["run", "--config", EVIL_FILE], {}),
    "a variable": (["run"], {f"ORDERSETL_{EVIL}": "1"}),
    "an output": (["check", "--output", EVIL], {}),
    "an output that is a file": (["run", "--output", EVIL_FILE, "--source", "sample"], {}),
}


@pytest.mark.parametrize(("arguments", "variables"), FROM_OUTSIDE.values(), ids=FROM_OUTSIDE.keys())
def test_17_nothing_from_outside_steers_the_terminal(
    tmp_path: Path, arguments: list[str], variables: dict[str, str]
) -> None:
    (tmp_path / EVIL_FILE).write_text('"\\u001b\\u202eevil" = 1')
    for flag in ("--verbose", "--quiet", "--json"):
        ended = ordersetl(*arguments, flag, cwd=tmp_path, **variables)
        assert ended.code != 0
        assert ended.err.splitlines()[-1].startswith("Next:  ")
        assert not STEERING & set(ended.err + ended.out)


def test_17_nor_does_a_bug_that_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(EVIL)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ordersetl.pipeline.load", fail)
    output = CliRunner().invoke(app, ["load", "--verbose"])
    assert output.stderr.count("evil") == 2
    assert not STEERING & set(output.stderr)


def test_17_nor_does_a_log(tmp_path: Path) -> None:
    with serve(sample_app()) as url:
        ended = ordersetl("extract", "--api-url", f"{url}/\u202eevil", "--verbose", cwd=tmp_path)
    assert "evil" in ended.err
    assert not STEERING & set(ended.err + ended.out)


def test_one_of_a_thing_is_one_thing(tmp_path: Path) -> None:
    with serve(sample_app([_good_order()])) as url:
        ran = ordersetl("run", "--verbose", "--api-url", url, cwd=tmp_path).out
        rejected = sample_app([{**_good_order(), "order_id": "other", "amount": -1}])
    with serve(rejected) as url:
        ordersetl("extract", "--api-url", url, "--full", cwd=tmp_path)
    output = ran + "".join(ordersetl(command, cwd=tmp_path).out for command in ("transform", "load", "check"))
    assert "1 record in 1 page" in output
    assert "1 record: 1 accepted" in output
    assert "1 user" in output
    assert "1 rejected order with no later good version" in output
    found = set(re.findall(r"(?<![\d,.])1 (\w+s)\b", output))
    assert not found


def test_a_terminal_gets_tables_that_fit(shop: Path) -> None:
    pty = pytest.importorskip("pty", reason="terminals need POSIX")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "ordersetl", "check", "--verbose"]
    variables = environment(COLUMNS="80", TERM="xterm", NO_COLOR="1")
    with subprocess.Popen(command, cwd=shop, env=variables, stdout=follower, stderr=follower) as process:
        os.close(follower)
        output = b""
        try:
            while piece := os.read(leader, 65536):
                output += piece
        except OSError:  # the other end is closed
            pass
        os.close(leader)
    assert process.returncode == 0
    assert b"\x1b[3" not in output
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode()).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("ok") for line in lines) > 20


def test_a_check_counts_what_passed_and_lists_what_failed_first(shop: Path) -> None:
    lines = ordersetl("check", cwd=shop).out.splitlines()
    assert lines[-1] == "Result: 34 checks passed"
    assert not any(line.startswith("ok ") for line in lines)
    (shop / "output/curated/dim_user.csv").unlink()
    lines = ordersetl("check", "--verbose", cwd=shop).out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["FAILED", "FAILED", "ok", "ok"]
    assert lines[-1] == "Result: 2 of 34 checks failed"


def test_the_figures_of_a_check_are_those_of_the_sample(shop: Path) -> None:
    output = ordersetl("check", cwd=shop).out
    assert "2025-08-20      1" in output
    assert output.count("█") > 31
    assert "Open quarantine: " in output


def _good_order() -> dict[str, object]:
    (first, *_) = sample_orders()
    assert isinstance(first, dict)
    return first
