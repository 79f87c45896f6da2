"""Why is an order missing? Each state that it can be in, from what was received and what curated has."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from described_shop import SmallShop, sale
from lakes import item, open_job, order, run, transform, write_batch

from ordersetl import pipeline
from ordersetl.lake.layout import Lake, page_name, raw_key
from ordersetl.results import OrderResult, OrderVersion
from ordersetl.status import order_life
from ordersetl.status.order_life import trace_order
from ordersetl.window import Window

NOW = datetime(2025, 9, 2, tzinfo=UTC)
LATER, LAST = "2025-08-25T10:00:00Z", "2025-08-26T10:00:00Z"


def trace(root: Path, order_id: str = "o-1") -> OrderResult:
    return trace_order(Lake(root), order_id, NOW)


def results(found: OrderResult) -> list[str]:
    return [version.result for version in found.versions]


@pytest.fixture(params=["staged", "raw"])
def is_staged(request: pytest.FixtureRequest) -> bool:
    """Whether the staged files are there; without them the raw pages are validated again, to the same end."""
    return bool(request.param == "staged")


def settle(root: Path, *, is_staged: bool) -> None:
    if not is_staged:
        shutil.rmtree(root / "staged")


def put_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def put_link(path: Path) -> None:
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def make_vast(path: Path) -> None:
    os.truncate(path, 1 << 34)


@pytest.mark.parametrize("harm", [put_pipe, put_link, make_vast])
@pytest.mark.parametrize("role", ["orders", "rejects"])
def test_what_is_no_staged_file_any_more_is_neither_awaited_nor_believed(
    tmp_path: Path, role: str, harm: Callable[[Path], None]
) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order(), order("bad", amount=-1)])
        run(job)
        other = write_batch(job, [order(updated_at=LATER, status="paid")])
        run(job)
    harm(next((tmp_path / "staged").glob(f"*/{role}-*")))
    assert results(trace(tmp_path)) == ["superseded", "current"]
    assert trace(tmp_path).versions[1].batch == other
    assert results(trace(tmp_path, "bad")) == ["rejected"]


def test_an_order_that_is_there(tmp_path: Path, *, is_staged: bool) -> None:
    refund = {"refund_id": "r", "created_at": LAST, "amount": "2.5", "items": [{"sku": "A", "amount": "2.5"}]}
    with open_job(tmp_path) as job:
        first = write_batch(job, [order("x"), order("y"), order(status="new", items=[item(), item("B", qty=-1)])])
        second = write_batch(job, [order(21, updated_at=LATER, amount=12, refunds=[refund])])
        run(job)
        third = write_batch(job, [order(updated_at=LATER, amount=12, refunds=[refund], status="paid")])
        run(job)
    settle(tmp_path, is_staged=is_staged)
    found = trace(tmp_path)
    assert (found.state, found.partition, found.currency) == ("current", "dt=2025-08-20/fact_order.csv", "EUR")
    assert found.answer == "order o-1 is in curated/dt=2025-08-20/fact_order.csv."
    assert [(row.sku, row.net_amount, row.refunded_amount) for row in found.rows] == [
        ("A", Decimal(12), Decimal("2.5"))
    ]
    assert [(row.refund_id, row.sku, row.refund_amount) for row in found.refunds] == [("r", "A", Decimal("2.5"))]
    assert [(v.batch, v.page[-15:], v.index, v.result) for v in found.versions] == [
        (first, "page-00002.json", 0, "superseded"),
        (third, "page-00001.json", 0, "current"),
    ]
    assert [(v.status, v.lines_rejected) for v in found.versions] == [("new", 1), ("paid", 0)]
    assert trace(tmp_path, "21").versions[0].batch == second


@pytest.mark.parametrize(
    ("version", "result", "says"),
    [
        ({"deleted": True}, "deleted", "the source says that it is deleted"),
        ({"items": [], "amount": 0}, "emptied", "it has no line and no amount left"),
    ],
)
def test_an_order_that_left(
    tmp_path: Path, version: dict[str, object], result: str, says: str, *, is_staged: bool
) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order()])
        batch = write_batch(job, [order(updated_at=LATER, **version)])
        run(job)
    settle(tmp_path, is_staged=is_staged)
    found = trace(tmp_path)
    assert (found.state, results(found), found.rows) == ("left", ["superseded", result], ())
    assert says in found.answer
    assert batch in found.answer


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (order(updated_at=LAST), "; a newer version waits in batch"),
        (order(amount=-1, updated_at=LAST), "; a newer version was rejected: invalid_amount"),
        (order(amount=-1, updated_at="2025-08-24T10:00:00Z"), ". A later version with lines brings it back."),
    ],
)
def test_what_came_after_an_order_left(tmp_path: Path, record: dict[str, object], says: str) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order()])
        write_batch(job, [order(updated_at=LATER, deleted=True)])
        run(job)
        write_batch(job, [record])
        transform(job)
    found = trace(tmp_path)
    assert (found.state, results(found)[:2]) == ("left", ["superseded", "deleted"])
    assert f"the source says that it is deleted{says}" in found.answer


def test_an_order_that_was_rejected(tmp_path: Path, *, is_staged: bool) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order(amount=-1), order("2", amount=-1)])
        write_batch(job, [order(items=[], updated_at=LATER)])
        run(job)
    settle(tmp_path, is_staged=is_staged)
    found = trace(tmp_path)
    assert (found.state, results(found)) == ("rejected", ["rejected", "rejected"])
    assert [version.reason for version in found.versions] == ["invalid_amount", "no_items"]
    assert "no_items" in found.answer


def test_a_rejected_version_leaves_the_older_one(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order()])
        write_batch(job, [order(amount=-1, updated_at=LATER)])
        run(job)
    found = trace(tmp_path)
    assert (found.state, results(found)) == ("current", ["current", "rejected"])
    assert "in an older version: the newest was rejected (invalid_amount" in found.answer


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (order(amount=-1, updated_at=LATER), ""),
        (order(amount=-1, updated_at=LAST), "the newest was rejected"),  # of the same time, and it came later
        (order(amount=-1, updated_at="soon"), "the newest was rejected"),
        (order(updated_at=LATER), ""),
        (order(updated_at=LAST), "a newer version waits in batch"),
    ],
)
def test_what_came_later_is_newer_by_its_time_first(tmp_path: Path, record: dict[str, object], says: str) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order(updated_at=LAST)])
        run(job)
        write_batch(job, [record])
        transform(job)
    answer = trace(tmp_path).answer
    assert says in answer
    assert bool(says) == ("new" in answer)


def test_an_order_that_waits(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order("x")])
        run(job)
        batch = write_batch(job, [order()])
        transform(job)
    found = trace(tmp_path)
    assert (found.state, results(found)) == ("waiting", ["waiting"])
    assert found.answer == f"order o-1 is in batch {batch}, which is not loaded yet: ordersetl load"


def test_an_order_outside_of_what_was_asked_for(tmp_path: Path, *, is_staged: bool) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order(), order("x", 23)], since=datetime(2025, 8, 22, tzinfo=UTC))
        run(job)
    settle(tmp_path, is_staged=is_staged)
    found = trace(tmp_path)
    assert (found.state, results(found)) == ("outside_window", ["outside_window"])
    assert "ordersetl run --full" in found.answer
    assert results(trace(tmp_path, "x")) == ["current"]


def test_what_the_mapping_skips_is_no_order_outside_of_a_window(tmp_path: Path) -> None:
    shop = SmallShop(tmp_path, [sale(1), sale(2, state="draft")])
    pipeline.run(shop.settings(), window=Window(datetime(2025, 8, 1, tzinfo=UTC)), runtime=shop.runtime())
    assert results(trace(tmp_path / "output", "1")) == ["current"]
    assert trace(tmp_path / "output", "2").versions == ()


def test_an_order_that_nobody_sent(tmp_path: Path) -> None:
    times = [datetime(2025, 8, day, tzinfo=UTC) for day in (10, 12, 20, 23)]
    with open_job(tmp_path) as job:
        write_batch(job, [order("x", 11)], since=times[0], until=times[1])
        write_batch(job, [order("y", 21)], since=times[2], until=times[3])
        run(job)
    found = trace(tmp_path)
    assert (found.state, found.versions) == ("unknown", ())
    assert "before 2025-08-10T00:00:00Z or between 2025-08-12T00:00:00Z and 2025-08-20T00:00:00Z" in found.answer


def test_the_other_side_of_a_tie_is_superseded(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order(amount=10), order(amount=12)])
        write_batch(job, [order(amount=14)])
        run(job)
    found = trace(tmp_path)
    assert results(found) == ["superseded", "superseded", "current"]
    assert [row.net_amount for row in found.rows] == [14]


def test_pages_follow_one_another_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_job(tmp_path) as job:
        batch = write_batch(job, [order("o-1")])
        run(job)
    pages = [raw_key(batch, page_name(number)) for number in (99_999, 100_000)]
    came = [OrderVersion(batch, page, 0, NOW, NOW, "accepted") for page in reversed(pages)]
    monkeypatch.setattr(order_life, "find_versions", lambda *_: came)
    found = trace(tmp_path)
    assert [version.page for version in found.versions] == pages
    assert results(found) == ["superseded", "current"]


def test_a_lost_partition_is_told(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order()])
        run(job)
    (tmp_path / "curated/dt=2025-08-20/fact_order.csv").unlink()
    found = trace(tmp_path)
    assert found.state == "damaged"
    assert "ordersetl load --verify" in found.answer
