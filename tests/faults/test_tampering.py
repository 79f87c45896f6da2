"""Every class of file deleted, cut, emptied, flipped, or replaced by a folder or a link out of the output."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fault_cases import Stage
from faulty import Died, FaultyDisk
from shop_story import NOW, Shop, leftovers, readers_files

from ordersetl import pipeline
from ordersetl.errors import CorruptedError, LockedError, OrdersetlError, StorageError
from ordersetl.lake.commit import Commit
from ordersetl.lake.layout import FACT_FILE, Lake
from ordersetl.status.raw_problems import describe_raw

LATER = NOW + timedelta(minutes=30)
SECRET = b"order_id,sku\nnobody's,business\n"


@dataclass(frozen=True)
class Setup:
    """An output that holds both chapters, and a file outside it."""

    shop: Shop
    output: Path
    outside: Path
    expected: dict[str, bytes]

    def find(self, pattern: str) -> Path:
        """The last file that fits: of batches the newest."""
        return max(self.output.glob(pattern))

    def run(self, *, full: bool = False) -> None:
        self.shop.run(self.output, FaultyDisk(), LATER, full=full)

    def assert_right(self) -> None:
        assert readers_files(self.output) == self.expected
        assert leftovers(self.output) == []
        assert pipeline.check(self.shop.settings(self.output)).ok
        self.assert_outside_untouched()

    def assert_outside_untouched(self) -> None:
        assert [path.name for path in self.outside.iterdir()] == ["fact_order.csv"]
        assert (self.outside / "fact_order.csv").read_bytes() == SECRET


@pytest.fixture
def setup(tmp_path: Path, stage: Stage, loaded: Path) -> Setup:
    output, outside = tmp_path / "output", tmp_path / "outside"
    shutil.copytree(loaded, output)
    shop = Shop(tmp_path / "files")
    outside.mkdir()
    (outside / "fact_order.csv").write_bytes(SECRET)
    return Setup(shop, output, outside, stage.after)


def delete(path: Path, outside: Path) -> None:
    del outside
    path.unlink()


def cut(path: Path, outside: Path) -> None:
    del outside
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path, outside: Path) -> None:
    del outside
    os.truncate(path, 0)


def flip_bit(path: Path, outside: Path) -> None:
    del outside
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def put_folder(path: Path, outside: Path) -> None:
    del outside
    path.unlink()
    path.mkdir()
    (path / "note.txt").write_text("put here by hand")


def put_pipe(path: Path, outside: Path) -> None:
    del outside
    path.unlink()
    os.mkfifo(path)


def put_link(path: Path, outside: Path) -> None:
    path.unlink()
    path.symlink_to(outside / "fact_order.csv")


Corruption = Callable[[Path, Path], None]
CORRUPTIONS: tuple[Corruption, ...] = (delete, cut, empty, flip_bit, put_folder, put_link, put_pipe)
corruptions = pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.__name__)

DERIVED = {
    "staged_parquet": "staged/*/lines-*.parquet",
    "staged_refunds": "staged/*/refunds-*.parquet",
    "staged_rejects": "staged/*/rejects-*.ndjson",
    "stage_json": "staged/*/stage.json",
    "quarantine": "quarantine/*.ndjson",
    "partition": "curated/dt=2025-08-21/fact_order.csv",
    "refunds": "curated/fact_refund/dt=2025-08-21/fact_refund.csv",
    "dimension": "curated/dim_user.csv",
    "manifest": "curated/_manifest.json",
    "index": "index/*.blocks",
    "run_report": "runs/*.json",
    "request": "raw/*/_request.json",
}


@corruptions
@pytest.mark.parametrize("kind", DERIVED)
def test_what_is_derived_is_repaired_by_the_next_load(setup: Setup, kind: str, corruption: Corruption) -> None:
    corruption(setup.find(DERIVED[kind]), setup.outside)
    setup.shop.load(setup.output, FaultyDisk(), LATER)
    setup.assert_right()


@pytest.mark.parametrize("kind", ["partition", "refunds", "dimension", "quarantine", "index"])
def test_a_change_that_keeps_size_and_time_is_found_by_verify(setup: Setup, kind: str) -> None:
    path = setup.find(DERIVED[kind])
    before = path.stat()
    flip_bit(path, setup.outside)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    setup.shop.load(setup.output, FaultyDisk(), LATER, verify=True)
    setup.assert_right()


def test_a_dimension_is_never_built_upon_unverified(setup: Setup) -> None:
    path = setup.output / "curated" / "dim_user.csv"
    before = path.stat()
    flip_bit(path, setup.outside)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    setup.run(full=True)
    setup.assert_right()


RAW = {
    "page": "raw/2*/page-*.json",
    "marker": "raw/2*/batch.json",
    "reference": "raw/reference/{users}.csv",
}


def find_raw(setup: Setup, kind: str) -> Path:
    users = hashlib.sha256((setup.shop.folder / "users.csv").read_bytes()).hexdigest()
    return setup.find(RAW[kind].format(users=users))


@corruptions
@pytest.mark.parametrize("kind", RAW)
def test_raw_is_not_needed_for_what_is_loaded(setup: Setup, kind: str, corruption: Corruption) -> None:
    path = find_raw(setup, kind)
    corruption(path, setup.outside)
    setup.shop.load(setup.output, FaultyDisk(), LATER)
    assert readers_files(setup.output) == setup.expected
    failed = [outcome.name for outcome in pipeline.check(setup.shop.settings(setup.output)).outcomes if not outcome.ok]
    assert failed == (
        ["raw_batches"] if (kind, corruption) == ("marker", delete) else []
    )  # without it there is no batch
    setup.assert_outside_untouched()


@corruptions
@pytest.mark.parametrize("kind", RAW)
def test_damaged_raw_is_named_where_it_is_needed(setup: Setup, kind: str, corruption: Corruption) -> None:
    path = find_raw(setup, kind)
    shutil.rmtree(setup.output / "staged")
    shutil.rmtree(setup.output / "curated")
    corruption(path, setup.outside)
    if (kind, corruption) == (
        "marker",
        delete,
    ):  # then the batch is an unfinished one, and the next run goes on with it
        setup.shop.load(setup.output, FaultyDisk(), LATER)
    else:
        with pytest.raises(StorageError, match=re.escape(str(path))) as caught:
            setup.shop.load(setup.output, FaultyDisk(), LATER)
        assert caught.value.hint
        assert readers_files(setup.output) == {}
    setup.assert_outside_untouched()
    # what the hint says: move it away, and fetch it again
    if kind != "reference" and (kind, corruption) != ("marker", delete):
        shutil.move(path.parent, setup.output.parent / "moved")
    elif path.is_dir() and corruption is put_folder:
        shutil.move(path, setup.output.parent / "moved")
    setup.run(full=True)
    setup.assert_right()


def die_with_pending(setup: Setup) -> Setup:
    """The same setup as a load leaves it that dies when the first partition after the commit point is in place."""
    dry, broken = setup.output.parent / "dry", setup.output.parent / "broken"
    disk = FaultyDisk()
    for copy in (dry, broken):
        shutil.copytree(setup.output, copy)
        shutil.rmtree(copy / "curated")
    setup.shop.load(dry, disk, LATER)
    point = next(n for n, step in enumerate(disk.steps, 1) if step.path.name == "_pending.json")
    last = next(n for n, step in enumerate(disk.steps[point:], point + 1) if step.path.name == FACT_FILE)
    with pytest.raises(Died):
        setup.shop.load(broken, FaultyDisk(last, "after"), LATER)
    assert (broken / "curated" / "_pending.json").exists()
    return Setup(setup.shop, broken, setup.outside, setup.expected)


@corruptions
def test_a_pending_manifest_that_was_tampered_with(setup: Setup, corruption: Corruption) -> None:
    broken = die_with_pending(setup)
    corruption(broken.output / "curated" / "_pending.json", setup.outside)
    broken.run()
    broken.assert_right()


@pytest.mark.parametrize("corruption", [delete, cut, empty, flip_bit], ids=lambda corruption: corruption.__name__)
def test_the_lock_file_may_be_tampered_with_between_runs(setup: Setup, corruption: Corruption) -> None:
    corruption(setup.output / ".lock", setup.outside)
    setup.run(full=True)
    setup.assert_right()


@pytest.mark.parametrize("corruption", [put_folder, put_link], ids=lambda corruption: corruption.__name__)
def test_a_lock_file_that_is_none_is_named(setup: Setup, corruption: Corruption) -> None:
    corruption(setup.output / ".lock", setup.outside)
    with pytest.raises(StorageError, match=r"\.lock") as caught:
        setup.run()
    assert caught.value.hint
    setup.assert_outside_untouched()


def test_a_lock_file_deleted_while_it_is_held(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = Commit.finish

    def lose_lock(commit: Commit, following: object, **named: object) -> None:
        (setup.output / ".lock").unlink()
        finish(commit, following, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Commit, "finish", lose_lock)
    shutil.rmtree(setup.output / "curated" / "dt=2025-08-21")
    kept = readers_files(setup.output)
    with pytest.raises(LockedError, match="deleted or replaced"):
        setup.run(full=True)
    assert readers_files(setup.output) == kept
    monkeypatch.undo()
    setup.run()
    setup.assert_right()


@pytest.mark.parametrize("folder", ["raw", "raw/reference", "staged", "quarantine", "curated", "index", "runs"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_top_folder_that_is_none_is_named_and_left_alone(setup: Setup, folder: str, kind: str) -> None:
    path = setup.output / folder
    shutil.move(path, setup.output.parent / "moved")
    if kind == "link":
        path.symlink_to(setup.outside)
    else:
        path.write_text("not a folder")
    with pytest.raises(StorageError, match="must be a folder of its own") as caught:
        setup.run()
    assert str(path) in caught.value.message
    setup.assert_outside_untouched()
    path.unlink()
    shutil.move(setup.output.parent / "moved", path)
    setup.run()
    setup.assert_right()


FOLDERS = [
    *("curated/dt=2025-08-21", "curated/fact_refund", "curated/fact_refund/dt=2025-08-21"),
    *("staged/*", "raw/2*", "curated/_staging", "curated/_damaged"),
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_replaced_by_a_link_is_never_written_through(setup: Setup, folder: str) -> None:
    found = sorted(setup.output.glob(folder))
    path = found[0] if found else setup.output / folder
    if found:
        shutil.move(path, setup.output.parent / "moved")
    path.symlink_to(setup.outside)
    (setup.output / "curated" / "dim_user.csv").unlink()  # there is something to repair
    if folder.startswith(("raw", "curated/_damaged")):
        with suppress(OrdersetlError):
            setup.run(full=True)
        setup.assert_outside_untouched()
        path.unlink(missing_ok=True)
        if folder.startswith("raw"):
            shutil.move(setup.output.parent / "moved", path)
    setup.run(full=True)
    setup.assert_right()


@pytest.mark.parametrize("kind", ["link", "file"])
@pytest.mark.parametrize("folder", ["dt=2025-08-26", "fact_refund", "fact_refund/dt=2025-08-25"])
def test_a_partition_folder_replaced_while_a_commit_was_pending(setup: Setup, folder: str, kind: str) -> None:
    broken = die_with_pending(setup)
    path = broken.output / "curated" / folder
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(setup.outside) if kind == "link" else path.write_text("not a folder")
    broken.run()
    broken.assert_right()


@pytest.mark.parametrize(
    "name",
    ["_manifest.json", "dim_user.csv", "dt=2025-08-26/fact_order.csv", "fact_refund/dt=2025-08-25/fact_refund.csv"],
)
def test_a_folder_put_in_the_way_while_a_commit_was_pending(setup: Setup, name: str) -> None:
    broken = die_with_pending(setup)
    path = broken.output / "curated" / name
    path.unlink(missing_ok=True)
    (path / "inside").mkdir(parents=True)
    broken.run()
    broken.assert_right()


@pytest.mark.parametrize("command", ["run", "load", "transform"])
def test_missing_raw_is_reported_by_every_command(setup: Setup, command: str, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(setup.output / "raw")
    settings, runtime = setup.shop.settings(setup.output), setup.shop.runtime(FaultyDisk(), LATER)
    result = getattr(pipeline, command)(settings, runtime=runtime)
    said = f"{setup.output / 'raw'} lacks 2 of 2 batches that curated holds"
    assert said in caplog.text
    if command == "run":
        assert [warning.partition(", from")[0] for warning in result.warnings] == [said.replace("2 of 2", "2 of 3")]
    failed = [outcome.name for outcome in pipeline.check(settings).outcomes if not outcome.ok]
    assert failed == ["raw_batches"]


def test_the_hint_at_a_damaged_marker_leads_to_one_that_is_made_again(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    settings, marker = setup.shop.settings(setup.output), setup.find("raw/2*/batch.json")
    marker.write_bytes(marker.read_bytes().replace(b'"pages"', b'"pagez"'))
    with pytest.raises(CorruptedError) as caught:
        setup.run()
    assert f"then remove {marker} alone: `ordersetl run --verify` makes" in caught.value.hint
    marker.unlink()
    caplog.clear()
    (problem,) = describe_raw(Lake(setup.output))
    assert problem.startswith(f"{setup.output / 'raw'} lacks the batch.json of 1 batch")
    batches = next(outcome for outcome in pipeline.check(settings).outcomes if outcome.name == "raw_batches")
    assert batches.samples[0]["problem"] == "has lost its batch.json"
    assert "`ordersetl run --verify` makes a batch.json again" in batches.detail
    setup.run()
    assert "cannot be rebuilt" not in caplog.text
    setup.assert_right()
    pipeline.load(settings, rebuild=True)
    assert pipeline.check(settings, deep=True).ok


def test_of_a_damaged_batch_without_its_pages_a_backup_is_asked_for(setup: Setup) -> None:
    marker = setup.find("raw/2*/batch.json")
    marker.write_bytes(b"{}")
    (marker.parent / "page-00001.json").unlink()
    with pytest.raises(CorruptedError) as caught:
        setup.run()
    assert caught.value.hint.startswith("Restore it from a backup")


def test_an_output_that_is_a_link_to_a_data_disk_works(setup: Setup) -> None:
    shutil.move(setup.output, setup.output.parent / "disk")
    setup.output.symlink_to(setup.output.parent / "disk")
    shutil.rmtree(setup.output / "curated")
    setup.run(full=True)
    setup.assert_right()


def test_orphan_files_are_reported_and_left_alone(setup: Setup) -> None:
    orphans = ["notes.csv", "dt=2025-08-21/copy.csv", "dt=2024-01-01/fact_order.csv"]
    orphans += ["fact_refund/notes.csv", "fact_refund/dt=2025-08-21/x.csv", "fact_refund/dt=2024-01-01/fact_refund.csv"]
    for orphan in orphans:
        (setup.output / "curated" / orphan).parent.mkdir(parents=True, exist_ok=True)
        (setup.output / "curated" / orphan).write_bytes(SECRET)
    setup.shop.load(setup.output, FaultyDisk(), LATER)
    result = pipeline.check(setup.shop.settings(setup.output))
    found = next(outcome for outcome in result.outcomes if outcome.name == "stray_files")
    assert [row["file"].removeprefix("fact_refund/") for row in found.samples] == [
        *("dt=2024-01-01/", "dt=2025-08-21/copy.csv", "notes.csv", "dt=2024-01-01/", "dt=2025-08-21/x.csv")
    ]
    assert found.offending == len(orphans)
    assert all((setup.output / "curated" / orphan).read_bytes() == SECRET for orphan in orphans)
