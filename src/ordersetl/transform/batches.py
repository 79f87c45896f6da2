"""Transform: raw batches become staged ones, typed orders and lines, and what is rejected goes to quarantine."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from ordersetl.errors import CorruptedError, InternalError, StorageError
from ordersetl.lake import raw, staged
from ordersetl.lake.counts import BatchCounts
from ordersetl.lake.field_counts import FieldCounts
from ordersetl.lake.fold_settings import FoldSettings
from ordersetl.lake.layout import MANIFEST, RAW, STAGED, Lake, quarantine_key, raw_key, staged_key
from ordersetl.lake.listing import HINT_AT_LOST, is_committed, list_batches
from ordersetl.lake.manifest import Manifest, read_manifest
from ordersetl.lake.raw import BatchMarker
from ordersetl.lake.rejected import read_rejected
from ordersetl.lake.segments import BrokenSegmentError
from ordersetl.lake.staged import PartEntry, StageMarker
from ordersetl.results import TransformResult
from ordersetl.runtime import RunContext
from ordersetl.star.rules import RULES
from ordersetl.text import many
from ordersetl.transform.ahead import StagingAhead
from ordersetl.transform.chunks import BatchStaging, ChunkOutcome

__all__ = ["StagedBatches", "ensure_stage", "stage_batch", "transform_batches"]

_BLOCK = 1 << 20
"""Bytes that are copied at a time."""


class StagedBatches:
    """The staged batches of one command: each is verified or made once, and then known to be as its marker says.

    Args:
        context: the run context.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._markers: dict[str, StageMarker] = {}

    def add(self, marker: StageMarker) -> None:
        """Take in a batch that was just verified or staged, its quarantine file too."""
        self._markers[marker.batch] = marker

    def ensure(self, batch: str) -> StageMarker:
        """Marker of a staged batch, as :func:`ensure_stage` returns it."""
        if batch not in self._markers:
            self.add(ensure_stage(self._context, batch))
        return self._markers[batch]


def transform_batches(
    context: RunContext,
    stages: StagedBatches | None = None,
    *,
    ahead: StagingAhead | None = None,
    verify: bool = False,
) -> TransformResult:
    """Stage every batch that waits to be loaded, and write quarantine files that are missing or damaged again.

    A batch whose staged files are complete and valid, and made by these rules, is left alone.

    Args:
        context: the run context.
        stages: learns which batches are staged; None for nobody.
        ahead: what was begun while the newest batch was extracted.
        verify: hash the quarantine files of batches that were loaded, instead of trusting their size.

    Raises:
        CorruptedError: a raw page is not what was received; batches before it are staged.
        StorageError: the disk refused.
    """
    started = time.monotonic()
    stages = stages or StagedBatches(context)
    manifest = _manifest_or_none(context.lake)
    waiting = _list_waiting(context.lake, manifest, context.fold_settings)
    markers, staged_again = [], []
    for done, batch in enumerate(waiting):
        marker = _find_stage(context, batch)
        if marker is None or not staged.has_quarantine(context.lake, marker):
            marker = _repair_stage(context, batch, marker, ahead)
            staged_again.append(batch)
        markers.append(marker)
        stages.add(marker)
        context.progress("transform batches", done + 1, len(waiting))
    seen = set(waiting)
    for batch in _list_unquarantined(context.lake, manifest, verify=verify):
        if batch not in seen:
            stages.ensure(batch)
            staged_again.append(batch)
    return _summary(markers, tuple(staged_again), time.monotonic() - started)


def ensure_stage(context: RunContext, batch: str) -> StageMarker:
    """Marker of a staged batch, complete and valid, its quarantine too: as it is, or staged again.

    A batch that is gone from raw, or whose marker there is damaged, is as good as its staged files.

    Raises:
        CorruptedError: it cannot be staged from raw, and its staged files are incomplete or damaged.
    """
    marker = _find_stage(context, batch)
    if marker is not None and staged.has_quarantine(context.lake, marker):
        return marker
    return _repair_stage(context, batch, marker)


def _repair_stage(
    context: RunContext, batch: str, found: StageMarker | None, ahead: StagingAhead | None = None
) -> StageMarker:
    """Marker of an incompletely staged batch: ``found`` lacks its quarantine alone, or is None."""
    if found is not None and staged.has_rejects(context.lake, found):
        _publish_quarantine(context, batch, found.parts)
        return found
    if not is_committed(context.lake, batch):
        again = f"{HINT_AT_LOST} " if context.lake.storage.exists(raw_key(batch, raw.REQUEST)) else ""
        raise CorruptedError(
            f"the batch {batch}, which curated holds, is gone from {context.lake.locate(RAW)}"
            f" and incomplete in {context.lake.locate(STAGED)}",
            hint=f"{again}Restore {context.lake.locate(RAW) / batch} from a backup; or delete "
            f"{context.lake.locate(MANIFEST)} and run ordersetl load to fold what is left, which loses what that batch "
            "alone held.",
        )
    return stage_batch(context, batch, ahead)


def stage_batch(context: RunContext, batch: str, ahead: StagingAhead | None = None) -> StageMarker:
    """Stage one batch from its raw pages, chunk by chunk, or finish what was staged ahead.

    The bytes are those of the pages alone: the same on any number of workers.

    Raises:
        CorruptedError: a raw page is missing or not what was received.
    """
    lake = context.lake
    source, digest = raw.read_marker_digest(lake, batch)
    outcomes = _stage_chunks(context, source, ahead.take(source, context.in_force) if ahead else None)
    quarantine_sha256, quarantine_bytes = _publish_quarantine(context, batch, [outcome.part for outcome in outcomes])
    marker = StageMarker(
        batch=batch,
        rules=RULES,
        source_digest=digest,
        references=source.references,
        settings=context.fold_settings.of_staging,
        parts=tuple(outcome.part for outcome in outcomes),
        counts=sum((outcome.counts for outcome in outcomes), BatchCounts()),
        quarantine_sha256=quarantine_sha256,
        quarantine_bytes=quarantine_bytes,
        fields=sum((outcome.fields for outcome in outcomes), FieldCounts()),
    )
    _require_reconciled(source, marker)
    staged.write_stage(lake, marker)
    return marker


def _stage_chunks(context: RunContext, source: BatchMarker, begun: BatchStaging | None) -> list[ChunkOutcome]:
    staging = begun or BatchStaging(context, source.batch, source.request, context.in_force)
    if begun is None:
        for page in source.pages:
            staging.add(page)
    outcomes, pages = [], 0
    for outcome in staging.finish():
        outcomes.append(outcome)
        pages += outcome.pages
        context.progress("transform", pages, len(source.pages))
    return outcomes


def _list_waiting(lake: Lake, manifest: Manifest | None, settings: FoldSettings) -> list[str]:
    """Committed batches that the curated layer is not yet the fold of, oldest first."""
    fits = manifest is not None and manifest.rules == RULES and manifest.settings == settings
    applied = set(manifest.batches) if manifest is not None and fits else set()
    return [batch for batch in list_batches(lake) if batch not in applied]


def _find_stage(context: RunContext, batch: str) -> StageMarker | None:
    digest = _source_digest(context.lake, batch)
    return staged.find_stage(context.lake, batch, rules=RULES, settings=context.fold_settings, source_digest=digest)


def _source_digest(lake: Lake, batch: str) -> str | None:
    """Hash of the batch's commit marker, which names the hash of every page; None where that is gone or damaged."""
    try:
        return raw.read_marker_digest(lake, batch)[1]
    except StorageError:
        return None


def _publish_quarantine(context: RunContext, batch: str, parts: Sequence[PartEntry]) -> tuple[str, int]:
    """Write the quarantine file from the parts' rejects; its hash and size. Without rejects there is to be no file."""
    storage, key = context.lake.storage, quarantine_key(batch)
    if not any(part.rejects.rows for part in parts):
        storage.remove_all(key)
        return hashlib.sha256().hexdigest(), 0
    written = storage.put(key, _read_rejects(context.lake, batch, parts))
    return written.sha256, written.bytes


def _read_rejects(lake: Lake, batch: str, parts: Sequence[PartEntry]) -> Iterator[bytes]:
    """The rejects of all parts, in the order of the pages, a block in memory at a time."""
    for part in parts:
        if part.rejects.rows:
            with lake.storage.open(staged_key(batch, part.rejects.name)) as file:
                yield from iter(lambda: file.read(_BLOCK), b"")


def _manifest_or_none(lake: Lake) -> Manifest | None:
    try:
        return read_manifest(lake)
    except CorruptedError:
        return None  # load says so, and folds everything again


def _list_unquarantined(lake: Lake, manifest: Manifest | None, *, verify: bool) -> list[str]:
    """Batches that were loaded, whose quarantine file is not what was recorded."""
    if manifest is None:
        return []
    with suppress(BrokenSegmentError):  # load says so, and makes it again
        rejected = read_rejected(lake, manifest)
        return list(staged.find_damaged_quarantine(lake, rejected, manifest, verify=verify))
    return []


def _require_reconciled(source: BatchMarker, marker: StageMarker) -> None:
    """Nothing may get lost: what came in is accepted, rejected or outside the window.

    Raises:
        CorruptedError: the pages hold another number of records than their marker says.
        InternalError: row counts do not reconcile.
    """
    if source.records != marker.counts.received:
        raise CorruptedError(
            f"the marker of the raw batch {source.batch} is damaged: it says {many(source.records, 'record')}, and its "
            f"pages hold {marker.counts.received:,}",
            hint="Restore the batch from a backup, or move its folder away and fetch its window again.",
        )
    counts = marker.counts
    if not counts.reconciles or marker.rows > counts.lines_accepted or counts.accepted != marker.orders:
        raise InternalError(
            f"the row counts of batch {marker.batch} do not reconcile: {counts}, {marker.orders} orders, {marker.rows} "
            "rows",
            hint="This is a bug in ordersetl. Nothing was loaded; please report it with the raw batch.",
        )


def _summary(markers: Sequence[StageMarker], staged_again: tuple[str, ...], seconds: float) -> TransformResult:
    counts = sum((marker.counts for marker in markers), BatchCounts())
    return TransformResult(
        batches=tuple(m.batch for m in markers),
        staged_anew=staged_again,
        received=counts.received,
        accepted=counts.accepted,
        rejected=counts.orders_rejected,
        outside_window=counts.outside_window,
        rejected_by_reason=counts.rejected,
        lines_received=counts.lines_received,
        lines_accepted=counts.lines_accepted,
        lines_rejected=counts.rejected_lines,
        lines_rejected_by_reason=counts.lines_rejected,
        rows=sum(m.rows for m in markers),
        lines_skipped=counts.lines_skipped,
        deleted=counts.deleted,
        emptied=counts.emptied,
        future_updated_at=counts.future_updated_at,
        cancelled=counts.cancelled,
        refunded=counts.refunded,
        skipped=counts.records_skipped,
        skipped_by_reason=counts.skipped,
        texts_cut=counts.texts_cut,
        seconds=seconds,
    )
