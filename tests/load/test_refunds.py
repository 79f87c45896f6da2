"""Refunds go where their order goes: replaced, moved, removed, repaired and rebuilt with it."""

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from lakes import item, load, open_job, order, rows, run, spoil, write_batch

from ordersetl.lake.layout import Lake, refund_file
from ordersetl.lake.manifest import read_manifest
from ordersetl.results import OrderChanges
from ordersetl.runtime import RunContext


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    with open_job(tmp_path / "output") as opened:
        yield opened


def refund(refund_id: object = "r-1", amount: object = 4, day: int = 25, **fields: object) -> dict[str, object]:
    return {"refund_id": refund_id, "created_at": f"2025-08-{day}T08:00:00Z", "amount": amount, **fields}


def refunds(lake: Lake, day: int) -> list[tuple[str, ...]]:
    """Order, refund, SKU and amount of each row of a day's refunds; none where there is no file."""
    path = lake.folder / "curated" / refund_file(date(2025, 8, day))
    if not path.exists():
        return []
    table = csv.DictReader(io.StringIO(path.read_text(), newline=""))
    return [(row["order_id"], row["refund_id"], row["sku"], row["refund_amount"]) for row in table]


def files(lake: Lake) -> dict[str, bytes]:
    """Every CSV below ``curated/``."""
    curated = lake.folder / "curated"
    return {path.relative_to(curated).as_posix(): path.read_bytes() for path in sorted(curated.rglob("*.csv"))}


def replace_folder(path: Path) -> None:
    replace_by_link(path.parent)


def replace_by_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("")


def replace_by_link(path: Path) -> None:
    path.rename(path.with_name("_old"))
    path.symlink_to("_old")


def is_rebuilt_alike(context: RunContext) -> bool:
    before = files(context.lake)
    assert load(context, rebuild=True).written == ()
    return files(context.lake) == before


def deliver(context: RunContext, *records: object, batch_id: str | None = None) -> OrderChanges:
    write_batch(context, records, batch_id=batch_id)
    return run(context).orders


def test_refunds_are_in_the_partition_of_their_order(context: RunContext) -> None:
    named = refund("r-2", 3, items=[{"sku": "A", "qty": 1, "amount": 3}])
    deliver(context, order("o-2", 20, refunds=[refund(amount=4), named]), order("o-1", 21), order("o-3", 22))
    assert refunds(context.lake, 20) == [("o-2", "r-1", "", "4.0000"), ("o-2", "r-2", "A", "3.0000")]
    assert [row["refunded_amount"] for row in rows(context.lake, 20)] == ["7.0000"]
    assert [row["refunded_amount"] for row in rows(context.lake, 21)] == ["0.0000"]
    manifest = read_manifest(context.lake)
    assert manifest is not None
    [(day, entry)] = manifest.refunds.items()
    assert (day, entry.rows, entry.orders, entry.sums) == (date(2025, 8, 20), 2, 1, {"EUR": "7.0000"})
    assert [path.name for path in (context.lake.folder / "curated" / "fact_refund").iterdir()] == ["dt=2025-08-20"]
    assert is_rebuilt_alike(context)


def test_refunds_are_replaced_with_their_order(context: RunContext) -> None:
    deliver(context, order("o-1", 20, refunds=[refund("r-1")]), order("o-2", 20, refunds=[refund("r-9", 1)]))
    changed = order("o-1", 20, updated_at="2025-08-26", refunds=[refund("r-2", 5)])
    assert deliver(context, changed) == OrderChanges(versions=1, updated=1)
    assert refunds(context.lake, 20) == [("o-1", "r-2", "", "5.0000"), ("o-2", "r-9", "", "1.0000")]
    assert is_rebuilt_alike(context)


def test_a_refund_whose_time_alone_changes_is_an_update(context: RunContext) -> None:
    deliver(context, order(refunds=[refund(day=25)]))
    write_batch(context, [order(refunds=[refund(day=26)])])
    result = run(context)
    assert result.orders == OrderChanges(versions=1, updated=1)
    assert result.written == ("fact_refund/dt=2025-08-20/fact_refund.csv",)
    assert (result.partitions_written, result.partitions_unchanged) == (1, 0)
    assert run(context).written == ()
    assert is_rebuilt_alike(context)


def test_the_last_refund_takes_its_file_and_folders_along(context: RunContext) -> None:
    deliver(context, order(refunds=[refund()]))
    deliver(context, order(updated_at="2025-08-26", refunds=[]))
    assert not (context.lake.folder / "curated/fact_refund").exists()
    assert len(rows(context.lake, 20)) == 1
    assert is_rebuilt_alike(context)


def test_refunds_move_with_their_order(context: RunContext) -> None:
    deliver(context, order(refunds=[refund()]), order("o-2", 20))
    moved = order(day=22, updated_at="2025-08-26", refunds=[refund(), refund("r-2", 1)])
    assert deliver(context, moved) == OrderChanges(versions=1, updated=1, moved=1)
    assert refunds(context.lake, 20) == []
    assert len(refunds(context.lake, 22)) == 2
    assert is_rebuilt_alike(context)


def test_refunds_leave_with_their_order(context: RunContext) -> None:
    deliver(context, order(refunds=[refund()]), order("o-2", 20, refunds=[refund("r-2")]))
    deliver(context, order(deleted=True, updated_at="2025-08-26"))
    assert [row[0] for row in refunds(context.lake, 20)] == ["o-2"]
    deliver(context, order("o-2", 20, amount=0, items=[], updated_at="2025-08-26"))
    assert files(context.lake).keys() == {"dim_product.csv", "dim_user.csv"}
    assert is_rebuilt_alike(context)


def test_a_superseded_version_brings_no_refund(context: RunContext) -> None:
    deliver(context, order(updated_at="2025-08-26", refunds=[refund("new")]))
    assert deliver(context, order(updated_at="2025-08-25", refunds=[refund("old")])).superseded == 1
    twice = [order("o-2", refunds=[refund("first")]), order("o-2", refunds=[refund("second")])]
    assert deliver(context, *twice).superseded == 1
    assert [row[1] for row in refunds(context.lake, 20)] == ["new", "second"]
    assert is_rebuilt_alike(context)


def test_a_late_batch_is_folded_in_its_place(context: RunContext) -> None:
    deliver(context, order(refunds=[refund("second")]), batch_id="20250902T000000.000000Z")
    deliver(
        context,
        order(refunds=[refund("first")]),
        order("o-2", 20, refunds=[refund("late")]),
        batch_id="20250901T000000.000000Z",
    )
    assert [row[:2] for row in refunds(context.lake, 20)] == [("o-1", "second"), ("o-2", "late")]
    assert is_rebuilt_alike(context)


@pytest.mark.parametrize("file", ["dt=2025-08-20/fact_order.csv", "fact_refund/dt=2025-08-20/fact_refund.csv"])
@pytest.mark.parametrize(
    "harm",
    [
        Path.unlink,
        spoil,
        lambda path: path.write_bytes(b""),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: shutil.rmtree(path.parent),
        replace_folder,
    ],
)
def test_a_day_is_repaired_where_either_file_is_damaged(
    context: RunContext, file: str, harm: Callable[[Path], object]
) -> None:
    deliver(context, order("o-1", 21, refunds=[refund()]), order("o-2", 20, refunds=[refund("r-2"), refund("r-3")]))
    deliver(context, order("o-1", 20, updated_at="2025-08-26", refunds=[refund("r-9")]), order("o-3", 21))
    before = files(context.lake)
    harm(context.lake.folder / "curated" / file)
    result = load(context, verify=True)
    shutil.rmtree((context.lake.folder / "curated" / file).parent.with_name("_old"), ignore_errors=True)
    assert [damage.file for damage in result.healed] == [file]
    assert result.written == (file,)
    assert files(context.lake) == before
    assert load(context).healed == ()


@pytest.mark.parametrize("harm", [shutil.rmtree, replace_by_file, replace_by_link])
def test_the_folder_of_refunds_is_repaired(context: RunContext, harm: Callable[[Path], object]) -> None:
    deliver(context, order(refunds=[refund()]), order("o-2", 21, refunds=[refund("r-2")]))
    before = files(context.lake)
    harm(context.lake.folder / "curated/fact_refund")
    assert len(load(context).healed) == 2
    shutil.rmtree(context.lake.folder / "curated/_old", ignore_errors=True)
    assert files(context.lake) == before
    assert load(context).healed == ()


def test_refunds_spoilt_with_the_old_size_and_time_are_found_when_merged_with(context: RunContext) -> None:
    deliver(context, order(refunds=[refund()]))
    spoil(context.lake.folder / "curated" / refund_file(date(2025, 8, 20)))
    write_batch(context, [order("o-2", 20, refunds=[refund("r-2")])])
    result = run(context)
    assert [damage.file for damage in result.healed] == [refund_file(date(2025, 8, 20))]
    assert result.orders == OrderChanges(versions=1, inserted=1)
    assert len(refunds(context.lake, 20)) == 2
    assert is_rebuilt_alike(context)


def test_an_order_leaves_a_day_whose_refunds_are_damaged(context: RunContext) -> None:
    deliver(context, order(refunds=[refund()]))
    (context.lake.folder / "curated" / refund_file(date(2025, 8, 20))).unlink()
    deliver(context, order(day=21, updated_at="2025-08-26", refunds=[refund()]))
    assert files(context.lake).keys() == {
        "dim_product.csv",
        "dim_user.csv",
        "dt=2025-08-21/fact_order.csv",
        "fact_refund/dt=2025-08-21/fact_refund.csv",
    }
    assert is_rebuilt_alike(context)


def test_a_rebuild_moves_refunds_away_that_no_batch_accounts_for(context: RunContext) -> None:
    deliver(context, order(items=[item()]))
    orphan = context.lake.folder / "curated" / refund_file(date(2025, 1, 1))
    orphan.parent.mkdir(parents=True)
    orphan.write_text("order_id\n")
    result = load(context, rebuild=True)
    assert [damage.file for damage in result.healed] == [refund_file(date(2025, 1, 1))]
    assert not (context.lake.folder / "curated/fact_refund").exists()


def test_a_file_in_place_of_the_folder_of_refunds_stops_no_rebuild(context: RunContext) -> None:
    deliver(context, order(items=[item()]))
    (context.lake.folder / "curated/fact_refund").write_text("not a folder")
    assert load(context, rebuild=True).written == ()
    deliver(context, order(items=[item()], refunds=[refund()], updated_at="2025-09-09T00:00:00Z"))
    assert refunds(context.lake, 20)
