"""How a load is done does not show in what it leaves: executors, groups, bulk, hashes that collide, processes."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from random import Random

import polars as pl
import pytest
from lakes import curated_bytes, expected_bytes, item, open_job, order, run, spoil, transform, write_batch

from ordersetl.errors import InternalError
from ordersetl.lake import index
from ordersetl.lake.manifest import read_manifest
from ordersetl.lake.segments import read_rows
from ordersetl.lake.staged import StageMarker
from ordersetl.load.batches import load_batches
from ordersetl.runtime import RunContext
from ordersetl.transform.batches import ensure_stage

LOAD = import_module("ordersetl.load.fold")  # the package's own name of it is the function

PRODUCTS = b"sku,name,category,price\nS0,Shoe,shoes,1\nS1,Hat,hats,2\n"


def history(seed: int = 7) -> list[list[object]]:
    """Four batches of orders that move, change and repeat, some of them bad."""
    random = Random(seed)

    def some_order() -> dict[str, object]:
        skus = random.sample(["S0", "S1", "S2", "S3"], random.randint(1, 3))
        return order(
            f"o-{random.randrange(30)}",
            random.randrange(20, 26),
            updated_at=f"2025-09-01T00:00:{random.randrange(60):02d}Z",
            amount=random.choice([5, 10, 99.99, -1]),
            items=[item(sku, random.randint(1, 3), random.choice([1, 2.5, None])) for sku in skus],
        )

    return [[some_order() for _ in range(25)] for _ in range(4)]


def load_all(context: RunContext) -> None:
    for number, records in enumerate(history()):
        write_batch(context, records, products=PRODUCTS if number == 2 else None)
        if number != 1:
            run(context)


@pytest.fixture
def expected(tmp_path: Path) -> Iterator[dict[str, bytes]]:
    with open_job(tmp_path / "usual") as context:
        load_all(context)
        found = curated_bytes(context.lake)
        assert found == expected_bytes(context.lake)
        yield found


def test_on_threads(tmp_path: Path, expected: dict[str, bytes]) -> None:
    with ThreadPoolExecutor(4) as threads, open_job(tmp_path / "out", executor=threads, workers=4) as context:
        load_all(context)
        assert curated_bytes(context.lake) == expected


def test_on_processes(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """All that crosses to a worker and back pickles, an error that names a damaged file too."""
    with (
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes,
        open_job(tmp_path / "out", executor=processes, workers=2) as context,
    ):
        load_all(context)
        assert curated_bytes(context.lake) == expected
        spoil(next((context.lake.folder / "curated").glob("dt=2025-08-20/*")))
        write_batch(context, [order("new", 20)])
        assert [damage.file for damage in run(context).healed] == ["dt=2025-08-20/fact_order.csv"]
        assert curated_bytes(context.lake) == expected_bytes(context.lake)


@pytest.mark.parametrize("orders", [1, 10])
def test_in_small_groups(
    tmp_path: Path, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, orders: int
) -> None:
    monkeypatch.setattr(LOAD, "_GROUP_ORDERS", orders)
    with open_job(tmp_path / "out") as context:
        load_all(context)
        assert curated_bytes(context.lake) == expected


def test_without_bulk(tmp_path: Path, expected: dict[str, bytes]) -> None:
    with open_job(tmp_path / "out", bulk=False) as context:
        load_all(context)
        assert curated_bytes(context.lake) == expected


@pytest.mark.parametrize("hashes", [1, 4])
def test_with_orders_that_share_a_hash(
    tmp_path: Path, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, hashes: int
) -> None:
    hashing = index.order_key
    monkeypatch.setattr(index, "order_key", lambda: hashing() % hashes)
    with open_job(tmp_path / "out") as context:
        load_all(context)
        assert curated_bytes(context.lake) == expected
        manifest = read_manifest(context.lake)
        assert manifest is not None
        keys = pl.concat(read_rows(context.lake, manifest.index))
        assert keys["key"].max() == hashes - 1
        next((context.lake.folder / "curated").glob("dt=2025-08-21/*")).unlink()
        next((context.lake.folder / "index").iterdir()).unlink()
        run(context)
        assert curated_bytes(context.lake) == expected


@pytest.mark.parametrize("lost", ["first", "last"])
def test_lines_that_are_not_those_of_the_orders_stop_the_load(tmp_path: Path, lost: str) -> None:
    def stage(batch: str) -> StageMarker:
        marker = ensure_stage(context, batch)
        path = Path(str(marker.columns(context.lake, marker.parts[0].lines)))
        lines = pl.read_parquet(path)
        (lines[1:] if lost == "first" else lines[:-1]).write_parquet(path)
        return marker

    with open_job(tmp_path / "out") as context:
        write_batch(context, [order("o-1"), order("o-2"), order("o-3")])
        transform(context)
        with pytest.raises(InternalError, match="order by order"):
            load_batches(context, stage)
        assert not (context.lake.folder / "curated/_manifest.json").exists()
