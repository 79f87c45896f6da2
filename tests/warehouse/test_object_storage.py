"""A warehouse follows an output in object storage as it follows one on disk, by copies that are bounded."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from shop_story import NOW, Shop
from store import BUCKET, memory_store
from warehouses import Place, curated_rows

from ordersetl import pipeline
from ordersetl.lake.layout import Lake
from ordersetl.results import RunResult
from ordersetl.settings import Settings
from ordersetl.storage import copies
from ordersetl.storage.disk import Disk
from ordersetl.storage.objects import ObjectStorage
from ordersetl.url import ObjectUrl

pytest.importorskip("obstore", reason="the extra s3 is not installed")

ROOT = ObjectUrl(BUCKET, "output")


@pytest.fixture(autouse=True)
def store() -> Iterator[Any]:
    with memory_store() as opened:
        yield opened


def settings_of(shop: Shop, place: Place) -> Settings:
    settings = shop.settings(ROOT)  # type: ignore[arg-type]
    return settings.model_copy(update={"warehouse": place.url, **place.settings})


def run(folder: Path, place: Place, chapter: int, days: int, *, verify: bool = False) -> RunResult:
    shop = Shop(folder / "files", chapter=chapter)
    runtime = shop.runtime(Disk(), NOW + timedelta(days=days))
    return pipeline.run(
        settings_of(shop, place),
        users=shop.folder / "users.csv",
        products=shop.folder / "products.csv",
        verify=verify,
        runtime=runtime,
    )


def test_it_loads_reruns_and_updates(tmp_path: Path, place: Place) -> None:
    ledger = f"SELECT file, loaded_at FROM {place.name('ordersetl_load')} ORDER BY file"
    for chapter in (1, 2):
        on_disk = Shop(tmp_path / "files", chapter=chapter)
        on_disk.run(tmp_path / "local", Disk(), NOW + timedelta(days=2 * chapter))
        first = run(tmp_path, place, chapter, 2 * chapter)
        assert first.warehouse is not None
        assert first.warehouse.files_loaded
        assert place.tables() == curated_rows(Lake(tmp_path / "local"))
        before = place.execute(ledger)
        again = run(tmp_path, place, chapter, 2 * chapter + 1, verify=True)
        assert again.warehouse is not None
        assert (again.warehouse.files_loaded, again.warehouse.rows) == ((), 0)
        assert place.execute(ledger) == before
    result = pipeline.check(settings_of(on_disk, place))
    assert [outcome for outcome in result.outcomes if not outcome.ok] == []


def test_check_names_an_object_that_is_gone(tmp_path: Path, place: Place, store: Any) -> None:
    run(tmp_path, place, 1, 1)
    (gone,) = [
        found["path"] for page in store.list() for found in page if found["path"].endswith("curated/dim_user.csv")
    ]
    store.delete(gone)
    shop = Shop(tmp_path / "files")
    names = {outcome.name for outcome in pipeline.check(settings_of(shop, place)).outcomes if not outcome.ok}
    assert {"files_present", "warehouse_rows"} <= names


def test_copies_are_bounded_and_removed_group_by_group(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, place, 2, 1)
    place.execute(f"DELETE FROM {place.name('ordersetl_load')}")
    groups: list[int] = []
    copied: list[Path] = []
    make = ObjectStorage.local_files

    @contextmanager
    def watched(storage: ObjectStorage, keys: Any) -> Iterator[dict[str, Path]]:
        assert not any(path.exists() for path in copied)
        with make(storage, keys) as paths:
            copied.extend(paths.values())
            groups.append(sum(path.stat().st_size for path in paths.values()))
            yield paths

    monkeypatch.setattr(ObjectStorage, "local_files", watched)
    monkeypatch.setattr(copies, "COPIED_BYTES", 1000)
    shop = Shop(tmp_path / "files")
    loaded = pipeline.load(settings_of(shop, place), verify=True, runtime=shop.runtime(Disk(), NOW + timedelta(days=2)))
    assert loaded.warehouse is not None
    assert len(loaded.warehouse.files_loaded) > 5
    assert max(groups) <= 1000
    assert len(groups) > 3
    assert not any(path.exists() for path in copied)
