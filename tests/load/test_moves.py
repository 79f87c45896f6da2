"""Which version of an order wins, and in which partition: examples of a few lines, as a user would see them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lakes import curated_bytes, expected_bytes, item, open_job, order, rows, run, write_batch

from ordersetl.results import OrderChanges
from ordersetl.runtime import RunContext


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    with open_job(tmp_path / "output") as opened:
        yield opened
        assert curated_bytes(opened.lake) == expected_bytes(opened.lake)


def deliver(context: RunContext, *records: object, batch_id: str | None = None) -> OrderChanges:
    """Commit a batch, run, and give what became of its orders."""
    write_batch(context, records, batch_id=batch_id)
    return run(context).orders


def days(context: RunContext) -> list[str]:
    return sorted(path.name for path in (context.lake.folder / "curated").glob("dt=*"))


# Versions of one day


def test_a_newer_version_replaces_the_whole_order(context: RunContext) -> None:
    deliver(context, order(items=[item("A"), item("B")], updated_at="2025-08-21"))
    changes = deliver(context, order(items=[item("B"), item("C", 2)], updated_at="2025-08-22", status="paid"))
    assert changes == OrderChanges(versions=1, updated=1, lines_removed=1)
    assert [(row["sku"], row["status"]) for row in rows(context.lake, 20)] == [("B", "paid"), ("C", "paid")]


def test_an_older_version_than_the_curated_one_changes_nothing(context: RunContext) -> None:
    deliver(context, order(status="new", updated_at="2025-08-22"))
    before = curated_bytes(context.lake)
    assert deliver(context, order(status="old", updated_at="2025-08-21")) == OrderChanges(versions=1, superseded=1)
    assert curated_bytes(context.lake) == before


def test_an_order_without_a_time_of_update_is_as_old_as_its_creation(context: RunContext) -> None:
    deliver(context, order(status="updated", updated_at="2025-08-20T10:00:01Z"))
    assert deliver(context, order(status="bare")).superseded == 1


def test_on_a_tie_the_later_batch_wins(context: RunContext) -> None:
    deliver(context, order(status="first"))
    assert deliver(context, order(status="second")) == OrderChanges(versions=1, updated=1)
    assert rows(context.lake, 20)[0]["status"] == "second"


def test_on_a_tie_within_a_batch_the_later_place_wins(context: RunContext) -> None:
    changes = deliver(context, order(status="1"), order(status="2"), order(status="3"), order("other"))
    assert changes == OrderChanges(versions=4, inserted=2, superseded=2)
    assert rows(context.lake, 20)[0]["status"] == "3"


def test_the_same_version_again_is_unchanged_and_writes_nothing(context: RunContext) -> None:
    deliver(context, order(), order("o-2"))
    partition = next((context.lake.folder / "curated").glob("dt=*/*"))
    before = partition.stat()
    write_batch(context, [order(), order("o-2")])
    result = run(context)
    assert result.orders == OrderChanges(versions=2, unchanged=2)
    assert (result.written, result.partitions_unchanged) == ((), 1)
    assert partition.stat().st_mtime_ns == before.st_mtime_ns


def test_a_rejected_version_leaves_the_good_one_in_place(context: RunContext) -> None:
    deliver(context, order(status="good"))
    assert deliver(context, order(amount=-1, updated_at="2025-08-25")) == OrderChanges()
    assert rows(context.lake, 20)[0]["status"] == "good"


# Between days


def test_an_order_moves_to_another_day_and_leaves_its_neighbours(context: RunContext) -> None:
    deliver(context, order(items=[item("A"), item("B")]), order("o-2"))
    changes = deliver(context, order(day=21, updated_at="2025-08-22"))
    assert changes == OrderChanges(versions=1, updated=1, moved=1, lines_removed=1)
    assert [row["order_id"] for row in rows(context.lake, 20)] == ["o-2"]
    assert [row["order_id"] for row in rows(context.lake, 21)] == ["o-1"]


def test_a_day_that_becomes_empty_is_removed(context: RunContext) -> None:
    deliver(context, order())
    write_batch(context, [order(day=21, updated_at="2025-08-22")])
    assert run(context).partitions_removed == 1
    assert days(context) == ["dt=2025-08-21"]


def test_an_order_moves_back_and_forth(context: RunContext) -> None:
    deliver(context, order(day=20))
    deliver(context, order(day=21, updated_at="2025-08-23"))
    deliver(context, order(day=20, updated_at="2025-08-24"))
    assert days(context) == ["dt=2025-08-20"]
    assert deliver(context, order(day=21, updated_at="2025-08-23T01:00:00Z")).superseded == 1
    deliver(context, order(day=22, updated_at="2025-08-25"))
    assert days(context) == ["dt=2025-08-22"]


def test_an_order_moves_within_one_batch(context: RunContext) -> None:
    deliver(context, order(day=20))
    changes = deliver(
        context, order(day=21, updated_at="2025-08-23"), order(day=22, updated_at="2025-08-24"), order(day=20)
    )
    assert changes == OrderChanges(versions=3, updated=1, moved=1, superseded=2)
    assert days(context) == ["dt=2025-08-22"]


def test_an_older_version_of_another_day_does_not_move_the_order(context: RunContext) -> None:
    deliver(context, order(day=20, updated_at="2025-08-25"))
    assert deliver(context, order(day=21, updated_at="2025-08-24")) == OrderChanges(versions=1, superseded=1)
    assert days(context) == ["dt=2025-08-20"]


def test_on_a_tie_between_days_the_later_batch_wins(context: RunContext) -> None:
    deliver(context, order(day=20, updated_at="2025-08-25"))
    assert deliver(context, order(day=21, updated_at="2025-08-25")).moved == 1
    assert days(context) == ["dt=2025-08-21"]


def test_two_orders_change_places(context: RunContext) -> None:
    deliver(context, order("a", day=20), order("b", day=21))
    changes = deliver(context, order("a", day=21, updated_at="2025-08-25"), order("b", day=20, updated_at="2025-08-25"))
    assert (changes.moved, changes.updated) == (2, 2)
    assert [rows(context.lake, day)[0]["order_id"] for day in (20, 21)] == ["b", "a"]


# Late batches


def test_a_late_batch_is_folded_in_its_place(context: RunContext) -> None:
    deliver(context, order(status="first"), batch_id="20250901T000000.000000Z")
    deliver(context, order(status="third"), batch_id="20250903T000000.000000Z")
    late = [order(status="second"), order("only here")]
    write_batch(context, late, batch_id="20250902T000000.000000Z")
    result = run(context)
    assert result.batches == result.late == ("20250902T000000.000000Z",)
    # the third batch is applied again: its version is curated as before
    assert result.orders == OrderChanges(versions=3, inserted=1, unchanged=1, superseded=1)
    assert [row["status"] for row in rows(context.lake, 20)] == ["third", ""]


def test_a_late_batch_brings_a_newer_version_of_another_day(context: RunContext) -> None:
    deliver(context, order(day=20), batch_id="20250903T000000.000000Z")
    changes = deliver(context, order(day=21, updated_at="2025-08-25"), batch_id="20250902T000000.000000Z")
    assert changes == OrderChanges(versions=2, updated=1, moved=1, superseded=1)
    assert days(context) == ["dt=2025-08-21"]


# Nothing to do


def test_an_output_without_batches_stays_without_curated_files(context: RunContext) -> None:
    assert run(context).orders == OrderChanges()
    assert curated_bytes(context.lake) == {}


def test_a_second_load_touches_no_file(context: RunContext) -> None:
    deliver(context, order(), order(amount=-1), order("o-2", day=21))
    files = [path for path in context.lake.folder.rglob("*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    result = run(context)
    assert (result.batches, result.written, result.dimensions_written) == ((), (), ())
    assert {path: path.stat().st_mtime_ns for path in context.lake.folder.rglob("*") if path.is_file()} == before
