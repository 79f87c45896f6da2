"""The check stage: is the curated layer right? It reads, validates and measures, and changes nothing."""

import time
from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime

import duckdb
import msgspec

from ordersetl.check.files import inspect_batches, inspect_files, inspect_orphans, inspect_quarantine
from ordersetl.check.groups import OpenWorkers
from ordersetl.check.members import choose_looked_up
from ordersetl.check.queries import DIMENSIONS, QueryResult, TableQuery
from ordersetl.check.volume import check_volume
from ordersetl.errors import CorruptedError, InternalError, StorageError
from ordersetl.lake.layout import CURATED, MANIFEST, Lake, file_day, partition_file
from ordersetl.lake.manifest import FileEntry, Manifest, describe_outdated, read_manifest
from ordersetl.lake.segments import BrokenSegmentError
from ordersetl.results import CheckMetrics, CheckOutcome, CheckResult, LayerFigures, LayerTotals
from ordersetl.zones import read_zone

__all__ = ["check", "check_with_figures"]

_FIELDS_WHY = (
    "What the source no longer sends as it always did arrives as nothing, or as nonsense, in every order from then on."
)
_FOLDERS_WHY = "What is in a folder's place is in the way of each command that writes, and not to be believed."
_KEYS_LISTED = 1000
"""Keys of an object store that one request lists: as many files cost less to look at than a day each."""
_MANIFEST_WHY = "The manifest says what the curated layer holds: without it there is nothing to compare with."


class _Scope(msgspec.Struct, frozen=True):
    """What is covered, as :func:`check` says."""

    days: Collection[date] | None = None
    dimensions: bool = True
    unchanged: Collection[str] = ()


def check(
    lake: Lake,
    *,
    deep: bool = False,
    days: Collection[date] | None = None,
    dimensions: bool = True,
    unchanged: Collection[str] = (),
    max_samples: int = 5,
    open_workers: OpenWorkers | None = None,
) -> CheckResult:
    """Compare the curated layer with its manifest, its rules and, with ``deep``, the raw log.

    Args:
        lake: the output folder; nothing in it is changed.
        deep: validate the raw pages again in SQL and compare order by order; only over the whole layer.
        days: the partitions to cover; None for the whole layer, and only then with metrics, and every file hashed.
        dimensions: cover the dimensions, which partitions need; without them, no day may be given.
        unchanged: files of dimensions that were checked when they were written: large ones are not read again, but
            their members are looked up.
        max_samples: offending rows that are shown of each check.
        open_workers: opens what checks groups of partitions elsewhere; None checks all of them here.

    Returns:
        The result. Where checks fail, it says which and on what; a missing or damaged manifest is such a failure.

    Raises:
        StorageError: the disk refused, or there was no room for what DuckDB spills.
        InternalError: DuckDB refused a query.
    """
    return _check(
        lake,
        _Scope(days, dimensions, unchanged),
        deep=deep,
        max_samples=max_samples,
        now=None,
        open_workers=open_workers,
    )[0]


def check_with_figures(
    lake: Lake, now: datetime, *, deep: bool = False, max_samples: int = 5
) -> tuple[CheckResult, LayerFigures | None]:
    """As :func:`check` of the whole layer, and the figures of its page; None where there is no manifest to go by."""
    return _check(lake, _Scope(), deep=deep, max_samples=max_samples, now=now)


def _check(
    lake: Lake,
    scope: _Scope,
    *,
    deep: bool,
    max_samples: int,
    now: datetime | None,
    open_workers: OpenWorkers | None = None,
) -> tuple[CheckResult, LayerFigures | None]:
    started = time.perf_counter()
    days = scope.days
    all_days = days is None
    manifest, first = _read_manifest(lake)
    today = now.astimezone(read_zone(manifest.settings.timezone)).date() if now else None
    outcomes = [first]
    found = QueryResult([], CheckMetrics(), None)
    if first.ok:
        files = _select_files(manifest, days) if scope.dimensions else {}
        is_many = days is None or _KEYS_LISTED * len(days) > len(manifest.files)
        looks = lake.storage.looks(CURATED, deep=is_many)
        query = TableQuery(lake, manifest, files, looks, all_days, deep and all_days, max_samples, today, open_workers)
        query = replace(query, looked_up=choose_looked_up(manifest, files, scope.unchanged))
        outcomes += _inspect(query, days)
        outcomes.append(check_volume(lake, manifest, max_samples=max_samples))
        if manifest.settings.mapping:
            outcomes.append(_inspect_fields(manifest, max_samples))
        if scope.dimensions:
            found = _query(query)
    result = CheckResult(
        ok=all(outcome.ok for outcome in (*outcomes, *found.outcomes)),
        scope="all" if all_days else "days",
        days=tuple(sorted(days or ())),
        deep=deep and all_days,
        outcomes=(*outcomes, *found.outcomes),
        metrics=found.metrics,
        totals=_sum_totals(manifest) if first.ok else LayerTotals(),
        open_quarantine=found.open_quarantine,
        seconds=time.perf_counter() - started,
    )
    return result, found.figures


def _read_manifest(lake: Lake) -> tuple[Manifest, CheckOutcome]:
    """The manifest, and whether it can be gone by; or that something is in a folder's place, so that none can write."""
    try:
        lake.require_own_folders()
    except StorageError as error:
        return Manifest(), CheckOutcome("folders", False, _FOLDERS_WHY, 1, detail=f"{error.message}. {error.hint}")
    manifest, problem = _find_manifest(lake)
    return manifest, CheckOutcome("manifest", not problem, _MANIFEST_WHY, int(bool(problem)), detail=problem)


def _find_manifest(lake: Lake) -> tuple[Manifest, str]:
    """The manifest, and what is wrong with it ("" if nothing)."""
    try:
        manifest = read_manifest(lake)
    except CorruptedError as error:
        return Manifest(), f"{error.message}; `ordersetl load --rebuild` makes it again from raw"
    if manifest is None:
        return Manifest(), f"there is no {lake.locate(MANIFEST)}: nothing was loaded yet, `ordersetl run` does it"
    if problem := describe_outdated(lake, manifest):
        return Manifest(), f"{problem}; `ordersetl load` folds it again by this one"
    unknown = [name for name in manifest.files if name not in DIMENSIONS and file_day(name) is None]
    if unknown:
        return (
            Manifest(),
            f"{lake.locate(MANIFEST)} lists files that are not of a table: {', '.join(sorted(unknown)[:5])}",
        )
    return manifest, ""


def _select_files(manifest: Manifest, days: Collection[date] | None) -> dict[str, FileEntry]:
    """The files in scope: the dimensions, and the partitions of ``days`` (all where None)."""
    wanted = None if days is None else set(days)
    return {
        name: entry
        for name, entry in manifest.files.items()
        if wanted is None or name in DIMENSIONS or file_day(name) in wanted
    }


def _inspect(query: TableQuery, days: Collection[date] | None) -> list[CheckOutcome]:
    """What the files are, without looking into them."""
    lake, manifest, most = query.lake, query.manifest, query.max_samples
    folders = None if days is None else [partition_file(day).partition("/")[0] for day in days]
    outcomes = inspect_files(lake, query.files, query.looks, hashed=days is None, max_samples=most)
    outcomes.append(inspect_orphans(lake, manifest.files, query.looks, folders, max_samples=most))
    if days is None:
        outcomes.append(inspect_quarantine(lake, manifest, max_samples=most))
        outcomes.append(inspect_batches(lake, manifest.batches, max_samples=most))
    return outcomes


def _inspect_fields(manifest: Manifest, max_samples: int) -> CheckOutcome:
    found = manifest.fields.drift
    samples = tuple({"field": one.field, "problem": one.problem} for one in found[:max_samples])
    detail = "Since batch " + min(one.batch for one in found) if found else ""
    return CheckOutcome("source_fields", not found, _FIELDS_WHY, len(found), samples, detail)


def _query(query: TableQuery) -> QueryResult:
    try:
        return query.run()
    except BrokenSegmentError:  # the next load says so
        return _query(replace(query, looked_up=()))
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise StorageError(
            f"the check could not be finished: {error}",
            hint="Free some room in the folder for temporary files (TMPDIR) and run it again.",
        ) from error
    except duckdb.Error as error:
        raise InternalError(
            f"the check could not be finished: {error}", hint="This is a bug in ordersetl: please report it."
        ) from error


def _sum_totals(manifest: Manifest) -> LayerTotals:
    """What the manifest counts over all partitions."""
    entries = manifest.partitions.values()
    return LayerTotals(
        partitions=len(entries),
        rows=sum(entry.rows for entry in entries),
        orders=sum(entry.orders for entry in entries),
        revenue=manifest.revenue,
        refunded=manifest.refunded,
    )
