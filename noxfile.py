"""Everything that must hold before a change goes in: ``nox``. The benchmark, when asked for: ``nox -s bench``."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2026.4"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "tests", "docs", "package", "page"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
HERE = Path(__file__).parent
OWN_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
ONE_PYTHON_ONLY = (
    *("faults", "sql", "star", "transform", "load", "check", "warehouse", "export", "status", "source/shapes"),
    "test_cluster.py",
)
NOT_BETWEEN = ("cli", "extract", "report", "source", "test_s3_histories.py", "test_s3_requests.py")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
CONTENDERS = {"pandas": "pandas>=2", "dlt": "dlt[duckdb]>=1.31", "floor": "duckdb>=2,<3"}


def groups(*names: str) -> list[str]:
    """Requirements of the dependency groups of pyproject.toml."""
    return [r for name in names for r in nox.project.dependency_groups(PROJECT, name)]


def offer_pyenv_pythons() -> None:
    """Let pyenv's shims answer to every Python of the classifiers that it has; others they refuse."""
    pyenv = shutil.which("pyenv")
    if pyenv is None or "PYENV_VERSION" in os.environ:
        return
    command = [pyenv, "versions", "--bare"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - pyenv, and no input
    newest = {match[1]: match[0] for match in re.finditer(r"^(\d+\.\d+)\.\d+$", said, re.MULTILINE)}
    versions = [
        newest[python] for python in sorted(PYTHONS, key=lambda python: python != OWN_PYTHON) if python in newest
    ]
    if versions:
        os.environ["PYENV_VERSION"] = ":".join(versions)


def find_full_python() -> str:
    """The Python that runs all tests under coverage: the newest one here, which watches lines at next to no cost.

    That is ``sys.monitoring``, from 3.12 on.
    """
    here = [python for python in PYTHONS if _answers(f"python{python}")]
    return max(here, key=_version, default=OWN_PYTHON)


def _answers(command: str) -> bool:
    """Whether there is such a command, and it is more than a shim that refuses."""
    found = shutil.which(command)
    return found is not None and subprocess.run([found, "-V"], capture_output=True, check=False).returncode == 0  # noqa: S603


def _version(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))


offer_pyenv_pythons()
FULL_PYTHON = find_full_python()


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    session.install(*groups("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict."""
    session.install(".", *groups("types"), "nox")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests against the installed package, on all cores.

    The newest Python runs all of them and holds the floor of coverage. The others leave out what depends on the disk,
    or on Polars and DuckDB, whichever Python calls them; those between it and the oldest, what both of these run.
    """
    session.install(".", *groups("test"))
    env = {"CI": "1"}
    spread = ("-n", "auto", "--dist", "worksteal")  # single tests take from a millisecond to minutes
    if session.posargs:
        session.run("pytest", *session.posargs, env=env)
        return
    if session.python != FULL_PYTHON:
        left_out = ONE_PYTHON_ONLY if session.python == PYTHONS[0] else (*ONE_PYTHON_ONLY, *NOT_BETWEEN)
        session.run("pytest", *spread, *(f"--ignore=tests/{room}" for room in left_out), env=env)
        return
    data = Path(session.create_tmp()).resolve() / ".coverage"  # processes that tests start have other working folders
    env |= {"COVERAGE_FILE": str(data), "COVERAGE_PROCESS_START": str(HERE / "pyproject.toml")}
    if _version(FULL_PYTHON) >= (3, 12):
        env["COVERAGE_CORE"] = "sysmon"
    session.run("coverage", "erase", env=env)
    session.run("coverage", "run", "-m", "pytest", *spread, env=env)
    session.run("coverage", "combine", "--quiet", env=env)
    session.run("coverage", "report", env=env)


@nox.session
def docs(session: nox.Session) -> None:
    """What README and docs say: commands, flags, links and names exist."""
    session.install(".", *groups("test"))
    session.run("pytest", "-m", "docs", "tests/docs", *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build the wheel, install it into a clean environment, and run the README's commands from an empty folder."""
    session.install(*groups("package"), *(r for r in groups("test") if re.match("pytest|hypothesis", r)))
    built = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(built, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(built), str(HERE))
    (wheel,) = built.glob("*.whl")
    session.install(str(wheel))
    session.run("pytest", "-m", "package", "-p", "no:cacheprovider", "tests/package", *session.posargs)


@nox.session
def page(session: nox.Session) -> None:
    """The page in a real browser, skipped where there is none; with ``-- screenshot``, its picture for the README."""
    if not any(map(shutil.which, CHROMIUM)):
        session.skip("there is no Chromium: apt-get install chromium")
    session.install(".", *groups("test", "page"))
    if "screenshot" in session.posargs:
        session.run("python", "tests/page/screenshot.py", "docs/report.png", env={"PYTHONPATH": "tests"})
    else:
        session.run("pytest", "-m", "page", "tests/page", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure beside what people use instead, each in an environment of its own; rewrite docs/benchmarks.md."""
    session.install(".")
    programs = ["--ordersetl", str(Path(session.bin) / "ordersetl")]
    for name, requirement in CONTENDERS.items():
        home = Path(session.create_tmp()).resolve() / name
        session.run("python", "-m", "venv", str(home))
        python = str(home / "bin" / "python")
        session.run(python, "-m", "pip", "install", "--quiet", requirement, external=True)
        programs += [f"--python-{name}", python]
    session.run("python", "tests/bench/run.py", *programs, "--out", "docs", *session.posargs)
