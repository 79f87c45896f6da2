"""The curated layer as views, for queries that others write: over its files where they are, and nothing else.

Within, DuckDB reads these files and no others, reaches no network, loads no extension, and cannot be told otherwise.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb

from ordersetl.check.files import find_regular_files
from ordersetl.check.tables import open_database, read_sql
from ordersetl.lake.csv_scan import select_csv
from ordersetl.lake.layout import CURATED, Lake, curated_key, file_day
from ordersetl.lake.manifest import Manifest
from ordersetl.star.schema import TABLES, Table

__all__ = ["VIEWS", "open_views"]

VIEWS = (*(table.name for table in TABLES), "orders", "orders_enriched", "refunds", "sales_by_day")
"""What there is to be queried: the tables of the layer, and the views of ``sql/views.sql``."""
_ZONE = "AT TIME ZONE 'UTC' AT TIME ZONE 'UTC'"
"""Where ``sql/views.sql`` names the shop's zone, the second one."""


@contextmanager
def open_views(
    lake: Lake, manifest: Manifest, *, days: Collection[date] | None = None, writes: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the views of ``VIEWS``; its partitions are those of ``days``, all of them where that is None.

    ``writes`` is a file that may be written as well.

    Files that are missing are left out: that the layer is complete is for the checks to say.

    Raises:
        duckdb.Error: the views cannot be made.
    """
    names = [name for name in manifest.files if days is None or file_day(name) in {None, *days}]
    names = find_regular_files(lake.storage.looks(CURATED, deep=days is None), sorted(names))
    zone = manifest.settings.timezone.replace("'", "")
    views = read_sql("views").replace(_ZONE, f"AT TIME ZONE 'UTC' AT TIME ZONE '{zone}'")
    with lake.storage.local_files(map(curated_key, names)) as files, open_database() as database:
        paths = {name: files[curated_key(name)] for name in names}
        queries = {table.name: _select_table(table, paths) for table in TABLES}
        allowed = {str(path.absolute()) for path in paths.values()}
        allowed.update(path for query in queries.values() for path in query[1])  # patterns are files to DuckDB too
        allowed.update([str(writes.absolute())] if writes else [])
        database.execute("SET allowed_paths = $paths", {"paths": sorted(allowed)})
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        for name, (query, _) in queries.items():
            database.execute(f"CREATE VIEW {name} AS {query}")
        database.execute(views)
        yield database


def _select_table(table: Table, paths: dict[str, Path]) -> tuple[str, list[str]]:
    """A query of the table's files, its columns as the DDL has them, and the paths in it."""
    own = [path for name, path in paths.items() if name.rpartition("/")[2] == f"{table.name}.csv"]
    columns = dict(table.duckdb_columns)
    is_fact = table.name.startswith("fact_")
    if is_fact:
        columns["dt"] = "DATE"
    if not own:
        return (
            f"SELECT {', '.join(f'CAST(NULL AS {kind}) AS {name}' for name, kind in columns.items())} WHERE false",
            [],
        )
    query, parameters = select_csv(table, own, day=is_fact)
    literal = ", ".join(_quote(path) for path in parameters["paths"])
    return f"SELECT {', '.join(columns)} FROM ({query.replace('$paths', f'[{literal}]')})", parameters["paths"]


def _quote(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
