"""What people see in a terminal of 80 columns, and what a pipe gets."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from ordersetl.report.preview import draw_preview
from ordersetl.report.tables import Hanging
from ordersetl.results import PreviewLine, PreviewOrder, PreviewReject, PreviewResult

WARNING = "batches that curated holds are no longer in output/raw: what they held cannot be rebuilt from anything"
TIME = datetime(2025, 8, 20, 10, tzinfo=UTC)


def show(*drawn: RenderableType, width: int = 80) -> list[str]:
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        for one in drawn:
            console.print(one)
    return [line.rstrip() for line in captured.get().splitlines()]


def test_the_lines_of_a_long_note_are_indented_after_the_first() -> None:
    first, second = show(Hanging(Text(WARNING)))
    assert f"{first} {second.strip()}" == WARNING
    assert second.startswith("  ")
    assert not second.startswith("   ")


@pytest.mark.parametrize(("text", "width"), [("x" * 80, 80), (WARNING, 10_000)])
def test_what_fits_is_one_line(text: str, width: int) -> None:
    assert show(Hanging(Text(text)), width=width) == [text]


def test_a_preview_shows_ids_and_times_whole() -> None:
    line = PreviewLine("CAC-301", "Nibs", Decimal(2), Decimal("37700.5000"), None, None, None, None, Decimal(0))
    ids = ("gid://shopify/Order/5123456789012", "gid://shopify/Customer/7123456789012")
    order = PreviewOrder(
        index=0,
        order_id=ids[0],
        created_at=TIME,
        updated_at=TIME,
        user_id=ids[1],
        amount=Decimal("975200.0000"),
        currency="COP",
        status="partially_refunded",
        source=None,
        promo=None,
        cancelled=False,
        gone=False,
        refunded=Decimal(2),
        lines=(line,),
    )
    page = PreviewResult(
        source="shopify",
        url="https://shop.example",
        since=None,
        until=None,
        received=3,
        accepted=2,
        rejected=1,
        outside_window=0,
        rejected_by_reason={},
        skipped_by_reason={},
        lines_accepted=1,
        lines_rejected_by_reason={},
        lines_skipped=0,
        orders=(order,),
        rejects=(PreviewReject(3, 1, None, "missing_sku", "items[1].sku is absent"),),
        seconds=0.1,
    )
    lines = show(*draw_preview(page, str))
    assert lines[lines.index("Orders, 1 of 2") + 1 :] == [
        "gid://shopify/Order/5123456789012  975200.00 COP  partially_refunded, refunded",
        "  2.00  user gid://shopify/Customer/7123456789012",
        "  created 2025-08-20T10:00:00Z, updated 2025-08-20T10:00:00Z",
        "  2 x CAC-301 at 37700.50",
        "",
        "Rejected",
        "record 3  (no id) line 1  missing_sku  items[1].sku is absent",
        "",
        "Nothing was written. To fetch them all: ordersetl run",
    ]
