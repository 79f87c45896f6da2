"""The command line as its users meet it: a process of its own, its streams, its exit code."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

COMMANDS = ("run", "extract", "transform", "load", "check", "status", "export", "init")


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout; anything more or less is an error."""
        return json.loads(self.out)


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without ordersetl's own settings, and with the variables given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERSETL_")}
    return kept | variables


def ordersetl(*arguments: object, cwd: Path, **variables: str) -> Ended:
    """Run the tool to its end."""
    found = subprocess.run(
        [sys.executable, "-m", "ordersetl", *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Ended(found.returncode, found.stdout, found.stderr)


def start(*arguments: object, cwd: Path, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
    """Begin a run of the tool whose end is for the caller to see to."""
    return subprocess.Popen(
        [sys.executable, "-m", "ordersetl", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
