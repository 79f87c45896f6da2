"""The same histories in object storage as on disk, step by step: the same curated bytes, and the checks hold."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from faulty import Died, FaultyDisk
from lakes import Clock, SerialExecutor, item, order
from shop_story import API, NOW
from store import BUCKET, memory_store, read_keys
from warehouses import refund

from ordersetl import pipeline
from ordersetl.errors import SourceError
from ordersetl.lake.layout import CURATED, STAGED, Lake, curated_key
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings
from ordersetl.storage.disk import Disk
from ordersetl.url import Location, ObjectUrl
from ordersetl.window import Window

pytest.importorskip("obstore", reason="the extra s3 is not installed")

Act = Callable[["Shop"], None]
"""One step of a history."""
MAX_BYTES = 1 << 20


@dataclass
class Shop:
    """A source whose answers are set step by step, and the output that follows it."""

    root: Location
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    answer: Any = None
    steps: int = 0

    @property
    def lake(self) -> Lake:
        return Lake(self.root)

    def runtime(self, disk: Disk) -> Runtime:
        """A day later each time."""
        self.steps += 1
        return Runtime(
            now=Clock(NOW + timedelta(days=self.steps), timedelta(milliseconds=1)),
            disk=disk,
            executor=SerialExecutor(),
            threads=SerialExecutor(),
            transport=httpx.MockTransport(lambda _: httpx.Response(200, json=self.answer)),
            sleep=lambda _: None,
        )

    def run(self, disk: Disk | None = None, **options: Any) -> None:
        settings = Settings(output=self.root, api_url=API, workers=1, max_reject_ratio=1, **self.settings)
        pipeline.run(settings, Window(full=True), runtime=self.runtime(disk or Disk()), **options)

    def load(self, **options: Any) -> None:
        settings = Settings(output=self.root, workers=1, **self.settings)
        pipeline.load(settings, runtime=self.runtime(Disk()), **options)

    def check(self, *, deep: bool = False) -> list[str]:
        settings = Settings(output=self.root, **self.settings)
        result = pipeline.check(settings, deep=deep, runtime=self.runtime(Disk()))
        return [f"{outcome.name}: {outcome.detail} {outcome.samples}" for outcome in result.outcomes if not outcome.ok]


def sells(*orders: object, **more: object) -> Act:
    """The source answers these orders; a run."""

    def act(shop: Shop) -> None:
        shop.answer = {"orders": [*orders], "next_cursor": None, **more}
        shop.run()

    return act


def fails(**answer: object) -> Act:
    """The source answers what is not whole; a run that ends with that."""

    def act(shop: Shop) -> None:
        shop.answer = answer
        with pytest.raises(SourceError):
            shop.run()

    return act


def names(users: str, products: str) -> Act:
    """New reference data; a run."""

    def act(shop: Shop) -> None:
        (shop.folder / "users.csv").write_text(f"user_id,email,country,created_at\n{users}\n")
        (shop.folder / "products.csv").write_text(f"sku,name,category,price\n{products}\n")
        shop.run(users=shop.folder / "users.csv", products=shop.folder / "products.csv")

    return act


def removed(*prefixes: str, verify: bool = False) -> Act:
    """Somebody removed keys, or all under a prefix; the check sees it, and a run repairs it."""

    def act(shop: Shop) -> None:
        for prefix in prefixes:
            shop.lake.storage.remove_all(prefix)
        assert shop.check() or prefixes == (STAGED,)
        shop.run(verify=verify)

    return act


def changed(file: str, change: Callable[[bytes], bytes]) -> Act:
    """Somebody changed a curated file; the check sees it, and a load that hashes repairs it."""

    def act(shop: Shop) -> None:
        storage, key = shop.lake.storage, curated_key(file)
        storage.put(key, change(storage.read(key, MAX_BYTES)))
        assert shop.check()
        shop.load(verify=True)

    return act


def rebuilt(shop: Shop) -> None:
    """All is folded again from raw."""
    shop.load(rebuild=True)


def killed(at: int) -> Act:
    """A run that dies right after a step."""

    def act(shop: Shop) -> None:
        with suppress(Died):
            shop.run(FaultyDisk(at, "after"))

    return act


def later(order_id: str, day: int, on: int, **fields: object) -> dict[str, object]:
    """A version of an order that is newer the later it was made."""
    return order(order_id, day, updated_at=f"2025-09-{on:02d}T00:00:00Z", **fields)


FIRST = [order(f"o-{n}", 20 + n % 4, user_id=f"u-{n % 3}", items=[item(f"p-{n % 5}", 1 + n)]) for n in range(12)]
PARTITION = "dt=2025-08-20/fact_order.csv"
HISTORIES: dict[str, Sequence[Act]] = {
    "late": [sells(*FIRST[2:]), sells(*FIRST), sells(order("old", "01"), later("o-5", 21, 2, amount=7))],
    "leaving": [
        sells(*FIRST),
        sells(later("o-0", 20, 2, deleted=True), later("o-4", 20, 2, items=[], amount=0)),
        sells({"order_id": "o-8", "updated_at": "2025-09-03T00:00:00Z", "deleted": True}),
        sells(later("o-0", 20, 4, items=[item("p-9", 0), item("p-1", 2)])),
    ],
    "moved": [sells(*FIRST), sells(later("o-0", 28, 2), later("o-1", 21, 2, items=[item("p-1"), item("p-2")]))],
    "incomplete": [
        fails(orders=[], errors=["timeout"]),
        sells(*FIRST),
        fails(orders=FIRST[:2], has_more=True),
        sells(*FIRST, later("o-1", 21, 2)),
    ],
    "rejected": [sells(*FIRST, order("bad", amount=-1)), sells(order("bad", amount=5), later("o-1", 21, 2, amount=-5))],
    "references": [
        sells(*FIRST),
        names("u-0,a@x.example,DE,2025-01-01", 'p-0,"Cup, ""blue""",home,4'),
        names("u-0,a@x.example,AT,2025-01-01", "p-0,Cup,home,5"),
    ],
    "heal": [
        sells(*FIRST),
        removed(curated_key(PARTITION)),
        removed(STAGED),
        removed(curated_key("dim_user.csv")),
        removed(f"{CURATED}/_manifest.json"),
        removed(CURATED),
        removed(f"{CURATED}/_data", curated_key(PARTITION)),
        changed(PARTITION, lambda data: data.replace(b"EUR", b"USD", 1)),
        changed(PARTITION, lambda data: data[: len(data) // 2]),
        changed("dim_product.csv", lambda _: b""),
    ],
    "rebuild": [sells(*FIRST), sells(later("o-3", 29, 2)), rebuilt, sells(later("o-3", 22, 3)), rebuilt],
    "money": [
        sells(
            *FIRST,
            order(
                "m-1", 25, amount=118, discount=10, tax="18", shipping=10, items=[item("a", 1, 60), item("b", 2, 20)]
            ),
            order("m-2", 25, refunds=[refund("r-1", 4), refund("r-2", 1, items=[{"sku": "A", "amount": 1}])]),
            order("m-3", 26, status="Cancelled", tax="0.333333"),
        ),
        sells(later("m-2", 26, 2, refunds=[refund("r-1", 4)]), later("m-1", 25, 2, amount=100)),
        sells(later("m-2", 26, 3)),
    ],
    "killed": [
        sells(*FIRST),
        *(act for at in (3, 9, 17, 26) for act in (killed(at), sells(*FIRST, later("o-2", 29, 2, amount=at)))),
    ],
}


@pytest.fixture
def store() -> Iterator[Any]:
    with memory_store() as opened:
        yield opened


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_leaves_the_bytes_that_it_leaves_on_disk(store: Any, tmp_path: Path, name: str) -> None:
    settings = {"timezone": "America/Bogota"} if name == "money" else {}
    here = Shop(tmp_path / "output", tmp_path, settings)
    there = Shop(ObjectUrl(BUCKET, "output"), tmp_path, settings)
    for number, act in enumerate(HISTORIES[name], 1):
        act(here)
        act(there)
        if getattr(act, "__qualname__", "").startswith("killed"):
            continue
        found = read_keys(store, ObjectUrl(BUCKET, "output/curated"))
        tables = {file: data for file, data in found.items() if not file.startswith("_")}
        assert tables == read_tables(tmp_path / "output" / "curated"), f"{name}, step {number}"
    assert there.check(deep=True) == []
    assert read_tables(tmp_path / "output" / "curated") or name == "incomplete"


def read_tables(curated: Path) -> dict[str, bytes]:
    """The CSVs of an output on disk, without what was moved away."""
    found = ((path.relative_to(curated).as_posix(), path) for path in sorted(curated.rglob("*.csv")))
    return {file: path.read_bytes() for file, path in found if not file.startswith("_")}
