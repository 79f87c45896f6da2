"""Disks that fail: the process dies at a durable step, the system refuses one, or the power goes."""

import errno
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ordersetl.storage.disk import Disk, Step

__all__ = ["DIES", "FAULTS", "REFUSES", "Died", "Fault", "FaultyDisk", "Loss", "PowerLossDisk"]

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


_Entry = _File | None
"""A folder is None: it is nothing but its entries."""


class PowerLossDisk(FaultyDisk):
    """Keeps account of what would outlive a power failure, and takes away the rest at :meth:`lose_power`.

    The model is what POSIX promises and no more: a file's content is safe when the file was synced, an entry of a
    folder (a name made, moved or removed) when the folder was. Until then either state may be found, of each entry and
    file on its own; an unsynced content may be cut anywhere. The lock file is no part of it.
    """

    def __init__(self, root: Path, at: int = 0, fault: Fault = "before") -> None:
        super().__init__(at, fault)
        self.root = root
        self._live = {path: _read(path, safe=True) for path in sorted(root.rglob("*")) if path.name != ".lock"}
        self._safe = dict(self._live)

    def restart(self, at: int, fault: Fault = "before") -> None:
        """Begin a new process on the same disk, which keeps account of what the old one left unsynced."""
        self.at, self.fault, self.dead = at, fault, False
        self.steps.clear()

    def note(self, step: Step) -> None:
        path = step.path
        assert isinstance(path, Path)
        if path.name == ".lock":
            return
        if step.operation == "sync_file":
            self._sync_file(path)
        elif step.operation == "sync_folder":
            self._sync_folder(path)
        elif step.operation == "rename":
            assert step.source is not None
            for old in [old for old in self._live if _is_within(old, step.source)]:
                self._live[path / old.relative_to(step.source)] = self._live.pop(old)
        else:
            self._look_again(path)

    def _sync_file(self, path: Path) -> None:
        file = self._live[path]
        assert file is not None
        file.safe = file.content

    def _sync_folder(self, folder: Path) -> None:
        for path in [path for path in self._safe if path not in self._live and path.parent == folder]:
            for gone in [gone for gone in self._safe if _is_within(gone, path)]:
                del self._safe[gone]
        self._safe |= {path: entry for path, entry in self._live.items() if path.parent == folder}

    def _look_again(self, path: Path) -> None:
        """Bring the account of a path and all below it to what is there."""
        found = {path, *path.rglob("*")} if os.path.lexists(path) else set()
        for gone in [gone for gone in self._live if _is_within(gone, path) and gone not in found]:
            del self._live[gone]
        for new in sorted(found):
            entry = self._live.get(new)
            if new not in self._live or (entry is not None and entry.content != new.read_bytes()):
                self._live[new] = _read(new, safe=False)

    def lose_power(self, loss: Loss, coin: random.Random) -> None:
        """Leave on disk what the failure leaves, and keep account from there."""
        left: dict[Path, _Entry] = {}
        for path in sorted({*self._safe, *self._live}):
            if path.parent != self.root and path.parent not in left:
                continue
            entries = [entries for entries in (self._safe, self._live) if path in entries]
            differs = len(entries) == 1 or self._safe[path] is not self._live[path]
            keeps = loss == "some" and coin.random() < 0.5
            source = (self._live if keeps else self._safe) if differs else self._live
            if path in source:
                left[path] = source[path]
        for path in sorted(self.root.rglob("*"), reverse=True):
            if path.name != ".lock" and path not in left:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path, file in left.items():
            if file is None:
                path.mkdir(exist_ok=True)
                continue
            content = file.content if file.safe == file.content else _cut(file, loss, coin)
            if not path.is_file() or path.read_bytes() != content or path.stat().st_mtime_ns != file.time_ns:
                path.write_bytes(content)
                os.utime(path, ns=(file.time_ns, file.time_ns))
        self._live = {path: _read(path, safe=True) for path in left}
        self._safe = dict(self._live)


def _is_within(path: Path, folder: Path) -> bool:
    return path == folder or str(path).startswith(f"{folder}/")


def _cut(file: _File, loss: Loss, coin: random.Random) -> bytes:
    if loss == "all":
        return file.safe or b""
    return coin.choice([file.safe or b"", file.content, file.content[: coin.randrange(len(file.content) + 1)]])


def _read(path: Path, *, safe: bool) -> _Entry:
    if path.is_dir():
        return None
    content = path.read_bytes()
    return _File(content, path.stat().st_mtime_ns, content if safe else None)
