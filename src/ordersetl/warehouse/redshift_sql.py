"""The statements of a load into Redshift that are its own: COPY from S3, and the day of a row.

They are texts of this package with names, roles and times in them that were checked where they came from: COPY takes no
parameters. What people are shown by ``load --print-sql redshift`` is made of the same.
"""

from collections.abc import Sequence
from datetime import date

from ordersetl.star.schema import FACT_ORDER, FACT_REFUND, Table
from ordersetl.warehouse.connection import PG_RELATIONS, Dialect, stage_name
from ordersetl.warehouse.tables import DAY, FACTS
from ordersetl.warehouse.zone_days import find_day

__all__ = ["NO_NULL", "REDSHIFT", "copy_from", "create_copied", "create_stage", "derive_days", "write_role"]

REDSHIFT = Dialect(
    text_type="VARCHAR(255)",
    time_text="to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')",
    date_text="to_char({}, 'YYYY-MM-DD')",
    hash_number="STRTOL(LEFT(MD5({}), 15), 16)",
    counts_bytes=True,
    relations=PG_RELATIONS,
)
NO_NULL = " ordersetl:null "
r"""No text of ours is this one, as none ends in a blank: else COPY would take the text ``\N`` for a null."""
_COPY_OPTIONS = (
    f"FORMAT CSV IGNOREHEADER 1 EMPTYASNULL NULL AS '{NO_NULL}' DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto'"
    " COMPUPDATE OFF STATUPDATE OFF"
)


def create_copied(table: Table) -> list[str]:
    """Statements that create the temporary table that COPY fills, with the columns of the files alone."""
    return _create(_copied_name(table), table, days=False)


def create_stage(table: Table) -> list[str]:
    """Statements that create the temporary table of a load's new rows, with the day of facts."""
    return _create(stage_name(table.name), table, days=table in FACTS)


def copy_from(table: Table, manifest: str, *, access: str, region: str | None) -> str:
    """The COPY of the files that a COPY manifest names.

    Args:
        table: which.
        manifest: its URL.
        access: ``IAM_ROLE ...``, or the keys.
        region: of the bucket; None for that of the cluster.
    """
    target = _copied_name(table) if table in FACTS else stage_name(table.name)
    where = f" REGION '{region}'" if region else ""
    columns = ", ".join(table.names)
    return f"COPY {target} ({columns}) FROM '{manifest}' {access}{where} MANIFEST {_COPY_OPTIONS}"


def write_role(role: str) -> str:
    """How COPY may read S3 by a role: ``default``, or its ARN."""
    return "IAM_ROLE DEFAULT" if role == "default" else f"IAM_ROLE '{role}'"


def derive_days(table: Table, days: Sequence[date], timezone: str) -> str:
    """The statement that fills the stage of a fact from what COPY filled: of refunds, the day is that of their order.

    Args:
        table: fact_order, or fact_refund once fact_order is staged.
        days: all days of the files, at least one.
        timezone: IANA name of the zone whose days they are.
    """
    columns = ", ".join(table.names)
    insert = f"INSERT INTO {stage_name(table.name)} ({columns}, {DAY.name})"
    if table is FACT_ORDER:
        day = find_day("created_at_order", timezone, min(days), max(days))
        return f"{insert} SELECT {columns}, {day} FROM {_copied_name(table)}"
    orders = f"(SELECT DISTINCT order_id, {DAY.name} FROM {stage_name(FACT_ORDER.name)})"
    own = ", ".join(f"r.{name}" for name in table.names)
    refunds = _copied_name(FACT_REFUND)
    return f"{insert} SELECT {own}, o.{DAY.name} FROM {refunds} AS r JOIN {orders} AS o ON o.order_id = r.order_id"


def _create(name: str, table: Table, *, days: bool) -> list[str]:
    columns = [*table.columns, DAY] if days else table.columns
    types = ", ".join(f"{column.name} {REDSHIFT.column_type(column.type)}" for column in columns)
    placed = " DISTSTYLE KEY DISTKEY (order_id)" if table in FACTS else ""
    return [f"DROP TABLE IF EXISTS {name}", f"CREATE TEMPORARY TABLE {name} ({types}){placed}"]


def _copied_name(table: Table) -> str:
    return f"ordersetl_copy_{table.name}"
