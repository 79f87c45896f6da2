"""Do the texts fit: what a warehouse would refuse in the middle of a load is found before it begins."""

from collections.abc import Mapping

import duckdb

from ordersetl.errors import WarehouseError
from ordersetl.lake.csv_scan import select_csv
from ordersetl.lake.layout import Lake
from ordersetl.storage.copies import local_groups
from ordersetl.warehouse.connection import Dialect
from ordersetl.warehouse.ledger import Difference
from ordersetl.warehouse.tables import DIMENSIONS, FACTS, FoundColumn

__all__ = ["require_fit"]


def require_fit(
    dialect: Dialect, lake: Lake, difference: Difference, columns: Mapping[str, Mapping[str, FoundColumn]]
) -> None:
    """Compare the longest text of each column in the files to load with what the table's column takes.

    Raises:
        WarehouseError: one does not fit.
    """
    unit, length = ("bytes", "strlen") if dialect.counts_bytes else ("characters", "length")
    for table in (*DIMENSIONS, *FACTS):
        limits = {
            name: column.max_length
            for name, column in columns.get(table.name, {}).items()
            if column.max_length is not None and name in table.names
        }
        files = difference.files_of(table)
        if not limits or not files:
            continue
        longest = ", ".join(f"coalesce(max({length}({name})), 0)" for name in limits)
        found: list[tuple[int, ...]] = []
        with duckdb.connect() as database:
            for paths in local_groups(lake.storage, {file.key: file.bytes for file in files}):
                query, parameters = select_csv(table, list(paths.values()), day=False, columns=limits)
                found += database.execute(f"SELECT {longest} FROM ({query})", parameters).fetchall()
        for (name, limit), lengths in zip(limits.items(), zip(*found, strict=True), strict=True):
            if (most := max(lengths)) > limit:
                raise WarehouseError(
                    f"{table.name}.{name} of the warehouse takes {limit} {unit}, and there is a text of {most}",
                    hint=f"Widen the column there: ALTER TABLE ... ALTER COLUMN {name} TYPE VARCHAR(255)",
                )
