"""The statements of a load into PostgreSQL that are its own, for the driver and for ``load --print-sql postgres``."""

from ordersetl.star.schema import Table
from ordersetl.warehouse.connection import Dialect, stage_name
from ordersetl.warehouse.tables import DAY, FACTS

__all__ = ["COPY_OPTIONS", "POSTGRES", "create_stage"]

POSTGRES = Dialect(
    text_type="VARCHAR",
    time_text="to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')",
    date_text="to_char({}, 'YYYY-MM-DD')",
    hash_number="CAST(CAST('x' || left(md5({}), 15) AS BIT(60)) AS BIGINT)",
    enforces_keys=True,
    relations=(  # the standard that information_schema follows knows no materialized views
        "(SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables"
        " UNION ALL SELECT current_database(), schemaname, matviewname, 'MATERIALIZED VIEW' FROM pg_matviews) AS r"
    ),
)
COPY_OPTIONS = "(FORMAT csv, HEADER true, NULL '')"
"""How curated files are written."""


def create_stage(table: Table) -> str:
    """The statement that creates the temporary table of a load's new rows, with the day of facts."""
    columns = [*table.columns, DAY] if table in FACTS else table.columns
    types = ", ".join(f"{column.name} {POSTGRES.column_type(column.type)}" for column in columns)
    return f"CREATE TEMPORARY TABLE {stage_name(table.name)} ({types}) ON COMMIT DROP"
