"""A store over a real socket that loses answers, cuts connections and is busy; and two writers at once."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faulty import FaultyDisk
from s3_server import Proxy, s3_server
from shop_story import NOW, Shop, readers_files
from store import read_keys
from two_writers import commit_rounds, find_loss

from ordersetl import pipeline
from ordersetl.lake.layout import Lake
from ordersetl.storage.disk import Disk
from ordersetl.storage.objects import ObjectStorage
from ordersetl.storage.store import open_store
from ordersetl.storage.versions import ChangedError
from ordersetl.url import ObjectUrl

if TYPE_CHECKING:
    from ordersetl.results import CheckResult

pytest.importorskip("obstore", reason="the extra s3 is not installed")
pytest.importorskip("moto", reason="the server of the tests is not installed")

ROUNDS = 20


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What both chapters leave on a local disk."""
    folder = tmp_path_factory.mktemp("local")
    for chapter in (1, 2):
        Shop(folder / "files", chapter=chapter).run(folder / "local", FaultyDisk(), NOW + timedelta(days=chapter))
    return readers_files(folder / "local")


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with s3_server() as url, Proxy(url) as opened, pytest.MonkeyPatch.context() as patch:
        for name, value in opened.variables.items():
            patch.setenv(name, value)
        open_store.cache_clear()
        yield opened
    open_store.cache_clear()


def run_over(proxy: Proxy, tmp_path: Path, name: str) -> dict[str, bytes]:
    """Both chapters over the proxy; what readers then find."""
    root = ObjectUrl(proxy.bucket, name)
    for chapter in (1, 2):
        shop = Shop(tmp_path / "files", chapter=chapter)
        shop.run(root, Disk(), NOW + timedelta(days=chapter))  # type: ignore[arg-type]
    result: CheckResult = pipeline.check(shop.settings(root), deep=True)  # type: ignore[arg-type]
    assert [outcome for outcome in result.outcomes if not outcome.ok] == []
    found = read_keys(open_store(proxy.bucket), root / "curated")
    return {file: data for file, data in found.items() if not file.startswith("_")}


@pytest.mark.parametrize("fault", ["none", "cut after", "cut before", "503"])
def test_a_store_that_answers_badly_changes_nothing(
    expected: dict[str, bytes], proxy: Proxy, tmp_path: Path, fault: str
) -> None:
    proxy.fail(fault, every=7)
    assert run_over(proxy, tmp_path, fault.replace(" ", "-")) == expected
    assert fault == "none" or proxy.failed > 10


def test_a_lost_answer_to_the_commit_is_recognized(expected: dict[str, bytes], proxy: Proxy, tmp_path: Path) -> None:
    proxy.fail("cut after", every=1, only="curated/_manifest.json")
    assert run_over(proxy, tmp_path, "lost") == expected


@pytest.mark.parametrize("fault", ["none", "cut after"])
def test_two_writers_commit_every_round_once(proxy: Proxy, fault: str) -> None:
    proxy.fail(fault, every=11)
    lake = Lake(ObjectUrl(proxy.bucket, f"writers-{fault.replace(' ', '-')}"), Disk())
    commit_rounds(lake, ROUNDS)
    assert find_loss(lake, ROUNDS) == []
    assert fault == "none" or proxy.failed > 10


def test_two_writers_lose_nothing_and_count_nothing_twice(proxy: Proxy) -> None:
    proxy.fail("cut after", every=5)
    storage = ObjectStorage(ObjectUrl(proxy.bucket, "counter"), Disk())
    storage.put("count", b"[]")

    def count(writer: str) -> None:
        for n in range(100):
            mine = f"{writer}{n}"
            while True:
                found = storage.read_version("count")
                assert found is not None
                entries = json.loads(found.data)
                if mine in entries:  # the answer to our own swap was lost
                    break
                try:
                    storage.replace("count", json.dumps([*entries, mine]).encode(), found.version)
                except ChangedError:
                    continue
                break

    writers = [threading.Thread(target=count, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    entries = json.loads(storage.read("count", 1 << 20))
    assert len(entries) == len(set(entries)) == 200


def test_the_store_s_own_clock_says_how_old_an_object_is(proxy: Proxy) -> None:
    proxy.fail("503", every=2)
    storage = ObjectStorage(ObjectUrl(proxy.bucket, "aged"), Disk())
    assert storage.find_age("lease") == 0
    storage.put("lease", b"{}")
    assert 0 <= storage.find_age("lease") < timedelta(minutes=10).total_seconds()
