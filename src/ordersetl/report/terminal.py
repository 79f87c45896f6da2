"""Results as tables for people."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from ordersetl.report.checks import draw_check
from ordersetl.report.preview import draw_preview
from ordersetl.report.run import draw_run
from ordersetl.report.stages import draw_gaps, draw_repaired, extract_facts, load_facts, transform_facts
from ordersetl.report.status import draw_order, draw_quarantine, draw_status
from ordersetl.report.tables import Complete, draw_facts, format_size, plain_text
from ordersetl.results import (
    BackfillResult,
    CheckResult,
    ExportResult,
    ExtractResult,
    InitResult,
    LoadResult,
    OrderResult,
    PreviewResult,
    QuarantineResult,
    RunResult,
    StatusResult,
    TransformResult,
)
from ordersetl.text import many

__all__ = ["draw"]


def draw(result: object, complete: Complete = str, *, verbose: bool = False) -> Iterator[RenderableType]:
    """The tables that show a result, one after the other.

    Args:
        result: of a stage.
        complete: adds the options in use to the commands that a text names.
        verbose: show all of it, not only what matters first.
    """
    for shown in _draw(result, complete, verbose=verbose):
        yield Text(complete(shown.plain), spans=shown.spans) if isinstance(shown, Text) else shown


def _draw(result: object, complete: Complete, *, verbose: bool) -> Iterator[RenderableType]:
    match result:
        case ExtractResult() | BackfillResult():
            yield draw_facts("Extract", extract_facts(result), complete)
            yield from draw_gaps(result.gaps)
        case TransformResult():
            yield draw_facts("Transform", transform_facts(result), complete)
        case LoadResult():
            yield draw_facts("Load", load_facts(result), complete)
            yield from draw_repaired(result.healed)
        case RunResult():
            yield from draw_run(result, complete, verbose=verbose)
        case CheckResult():
            yield from draw_check(result, complete, verbose=verbose)
        case _:
            yield from _draw_look(result, complete)


def _draw_look(result: object, complete: Complete) -> Iterator[RenderableType]:
    """What commands find out that do no work on the output."""
    match result:
        case StatusResult():
            yield from draw_status(result, complete)
        case QuarantineResult():
            yield from draw_quarantine(result)
        case InitResult() | PreviewResult():
            yield from draw_preview(result, complete)
        case OrderResult():
            yield from draw_order(result, complete)
        case ExportResult():
            rows, size = many(result.rows, "row"), format_size(result.bytes)
            yield plain_text(f"{result.file}: {rows} of {result.table}, {size}")
