import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from fault_cases import Stage
from faulty import FaultyDisk
from shop_story import NOW, Shop, readers_files

from ordersetl.storage.disk import Step


@dataclass(frozen=True)
class Scenario:
    """Outputs that hold the first chapter, and both; the steps of the second chapter's run."""

    first: Path
    both: Path
    steps: list[Step]


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    folder = tmp_path_factory.mktemp("scenario")
    Shop(folder / "files", chapter=1).run(folder / "first", FaultyDisk(), NOW - timedelta(days=1))
    shutil.copytree(folder / "first", folder / "both")
    disk = FaultyDisk()
    Shop(folder / "files").run(folder / "both", disk)
    return Scenario(folder / "first", folder / "both", disk.steps)


@pytest.fixture(scope="session")
def stage(scenario: Scenario) -> Stage:
    return Stage(scenario.first, readers_files(scenario.first), readers_files(scenario.both))


@pytest.fixture(scope="session")
def loaded(scenario: Scenario) -> Path:
    """An output that holds both chapters; for copying."""
    return scenario.both


@pytest.fixture(scope="session")
def steps(scenario: Scenario) -> list[Step]:
    """The durable steps of a run of the second chapter that meets no fault."""
    return scenario.steps


@pytest.fixture(scope="session")
def workers() -> Iterator[ProcessPoolExecutor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLARS_MAX_THREADS", "1")  # frames of ten rows: two processes are faster than two threads each
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            yield pool
