"""The dimensions: reference files folded in batch order, and inferred members for keys that only orders name."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

from ordersetl.errors import ConfigError
from ordersetl.star.reference_csv import (
    OddCell,
    Rows,
    describe_odd_cells,
    find_swallowed,
    read_rows,
    refuse_blank_before_quote,
    require_strict,
)
from ordersetl.star.schema import DIM_PRODUCT, DIM_USER, Table
from ordersetl.star.values import AMOUNT_LIMIT, TEXT_BYTES, read_date, read_decimal, read_short_text, read_text

__all__ = [
    "DIMENSIONS",
    "PRODUCTS",
    "USERS",
    "Dimension",
    "changed_keys",
    "fold_dimension",
    "inspect_reference",
    "read_reference",
]

_Reader = Callable[[str], tuple[Any, str]]
"""Gives a cell's value, and what is odd about it ("" if nothing)."""
_LINE = "line"
_COLUMN_NAME = re.compile(r"[^\W\d][\w .-]{0,29}").fullmatch
_MAX_NAMES = 8
_PROBLEMS = {
    "key": "no key that can be used, so the row is left out",
    "cells_unreadable": "it cannot be read, so it is taken as empty",
    "texts_cut": "it is cut to 255 bytes",
}


class Dimension(msgspec.Struct, frozen=True):
    """A dimension, the kind of reference file that feeds it, and that file's columns by table column.

    ``enriches`` are the columns that facts have too; ``mentioned`` those that orders may say of a key.
    """

    kind: str
    table: Table
    columns: dict[str, str]
    enriches: tuple[str, ...]
    mentioned: tuple[str, ...]

    @property
    def key(self) -> str:
        """The one key column."""
        return self.table.key[0]

    @property
    def file(self) -> str:
        """Path relative to ``curated/``."""
        return f"{self.table.name}.csv"


USERS = Dimension(
    "users",
    DIM_USER,
    {"user_id": "user_id", "email": "email", "country": "country", "created_at_user": "created_at"},
    ("country",),
    ("email", "country"),
)
PRODUCTS = Dimension(
    "products",
    DIM_PRODUCT,
    {"sku": "sku", "name": "name", "category": "category", "price": "price"},
    ("name", "category", "price"),
    ("name",),
)
DIMENSIONS = (USERS, PRODUCTS)


def read_reference(dimension: Dimension, body: bytes, name: str) -> tuple[pl.DataFrame, Counter[str]]:
    """Rows of a reference CSV, the last one of each key, and notes: how many rows or cells were not taken as they were.

    Columns may be in any order, others are ignored; cells are stripped, and empty ones are null. A key that is a
    whole number with a fraction of zeros (``501.0``, as pandas writes ids) is that number. A row without a usable key
    is left out; a price or date that cannot be read is null; text over 255 bytes is cut. All are counted.

    A file that is kept in raw is read however its quotes stand and however long its rows are: it was accepted once.

    Raises:
        ConfigError: it is not UTF-8, is empty, lacks a column, or is no CSV.
    """
    found = read_rows(_decode(body, name), name, strict=False)
    rows, notes, _ = _read_cells(dimension, found, _positions(dimension, found.header, name))
    return rows, notes


def inspect_reference(dimension: Dimension, body: bytes, name: str) -> str:
    """Require of a reference file that is given that it is strict CSV and has what :func:`read_reference` needs.

    Returns:
        A sentence that names the first cells that cannot be taken as they are; empty where there is none.

    Raises:
        ConfigError: it is not; with the line.
    """
    text = _decode(body, name)
    found = read_rows(text, name, strict=True)
    positions = _positions(dimension, found.header, name)
    require_strict(found, name)
    refuse_blank_before_quote(text, name)
    _, _, odd = _read_cells(dimension, found, positions)
    odd += find_swallowed(found)
    return describe_odd_cells(name, odd) if odd else ""


def fold_dimension(
    dimension: Dimension, known: pl.DataFrame, files: Iterable[pl.DataFrame], mentioned: pl.Series
) -> pl.DataFrame:
    """Fold reference files over a dimension, in their order, and add inferred rows for keys that orders mention.

    Args:
        dimension: which one.
        known: the dimension so far, one row a key.
        files: rows of reference files, one row a key each; the later file's row of a key replaces the earlier one.
        mentioned: keys of accepted orders; null is no key.

    Returns:
        The dimension's table, one row a key, sorted by it. No key of ``known`` vanishes.
    """
    key, names = dimension.key, dimension.table.names
    folded = known.select(names)
    for rows in files:
        given = rows.with_columns(inferred=pl.lit(value=False)).select(names)
        folded = pl.concat([folded.join(given, on=key, how="anti"), given])
    keys = pl.DataFrame({key: mentioned.drop_nulls().unique()}, schema={key: pl.String})
    new = keys.join(folded, on=key, how="anti").with_columns(inferred=pl.lit(value=True))
    filled = new.with_columns(pl.lit(None, dtype=t).alias(c) for c, t in dimension.table.schema.items() if c not in new)
    return pl.concat([folded, filled.select(names)]).sort(key)


def changed_keys(dimension: Dimension, before: pl.DataFrame, after: pl.DataFrame) -> pl.Series:
    """Keys whose enrichment differs between two states of a dimension. A new key is none: no old row has it."""
    columns = [dimension.key, *dimension.enriches]
    both = before.select(columns).join(after.select(columns), on=dimension.key, suffix="_after")
    differs = pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_after")) for c in dimension.enriches)
    return both.filter(differs)[dimension.key]


_OTHER_TEXT = "Latin-1 or Windows-1252"
_SIGNATURES = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "a zip file or a workbook",
    b"\xd0\xcf\x11\xe0": "a workbook of an old Excel",
}
"""What files begin with that are no CSV in UTF-8."""


def _decode(body: bytes, name: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        looks = next((kind for start, kind in _SIGNATURES.items() if body.startswith(start)), _OTHER_TEXT)
        raise ConfigError(
            f"{name} is not UTF-8: line {line} holds the byte 0x{body[error.start]:02x}",
            hint=f"Save it as CSV in UTF-8 (it looks like {looks}), and run again.",
        ) from None


def _positions(dimension: Dimension, header: list[str], name: str) -> dict[str, int]:
    """The position of each table column in the file."""
    given = [cell.strip() for cell in header]
    missing = [column for column in dimension.columns.values() if column not in given]
    if missing:
        found = _describe_header(given)
        raise ConfigError(
            f"{name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}: {found}",
            hint=f"A {dimension.kind} file has the header {','.join(dimension.columns.values())}, in any order.",
        )
    return {column: len(given) - 1 - given[::-1].index(source) for column, source in dimension.columns.items()}


def _describe_header(given: Sequence[str]) -> str:
    """The names in a header; nothing of a first line that is none, as that of any other file may be a secret."""
    if not any(given):
        return "it is empty"
    names = [cell for cell in given if _COLUMN_NAME(cell)]
    if len(given) == 1 or not names:
        return "its first line is no header"
    more = len(given) - len(names[:_MAX_NAMES])
    return f"it has {', '.join(names[:_MAX_NAMES])}{f' and {more:,} more' if more else ''}"


def _read_cells(
    dimension: Dimension, found: Rows, positions: dict[str, int]
) -> tuple[pl.DataFrame, Counter[str], list[OddCell]]:
    """Rows of the file, the last one of each key; notes; and the odd cells, but of blank rows."""
    given = pl.DataFrame(
        {column: [row[at] if at < len(row) else "" for row in found.rows] for column, at in positions.items()},
        schema=dict.fromkeys(positions, pl.String),
    ).with_columns(pl.Series(_LINE, found.lines, dtype=pl.UInt32))
    kind, key, notes = dimension.kind, dimension.key, Counter[str]()
    keys = _read_keys(given[key])
    unusable = given.filter(keys.is_null())
    notes[f"{kind}_rows_without_usable_key"] = unusable.height
    odd_keys = unusable.filter(pl.any_horizontal(pl.col(column).str.strip_chars() != "" for column in positions))
    odd = [OddCell(line, dimension.columns[key], _PROBLEMS["key"]) for line in odd_keys[_LINE]]
    usable = given.with_columns(keys).drop_nulls(key)
    columns = {}
    for column, target in dimension.table.schema.items():
        if column not in positions or column == key:
            continue
        columns[column], problems = _read_column(usable[column], target, _READERS[target.base_type()])
        for at, problem in problems:
            notes[f"{kind}_{problem}"] += 1
            odd.append(OddCell(usable[_LINE][at], dimension.columns[column], _PROBLEMS[problem]))
    rows = pl.DataFrame([usable[key], *columns.values()])
    last = rows.unique(key, keep="last", maintain_order=True)
    notes[f"{kind}_rows_with_repeated_key"] = rows.height - last.height
    return last, Counter({note: count for note, count in notes.items() if count}), odd


def _read_keys(cells: pl.Series) -> pl.Series:
    """Keys, null where there is none that can be used."""
    keys, _ = _read_column(cells, pl.String(), _read_cell_key)
    return keys.str.replace(r"^-?0\.0+$", "0").str.replace(r"^(-?[1-9][0-9]*)\.0+$", "${1}")


def _read_column(cells: pl.Series, target: pl.DataType, read: _Reader) -> tuple[pl.Series, list[tuple[int, str]]]:
    """The cells as their type, and which were odd in what.

    On the fast path they are read all at once; the fallback is ``read``, cell by cell, which gives the same values.
    """
    on_fast_path = cells.str.contains(_FAST_PATH[target.base_type()]) & (cells.str.len_bytes() <= TEXT_BYTES)
    fast = cells.set(~on_fast_path, None)
    values = fast.str.to_date("%Y-%m-%d", strict=False) if target == pl.Date else fast.cast(target)
    fallback = (values.is_null() & (cells != "")).arg_true()
    if fallback.is_empty():
        return values, []
    read_cells = [read(cell) for cell in cells.gather(fallback)]
    problems = [(at, what) for at, (_, what) in zip(fallback, read_cells, strict=True) if what]
    return values.scatter(fallback, pl.Series([value for value, _ in read_cells], dtype=target)), problems


def _read_cell_key(cell: str) -> tuple[str | None, str]:
    key = read_text(cell)
    return (key, "") if key is not None and len(key.encode()) <= TEXT_BYTES else (None, "")


def _read_cell_text(cell: str) -> tuple[str | None, str]:
    text, cut = read_short_text(cell)
    return text, "texts_cut" if cut else ""


def _read_cell_price(cell: str) -> tuple[Decimal | None, str]:
    text = read_text(cell)
    price = read_decimal(text)
    if price is not None and 0 <= price < AMOUNT_LIMIT:
        return price, ""
    return None, "cells_unreadable" if text is not None else ""


def _read_cell_date(cell: str) -> tuple[date | None, str]:
    text = read_text(cell)
    day = read_date(text)
    return day, "cells_unreadable" if text is not None and day is None else ""


_READERS: dict[Any, _Reader] = {pl.String: _read_cell_text, pl.Decimal: _read_cell_price, pl.Date: _read_cell_date}
_END = r"[!-~\p{L}\p{N}]"
_FAST_PATH: dict[Any, str] = {
    pl.String: rf"^{_END}(?:[^\x00]*{_END})?$",
    pl.Decimal: r"^[0-9]{1,9}(?:\.[0-9]{1,4})?$",
    pl.Date: r"^(?:19[7-9][0-9]|20[0-9][0-9]|21[0-9][0-9])-[0-9]{2}-[0-9]{2}$",
}
"""Cells that mean what they say, by type."""
