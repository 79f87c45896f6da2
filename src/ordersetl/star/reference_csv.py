"""Reference files as CSV: strict where they are given, so that no cell lands in another column; odd cells by name."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from ordersetl.errors import ConfigError
from ordersetl.text import many

__all__ = [
    "OddCell",
    "Rows",
    "describe_odd_cells",
    "find_swallowed",
    "read_rows",
    "refuse_blank_before_quote",
    "require_strict",
]

_LARGEST_CELL = 1 << 20
_MAX_SHOWN = 5
_MAYBE_BLANK_BEFORE_QUOTE = re.compile(r'(?:^|[,\r])[ \t]+"', re.MULTILINE)
"""What costs little to look for; it may also be within a cell in quotes."""


class Rows(msgspec.Struct, frozen=True):
    """The header, the rows below it without blank lines, and the line in which each of these begins."""

    header: list[str]
    header_line: int
    rows: list[list[str]]
    lines: list[int]


@dataclass(frozen=True, order=True)
class OddCell:
    """A cell that was not taken as it is: its row's line, its column's name, and what became of it."""

    line: int
    column: str
    problem: str


def read_rows(text: str, name: str, *, strict: bool) -> Rows:
    """Rows of a CSV file.

    Args:
        text: the file's.
        name: what errors call it.
        strict: refuse a quote that does not close, and text after one that does. A quote within a cell that does not
            begin with one is text in any case.

    Raises:
        ConfigError: it is no CSV; with the line.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=strict)
    begins, lines, rows = 1, [], []
    limit = csv.field_size_limit(_LARGEST_CELL)
    try:
        for row in reader:
            lines.append(begins)
            rows.append(row)
            begins = reader.line_num + 1
    except csv.Error as error:
        line, problem = (_find_fault(text, begins) if strict else None) or (reader.line_num, str(error))
        hint = "Close the quote, double one that is part of the text, and save it as CSV in UTF-8."
        raise ConfigError(f"{name}, line {line}: {problem}", hint=hint) from error
    finally:
        csv.field_size_limit(limit)
    first = next((at for at, row in enumerate(rows) if row), 0)  # lines above it are blank
    header = rows[first] if rows else []
    kept = [at for at in range(first + 1, len(rows)) if rows[at]]
    return Rows(header, lines[first] if lines else 1, [rows[at] for at in kept], [lines[at] for at in kept])


def require_strict(found: Rows, name: str) -> None:
    """Refuse what would shift or hide cells: a repeated name or header, a row longer than the header.

    A row may be shorter: its last cells are empty.

    Raises:
        ConfigError: with the line.
    """
    names = [cell.strip() for cell in found.header]
    for column, count in Counter(filter(None, names)).items():
        if count > 1:
            raise ConfigError(
                f"{name}, line {found.header_line}: the header has the column {column} {count} times",
                hint="Leave one of them.",
            )
    for row, line in zip(found.rows, found.lines, strict=True):
        if len(row) > len(names):
            raise ConfigError(
                f"{name}, line {line}: the row has {len(row)} cells, and the header has {len(names)}",
                hint="Put a cell that holds a comma in quotes, without a blank before them, and take away cells that "
                "are too many.",
            )
        if row[0].strip() == names[0] and [cell.strip() for cell in row] == names:
            raise ConfigError(f"{name}, line {line}: the header is repeated there", hint="Leave the first one alone.")


def refuse_blank_before_quote(text: str, name: str) -> None:
    """Refuse a quote that a blank precedes in its cell: it opens nothing, and a comma after it would end the cell.

    Raises:
        ConfigError: with the line.
    """
    if _MAYBE_BLANK_BEFORE_QUOTE.search(text) and (fault := _find_fault(text, 1)):
        line, problem = fault
        raise ConfigError(
            f"{name}, line {line}: {problem}", hint="Take away the blank between the comma and the quote."
        )


def find_swallowed(found: Rows) -> list[OddCell]:
    """Rows that end early and hold a line break: most likely a quote is missing, and lines are within a cell."""
    problem = "the row ends before it, and a cell before it holds a line break: is a quote missing?"
    width = len(found.header)
    return [
        OddCell(line, found.header[len(row)].strip(), problem)
        for row, line in zip(found.rows, found.lines, strict=True)
        if len(row) < width and any("\n" in cell or "\r" in cell for cell in row)
    ]


def describe_odd_cells(name: str, cells: Sequence[OddCell]) -> str:
    """One sentence that says how many cells are odd, and names the first ones."""
    shown = sorted(cells)[:_MAX_SHOWN]
    positions = "; ".join(f"line {cell.line}, column {cell.column}: {cell.problem}" for cell in shown)
    more = f"; and {len(cells) - len(shown):,} more" if len(cells) > len(shown) else ""
    are = "it is" if len(cells) == 1 else "they are"
    return f"{name}: {many(len(cells), 'cell')} cannot be taken as {are}: {positions}{more}"


def _find_fault(text: str, begins: int) -> tuple[int, str] | None:
    """Line and nature of the first quote that is wrong, from the row on that begins in a line."""
    state, opened = "start", begins
    for number, line in enumerate(_lines_from(text, begins), begins):
        for character in line:
            if state == "quoted":
                state = "closed" if character == '"' else state
            elif state == "closed" and character == '"':
                state = "quoted"  # a doubled quote is one that is part of the text
            elif character in ",\r\n":
                state = "start"
            elif state == "closed":
                closes = "" if number == opened else f" in line {number}"
                return opened, f"the quote that opens there closes{closes} before the cell ends"
            elif state == "blank" and character == '"':
                return number, "a blank stands before the quote that is to open a cell"
            elif state in {"start", "blank"} and character in " \t":
                state = "blank"
            elif state in {"start", "blank"}:
                state, opened = ("quoted", number) if character == '"' else ("plain", opened)
    return (opened, "the quote that opens there is never closed") if state == "quoted" else None


def _lines_from(text: str, first: int) -> Iterable[str]:
    return islice(io.StringIO(text, newline=""), first - 1, None)
