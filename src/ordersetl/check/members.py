"""Large dimensions that a run did not write, looked up by the keys that its partitions use, in place of read whole."""

from collections.abc import Collection, Mapping

import duckdb
import polars as pl

from ordersetl.check.tables import select_rows
from ordersetl.lake.integrity import SMALL_BYTES
from ordersetl.lake.layout import Lake, file_day
from ordersetl.lake.manifest import FileEntry, Manifest
from ordersetl.lake.members import look_up_members
from ordersetl.star.dimensions import DIMENSIONS, Dimension

__all__ = ["choose_looked_up", "load_members"]

_MANY = 8
"""How many times the rows of the partitions a dimension has, to be looked up in."""


def choose_looked_up(
    manifest: Manifest, files: Mapping[str, FileEntry], unchanged: Collection[str]
) -> tuple[Dimension, ...]:
    """Those of the unchanged dimensions that are much larger than the partitions."""
    rows = sum(entry.rows for file, entry in files.items() if file_day(file) is not None)
    return tuple(
        dimension
        for dimension in DIMENSIONS
        if dimension.file in unchanged
        and dimension.kind in manifest.members
        and manifest.files[dimension.file].bytes > SMALL_BYTES
        and manifest.files[dimension.file].rows > _MANY * rows
    )


def load_members(own: duckdb.DuckDBPyConnection, lake: Lake, manifest: Manifest, dimension: Dimension) -> None:
    """Create the dimension's table with those members that ``fact_order`` names, their keys alone.

    Raises:
        BrokenSegmentError: the members are not what was written.
    """
    key, table = dimension.key, dimension.table.name
    named = own.execute(f"SELECT DISTINCT {key} FROM fact_order WHERE {key} IS NOT NULL").fetchall()
    keys = pl.Series(key, [row[0] for row in named], dtype=pl.String)
    found = look_up_members(lake, manifest.members[dimension.kind], dimension, keys)
    query, parameters = select_rows({key: "VARCHAR"}, found.select(key).rows())
    own.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {query}", parameters)
