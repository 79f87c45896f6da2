"""The staged cache: it counts only where every byte is what the marker records."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from lakes import open_job, order, run, spoil, transform, write_batch

from ordersetl.check.layer import check
from ordersetl.lake.counts import BatchCounts
from ordersetl.lake.fold_settings import DEFAULTS, FoldSettings
from ordersetl.lake.manifest import QuarantineEntry, read_manifest
from ordersetl.lake.rejected import read_rejected
from ordersetl.lake.staged import (
    StageMarker,
    find_damaged_quarantine,
    find_stage,
    has_quarantine,
    has_rejects,
    write_stage,
)
from ordersetl.runtime import RunContext
from ordersetl.star.rules import RULES

BATCH = "20250901T000000.000000Z"
USERS = b"user_id,email,country,created_at\n"


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    with open_job(tmp_path / "output") as opened:
        write_batch(opened, [order(), order("bad", amount=-1), order("o-2")], batch_id=BATCH, users=USERS)
        write_batch(opened, [order()])
        yield opened


@pytest.fixture
def marker(context: RunContext) -> StageMarker:
    transform(context)
    found = find_stage(context.lake, BATCH, rules=RULES, settings=DEFAULTS, source_digest=None)
    assert found is not None
    return found


def test_a_marker_has_all_that_a_load_needs(context: RunContext, marker: StageMarker) -> None:
    counts = marker.counts
    assert (counts.received, counts.accepted, counts.rejected, marker.rows) == (3, 2, {"invalid_amount": 1}, 2)
    assert [entry.name for entry in marker.references.values()] == ["users.csv"]
    files = [file for part in marker.parts for file in (part.orders, part.lines)]
    assert all(Path(str(marker.columns(context.lake, file))).is_file() for file in files)


def test_other_rules_or_another_source_do_not_count(context: RunContext, marker: StageMarker) -> None:
    lake, digest = context.lake, marker.source_digest
    assert find_stage(lake, BATCH, rules=RULES, settings=DEFAULTS, source_digest=digest) == marker
    assert find_stage(lake, BATCH, rules=RULES + 1, settings=DEFAULTS, source_digest=digest) is None
    assert find_stage(lake, BATCH, rules=RULES, settings=DEFAULTS, source_digest="0" * 64) is None


def test_a_folder_under_another_name_does_not_count(context: RunContext, marker: StageMarker) -> None:
    shutil.copytree(context.lake.folder / "staged" / BATCH, context.lake.folder / "staged" / "20250902T000000.000000Z")
    assert (
        find_stage(context.lake, "20250902T000000.000000Z", rules=marker.rules, settings=DEFAULTS, source_digest=None)
        is None
    )


@pytest.mark.parametrize("name", ["stage.json", "orders-00001.parquet", "lines-00001.parquet"])
@pytest.mark.parametrize(
    "harm",
    [
        Path.unlink,
        spoil,
        lambda path: path.write_bytes(b""),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.rename(path.with_suffix(".moved")), path.symlink_to(path.with_suffix(".moved"))),
    ],
)
def test_damage_makes_it_not_count(
    context: RunContext, marker: StageMarker, name: str, harm: Callable[[Path], object]
) -> None:
    harm(context.lake.folder / "staged" / marker.batch / name)
    assert find_stage(context.lake, BATCH, rules=RULES, settings=DEFAULTS, source_digest=None) is None


def test_a_linked_folder_does_not_count(context: RunContext, marker: StageMarker, tmp_path: Path) -> None:
    folder = context.lake.folder / "staged" / marker.batch
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert find_stage(context.lake, BATCH, rules=RULES, settings=DEFAULTS, source_digest=None) is None


def test_rejects_and_quarantine_are_verified_apart(context: RunContext, marker: StageMarker) -> None:
    lake = context.lake
    assert has_rejects(lake, marker)
    assert has_quarantine(lake, marker)
    spoil(lake.folder / "staged" / BATCH / "rejects-00001.ndjson")
    spoil(lake.folder / "quarantine" / f"{BATCH}.ndjson")
    assert find_stage(lake, BATCH, rules=RULES, settings=DEFAULTS, source_digest=None) == marker
    assert not has_rejects(lake, marker)
    assert not has_quarantine(lake, marker)


def test_without_rejects_there_is_no_quarantine_to_miss(context: RunContext, marker: StageMarker) -> None:
    assert has_quarantine(context.lake, msgspec.structs.replace(marker, quarantine_bytes=0, batch="none"))
    assert [path.name for path in (context.lake.folder / "quarantine").iterdir()] == [f"{BATCH}.ndjson"]


def test_a_marker_is_written_again(context: RunContext, marker: StageMarker) -> None:
    changed = msgspec.structs.replace(marker, counts=BatchCounts(texts_cut=7))
    write_stage(context.lake, changed)
    assert find_stage(context.lake, BATCH, rules=RULES, settings=DEFAULTS, source_digest=None) == changed


def test_quarantine_is_trusted_by_size_and_time_or_by_hash_if_asked(context: RunContext) -> None:
    run(context)
    manifest = read_manifest(context.lake)
    assert manifest is not None
    path = context.lake.folder / "quarantine" / f"{BATCH}.ndjson"

    def damaged(*, verify: bool = False) -> list[str]:
        assert manifest is not None
        rejected = read_rejected(context.lake, manifest)
        return [*find_damaged_quarantine(context.lake, rejected, manifest, verify=verify)]

    assert damaged() == []
    os.utime(path, (1, 1))
    assert damaged() == []
    body = path.read_bytes()
    path.write_bytes(body.replace(b"bad", b"dab"))
    assert damaged() == [BATCH]
    path.write_bytes(body)
    assert damaged(verify=True) == []
    path.unlink()
    assert damaged() == [BATCH]
    assert find_damaged_quarantine(context.lake, {}, manifest, verify=True) == {}


def test_quarantine_of_a_staging_under_other_settings_is_no_damage(context: RunContext) -> None:
    """A mapping was changed, and the run stopped at its rejects: what was loaded is as it was."""
    run(context)
    manifest = read_manifest(context.lake)
    assert manifest is not None
    body = b'{"reason": "of the new mapping"}\n'
    path = context.lake.folder / "quarantine" / f"{BATCH}.ndjson"
    path.write_bytes(body)
    rejected = read_rejected(context.lake, manifest)
    assert find_damaged_quarantine(context.lake, rejected, manifest, verify=False) == {BATCH: "its size differs"}
    stage = find_stage(context.lake, BATCH, rules=RULES, settings=DEFAULTS, source_digest=None)
    assert stage is not None
    of_body = {"quarantine_sha256": hashlib.sha256(body).hexdigest(), "quarantine_bytes": len(body)}
    write_stage(context.lake, msgspec.structs.replace(stage, settings=FoldSettings("CET"), **of_body))
    assert find_damaged_quarantine(context.lake, rejected, manifest, verify=True) == {}
    of_stage = msgspec.structs.replace(manifest, settings=FoldSettings("CET"))
    assert find_damaged_quarantine(context.lake, rejected, of_stage, verify=True) == {BATCH: "its size differs"}
    assert check(context.lake).ok


def test_quarantine_of_a_staging_under_newer_rules_is_no_damage(context: RunContext) -> None:
    run(context)
    manifest = read_manifest(context.lake)
    assert manifest is not None
    rejected = {BATCH: QuarantineEntry("0" * 64, 1, 1, 0)}
    for rules, problems in (
        (RULES, {BATCH: "its size differs"}),
        (RULES - 1, {}),
        (RULES + 1, {BATCH: "its size differs"}),
    ):
        of_rules = msgspec.structs.replace(manifest, rules=rules)
        assert find_damaged_quarantine(context.lake, rejected, of_rules, verify=False) == problems
