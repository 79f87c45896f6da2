"""The statements of a load into PostgreSQL that are its own, for the driver and for ``load --print-sql postgres``."""

import re
from collections.abc import Collection, Iterator
from datetime import date, timedelta

from ordersetl.star.schema import Table
from ordersetl.warehouse.connection import PG_RELATIONS, Dialect, stage_name
from ordersetl.warehouse.names import LEDGER, Names, quote, read_definition
from ordersetl.warehouse.tables import DAY, FACTS

__all__ = ["COPY_OPTIONS", "POSTGRES", "create_partitions", "create_stage", "create_table"]

POSTGRES = Dialect(
    text_type="VARCHAR",
    time_text="to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')",
    date_text="to_char({}, 'YYYY-MM-DD')",
    hash_number="CAST(CAST('x' || left(md5({}), 15) AS BIT(60)) AS BIGINT)",
    enforces_keys=True,
    relations=PG_RELATIONS,
)
COPY_OPTIONS = "(FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')"
"""How curated files are written; without the encoding, that of the session would be taken for theirs."""
_KEY = re.compile(r"(PRIMARY KEY|UNIQUE) \(([\w, ]+)\)")


def create_stage(table: Table) -> str:
    """The statement that creates the temporary table of a load's new rows, with the day of facts."""
    columns = [*table.columns, DAY] if table in FACTS else table.columns
    types = ", ".join(f"{column.name} {POSTGRES.column_type(column.type)}" for column in columns)
    return f"CREATE TEMPORARY TABLE {stage_name(table.name)} ({types}) ON COMMIT DROP"


def create_table(name: str, names: Names, *, by_month: bool) -> Iterator[str]:
    """The statements that create a table of ours; a fact in partitions where that is asked for."""
    for statement in read_definition("ledger" if name == LEDGER else "postgres-ddl", name):
        placed = names.place(statement)
        if by_month and statement.startswith("CREATE TABLE") and name in {fact.name for fact in FACTS}:
            # a key of a table in partitions has to have what they go by
            placed = _KEY.sub(r"\1 (\2, dt)", placed) + " PARTITION BY RANGE (dt)"
        yield placed


def create_partitions(table: Table, names: Names, days: Collection[date]) -> Iterator[tuple[str, str]]:
    """The name of each partition of a fact that has to be there for these days, and the statement that creates it."""
    for month in sorted({day.replace(day=1) for day in days}):
        name = f"{names.prefix}{table.name}_{month:%Y_%m}"
        after = (month + timedelta(days=31)).replace(day=1)
        created = f"CREATE TABLE IF NOT EXISTS {names.quoted_schema}.{quote(name)} PARTITION OF {names(table.name)}"
        yield name, f"{created} FOR VALUES FROM ('{month}') TO ('{after}')"
