"""The page as a file."""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ordersetl.errors import ConfigError
from ordersetl.lake.layout import Lake
from ordersetl.results import CheckResult, LayerFigures
from ordersetl.storage.user_file import require_user_file, write_user_file

__all__ = ["find_page", "write_page"]

_SUFFIXES = {".html", ".htm"}

log = logging.getLogger(__name__)


def find_page(path: Path | None, lake: Lake) -> Path | None:
    """Where the page is to be written; None where none was asked for.

    Raises:
        ConfigError: no page can be there, the output has its own files there, or it is named as a file of another kind.
    """
    if path is None:
        return None
    if path.suffix.lower() not in _SUFFIXES:  # a slip must not cost a settings file
        raise ConfigError(f"cannot write the page to {path}: the name of a page ends in .html")
    lake.require_not_within(path)
    return require_user_file(path)


def write_page(
    target: Path,
    lake: Lake,
    result: CheckResult,
    figures: LayerFigures | None,
    *,
    made_at: datetime,
    complete: Callable[[str], str],
) -> None:
    """Write the page whole over what was there.

    Args:
        target: what :func:`find_page` found.
        lake: the output that was checked.
        result: of the check, of the whole layer.
        figures: collected with it, None where there is no manifest to go by.
        made_at: for the age of what it shows.
        complete: adds the options in use to the commands that it names.

    Raises:
        StorageError: the disk refused.
    """
    from ordersetl.report.html.page import PageContent, render_page  # noqa: PLC0415 - brings in the templates' engine
    from ordersetl.report.html.state import read_state  # noqa: PLC0415

    page = render_page(PageContent(result, figures, read_state(lake, made_at), made_at, complete))
    write_user_file(target, page.encode(), lake.disk)
    log.info("the page is written: %s", target)
