"""Run a command in its own process and say what it took, by the kernel's accounting."""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SAMPLE_EVERY_S = 0.1
RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took; CPU and memory count its children too."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


class CommandFailedError(RuntimeError):
    """A measured command ended with something else than 0."""


def measure(command: Sequence[str], *, cwd: Path) -> Cost:
    """Run a command to its end.

    The peak is ``ru_maxrss`` of ``wait4``: the largest single process of the command. Where it works with several
    processes at a time, their memory is summed (shared pages once) every 0.1 s, and the larger figure counts.
    The kernel hands the peak of the parent down to its child: the process that measures has to stay small.
    """
    os.sync()  # what earlier commands wrote is not to be paid for by this one
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORDERSETL_")}
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        with _FamilyPeak(process.pid) as family:
            _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            tail = output.read()[-2_000:].decode(errors="replace")
            raise CommandFailedError(f"exit {process.returncode} from {' '.join(command)}\n{tail}")
    peak_bytes = max(usage.ru_maxrss * RSS_UNIT_BYTES, family.peak_bytes)
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, peak_bytes)


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each figure on its own."""
    return Cost(
        statistics.median(cost.wall_s for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
        int(statistics.median(cost.peak_bytes for cost in costs)),
    )


class _FamilyPeak:
    """Watch the summed memory of a process and its children; stays 0 where there are none (or no /proc)."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_EVERY_S):
            family = list(_family(self._pid))
            if len(family) > 1:
                self.peak_bytes = max(self.peak_bytes, sum(map(_proportional_bytes, family)))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            pids = children.read_text(encoding="ascii").split()
        except OSError:  # the thread has ended meanwhile
            continue
        for child in pids:
            yield from _family(int(child))


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # the process has ended meanwhile
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
