"""What all tests share: how long Hypothesis may take, loggers, and an output to work on."""

import logging
import os
import shutil
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import pytest
from console import ordersetl
from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
zoneinfo.reset_tzpath(())  # what tests expect goes by the same data as what they test


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    """A command that runs in this process sets them up for itself."""
    loggers = [logging.getLogger(name) for name in ("ordersetl", "httpx")]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture(scope="session")
def finished_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the sample's orders were loaded; not to be changed."""
    home = tmp_path_factory.mktemp("finished")
    ended = ordersetl("run", "--quiet", cwd=home)
    assert ended.code == 0, ended.err
    return home


@pytest.fixture
def shop(finished_shop: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    home = tmp_path / "shop"
    shutil.copytree(finished_shop, home, symlinks=True)
    return home
