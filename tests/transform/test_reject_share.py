"""How many of the orders that wait are rejected: each order once, by the last version that was received of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from lakes import open_job, order, transform, write_batch

from ordersetl.errors import TooManyRejectsError
from ordersetl.runtime import RunContext
from ordersetl.settings import Settings
from ordersetl.storage.columns import ColumnFile
from ordersetl.transform.reject_share import RejectShare, count_share, has_accepted, require_few_rejects


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    with open_job(tmp_path / "output") as opened:
        yield opened


def bad(order_id: object, **fields: Any) -> dict[str, object]:
    return order(order_id, amount=-1, **fields)


def share(context: RunContext, *batches: Sequence[object]) -> RejectShare:
    for records in batches:
        write_batch(context, records)
    return count_share(context.lake, transform(context).batches)


def test_an_order_that_is_rejected_again_and_again_counts_once(context: RunContext) -> None:
    retries = [[order("o-1"), bad("o-2"), order("o-1")]] * 5
    assert share(context, *retries) == RejectShare(rejected=1, orders=2)


def test_an_order_that_came_again_and_was_good_is_good_and_the_other_way_round(context: RunContext) -> None:
    batches = ([bad("better"), order("worse"), bad("same")], [order("better"), bad("worse")])
    assert share(context, *batches) == RejectShare(rejected=2, orders=3)


def test_within_a_page_the_later_version_counts(context: RunContext) -> None:
    assert share(context, [bad("o-1"), order("o-1")], [order("o-2"), bad("o-2")]) == RejectShare(rejected=1, orders=2)


def test_a_record_without_an_id_counts_for_itself(context: RunContext) -> None:
    assert share(context, [5, order(None), order(""), order("o-1")]) == RejectShare(rejected=3, orders=4)


def test_rejected_lines_and_orders_that_leave_are_no_rejected_orders(context: RunContext) -> None:
    lines = [order()["items"][0], 5]  # type: ignore[index]
    gone = {"order_id": "o-2", "deleted": True, "updated_at": "2025-08-20"}
    assert share(context, [order("o-1", items=lines), gone]) == RejectShare(rejected=0, orders=2)


def test_records_that_hold_half_a_surrogate_pair_are_counted(context: RunContext) -> None:
    assert share(context, [bad("o-1", note="\ud83e"), bad("o-\ud83e")]) == RejectShare(rejected=2, orders=2)


def test_nothing_more_is_read_than_it_takes_to_tell(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        write_batch(context, [order(f"o-{number}-{n}") for n in range(4)])
    batches = transform(context).batches
    read: list[str] = []

    def note(file: ColumnFile) -> pl.LazyFrame:
        read.append(str(file))
        return scan(file)

    scan = ColumnFile.scan
    monkeypatch.setattr(ColumnFile, "scan", note)
    assert has_accepted(context.lake, batches, 5)
    assert len(read) == 2
    assert has_accepted(context.lake, batches, 12)
    assert not has_accepted(context.lake, batches, 13)


@pytest.mark.parametrize(
    ("good", "bads", "ratio", "least", "stops"),
    [
        (0, 1, 0.5, 10, False),
        (0, 9, 0.5, 10, False),
        (0, 10, 0.5, 10, True),
        (10, 10, 0.5, 10, False),
        (10, 11, 0.5, 10, True),
        (100, 1, 0.0, 1, True),
        (100, 0, 0.0, 1, False),
        (0, 100, 1.0, 1, False),
        (2, 1, 0.5, 1, False),
    ],
)
def test_a_run_stops_past_the_share_of_orders_and_the_least_number(
    context: RunContext, *, good: int, bads: int, ratio: float, least: int, stops: bool
) -> None:
    for _ in range(2):  # each is fetched twice
        write_batch(context, [order(f"good {n}") for n in range(good)] + [bad(f"bad {n}") for n in range(bads)])
    result = transform(context)
    settings = Settings(output=context.lake.folder, max_reject_ratio=ratio, min_rejects=least)
    if not stops:
        require_few_rejects(context.lake, result, settings)
        return
    with pytest.raises(TooManyRejectsError, match=f"{bads} of {good + bads} waiting orders were rejected") as caught:
        require_few_rejects(context.lake, result, settings)
    assert "ORDERSETL_MIN_REJECTS" in caught.value.hint


def test_one_order_that_changes_often_hides_no_rejected_ones(context: RunContext) -> None:
    for _ in range(20):
        write_batch(context, [order("o-1")])
    write_batch(context, [bad(f"bad {n}") for n in range(10)])
    with pytest.raises(TooManyRejectsError, match="10 of 11 waiting orders"):
        require_few_rejects(context.lake, transform(context), Settings(output=context.lake.folder))
