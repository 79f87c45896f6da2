"""The pipeline as a library: the four stages, each on its own, and all in order.

Every function takes settings, and returns a frozen result or raises an :class:`~ordersetl.errors.OrdersetlError`.
All but :func:`check` hold the output's lock while they work, and first carry through what an earlier command left
half done.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from ordersetl.check.layer import check as check_layer
from ordersetl.errors import CorruptedError
from ordersetl.lake.commit import is_committing, recover
from ordersetl.lake.fold_settings import FoldSettings
from ordersetl.lake.layout import LOCK, MANIFEST, PENDING, RAW, Lake, file_day
from ordersetl.lake.listing import list_batches, list_misnamed
from ordersetl.lake.location import find_lake, make_lake
from ordersetl.lake.manifest import MAX_MANIFEST_BYTES, read_manifest, require_timezone
from ordersetl.lake.runs import keep_report
from ordersetl.load.batches import load_batches
from ordersetl.report.failures import check_failure
from ordersetl.results import BackfillResult, CheckResult, ExtractResult, LoadResult, RunResult, TransformResult
from ordersetl.runtime import RunContext, Runtime, count_cores
from ordersetl.settings import Settings
from ordersetl.transform.batches import StagedBatches, StagingAhead, stage_batch, transform_batches
from ordersetl.transform.reject_share import require_few_rejects
from ordersetl.window import Backfill, Window

__all__ = ["check", "extract", "load", "run", "transform"]

log = logging.getLogger(__name__)

_RUNTIME = Runtime()
_WINDOW = Window()
_MAX_LOOKS = 3


def extract(
    settings: Settings,
    window: Window = _WINDOW,
    *,
    backfill: Backfill | None = None,
    users: Path | None = None,
    products: Path | None = None,
    wait_s: float = 0.0,
    runtime: Runtime = _RUNTIME,
) -> ExtractResult | BackfillResult:
    """Fetch a window of orders, and commit it to the raw log as one batch.

    Args:
        settings: where from, where to, how patiently.
        window: what to fetch; by default from where the newest batch ended. A naive time is UTC.
        backfill: cut the window into shorter ones, each a batch of its own.
        users: CSV with ``user_id,email,country,created_at``, kept with the batch; None for the settings' one.
        products: CSV with ``sku,name,category,price``, kept with the batch; None for the settings' one.
        wait_s: seconds to wait for another run to end.
        runtime: the clock, signals, disk and workers of the command.

    Raises:
        SourceError: the API failed for good; nothing is committed.
        OrdersetlError: as the module says.
    """
    from ordersetl.extract import stage  # noqa: PLC0415 - brings in the HTTP client

    plan = stage.prepare(settings, window, users, products, runtime, backfill=backfill)
    with _open_context(settings, runtime, wait_s, computes=False) as (context, _):
        return stage.extract(context, plan)


def transform(settings: Settings, *, wait_s: float = 0.0, runtime: Runtime = _RUNTIME) -> TransformResult:
    """Stage the batches that wait to be loaded, and quarantine what is not a valid order.

    Args:
        settings: which output.
        wait_s: seconds to wait for another run to end.
        runtime: the clock, signals, disk and workers of the command.

    Raises:
        ConfigError: there is no output, or its partitions are the days of another time zone.
        CorruptedError: a raw page is not what was received; batches before it are staged.
        OrdersetlError: as the module says.
    """
    with _open_context(settings, runtime, wait_s, is_new=False) as (context, _):
        require_timezone(context.lake, FoldSettings.of(settings))
        return transform_batches(context)


def load(
    settings: Settings,
    *,
    verify: bool = False,
    rebuild: bool = False,
    wait_s: float = 0.0,
    runtime: Runtime = _RUNTIME,
) -> LoadResult:
    """Fold the waiting batches into the curated layer, and repair what is damaged, the quarantine too.

    Args:
        settings: which output.
        verify: hash every curated and quarantine file first, instead of trusting size and time.
        rebuild: fold everything from raw again.
        wait_s: seconds to wait for another run to end.
        runtime: the clock, signals, disk and workers of the command.

    Raises:
        ConfigError: there is no output, or its partitions are the days of another time zone and this is no rebuild.
        CorruptedError: a raw file that is needed is missing or damaged.
        StorageError: the disk refused, or a rebuild would lose batches that are no longer in raw.
        OrdersetlError: as the module says.
    """
    with _open_context(settings, runtime, wait_s, is_new=False) as (context, recovered):
        provider = partial(stage_batch, context) if rebuild else StagedBatches(context).ensure
        return load_batches(context, provider, recovered=recovered, verify=verify, rebuild=rebuild)


def check(settings: Settings, *, deep: bool = False) -> CheckResult:
    """Compare the curated layer with its manifest and its rules; with ``deep`` with the raw pages too.

    Takes no lock and changes nothing. Where a commit came between, it looks again. The result says whether all is
    well: nothing is raised where it is not.
    """
    lake = find_lake(settings.output)
    for _ in range(_MAX_LOOKS):
        before = _committed(lake)
        result = check_layer(lake, deep=deep)
        if result.ok or (_committed(lake) == before and not is_committing(lake)):
            break
    return result


def run(
    settings: Settings,
    window: Window = _WINDOW,
    *,
    backfill: Backfill | None = None,
    users: Path | None = None,
    products: Path | None = None,
    verify: bool = False,
    wait_s: float = 0.0,
    runtime: Runtime = _RUNTIME,
) -> RunResult:
    """Run the whole pipeline: extract, transform, load, check; the report is kept in ``runs/``.

    Arguments as those of :func:`extract` and :func:`load`.

    Raises:
        TooManyRejectsError: too much was rejected; nothing was loaded, the batches wait.
        CheckFailedError: a check failed on what was written.
        OrdersetlError: as each stage says.
    """
    from ordersetl.extract import stage  # noqa: PLC0415 - brings in the HTTP client

    plan = stage.prepare(settings, window, users, products, runtime, backfill=backfill)
    with (
        _open_context(settings, runtime, wait_s) as (context, recovered),
        keep_report(context.lake, context.now()) as report,
    ):
        require_timezone(context.lake, FoldSettings.of(settings))
        with StagingAhead(context) as ahead:
            extracted = stage.extract(context, plan, on_page=ahead.add)
            report.add("extract", extracted)
            stages = StagedBatches(context)
            transformed = transform_batches(context, stages, ahead=ahead)
        report.add("transform", transformed)
        require_few_rejects(context.lake, transformed, settings)
        loaded = load_batches(context, stages.ensure, recovered=recovered, verify=verify)
        report.add("load", loaded)
        days = {day for file in loaded.written if (day := file_day(file)) is not None}
        checked = check_layer(context.lake, days=days, dimensions=bool(loaded.written or loaded.dimensions_written))
        report.add("check", checked)
        seconds = {
            "extract": extracted.seconds,
            "transform": transformed.seconds,
            "load": loaded.seconds,
            "check": checked.seconds,
        }
        report.add("seconds", seconds)
        if failure := check_failure(checked):
            raise failure
        return RunResult(
            run_id=report.run_id,
            started_at=report.started_at,
            extract=extracted,
            transform=transformed,
            load=loaded,
            check=checked,
            seconds=seconds,
            report=report.path.as_posix(),
            warnings=tuple(_describe_raw(context.lake)),
            gaps=extracted.gaps,
        )


@contextlib.contextmanager
def _open_context(
    settings: Settings, runtime: Runtime, wait_s: float, *, is_new: bool = True, computes: bool = True
) -> Iterator[tuple[RunContext, bool]]:
    """The context of one writing command, and whether it carried an interrupted commit through.

    The output's folder is there, its lock is acquired, and the curated layer is in a committed state. Where ``is_new``
    does not allow for a new output, there must be one. ``computes``: it has work for a cluster, where one is set.
    """
    # workers of a cluster run in folders of their own
    output = settings.output.absolute() if settings.cluster and computes else settings.output
    lake = (make_lake if is_new else find_lake)(output, runtime.disk)
    with (
        lake.storage.lock(LOCK, wait_s=wait_s, now=runtime.now, sleep=runtime.sleep) as lock,
        contextlib.ExitStack() as stack,
    ):
        lake.require_own_folders()
        recovered = recover(lake)
        if recovered:
            log.warning("an earlier command died while it committed: its commit was carried through.")
        for warning in _describe_raw(lake):
            log.warning(warning)
        if settings.cluster is not None and computes:
            from ordersetl.cluster import open_cluster  # noqa: PLC0415 - brings in Dask

            cluster = stack.enter_context(open_cluster(settings.cluster, lock, max_wait_s=settings.cluster_wait_s))
            runtime = dataclasses.replace(runtime, executor=cluster, width=cluster.width, is_remote=True)
        elif runtime.executor is None:
            runtime = dataclasses.replace(runtime, width=count_cores())
        # one thread more than there are workers: some of what is under way waits for the disk
        executor = runtime.executor or stack.enter_context(ThreadPoolExecutor((settings.workers or count_cores()) + 1))
        threads = runtime.threads or stack.enter_context(ThreadPoolExecutor(2))
        yield RunContext(lake, settings, lock, executor, runtime, threads), recovered


def _describe_raw(lake: Lake) -> list[str]:
    """What is to be known of the raw log however well the command goes: batches that are lost, or passed over."""
    warnings = []
    try:
        manifest = read_manifest(lake)
    except CorruptedError:
        manifest = None
    there = set(list_batches(lake)) if manifest else set()
    if manifest and (gone := sorted(set(manifest.batches) - there)):
        warnings.append(
            f"{len(gone):,} of {len(manifest.batches):,} batches that curated holds are no longer in "
            f"{lake.locate(RAW)}, the first is {gone[0]}: what they held cannot be rebuilt. Restore them from a backup."
        )
    warnings += [
        f"{lake.locate(RAW) / name} is passed over: no batch can be of that time. Move it out of raw/."
        for name in list_misnamed(lake)
    ]
    return warnings


def _committed(lake: Lake) -> tuple[bytes | None, ...]:
    """What is committed and what is being committed: the bytes of both manifests, None where there is none."""
    found: list[bytes | None] = []
    for key in (MANIFEST, PENDING):
        try:
            found.append(lake.storage.read(key, MAX_MANIFEST_BYTES))
        except OSError:
            found.append(None)
    return tuple(found)
