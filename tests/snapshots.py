"""Outputs as they are between two steps of a run: taken into memory, put back elsewhere, told apart."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

__all__ = ["Entry", "Snapshot"]

Entry = tuple[bytes, int] | None
"""Content and modification time (ns) of a file; None is a folder."""


@dataclass(frozen=True)
class Snapshot:
    """What is below a folder, by path relative to it, parents first. Equal ones are the same for whoever reads them."""

    entries: tuple[tuple[str, Entry], ...]

    @classmethod
    def take(cls, root: Path) -> Self:
        """The folder as it is; it holds nothing but files and folders."""
        return cls.of({path.relative_to(root).as_posix(): _read(path) for path in root.rglob("*")})

    @classmethod
    def of(cls, entries: dict[str, Entry]) -> Self:
        """The same of entries in any order."""
        return cls(tuple(sorted(entries.items())))

    def restore(self, root: Path) -> None:
        """Make the folder anew; files get their times back, by which a load knows them."""
        root.mkdir(mode=0o700)
        for name, entry in self.entries:
            path = root / name
            if entry is None:
                path.mkdir()
            else:
                path.write_bytes(entry[0])
                os.utime(path, ns=(entry[1], entry[1]))

    def cut(self, name: str) -> Self:
        """The same with half of a file's content."""
        entries = dict(self.entries)
        entry = entries[name]
        assert entry is not None
        entries[name] = (entry[0][: len(entry[0]) // 2], entry[1])
        return self.of(entries)

    def thin_out(self, name: str) -> Self:
        """The same without every other file below a folder."""
        files = sorted(path for path, entry in self.entries if entry is not None and path.startswith(f"{name}/"))
        gone = set(files[::2])
        return self.of({path: entry for path, entry in self.entries if path not in gone})


def _read(path: Path) -> Entry:
    return None if path.is_dir() else (path.read_bytes(), path.stat().st_mtime_ns)
