"""Replace rows of a fact by those that are staged: all of them, those of some days, or of the orders that changed."""

from datetime import date

from ordersetl.star.schema import FACT_ORDER, Table
from ordersetl.warehouse.connection import Warehouse, stage_name
from ordersetl.warehouse.tables import DAY

__all__ = ["replace_all", "replace_days", "replace_orders"]

_CHANGED = stage_name("order")
"""The temporary table of the orders that changed: order_id."""
_KEPT = (*FACT_ORDER.key, "user_id")
"""What an update leaves as it is, as DuckDB has it in an index: the row's key, and the one of another table."""


def replace_all(warehouse: Warehouse, table: Table) -> None:
    """Make the staged rows the only ones."""
    warehouse.execute(f"DELETE FROM {warehouse.names(table.name)}")
    warehouse.execute(_insert(warehouse, table))


def replace_days(warehouse: Warehouse, table: Table, days: str, bounds: tuple[date, ...]) -> None:
    """Replace the rows of some days, and those of the staged orders on whatever other day.

    Args:
        warehouse: where the rows are staged.
        table: a fact.
        days: a condition on ``dt``.
        bounds: its parameters.
    """
    target = warehouse.names(table.name)
    warehouse.execute(f"DELETE FROM {target} WHERE {days}", bounds)
    orders = f"SELECT order_id FROM {stage_name(FACT_ORDER.name)}"
    warehouse.execute(f"DELETE FROM {target} WHERE order_id IN ({orders})")
    warehouse.execute(_insert(warehouse, table))


def replace_orders(warehouse: Warehouse, days: str, bounds: tuple[date, ...]) -> None:
    """Bring the orders of some days to what is staged, and write only those that changed, on whatever day they are.

    Takes what :func:`replace_days` takes; keys have to be enforced.
    """
    target, stage = warehouse.names(FACT_ORDER.name), stage_name(FACT_ORDER.name)
    columns = ", ".join([*FACT_ORDER.names, DAY.name])
    held, staged = f"SELECT {columns} FROM {target} WHERE {days}", f"SELECT {columns} FROM {stage}"
    warehouse.execute(f"CREATE TEMPORARY TABLE {_CHANGED} (order_id VARCHAR(255))")
    warehouse.execute(
        f"INSERT INTO {_CHANGED} SELECT order_id FROM ({staged} EXCEPT {held}) AS new"
        f" UNION SELECT order_id FROM ({held} EXCEPT {staged}) AS old",
        bounds * 2,
    )
    warehouse.execute(f"ANALYZE {_CHANGED}")  # else PostgreSQL takes them for many
    changed = f"order_id IN (SELECT order_id FROM {_CHANGED})"
    if warehouse.dialect.updates_rows:
        _update_orders(warehouse, changed)
    else:
        warehouse.execute(f"DELETE FROM {target} WHERE {changed}")
        warehouse.execute(f"{_insert(warehouse, FACT_ORDER)} WHERE {changed}")


def _update_orders(warehouse: Warehouse, changed: str) -> None:
    """Update the rows of changed orders whose keys stay, delete those that are no more, insert those that are new."""
    target, stage = warehouse.names(FACT_ORDER.name), stage_name(FACT_ORDER.name)
    key = " AND ".join(f"t.{name} = s.{name}" for name in FACT_ORDER.key)
    same = f"{key} AND t.user_id IS NOT DISTINCT FROM s.user_id"
    warehouse.execute(
        f"DELETE FROM {target} AS t WHERE t.{changed} AND NOT EXISTS (SELECT 1 FROM {stage} AS s WHERE {same})"
    )
    changes = ", ".join(f"{name} = s.{name}" for name in (*FACT_ORDER.names, DAY.name) if name not in _KEPT)
    warehouse.execute(f"UPDATE {target} AS t SET {changes} FROM {stage} AS s WHERE {key} AND s.{changed}")
    warehouse.execute(
        f"{_insert(warehouse, FACT_ORDER)} AS s"
        f" WHERE s.{changed} AND NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {key})"
    )


def _insert(warehouse: Warehouse, table: Table) -> str:
    columns = ", ".join([*table.names, DAY.name])
    return f"INSERT INTO {warehouse.names(table.name)} ({columns}) SELECT {columns} FROM {stage_name(table.name)}"
