from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty import Died, FaultyDisk

from ordersetl.errors import LockedError
from ordersetl.lake.commit import Commit, recover, staged_name
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import FileEntry, Manifest, read_manifest
from ordersetl.storage.disk import temporary_path
from ordersetl.storage.lock import Lock, acquire_lock

FIRST, SECOND, THIRD = (f"dt=2025-08-2{day}/fact_order.csv" for day in range(3))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def lock(lake: Lake) -> Iterator[Lock]:
    with acquire_lock(lake.folder / ".lock", disk=lake.disk) as lock:
        yield lock


def commit(lake: Lake, lock: Lock, files: dict[str, bytes]) -> None:
    """Commit these files as all there is."""
    under_way = Commit(lake, lock)
    written = {file: under_way.stage(file, data) for file, data in files.items()}
    entries = {file: FileEntry(w.sha256, w.bytes, w.mtime_ns, rows=1) for file, w in written.items()}
    under_way.finish(Manifest(files=entries), base=Manifest(), staged=())


def found(lake: Lake) -> dict[str, bytes]:
    return {
        p.relative_to(lake.folder / "curated").as_posix(): p.read_bytes()
        for p in sorted((lake.folder / "curated").rglob("*.csv"))
    }


def test_a_commit_replaces_adds_and_removes(lake: Lake, lock: Lock) -> None:
    commit(lake, lock, {FIRST: b"1", SECOND: b"2"})
    commit(lake, lock, {SECOND: b"new", THIRD: b"3"})
    assert found(lake) == {SECOND: b"new", THIRD: b"3"}
    manifest = read_manifest(lake)
    assert manifest is not None
    assert (set(manifest.files), manifest.removed) == ({SECOND, THIRD}, (FIRST,))
    assert sorted(path.name for path in (lake.folder / "curated").iterdir()) == [
        "_manifest.json",
        "dt=2025-08-21",
        "dt=2025-08-22",
    ]


def test_staged_names_escape_every_glob() -> None:
    assert staged_name(FIRST) == "dt=2025-08-20~fact_order.csv.new"


def test_20_two_attempts_at_one_file_never_write_into_one(lake: Lake, lock: Lock) -> None:
    disk = FaultyDisk()
    under_way = Commit(Lake(lake.folder, disk), lock)
    for _ in range(2):
        under_way.stage(FIRST, b"1")
    written = [step.path.name for step in disk.steps if step.operation == "write"]
    assert len(set(written)) == 2
    assert not any(name.endswith((".csv", ".new")) for name in written)
    assert [path.name for path in (lake.folder / "curated/_staging").iterdir()] == [staged_name(FIRST)]


def test_without_the_lock_nothing_is_staged_or_committed(lake: Lake, lock: Lock) -> None:
    under_way = Commit(lake, lock)
    under_way.stage(FIRST, b"1")
    (lake.folder / ".lock").unlink()
    with pytest.raises(LockedError):
        under_way.stage(SECOND, b"2")
    with pytest.raises(LockedError):
        under_way.finish(Manifest(), base=Manifest(), staged=())
    assert found(lake) == {}
    assert not (lake.folder / "curated/_pending.json").exists()


def test_recovery_at_every_step_gives_the_old_or_the_new_state(lake: Lake, lock: Lock) -> None:
    states: list[bool] = []
    for n in range(1, 200):
        commit(lake, lock, {FIRST: b"1", SECOND: b"2"})
        disk = FaultyDisk(n, "after")
        try:
            commit(Lake(lake.folder, disk), lock, {SECOND: b"new", THIRD: b"3"})
        except Died:
            recover(lake)
        states.append(SECOND in found(lake) and found(lake)[SECOND] == b"new")
        assert found(lake) == ({SECOND: b"new", THIRD: b"3"} if states[-1] else {FIRST: b"1", SECOND: b"2"})
        assert not (lake.folder / "curated/_staging").exists()
        if not disk.dead:
            break
    assert states == sorted(states)  # before the commit point the old state, after it the new one
    assert states[0] is False
    assert len(states) > 15


def test_recovery_is_reported(lake: Lake, lock: Lock) -> None:
    commit(lake, lock, {FIRST: b"1"})
    assert recover(lake) is False
    (lake.folder / "curated/_manifest.json").rename(lake.folder / "curated/_pending.json")
    assert recover(lake) is True
    assert found(lake) == {FIRST: b"1"}


def test_removals_need_no_manifest_before(lake: Lake, lock: Lock) -> None:
    commit(lake, lock, {FIRST: b"1", SECOND: b"2"})
    with pytest.raises(Died):
        _commit_and_die(lake, lock, {SECOND: b"2"})
    (lake.folder / "curated/_manifest.json").write_bytes(b"damaged")
    assert recover(lake) is True
    assert found(lake) == {SECOND: b"2"}


def _commit_and_die(lake: Lake, lock: Lock, files: dict[str, bytes]) -> None:
    """Die once the commit point is passed."""
    at = next(n for n in range(1, 200) if _dies_pending(lake, lock, files, n))
    assert at
    raise Died


def _dies_pending(lake: Lake, lock: Lock, files: dict[str, bytes], n: int) -> bool:
    try:
        commit(Lake(lake.folder, FaultyDisk(n, "after")), lock, files)
    except Died:
        return (lake.folder / "curated/_pending.json").exists()
    raise AssertionError("there was no pending manifest")


def test_a_staging_folder_that_is_a_link_is_not_followed(lake: Lake, lock: Lock, tmp_path: Path) -> None:
    commit(lake, lock, {FIRST: b"1"})
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / staged_name(FIRST)).write_bytes(b"1")
    (lake.folder / "curated/_manifest.json").rename(lake.folder / "curated/_pending.json")
    (lake.folder / "curated/_staging").symlink_to(outside)
    recover(lake)
    assert (outside / staged_name(FIRST)).read_bytes() == b"1"
    assert not (lake.folder / "curated/_staging").is_symlink()


def test_temporary_files_of_all_kinds_are_removed(lake: Lake, lock: Lock) -> None:
    commit(lake, lock, {FIRST: b"1"})
    left = [
        temporary_path(path)
        for path in (
            lake.folder / "curated/_pending.json",
            lake.folder / "runs" / "r.json",
            lake.folder / "quarantine" / "b.ndjson",
            lake.folder / "raw/reference" / "r.csv",
            lake.folder / "index" / "i.arrow",
        )
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (lake.folder / "runs" / "r.json").touch()
    recover(lake)
    assert not any(path.exists() for path in left)
    assert (lake.folder / "runs" / "r.json").exists()
