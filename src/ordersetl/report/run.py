"""The result of a run as tables."""

from collections.abc import Iterator

from rich.console import RenderableType

from ordersetl.report.bridge import draw_bridge
from ordersetl.report.stages import draw_gaps, draw_repaired, extract_facts, load_facts, transform_facts
from ordersetl.report.tables import Complete, draw_facts, list_money
from ordersetl.results import RunResult
from ordersetl.text import many

__all__ = ["draw_run"]


def draw_run(result: RunResult, complete: Complete) -> Iterator[RenderableType]:
    """What all stages did, a line each, and what the partitions that were written sold."""
    yield draw_facts(f"Run {result.run_id}", _run_facts(result), complete)
    yield from draw_gaps(result.gaps)
    yield from draw_repaired(result.load.healed)
    written = many(len(result.check.days), "partition")
    yield from draw_bridge(result.check.metrics.bridge, f"From gross to net sales, of the {written} written")


def _run_facts(result: RunResult) -> dict[str, str]:
    seconds = {**result.seconds, "together": sum(result.seconds.values())}
    wrote = result.load.written or result.load.dimensions_written
    partitions = many(len(result.check.days), "partition")
    covered = f"{partitions} and the totals" if wrote else "the manifest alone: nothing was written"
    return {
        **extract_facts(result.extract),
        **transform_facts(result.transform),
        **load_facts(result.load),
        **({"refunded": list_money(refunded)} if (refunded := result.check.totals.refunded) else {}),
        "check": f"{len(result.check.outcomes)} checks hold, over {covered}",
        "seconds": ", ".join(f"{stage} {spent:.2f}" for stage, spent in seconds.items()),
        "report": result.report,
    }
