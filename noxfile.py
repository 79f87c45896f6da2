"""Everything that must hold before a change goes in: ``nox`` runs the default sessions, ``nox -s bench`` the benchmark."""

import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2026.4"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "tests", "docs", "package"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
HERE = Path(__file__).parent


def groups(*names: str) -> list[str]:
    """Requirements of the dependency groups of pyproject.toml."""
    return [r for name in names for r in nox.project.dependency_groups(PROJECT, name)]


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
    """The tests against the installed package; the coverage floor on the Python that runs nox."""
    session.install(".", *groups("test"))
    is_own = session.python == f"{sys.version_info.major}.{sys.version_info.minor}"
    if not is_own or session.posargs:
        session.run("pytest", *session.posargs)
        return
    data = Path(session.create_tmp()) / ".coverage"
    env = {"COVERAGE_FILE": str(data), "COVERAGE_PROCESS_START": str(HERE / "pyproject.toml")}
    session.run("coverage", "run", "-m", "pytest", env=env)
    session.run("coverage", "combine", "--quiet", env=env)
    session.run("coverage", "report", env=env)


@nox.session
def docs(session: nox.Session) -> None:
    """What README and docs say: commands, flags, links and names exist."""
    session.install(".", *groups("test"))
    session.run("pytest", "-m", "docs", *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build the wheel, install it into a clean environment, and run the README's commands from an empty folder."""
    session.install(*groups("package"), "pytest>=9,<10")
    built = Path(session.create_tmp()) / "dist"
    shutil.rmtree(built, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(built), str(HERE))
    (wheel,) = built.glob("*.whl")
    session.install(str(wheel))
    session.run("pytest", "-m", "package", "-p", "no:cacheprovider", *session.posargs)
