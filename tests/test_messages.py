"""What travels to workers elsewhere and back: names and counts, never pages, rows or dimensions."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from lakes import curated_bytes, item, load, open_job, order, transform, write_batch
from posted import PostedExecutor

from ordersetl.storage.disk import Disk

ORDERS, DAYS = 6000, 15
MAX_SHARE = 0.01


def make_order(number: int) -> dict[str, object]:
    """An order of a usual size; every third one is of the same user as another."""
    day = date(2025, 8, 1) + timedelta(number % DAYS)
    items = [item(f"sku-{number % 50}-{line}", line + 1, "12.50") for line in range(3)]
    fields = {"status": "paid", "metadata": {"source": "web-shop", "promo": f"PROMO-{number % 9}"}}
    return order(
        f"order-{number:08d}", created_at=f"{day}T10:00:00Z", user_id=f"user-{number // 3}", **fields, items=items
    )


@pytest.fixture
def posted() -> PostedExecutor:
    return PostedExecutor()


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_messages_are_less_than_a_hundredth_of_what_is_read(tmp_path: Path, posted: PostedExecutor) -> None:
    with open_job(tmp_path / "there", executor=posted, is_remote=True, disk=Disk(), workers=2, chunk_mb=1) as context:
        write_batch(context, [make_order(number) for number in range(ORDERS)], pages_of=500)
        transform(context)
        assert posted.tasks > 1
        assert posted.bytes < MAX_SHARE * size(tmp_path / "there" / "raw")
        posted.bytes = posted.tasks = 0
        load(context)
        assert posted.tasks > 1
        assert posted.bytes < MAX_SHARE * size(tmp_path / "there" / "staged")
        expected = curated_bytes(context.lake)
        posted.bytes = posted.tasks = 0
        load(context, rebuild=True)
        assert posted.bytes < MAX_SHARE * size(tmp_path / "there" / "staged")
        assert curated_bytes(context.lake) == expected


def test_a_group_of_days_carries_nothing_of_other_days(tmp_path: Path, posted: PostedExecutor) -> None:
    with open_job(tmp_path / "there", executor=posted, is_remote=True, disk=Disk(), workers=1) as context:
        write_batch(context, [make_order(number) for number in range(600)], pages_of=200)
        transform(context)
        load(context)
        posted.bytes = 0
        write_batch(context, [make_order(1) | {"updated_at": "2025-09-01T00:00:00Z", "amount": 12}])
        transform(context)
        load(context)
        assert 0 < posted.bytes < 12_000


def test_the_bytes_are_those_of_threads(tmp_path: Path, posted: PostedExecutor) -> None:
    found = []
    for executor, name in ((None, "here"), (posted, "there")):
        remote = {"is_remote": True, "disk": Disk()} if executor else {}
        with open_job(tmp_path / name, executor=executor, workers=3, **remote) as context:  # type: ignore[arg-type]
            for updated in ("2025-09-01T00:00:00Z", "2025-09-02T00:00:00Z"):
                records = [make_order(number) | {"updated_at": updated} for number in range(0, 120, 2)]
                write_batch(context, records, pages_of=20)
                transform(context)
                load(context)
            found.append(curated_bytes(context.lake))
    assert found[0] == found[1]
