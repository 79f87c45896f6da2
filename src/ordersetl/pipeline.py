"""The pipeline as a library: the four stages, each on its own, and all in order.

Every function takes settings, holds the output's lock while it writes (all but :func:`check`), recovers first what an
earlier command left half done, and returns a frozen result or raises an :class:`~ordersetl.errors.OrdersetlError`.
"""

import contextlib
import dataclasses
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from ordersetl import __version__
from ordersetl.check import check as check_layer
from ordersetl.dims import PRODUCTS, USERS, Dimension, read_reference
from ordersetl.errors import CheckFailedError, ConfigError, OrdersetlError, TooManyRejectsError
from ordersetl.extract import Origin, ReferenceFile, Window, extract_orders
from ordersetl.job import Job, Runtime, worker_count
from ordersetl.lake import raw
from ordersetl.lake.commit import recover
from ordersetl.lake.layout import Lake, partition_day
from ordersetl.lake.lock import hold_lock
from ordersetl.load import load_batches
from ordersetl.results import CheckResult, ExtractResult, LoadResult, RunResult, TransformResult
from ordersetl.settings import Settings
from ordersetl.source.client import OrdersClient, open_http
from ordersetl.source.sample import SAMPLE_URL, sample_app, sample_references
from ordersetl.transform import find_whole_stage, stage_batch, transform_batches

__all__ = ["check", "extract", "load", "run", "to_plain", "transform"]

log = logging.getLogger(__name__)

_RUNTIME = Runtime()


def extract(
    settings: Settings,
    window: Window = Window(),
    *,
    users: Path | None = None,
    products: Path | None = None,
    wait_s: float = 0.0,
    runtime: Runtime = _RUNTIME,
) -> ExtractResult:
    """Fetch a window of orders, and commit it to the raw log as one batch.

    Args:
        settings: where from, where to, how patiently.
        window: what to fetch; by default from where the newest batch ended.
        users: CSV with ``user_id,email,country,created_at``, kept with the batch.
        products: CSV with ``sku,name,category,price``, kept with the batch.
        wait_s: seconds to wait for another run to end.
        runtime: what surrounds the command.
    """
    origin, references = _origin(settings), _references(settings, users, products)
    with _open_job(settings, runtime, wait_s) as job:
        recover(job.lake)
        return _extract(job, origin, window, references)


def transform(settings: Settings, *, wait_s: float = 0.0, runtime: Runtime = _RUNTIME) -> TransformResult:
    """Stage the batches that wait to be loaded, and quarantine what they hold that is no order."""
    with _open_job(settings, runtime, wait_s) as job:
        recover(job.lake)
        return transform_batches(job)


def load(
    settings: Settings,
    *,
    verify: bool = False,
    rebuild: bool = False,
    wait_s: float = 0.0,
    runtime: Runtime = _RUNTIME,
) -> LoadResult:
    """Fold the waiting batches into the curated layer, and heal what is damaged.

    Args:
        settings: which output.
        verify: hash every curated file first, instead of trusting size and time.
        rebuild: fold everything from raw anew.
        wait_s: seconds to wait for another run to end.
        runtime: what surrounds the command.
    """
    with _open_job(settings, runtime, wait_s) as job:
        return _load(job, verify=verify, rebuild=rebuild)


def check(settings: Settings, *, deep: bool = False) -> CheckResult:
    """Hold the whole curated layer against its manifest and its rules; with ``deep`` against the raw pages too.

    Takes no lock and changes nothing. Where a commit came between, it looks again. The result says whether all is
    well: nothing is raised where it is not.
    """
    lake = Lake(settings.output)
    result = check_layer(lake, deep=deep)
    for _ in range(_LOOKS):
        before = _manifest_bytes(lake)
        if result.ok or (before == _manifest_bytes(lake) and not lake.pending.exists()):
            break
        result = check_layer(lake, deep=deep)
    return result


def run(
    settings: Settings,
    window: Window = Window(),
    *,
    users: Path | None = None,
    products: Path | None = None,
    verify: bool = False,
    wait_s: float = 0.0,
    runtime: Runtime = _RUNTIME,
) -> RunResult:
    """Run the whole pipeline: extract, transform, load, check; the report is kept in ``runs/``.

    Raises:
        TooManyRejectsError: too much was rejected; nothing was loaded, the batches wait.
        CheckFailedError: a check failed on what was written.
        OrdersetlError: as each stage says.
    """
    origin, references = _origin(settings), _references(settings, users, products)
    with _open_job(settings, runtime, wait_s) as job:
        began = job.now()
        run_id = f"{began.strftime('%Y%m%dT%H%M%S.%fZ')}-{os.getpid()}"
        report: dict[str, Any] = {"run_id": run_id, "version": __version__, "started_at": began}
        try:
            recover(job.lake)
            result = _run_stages(job, run_id, origin, window, references, verify, report)
        except OrdersetlError as error:
            failure = {"code": error.code, "message": error.message, "hint": error.hint}
            with contextlib.suppress(OrdersetlError):  # the error itself matters more than its report
                _write_report(job, run_id, {**report, "status": "failed", "error": failure})
            raise
        _write_report(job, run_id, {**report, "status": "ok", "seconds": result.seconds})
        return result


_LOOKS = 3
_MINIMUM_SECONDS = 0.0


def _run_stages(
    job: Job,
    run_id: str,
    origin: Origin,
    window: Window,
    references: Sequence[ReferenceFile],
    verify: bool,  # noqa: FBT001 - handed on
    report: dict[str, Any],
) -> RunResult:
    """The stages in order; ``report`` holds what is done so far, also when one fails."""
    extracted = _extract(job, origin, window, references)
    report["extract"] = extracted
    transformed = transform_batches(job)
    report["transform"] = transformed
    _require_few_rejects(transformed, job.settings)
    loaded = _load(job, verify=verify)
    report["load"] = loaded
    days = {day for file in loaded.written if (day := partition_day(file)) is not None}
    checked = check_layer(job.lake, days=days)
    report["check"] = checked
    _require_sound(checked)
    seconds = {
        "extract": extracted.seconds,
        "transform": transformed.seconds,
        "load": loaded.seconds,
        "check": checked.seconds,
    }
    return RunResult(
        run_id=run_id,
        started_at=report["started_at"],
        extract=extracted,
        transform=transformed,
        load=loaded,
        check=checked,
        seconds=seconds,
        report=(job.lake.runs / f"{run_id}.json").as_posix(),
    )


def _extract(job: Job, origin: Origin, window: Window, references: Sequence[ReferenceFile]) -> ExtractResult:
    if window.since is not None and window.until is not None and window.since >= window.until:
        raise ConfigError(
            f"the window is empty: since {window.since.isoformat()} is not before until {window.until.isoformat()}",
            hint="Give --since an earlier time than --until.",
        )
    _require_one_kind(job.lake, origin)
    transport = job.runtime.transport
    if origin.source == "sample":
        transport = httpx.WSGITransport(app=sample_app())
    with open_http(job.settings, transport) as http:
        client = OrdersClient(http, job.settings, sleep=job.runtime.sleep, now=job.runtime.now)
        return extract_orders(job, client, origin, window, references)


def _load(job: Job, *, verify: bool = False, rebuild: bool = False) -> LoadResult:
    def stager(batch: str) -> Any:  # noqa: ANN401 - a StageMarker
        return find_whole_stage(job.lake, batch) or stage_batch(job, batch)

    return load_batches(job, stager, verify=verify, rebuild=rebuild)


def _require_few_rejects(result: TransformResult, settings: Settings) -> None:
    judged = result.accepted + result.rejected
    if not judged or result.rejected / judged <= settings.max_reject_ratio:
        return
    reasons = ", ".join(f"{reason} {count}" for reason, count in result.rejected_by_reason.items())
    raise TooManyRejectsError(
        f"{result.rejected} of {judged} orders were rejected, more than the allowed share of "
        f"{settings.max_reject_ratio:g}: {reasons}. Nothing was loaded; {len(result.batches)} batches wait",
        hint=f"Look at {settings.output / 'quarantine'}. Then mend the source and run again (the share is taken over all "
        "that waits), or load what is good: ordersetl load, or a higher ORDERSETL_MAX_REJECT_RATIO.",
    )


def _require_sound(result: CheckResult) -> None:
    failed = [outcome for outcome in result.outcomes if not outcome.ok]
    if not result.ok:
        said = "; ".join(
            f"{outcome.name}: {outcome.offending} offending" + (f", the first {outcome.samples[0]}" if outcome.samples else "")
            for outcome in failed
        )
        raise CheckFailedError(
            f"{len(failed)} checks failed after the load: {said}",
            hint="See them all with: ordersetl check. Fold everything from raw anew with: ordersetl load --rebuild",
        )


def _origin(settings: Settings) -> Origin:
    """Where the orders come from, as the settings say.

    Raises:
        ConfigError: they contradict each other.
    """
    if settings.source == "generic" and settings.api_url is None:
        raise ConfigError("the generic source needs an API", hint="Give --api-url, or set ORDERSETL_API_URL.")
    if settings.source == "sample" and settings.api_url is not None:
        raise ConfigError("the sample source has an API of its own", hint="Leave out --api-url or --source.")
    if settings.api_url is None:
        log.warning("no API is set: the built-in sample API answers (set one with --api-url)")
        return Origin("sample", SAMPLE_URL)
    return Origin("generic", settings.api_url)


def _references(settings: Settings, users: Path | None, products: Path | None) -> list[ReferenceFile]:
    """The given reference files, read and proven usable; the built-in ones with the sample API.

    Raises:
        ConfigError: a file is missing, or cannot be used.
    """
    if settings.api_url is None:
        sample_users, sample_products = sample_references()
        users, products = users or sample_users, products or sample_products
    given = [(USERS, users), (PRODUCTS, products)]
    return [_reference(dimension, path) for dimension, path in given if path is not None]


def _reference(dimension: Dimension, path: Path) -> ReferenceFile:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the {dimension.kind} file {path}: {error.strerror}",
            hint=f"Give the path of a CSV file to --{dimension.kind}.",
        ) from None
    read_reference(dimension, body, path.name)
    return ReferenceFile(dimension.kind, path.name, body)


def _require_one_kind(lake: Lake, origin: Origin) -> None:
    """Keep invented orders away from real ones.

    Raises:
        ConfigError: the output holds the sample's orders and the origin is another, or the reverse.
    """
    newest = max(raw.list_batches(lake), default=None)
    if newest is None:
        return
    held = raw.read_marker(lake, newest).source
    if (held == "sample") != (origin.source == "sample"):
        what = "the built-in sample's orders" if held == "sample" else "orders of a real API"
        raise ConfigError(
            f"{lake.root} holds {what}, and the two must not mix",
            hint="Choose another folder with --output" + ("" if held == "sample" else ", or give --api-url") + ".",
        )


@contextlib.contextmanager
def _open_job(settings: Settings, runtime: Runtime, wait_s: float) -> Iterator[Job]:
    """The job of one writing command: the output's folder is there, and its lock is held."""
    lake = Lake(settings.output, runtime.disk)
    if not lake.root.is_dir():
        lake.disk.make_folder(lake.root)
    with hold_lock(lake, wait_s=wait_s, now=runtime.now) as hold, contextlib.ExitStack() as stack:
        lake.require_own_folders()
        executor = runtime.executor or stack.enter_context(ThreadPoolExecutor(worker_count(settings)))
        yield Job(lake, settings, hold, executor, runtime)


def _manifest_bytes(lake: Lake) -> bytes | None:
    try:
        return lake.manifest.read_bytes()
    except OSError:
        return None


def _write_report(job: Job, run_id: str, report: dict[str, Any]) -> None:
    job.lake.disk.make_folder(job.lake.runs)
    text = json.dumps(to_plain(report), indent=1)
    job.lake.disk.publish(job.lake.runs / f"{run_id}.json", text.encode() + b"\n")


def to_plain(value: Any) -> Any:  # noqa: ANN401 - JSON out of any result
    """JSON-ready form of a result: dataclasses as objects, times as ISO 8601, decimals as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(member) for member in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value
