"""What a load builds on, and which batches it folds over that."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import msgspec

from ordersetl.errors import CorruptedError, StorageError
from ordersetl.lake import index
from ordersetl.lake.integrity import examine, move_to_damaged
from ordersetl.lake.layout import MANIFEST, MANIFEST_FILE, RAW, Lake, file_day, partition_day, refund_day
from ordersetl.lake.listing import HINT_AT_LOST, list_unfinished
from ordersetl.lake.manifest import FileEntry, IndexEntry, Manifest, QuarantineEntry, check_timezone, read_manifest
from ordersetl.lake.rejected import read_rejected
from ordersetl.lake.segments import BrokenSegmentError
from ordersetl.lake.staged import StageMarker
from ordersetl.results import Damage
from ordersetl.runtime import RunContext
from ordersetl.star.dimensions import DIMENSIONS, Dimension
from ordersetl.star.rules import RULES
from ordersetl.storage.columns import ColumnFile
from ordersetl.text import many

__all__ = ["CurrentState", "Part", "Plan", "list_parts", "plan_batches", "read_current_state"]


class CurrentState(msgspec.Struct):
    """What the next state builds on: the manifest, its valid files, and what was found damaged.

    A day's files are valid only together. ``rebuild``: no curated file is trusted, and all batches are folded again.
    ``lost_tombstones``: which orders have left must come from history; ``lost_members``: what they say of users and
    products must. ``rejected`` are the quarantine files; None where these must.
    """

    manifest: Manifest
    valid: dict[str, FileEntry]
    rebuild: bool
    damages: list[Damage]
    lost_tombstones: bool = False
    lost_members: bool = False
    rejected: dict[str, QuarantineEntry] | None = None

    @property
    def partitions(self) -> dict[date, FileEntry]:
        """Valid files of fact_order by day."""
        days = ((partition_day(file), entry) for file, entry in self.valid.items())
        return {day: entry for day, entry in days if day is not None}

    @property
    def refunds(self) -> dict[date, FileEntry]:
        """Valid files of fact_refund by day."""
        days = ((refund_day(file), entry) for file, entry in self.valid.items())
        return {day: entry for day, entry in days if day is not None}

    @property
    def broken_days(self) -> frozenset[date]:
        """Days that the manifest lists and that have no valid partition."""
        return frozenset() if self.rebuild else frozenset(self.manifest.partitions.keys() - self.partitions.keys())

    @property
    def broken_dimensions(self) -> list[Dimension]:
        """Dimensions whose file must come from history."""
        return [] if self.rebuild else [d for d in DIMENSIONS if d.file not in self.valid]

    @property
    def has_lost(self) -> bool:
        """Whether anything beside the index must come from all batches."""
        return self.lost_tombstones or self.lost_members or self.rejected is None

    @property
    def members(self) -> dict[str, tuple[IndexEntry, ...]]:
        """Segments of the members by dimension; none where they are lost, or were not kept yet."""
        return {} if self.lost_members else self.manifest.members

    @property
    def is_as_recorded(self) -> bool:
        """Whether nothing at all differs from the manifest on disk, not even a file's time."""
        return not self.rebuild and not self.damages and self.valid == self.manifest.files


class Plan(msgspec.Struct, frozen=True):
    """Which batches are folded.

    ``waiting`` ones are not applied yet; ``late`` ones of these sort before an applied one. A late batch is folded in
    its place: ``pending`` are the first waiting batch and all after it, applied again. ``history`` are those before.
    """

    waiting: tuple[str, ...]
    late: tuple[str, ...]
    pending: tuple[str, ...]
    history: tuple[str, ...]

    @property
    def batches(self) -> tuple[str, ...]:
        """All that the next state is the fold of, oldest first."""
        return self.history + self.pending


class Part(msgspec.Struct, frozen=True):
    """A staged part. ``number`` orders all parts of all batches.

    ``days``, ``line_days`` and ``refund_days``: how many order versions, lines and refunds each day has in it; the
    files are sorted by day, the ``gone`` versions first, which have none. ``pending`` parts are merged into the
    partitions as they are; what ``applied`` ones hold is in these already. ``before`` are the rows of orders, lines
    and refunds that come before those of the first of these days, the ``gone`` ones not counted.
    """

    number: int
    batch: str
    orders: ColumnFile
    lines: ColumnFile
    refunds: ColumnFile | None
    days: Mapping[date, int]
    line_days: Mapping[date, int]
    refund_days: Mapping[date, int]
    gone: int
    pending: bool
    applied: bool
    before: tuple[int, int, int] = (0, 0, 0)

    def within(self, days: Sequence[date]) -> "Part":
        """The same part for who reads these neighbouring days alone: it says nothing of any other."""
        counts = (self.days, self.line_days, self.refund_days)
        earlier = [sum(rows for day, rows in rows_of.items() if day < days[0]) for rows_of in counts]
        kept = [{day: rows for day, rows in rows_of.items() if days[0] <= day <= days[-1]} for rows_of in counts]
        orders, lines, refunds = (known + more for known, more in zip(self.before, earlier, strict=True))
        return msgspec.structs.replace(
            self, days=kept[0], line_days=kept[1], refund_days=kept[2], before=(orders, lines, refunds)
        )


def read_current_state(context: RunContext, *, verify: bool, rebuild: bool) -> CurrentState:
    """Read the manifest, compare the files with it, and move damaged ones to ``curated/_damaged/``.

    Args:
        context: the run context.
        verify: hash every file, instead of trusting size and time. What is read of the index is proven in any case.
        rebuild: trust no file.

    Raises:
        ConfigError: the partitions are the days of another time zone, and this is no rebuild.
    """
    damages = []
    try:
        manifest = read_manifest(context.lake)
    except CorruptedError as error:
        manifest = None
        damages.append(move_to_damaged(context.lake, MANIFEST_FILE, error.message, context.now()))
    if manifest is None:
        return CurrentState(Manifest(), {}, rebuild=True, damages=damages, rejected={})
    wanted = context.fold_settings
    if not rebuild:
        check_timezone(context.lake, manifest, wanted)
    if rebuild or manifest.rules != RULES or manifest.settings != wanted:
        rejected = _read_rejected(context.lake, manifest, verify=verify)
        return CurrentState(manifest, {}, rebuild=True, damages=damages, rejected=rejected)
    examined = examine(context.lake, manifest, verify=verify)
    damages.extend(
        move_to_damaged(context.lake, file, problem, context.now()) for file, problem in examined.problems.items()
    )
    broken = {file_day(file) for file in examined.problems}
    valid = {file: entry for file, entry in examined.valid.items() if file_day(file) not in broken - {None}}
    return _examine_index(context.lake, CurrentState(manifest, valid, rebuild=False, damages=damages), verify=verify)


def _examine_index(lake: Lake, current: CurrentState, *, verify: bool) -> CurrentState:
    """The state without what of ``index/`` is not as recorded, which is noted."""
    manifest, lost = current.manifest, []
    if not index.are_valid(lake, manifest.index, verify=verify):
        manifest = msgspec.structs.replace(manifest, index=())
        lost.append("a segment")
    if lost_tombstones := not index.are_valid(lake, manifest.tombstones, verify=verify):
        manifest = msgspec.structs.replace(manifest, tombstones=())
        lost.append("a segment of the orders that have left")
    members = [segment for kind in manifest.members.values() for segment in kind]
    if lost_members := not index.are_valid(lake, [*manifest.mentions, *members], verify=verify):
        lost.append("a segment of the members of the dimensions")
    if not index.are_valid(lake, manifest.uses or (), verify=verify):
        manifest = msgspec.structs.replace(manifest, uses=None)
        lost.append("a segment of the uses of users and products")
    rejected = _read_rejected(lake, manifest, verify=verify)
    if rejected is None:
        lost.append("a segment of the list of quarantine files")
    return msgspec.structs.replace(
        current,
        manifest=manifest,
        damages=[*current.damages, *(Damage("index", f"{what} is missing or damaged") for what in lost)],
        lost_tombstones=lost_tombstones,
        lost_members=lost_members,
        rejected=rejected,
    )


def _read_rejected(lake: Lake, manifest: Manifest, *, verify: bool) -> dict[str, QuarantineEntry] | None:
    if not index.are_valid(lake, manifest.rejected, verify=verify):
        return None
    try:
        return read_rejected(lake, manifest)
    except BrokenSegmentError:
        return None


def plan_batches(context: RunContext, current: CurrentState, committed: Collection[str]) -> Plan:
    """Which batches are folded, and in what role.

    Raises:
        StorageError: a rebuild would lose batches that are no longer in raw.
    """
    applied = set(current.manifest.batches)
    if current.rebuild:
        if gone := sorted(applied.difference(committed)):
            again = f"{HINT_AT_LOST} " if set(gone).intersection(list_unfinished(context.lake)) else ""
            raise StorageError(
                f"{context.lake.locate(RAW)} lacks {many(len(gone), 'batch', 'batches')} that curated holds, from "
                f"{gone[0]} on",
                hint=f"{again}Restore what is missing; or delete {context.lake.locate(MANIFEST)} to fold what is "
                "there, and lose what those batches held.",
            )
        applied = set()
    waiting = tuple(sorted(set(committed) - applied))
    pending = tuple(sorted(b for b in applied.union(committed) if waiting and b >= waiting[0]))
    late = tuple(b for b in waiting if applied and b < max(applied))
    return Plan(waiting, late, pending, tuple(sorted(applied - set(pending))))


def list_parts(lake: Lake, markers: Mapping[str, StageMarker], plan: Plan) -> list[Part]:
    """Staged parts of the batches, numbered in their order; parts without orders are left out."""
    parts: list[Part] = []
    pending, waiting = set(plan.pending), set(plan.waiting)
    for batch, marker in sorted(markers.items()):
        for entry in marker.parts:
            if entry.orders.rows:
                part = Part(
                    number=len(parts),
                    batch=batch,
                    orders=marker.columns(lake, entry.orders),
                    lines=marker.columns(lake, entry.lines),
                    refunds=marker.columns(lake, entry.refunds) if entry.refunds else None,
                    days=entry.days,
                    line_days=entry.line_days,
                    refund_days=entry.refund_days,
                    gone=entry.gone,
                    pending=batch in pending,
                    applied=batch not in waiting,
                )
                parts.append(part)
    return parts
