"""The pipeline as a library: the four stages, each on its own, and all in order.

Every function takes settings, and returns a frozen result or raises an :class:`~ordersetl.errors.OrdersetlError`.
All but :func:`check` and :func:`preview` hold the output's lock while they work, and first carry through what an
earlier command left half done.
"""

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ordersetl.check.committed import check_and_show, check_committed, check_written
from ordersetl.check.groups import OpenWorkers, SeenOutput
from ordersetl.check.own_checks import OwnCheck, add_own_checks, read_own_checks
from ordersetl.lake.account import StageAccount
from ordersetl.lake.fold_settings import FoldSettings
from ordersetl.lake.journal import JournalKeeper, keep_journal
from ordersetl.lake.layout import Lake
from ordersetl.lake.location import find_lake
from ordersetl.lake.manifest import require_timezone
from ordersetl.lake.runs import keep_report
from ordersetl.load.batches import load_batches
from ordersetl.opening import open_context, open_workers, take_in_force
from ordersetl.report.failures import check_failure
from ordersetl.report.html.write import find_page
from ordersetl.results import (
    BackfillResult,
    CheckMetrics,
    CheckResult,
    ExtractResult,
    LoadResult,
    PreviewResult,
    RunResult,
    TransformResult,
)
from ordersetl.runtime import RunContext, Runtime
from ordersetl.settings import Settings
from ordersetl.status.raw_problems import describe_raw
from ordersetl.transform.ahead import StagingAhead
from ordersetl.transform.batches import StagedBatches, stage_batch, transform_batches
from ordersetl.transform.reject_share import require_few_rejects
from ordersetl.warehouse.stage import add_warehouse, follow_manifest, require_warehouse
from ordersetl.window import Backfill, Window

__all__ = ["check", "extract", "load", "preview", "run", "transform"]

log = logging.getLogger(__name__)

_RUNTIME = Runtime()
_WINDOW = Window()


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
    with (
        open_context(settings, runtime, wait_s, computes=False) as (context, _),
        _keep_journal(context, "extract") as journal,
    ):
        journal.begin("extract")
        result = stage.extract(context, plan)
        journal.note_asked(result.asked, is_news=bool(result.batches))
        return result


def preview(
    settings: Settings, window: Window = _WINDOW, *, orders: int = 20, runtime: Runtime = _RUNTIME
) -> PreviewResult:
    """Fetch the first page of a window, and say what becomes of its orders; write nothing.

    Args:
        settings: where from, how patiently.
        window: what to fetch; by default from the beginning. A naive time is UTC.
        orders: how many to ask for, and to show.
        runtime: the clock, signals and transport of the command.

    Raises:
        SourceError: the API failed for good.
        OrdersetlError: as the module says.
    """
    from ordersetl.extract import preview, stage  # noqa: PLC0415 - brings in the HTTP client
    from ordersetl.transform.preview import preview_page  # noqa: PLC0415 - no other command needs it

    plan = stage.prepare(settings, window, None, None, runtime, backfill=None)
    first = preview.fetch_first_page(settings, plan, runtime, orders=orders)
    mapping = first.description.mapping
    return preview_page(
        first.page, first.request, FoldSettings.of(settings), mapping, limit=orders, seconds=first.seconds
    )


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
    with (
        open_context(settings, runtime, wait_s, is_new=False) as (context, _),
        _keep_journal(context, "transform") as journal,
    ):
        require_timezone(context.lake, context.fold_settings)
        journal.begin("transform")
        return transform_batches(take_in_force(context))


def load(
    settings: Settings,
    *,
    verify: bool = False,
    rebuild: bool = False,
    wait_s: float = 0.0,
    runtime: Runtime = _RUNTIME,
) -> LoadResult:
    """Fold the waiting batches into the curated layer, and repair what is damaged, the quarantine too.

    A warehouse that is set is brought to the result.

    Args:
        settings: which output.
        verify: hash every curated and quarantine file first, instead of trusting size and time; and compare all rows of
            the warehouse, instead of trusting its ledger.
        rebuild: fold everything from raw again.
        wait_s: seconds to wait for another run to end.
        runtime: the clock, signals, disk and workers of the command.

    Raises:
        ConfigError: there is no output, or its partitions are the days of another time zone and this is no rebuild.
        CorruptedError: a raw file that is needed is missing or damaged.
        StorageError: the disk refused, or a rebuild would lose batches that are no longer in raw.
        WarehouseError: the warehouse failed; curated is loaded.
        OrdersetlError: as the module says.
    """
    require_warehouse(settings)
    with (
        open_context(settings, runtime, wait_s, is_new=False) as (opened, recovered),
        _keep_journal(opened, "load") as journal,
    ):
        context = take_in_force(opened)
        journal.begin("load")
        provider = partial(stage_batch, context) if rebuild else StagedBatches(context).ensure
        loaded = load_batches(context, provider, recovered=recovered, verify=verify, rebuild=rebuild)
        return replace(loaded, warehouse=follow_manifest(context, journal.begin, verify=verify))


def check(settings: Settings, *, deep: bool = False, runtime: Runtime = _RUNTIME) -> CheckResult:
    """Compare the curated layer with its manifest and its rules; with ``deep`` with the raw pages too.

    The user's own checks are among them, and a warehouse that is set is compared with the curated layer.

    Takes no lock and changes nothing. Where a commit came between, it looks again. The result says whether all is
    well: nothing is raised where it is not. The setting ``report_html`` has the page written, whatever the result.

    Raises:
        OrdersetlError: as the module says; there is no output, or the page could not be written.
    """
    require_warehouse(settings)
    own, target = read_own_checks(settings), find_page(settings.report_html, Lake(settings.output, runtime.disk))
    lake = find_lake(settings.output.absolute() if settings.cluster else settings.output, runtime.disk)

    def extend(result: CheckResult) -> CheckResult:
        return add_warehouse(settings, lake, add_own_checks(result, lake, own))

    if target is None:
        open_elsewhere = partial(open_workers, settings, runtime, SeenOutput(lake)) if settings.cluster else None
        return check_committed(lake, deep=deep, extend=extend, open_workers=open_elsewhere)
    return check_and_show(lake, target, runtime.now, runtime.complete, deep=deep, extend=extend)


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

    A warehouse that is set is brought to the result once the check has passed.

    Arguments as those of :func:`extract` and :func:`load`; ``verify`` also has the markers that old batches lost made
    again from their pages.

    Raises:
        TooManyRejectsError: too much was rejected; nothing was loaded, the batches wait.
        CheckFailedError: a check failed on what was written; or, where ``report_html`` is set, on any of the layer.
        WarehouseError: the warehouse failed; curated is loaded and checked.
        OrdersetlError: as each stage says.
    """
    require_warehouse(settings)
    from ordersetl.extract import stage  # noqa: PLC0415 - brings in the HTTP client

    own, target = read_own_checks(settings), find_page(settings.report_html, Lake(settings.output, runtime.disk))
    plan = stage.prepare(settings, window, users, products, runtime, backfill=backfill)
    with (
        open_context(settings, runtime, wait_s) as (context, recovered),
        keep_report(context.lake, context.now()) as report,
        _keep_journal(context, "run") as journal,
    ):
        require_timezone(context.lake, context.fold_settings)
        done = StageAccount(report, journal)
        with StagingAhead(context) as ahead:
            extracted = done.take("extract", lambda: stage.extract(context, plan, verify=verify, on_page=ahead.add))
            journal.note_asked(extracted.asked, is_news=bool(extracted.batches))
            folding = take_in_force(context)
            stages = StagedBatches(folding)
            transformed = done.take("transform", lambda: transform_batches(folding, stages, ahead=ahead))
        require_few_rejects(context.lake, transformed, settings)
        loaded = done.take("load", lambda: load_batches(folding, stages.ensure, recovered=recovered, verify=verify))
        checked = done.take("check", lambda: _check_run(context, loaded, own, target, runtime))
        report.add("seconds", done.seconds)
        if failure := check_failure(checked):
            raise failure
        followed = follow_manifest(context, journal.begin, verify=verify)
        report.add("warehouse", followed)
        result = RunResult(
            run_id=report.run_id,
            started_at=report.started_at,
            extract=extracted,
            transform=transformed,
            load=loaded,
            check=checked,
            seconds=done.seconds,
            report=report.path.as_posix(),
            warnings=tuple(describe_raw(context.lake, each=verify)),
            gaps=extracted.gaps,
            warehouse=followed,
        )
        report.is_quiet = result.is_quiet
        return result


def _check_run(
    context: RunContext, loaded: LoadResult, own: Sequence[OwnCheck], target: Path | None, runtime: Runtime
) -> CheckResult:
    """Check what a run wrote; or all of the layer, once, where the page of that is to be written."""
    if target is None:
        return check_written(context.lake, loaded, own, _find_workers(context))
    extend = partial(add_own_checks, lake=context.lake, checks=own)
    found = check_and_show(context.lake, target, runtime.now, runtime.complete, extend=extend)
    return replace(found, metrics=CheckMetrics(bridge=found.metrics.bridge))  # the others are on the page


def _find_workers(context: RunContext) -> OpenWorkers | None:
    """What checks groups of partitions, where that is not this process."""
    return (lambda: contextlib.nullcontext(context)) if context.is_remote else None


def _keep_journal(context: RunContext, command: str) -> contextlib.AbstractContextManager[JournalKeeper]:
    return keep_journal(context.lake, command, context.now)
