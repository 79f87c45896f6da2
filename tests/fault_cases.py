"""One case of the fault sweeps: from what a run of the second chapter left that was broken somewhere, run again.

Each returns sentences that say what is wrong then, none where all is well; they run in worker processes.
"""

import hashlib
import json
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from faulty import REFUSES, Died, Fault, FaultyDisk, Loss, Moment, PowerLossDisk
from shop_story import NOW, Shop, leftovers, readers_files, state_to_check
from snapshots import Snapshot

from ordersetl import pipeline
from ordersetl.check import committed
from ordersetl.check.layer import check as check_layer
from ordersetl.errors import StorageError
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import read_manifest
from ordersetl.results import CheckResult

__all__ = ["Stage", "power_loss_later", "recovery", "refusal", "remember_checks", "two_faults"]

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


def remember_checks() -> None:
    """In a worker: have no run check again what a check found well. It reads only, and sees the very same."""
    found = dict[str, CheckResult]()

    def remembered(
        lake: Lake, *, deep: bool = False, days: Collection[date] | None = None, dimensions: bool = True, **others: Any
    ) -> CheckResult:
        if days is None:
            return check_layer(lake, deep=deep)
        seen = json.dumps([sorted(map(str, days)), dimensions, _all_that_check_sees(lake.folder)])
        result = found.get(seen) or check_layer(lake, days=days, dimensions=dimensions, **others)
        if result.ok:
            found[seen] = result
        return result

    patch.object(committed, "check", remembered).start()


def _all_that_check_sees(output: Path) -> list[object]:
    manifest = read_manifest(Lake(output))
    assert manifest is not None
    times = [(output / "curated" / name).stat().st_mtime_ns == entry.mtime_ns for name, entry in manifest.files.items()]
    contents = [hashlib.sha256(data).hexdigest() for data in readers_files(output).values()]
    return [state_to_check(output), times, contents]


def recovery(stage: Stage, title: str, left: Snapshot, *, damaged: bool = False) -> list[str]:
    """The next run must bring in order what a death or a power failure left."""

    def act(shop: Shop, output: Path) -> list[str]:
        left.restore(output)
        wrong = _torn(output, stage)
        shop.run(output, FaultyDisk(), _LATER)
        return wrong + _find_wrong(shop, output, stage, damaged=damaged)

    return _play(title, act)


def refusal(stage: Stage, n: int) -> list[str]:
    """The system refuses the n-th step, for either reason; the next run must bring all in order.

    Where both leave the same, one recovery speaks for both.
    """

    def act(shop: Shop, output: Path) -> list[str]:
        wrong, left = [], {}
        for fault in REFUSES:
            shutil.rmtree(output, ignore_errors=True)
            shutil.copytree(stage.folder, output)
            wrong += _meet(shop, output, FaultyDisk(n, fault), fault)
            wrong += _torn(output, stage)
            left[_without_times(output)] = Snapshot.take(output)
        for snapshot in left.values():
            shutil.rmtree(output)
            snapshot.restore(output)
            shop.run(output, FaultyDisk(), _LATER)
            wrong += _find_wrong(shop, output, stage, damaged=False)
        return wrong

    return _play(f"refused {n}", act)


def _without_times(output: Path) -> str:
    """Names and contents below a folder, but for the times that manifests record, and the nonces of temporary names.

    Without the reports of runs too, which say why a run failed, and which no fold reads.
    """
    entries = {
        re.sub(r"[0-9a-f]{8,}", "", name): None
        if entry is None
        else hashlib.sha256(re.sub(rb'"(?:mtime_ns|digest)": ?(?:[0-9]+|"[^"]*")', b"", entry[0])).hexdigest()
        for name, entry in Snapshot.take(output).entries
        if name != ".lock" and not name.startswith("runs/")
    }
    return json.dumps(entries, sort_keys=True)


def two_faults(stage: Stage, n: int, first: Fault, left: Snapshot, then: tuple[int, Fault]) -> list[str]:
    """A fault at the n-th step, ``then`` another in the run that recovers; the third run must bring all in order.

    ``left`` is what a death there left.
    """
    m, second = then

    def act(shop: Shop, output: Path) -> list[str]:
        wrong = []
        if first in REFUSES:
            shutil.copytree(stage.folder, output)
            wrong += _meet(shop, output, FaultyDisk(n, first), first)
        else:
            left.restore(output)
        wrong += _meet(shop, output, FaultyDisk(m, second), second, minutes=30)
        wrong += _torn(output, stage)
        shop.run(output, FaultyDisk(), _LAST)
        return wrong + _find_wrong(shop, output, stage, damaged=False)

    return _play(f"{first} {n}, then {second} {m}", act)


def power_loss_later(stage: Stage, title: str, left: Moment, m: int, loss: Loss) -> list[str]:
    """A process died and left this; the power goes after the m-th step of the run that recovers."""

    def act(shop: Shop, output: Path) -> list[str]:
        left.snapshot.restore(output)
        disk = PowerLossDisk(output, m, "after", left.account)
        wrong = _meet(shop, output, disk, "after", minutes=30)
        shutil.rmtree(output)
        disk.account.lose_power(loss, random.Random(m)).restore(output)
        wrong += _torn(output, stage)
        shop.run(output, FaultyDisk(), _LAST)
        return wrong + _find_wrong(shop, output, stage, damaged=True)

    return _play(f"{title}, power lost after {m}, {loss}", act)


def _play(title: str, act: Callable[[Shop, Path], list[str]]) -> list[str]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        return [f"{title}: {wrong}" for wrong in act(Shop(Path(folder) / "files"), Path(folder) / "output")]


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
