"""The staged cache: typed orders and lines of one batch, and its quarantine, derived from raw alone.

A batch's folder counts from the moment its ``stage.json`` is whole and fits: made by these rules, from this very
batch, and every file with the hash it records. Anything else is made again.
"""

from datetime import date
from pathlib import Path

import msgspec

from ordersetl.errors import DamagedError
from ordersetl.lake.disk import hash_file
from ordersetl.lake.layout import Lake
from ordersetl.lake.seal import seal, unseal

__all__ = ["PartEntry", "StageMarker", "StagedFile", "find_stage", "read_stage", "write_stage"]

MARKER = "stage.json"


class StagedFile(msgspec.Struct, frozen=True):
    """One file of the cache, by name within its folder."""

    name: str
    sha256: str
    bytes: int
    rows: int


class PartEntry(msgspec.Struct, frozen=True):
    """What one chunk of pages became: orders (a row a version), lines (a row a version and SKU), rejects."""

    orders: StagedFile
    lines: StagedFile
    rejects: StagedFile


class StageMarker(msgspec.Struct, frozen=True):
    """What a batch holds under the rules that made it; the counts are those of results.TransformResult."""

    batch: str
    rules: int
    source_digest: str
    parts: tuple[PartEntry, ...]
    days: tuple[date, ...]
    received: int
    accepted: int
    outside_window: int
    rejected: dict[str, int]
    lines_received: int
    lines_accepted: int
    lines_rejected: dict[str, int]
    texts_cut: int
    quarantine_sha256: str
    quarantine_bytes: int

    @property
    def rows(self) -> int:
        """Rows at the grain (order version, SKU)."""
        return sum(part.lines.rows for part in self.parts)

    def orders_paths(self, lake: Lake) -> list[Path]:
        """Files of typed orders, in the order of their pages."""
        return [lake.staged / self.batch / part.orders.name for part in self.parts]

    def lines_paths(self, lake: Lake) -> list[Path]:
        """Files of typed lines, in the order of their pages."""
        return [lake.staged / self.batch / part.lines.name for part in self.parts]


def read_stage(lake: Lake, batch: str) -> StageMarker | None:
    """Marker of a staged batch, its files unproven; None where there is none or it is damaged."""
    path = lake.staged / batch / MARKER
    try:
        return None if path.is_symlink() else unseal(path.read_bytes(), StageMarker)
    except (OSError, DamagedError):
        return None


def find_stage(lake: Lake, batch: str, *, rules: int, source_digest: str) -> StageMarker | None:
    """Marker of a staged batch that fits and whose every file is proven whole; None where it must be made again."""
    marker = read_stage(lake, batch)
    if marker is None or (marker.rules, marker.source_digest) != (rules, source_digest):
        return None
    folder = lake.staged / batch
    files = [file for part in marker.parts for file in (part.orders, part.lines)]
    if folder.is_symlink() or not all(_is_whole(folder / file.name, file) for file in files):
        return None
    return marker


def write_stage(lake: Lake, marker: StageMarker) -> None:
    """Make a staged batch count."""
    lake.disk.publish(lake.staged / marker.batch / MARKER, seal(marker), sync=False)


def _is_whole(path: Path, file: StagedFile) -> bool:
    try:
        return path.is_file() and path.stat().st_size == file.bytes and hash_file(path) == file.sha256
    except OSError:
        return False
