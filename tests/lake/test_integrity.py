import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from faulty import FaultyDisk

from ordersetl.lake.integrity import examine, file_problem, find_problem, move_to_damaged
from ordersetl.lake.layout import Lake, curated_key
from ordersetl.lake.manifest import FileEntry, Manifest
from ordersetl.storage.new_file import Written

NOON = datetime(2025, 9, 1, 12, tzinfo=UTC)
PARTITION = "dt=2025-08-20/fact_order.csv"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "output")


def put(lake: Lake, file: str, data: bytes = b"a,b\n") -> FileEntry:
    path = lake.folder / "curated" / file
    lake.disk.make_folder(path.parent)
    return entry_of(lake.disk.write(path, data))


def entry_of(written: Written) -> FileEntry:
    return FileEntry(written.sha256, written.bytes, written.mtime_ns, rows=1)


def change_keeping_time(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"a,c\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_file_as_recorded_has_no_problem(lake: Lake) -> None:
    entry = put(lake, PARTITION)
    assert file_problem(lake, PARTITION, entry, verify=True) == ""


@pytest.mark.parametrize(
    ("corruption", "text"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(b"a,b\nc"), "size differs: 5 instead of 4"),
        (lambda path: path.write_bytes(b"a,c\n"), "content differs"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder"),
        (lambda path: (path.rename(path.with_name("x")), path.symlink_to("x")), "is a link"),
        (lambda path: (path.unlink(), path.parent.rmdir(), path.parent.touch()), "is missing"),
        (lambda path: (path.parent.rename(path.parents[1] / "x"), path.parent.symlink_to("x")), "lies in a link"),
    ],
)
def test_the_problem_is_described(lake: Lake, corruption: Callable[[Path], object], text: str) -> None:
    entry = put(lake, PARTITION)
    path = lake.folder / "curated" / PARTITION
    corruption(path)
    os.utime(path, ns=(0, 0)) if path.is_file() else None
    assert text in file_problem(lake, PARTITION, entry, verify=False)


def test_a_trusted_time_spares_the_hash(lake: Lake) -> None:
    entry = put(lake, PARTITION)
    change_keeping_time(lake.folder / "curated" / PARTITION)
    assert find_problem(lake, curated_key(PARTITION), entry, trusted_time_ns=entry.mtime_ns) is None
    problem = find_problem(lake, curated_key(PARTITION), entry)
    assert problem is not None
    assert (problem.text, problem.recorded) == ("content differs", entry.sha256)


@pytest.mark.parametrize("verify", [True, False])
def test_partitions_are_trusted_by_time_and_dimensions_are_not(lake: Lake, *, verify: bool) -> None:
    files = {file: put(lake, file) for file in (PARTITION, "dim_user.csv")}
    for file in files:
        change_keeping_time(lake.folder / "curated" / file)
    found = examine(lake, Manifest(files=files), verify=verify)
    assert set(found.problems) == ({*files} if verify else {"dim_user.csv"})


def test_a_file_with_another_time_alone_is_valid_and_its_time_noted(lake: Lake) -> None:
    entry = put(lake, PARTITION)
    os.utime(lake.folder / "curated" / PARTITION, ns=(7, 7))
    found = examine(lake, Manifest(files={PARTITION: entry}), verify=False)
    assert found.valid[PARTITION].mtime_ns == 7


def test_a_damaged_file_is_kept_as_it_was_each_time(lake: Lake) -> None:
    for data in (b"first", b"second"):
        put(lake, PARTITION, data)
        damage = move_to_damaged(lake, PARTITION, "it differs", NOON)
        assert damage.kept_as is not None
        assert (lake.folder / damage.kept_as).read_bytes() == data
        assert not damage.kept_as.endswith(".csv")
        assert not (lake.folder / "curated" / PARTITION).parent.exists()


def test_a_moved_file_is_durable_before_it_is_gone(tmp_path: Path) -> None:
    disk = FaultyDisk()
    lake = Lake(tmp_path / "output", disk)
    put(lake, PARTITION)
    disk.steps.clear()
    move_to_damaged(lake, PARTITION, "it differs", NOON)
    moved = next(n for n, step in enumerate(disk.steps) if step.operation == "rename")
    synced = [step.path for step in disk.steps[moved:] if step.operation == "sync_folder"]
    assert synced == [disk.steps[moved].path.parent, (lake.folder / "curated" / PARTITION).parent]


def test_a_link_itself_is_moved(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    put(lake, "dim_user.csv")
    (lake.folder / "curated" / PARTITION).parent.symlink_to(tmp_path / "outside")
    damage = move_to_damaged(lake, PARTITION, "lies in a link", NOON)
    assert damage.kept_as is not None
    assert (lake.folder / damage.kept_as).is_symlink()
    assert (tmp_path / "outside").is_dir()


def test_a_missing_file_leaves_nothing_to_keep(lake: Lake) -> None:
    assert move_to_damaged(lake, PARTITION, "is missing", NOON).kept_as is None
    assert not (lake.folder / "curated/_damaged").exists()
