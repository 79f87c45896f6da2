"""The wheel, installed into a clean environment, is the complete tool, in an empty folder far from the source."""

import subprocess
import sys
from importlib.metadata import distribution, entry_points, version
from pathlib import Path

import pytest
from console import environment
from readme import ROOT, play, read_examples, read_python

pytestmark = pytest.mark.package


def run_python(code: str, cwd: Path) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=True).stdout


def installed() -> Path:
    """Folder of the package as an import in a process of its own finds it."""
    return Path(run_python("import ordersetl; print(ordersetl.__file__)", Path(sys.prefix)).strip()).parent


def test_it_is_the_installed_one() -> None:
    assert ROOT / "src" not in installed().parents
    assert installed().is_relative_to(sys.prefix)


def test_the_readmes_commands_work(tmp_path: Path) -> None:
    play(read_examples(), tmp_path)


def test_the_readmes_python_works(tmp_path: Path) -> None:
    for code in read_python():
        assert "282 orders inserted" in run_python(code, tmp_path)


def test_sql_and_sample_travel_along() -> None:
    for folder in ("sql", "fixtures"):
        packed = sorted(path.relative_to(installed()) for path in (installed() / folder).rglob("*") if path.is_file())
        kept = sorted(path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
        assert packed == kept
        assert packed


def test_types_travel_along() -> None:
    assert (installed() / "py.typed").is_file()


def test_nothing_else_is_installed() -> None:
    tops = {file.parts[0] for file in distribution("ordersetl").files or [] if ".." not in file.parts}
    assert tops == {"ordersetl", f"ordersetl-{version('ordersetl')}.dist-info"}


def test_the_metadata() -> None:
    (script,) = entry_points(group="console_scripts", name="ordersetl")
    assert script.value == "ordersetl.cli:main"
    about = distribution("ordersetl").metadata
    assert about["License-Expression"] == "MIT"
    assert about["Requires-Python"] == ">=3.11"
    assert run_python("import ordersetl; print(ordersetl.__version__)", installed().parent).strip() == about["Version"]
