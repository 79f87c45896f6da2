"""README and docs are true: commands run and say what is shown, names exist, links resolve."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from console import COMMANDS, environment
from readme import README, ROOT, play, read_examples, read_python
from typer.main import get_command

import ordersetl
from ordersetl import errors
from ordersetl.cli.app import app
from ordersetl.settings import Settings

pytestmark = pytest.mark.docs

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
TEXT = README.read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def section(title: str, text: str = TEXT) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def options() -> set[str]:
    group = get_command(app)
    commands = [group, *group.commands.values()]  # type: ignore[attr-defined]  # Typer's group has them
    names = {name for command in commands for parameter in command.params for name in parameter.opts}
    return {name for name in names if name.startswith("-")} | {"--help", "-h"}


def test_the_commands_do_what_the_readme_shows(tmp_path: Path) -> None:
    examples = read_examples()
    assert examples[0].command == "ordersetl run --since 2025-08-23"
    play(examples, tmp_path)


def test_the_python_works(tmp_path: Path) -> None:
    for code in read_python():
        command = [sys.executable, "-W", "error", "-c", code]
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=120
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout == "282 orders inserted, 39 rejected\n"


def test_the_two_commands_of_the_readme_are_these() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert "python3 -m pip install . && ordersetl run --since 2025-08-23\n" in blocks
    assert "python3 -m pip install nox && nox\n" in blocks


def test_every_flag_is_named_and_every_named_flag_exists() -> None:
    named = set(re.findall(r"`(--?[a-z][a-z-]*)", section("Commands")))
    assert named == options()
    for page in PAGES:
        used = {
            flag
            for line in re.findall(r"ordersetl [^`\n]*", page.read_text(encoding="utf-8"))
            for flag in re.findall(r"(?<= )--?[a-z][a-z-]*", line)
        }
        assert used <= options() | {"--group"}, page


def test_every_command_is_named() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section("Commands"), re.MULTILINE)
    assert rows == list(COMMANDS)
    for page in PAGES:
        for word in re.findall(r"`ordersetl ([a-z]+)", page.read_text(encoding="utf-8")):
            assert word in COMMANDS, (page, word)


def test_every_exit_code_is_named() -> None:
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", section("Exit codes"), re.MULTILINE)}
    raised = {getattr(errors, name).exit_code for name in errors.__all__}
    assert rows == raised | {0}


def test_every_setting_is_named_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+)`? \|", section("Settings"), re.MULTILINE))
    assert rows.keys() == Settings.model_fields.keys()
    for name, shown in rows.items():
        default = Settings.model_fields[name].get_default()
        if shown.strip() == "none":
            assert not default, name
        else:
            assert getattr(Settings(**{name: shown}), name) == default, name


def test_every_variable_that_is_named_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"ORDERSETL_(?!VAR_)([A-Z_]*[A-Z])\b", page.read_text(encoding="utf-8")):
            assert name.lower().removesuffix("_file") in Settings.model_fields, (page, name)


def test_the_crontab_s_lines_run_where_cron_runs_them(tmp_path: Path) -> None:
    pages = "".join((ROOT / f"docs/{name}.md").read_text("utf-8") for name in ("scheduling", "operations"))
    lines = re.findall(r"^[*/\d]+ [*\d]+ \* \* \*  +(.+)$", pages, re.MULTILINE)
    assert len(lines) == 3
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "ordersetl").symlink_to(Path(sys.executable).parent / "ordersetl")
    (tmp_path / "ordersetl.toml").write_text('source = "sample"\n')
    script = re.search(r"^#!/bin/sh\n.*?(?=^curl)", pages, re.MULTILINE | re.DOTALL)
    assert script is not None
    (tmp_path / "run-orders.sh").write_text(script[0].replace("/srv/shop", str(tmp_path)))
    (tmp_path / "run-orders.sh").chmod(0o755)
    for line in lines:
        command = line.replace("/srv/shop", str(tmp_path)).replace("/var/lib/node_exporter", str(tmp_path))
        ended = subprocess.run(
            ["/bin/sh", "-c", command],
            env={"PATH": "/usr/bin:/bin", "HOME": "/"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", ""), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target


def test_every_module_has_its_place_in_the_house() -> None:
    house = section("The house", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    home = ROOT / "src" / "ordersetl"
    for path in sorted(home.rglob("*.py")):
        name = f"{path.parent.name}/" if path.name == "__init__.py" else path.stem
        assert path.parent == home or re.search(rf"(?<!\w){re.escape(name)}", house), path
    for room, row in re.findall(r"^\| `(\w+)/` \| (.*) \|$", house, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", row):
            assert (home / room / f"{name}.py").is_file(), f"{room}/{name}"


def names_in_rows(text: str) -> set[str]:
    return set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE))


def bare_names(requirements: list[object]) -> set[str]:
    """Names of the packages; a group that includes another one is left out."""
    return {re.split(r"[^\w-]", spec)[0] for spec in requirements if isinstance(spec, str)}


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    runtime, development = text.split("For development only:")
    assert names_in_rows(runtime) == bare_names(PROJECT["project"]["dependencies"])
    grouped = set().union(*map(bare_names, PROJECT["dependency-groups"].values()))
    assert names_in_rows(development) == grouped


def test_the_changelog_has_this_version() -> None:
    assert f"\n## {ordersetl.__version__}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_sessions_that_are_described_exist() -> None:
    sessions = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE))
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(rows) == sessions


def test_paths_that_are_named_exist() -> None:
    for page in PAGES:
        for name in re.findall(
            r"`((?:sql|docs|fixtures|tests|src|lake|source|warehouse|fold)/[\w./-]*)`", page.read_text("utf-8")
        ):
            assert (ROOT / name).exists() or (ROOT / "src/ordersetl" / name).exists(), (page, name)
