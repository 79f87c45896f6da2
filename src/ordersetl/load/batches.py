"""Load: fold the staged batches into the curated layer, repair what is damaged, and commit it all in one step."""

import time

from ordersetl.lake.layout import file_day, partition_day
from ordersetl.lake.listing import list_batches
from ordersetl.lake.manifest import Manifest
from ordersetl.lake.segments import BrokenSegmentError
from ordersetl.lake.staged import find_damaged_quarantine
from ordersetl.load.files import CorruptedFileError
from ordersetl.load.fold import StageProvider, fold_batches
from ordersetl.load.plan import CurrentState, plan_batches, read_current_state
from ordersetl.results import Damage, LoadResult
from ordersetl.runtime import RunContext
from ordersetl.star.dimensions import PRODUCTS, USERS

__all__ = ["load_batches"]


def load_batches(
    context: RunContext,
    provider: StageProvider,
    *,
    recovered: bool = False,
    verify: bool = False,
    rebuild: bool = False,
) -> LoadResult:
    """Bring the curated layer to the fold of all committed batches, and quarantine files to what was rejected.

    The layer is in a committed state: whoever opened the run context has seen to that.

    Args:
        context: the run context.
        provider: finds or makes a staged batch.
        recovered: whether an interrupted commit was carried through for that, which the result says.
        verify: hash every file first, instead of trusting size and time.
        rebuild: fold everything again, and trust no curated file.

    Raises:
        CorruptedError: a raw file that is needed is missing or damaged.
        StorageError: the disk refused; the layer is as it was, or the next command carries the commit through.
    """
    started = time.monotonic()
    committed = list_batches(context.lake)
    current = read_current_state(context, verify=verify, rebuild=rebuild)
    damages = list(current.damages)
    lost_quarantine = _repair_quarantine(context, provider, current, verify=verify)
    while True:
        plan = plan_batches(context, current, committed)
        try:
            folded = fold_batches(context, provider, current, plan)
            break
        except (
            CorruptedFileError,
            BrokenSegmentError,
        ):  # where one file is not what size and time tell, others may not be either
            current = read_current_state(context, verify=True, rebuild=rebuild)
            damages += current.damages
    manifest, partitions = folded.manifest, folded.manifest.partitions
    written = sorted(file for file in folded.written if file_day(file) is not None)
    days_written = {file_day(file) for file in written}
    return LoadResult(
        batches=plan.waiting,
        late=plan.late,
        orders=folded.orders,
        partitions_written=len(days_written),
        partitions_unchanged=len(partitions) - len(days_written),
        partitions_removed=sum(partition_day(file) is not None for file in folded.removed),
        written=tuple(written),
        dimensions_written=tuple(sorted(set(folded.written).difference(written))),
        users=_count_rows(manifest, USERS.file),
        products=_count_rows(manifest, PRODUCTS.file),
        reference_notes=dict(folded.notes),
        healed=(*dict.fromkeys([*damages, *folded.orphans]), *lost_quarantine),
        recovered=recovered,
        rebuilt=current.rebuild,
        revenue=manifest.revenue,
        rows=sum(entry.rows for entry in partitions.values()),
        orders_total=sum(entry.orders for entry in partitions.values()),
        source_changes=tuple(folded.source_changes),
        seconds=time.monotonic() - started,
    )


def _repair_quarantine(
    context: RunContext, provider: StageProvider, current: CurrentState, *, verify: bool
) -> list[Damage]:
    """Have quarantine files of applied batches that were lost or changed written again."""
    damaged = find_damaged_quarantine(context.lake, current.rejected or {}, current.manifest, verify=verify)
    for batch in damaged:
        provider(batch)
    return [Damage(f"quarantine/{batch}.ndjson", problem) for batch, problem in damaged.items()]


def _count_rows(manifest: Manifest, file: str) -> int:
    return manifest.files[file].rows if file in manifest.files else 0
