"""The recipes work: those that can run are run, the others are at least what their readers take."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from console import environment
from readme import ROOT

pytestmark = pytest.mark.docs

QUERYING = (ROOT / "docs/querying.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").glob("*.md"))
SCHEDULING = (ROOT / "docs/scheduling.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(command: list[str], cwd: Path, **variables: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=environment(PATH=path, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


@pytest.mark.parametrize("code", blocks(QUERYING, "python"), ids=["duckdb", "polars", "pandas"])
def test_recipes_in_python(finished_shop: Path, code: str) -> None:
    output = run([sys.executable, "-c", code], finished_shop)
    for figure in ("30610714.99", "EUR") if "WHERE" not in code else ("2025-08-31", "EUR"):
        assert figure in output, output


def test_recipes_in_the_shell(shop: Path) -> None:
    files, answers = blocks(QUERYING, "sh")
    run(["/bin/sh", "-ec", files], shop)
    assert {path.name for path in shop.iterdir()} == {"output", "august.xlsx", "sales.csv", "lines.parquet"}
    if shutil.which("jq"):
        age, *_ = run(["/bin/sh", "-ec", answers], shop).splitlines()
        assert float(age) >= 0


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in PAGES)])
def test_what_is_to_be_pasted_into_a_shell_has_no_fault(name: str, tmp_path: Path) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    scripts = [*blocks(text, "sh"), *re.findall(r'COMMAND = """\n(.*?)"""', text, re.DOTALL)]
    for number, script in enumerate(scripts):
        (tmp_path / f"{number}.sh").write_text(script)
    # SC1091: what a block sources is not here
    command = ["shellcheck", "--shell=sh", "--exclude=SC1091"]
    if scripts:
        run([*command, *(f"{number}.sh" for number in range(len(scripts)))], tmp_path)


def test_the_switch_is_pinged_only_after_a_run_that_went_well(tmp_path: Path) -> None:
    (script,) = (block for block in blocks(SCHEDULING, "sh") if block.startswith("#!"))
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/curl").write_text('#!/bin/sh\nfor last; do :; done\necho "$last" >> pinged\n')
    (tmp_path / "ping-url").write_text("https://ping.example/x\n")
    for code in (0, 4):
        (tmp_path / ".venv/bin/ordersetl").write_text(f"#!/bin/sh\nexit {code}\n")
        for program in (".venv/bin/ordersetl", "bin/curl"):
            (tmp_path / program).chmod(0o755)
        command = script.replace("/srv/shop", str(tmp_path))
        path = f"{tmp_path}/bin:/usr/bin:/bin"
        ended = subprocess.run(["/bin/sh", "-c", command], env={"PATH": path}, check=False, cwd=tmp_path)
        assert ended.returncode == code
    assert (tmp_path / "pinged").read_text() == "https://ping.example/x\n"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze (Debian's systemd)")
def test_units_are_systemd_s(tmp_path: Path) -> None:
    service, timer = blocks(SCHEDULING, "ini")
    assert "[Service]" in service
    assert "[Timer]" in timer
    program = str(Path(sys.executable).parent / "ordersetl")
    service = service.replace("/srv/shop/.venv/bin/ordersetl", program).replace("/srv/shop", str(tmp_path))
    (tmp_path / "ordersetl.service").write_text(service.replace("User=shop\n", ""))
    (tmp_path / "ordersetl.timer").write_text(timer)
    run(
        [
            "systemd-analyze",
            "verify",
            "--man=no",
            str(tmp_path / "ordersetl.service"),
            str(tmp_path / "ordersetl.timer"),
        ],
        tmp_path,
    )


def test_flows_are_python() -> None:
    for code in blocks(SCHEDULING, "python"):
        compile(code, "flow", "exec", flags=ast.PyCF_ONLY_AST)


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (4, 1), (5, 1), (2, 99), (3, 99), (1, 99)])
def test_a_flow_tries_again_what_passes(tmp_path: Path, code: int, expected: int) -> None:
    command = re.search(r'COMMAND = """\n(.*?)"""', SCHEDULING, re.DOTALL)
    assert command is not None
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/ordersetl").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / ".venv/bin/ordersetl").chmod(0o755)
    text = command[1].replace("/srv/shop", str(tmp_path))
    assert subprocess.run(["/bin/bash", "-ec", text], check=False).returncode == expected


def test_the_image_names_what_there_is() -> None:
    (image,) = blocks(SCHEDULING, "dockerfile")
    words = {line.split()[0] for line in image.splitlines()}
    assert words <= {"FROM", "COPY", "RUN", "USER", "WORKDIR", "VOLUME", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert "[xlsx]" in image
