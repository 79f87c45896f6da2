import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from fault_cases import Stage, remember_checks
from faulty import FaultyDisk, RecordingDisk
from shop_story import NOW, Shop, readers_files

from ordersetl.storage.disk import Step


@dataclass(frozen=True)
class Scenario:
    """Outputs that hold the first chapter, and both; the run of the second chapter that lies between, step by step."""

    first: Path
    both: Path
    record: RecordingDisk


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    folder = tmp_path_factory.mktemp("scenario")
    Shop(folder / "files", chapter=1).run(folder / "first", FaultyDisk(), NOW - timedelta(days=1))
    shutil.copytree(folder / "first", folder / "both")
    disk = RecordingDisk(folder / "both")
    Shop(folder / "files").run(folder / "both", disk)
    return Scenario(folder / "first", folder / "both", disk)


@pytest.fixture(scope="session")
def stage(scenario: Scenario) -> Stage:
    return Stage(scenario.first, readers_files(scenario.first), readers_files(scenario.both))


@pytest.fixture(scope="session")
def loaded(scenario: Scenario) -> Path:
    """An output that holds both chapters; for copying."""
    return scenario.both


@pytest.fixture(scope="session")
def record(scenario: Scenario) -> RecordingDisk:
    """A run of the second chapter that meets no fault, step by step."""
    return scenario.record


@pytest.fixture(scope="session")
def steps(record: RecordingDisk) -> list[Step]:
    """Its durable steps."""
    return record.steps


@pytest.fixture(scope="session")
def workers() -> Iterator[ProcessPoolExecutor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLARS_MAX_THREADS", "1")  # frames of ten rows: two processes are faster than two threads each
        with ProcessPoolExecutor(2, get_context("spawn"), remember_checks) as pool:
            yield pool
