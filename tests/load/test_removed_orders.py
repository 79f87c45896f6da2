"""An order that was deleted, or has no line left, leaves the layer; a later version with lines brings it back."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from lakes import curated_bytes, expected_bytes, item, load, open_job, order, rows, run, spoil, write_batch

from ordersetl.check.layer import check
from ordersetl.errors import CorruptedError
from ordersetl.lake import raw
from ordersetl.lake.checksum import encode_record
from ordersetl.lake.listing import MARKER
from ordersetl.results import OrderChanges
from ordersetl.runtime import RunContext


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    with open_job(tmp_path / "output") as opened:
        yield opened
        before = curated_bytes(opened.lake)
        assert before == expected_bytes(opened.lake)
        load(opened, rebuild=True)
        assert curated_bytes(opened.lake) == before


def deliver(context: RunContext, *records: object, batch_id: str | None = None) -> OrderChanges:
    """Commit a batch, run, and give what became of its orders."""
    write_batch(context, records, batch_id=batch_id)
    return run(context).orders


def deletion(order_id: str = "o-1", updated_at: str = "2025-08-22") -> dict[str, object]:
    return {"order_id": order_id, "deleted": True, "updated_at": updated_at}


EMPTY = {"items": [], "amount": 0}


@pytest.mark.parametrize(
    "leaving",
    [
        deletion(),
        order(deleted=True, updated_at="2025-08-22"),
        order(**EMPTY, updated_at="2025-08-22"),
        order(items=[], amount=None, updated_at="2025-08-22"),
        order(items=[item(qty=0), item("B", "0.00004")], amount="0", updated_at="2025-08-22"),
        order(day=25, **EMPTY, updated_at="2025-08-22"),
    ],
)
def test_5_an_order_changed_to_nothing_takes_its_revenue_along(context: RunContext, leaving: dict[str, object]) -> None:
    deliver(context, order(items=[item("A"), item("B")]), order("o-2"))
    assert deliver(context, leaving) == OrderChanges(versions=1, removed=1, lines_removed=2)
    assert [row["order_id"] for row in rows(context.lake, 20)] == ["o-2"]
    assert rows(context.lake, 25) == []


def test_5_the_last_order_of_a_day_takes_the_partition_along(context: RunContext) -> None:
    deliver(context, order(), order("o-2", day=21))
    deliver(context, deletion())
    assert [path.name for path in (context.lake.folder / "curated").glob("dt=*")] == ["dt=2025-08-21"]


def test_5_a_later_version_with_lines_comes_back(context: RunContext) -> None:
    deliver(context, order())
    deliver(context, deletion())
    assert deliver(context, order(updated_at="2025-08-23", day=21)) == OrderChanges(versions=1, inserted=1)
    assert [row["order_id"] for row in rows(context.lake, 21)] == ["o-1"]


@pytest.mark.parametrize("batch_id", [None, "20250101T000000.000000Z"])
def test_5_an_older_version_that_turns_up_later_stays_out(context: RunContext, batch_id: str | None) -> None:
    deliver(context, order())
    deliver(context, deletion())
    write_batch(context, [order(status="older", updated_at="2025-08-21")], batch_id=batch_id)
    run(context)
    assert rows(context.lake, 20) == []


def test_5_a_deletion_of_an_unknown_order_is_remembered(context: RunContext) -> None:
    assert deliver(context, deletion()) == OrderChanges(versions=1, absent=1)
    assert deliver(context, order(), order("o-2")) == OrderChanges(versions=2, inserted=1, superseded=1)
    assert [row["order_id"] for row in rows(context.lake, 20)] == ["o-2"]


def test_5_an_older_deletion_changes_nothing(context: RunContext) -> None:
    deliver(context, order(updated_at="2025-08-23"))
    assert deliver(context, deletion()) == OrderChanges(versions=1, superseded=1)
    assert len(rows(context.lake, 20)) == 1


def test_5_on_a_tie_the_later_batch_says_whether_the_order_is_there(context: RunContext) -> None:
    deliver(context, deletion())
    assert deliver(context, order(updated_at="2025-08-22")).inserted == 1
    assert deliver(context, deletion()).removed == 1


def test_5_an_order_that_moves_and_leaves_in_one_batch_is_gone_from_both_days(context: RunContext) -> None:
    deliver(context, order())
    changes = deliver(context, order(day=24, updated_at="2025-08-21"), deletion())
    assert changes == OrderChanges(versions=2, removed=1, superseded=1, lines_removed=1)
    assert list((context.lake.folder / "curated").glob("dt=*")) == []


def test_5_a_damaged_partition_is_rebuilt_without_the_order_that_leaves(context: RunContext) -> None:
    deliver(context, order(), order("o-2"))
    next((context.lake.folder / "curated").glob("dt=*/*")).unlink()
    changes = deliver(context, deletion())
    assert (changes.versions, changes.removed) == (1, 1)
    assert [row["order_id"] for row in rows(context.lake, 20)] == ["o-2"]


@pytest.mark.parametrize("lost", ["removed", "spoilt"])
def test_5_lost_tombstones_come_back_from_history(context: RunContext, lost: str) -> None:
    deliver(context, order())
    deliver(context, deletion())
    for path in (context.lake.folder / "index").iterdir():
        if lost == "removed":
            path.unlink()
        else:
            spoil(path)
    assert deliver(context, order(updated_at="2025-08-21")) == OrderChanges(versions=1, superseded=1)
    assert rows(context.lake, 20) == []


def test_5_an_order_that_left_since_is_no_open_reject(context: RunContext) -> None:
    deliver(context, order())
    deliver(context, order(amount=-1, updated_at="2025-08-21"), order("o-2", amount=-1))
    open_before = check(context.lake).open_quarantine
    deliver(context, deletion())
    open_after = check(context.lake).open_quarantine
    assert open_before is not None
    assert open_after is not None
    assert (open_before.orders, open_after.orders) == (2, 1)


def test_a_marker_that_counts_other_records_than_its_pages_hold_is_damage(context: RunContext) -> None:
    batch = write_batch(context, [order()])
    marker = raw.read_marker(context.lake, batch)
    page = msgspec.structs.replace(marker.pages[0], records=7)
    (context.lake.folder / "raw" / batch / MARKER).write_bytes(
        encode_record(msgspec.structs.replace(marker, pages=(page,)))
    )
    with pytest.raises(CorruptedError, match="7 records, and its pages hold 1"):
        run(context)
    shutil.rmtree(context.lake.folder / "raw" / batch)
