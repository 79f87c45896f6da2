"""A fault at every durable step of a run that inserts, updates, moves and removes orders; then a second one."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from typing import get_args

import pytest
from fault_cases import Stage, power_loss_later, recovery, refusal, two_faults
from faulty import DIES, FAULTS, REFUSES, Died, Fault, FaultyDisk, Loss, RecordingDisk
from shop_story import Shop
from snapshots import Snapshot

from ordersetl.storage.disk import Operation, Step


def sweep(
    workers: ProcessPoolExecutor, case: Callable[..., list[str]], cases: Iterable[tuple[object, ...]]
) -> list[str]:
    running = [workers.submit(case, *arguments) for arguments in cases]
    return [wrong for future in running for wrong in future.result()]


def test_the_run_takes_every_kind_of_step(steps: list[Step], stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counter(step.operation for step in steps)
    with capsys.disabled():
        print(f"\n{len(steps)} durable steps: {dict(counts)}")  # noqa: T201
    assert set(counts) == set(get_args(Operation))
    assert len(steps) > 80
    gone = {"dt=2025-08-22/fact_order.csv", "fact_refund/dt=2025-08-22/fact_refund.csv"}
    assert set(stage.before) - set(stage.after) == gone
    new = {file for file in stage.after if file not in stage.before}
    assert len(new) == 4
    assert sum(file.startswith("fact_refund/") for file in new) == 2
    assert sum(stage.before.get(file) not in {None, data} for file, data in stage.after.items()) > 4


def deaths(record: RecordingDisk) -> dict[tuple[Fault, int], Snapshot]:
    """What a death right before, within or right after each step leaves: nothing but steps changes the disk."""
    moments = [moment.snapshot for moment in record.moments]
    numbers = range(1, len(record.steps) + 1)
    return (
        {("before", n): moments[n - 1] for n in numbers}
        | {("within", n): record.within(n) for n in numbers}
        | {("after", n): moments[n] for n in numbers}
    )


def different(found: Iterable[tuple[str, Snapshot]]) -> dict[Snapshot, str]:
    """Each only once, by what it is: of equal ones one recovery speaks for all."""
    return {snapshot: title for title, snapshot in found}


def test_a_death_anywhere_is_repaired(workers: ProcessPoolExecutor, stage: Stage, record: RecordingDisk) -> None:
    left = different((f"{fault} {n}", snapshot) for (fault, n), snapshot in deaths(record).items())
    changing = [step for step in record.steps if not step.operation.startswith("sync_")]
    assert len(left) > len(changing)  # each of them leaves something else, and some do within, too
    assert sweep(workers, recovery, ((stage, title, snapshot) for snapshot, title in left.items())) == []


def test_a_death_leaves_what_was_recorded(stage: Stage, record: RecordingDisk, tmp_path: Path) -> None:
    """The recorded moments are those of a run that does die: the same files, whatever its clock says."""
    for n in range(1, len(record.steps) + 1, 23):
        output = tmp_path / str(n)
        shutil.copytree(stage.folder, output)
        with pytest.raises(Died):
            Shop(tmp_path / "files").run(output, FaultyDisk(n, "after"))
        found = {path.relative_to(output).as_posix() for path in output.rglob("*")}
        nonce = re.compile(r"[0-9a-f]{8,}")
        recorded = {name for name, _ in record.moments[n].snapshot.entries}
        assert sorted(nonce.sub("", name) for name in found) == sorted(nonce.sub("", name) for name in recorded)


def test_a_refusal_anywhere_is_reported_and_repaired(
    workers: ProcessPoolExecutor, stage: Stage, steps: list[Step]
) -> None:
    assert sweep(workers, refusal, ((stage, n) for n in range(1, len(steps) + 1))) == []


def test_a_second_fault_during_the_recovery_is_repaired(
    workers: ProcessPoolExecutor, stage: Stage, record: RecordingDisk
) -> None:
    left = deaths(record)
    cases = []
    for n in range(1, len(record.steps) + 1):
        first: Fault = DIES[n % 3] if n % 4 else REFUSES[n % 2]
        cases.append((stage, n, first, left.get((first, n), Snapshot(())), (1 + 7 * n % 47, FAULTS[n % 5])))
    assert sweep(workers, two_faults, cases) == []


@pytest.mark.parametrize("loss", get_args(Loss))
def test_a_power_failure_anywhere_is_repaired(
    workers: ProcessPoolExecutor, stage: Stage, record: RecordingDisk, loss: Loss
) -> None:
    seeds = [(n, 0) for n in range(1, len(record.steps) + 1)]
    if loss == "some":  # at the two ends of a commit more depends on what is lost
        ends = [n for n, step in enumerate(record.steps, 1) if step.path.name in {"_pending.json", "_manifest.json"}]
        seeds += [(n, seed) for n in ends for seed in range(1, 33)]
        assert len(ends) == 2
    left = different(
        (f"power lost after {n}, {loss} {seed}", record.moments[n].account.lose_power(loss, Random(1000 * seed + n)))
        for n, seed in seeds
    )
    cases = ((stage, title, snapshot) for snapshot, title in left.items())
    assert sweep(workers, partial(recovery, damaged=True), cases) == []


def test_a_power_failure_during_the_recovery_is_repaired(
    workers: ProcessPoolExecutor, stage: Stage, record: RecordingDisk
) -> None:
    cases = (
        (stage, f"died after {n}", moment, 1 + 11 * n % 53, ("all", "some")[n % 2])
        for n, moment in enumerate(record.moments[1:], 1)
    )
    assert sweep(workers, power_loss_later, cases) == []
