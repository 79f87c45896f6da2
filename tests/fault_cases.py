"""One case of the fault sweeps: break a run of the second chapter somewhere, run again, and say what is wrong then.

Each returns sentences, none where all is well; they run in worker processes.
"""

import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from faulty import REFUSES, Died, Fault, FaultyDisk, Loss, PowerLossDisk
from shop_story import NOW, Shop, leftovers, readers_files, state_to_check

from ordersetl import pipeline
from ordersetl.errors import StorageError

__all__ = ["Stage", "one_fault", "power_loss", "power_loss_later", "two_faults"]

_LATER = NOW + timedelta(minutes=30)
_LAST = NOW + timedelta(minutes=60)
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
"""Where files cost least: thousands of small outputs are made and removed."""
_FOUND_WELL: set[str] = set()
"""States that ``check`` found well in this process: equal ones need no second look."""


@dataclass(frozen=True)
class Stage:
    """What every case starts from: an output that holds the first chapter, and what readers find before and after."""

    folder: Path
    before: dict[str, bytes] = field(repr=False)
    after: dict[str, bytes] = field(repr=False)


def one_fault(stage: Stage, n: int, fault: Fault) -> list[str]:
    """A fault at the n-th step of the run; the next run must bring all in order."""

    def act(shop: Shop, output: Path) -> list[str]:
        wrong = _meet(shop, output, FaultyDisk(n, fault), fault)
        wrong += _torn(output, stage)
        shop.run(output, FaultyDisk(), _LATER)
        return wrong + _find_wrong(shop, output, stage, damaged=False)

    return _play(stage, f"{fault} {n}", act)


def two_faults(stage: Stage, n: int, first: Fault, m: int, second: Fault) -> list[str]:
    """A fault at the n-th step, another at the m-th of the run that recovers; the third run must bring all in order."""

    def act(shop: Shop, output: Path) -> list[str]:
        wrong = _meet(shop, output, FaultyDisk(n, first), first)
        wrong += _meet(shop, output, FaultyDisk(m, second), second, minutes=30)
        wrong += _torn(output, stage)
        shop.run(output, FaultyDisk(), _LAST)
        return wrong + _find_wrong(shop, output, stage, damaged=False)

    return _play(stage, f"{first} {n}, then {second} {m}", act)


def power_loss(stage: Stage, n: int, loss: Loss, seed: int = 0) -> list[str]:
    """The power goes right after the n-th step."""

    def act(shop: Shop, output: Path) -> list[str]:
        disk = PowerLossDisk(output, n, "after")
        wrong = _meet(shop, output, disk, "after")
        disk.lose_power(loss, random.Random(1000 * seed + n))
        wrong += _torn(output, stage)
        shop.run(output, FaultyDisk(), _LATER)
        return wrong + _find_wrong(shop, output, stage, damaged=True)

    return _play(stage, f"power lost after {n}, {loss} {seed}", act)


def power_loss_later(stage: Stage, n: int, m: int, loss: Loss) -> list[str]:
    """The process dies after the n-th step, and the power goes after the m-th of the run that recovers."""

    def act(shop: Shop, output: Path) -> list[str]:
        disk = PowerLossDisk(output, n, "after")
        wrong = _meet(shop, output, disk, "after")
        disk.restart(m, "after")
        wrong += _meet(shop, output, disk, "after", minutes=30)
        disk.lose_power(loss, random.Random(n))
        wrong += _torn(output, stage)
        shop.run(output, FaultyDisk(), _LAST)
        return wrong + _find_wrong(shop, output, stage, damaged=True)

    return _play(stage, f"died after {n}, power lost after {m}, {loss}", act)


def _play(stage: Stage, title: str, act: Callable[[Shop, Path], list[str]]) -> list[str]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        shop = Shop(Path(folder) / "files")
        output = Path(folder) / "output"
        shutil.copytree(stage.folder, output)
        return [f"{title}: {wrong}" for wrong in act(shop, output)]


def _meet(shop: Shop, output: Path, disk: FaultyDisk, fault: Fault, *, minutes: int = 0) -> list[str]:
    """Run into the fault; a refusal must be an error that names the path, and nothing else."""
    try:
        shop.run(output, disk, NOW + timedelta(minutes=minutes))
    except Died:
        return []
    except StorageError as error:
        named = fault in REFUSES and str(disk.steps[disk.at - 1].path) in error.message
        return [] if named and error.hint else [f"it says {error.message!r}"]
    return [] if len(disk.steps) < disk.at else ["the fault was passed over in silence"]


def _torn(output: Path, stage: Stage) -> list[str]:
    """Files that are neither what they were nor what they become."""
    found = readers_files(output).items()
    return [f"{f} is torn" for f, data in found if data not in {stage.before.get(f), stage.after.get(f)}]


def _find_wrong(shop: Shop, output: Path, stage: Stage, *, damaged: bool) -> list[str]:
    found = readers_files(output)
    wrong = [f"{f} differs" for f in sorted({*found, *stage.after}) if found.get(f) != stage.after.get(f)]
    wrong += [f"{left} is left" for left in leftovers(output)]
    if not damaged and (output / "curated" / "_damaged").exists():
        wrong.append("something was taken for damaged")
    state = state_to_check(output)
    if state not in _FOUND_WELL:
        result = pipeline.check(shop.settings(output), deep=True)
        wrong += [f"check {o.name}: {o.detail} {o.samples}" for o in result.outcomes if not o.ok]
        if result.ok:
            _FOUND_WELL.add(state)
    return wrong
