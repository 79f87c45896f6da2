"""Disks that fail: the process dies at a durable step, the system refuses one, or the power goes."""

import copy
import errno
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from snapshots import Snapshot

from ordersetl.storage.disk import Disk, Step

__all__ = [
    "DIES",
    "FAULTS",
    "REFUSES",
    "Account",
    "Died",
    "Fault",
    "FaultyDisk",
    "Loss",
    "Moment",
    "PowerLossDisk",
    "RecordingDisk",
]

Fault = Literal["before", "after", "within", "ENOSPC", "EIO"]
"""The process ends right before, right after or within the step; or the system refuses it, once."""
DIES: tuple[Fault, ...] = ("before", "after", "within")
REFUSES: tuple[Fault, ...] = ("ENOSPC", "EIO")
FAULTS: tuple[Fault, ...] = (*DIES, *REFUSES)

Loss = Literal["all", "some"]
"""What the power takes: all that was not synced, or what a coin says of each entry and file."""


class Died(BaseException):
    """The process ended here; nothing after it touches the disk."""


@dataclass
class FaultyDisk(Disk):
    """Counts the steps, and meets a fault at the ``at``-th one (from 1; 0 for never). Real syncs are left out."""

    at: int = 0
    fault: Fault = "before"
    steps: list[Step] = field(default_factory=list)
    dead: bool = False

    def perform(self, step: Step, action: Callable[[], None]) -> None:
        if self.dead:
            raise Died
        self.steps.append(step)
        done = _no_sync if step.operation in {"sync_file", "sync_folder"} else action
        if len(self.steps) != self.at:
            super().perform(step, done)
            self.note(step)
        elif self.fault in REFUSES:
            super().perform(step, lambda: self._refuse(step, done))
        else:
            self.dead = True
            if self.fault == "after":
                super().perform(step, done)
                self.note(step)
            elif self.fault == "within":
                _half(step, done)
                self.note(step)
            raise Died

    def note(self, step: Step) -> None:
        """Take note of a step that was taken, wholly or in part."""

    def _refuse(self, step: Step, action: Callable[[], None]) -> None:
        if step.operation in {"write", "remove_tree"}:
            _half(step, action)
            self.note(step)
        code = getattr(errno, self.fault)
        raise OSError(code, os.strerror(code))


def _no_sync() -> None:
    """Leave out a real sync."""


def _half(step: Step, action: Callable[[], None]) -> None:
    """Take those steps half that are not one in truth."""
    if not isinstance(step.path, Path):
        return  # a store does what it does whole
    if step.operation == "write":
        action()
        os.truncate(step.path, step.path.stat().st_size // 2)
    elif step.operation == "remove_tree" and step.path.is_dir():
        files = sorted(path for path in step.path.rglob("*") if path.is_file())
        for path in files[::2]:
            path.unlink()


@dataclass
class _File:
    """A file beside its names: what it holds now, and what of it is safe. ``safe`` is None before the first sync."""

    content: bytes
    time_ns: int
    safe: bytes | None


_Node = _File | None
"""A folder is None: it is nothing but its entries."""


class Account:
    """What below a folder would outlive a power failure, by path relative to it.

    The model is what POSIX promises and no more: a file's content is safe when the file was synced, an entry of a
    folder (a name made, moved or removed) when the folder was. Until then either state may be found, of each entry and
    file on its own; an unsynced content may be cut anywhere. The lock file is no part of it.
    """

    def __init__(self, root: Path) -> None:
        names = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.name != ".lock")
        self._live = {name: _read(root / name, safe=True) for name in sorted(names)}
        self._safe = dict(self._live)

    def note(self, root: Path, step: Step) -> None:
        """Take in a step that was taken below this folder."""
        path = step.path
        assert isinstance(path, Path)
        if path.name == ".lock":
            return
        name = _name(root, path)
        if step.operation == "sync_file":
            file = self._live[name]
            assert file is not None
            file.safe = file.content
        elif step.operation == "sync_folder":
            self._sync_folder(name)
        elif step.operation == "rename":
            assert step.source is not None
            source = _name(root, step.source)
            for old in [old for old in self._live if _is_within(old, source)]:
                self._live[name + old.removeprefix(source)] = self._live.pop(old)
        else:
            self._look_again(root, path)

    def lose_power(self, loss: Loss, coin: random.Random) -> Snapshot:
        """What the failure leaves."""
        left: dict[str, _Node] = {}
        for name in sorted({*self._safe, *self._live}):
            if (parent := _parent(name)) and parent not in left:
                continue
            entries = [entries for entries in (self._safe, self._live) if name in entries]
            differs = len(entries) == 1 or self._safe[name] is not self._live[name]
            keeps = loss == "some" and coin.random() < 0.5
            source = (self._live if keeps else self._safe) if differs else self._live
            if name in source:
                left[name] = source[name]
        return Snapshot.of(
            {
                name: None
                if file is None
                else (file.content if file.safe == file.content else _cut(file, loss, coin), file.time_ns)
                for name, file in left.items()
            }
        )

    def _sync_folder(self, folder: str) -> None:
        for name in [name for name in self._safe if name not in self._live and _parent(name) == folder]:
            for gone in [gone for gone in self._safe if _is_within(gone, name)]:
                del self._safe[gone]
        self._safe |= {name: entry for name, entry in self._live.items() if _parent(name) == folder}

    def _look_again(self, root: Path, path: Path) -> None:
        """Bring the account of a path and all below it to what is there."""
        found = {_name(root, below) for below in (path, *path.rglob("*"))} if os.path.lexists(path) else set()
        for gone in [gone for gone in self._live if _is_within(gone, _name(root, path)) and gone not in found]:
            del self._live[gone]
        for new in sorted(found):
            entry = self._live.get(new)
            if new not in self._live or (entry is not None and entry.content != (root / new).read_bytes()):
                self._live[new] = _read(root / new, safe=False)


class PowerLossDisk(FaultyDisk):
    """Keeps account of what would outlive a power failure; from ``account`` on, which an earlier process left."""

    def __init__(self, root: Path, at: int = 0, fault: Fault = "before", account: Account | None = None) -> None:
        super().__init__(at, fault)
        self.root = root
        self.account = account or Account(root)

    def note(self, step: Step) -> None:
        self.account.note(self.root, step)


@dataclass(frozen=True)
class Moment:
    """What is on disk once a step was taken, and what of it would outlive a power failure; no step is the beginning."""

    step: Step | None
    snapshot: Snapshot
    account: Account


class RecordingDisk(PowerLossDisk):
    """Keeps each moment of a run: as if it had died there, and anew for each step."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.moments = [self._record(None)]

    def note(self, step: Step) -> None:
        super().note(step)
        self.moments.append(self._record(step))

    def within(self, n: int) -> Snapshot:
        """What a death within the n-th step (from 1) leaves: half a file, half of a tree, else what was before."""
        step, before = self.steps[n - 1], self.moments[n - 1].snapshot
        assert isinstance(step.path, Path)
        if step.operation == "write":
            return self.moments[n].snapshot.cut(_name(self.root, step.path))
        return before.thin_out(_name(self.root, step.path)) if step.operation == "remove_tree" else before

    def _record(self, step: Step | None) -> Moment:
        return Moment(step, Snapshot.take(self.root), copy.deepcopy(self.account))


def _name(root: Path, path: Path) -> str:
    """A path relative to the root, which is empty itself."""
    return "" if path == root else path.relative_to(root).as_posix()


def _parent(name: str) -> str:
    return name.rpartition("/")[0]


def _is_within(name: str, folder: str) -> bool:
    return name == folder or name.startswith(f"{folder}/")


def _cut(file: _File, loss: Loss, coin: random.Random) -> bytes:
    if loss == "all":
        return file.safe or b""
    return coin.choice([file.safe or b"", file.content, file.content[: coin.randrange(len(file.content) + 1)]])


def _read(path: Path, *, safe: bool) -> _Node:
    if path.is_dir():
        return None
    content = path.read_bytes()
    return _File(content, path.stat().st_mtime_ns, content if safe else None)
