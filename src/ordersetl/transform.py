"""Transform: raw batches become staged ones, typed orders and lines, and what is rejected goes to quarantine."""

import hashlib
import io
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from ordersetl.errors import DamagedError, InternalError
from ordersetl.job import Job, map_bounded
from ordersetl.lake import raw, staged
from ordersetl.lake.disk import hash_file
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import Manifest, read_manifest
from ordersetl.lake.raw import BatchMarker, PageEntry
from ordersetl.lake.staged import PartEntry, StagedFile, StageMarker
from ordersetl.models import RULES
from ordersetl.results import TransformResult
from ordersetl.star import merge_lines
from ordersetl.validate import Page, TimeWindow, Validated, validate_pages

__all__ = ["stage_batch", "transform_batches", "waiting_batches"]

_MIB = 1 << 20
_ROW_GROUP = 16_384
"""Rows: small enough that a day's rows are found without reading a whole file."""


def transform_batches(job: Job) -> TransformResult:
    """Stage every batch that waits to be loaded, and write quarantine files that are missing or damaged anew.

    A batch whose staged files are whole, and made by these rules, is left alone.

    Raises:
        DamagedError: a raw page is not what was received; batches before it are staged.
        StorageError: the disk refused.
    """
    started = time.monotonic()
    manifest = _manifest_or_none(job.lake)
    waiting = waiting_batches(job.lake, manifest)
    markers, anew = [], []
    for done, batch in enumerate(waiting):
        marker = find_whole_stage(job.lake, batch)
        if marker is None:
            marker = stage_batch(job, batch)
            anew.append(batch)
        markers.append(marker)
        job.progress("transform batches", done + 1, len(waiting))
    anew.extend(_mend_quarantine(job, manifest))
    return _summary(markers, tuple(anew), time.monotonic() - started)


def waiting_batches(lake: Lake, manifest: Manifest | None) -> list[str]:
    """Committed batches that the curated layer is not yet the fold of, oldest first."""
    applied = set(manifest.batches) if manifest and manifest.rules == RULES else set()
    return [batch for batch in raw.list_batches(lake) if batch not in applied]


def find_whole_stage(lake: Lake, batch: str) -> StageMarker | None:
    """Marker of a batch that is staged by these rules and whose every file is whole, its quarantine too."""
    marker = staged.find_stage(lake, batch, rules=RULES, source_digest=_source_digest(lake, batch))
    if marker is None or not _has_quarantine(lake, marker):
        return None
    return marker


def stage_batch(job: Job, batch: str) -> StageMarker:
    """Stage one batch from its raw pages, chunk by chunk.

    The bytes are those of the pages alone: the same on any number of workers.

    Raises:
        DamagedError: a raw page is missing or not what was received.
    """
    lake = job.lake
    digest = _source_digest(lake, batch)
    source = raw.read_marker(lake, batch)
    lake.disk.remove_tree(lake.staged / batch)
    lake.disk.make_folder(lake.staged / batch)
    chunks = list(_chunks(lake, source, job.settings.chunk_mb * _MIB, bulk=job.settings.bulk))
    outcomes = []
    for outcome in map_bounded(job, stage_chunk, chunks):
        outcomes.append(outcome)
        job.progress("transform", sum(len(c.pages) for c in chunks[: len(outcomes)]), len(source.pages))
    lake.disk.make_folder(lake.quarantine)
    quarantined = lake.disk.publish(lake.quarantine_file(batch), _read_rejects(lake, batch, outcomes))
    marker = StageMarker(
        batch=batch,
        rules=RULES,
        source_digest=digest,
        parts=tuple(outcome.part for outcome in outcomes),
        days=tuple(sorted({day for outcome in outcomes for day in outcome.days})),
        received=sum(o.received for o in outcomes),
        accepted=sum(o.part.orders.rows for o in outcomes),
        outside_window=sum(o.outside_window for o in outcomes),
        rejected=_add(o.rejected for o in outcomes),
        lines_received=sum(o.lines_received for o in outcomes),
        lines_accepted=sum(o.lines_accepted for o in outcomes),
        lines_rejected=_add(o.lines_rejected for o in outcomes),
        texts_cut=sum(o.texts_cut for o in outcomes),
        quarantine_sha256=quarantined.sha256,
        quarantine_bytes=quarantined.bytes,
    )
    _require_balance(source, marker)
    staged.write_stage(lake, marker)
    return marker


@dataclass(frozen=True)
class Chunk:
    """Pages of one batch that are validated together, as the ``number``-th part of it."""

    lake: Lake
    marker: BatchMarker
    number: int
    first_page: int
    pages: Sequence[PageEntry]
    bulk: bool


@dataclass(frozen=True)
class ChunkOutcome:
    """What a chunk became on disk, and its counts."""

    part: PartEntry
    days: Sequence[object]
    received: int
    outside_window: int
    rejected: dict[str, int]
    lines_received: int
    lines_accepted: int
    lines_rejected: dict[str, int]
    texts_cut: int


def stage_chunk(chunk: Chunk) -> ChunkOutcome:
    """Validate a chunk's pages and write its part: orders and lines sorted by day, and its rejects."""
    pages = [
        Page(chunk.first_page + offset, raw.read_page_body(chunk.lake, chunk.marker, entry))
        for offset, entry in enumerate(chunk.pages)
    ]
    found = validate_pages(pages, TimeWindow(chunk.marker.since, chunk.marker.until), bulk=chunk.bulk)
    del pages
    lines = merge_lines(found.orders, found.items).sort("dt", "pos", "sku")
    orders = found.orders.sort("dt", "pos")
    return ChunkOutcome(
        part=_write_part(chunk, orders, lines, found),
        days=orders["dt"].unique().to_list(),
        received=found.received,
        outside_window=found.outside_window,
        rejected=found.rejected,
        lines_received=found.lines_received,
        lines_accepted=found.items.height,
        lines_rejected=found.lines_rejected,
        texts_cut=found.texts_cut,
    )


def _chunks(lake: Lake, marker: BatchMarker, size: int, *, bulk: bool) -> Iterator[Chunk]:
    """Consecutive pages of at most ``size`` bytes together, at least one a chunk."""
    begin, held, number = 0, 0, 1
    for at, page in enumerate(marker.pages):
        if at > begin and held + page.bytes > size:
            yield Chunk(lake, marker, number, begin + 1, marker.pages[begin:at], bulk)
            begin, held, number = at, 0, number + 1
        held += page.bytes
    if marker.pages:
        yield Chunk(lake, marker, number, begin + 1, marker.pages[begin:], bulk)


def _write_part(chunk: Chunk, orders: pl.DataFrame, lines: pl.DataFrame, found: Validated) -> PartEntry:
    batch = chunk.marker.batch
    folder = chunk.lake.staged / batch

    def write(name: str, data: bytes, rows: int) -> StagedFile:
        written = chunk.lake.disk.publish(folder / name, data, sync=False)
        return StagedFile(name, written.sha256, written.bytes, rows)

    return PartEntry(
        orders=write(f"orders-{chunk.number:05d}.parquet", _parquet(orders), orders.height),
        lines=write(f"lines-{chunk.number:05d}.parquet", _parquet(lines), lines.height),
        rejects=write(
            f"rejects-{chunk.number:05d}.ndjson",
            b"".join(reject.to_json(batch) for reject in found.rejects),
            len(found.rejects),
        ),
    )


def _parquet(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.rechunk().write_parquet(buffer, compression="lz4", statistics=True, row_group_size=_ROW_GROUP)
    return buffer.getvalue()


def _read_rejects(lake: Lake, batch: str, outcomes: Sequence[ChunkOutcome]) -> Iterator[bytes]:
    """The rejects of all chunks, in the order of the pages, one chunk in memory at a time."""
    for outcome in outcomes:
        if outcome.part.rejects.rows:
            yield (lake.staged / batch / outcome.part.rejects.name).read_bytes()


def _mend_quarantine(job: Job, manifest: Manifest | None) -> list[str]:
    """Batches whose quarantine file was lost or changed since they were loaded, staged anew."""
    mended = []
    for batch, entry in (manifest.quarantine if manifest else {}).items():
        path = job.lake.quarantine_file(batch)
        if path.is_symlink() or not path.is_file() or path.stat().st_size != entry.bytes:
            stage_batch(job, batch)
            mended.append(batch)
    return mended


def _has_quarantine(lake: Lake, marker: StageMarker) -> bool:
    path = lake.quarantine_file(marker.batch)
    try:
        return not path.is_symlink() and hash_file(path) == marker.quarantine_sha256
    except OSError:
        return False


def _source_digest(lake: Lake, batch: str) -> str:
    """Hash of the batch's commit marker, which names the hash of every page."""
    path = lake.raw / batch / raw.MARKER
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _manifest_or_none(lake: Lake) -> Manifest | None:
    try:
        return read_manifest(lake)
    except DamagedError:
        return None  # load says so, and folds everything anew


def _require_balance(source: BatchMarker, marker: StageMarker) -> None:
    """Nothing may get lost: what came in is accepted, rejected or outside the window.

    Raises:
        InternalError: the books do not balance.
    """
    orders = marker.accepted + sum(marker.rejected.values()) + marker.outside_window
    lines = marker.lines_accepted + sum(marker.lines_rejected.values())
    if not (source.records == marker.received == orders and marker.lines_received == lines >= marker.rows):
        raise InternalError(
            f"the books of batch {marker.batch} do not balance: {source.records} records received, {marker.received} "
            f"read, {orders} accounted for; {marker.lines_received} lines read, {lines} accounted for",
            hint="This is a bug in ordersetl. Nothing was loaded; please report it with the raw batch.",
        )


def _add(counts: Iterator[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))


def _summary(markers: Sequence[StageMarker], anew: tuple[str, ...], seconds: float) -> TransformResult:
    rejected = _add(m.rejected for m in markers)
    lines_rejected = _add(m.lines_rejected for m in markers)
    return TransformResult(
        batches=tuple(m.batch for m in markers),
        staged_anew=anew,
        received=sum(m.received for m in markers),
        accepted=sum(m.accepted for m in markers),
        rejected=sum(rejected.values()),
        outside_window=sum(m.outside_window for m in markers),
        rejected_by_reason=rejected,
        lines_received=sum(m.lines_received for m in markers),
        lines_accepted=sum(m.lines_accepted for m in markers),
        lines_rejected=sum(lines_rejected.values()),
        lines_rejected_by_reason=lines_rejected,
        rows=sum(m.rows for m in markers),
        texts_cut=sum(m.texts_cut for m in markers),
        seconds=seconds,
    )
