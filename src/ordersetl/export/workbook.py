"""A result of DuckDB as a workbook: one sheet, values as what they are, and no text that is taken for a formula."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from ordersetl.errors import ConfigError

__all__ = ["MAX_ROWS", "require_writer", "write_workbook"]

MAX_ROWS = 1_048_575
"""Rows of a sheet below its header, by ECMA-376 as spreadsheets have it."""
_ROWS = 1000
"""Rows that are in memory at a time."""
_EXACT_DIGITS = 15
"""Significant digits of a number in a sheet; one of more is written as text."""
_MADE = datetime(2000, 1, 1)  # noqa: DTZ001 - of every workbook, so that equal rows give equal bytes
_WIDEST = 40
_FORMATS = {datetime: "yyyy-mm-dd hh:mm:ss", date: "yyyy-mm-dd", Decimal: "#,##0.00##"}


def require_writer() -> None:
    """Check that workbooks can be written.

    Raises:
        ConfigError: the package that does is not installed.
    """
    try:
        import xlsxwriter  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "workbooks need the package xlsxwriter, which is not installed",
            hint="Install it: python3 -m pip install 'ordersetl[xlsx]'; or give --format csv.",
        ) from None


def write_workbook(rows: duckdb.DuckDBPyConnection, path: Path, title: str) -> int:
    """Write the rows of an executed query, and return how many there are; times are UTC, as they are in the layer.

    Raises:
        ConfigError: there are more than a sheet takes.
    """
    import xlsxwriter  # noqa: PLC0415 - an extra

    names = [column[0] for column in rows.description or ()]
    with xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False}) as book:
        book.set_properties({"created": _MADE})
        sheet = book.add_worksheet(title)
        formats = {kind: book.add_format({"num_format": text}) for kind, text in _FORMATS.items()}
        bold = book.add_format({"bold": True})
        for column, name in enumerate(names):
            sheet.set_column(column, column, min(_WIDEST, max(12, len(name) + 2)))
            sheet.write_string(0, column, name, bold)
        sheet.freeze_panes(1, 0)
        count = 0
        while found := rows.fetchmany(_ROWS):
            for row in found:
                count += 1
                if count > MAX_ROWS:
                    raise ConfigError(
                        f"a sheet takes {MAX_ROWS:,} rows, and there are more",
                        hint="Give fewer days with --since and --until, or --format csv.",
                    )
                for column, value in enumerate(row):
                    _write_cell(sheet, count, column, value, formats)
        sheet.autofilter(0, 0, max(count, 1), len(names) - 1)
    return count


def _write_cell(sheet: Any, row: int, column: int, value: object, formats: dict[type, Any]) -> None:  # noqa: ANN401
    match value:
        case None:
            return
        case bool():
            sheet.write_boolean(row, column, value)
        case Decimal() if len(value.normalize().as_tuple().digits) > _EXACT_DIGITS:
            sheet.write_string(row, column, str(value))
        case Decimal() | int():
            sheet.write_number(row, column, value, formats[Decimal] if isinstance(value, Decimal) else None)
        case datetime() | date():
            kind = datetime if isinstance(value, datetime) else date
            sheet.write_datetime(row, column, value, formats[kind])
        case _:
            sheet.write_string(row, column, str(value))
