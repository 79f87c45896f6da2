"""The bridge from gross to net sales as a table: a step a row, a currency a column."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ordersetl.report.currencies import count_digits
from ordersetl.results import BridgeMetric
from ordersetl.text import printable

__all__ = ["draw_bridge"]

_CURRENCIES = 3
"""Columns of figures that fit 80 characters, however large."""
_STEPS = (
    ("gross", "gross"),
    ("- discount", "discount"),
    ("+ tax", "tax"),
    ("+ shipping", "shipping"),
    ("+ other", "other"),
    ("amount", "amount"),
    ("- refunded", "refunded"),
    ("- cancelled", "cancelled"),
    ("net sales", "net"),
)
_SUMS = {"gross", "amount", "net"}


def draw_bridge(bridge: Sequence[BridgeMetric], title: str) -> Iterator[RenderableType]:
    """The title, and tables of a few currencies each; steps that are 0 in all of them are left out."""
    waiting = iter(bridge)
    if bridge:
        yield Text(f"\n{title}", style="bold")
    while some := list(islice(waiting, _CURRENCIES)):
        table = Table(box=None, pad_edge=False)
        table.add_column("", header_style="dim")
        for metric in some:
            table.add_column(Text(printable(metric.currency or "(none)")), justify="right", header_style="dim")
        digits = [count_digits(metric.currency) for metric in some]
        for label, step in _STEPS:
            figures: list[Decimal] = [getattr(metric, step) for metric in some]
            if step in _SUMS or any(figures):
                style = "bold" if step in _SUMS else None
                table.add_row(
                    label,
                    *(f"{figure:,.{places}f}" for figure, places in zip(figures, digits, strict=True)),
                    style=style,
                )
        yield table
