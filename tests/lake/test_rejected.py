"""The list of quarantine files: a table of its own, so that the manifest does not grow by each batch."""

from pathlib import Path

import pytest
from lakes import LaxDisk

from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import Manifest, QuarantineEntry
from ordersetl.lake.rejected import add_rejected, read_rejected

BATCHES = [f"2025{month:02d}{day:02d}T000000.000000Z" for month in range(1, 13) for day in range(1, 29)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, LaxDisk())


def entry(orders: int) -> QuarantineEntry:
    return QuarantineEntry("ab" * 32, 10 + orders, orders, 2, mtime_ns=7)


def test_what_is_added_is_read_and_takes_few_segments(lake: Lake) -> None:
    manifest = Manifest()
    for number, batch in enumerate(BATCHES):
        manifest = Manifest(rejected=add_rejected(lake, manifest.rejected, {batch: entry(number)}))
    assert read_rejected(lake, manifest) == {batch: entry(number) for number, batch in enumerate(BATCHES)}
    assert len(manifest.rejected) <= 9


def test_the_newest_entry_of_a_batch_counts_and_none_takes_it_away(lake: Lake) -> None:
    first, second = BATCHES[:2]
    entries = add_rejected(lake, (), {first: entry(1), second: entry(2)})
    entries = add_rejected(lake, entries, {first: entry(3), second: None})
    assert read_rejected(lake, Manifest(rejected=entries)) == {first: entry(3)}


def test_those_of_an_older_manifest_are_read(lake: Lake) -> None:
    older = Manifest(quarantine={BATCHES[0]: entry(1)})
    assert read_rejected(lake, older) == older.quarantine


def test_nothing_is_nothing(lake: Lake) -> None:
    assert add_rejected(lake, (), {}) == ()
    assert read_rejected(lake, Manifest()) == {}
