"""The README's examples: which commands it shows, what it says they print, and a way to run them."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from console import environment

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

_CHANGING = [
    (r"\d{8}T\d{6}\.\d{6}Z(-\d+)?", "<id>"),
    (r"\b\d+\.\d\d(?=,? *(?:transform|load|check|together|$))", "<s>"),
]


@dataclass
class Example:
    """A command of the README and the lines that it is said to print."""

    command: str
    shown: list[str] = field(default_factory=list)


def read_examples() -> list[Example]:
    """All ``console`` blocks in their order; a line after ``$`` is a command, the lines below it are its output."""
    examples: list[Example] = []
    for block in re.findall(r"^```console\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith("$ "):
                examples.append(Example(line.removeprefix("$ ")))
            else:
                examples[-1].shown.append(line)
    return examples


def read_python() -> list[str]:
    """The README's Python blocks."""
    return re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def play(examples: list[Example], home: Path) -> None:
    """Run the commands one after the other in an empty folder, and hold what they say against what is shown.

    A shown line may end in ``...``: then a line of the output begins like it. Ids and seconds may differ.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for example in examples:
        ended = subprocess.run(  # noqa: S602 - the commands of our own README
            example.command,
            shell=True,
            cwd=home,
            env=environment(PATH=path),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        output = [_settle(line) for line in (ended.stdout + ended.stderr).splitlines()]
        for line in map(_settle, example.shown):
            found = any(s.startswith(line[:-3]) for s in output) if line.endswith("...") else line in output
            assert found, f"$ {example.command}\ndoes not say: {line}\nbut:\n" + "\n".join(output)
        if not example.shown:
            assert ended.returncode == 0, output


def _settle(line: str) -> str:
    for pattern, name in _CHANGING:
        line = re.sub(pattern, name, line)
    return line.rstrip()
