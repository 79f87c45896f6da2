"""What tables for a terminal are made of: facts a line each, columns, and values as people read them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from ordersetl.report.currencies import count_digits
from ordersetl.text import many, printable

__all__ = [
    "Complete",
    "Hanging",
    "align_money",
    "draw_facts",
    "format_size",
    "list_counts",
    "list_money",
    "list_most",
    "name_or",
    "new_table",
    "plain_text",
]

Complete = Callable[[str], str]
"""Adds the options in use to the commands that a text names."""

_KIB = 1024
_MAX_LISTED = 2
_NUMBERS = {"amount", "average order", "lines", "net", "orders", "qty", "refunded", "revenue"}


class Hanging(msgspec.Struct, frozen=True):
    """A paragraph whose first line begins at the margin, and whose others are indented by so many characters."""

    text: Text
    indent: int = 2

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Its lines; one where there is the room."""
        if self.text.cell_len <= options.max_width:
            yield self.text
            return
        for number, line in enumerate(self.text.wrap(console, max(1, options.max_width - self.indent))):
            yield Text.assemble(" " * self.indent if number else "", line)


def draw_facts(title: str, facts: Mapping[str, str | Sequence[str]], complete: Complete) -> Table:
    """A title, and a line a fact: its name, and what there is to know; or several lines."""
    line = Text(title, style="bold", no_wrap=True, overflow="ignore")
    table = Table(title=line, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        lines = [value] if isinstance(value, str) else value
        table.add_row(name, Text("\n".join(complete(printable(line)) for line in lines)))
    return table


def new_table(title: str, *columns: str) -> Table:
    """An empty table; columns of numbers, known by their names, are aligned to the right."""
    above = f"\n{title}" if title else None
    table = Table(title=above, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in _NUMBERS else "left", header_style="dim")
    return table


def plain_text(text: str) -> Text:
    """Text as it is: no markup is read from it."""
    return Text(printable(text))


def name_or(name: str, absent: str) -> Text:
    """A name, or what stands for none."""
    return plain_text(name or absent)


def list_counts(counts: Mapping[str, int]) -> str:
    """Counts by name, in their order."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def list_most(counts: Mapping[str, int]) -> str:
    """The highest counts by name, highest first, and how many more names there are."""
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = len(most) - _MAX_LISTED
    return list_counts(dict(most[:_MAX_LISTED])) + (f", {many(more, 'more reason')}" if more > 0 else "")


def align_money(amounts: Mapping[str, Decimal]) -> list[str]:
    """A line a currency, the amounts one below the other; ``none`` where there are none."""
    shown = {currency or "(none)": f"{amount:,.{count_digits(currency)}f}" for currency, amount in amounts.items()}
    names, figures = max(map(len, shown), default=0), max(map(len, shown.values()), default=0)
    return [f"{currency:<{names}} {amount:>{figures}}" for currency, amount in shown.items()] or ["none"]


def list_money(amounts: Mapping[str, Decimal]) -> str:
    """Amounts by currency, in their order."""
    shown = (
        f"{currency or '(no currency)'} {amount:,.{count_digits(currency)}f}" for currency, amount in amounts.items()
    )
    return ", ".join(shown) or "none"


def format_size(count: float) -> str:
    """A number of bytes in the unit that shows it best."""
    if count < _KIB:
        return many(round(count), "byte")
    for unit in ("KiB", "MiB"):
        count /= _KIB
        if count < _KIB:
            return f"{count:,.1f} {unit}"
    return f"{count / _KIB:,.1f} GiB"
