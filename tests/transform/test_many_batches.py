"""Many batches that wait, as after a restore: what a command does for each does not grow with their number."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from lakes import load, open_job, order, transform, write_batch

from ordersetl.runtime import RunContext
from ordersetl.transform.batches import ensure_stage


@contextmanager
def counted(context: RunContext) -> Iterator[list[str]]:
    """The listings of ``raw/`` that the block makes."""
    listings: list[str] = []
    scan = os.scandir

    def scandir(path: Any = ".") -> Any:
        if str(path) == str(context.lake.folder / "raw"):
            listings.append(str(path))
        return scan(path)

    with patch("os.scandir", scandir):
        yield listings


@pytest.mark.parametrize("batches", [2, 12])
def test_batches_are_listed_a_few_times_a_command_however_many_wait(tmp_path: Path, batches: int) -> None:
    with open_job(tmp_path / "output") as context:
        for number in range(batches):
            write_batch(context, [order(f"o-{number}")])
        with counted(context) as listings:
            assert len(transform(context).batches) == batches
        assert len(listings) == 1
        with counted(context) as listings:
            assert len(load(context).batches) == batches
        assert len(listings) <= 2


@pytest.mark.parametrize("batches", [2, 12])
def test_so_they_are_after_a_restore_of_raw_alone(tmp_path: Path, batches: int) -> None:
    with open_job(tmp_path / "output") as context:
        for number in range(batches):
            write_batch(context, [order(f"o-{number}")])
        transform(context)
        load(context)
        for folder in (context.lake.folder / "staged", context.lake.folder / "curated", context.lake.folder / "index"):
            shutil.rmtree(folder)
        with counted(context) as listings:
            assert len(load(context).batches) == batches
        assert len(listings) <= 2


def test_a_batch_is_staged_without_a_listing(tmp_path: Path) -> None:
    with open_job(tmp_path / "output") as context:
        batch = write_batch(context, [order()])
        with counted(context) as listings:
            ensure_stage(context, batch)
        assert listings == []
