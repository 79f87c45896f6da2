"""The check of what is committed, by a command that others may write beside; and the page of it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from ordersetl.check.groups import OpenWorkers
from ordersetl.check.layer import check, check_with_figures
from ordersetl.check.own_checks import OwnCheck, add_own_checks
from ordersetl.lake.layout import Lake, file_day
from ordersetl.lake.settled import look_until_settled
from ordersetl.report.html.write import write_page
from ordersetl.results import CheckResult, LayerFigures, LoadResult
from ordersetl.star.dimensions import DIMENSIONS

__all__ = ["check_and_show", "check_committed", "check_written"]

Extend = Callable[[CheckResult], CheckResult]
"""Adds what else there is to check."""


def _no_more(result: CheckResult) -> CheckResult:
    return result


def check_committed(
    lake: Lake, *, deep: bool = False, extend: Extend = _no_more, open_workers: OpenWorkers | None = None
) -> CheckResult:
    """As :func:`ordersetl.check.layer.check` of the whole layer; where a commit came between, it looks again."""
    return look_until_settled(
        lake, lambda: extend(check(lake, deep=deep, open_workers=open_workers)), is_enough=lambda found: found.ok
    )[0]


def check_and_show(
    lake: Lake,
    target: Path,
    now: Callable[[], datetime],
    complete: Callable[[str], str],
    *,
    deep: bool = False,
    extend: Extend = _no_more,
) -> CheckResult:
    """Likewise, and write the page, whatever the result.

    Args:
        lake: the output; nothing in it is changed.
        target: where the page goes, as :func:`ordersetl.report.html.write.find_page` found it.
        now: the clock.
        complete: adds the options in use to the commands that the page names.
        deep: compare with raw as well.
        extend: adds what else there is to check.

    Raises:
        StorageError: the page cannot be written.
    """

    def look() -> tuple[CheckResult, LayerFigures | None]:
        found, figures = check_with_figures(lake, now(), deep=deep)
        return extend(found), figures

    (result, figures), _ = look_until_settled(lake, look, is_enough=lambda found: found[0].ok)
    write_page(target, lake, result, figures, made_at=now(), complete=complete)
    return result


def check_written(
    lake: Lake, loaded: LoadResult, own: Sequence[OwnCheck], open_workers: OpenWorkers | None = None
) -> CheckResult:
    """Check what a load wrote, and the totals; the user's own checks see all of the layer."""
    days = {day for file in loaded.written if (day := file_day(file)) is not None}
    unchanged = {dimension.file for dimension in DIMENSIONS}.difference(loaded.dimensions_written)
    is_any = bool(loaded.written or loaded.dimensions_written)
    checked = check(lake, days=days, dimensions=is_any, unchanged=unchanged, open_workers=open_workers)
    return add_own_checks(checked, lake, own)
