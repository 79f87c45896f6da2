"""Load: fold the staged batches into the curated layer, heal what is damaged, and commit it all in one step."""

import dataclasses
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import msgspec
import polars as pl

from ordersetl import __version__
from ordersetl.dims import DIMENSIONS, PRODUCTS, USERS, Dimension, changed_keys, fold_dimension, read_reference
from ordersetl.errors import DamagedError, InternalError, StorageError
from ordersetl.fold import (
    DayGroup,
    GroupOutcome,
    Incoming,
    Part,
    PartitionDamagedError,
    fold_group,
    group_days,
    keys_of_days,
    partition_keys,
    put_file,
    read_headers,
    read_partition,
    settle_moves,
    superseded_versions,
    survey,
)
from ordersetl.job import Job, map_bounded
from ordersetl.lake import index, raw
from ordersetl.lake.commit import Commit, recover
from ordersetl.lake.health import examine, set_aside
from ordersetl.lake.index import order_key
from ordersetl.lake.layout import Lake, partition_day, partition_file
from ordersetl.lake.manifest import FileEntry, IndexEntry, Manifest, QuarantineEntry, read_manifest
from ordersetl.lake.staged import StageMarker
from ordersetl.models import RULES
from ordersetl.results import Damage, LoadResult, OrderChanges
from ordersetl.star import to_csv

__all__ = ["Stager", "load_batches"]

Stager = Callable[[str], StageMarker]
"""Returns the marker of a staged batch, whole, staging it anew where need be."""

_GROUP_ORDERS = 60_000
"""Orders that one worker folds at a time: bounds memory."""


@dataclass
class _Base:
    """What the next state builds on: the manifest, its sound files, and what was found damaged.

    ``rebuild``: no curated file is trusted, and all batches are folded anew.
    """

    manifest: Manifest
    sound: dict[str, FileEntry]
    rebuild: bool
    damages: list[Damage]

    @property
    def partitions(self) -> dict[date, FileEntry]:
        """Sound partitions by day."""
        days = ((partition_day(file), entry) for file, entry in self.sound.items())
        return {day: entry for day, entry in days if day is not None}

    @property
    def broken_days(self) -> frozenset[date]:
        """Days that the manifest lists and that have no sound partition."""
        return frozenset() if self.rebuild else frozenset(self.manifest.partitions.keys() - self.partitions.keys())

    @property
    def broken_dimensions(self) -> list[Dimension]:
        """Dimensions whose file must come from history."""
        return [] if self.rebuild else [d for d in DIMENSIONS if d.file not in self.sound]

    @property
    def is_as_recorded(self) -> bool:
        """Whether nothing at all differs from the manifest on disk, not even a file's time."""
        return not self.rebuild and not self.damages and self.sound == self.manifest.files


@dataclass(frozen=True)
class _Plan:
    """Which batches are folded.

    ``waiting`` ones are not applied yet; ``late`` ones of these sort before an applied one. A late batch is folded in
    its place: ``pending`` are the first waiting batch and all after it, applied again. ``history`` are those before.
    """

    waiting: tuple[str, ...]
    late: tuple[str, ...]
    pending: tuple[str, ...]
    history: tuple[str, ...]


@dataclass(frozen=True)
class _Dim:
    """A dimension before and after this load, and the SHA-256 of the reference file that was applied last."""

    dimension: Dimension
    before: pl.DataFrame
    after: pl.DataFrame


@dataclass(frozen=True)
class _Verdicts:
    """Which versions count. ``lost`` do not; ``known`` orders stood in a rebuilt day before; ``leaving`` move away."""

    lost: pl.DataFrame
    known: pl.DataFrame
    leaving: pl.DataFrame


def load_batches(job: Job, stager: Stager, *, verify: bool = False, rebuild: bool = False) -> LoadResult:
    """Bring the curated layer to the fold of all committed batches.

    Args:
        job: the work's surroundings.
        stager: finds or makes a staged batch.
        verify: hash every curated file first, instead of trusting size and time.
        rebuild: fold everything from raw anew, and trust no curated file.

    Raises:
        DamagedError: a raw file that is needed is missing or damaged.
        StorageError: the disk refused; the layer is as it was, or the next command carries the commit through.
    """
    started = time.monotonic()
    recovered = recover(job.lake)
    base = _examine(job, verify=verify, rebuild=rebuild)
    while True:
        try:
            result = _fold_and_commit(job, stager, base, recovered=recovered)
        except PartitionDamagedError as error:  # size and time did not tell, its hash did
            file = partition_file(error.day)
            base.damages.append(set_aside(job.lake, file, error.problem, job.now()))
            del base.sound[file]
        else:
            return dataclasses.replace(result, seconds=time.monotonic() - started)


def _examine(job: Job, *, verify: bool, rebuild: bool) -> _Base:
    """Read the manifest, hold the files against it, and set aside what is damaged."""
    damages = []
    try:
        manifest = read_manifest(job.lake)
    except DamagedError as error:
        manifest = None
        damages.append(set_aside(job.lake, job.lake.manifest.name, error.message, job.now()))
    if manifest is None:
        return _Base(Manifest(), {}, rebuild=True, damages=damages)
    if rebuild or manifest.rules != RULES:
        return _Base(manifest, {}, rebuild=True, damages=damages)
    health = examine(job.lake, manifest, verify=verify)
    damages.extend(set_aside(job.lake, file, problem, job.now()) for file, problem in health.problems.items())
    if not index.is_whole(job.lake, manifest.index, verify=verify):
        manifest = msgspec.structs.replace(manifest, index=())
        damages.append(Damage("index", "a segment is missing or damaged, or was made by another version of Polars"))
    return _Base(manifest, health.sound, rebuild=False, damages=damages)


def _plan(job: Job, base: _Base) -> _Plan:
    """Which batches are folded, and in what role.

    Raises:
        StorageError: a rebuild would lose batches that are no longer in raw.
    """
    applied = set(base.manifest.batches)
    there = set(raw.list_batches(job.lake))
    if base.rebuild:
        if gone := sorted(applied - there):
            raise StorageError(
                f"{len(gone)} batches that curated holds are no longer in {job.lake.raw}, the first is {gone[0]}",
                hint=f"Restore them; or delete {job.lake.manifest} to fold what is there, and lose what they held.",
            )
        applied = set()
    waiting = tuple(sorted(there - applied))
    pending = tuple(sorted(b for b in there | applied if waiting and b >= waiting[0]))
    late = tuple(b for b in waiting if applied and b < max(applied))
    return _Plan(waiting, late, pending, tuple(sorted(applied - set(pending))))


def _fold_and_commit(job: Job, stager: Stager, base: _Base, *, recovered: bool) -> LoadResult:
    plan = _plan(job, base)
    if not plan.waiting and base.is_as_recorded:
        return _result(base, base.manifest, plan, GroupOutcome(), superseded=0, recovered=recovered)
    heals = bool(base.broken_days or base.broken_dimensions)
    markers = {batch: stager(batch) for batch in (*(plan.history if heals else ()), *plan.pending)}
    parts = _parts(job.lake, markers, set(plan.pending))
    waiting = [part for part in parts if part.waiting]
    commit = Commit(job.lake, job.hold)
    dims, references, notes = _fold_dimensions(job, base, plan, parts)
    segments = _sound_index(job, base)
    incoming = survey(waiting, lambda keys: index.look_up(job.lake, segments, keys))
    verdicts = _judge_versions(job, base, parts, incoming)
    days = _days_to_fold(job, base, plan, markers, verdicts, dims)
    total = _fold_days(job, base, commit, parts, days, verdicts, dims)
    superseded = total.refused + verdicts.lost.filter(pl.col("part").is_in([p.number for p in waiting])).height
    _require_balance(incoming, total, superseded)
    following = Manifest(
        tool=f"ordersetl {__version__}",
        rules=RULES,
        batches=tuple(sorted({*plan.history, *plan.pending})),
        references=references,
        files=_next_files(base, commit, total, dims),
        quarantine=_next_quarantine(base, markers),
        index=index.add_segment(job.lake, segments, _new_index_rows(base, parts, incoming)),
    )
    base.damages.extend(_set_strays_aside(job, base, following))
    commit.finish(following)
    index.drop_unlisted(job.lake, following.index)
    return _result(base, following, plan, total, superseded=superseded, recovered=recovered, notes=notes)


def _parts(lake: Lake, markers: Mapping[str, StageMarker], pending: Collection[str]) -> list[Part]:
    """Staged parts of the batches, numbered in their order; parts without orders are left out."""
    parts: list[Part] = []
    for batch in sorted(markers):
        marker = markers[batch]
        for entry, orders, lines in zip(
            marker.parts, marker.orders_paths(lake), marker.lines_paths(lake), strict=True
        ):
            if entry.orders.rows:
                parts.append(Part(len(parts), orders, lines, waiting=batch in pending))
    return parts


def _fold_dimensions(
    job: Job, base: _Base, plan: _Plan, parts: Sequence[Part]
) -> tuple[list[_Dim], dict[str, str], dict[str, int]]:
    """Both dimensions before and after; the reference files applied last; notes on what was odd in new files."""
    dims, notes = [], Counter[str]()
    references = {} if base.rebuild else dict(base.manifest.references)
    markers = [raw.read_marker(job.lake, batch) for batch in plan.pending]
    for dimension in DIMENSIONS:
        if base.rebuild:
            before = _empty(dimension)
        elif dimension in base.broken_dimensions:
            history = [raw.read_marker(job.lake, batch) for batch in plan.history]
            files, _, _ = _reference_rows(job, dimension, history, None)
            mentioned = _mentioned(dimension, [part for part in parts if not part.waiting])
            before = fold_dimension(dimension, _empty(dimension), files, mentioned)
        else:
            before = pl.read_csv(job.lake.curated / dimension.file, schema=dimension.table.schema)
        last = None if plan.late else references.get(dimension.kind)
        files, last, found = _reference_rows(job, dimension, markers, last)
        if last is not None:
            references[dimension.kind] = last
        notes.update(found)
        mentioned = _mentioned(dimension, [part for part in parts if part.waiting])
        dims.append(_Dim(dimension, before, fold_dimension(dimension, before, files, mentioned)))
    return dims, references, dict(notes)


def _empty(dimension: Dimension) -> pl.DataFrame:
    return pl.DataFrame(schema=dimension.table.schema)


def _reference_rows(
    job: Job, dimension: Dimension, markers: Sequence[raw.BatchMarker], last: str | None
) -> tuple[list[pl.DataFrame], str | None, Counter[str]]:
    """Rows of the batches' reference files of one kind, in order; one that repeats the file before it is skipped."""
    files, notes = [], Counter[str]()
    for marker in markers:
        entry = marker.references.get(dimension.kind)
        if entry is None or entry.sha256 == last:
            continue
        rows, found = read_reference(dimension, raw.read_reference(job.lake, entry), entry.name)
        files.append(rows)
        notes.update(found)
        last = entry.sha256
    return files, last, notes


def _mentioned(dimension: Dimension, parts: Sequence[Part]) -> pl.Series:
    """Keys that accepted orders name, superseded versions too."""
    key = dimension.key
    found = [pl.Series(key, [], dtype=pl.String)]
    for part in parts:
        path = part.lines if key == "sku" else part.orders
        found.append(pl.read_parquet(path, columns=[key])[key].unique())
    return pl.concat(found).unique()


def _sound_index(job: Job, base: _Base) -> tuple[IndexEntry, ...]:
    """The index's segments; where there are none though there are partitions, one is made from these."""
    if base.rebuild:
        return ()
    if base.manifest.index or not base.partitions:
        return base.manifest.index
    rows = [partition_keys(job.lake, day, entry) for day, entry in base.partitions.items()]
    return index.add_segment(job.lake, (), pl.concat(rows))


def _new_index_rows(base: _Base, parts: Sequence[Part], incoming: Incoming) -> pl.DataFrame:
    """What the index does not know yet: the waiting versions, and where it was lost the rebuilt days."""
    if base.rebuild or base.manifest.index:
        return incoming.new_keys
    headers = [read_headers(part).filter(pl.col("dt").is_in(list(base.broken_days))) for part in parts]
    rows = [h.select(key=order_key(), dt="dt") for h in headers]
    return pl.concat([incoming.new_keys, *rows]).unique()


def _judge_versions(job: Job, base: _Base, parts: Sequence[Part], incoming: Incoming) -> _Verdicts:
    """Which versions lose: among the waiting ones, in rebuilt days among all, and against other days' partitions."""
    waiting = [part for part in parts if part.waiting]
    lost, _ = superseded_versions(waiting)
    known = pl.DataFrame(schema={"order_id": pl.String})
    if base.broken_days:
        again, versions = superseded_versions(parts, keys_of_days(parts, base.broken_days))
        lost = pl.concat([lost, again]).unique()
        earlier = [part.number for part in parts if not part.waiting]
        known = versions.filter(pl.col("part").is_in(earlier)).select("order_id").unique()
    leaving, refused = settle_moves(job.lake, incoming.strays, lost, base.partitions)
    return _Verdicts(pl.concat([lost, refused]).unique(), known, leaving)


def _days_to_fold(
    job: Job, base: _Base, plan: _Plan, markers: Mapping[str, StageMarker], verdicts: _Verdicts, dims: Sequence[_Dim]
) -> set[date]:
    """Days that have waiting versions, lose orders, are to be rebuilt, or use reference data that changed."""
    days = {day for batch in plan.pending for day in markers[batch].days}
    days |= set(verdicts.leaving["dt"]) | base.broken_days
    changed = {dim.dimension.key: changed_keys(dim.dimension, dim.before, dim.after) for dim in dims}
    if any(len(keys) for keys in changed.values()):
        for day, entry in base.partitions.items():
            if day not in days and _uses(job.lake, day, entry, changed):
                days.add(day)
    return days


def _uses(lake: Lake, day: date, entry: FileEntry, changed: Mapping[str, pl.Series]) -> bool:
    rows = read_partition(lake, day, entry)
    return any(rows[key].is_in(keys.implode()).any() for key, keys in changed.items())


def _fold_days(
    job: Job,
    base: _Base,
    commit: Commit,
    parts: Sequence[Part],
    days: Collection[date],
    verdicts: _Verdicts,
    dims: Sequence[_Dim],
) -> GroupOutcome:
    """Fold the days in groups, in parallel, and add up what became of them."""
    users, products = (dim.after for dim in dims)
    rebuilt = frozenset(days) if base.rebuild else base.broken_days
    groups = [
        DayGroup(
            lake=job.lake,
            commit=commit,
            days=run,
            rebuilt=rebuilt.intersection(run),
            parts=tuple(parts),
            lost=verdicts.lost,
            leaving=verdicts.leaving,
            known=verdicts.known,
            sound={day: base.partitions[day] for day in run if day in base.partitions},
            users=users,
            products=products,
        )
        for run in group_days(days, parts, base.partitions, orders=_GROUP_ORDERS)
    ]
    total = GroupOutcome()
    done = 0
    for group, outcome in zip(groups, map_bounded(job, fold_group, groups), strict=True):
        total.add(outcome)
        done += len(group.days)
        job.progress("load", done, len(days))
    return total


def _next_files(base: _Base, commit: Commit, total: GroupOutcome, dims: Sequence[_Dim]) -> dict[str, FileEntry]:
    """Entries of all files of the next state, the dimensions staged where they change."""
    files = {file: entry for file, entry in base.sound.items() if file not in total.removed}
    files |= total.files
    for dim in dims:
        data = to_csv(dim.after)
        entry = FileEntry(hashlib.sha256(data).hexdigest(), len(data), 0, dim.after.height)
        files[dim.dimension.file] = put_file(commit, dim.dimension.file, data, entry, total)
    return dict(sorted(files.items()))


def _next_quarantine(base: _Base, markers: Mapping[str, StageMarker]) -> dict[str, QuarantineEntry]:
    entries = {} if base.rebuild else dict(base.manifest.quarantine)
    for batch, marker in markers.items():
        orders, lines = sum(marker.rejected.values()), sum(marker.lines_rejected.values())
        if orders or lines:
            entries[batch] = QuarantineEntry(marker.quarantine_sha256, marker.quarantine_bytes, orders, lines)
    return dict(sorted(entries.items()))


def _set_strays_aside(job: Job, base: _Base, following: Manifest) -> list[Damage]:
    """After a rebuild: partitions on disk that no batch accounts for."""
    if not base.rebuild:
        return []
    on_disk = {f"{path.parent.name}/{path.name}" for path in job.lake.curated.glob("dt=*/*")}
    strays = sorted(file for file in on_disk - following.files.keys() if partition_day(file) is not None)
    return [set_aside(job.lake, file, "no batch in raw accounts for it", job.now()) for file in strays]


def _require_balance(incoming: Incoming, total: GroupOutcome, superseded: int) -> None:
    """Every waiting version must have become something.

    Raises:
        InternalError: the books do not balance.
    """
    became = total.inserted + total.updated + total.same + superseded
    if became != incoming.versions:
        raise InternalError(
            f"the books of the load do not balance: {incoming.versions} order versions came in, {became} are accounted "
            f"for ({total.inserted} inserted, {total.updated} updated, {total.same} unchanged, {superseded} superseded)",
            hint="This is a bug in ordersetl. Nothing was committed; please report it.",
        )


def _result(
    base: _Base,
    manifest: Manifest,
    plan: _Plan,
    total: GroupOutcome,
    *,
    superseded: int,
    recovered: bool,
    notes: Mapping[str, int] | None = None,
) -> LoadResult:
    revenue: dict[str, Decimal] = {}
    for entry in manifest.files.values():
        for currency, amount in entry.sums.items():
            revenue[currency] = revenue.get(currency, Decimal(0)) + Decimal(amount)
    written = [file for file in total.written if partition_day(file) is not None]
    dimensions = [file for file in total.written if partition_day(file) is None]
    partitions = manifest.partitions
    return LoadResult(
        batches=plan.waiting,
        late=plan.late,
        orders=OrderChanges(
            versions=total.inserted + total.updated + total.same + superseded,
            inserted=total.inserted,
            updated=total.updated,
            unchanged=total.same,
            superseded=superseded,
            moved=total.moved,
            lines_removed=total.lines_removed,
        ),
        partitions_written=len(written),
        partitions_unchanged=len(partitions) - len(written),
        partitions_removed=len(total.removed),
        written=tuple(sorted(written)),
        dimensions_written=tuple(sorted(dimensions)),
        users=manifest.files[USERS.file].rows if USERS.file in manifest.files else 0,
        products=manifest.files[PRODUCTS.file].rows if PRODUCTS.file in manifest.files else 0,
        reference_notes=dict(notes or {}),
        healed=tuple(base.damages),
        recovered=recovered,
        rebuilt=base.rebuild,
        revenue=dict(sorted(revenue.items())),
        rows=sum(entry.rows for entry in partitions.values()),
        orders_total=sum(entry.orders for entry in partitions.values()),
        seconds=0.0,
    )
