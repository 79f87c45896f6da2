"""What people read after a run: nothing that needs a look is passed over, and no end of the data that is none."""

import io
from datetime import UTC, datetime
from pathlib import Path

from described_shop import SmallShop, sale
from rich.console import Console

from ordersetl import pipeline
from ordersetl.report.run import draw_run
from ordersetl.results import RunResult
from ordersetl.window import Window


def shown(result: RunResult) -> str:
    console = Console(width=200, file=io.StringIO())
    with console.capture() as captured:
        for part in draw_run(result, str, verbose=False):
            console.print(part)
    return " ".join(captured.get().split())


def test_what_the_source_changed_needs_a_look(tmp_path: Path) -> None:
    shop = SmallShop(tmp_path, [sale(number) for number in range(120)])
    assert "the source changed" not in shown(shop.run())
    shop.sales.append(sale(200, lines=[{"article": "A", "count": "2", "each": "12.50"}]))
    taken = shown(shop.run(drift="warn"))
    assert "the source changed: the field lines[].count, which the mapping uses, changed its type" in taken


def test_the_end_of_a_window_of_ones_own_is_not_that_of_the_data(tmp_path: Path) -> None:
    shop = SmallShop(tmp_path, [sale(number) for number in range(9)])
    assert " up to 20" in shown(shop.run())
    shop.sales[3]["changed"] = "2025-08-20 23:00:00"
    window = Window(datetime(2025, 8, 20, tzinfo=UTC), datetime(2025, 8, 22, tzinfo=UTC))
    again = pipeline.run(shop.settings(), window, runtime=shop.runtime())
    assert " up to 20" not in shown(again)
