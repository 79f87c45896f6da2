"""A fault at every durable step of a run that inserts, updates, moves and removes orders; then a second one."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import get_args

import pytest
from fault_cases import Stage, one_fault, power_loss, power_loss_later, two_faults
from faulty import DIES, FAULTS, REFUSES

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


def test_a_death_anywhere_is_repaired(workers: ProcessPoolExecutor, stage: Stage, steps: list[Step]) -> None:
    # right before a step is right after the one before it: nothing but steps changes the disk
    cases = [(stage, 1, "before"), *((stage, n, "after") for n in range(1, len(steps) + 1))]
    parts = {"write", "remove_tree"}
    cases += [(stage, n, "within") for n, step in enumerate(steps, 1) if step.operation in parts]
    assert sweep(workers, one_fault, cases) == []


@pytest.mark.parametrize("fault", REFUSES)
def test_a_refusal_anywhere_is_reported_and_repaired(
    workers: ProcessPoolExecutor, stage: Stage, steps: list[Step], fault: str
) -> None:
    assert sweep(workers, one_fault, ((stage, n, fault) for n in range(1, len(steps) + 1))) == []


def test_a_second_fault_during_the_recovery_is_repaired(
    workers: ProcessPoolExecutor, stage: Stage, steps: list[Step]
) -> None:
    cases = (
        (stage, n, DIES[n % 3] if n % 4 else REFUSES[n % 2], 1 + 7 * n % 47, FAULTS[n % 5])
        for n in range(1, len(steps) + 1)
    )
    assert sweep(workers, two_faults, cases) == []


@pytest.mark.parametrize("loss", ["all", "some"])
def test_a_power_failure_anywhere_is_repaired(
    workers: ProcessPoolExecutor, stage: Stage, steps: list[Step], loss: str
) -> None:
    cases: list[tuple[object, ...]] = [(stage, n, loss) for n in range(1, len(steps) + 1)]
    if loss == "some":  # at the two ends of a commit more depends on what is lost
        ends = [n for n, step in enumerate(steps, 1) if step.path.name in {"_pending.json", "_manifest.json"}]
        cases += [(stage, n, loss, seed) for n in ends for seed in range(1, 33)]
        assert len(ends) == 2
    assert sweep(workers, power_loss, cases) == []


def test_a_power_failure_during_the_recovery_is_repaired(
    workers: ProcessPoolExecutor, stage: Stage, steps: list[Step]
) -> None:
    cases = ((stage, n, 1 + 11 * n % 53, ("all", "some")[n % 2]) for n in range(1, len(steps) + 1))
    assert sweep(workers, power_loss_later, cases) == []
