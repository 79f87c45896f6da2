"""``ordersetl init``: what is needed is asked for or given, previewed, and written: no secrets, and over no file."""

import json
import os
import pty
import select
import subprocess
import sys
import termios
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from console import environment, ordersetl
from described_shop import DESCRIPTION, sale

from ordersetl.settings import load_settings
from ordersetl.source.description.loading import list_builtin, load_builtin
from ordersetl.source.description.settings_text import make_settings_text
from ordersetl.source.server import serve

SECRET = "s3cret-of-a-test"  # noqa: S105 - of a test


@pytest.fixture
def shop_url() -> Iterator[str]:
    """A small shop over a real socket, which wants a token."""

    def answer(environ: dict[str, str], start: object) -> list[bytes]:
        page = {"data": {"count": 2, "sales": [sale(1), sale(2)]}}
        if environ.get("HTTP_AUTHORIZATION") != f"Bearer {SECRET}":
            start("401 Unauthorized", [("Content-Type", "application/json")])  # type: ignore[operator]
            return [b"{}"]
        start("200 OK", [("Content-Type", "application/json")])  # type: ignore[operator]
        return [json.dumps(page).encode()]

    with serve(answer) as url:
        yield url


def test_the_sample_is_previewed_and_its_file_runs(tmp_path: Path) -> None:
    ended = ordersetl("init", "--source", "sample", "--output", "there", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "ord-10001" in ended.out
    assert "ordersetl.toml is written. Next: ordersetl run" in ended.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ordersetl.toml"]
    assert ordersetl("run", "--quiet", cwd=tmp_path).code == 0
    assert (tmp_path / "there/curated/_manifest.json").exists()


def test_flags_and_environment_are_enough_and_secrets_are_not_written(tmp_path: Path, shop_url: str) -> None:
    (tmp_path / "small.toml").write_text(DESCRIPTION)
    arguments = ["init", "--source", "small.toml", "--api-url", shop_url, "--json"]
    refused = ordersetl(*arguments, cwd=tmp_path)
    assert (refused.code, refused.json["error"]["code"]) == (2, "config")
    assert "ORDERSETL_API_TOKEN" in refused.json["error"]["hint"]
    ended = ordersetl(*arguments, cwd=tmp_path, ORDERSETL_API_TOKEN=SECRET)
    assert ended.code == 0, ended.err
    data = ended.json["data"]
    assert (data["path"], data["source"], data["secrets"]) == (
        "ordersetl.toml",
        "small.toml",
        [["ORDERSETL_API_TOKEN"]],
    )
    assert [order["order_id"] for order in data["preview"]["orders"]] == ["1", "2"]
    text = (tmp_path / "ordersetl.toml").read_text()
    assert SECRET not in text + ended.out + ended.err
    assert tomllib.loads(text) == {"source": "small.toml", "api_url": shop_url, "output": "output"}
    assert ordersetl("run", "--quiet", cwd=tmp_path, ORDERSETL_API_TOKEN=SECRET).code == 0


def test_a_preview_that_fails_writes_nothing(tmp_path: Path, shop_url: str) -> None:
    (tmp_path / "small.toml").write_text(DESCRIPTION)
    wrong = {"ORDERSETL_API_TOKEN": "wr0ng-token"}
    ended = ordersetl("init", "--source", "small.toml", "--api-url", shop_url, cwd=tmp_path, **wrong)
    assert ended.code == 4
    assert "wr0ng-token" not in ended.err
    assert not (tmp_path / "ordersetl.toml").exists()


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    for name in ("ordersetl.toml", "other.toml"):
        (tmp_path / name).write_text("mine")
        ended = ordersetl("init", "--source", "sample", "--config", name, cwd=tmp_path)
        assert ended.code == 2
        assert f"{name} is there already, and stays as it is" in ended.err
        assert "ordersetl init --config other.toml" in ended.err
        assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "init needs a source"),
        (["--source", "shopfy"], "there is no source shopfy; did you mean shopify?"),
        (["--source", "magento"], "the magento source needs an API"),
        (["--source", "amazon"], "needs the variable marketplace_ids"),
        (["--source", "square", "--set", "api_verson=1"], "no variable api_verson; did you mean api_version?"),
        (["--source", "square", "--set", "x"], "--set x: not a name and a value"),
        (["--source", "square", "--set", "api_version=x"], "cannot be 'x'"),
    ],
)
def test_with_nobody_to_ask_what_is_missing_is_an_error(tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = ordersetl("init", "--no-preview", *arguments, cwd=tmp_path)
    assert ended.code == 2
    assert message in ended.err
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_it_asks_until_the_answer_can_be(tmp_path: Path, shop_url: str) -> None:
    (tmp_path / "small.toml").write_text(DESCRIPTION)
    said = talk(tmp_path, "smal.toml", "./small.toml", "shop", shop_url, SECRET)
    assert "cannot read the description of a source smal.toml" in said
    assert "api_url: must be an http:// or https:// URL" in said
    assert SECRET not in said  # it is hidden
    assert "ordersetl.toml is written" in said
    assert tomllib.loads((tmp_path / "ordersetl.toml").read_text())["api_url"] == shop_url


def test_ctrl_c_at_a_question_ends_it(tmp_path: Path, shop_url: str) -> None:
    (tmp_path / "small.toml").write_text(DESCRIPTION)
    for answers in (["\x03"], ["./small.toml", "shop", shop_url, "\x03"]):
        assert "interrupted" in talk(tmp_path, *answers, code=130)
        assert not (tmp_path / "ordersetl.toml").exists()


IN_A_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the input the terminal of a command, whose keys then send it signals."""


def talk(folder: Path, *answers: str, code: int = 0) -> str:
    """All that init says on a terminal of its own while it gets these answers, one a question; ``\x03`` is Ctrl-C."""
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "ordersetl", "init"]
    streams: Any = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, *command],
        cwd=folder,
        env=environment(),
        start_new_session=True,
        **streams,
    )
    os.close(theirs)
    said, waiting, patience = "", list(answers), 12
    while patience:
        if not select.select([mine], [], [], 5)[0]:
            patience -= 1
            if answers[-1] == "\x03" and not waiting:
                os.write(mine, b"\x03")  # the first came between the question and the read, which then goes on
            continue
        try:
            piece = os.read(mine, 4096).decode(errors="replace")
        except OSError:  # the terminal ends with the process
            break
        said += piece
        if waiting and said.rstrip().endswith(":"):
            while waiting[0] == SECRET and termios.tcgetattr(mine)[3] & termios.ECHO:
                pass  # it asks first, and hides what is typed then
            answer = waiting.pop(0)
            os.write(mine, (answer if answer == "\x03" else f"{answer}\n").encode())
            said += " "
    os.close(mine)
    assert process.wait(timeout=60) == code, said
    return said


@pytest.mark.parametrize("name", list_builtin())
def test_each_built_in_source_has_a_file_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable in [variable for variable in os.environ if variable.startswith("ORDERSETL_")]:
        monkeypatch.delenv(variable)
    variables = dict.fromkeys(load_builtin(name).description.variables, "5")
    text = make_settings_text(name, "https://shop.example", Path('a "b" \\ é'), variables, load_builtin(name))
    path = tmp_path / "made.toml"
    path.write_text(text, encoding="utf-8")
    settings = load_settings(path)
    assert (settings.source, settings.output, settings.variables) == (name, Path('a "b" \\ é'), variables)
    uncommented = text.replace("# timezone", "timezone").replace("# drift", "drift").replace("# lookback", "lookback")
    path.write_text(uncommented, encoding="utf-8")
    assert load_settings(path) == settings
