"""A hint is a command to paste: it works on the output and with the settings of the command that gave it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from console import COMMANDS, environment, ordersetl
from rich.text import Text

from ordersetl.cli.hints import OptionsInUse
from ordersetl.report import terminal as _tables
from ordersetl.report.failures import check_failure
from ordersetl.results import CheckMetrics, CheckOutcome, CheckResult, LayerTotals
from ordersetl.source.sample import sample_app
from ordersetl.source.server import serve

ODD = "weird 'dir' \n\u00a0\x1b"
IN_USE = OptionsInUse({"output": "my shop", "config": "a.toml", "api_url": "http://shop.test/api"})


def paste(text: str, cwd: Path) -> list[subprocess.CompletedProcess[str]]:
    """What comes of all commands that a text names, pasted into a shell."""
    commands = re.findall(r"ordersetl (?:\$'(?:[^'\\]|\\.)*'|'[^']*'|[^`'.;(,]|[.,](?! |$))+", text)
    run = f"{shlex.quote(sys.executable)} -m ordersetl"
    return [
        subprocess.run(
            ["/bin/bash", "-c", command.replace("ordersetl", run, 1)],
            cwd=cwd,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        for command in commands
    ]


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("`ordersetl load` does it", "`ordersetl load --output 'my shop' --config a.toml` does it"),
        ("Fold: ordersetl load --rebuild.", "Fold: ordersetl load --output 'my shop' --config a.toml --rebuild."),
        ("ordersetl check --output x", "ordersetl check --config a.toml --output x"),
        ("ordersetl init", "ordersetl init --output 'my shop' --config a.toml --api-url http://shop.test/api"),
        ("ordersetl load -o x; next", "ordersetl load --config a.toml -o x; next"),
        (
            "ordersetl run --full, or --output",
            "ordersetl run --output 'my shop' --config a.toml --api-url http://shop.test/api --full, or --output",
        ),
        (
            "ordersetl extract --until 2025-08-01T10:00:00 --api-url http://x.",
            "ordersetl extract --output 'my shop' --config a.toml --until 2025-08-01T10:00:00 --api-url http://x.",
        ),
        *[
            (text, text)
            for text in (
                "See: ordersetl run --help",
                "not ordersetl's; another run",
                "ordersetl loads",
                "/srv/ordersetl run",
                "reordersetl run",
                "ordersetl 0.1 run",
            )
        ],
    ],
)
def test_commands_in_a_text_get_the_options_in_use(text: str, completed: str) -> None:
    assert IN_USE.complete(text) == completed
    assert OptionsInUse().complete(text) == text


@pytest.mark.parametrize(
    "path", ["plain", "a b", "it's", "-x", "$(touch x)", "a\nb", "\udc80\x1b\\'", "caf\u00e9 \u202e"]
)
def test_a_value_is_one_word_of_the_shell(path: str, tmp_path: Path) -> None:
    command = OptionsInUse({"output": path}).complete("ordersetl check")
    assert command.isprintable()
    show = command.replace("ordersetl check", "printf '%s\\0'")
    ended = subprocess.run(["/bin/bash", "-c", show], cwd=tmp_path, env={}, capture_output=True, check=True)
    expected = f"--output={path}\0" if path.startswith("-") else f"--output\0{path}\0"
    assert ended.stdout == expected.encode(errors="surrogateescape")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("odd", [ODD, "-x", "plain"])
def test_the_hints_of_a_failed_check_work_when_pasted(shop: Path, odd: str) -> None:
    (shop / "output").rename(shop / odd)
    (shop / odd / "curated/dim_user.csv").unlink()
    failed = ordersetl("check", "--output", odd, cwd=shop)
    assert failed.code == 3
    hint = failed.err.splitlines()[-1]
    ended = paste(hint, shop)
    assert [end.returncode for end in ended] == [0, 0], (hint, [end.stderr for end in ended])
    assert ordersetl("check", "--output", odd, cwd=shop).code == 0
    assert [path.name for path in shop.iterdir()] == [odd]


def test_the_commands_in_a_table_and_in_json_work_when_pasted(shop: Path) -> None:
    (shop / "output").rename(shop / "my shop")
    lost = shop / "my shop/curated/dim_user.csv"
    lost.unlink()
    failed = ordersetl("check", "--output", "my shop", "--json", cwd=shop)
    (detail,) = [outcome["detail"] for outcome in failed.json["data"]["outcomes"] if outcome["name"] == "files_present"]
    for text in (detail, failed.json["error"]["hint"], failed.json["error"]["message"]):
        assert "ordersetl load --output 'my shop'" in text
    (line,) = [
        x for x in ordersetl("check", "-o", "my shop", cwd=shop).out.splitlines() if "FAILED  files_present" in x
    ]
    for text in (detail, line):
        (ended,) = paste(text, shop)
        assert ended.returncode == 0, ended.stderr
        assert lost.exists()
        lost.unlink()
    assert [path.name for path in shop.iterdir()] == ["my shop"]


def test_the_hint_of_a_failed_run_names_all_that_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text("max_reject_ratio = 0.01\n")
    with serve(sample_app()) as url:
        arguments = ["run", "--config", "my.toml", "--output", "my shop", "--api-url", url]
        failed = ordersetl(*arguments, cwd=tmp_path)
        assert failed.code == 3
        assert "ordersetl load --output 'my shop' --config my.toml" in failed.err
        assert [end.returncode for end in paste(failed.err.splitlines()[-1], tmp_path)] == [0]
        page = next((tmp_path / "my shop").glob("raw/*/page-00001.json"))
        page.write_bytes(b"[]")
        damaged = ordersetl("load", "--rebuild", "-o", "my shop", cwd=tmp_path, ORDERSETL_API_URL=url)
        assert damaged.code == 1
        assert f"ordersetl run --output 'my shop' --api-url {url} --full" in damaged.err


def test_what_the_environment_set_is_named_too_and_what_the_file_set_is_not(shop: Path) -> None:
    (shop / "output").rename(shop / "there")
    (shop / "there/curated/dim_user.csv").unlink()
    by_variable = ordersetl("check", cwd=shop, ORDERSETL_OUTPUT="there")
    assert "ordersetl load --output there --verify" in by_variable.err
    (shop / "ordersetl.toml").write_text('output = "there"\n')
    by_file = ordersetl("check", cwd=shop)
    assert "ordersetl load --verify" in by_file.err
    assert [end.returncode for end in paste(by_file.err.splitlines()[-1], shop)] == [0, 0]


@pytest.mark.parametrize("command", COMMANDS)
def test_without_options_a_hint_is_as_short_as_ever(command: str) -> None:
    assert OptionsInUse.of({"output": None}).complete(f"ordersetl {command}") == f"ordersetl {command}"


def test_a_line_below_a_table_is_completed_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        _tables, "_draw", lambda *_, **__: iter([Text.assemble(("never fetched ", "red"), "ordersetl run")])
    )
    (shown,) = _tables.draw(None, IN_USE.complete)
    assert isinstance(shown, Text)
    assert shown.plain == f"never fetched {IN_USE.complete('ordersetl run')}"
    assert [(span.start, span.end) for span in shown.spans] == [(0, 14)]


def test_a_failed_check_spares_people_two_hashes() -> None:
    sample = {"file": "dim_user.csv", "problem": "content differs", "recorded": "ab" * 32, "found": "cd" * 32}
    outcome = CheckOutcome("files_unchanged", ok=False, why="", offending=1, samples=(sample,))
    result = CheckResult(False, "all", (), False, (outcome,), CheckMetrics(), LayerTotals(), None, 0.0)
    failure = check_failure(result)
    assert failure is not None
    assert failure.message == (
        "1 of 1 check failed: files_unchanged: 1 offending, the first: file=dim_user.csv, problem=content differs, "
        "recorded=abababababab..., found=cdcdcdcdcdcd..."
    )


def test_what_was_repaired_is_named_in_a_sentence(shop: Path) -> None:
    partition, other = sorted((shop / "output/curated").glob("dt=*/fact_order.csv"))[:2]
    partition.write_bytes(partition.read_bytes().replace(b"1", b"2", 1))
    other.write_bytes(b"x")
    output = ordersetl("load", "--verify", cwd=shop).out
    assert f"repaired {partition.parent.name}/fact_order.csv: its content differs; what was there is now" in output
    assert re.search(
        rf"repaired {other.parent.name}/fact_order.csv: its size differs: 1 instead of \d+ bytes; what", output
    )
