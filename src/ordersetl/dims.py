"""The dimensions: reference files folded in batch order, and inferred members for keys that only orders name."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl

from ordersetl.errors import ConfigError
from ordersetl.tables import DIM_PRODUCT, DIM_USER, Table
from ordersetl.values import AMOUNT_LIMIT, TEXT_BYTES, read_date, read_decimal, read_short_text, read_text

__all__ = ["DIMENSIONS", "PRODUCTS", "USERS", "Dimension", "changed_keys", "fold_dimension", "read_reference"]

_LARGEST_CELL = 1 << 20


@dataclass(frozen=True)
class Dimension:
    """A dimension, the kind of reference file that feeds it, and that file's columns by table column."""

    kind: str
    table: Table
    columns: dict[str, str]
    enriches: tuple[str, ...]

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
)
PRODUCTS = Dimension(
    "products",
    DIM_PRODUCT,
    {"sku": "sku", "name": "name", "category": "category", "price": "price"},
    ("name", "category", "price"),
)
DIMENSIONS = (USERS, PRODUCTS)


def read_reference(dimension: Dimension, body: bytes, name: str) -> tuple[pl.DataFrame, Counter[str]]:
    """Rows of a reference CSV, the last one of each key, and notes: how many rows or cells were not taken as they were.

    Columns may stand in any order, others are ignored; cells are stripped, and empty ones are null. A row without a
    usable key is left out; a price or date that cannot be read is null; text over 255 bytes is cut. All are counted.

    Raises:
        ConfigError: it is not UTF-8, is empty, lacks a column, or is no CSV.
    """
    reader = csv.reader(io.StringIO(_decode(body, name), newline=""))
    limit = csv.field_size_limit(_LARGEST_CELL)
    try:
        places = _places(dimension, next(reader, []), name)
        rows, notes = _read_rows(dimension, reader, places)
    except csv.Error as error:
        raise ConfigError(f"{name}, line {reader.line_num}: {error}", hint="Save it as CSV in UTF-8.") from error
    finally:
        csv.field_size_limit(limit)
    return rows, Counter({note: count for note, count in notes.items() if count})


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


def _decode(body: bytes, name: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{name} is not UTF-8: line {line} holds the byte 0x{body[error.start]:02x}",
            hint="Save it as UTF-8 (it looks like Latin-1 or Windows-1252), and run again.",
        ) from None


def _places(dimension: Dimension, header: list[str], name: str) -> dict[str, int]:
    """Where each table column stands in the file."""
    given = [cell.strip() for cell in header]
    missing = [column for column in dimension.columns.values() if column not in given]
    if missing:
        found = f"it has {', '.join(given)[:200]}" if any(given) else "it is empty"
        raise ConfigError(
            f"{name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}: {found}",
            hint=f"A {dimension.kind} file has the header {','.join(dimension.columns.values())}, in any order.",
        )
    return {column: len(given) - 1 - given[::-1].index(source) for column, source in dimension.columns.items()}


def _read_rows(
    dimension: Dimension, reader: Iterable[list[str]], places: dict[str, int]
) -> tuple[pl.DataFrame, Counter[str]]:
    """Rows of the file, the last one of each key, and notes.

    Raises:
        csv.Error: it is no CSV.
    """
    cells = [row for row in reader if row]
    given = pl.DataFrame(
        {column: [row[at] if at < len(row) else "" for row in cells] for column, at in places.items()},
        schema=dict.fromkeys(places, pl.String),
    )
    key, notes = dimension.key, Counter[str]()
    usable = given.with_columns(_read_column(given[key], pl.String(), _read_cell_key)).drop_nulls(key)
    notes[f"{dimension.kind}_rows_without_usable_key"] += given.height - usable.height
    columns = [usable[key]]
    for column in usable.columns[1:]:
        target = dimension.table.schema[column]
        read = partial(_READERS[target.base_type()], dimension.kind, notes)
        columns.append(_read_column(usable[column], target, read))
    rows = pl.DataFrame(columns)
    last = rows.unique(key, keep="last", maintain_order=True)
    notes[f"{dimension.kind}_rows_with_repeated_key"] += rows.height - last.height
    return last, notes


def _read_column(cells: pl.Series, target: pl.DataType, read: Callable[[str], Any]) -> pl.Series:
    """The cells as their type: plain ones all at once, any other by ``read``, which gives the same values."""
    is_plain = cells.str.contains(_PLAIN[target.base_type()]) & (cells.str.len_bytes() <= TEXT_BYTES)
    plain = cells.set(~is_plain, None)
    values = plain.str.to_date("%Y-%m-%d", strict=False) if target == pl.Date else plain.cast(target)
    doubtful = (values.is_null() & (cells != "")).arg_true()
    if doubtful.is_empty():
        return values
    others = pl.Series([read(cell) for cell in cells.gather(doubtful)], dtype=target)
    return values.scatter(doubtful, others)


def _read_cell_key(cell: str) -> str | None:
    key = read_text(cell)
    return key if key is not None and len(key.encode()) <= TEXT_BYTES else None


def _read_cell_text(kind: str, notes: Counter[str], cell: str) -> str | None:
    text, cut = read_short_text(cell)
    notes[f"{kind}_texts_cut"] += cut
    return text


def _read_cell_price(kind: str, notes: Counter[str], cell: str) -> Decimal | None:
    text = read_text(cell)
    price = read_decimal(text)
    if price is not None and 0 <= price < AMOUNT_LIMIT:
        return price
    notes[f"{kind}_cells_unreadable"] += text is not None
    return None


def _read_cell_date(kind: str, notes: Counter[str], cell: str) -> date | None:
    text = read_text(cell)
    day = read_date(text)
    notes[f"{kind}_cells_unreadable"] += text is not None and day is None
    return day


_READERS: dict[Any, Callable[[str, Counter[str], str], Any]] = {
    pl.String: _read_cell_text,
    pl.Decimal: _read_cell_price,
    pl.Date: _read_cell_date,
}
_END = r"[!-~\p{L}\p{N}]"
_PLAIN: dict[Any, str] = {
    pl.String: rf"^{_END}(?:[^\x00]*{_END})?$",
    pl.Decimal: r"^[0-9]{1,9}(?:\.[0-9]{1,4})?$",
    pl.Date: r"^(?:19[7-9][0-9]|20[0-9][0-9]|21[0-9][0-9])-[0-9]{2}-[0-9]{2}$",
}
"""Cells that mean what they say, by type."""
