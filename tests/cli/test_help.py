"""Help: every command documents every option and has an example that works; it answers at once."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from console import COMMANDS, environment, ordersetl
from typer.main import get_command
from typer.testing import CliRunner

import ordersetl as package
from ordersetl.cli.app import app

HEAVY = ("polars", "duckdb", "pydantic", "httpx", "jinja2", "msgspec", "filelock", "tenacity", "rich")
EXIT_CODES = "0 done, 1 failed, 2 usage, 3 data, 4 source or warehouse, 5 locked, 130 interrupted"
EVERYWHERE = {"--output", "--config", "--json", "--quiet", "--verbose", "--version", "--help"}
FETCHING = {
    *("--since", "--until", "--full", "--window", "--concurrency", "--api-url", "--source", "--users", "--products"),
    "--wait",
}
FLAGS = {
    "run": {"--verify", "--warehouse", "--cluster", *FETCHING},
    "extract": {"--preview", *FETCHING},
    "transform": {"--cluster", "--wait"},
    "load": {"--verify", "--rebuild", "--print-sql", "--warehouse", "--cluster", "--wait"},
    "check": {"--cluster", "--deep", "--html", "--warehouse"},
    "export": {"--table", "--since", "--until", "--format"},
    "init": {"--source", "--api-url", "--set", "--no-preview"},
    "status": {"--max-age", "--prometheus", "--quarantine", "--reason", "--order"},
}


def help_of(*command: str) -> str:
    ended = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert ended.exit_code == 0
    return ended.stdout


def test_the_commands_are_these_and_in_order() -> None:
    listed = re.findall(r"^  (\w+)  +\w", help_of().partition("Commands:")[2], flags=re.MULTILINE)
    assert listed == list(COMMANDS)
    assert EXIT_CODES in " ".join(help_of().split())


def test_no_summary_is_cut_short() -> None:
    assert "..." not in help_of().partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str) -> None:
    output = help_of(command)
    options = re.findall(r"^  (?:-\w, )?(--[a-z-]+)(?: <?[A-Za-z]+>?)?(.*)$", output, flags=re.MULTILINE)
    assert {name for name, _ in options} == FLAGS[command] | EVERYWHERE
    for parameter in get_command(app).commands[command].params:  # type: ignore[attr-defined]  # Typer's group has them
        assert getattr(parameter, "help", None), parameter.name
    assert max(map(len, output.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_whose_flags_exist(command: str) -> None:
    example = " ".join(help_of(command).split()).partition("Example: ")[2]
    first = example.partition(" | ")[0]
    name, given, *words = shlex.split(first)
    assert (name, given) == ("ordersetl", command)
    assert {word for word in words if word.startswith("--")} <= FLAGS[command] | EVERYWHERE


@pytest.mark.parametrize("command", COMMANDS)
def test_short_help_flag(command: str) -> None:
    assert CliRunner().invoke(app, [command, "-h"]).stdout == help_of(command)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_version_everywhere(command: str) -> None:
    ended = CliRunner().invoke(app, [*filter(None, [command]), "--version"])
    assert (ended.exit_code, ended.stdout) == (0, f"ordersetl {package.__version__}\n")


def modules_loaded(*arguments: str) -> set[str]:
    """Top-level names of all that Python has imported when the tool has answered."""
    code = (
        "import sys\nfrom ordersetl.cli.app import app\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "sys.stdout.write('\\n' + ' '.join(sys.modules))"
    )
    command = [sys.executable, "-c", code, *arguments]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert "ordersetl.cli.app" in loaded
    return loaded


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_nothing_heavy_is_imported_to_answer(flag: str) -> None:
    assert modules_loaded(flag).isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", [["run", "--help"], ["load", "--no-such-flag"]])
def test_little_is_imported_to_answer_for_a_command(arguments: list[str]) -> None:
    # Typer itself takes pydantic to read the values of options
    assert modules_loaded(*arguments).isdisjoint({"polars", "duckdb", "httpx", "ordersetl.pipeline"})


def test_the_package_is_cheap_to_import() -> None:
    code = "import sys, ordersetl; ordersetl.__version__; sys.exit(any(m in sys.modules for m in ('polars', 'duckdb')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["lake.raw", "lake.quarantine", "lake.staged", "status.overview"])
def test_records_are_read_without_frames(module: str) -> None:
    code = f"import sys, ordersetl.{module}; sys.exit(any(m in sys.modules for m in ('polars', 'duckdb')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SCRIPTS = {
    "bash": "complete -o default -F _ordersetl_completion ordersetl",
    "zsh": "#compdef ordersetl",
    "fish": "complete --command ordersetl",
    "powershell": "Register-ArgumentCompleter -Native -CommandName ordersetl",
    "pwsh": "Register-ArgumentCompleter -Native -CommandName ordersetl",
}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_completion_script_is_the_one_of_the_shell_that_is_named(shell: str) -> None:
    shown = CliRunner().invoke(app, ["--show-completion", shell], env={"SHELL": "/bin/bash"})
    assert shown.exit_code == 0
    assert SCRIPTS[shell] in shown.stdout
    assert all(line not in shown.stdout for line in SCRIPTS.values() if line != SCRIPTS[shell])


@pytest.mark.parametrize("flag", ["--show-completion", "--install-completion"])
def test_completion_is_of_a_shell_that_is_named_and_known(flag: str, tmp_path: Path) -> None:
    for arguments, output in (([flag], "requires an argument"), ([flag, "ksh"], "'ksh' is not one of 'bash', 'zsh'")):
        ended = ordersetl(*arguments, cwd=tmp_path, HOME=str(tmp_path))
        assert (ended.code, ended.out) == (2, "")
        assert output in ended.err
    assert list(tmp_path.iterdir()) == []


def test_completion_is_installed(tmp_path: Path) -> None:
    ended = ordersetl("--install-completion", "zsh", cwd=tmp_path, HOME=str(tmp_path))
    assert ended.code == 0, ended.err
    assert SCRIPTS["zsh"] in (tmp_path / ".zfunc/_ordersetl").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("shell", "asked"),
    [
        ("bash", {"COMP_WORDS": "ordersetl ex", "COMP_CWORD": "1"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "ordersetl ex"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "ordersetl ex", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_completion_completes(tmp_path: Path, shell: str, asked: dict[str, str]) -> None:
    ended = ordersetl(cwd=tmp_path, _ORDERSETL_COMPLETE=f"complete_{shell}", **asked)
    assert "extract" in ended.out
    assert "transform" not in ended.out
