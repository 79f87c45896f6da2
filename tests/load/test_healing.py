"""What is lost or damaged comes back with the next load, and says so; what cannot come back is an error that helps."""

import os
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from lakes import curated_bytes, expected_bytes, item, load, open_job, order, rows, run, spoil, transform, write_batch

from ordersetl.errors import DamagedError, StorageError
from ordersetl.lake.manifest import read_manifest
from ordersetl.load import plan as plan_module
from ordersetl.results import OrderChanges
from ordersetl.runtime import Job
from ordersetl.star.schema import RULES

LOAD = import_module("ordersetl.load.batches")
TRANSFORM = import_module("ordersetl.transform.batches")  # the package's own name of it is the function

USERS = b"user_id,email,country,created_at\nu-1,a@example.org,MX,2024-01-01\n"
FIRST, SECOND, THIRD = (f"2025090{n}T000000.000000Z" for n in (1, 2, 3))
PARTITION = "dt=2025-08-20/fact_order.csv"


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """Two batches, loaded: ``o-1`` moved from the 20th to the 21st, one order was rejected."""
    with open_job(tmp_path / "output") as opened:
        first = [order("o-1", 20, items=[item("A"), item("B")]), order("o-2", 20), order("bad", amount=-1)]
        write_batch(opened, first, batch_id=FIRST, users=USERS)
        run(opened)
        write_batch(opened, [order("o-1", 21, updated_at="2025-08-25"), order("o-3", 22)], batch_id=SECOND)
        run(opened)
        yield opened


def is_right(job: Job) -> bool:
    return curated_bytes(job.lake) == expected_bytes(job.lake)


def curated(job: Job, name: str) -> Path:
    return job.lake.curated / name


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
def test_a_damaged_partition_is_rebuilt(job: Job, harm: Callable[[Path], object], problem: str) -> None:
    before = curated_bytes(job.lake)
    harm(curated(job, PARTITION))
    result = load(job)
    assert curated_bytes(job.lake) == before
    [damage] = result.healed
    assert damage.file == PARTITION
    assert problem in damage.problem
    assert (damage.kept_as is None) == (problem == "missing")
    assert result.orders == OrderChanges()
    assert result.written == (PARTITION,)
    assert load(job).healed == ()


def test_a_partition_with_the_old_size_and_time_is_found_by_verify(job: Job) -> None:
    before = curated_bytes(job.lake)
    spoil(curated(job, PARTITION))
    assert load(job).healed == ()
    assert [damage.file for damage in load(job, verify=True).healed] == [PARTITION]
    assert curated_bytes(job.lake) == before


def test_a_partition_with_the_old_size_and_time_is_found_when_merged_with(job: Job) -> None:
    write_batch(job, [order("o-2", 20, status="paid")])
    spoil(curated(job, PARTITION))
    spoil(curated(job, "dt=2025-08-22/fact_order.csv"))
    result = run(job)
    assert sorted(damage.file for damage in result.healed) == [PARTITION, "dt=2025-08-22/fact_order.csv"]
    assert is_right(job)
    assert result.orders == OrderChanges(versions=1, updated=1)


def test_a_partition_with_the_old_size_and_time_is_found_when_an_order_leaves_it(job: Job) -> None:
    spoil(curated(job, PARTITION))
    write_batch(job, [order("o-2", 22, updated_at="2025-08-26"), order("o-4", 20)])
    result = run(job)
    assert [damage.file for damage in result.healed] == [PARTITION]
    assert result.orders == OrderChanges(versions=2, inserted=1, updated=1, moved=1)
    assert is_right(job)


def test_an_order_is_not_new_where_its_partition_was_lost(job: Job) -> None:
    curated(job, PARTITION).unlink()
    write_batch(job, [order("o-2", 20, status="paid"), order("o-4", 20), order("o-1", 20, updated_at="2025-08-26")])
    assert run(job).orders == OrderChanges(versions=3, inserted=1, updated=2, moved=1, lines_removed=0)
    assert is_right(job)


def test_a_late_batch_meets_a_lost_partition(job: Job) -> None:
    curated(job, PARTITION).unlink()
    write_batch(job, [order("o-2", 20), order("o-2", 22, updated_at="2025-08-24")], batch_id="20250901T120000.000000Z")
    write_batch(job, [order("o-2", 20, updated_at="2025-08-26")])
    run(job)
    assert is_right(job)


def test_times_alone_are_no_damage(job: Job) -> None:
    os.utime(curated(job, PARTITION), (1, 1))
    result = load(job)
    assert (result.healed, result.written) == ((), ())
    assert load(job).written == ()


# Dimensions


@pytest.mark.parametrize("harm", [Path.unlink, spoil, lambda path: path.write_bytes(b"user_id\n")])
def test_a_damaged_dimension_is_rebuilt(job: Job, harm: Callable[[Path], object]) -> None:
    before = curated_bytes(job.lake)
    harm(curated(job, "dim_user.csv"))
    write_batch(job, [order("o-2", 20)])
    result = run(job)
    assert [damage.file for damage in result.healed] == ["dim_user.csv"]
    assert result.written == ()
    assert curated_bytes(job.lake) == before


def test_all_of_curated_comes_back(job: Job) -> None:
    before = curated_bytes(job.lake)
    shutil.rmtree(job.lake.curated)
    result = load(job)
    assert result.rebuilt
    assert curated_bytes(job.lake) == before


def test_a_damaged_manifest_is_set_aside_and_all_is_folded_anew(job: Job) -> None:
    before = curated_bytes(job.lake)
    spoil(job.lake.manifest)
    result = load(job)
    assert [damage.file for damage in result.healed] == ["_manifest.json"]
    assert (result.rebuilt, result.written) == (True, ())
    assert curated_bytes(job.lake) == before


def test_a_rebuild_sets_aside_partitions_that_no_batch_accounts_for(job: Job) -> None:
    stray = curated(job, "dt=2025-01-01/fact_order.csv")
    stray.parent.mkdir()
    stray.write_text("order_id,sku\n")
    result = load(job, rebuild=True)
    assert [damage.file for damage in result.healed] == ["dt=2025-01-01/fact_order.csv"]
    assert not stray.parent.exists()


# The index


@pytest.mark.parametrize("harm", [Path.unlink, spoil, lambda path: path.write_bytes(b"")])
def test_a_damaged_index_is_made_anew_before_it_misleads(job: Job, harm: Callable[[Path], object]) -> None:
    for segment in job.lake.index.iterdir():
        harm(segment)
    write_batch(job, [order("o-1", 23, updated_at="2025-08-26"), order("o-1", 23, updated_at="2025-08-27")])
    result = run(job)
    assert [damage.file for damage in result.healed] == ["index"]
    assert result.orders.moved == 1
    assert rows(job.lake, 21) == []
    write_batch(job, [order("o-1", 21, updated_at="2025-08-28")])
    assert run(job).healed == ()
    assert is_right(job)


def test_an_index_of_another_version_is_made_anew(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordersetl.lake.index._HASHING", "polars 99")
    assert [damage.file for damage in load(job).healed] == ["index"]
    manifest = read_manifest(job.lake)
    assert manifest is not None
    assert {entry.hashing for entry in manifest.index} == {"polars 99"}


def test_index_and_partition_are_lost_together(job: Job) -> None:
    shutil.rmtree(job.lake.index)
    curated(job, "dt=2025-08-21/fact_order.csv").unlink()
    load(job)
    assert is_right(job)
    write_batch(job, [order("o-1", 20, updated_at="2025-08-26")])
    assert run(job).orders.moved == 1
    assert is_right(job)


# Raw


def test_a_batch_that_is_gone_from_raw_is_as_good_as_its_staged_files(job: Job) -> None:
    before = curated_bytes(job.lake)
    shutil.rmtree(job.lake.raw / FIRST)
    for file in ("dim_user.csv", PARTITION):
        curated(job, file).unlink()
    job.lake.quarantine_file(FIRST).unlink()
    load(job)
    assert curated_bytes(job.lake) == before
    assert job.lake.quarantine_file(FIRST).exists()


def test_a_damaged_batch_marker_harms_nothing_that_is_staged(job: Job) -> None:
    before = curated_bytes(job.lake)
    spoil(job.lake.raw / FIRST / "batch.json")
    curated(job, PARTITION).unlink()
    load(job)
    assert curated_bytes(job.lake) == before


def test_a_late_batch_comes_while_an_applied_one_is_gone_from_raw(job: Job) -> None:
    before = curated_bytes(job.lake)
    shutil.rmtree(job.lake.raw / SECOND)
    write_batch(job, [order("o-1", 20, updated_at="2025-08-20T11:00:00Z")], batch_id="20250901T120000.000000Z")
    assert run(job).orders == OrderChanges(versions=3, unchanged=2, superseded=1)
    assert curated_bytes(job.lake) == before


def test_a_batch_that_is_gone_from_raw_and_from_staged_is_named(job: Job) -> None:
    shutil.rmtree(job.lake.raw / FIRST)
    shutil.rmtree(job.lake.staged / FIRST)
    assert load(job).healed == ()  # as long as nothing needs it
    kept = curated(job, PARTITION).read_bytes()
    curated(job, PARTITION).unlink()
    with pytest.raises(DamagedError, match=FIRST) as caught:
        load(job)
    assert "Restore" in caught.value.hint
    curated(job, PARTITION).write_bytes(kept)
    load(job)


def test_a_rebuild_refuses_to_lose_a_batch(job: Job) -> None:
    shutil.rmtree(job.lake.raw / FIRST)
    with pytest.raises(StorageError, match=FIRST):
        load(job, rebuild=True)


def test_a_damaged_page_is_named_and_stands_in_nobody_elses_way(job: Job) -> None:
    page = job.lake.raw / FIRST / "page-00001.json"
    spoil(page)
    shutil.rmtree(job.lake.staged)
    write_batch(job, [order("o-4", 22)])
    run(job)
    kept = curated(job, PARTITION).read_bytes()
    curated(job, PARTITION).unlink()
    with pytest.raises(DamagedError, match=r"page-00001\.json"):
        load(job)
    curated(job, PARTITION).write_bytes(kept)
    load(job)


# Quarantine


@pytest.mark.parametrize("harm", [Path.unlink, spoil, lambda path: (path.unlink(), path.mkdir())])
@pytest.mark.parametrize("command", [transform, load])
@pytest.mark.parametrize("cached", [True, False])
def test_a_lost_quarantine_file_comes_back(
    job: Job, command: Callable[..., object], harm: Callable[[Path], object], *, cached: bool
) -> None:
    path = job.lake.quarantine_file(FIRST)
    before = path.read_bytes()
    harm(path)
    if not cached:
        shutil.rmtree(job.lake.staged)
    command(job, verify=True)
    assert path.read_bytes() == before


def test_the_load_says_that_quarantine_was_lost(job: Job) -> None:
    job.lake.quarantine_file(FIRST).unlink()
    assert [damage.file for damage in load(job).healed] == [f"quarantine/{FIRST}.ndjson"]
    assert load(job).healed == ()


# Rules


def test_other_rules_fold_everything_anew(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    before = curated_bytes(job.lake)
    for module in (plan_module, TRANSFORM, LOAD):
        monkeypatch.setattr(module, "RULES", RULES + 1)
    assert transform(job).batches == (FIRST, SECOND)
    result = load(job)
    assert (result.rebuilt, result.written) == (True, ())
    assert curated_bytes(job.lake) == before
    assert load(job).rebuilt is False


def test_batches_wait_where_only_the_transform_ran(job: Job) -> None:
    write_batch(job, [order("o-4", 23), order("worse", amount=-1)], batch_id=THIRD)
    assert transform(job).batches == (THIRD,)
    again = transform(job)
    assert (again.batches, again.staged_anew, again.rejected) == ((THIRD,), (), 1)
    assert load(job).batches == (THIRD,)
    assert transform(job).batches == ()
