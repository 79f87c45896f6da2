"""The staged cache: typed orders and lines of one batch, and its quarantine, derived from raw alone.

A batch's folder counts once its ``stage.json`` is valid and fits: made by these rules, from this very batch, and every
file with the hash that it records. Anything else is staged again.
"""

from collections.abc import Mapping
from datetime import date

import msgspec

from ordersetl.errors import CorruptedError
from ordersetl.lake.checksum import decode_record, encode_record
from ordersetl.lake.counts import BatchCounts
from ordersetl.lake.field_counts import FieldCounts
from ordersetl.lake.fold_settings import FoldSettings
from ordersetl.lake.integrity import find_problem
from ordersetl.lake.kept_files import ReferenceEntry
from ordersetl.lake.layout import QUARANTINE, STAGED, Lake, quarantine_key, staged_key
from ordersetl.lake.manifest import Manifest, QuarantineEntry
from ordersetl.lake.records import check_stage
from ordersetl.storage.columns import ColumnFile

__all__ = [
    "PartEntry",
    "StageMarker",
    "StagedFile",
    "find_damaged_quarantine",
    "find_stage",
    "has_quarantine",
    "has_rejects",
    "has_size",
    "is_staged_again",
    "list_staged",
    "read_stage",
    "write_stage",
]

MARKER = "stage.json"
_MAX_BYTES = 1 << 30


class StagedFile(msgspec.Struct, frozen=True):
    """One file of the cache, by name within its folder."""

    name: str
    sha256: str
    bytes: int
    rows: int


class PartEntry(msgspec.Struct, frozen=True):
    """What one chunk of pages became: orders (a row a version), lines (a row a version and SKU), rejects, refunds.

    ``refunds`` has a row a version, refund and SKU; None where none of its orders has a refund. These files are sorted
    by day: ``days``, ``line_days`` and ``refund_days`` say how many rows each day has in them, in that order. ``gone``
    orders have no day, for their order leaves with them; they come first.
    """

    orders: StagedFile
    lines: StagedFile
    rejects: StagedFile
    refunds: StagedFile | None
    days: dict[date, int]
    line_days: dict[date, int]
    refund_days: dict[date, int]
    gone: int = 0


class StageMarker(msgspec.Struct, frozen=True):
    """What a batch holds under the rules by which it was staged.

    ``settings`` are those that it was made under. ``source_digest`` is the SHA-256 of the raw batch's marker,
    ``references`` are the files that came with it. So all that a load needs of a batch is here. The quarantine file is
    the rejects of all parts; without any there is none. ``fields`` are what its records have.
    """

    batch: str
    rules: int
    source_digest: str
    references: dict[str, ReferenceEntry]
    settings: FoldSettings
    parts: tuple[PartEntry, ...]
    counts: BatchCounts
    quarantine_sha256: str
    quarantine_bytes: int
    fields: FieldCounts = FieldCounts()

    @property
    def days(self) -> set[date]:
        """Days that have orders in it."""
        return {day for part in self.parts for day in part.days}

    @property
    def orders(self) -> int:
        """Accepted order versions."""
        return sum(part.orders.rows for part in self.parts)

    @property
    def rows(self) -> int:
        """Rows at the grain (order version, SKU)."""
        return sum(part.lines.rows for part in self.parts)

    def columns(self, lake: Lake, file: StagedFile) -> ColumnFile:
        """A file of one of the parts."""
        return lake.storage.open_columns(staged_key(self.batch, file.name))


def find_stage(
    lake: Lake, batch: str, *, rules: int, settings: FoldSettings, source_digest: str | None
) -> StageMarker | None:
    """Marker of a staged batch that fits and whose files are verified by hash; None where it must be staged again.

    ``source_digest`` is None where raw no longer has the batch: then what was staged of it is all there is.
    """
    marker = read_stage(lake, batch)
    if marker is None or marker.rules != rules or marker.settings != settings.of_staging:
        return None
    if source_digest not in {None, marker.source_digest}:
        return None
    files = [file for part in marker.parts for file in (part.orders, part.lines, part.refunds) if file is not None]
    return marker if _are_valid(lake, marker, files) else None


def write_stage(lake: Lake, marker: StageMarker) -> None:
    """Make a staged batch count."""
    lake.storage.put(staged_key(marker.batch, MARKER), encode_record(marker), durability="none")


def has_rejects(lake: Lake, marker: StageMarker) -> bool:
    """Whether the rejects of a staged batch, which its quarantine file is made of, are verified by hash."""
    return _are_valid(lake, marker, [part.rejects for part in marker.parts])


def has_quarantine(lake: Lake, marker: StageMarker) -> bool:
    """Whether the quarantine file of a staged batch is verified by hash, or not needed."""
    if not marker.quarantine_bytes:
        return True
    recorded = QuarantineEntry(marker.quarantine_sha256, marker.quarantine_bytes, 0, 0)
    return find_problem(lake, quarantine_key(marker.batch), recorded) is None


def has_size(lake: Lake, stage: StageMarker, file: StagedFile) -> bool:
    """Whether one of its files is a regular one of the size that is recorded."""
    found = lake.storage.stat(staged_key(stage.batch, file.name))
    return found is not None and not found.problem and found.bytes == file.bytes


def is_staged_again(lake: Lake, batch: str, manifest: Manifest) -> bool:
    """Whether its quarantine file is that of a staging that was not loaded, under other settings or newer rules."""
    stage = read_stage(lake, batch)
    if stage is None:
        return False
    is_other = stage.settings != manifest.settings.of_staging or stage.rules > manifest.rules
    return is_other and has_quarantine(lake, stage)


def find_damaged_quarantine(
    lake: Lake, rejected: Mapping[str, QuarantineEntry], manifest: Manifest, *, verify: bool
) -> dict[str, str]:
    """What is wrong with the quarantine of batches, as sentences: by size and time, or by hash with ``verify``.

    Args:
        lake: the output.
        rejected: what was recorded of the batches that were applied.
        manifest: that says so, by which settings and rules they were.
        verify: hash the files, instead of trusting size and time.
    """
    problems = {}
    look = lake.storage.looks(QUARANTINE, deep=True).stat if rejected else None
    for batch, entry in rejected.items():
        trusted = None if verify else entry.mtime_ns
        problem = find_problem(lake, quarantine_key(batch), entry, trusted_time_ns=trusted, look=look)
        if problem is not None and not is_staged_again(lake, batch, manifest):
            problems[batch] = f"{'its' if problem.recorded else 'it'} {problem.text}"
    return problems


def list_staged(lake: Lake, batch: str, role: str) -> list[str]:
    """Keys of the files of a batch whose names begin with a role, such as ``orders-``, sorted."""
    names = [entry.name for entry in lake.storage.entries(f"{STAGED}/{batch}")]
    return [staged_key(batch, name) for name in names if name.startswith(role)]


def read_stage(lake: Lake, batch: str) -> StageMarker | None:
    """Marker of a staged batch as it is there, its files not looked at; None where it is missing or damaged."""
    try:
        marker = decode_record(lake.storage.read(staged_key(batch, MARKER), _MAX_BYTES), StageMarker)
        check_stage(marker, batch)
    except (OSError, CorruptedError):
        return None
    return marker


def _are_valid(lake: Lake, marker: StageMarker, files: list[StagedFile]) -> bool:
    return all(find_problem(lake, staged_key(marker.batch, file.name), file) is None for file in files)
