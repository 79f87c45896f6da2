"""The commit in object storage: two writers at once, content that is gone, and what is collected."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from faulty import Died, FaultyDisk
from shop_story import NOW, Shop
from store import BUCKET, memory_store, read_keys
from two_writers import commit_rounds, find_loss

from ordersetl import pipeline
from ordersetl.errors import LockedError
from ordersetl.lake import swap
from ordersetl.lake.commit import Commit
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import FileEntry, Manifest, read_manifest
from ordersetl.runtime import Runtime
from ordersetl.storage.disk import Disk, Step
from ordersetl.storage.objects import ObjectStorage
from ordersetl.url import ObjectUrl

pytest.importorskip("obstore", reason="the extra s3 is not installed")

ROOT = ObjectUrl(BUCKET, "output")
ROUNDS = 200


@pytest.fixture
def store() -> Iterator[Any]:
    with memory_store() as opened:
        yield opened


@pytest.mark.usefixtures("store")
def test_two_writers_lose_nothing_and_commit_nothing_twice() -> None:
    lake = Lake(ROOT, Disk())
    refused = commit_rounds(lake, ROUNDS)
    assert find_loss(lake, ROUNDS) == []
    assert refused > 0, "they never met"


def run(shop: Shop, days: int, disk: Disk | None = None) -> None:
    shop.run(ROOT, disk or Disk(), NOW + timedelta(days=days))  # type: ignore[arg-type]


def tables(store: Any) -> dict[str, bytes]:
    """What readers of literal names find."""
    found = read_keys(store, ROOT / "curated")
    return {file: data for file, data in found.items() if not file.startswith("_")}


def test_content_that_is_gone_before_its_commit_was_carried_through_comes_from_raw(store: Any, tmp_path: Path) -> None:
    run(Shop(tmp_path, chapter=1), 0)
    shop = Shop(tmp_path)
    steps = FaultyDisk()
    run(shop, 1, steps)
    expected = tables(store)
    for path in [found["path"] for page in store.list("output") for found in page]:
        store.delete(path)
    run(Shop(tmp_path, chapter=1), 0)
    shop = Shop(tmp_path)
    commit_point = next(n for n, step in enumerate(steps.steps, 1) if str(step.path).endswith("_manifest.json"))
    with pytest.raises(Died):
        run(shop, 1, FaultyDisk(commit_point, "after"))
    store.delete([f"output/curated/{key}" for key in read_keys(store, ROOT / "curated") if key.startswith("_data/")])
    run(shop, 2)
    assert tables(store) == expected
    assert pipeline.check(shop.settings(ROOT)).ok  # type: ignore[arg-type]


def test_where_the_manifest_cannot_be_read_no_literal_name_goes(store: Any) -> None:
    class Spoiling(Disk):
        """Somebody damages the manifest as soon as a literal name is there."""

        def perform(self, step: Step, action: Callable[[], None]) -> None:
            super().perform(step, action)
            if "/dt=" in str(step.path):
                store.put("output/curated/_manifest.json", b"{")

    lake, file, data = Lake(ROOT, Spoiling()), "dt=2025-08-20/fact_order.csv", b"a day\n"
    assert isinstance(lake.storage, ObjectStorage)
    put = swap.stage(lake.storage, data)
    following = Manifest(files={file: FileEntry(put.sha256, put.bytes, put.mtime_ns, 1)})
    with pytest.raises(LockedError):
        swap.swap(lake.storage, lake, Manifest(), following, [file])
    assert tables(store) == {file: data}


def test_content_that_no_kept_manifest_names_is_collected_once_it_is_old(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(Shop(tmp_path, chapter=1), 0)
    stray = f"_data/{'0' * 64}"
    store.put(f"output/curated/{stray}", b"of a run that died")
    run(Shop(tmp_path), 1)
    assert stray in read_keys(store, ROOT / "curated"), "another run may be about to name it"
    monkeypatch.setattr(swap, "COLLECTED_AFTER", timedelta(0))
    for rewritten, days in ((1, 2), (2, 3), (1, 4), (2, 5)):
        shop = Shop(tmp_path, chapter=rewritten)
        for record in shop.orders:
            record["updated_at"] = f"2025-09-0{days + 1}T10:00:00Z"
        run(shop, days)
    manifest = read_manifest(Lake(ROOT, Disk()))
    assert manifest is not None
    found = {key.removeprefix("_data/") for key in read_keys(store, ROOT / "curated") if key.startswith("_data/")}
    assert {entry.sha256 for entry in manifest.files.values()} <= found
    assert stray.removeprefix("_data/") not in found
    assert len([key for key in read_keys(store, ROOT / "curated") if key.startswith("_manifests/")]) == 3


@pytest.mark.parametrize("keep", [1, 2, 5])
def test_content_stays_for_as_many_states_as_are_set(store: Any, monkeypatch: pytest.MonkeyPatch, keep: int) -> None:
    monkeypatch.setattr(swap, "COLLECTED_AFTER", timedelta(0))
    lake, runtime, file = Lake(ROOT, Disk()), Runtime(), "dt=2025-08-20/fact_order.csv"
    with lake.storage.lock(".lock", wait_s=0, now=runtime.now, sleep=runtime.sleep) as lock:
        for state in range(7):
            commit = Commit(lake, lock, keep_manifests=keep)
            put = commit.stage(file, b"state %d\n" % state)
            entry = FileEntry(put.sha256, put.bytes, put.mtime_ns, 1)
            commit.finish(Manifest(files={file: entry}), base=read_manifest(lake) or Manifest(), staged=[file])
    found = read_keys(store, ROOT / "curated")
    kept = {data for key, data in found.items() if key.startswith("_data/")}
    assert kept >= {b"state %d\n" % state for state in range(7 - keep, 7)}
    assert b"state 0\n" not in kept
    assert sum(key.startswith("_manifests/") for key in found) == keep
