"""What is lost or damaged comes back with the next load, and says so; what cannot come back is an error that helps."""

import os
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from lakes import curated_bytes, expected_bytes, item, load, open_job, order, rows, run, spoil, transform, write_batch

from ordersetl.errors import CorruptedError, StorageError
from ordersetl.lake.manifest import read_manifest
from ordersetl.load import plan as plan_module
from ordersetl.results import OrderChanges
from ordersetl.runtime import RunContext
from ordersetl.star.rules import RULES

FOLD = import_module("ordersetl.load.fold")
TRANSFORM = import_module("ordersetl.transform.batches")  # the package's own name of it is the function

USERS = b"user_id,email,country,created_at\nu-1,a@example.org,MX,2024-01-01\n"
FIRST, SECOND, THIRD = (f"2025090{n}T000000.000000Z" for n in (1, 2, 3))
PARTITION = "dt=2025-08-20/fact_order.csv"


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    """Two batches, loaded: ``o-1`` moved from the 20th to the 21st, one order was rejected."""
    with open_job(tmp_path / "output") as opened:
        first = [order("o-1", 20, items=[item("A"), item("B")]), order("o-2", 20), order("bad", amount=-1)]
        write_batch(opened, first, batch_id=FIRST, users=USERS)
        run(opened)
        write_batch(opened, [order("o-1", 21, updated_at="2025-08-25"), order("o-3", 22)], batch_id=SECOND)
        run(opened)
        yield opened


def is_right(context: RunContext) -> bool:
    return curated_bytes(context.lake) == expected_bytes(context.lake)


def curated(context: RunContext, name: str) -> Path:
    return context.lake.folder / "curated" / name


# Partitions


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (Path.unlink, "missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "size"),
        (lambda path: path.write_bytes(b""), "size"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"o-2", b"o-9")), "content"),
        (lambda path: (path.unlink(), path.mkdir()), "folder"),
        (lambda path: (path.unlink(), path.symlink_to("/dev/null")), "link"),
        (lambda path: shutil.rmtree(path.parent), "missing"),
    ],
)
def test_a_damaged_partition_is_rebuilt(context: RunContext, harm: Callable[[Path], object], problem: str) -> None:
    before = curated_bytes(context.lake)
    harm(curated(context, PARTITION))
    result = load(context)
    assert curated_bytes(context.lake) == before
    [damage] = result.healed
    assert damage.file == PARTITION
    assert problem in damage.problem
    assert (damage.kept_as is None) == (problem == "missing")
    assert result.orders == OrderChanges()
    assert result.written == (PARTITION,)
    assert load(context).healed == ()


def test_a_partition_with_the_old_size_and_time_is_found_by_verify(context: RunContext) -> None:
    before = curated_bytes(context.lake)
    spoil(curated(context, PARTITION))
    assert load(context).healed == ()
    assert [damage.file for damage in load(context, verify=True).healed] == [PARTITION]
    assert curated_bytes(context.lake) == before


def test_a_partition_with_the_old_size_and_time_is_found_when_merged_with(context: RunContext) -> None:
    write_batch(context, [order("o-2", 20, status="paid")])
    spoil(curated(context, PARTITION))
    spoil(curated(context, "dt=2025-08-22/fact_order.csv"))
    result = run(context)
    assert sorted(damage.file for damage in result.healed) == [PARTITION, "dt=2025-08-22/fact_order.csv"]
    assert is_right(context)
    assert result.orders == OrderChanges(versions=1, updated=1)


def test_a_partition_with_the_old_size_and_time_is_found_when_an_order_leaves_it(context: RunContext) -> None:
    spoil(curated(context, PARTITION))
    write_batch(context, [order("o-2", 22, updated_at="2025-08-26"), order("o-4", 20)])
    result = run(context)
    assert [damage.file for damage in result.healed] == [PARTITION]
    assert result.orders == OrderChanges(versions=2, inserted=1, updated=1, moved=1)
    assert is_right(context)


def test_an_order_is_not_new_where_its_partition_was_lost(context: RunContext) -> None:
    curated(context, PARTITION).unlink()
    write_batch(context, [order("o-2", 20, status="paid"), order("o-4", 20), order("o-1", 20, updated_at="2025-08-26")])
    assert run(context).orders == OrderChanges(versions=3, inserted=1, updated=2, moved=1, lines_removed=0)
    assert is_right(context)


def test_a_late_batch_meets_a_lost_partition(context: RunContext) -> None:
    curated(context, PARTITION).unlink()
    write_batch(
        context, [order("o-2", 20), order("o-2", 22, updated_at="2025-08-24")], batch_id="20250901T120000.000000Z"
    )
    write_batch(context, [order("o-2", 20, updated_at="2025-08-26")])
    run(context)
    assert is_right(context)


def test_times_alone_are_no_damage(context: RunContext) -> None:
    os.utime(curated(context, PARTITION), (1, 1))
    result = load(context)
    assert (result.healed, result.written) == ((), ())
    assert load(context).written == ()


# Dimensions


@pytest.mark.parametrize("harm", [Path.unlink, spoil, lambda path: path.write_bytes(b"user_id\n")])
def test_a_damaged_dimension_is_rebuilt(context: RunContext, harm: Callable[[Path], object]) -> None:
    before = curated_bytes(context.lake)
    harm(curated(context, "dim_user.csv"))
    write_batch(context, [order("o-2", 20)])
    result = run(context)
    assert [damage.file for damage in result.healed] == ["dim_user.csv"]
    assert result.written == ()
    assert curated_bytes(context.lake) == before


def test_all_of_curated_comes_back(context: RunContext) -> None:
    before = curated_bytes(context.lake)
    shutil.rmtree(context.lake.folder / "curated")
    result = load(context)
    assert result.rebuilt
    assert curated_bytes(context.lake) == before


def test_a_damaged_manifest_is_moved_away_and_all_is_folded_again(context: RunContext) -> None:
    before = curated_bytes(context.lake)
    spoil(context.lake.folder / "curated/_manifest.json")
    result = load(context)
    assert [damage.file for damage in result.healed] == ["_manifest.json"]
    assert (result.rebuilt, result.written) == (True, ())
    assert curated_bytes(context.lake) == before


def test_a_rebuild_moves_partitions_away_that_no_batch_accounts_for(context: RunContext) -> None:
    orphan = curated(context, "dt=2025-01-01/fact_order.csv")
    orphan.parent.mkdir()
    orphan.write_text("order_id,sku\n")
    result = load(context, rebuild=True)
    assert [damage.file for damage in result.healed] == ["dt=2025-01-01/fact_order.csv"]
    assert not orphan.parent.exists()


# The index


@pytest.mark.parametrize("harm", [Path.unlink, spoil, lambda path: path.write_bytes(b"")])
def test_a_damaged_index_is_rebuilt_before_it_misleads(context: RunContext, harm: Callable[[Path], object]) -> None:
    for segment in (context.lake.folder / "index").iterdir():
        harm(segment)
    write_batch(context, [order("o-1", 23, updated_at="2025-08-26"), order("o-1", 23, updated_at="2025-08-27")])
    result = run(context)
    assert {damage.file for damage in result.healed} == {"index"}
    assert result.orders.moved == 1
    assert rows(context.lake, 21) == []
    write_batch(context, [order("o-1", 21, updated_at="2025-08-28")])
    assert run(context).healed == ()
    assert is_right(context)


def test_an_index_of_another_version_is_rebuilt(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordersetl.lake.index._HASHING", "polars 99")
    assert {damage.file for damage in load(context).healed} == {"index"}
    manifest = read_manifest(context.lake)
    assert manifest is not None
    assert {entry.hashing.partition(",")[0] for entry in manifest.index} == {"polars 99"}


def test_index_and_partition_are_lost_together(context: RunContext) -> None:
    shutil.rmtree(context.lake.folder / "index")
    curated(context, "dt=2025-08-21/fact_order.csv").unlink()
    load(context)
    assert is_right(context)
    write_batch(context, [order("o-1", 20, updated_at="2025-08-26")])
    assert run(context).orders.moved == 1
    assert is_right(context)


# Raw


def test_a_batch_that_is_gone_from_raw_is_as_good_as_its_staged_files(context: RunContext) -> None:
    before = curated_bytes(context.lake)
    shutil.rmtree(context.lake.folder / "raw" / FIRST)
    for file in ("dim_user.csv", PARTITION):
        curated(context, file).unlink()
    (context.lake.folder / "quarantine" / f"{FIRST}.ndjson").unlink()
    load(context)
    assert curated_bytes(context.lake) == before
    assert (context.lake.folder / "quarantine" / f"{FIRST}.ndjson").exists()


def test_a_damaged_batch_marker_harms_nothing_that_is_staged(context: RunContext) -> None:
    before = curated_bytes(context.lake)
    spoil(context.lake.folder / "raw" / FIRST / "batch.json")
    curated(context, PARTITION).unlink()
    load(context)
    assert curated_bytes(context.lake) == before


def test_a_late_batch_comes_while_an_applied_one_is_gone_from_raw(context: RunContext) -> None:
    before = curated_bytes(context.lake)
    shutil.rmtree(context.lake.folder / "raw" / SECOND)
    write_batch(context, [order("o-1", 20, updated_at="2025-08-20T11:00:00Z")], batch_id="20250901T120000.000000Z")
    assert run(context).orders == OrderChanges(versions=3, unchanged=2, superseded=1)
    assert curated_bytes(context.lake) == before


def test_a_batch_that_is_gone_from_raw_and_from_staged_is_named(context: RunContext) -> None:
    shutil.rmtree(context.lake.folder / "raw" / FIRST)
    shutil.rmtree(context.lake.folder / "staged" / FIRST)
    assert load(context).healed == ()  # as long as nothing needs it
    kept = curated(context, PARTITION).read_bytes()
    curated(context, PARTITION).unlink()
    with pytest.raises(CorruptedError, match=FIRST) as caught:
        load(context)
    assert "Restore" in caught.value.hint
    curated(context, PARTITION).write_bytes(kept)
    load(context)


def test_a_rebuild_refuses_to_lose_a_batch(context: RunContext) -> None:
    shutil.rmtree(context.lake.folder / "raw" / FIRST)
    with pytest.raises(StorageError, match=FIRST):
        load(context, rebuild=True)


def test_a_damaged_page_is_named_and_hinders_nothing_else(context: RunContext) -> None:
    page = context.lake.folder / "raw" / FIRST / "page-00001.json"
    spoil(page)
    shutil.rmtree(context.lake.folder / "staged")
    write_batch(context, [order("o-4", 22)])
    run(context)
    kept = curated(context, PARTITION).read_bytes()
    curated(context, PARTITION).unlink()
    with pytest.raises(CorruptedError, match=r"page-00001\.json"):
        load(context)
    curated(context, PARTITION).write_bytes(kept)
    load(context)


# Quarantine


@pytest.mark.parametrize("harm", [Path.unlink, spoil, lambda path: (path.unlink(), path.mkdir())])
@pytest.mark.parametrize("command", [transform, load])
@pytest.mark.parametrize("cached", [True, False])
def test_a_lost_quarantine_file_comes_back(
    context: RunContext, command: Callable[..., object], harm: Callable[[Path], object], *, cached: bool
) -> None:
    path = context.lake.folder / "quarantine" / f"{FIRST}.ndjson"
    before = path.read_bytes()
    harm(path)
    if not cached:
        shutil.rmtree(context.lake.folder / "staged")
    command(context, verify=True)
    assert path.read_bytes() == before


def test_the_load_says_that_quarantine_was_lost(context: RunContext) -> None:
    (context.lake.folder / "quarantine" / f"{FIRST}.ndjson").unlink()
    assert [damage.file for damage in load(context).healed] == [f"quarantine/{FIRST}.ndjson"]
    assert load(context).healed == ()


# Rules


def test_other_rules_fold_everything_again(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    before = curated_bytes(context.lake)
    for module in (plan_module, TRANSFORM, FOLD):
        monkeypatch.setattr(module, "RULES", RULES + 1)
    assert transform(context).batches == (FIRST, SECOND)
    result = load(context)
    assert (result.rebuilt, result.written) == (True, ())
    assert curated_bytes(context.lake) == before
    assert load(context).rebuilt is False


def test_batches_wait_where_only_the_transform_ran(context: RunContext) -> None:
    write_batch(context, [order("o-4", 23), order("worse", amount=-1)], batch_id=THIRD)
    assert transform(context).batches == (THIRD,)
    again = transform(context)
    assert (again.batches, again.staged_anew, again.rejected) == ((THIRD,), (), 1)
    assert load(context).batches == (THIRD,)
    assert transform(context).batches == ()
