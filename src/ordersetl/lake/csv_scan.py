"""Curated files as DuckDB reads them: strict types, no sniffing, no glob."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ordersetl.star.schema import Table

__all__ = ["select_csv", "take_literally"]

_PATH = "dt=2025-01-01/{}.csv"


def select_csv(
    table: Table, paths: Sequence[Path], *, day: bool, columns: Iterable[str] | None = None
) -> tuple[str, dict[str, list[str]]]:
    """A query of the files as the table, and its parameters.

    A path is taken literally (DuckDB sees ``*?[`` as a glob), and ``key=value`` folders above the output add no column.

    Args:
        table: which.
        paths: its files.
        day: begin with ``dt``, from the path of a partition.
        columns: those to select; None for all.
    """
    types = ", ".join(f"'{name}': '{kind}'" for name, kind in table.duckdb_columns.items())
    length = len(_PATH.format(table.name))
    dt = f"CAST(substr(right(filename, {length}), 4, 10) AS DATE) AS dt, " if day else ""
    query = f"""
        SELECT {dt}{", ".join(table.names if columns is None else columns)}
        FROM read_csv(
            $paths, columns = {{{types}}}, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
            nullstr = '', allow_quoted_nulls = false, strict_mode = true, hive_partitioning = false, filename = true
        )"""
    return query, {"paths": [take_literally(path) for path in paths]}


def take_literally(path: Path) -> str:
    """A path as a pattern that fits it alone."""
    absolute = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in absolute)
