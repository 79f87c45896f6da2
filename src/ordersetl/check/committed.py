"""The check of what is committed, by a command that others may write beside; and the page of it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from ordersetl.check.layer import check, check_with_figures
from ordersetl.check.own_checks import OwnCheck, add_own_checks
from ordersetl.lake.layout import MANIFEST, PENDING, Lake
from ordersetl.lake.manifest import MAX_MANIFEST_BYTES
from ordersetl.report.html.write import write_page
from ordersetl.results import CheckResult, LayerFigures

__all__ = ["check_and_show", "check_committed"]

_MAX_LOOKS = 3


def check_committed(lake: Lake, own: Sequence[OwnCheck] = (), *, deep: bool = False) -> CheckResult:
    """As :func:`ordersetl.check.layer.check` of the whole layer, and by the user's own checks.

    Where a commit came between, it looks again.
    """
    return _look(lake, own, lambda: (check(lake, deep=deep), None))[0]


def check_and_show(
    lake: Lake,
    target: Path,
    now: Callable[[], datetime],
    complete: Callable[[str], str],
    *,
    own: Sequence[OwnCheck] = (),
    deep: bool = False,
) -> CheckResult:
    """Likewise, and write the page, whatever the result.

    Args:
        lake: the output; nothing in it is changed.
        target: where the page goes, as :func:`ordersetl.report.html.write.find_page` found it.
        now: the clock.
        complete: adds the options in use to the commands that the page names.
        own: the user's checks.
        deep: compare with raw as well.

    Raises:
        StorageError: the page cannot be written.
    """
    result, figures = _look(lake, own, lambda: check_with_figures(lake, now(), deep=deep))
    write_page(target, lake, result, figures, made_at=now(), complete=complete)
    return result


def _look(
    lake: Lake, own: Sequence[OwnCheck], once: Callable[[], tuple[CheckResult, LayerFigures | None]]
) -> tuple[CheckResult, LayerFigures | None]:
    for _ in range(_MAX_LOOKS):
        before = _read_committed(lake)
        found, figures = once()
        result = add_own_checks(found, lake, own)
        if result.ok or (_read_committed(lake) == before and not lake.storage.exists(PENDING)):
            break
    return result, figures


def _read_committed(lake: Lake) -> tuple[bytes | None, ...]:
    """What is committed and what is being committed: the bytes of both manifests, None where there is none."""
    found: list[bytes | None] = []
    for key in (MANIFEST, PENDING):
        try:
            found.append(lake.storage.read(key, MAX_MANIFEST_BYTES))
        except OSError:
            found.append(None)
    return tuple(found)
