"""Which batches there are: all are listed, and looked at where that says something."""

import shutil
from pathlib import Path

import pytest
from lakes import LaxDisk

from ordersetl.lake import listing
from ordersetl.lake.layout import MANIFEST, Lake, raw_key
from ordersetl.lake.listing import MARKER, list_batches, list_unfinished, look_at_each
from ordersetl.lake.manifest import Manifest, encode_manifest

BATCHES = [f"202509{day:02d}T000000.000000Z" for day in range(1, 11)]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Ten batches, of which eight are applied; the newest three are looked at each time."""
    monkeypatch.setattr(listing, "_LOOKED_AT", 3)
    lake = Lake(tmp_path, LaxDisk())
    for batch in BATCHES:
        lake.storage.put(raw_key(batch, MARKER), b"")
    lake.storage.put(MANIFEST, encode_manifest(Manifest(batches=tuple(BATCHES[:8]))))
    return lake


def test_old_ones_that_are_applied_are_not_looked_at(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    really = type(lake.storage).exists

    def note(storage: object, key: str) -> bool:
        looked.append(key)
        return really(storage, key)  # type: ignore[arg-type]

    monkeypatch.setattr(type(lake.storage), "exists", note)
    assert list_batches(lake) == BATCHES
    assert looked == [raw_key(batch, MARKER) for batch in BATCHES[7:]]


def test_one_that_is_restored_or_goes_is_seen_wherever_it_is(lake: Lake) -> None:
    older = "20250101T000000.000000Z"
    lake.storage.put(raw_key(older, MARKER), b"")
    shutil.rmtree(lake.folder / "raw" / BATCHES[2])
    assert list_batches(lake) == [older, *BATCHES[:2], *BATCHES[3:]]


def test_one_that_waits_needs_its_marker_whatever_its_age(lake: Lake) -> None:
    lake.storage.put(MANIFEST, encode_manifest(Manifest(batches=tuple(BATCHES[1:8]))))
    for batch in (BATCHES[0], BATCHES[9]):
        (lake.folder / "raw" / batch / MARKER).unlink()
    assert list_batches(lake) == BATCHES[1:9]
    assert list_unfinished(lake) == [BATCHES[0], BATCHES[9]]


def test_a_lost_marker_of_an_old_one_is_no_reason_to_drop_it(lake: Lake) -> None:
    (lake.folder / "raw" / BATCHES[2] / MARKER).unlink()
    assert list_unfinished(lake) == []
    assert look_at_each(lake)[0] == [*BATCHES[:2], *BATCHES[3:]]


def test_without_a_manifest_all_are_looked_at(lake: Lake) -> None:
    (lake.folder / MANIFEST).write_bytes(b"nothing of ours")
    (lake.folder / "raw" / BATCHES[2] / MARKER).unlink()
    assert list_batches(lake) == [*BATCHES[:2], *BATCHES[3:]]
