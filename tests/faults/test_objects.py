"""Object storage: a death, a refusal and a pause at every step of a commit."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from faulty import Died, FaultyDisk
from shop_story import NOW, Shop, readers_files
from store import BUCKET, copy_keys, memory_store, read_keys

from ordersetl import pipeline
from ordersetl.check import committed
from ordersetl.check.layer import check as check_layer
from ordersetl.errors import LockedError, StorageError
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import read_manifest
from ordersetl.results import CheckResult
from ordersetl.storage.disk import Disk, Step
from ordersetl.url import ObjectUrl

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("obstore", reason="the extra s3 is not installed")

LATER = NOW + timedelta(days=1)
LAST = NOW + timedelta(days=2)
FIRST = ObjectUrl(BUCKET, "first")


@dataclass
class World:
    """A store that holds the first chapter, and what readers find before and after the second."""

    store: Any
    folder: "Path"
    before: dict[str, bytes]
    after: dict[str, bytes]
    cases: int = 0
    found_well: set[str] = field(default_factory=set)
    """States that the deep check found well: equal ones need no second look."""

    @property
    def shop(self) -> Shop:
        return Shop(self.folder / "files")

    def begin(self) -> ObjectUrl:
        """An output of its own that holds the first chapter."""
        self.cases += 1
        root = ObjectUrl(BUCKET, f"case-{self.cases}")
        copy_keys(self.store, FIRST, root)
        return root

    def find_torn(self, root: ObjectUrl) -> list[str]:
        """Literal files that are neither what they were nor what they become."""
        found = readable(self.store, root).items()
        return [file for file, data in found if data not in {self.before.get(file), self.after.get(file)}]

    def find_wrong(self, root: ObjectUrl) -> list[str]:
        """What is wrong after all has been said and done."""
        state, wrong = state_to_check(self.store, root), self.find_unlike(root)
        if state not in self.found_well:
            result: CheckResult = pipeline.check(self.shop.settings(root), deep=True)  # type: ignore[arg-type]
            wrong += [f"check {o.name}: {o.detail} {o.samples}" for o in result.outcomes if not o.ok]
            if result.ok:
                self.found_well.add(state)
        return wrong

    def find_unlike(self, root: ObjectUrl) -> list[str]:
        """Literal files that are not what they become, and whether the commit is at its end."""
        found = readable(self.store, root)
        wrong = [f"{file} differs" for file in sorted({*found, *self.after}) if found.get(file) != self.after.get(file)]
        names = json.loads(read_keys(self.store, root)["curated/_manifest.json"])
        return wrong if names["is_closed"] else [*wrong, "the manifest is open"]


def readable(store: Any, root: ObjectUrl) -> dict[str, bytes]:
    """What a reader of literal names finds, by path below ``curated/``."""
    found = read_keys(store, root / "curated")
    return {file: data for file, data in found.items() if not file.startswith("_")}


def state_to_check(store: Any, root: ObjectUrl) -> str:
    """All that ``check`` judges, as text, without what differs from run to run."""
    manifest = read_manifest(Lake(root, Disk()))
    assert manifest is not None
    found = read_keys(store, root)
    counted: list[object] = [
        (name, entry.sha256, entry.rows, entry.orders, sorted(entry.sums.items(), key=str))
        for name, entry in sorted(manifest.files.items())
    ]
    counted += [len(manifest.batches), [entry.sha256 for entry in manifest.tombstones]]
    counted += [sum(key.endswith("/batch.json") for key in found), [drift.field for drift in manifest.fields.drift]]
    hashes = {key: hashlib.sha256(data).hexdigest() for key, data in found.items()}
    bodies = [hash_ for key, hash_ in hashes.items() if re.match("quarantine/|raw/.*/page-", key)]
    curated = [(key, hash_) for key, hash_ in hashes.items() if re.match("curated/(?!_manifest)", key)]
    return json.dumps([counted, sorted(bodies), sorted(curated)], default=str)


def remember_checks(store: Any, patch: pytest.MonkeyPatch) -> None:
    """Have no run check again what a check found well. It reads only, and sees the very same."""
    found = dict[str, CheckResult]()

    def remembered(lake: Lake, *, days: Collection[date] | None = None, **others: Any) -> CheckResult:
        if days is None:
            return check_layer(lake, **others)
        assert isinstance(lake.root, ObjectUrl)
        seen = json.dumps([sorted(map(str, days)), others.get("dimensions"), state_to_check(store, lake.root)])
        result = found.get(seen) or check_layer(lake, days=days, **others)
        if result.ok:
            found[seen] = result
        return result

    patch.setattr(committed, "check", remembered)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("objects")
    local = {}
    for chapter in (1, 2):
        Shop(folder / "files", chapter=chapter).run(folder / "local", FaultyDisk(), NOW + timedelta(days=chapter))
        local[chapter] = readers_files(folder / "local")
    with memory_store() as store:
        Shop(folder / "files", chapter=1).run(FIRST, FaultyDisk(), NOW - timedelta(days=1))  # type: ignore[arg-type]
        assert readable(store, FIRST) == local[1]
        Shop(folder / "files")
        with pytest.MonkeyPatch.context() as patch:
            remember_checks(store, patch)
            yield World(store, folder, local[1], local[2])


@pytest.fixture(scope="module")
def steps(world: World) -> list[Step]:
    disk = FaultyDisk()
    root = world.begin()
    world.shop.run(root, disk)  # type: ignore[arg-type]
    assert world.find_wrong(root) == []
    return disk.steps


def meet(world: World, root: ObjectUrl, disk: Disk, now: Any = NOW) -> None:
    """Run until the fault."""
    try:
        world.shop.run(root, disk, now)  # type: ignore[arg-type]
    except (Died, StorageError):
        return


def test_the_bytes_are_those_on_disk_and_every_step_is_taken(steps: list[Step]) -> None:
    assert {step.operation for step in steps} == {"put", "put_new", "replace", "remove_if", "remove_tree"}
    assert len(steps) > 40


@pytest.mark.parametrize("fault", ["after", "EIO"])
def test_a_fault_anywhere_is_repaired(world: World, steps: list[Step], fault: Any) -> None:
    wrong = []
    for n in range(1, len(steps) + 1):
        root = world.begin()
        meet(world, root, FaultyDisk(n, fault))
        found = [f"torn: {file}" for file in world.find_torn(root)]
        world.shop.run(root, FaultyDisk(), LATER)  # type: ignore[arg-type]
        wrong += [(n, steps[n - 1].operation, str(steps[n - 1].path), *found, *world.find_wrong(root))]
    assert [case for case in wrong if len(case) > 3] == []


def test_a_second_fault_in_the_recovery_is_repaired(world: World, steps: list[Step]) -> None:
    wrong = []
    for n in range(1, len(steps) + 1, 2):
        root = world.begin()
        meet(world, root, FaultyDisk(n, "after"))
        meet(world, root, FaultyDisk(1 + 5 * n % 23, "after"), LATER)
        world.shop.run(root, FaultyDisk(), LAST)  # type: ignore[arg-type]
        wrong += [(n, *world.find_wrong(root))]
    assert [case for case in wrong if len(case) > 1] == []


@dataclass
class PausingDisk(Disk):
    """Lets something else happen right before its ``at``-th step, or right after it."""

    at: int
    act: Callable[[], None]
    after: bool = False
    steps: list[Step] = field(default_factory=list)

    def perform(self, step: Step, action: Callable[[], None]) -> None:
        self.steps.append(step)
        if len(self.steps) == self.at and not self.after:
            self.act()
        super().perform(step, action)
        if len(self.steps) == self.at and self.after:
            self.act()


@pytest.mark.parametrize("after", [False, True])
def test_a_writer_that_was_paused_while_another_committed_does_no_harm(
    world: World, steps: list[Step], *, after: bool
) -> None:
    wrong = []
    for n in range(1, len(steps) + 1):
        root = world.begin()

        def overtake(root: ObjectUrl = root) -> None:
            world.shop.run(root, FaultyDisk(), LATER)  # type: ignore[arg-type]

        with suppress(LockedError, StorageError):
            world.shop.run(root, PausingDisk(n, overtake, after))  # type: ignore[arg-type]
        found = [f"right after: {problem}" for problem in world.find_unlike(root)] if n > 3 else []
        world.shop.run(root, FaultyDisk(), LAST)  # type: ignore[arg-type]
        wrong += [(n, steps[n - 1].operation, str(steps[n - 1].path), *found, *world.find_wrong(root))]
    assert [case for case in wrong if len(case) > 3] == []
