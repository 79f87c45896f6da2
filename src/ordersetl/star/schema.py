"""The star schema, written once: a test compares every other statement of it (DDLs, CSV headers) with this one."""

from typing import Literal

import msgspec
import polars as pl

from ordersetl.star.rules import MONEY_SCALE

__all__ = [
    "DIM_PRODUCT",
    "DIM_USER",
    "FACT_ORDER",
    "FACT_REFUND",
    "TABLES",
    "Column",
    "SqlType",
    "Table",
]

SqlType = Literal["VARCHAR", "DECIMAL(18,4)", "TIMESTAMP", "DATE", "BOOLEAN"]

_POLARS: dict[SqlType, pl.DataType] = {
    "VARCHAR": pl.String(),
    "DECIMAL(18,4)": pl.Decimal(18, MONEY_SCALE),
    "TIMESTAMP": pl.Datetime("us"),
    "DATE": pl.Date(),
    "BOOLEAN": pl.Boolean(),
}


class Column(msgspec.Struct, frozen=True):
    """One column of a curated table."""

    name: str
    type: SqlType
    nullable: bool = True


class Table(msgspec.Struct, frozen=True):
    """A curated table: its columns in file order and its key, which is also its sort order."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Column names in file order."""
        return [c.name for c in self.columns]

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Polars types by column name, in file order."""
        return {c.name: _POLARS[c.type] for c in self.columns}

    @property
    def duckdb_columns(self) -> dict[str, str]:
        """DuckDB types by column name, in file order, for ``read_csv(columns=...)``."""
        return {c.name: c.type for c in self.columns}


FACT_ORDER = Table(
    "fact_order",
    (
        Column("order_id", "VARCHAR", nullable=False),
        Column("sku", "VARCHAR", nullable=False),
        Column("user_id", "VARCHAR"),
        Column("qty", "DECIMAL(18,4)", nullable=False),
        Column("item_price", "DECIMAL(18,4)"),
        Column("line_amount", "DECIMAL(18,4)"),
        Column("order_amount", "DECIMAL(18,4)", nullable=False),
        Column("net_amount", "DECIMAL(18,4)", nullable=False),
        Column("currency", "VARCHAR"),
        Column("created_at_order", "TIMESTAMP", nullable=False),
        Column("updated_at_order", "TIMESTAMP", nullable=False),
        Column("status", "VARCHAR"),
        Column("source", "VARCHAR"),
        Column("promo", "VARCHAR"),
        Column("user_country", "VARCHAR"),
        Column("product_name", "VARCHAR"),
        Column("product_category", "VARCHAR"),
        Column("list_price", "DECIMAL(18,4)"),
        Column("discount_amount", "DECIMAL(18,4)"),
        Column("tax_amount", "DECIMAL(18,4)"),
        Column("shipping_amount", "DECIMAL(18,4)"),
        Column("refunded_amount", "DECIMAL(18,4)", nullable=False),
        Column("cancelled", "BOOLEAN", nullable=False),
    ),
    ("order_id", "sku"),
)
"""One row per (order_id, sku) of each order's winning version, partitioned by the date of ``created_at_order`` in the
output's time zone."""

FACT_REFUND = Table(
    "fact_refund",
    (
        Column("order_id", "VARCHAR", nullable=False),
        Column("refund_id", "VARCHAR", nullable=False),
        Column("sku", "VARCHAR"),
        Column("qty", "DECIMAL(18,4)"),
        Column("refund_amount", "DECIMAL(18,4)", nullable=False),
        Column("currency", "VARCHAR"),
        Column("refunded_at", "TIMESTAMP", nullable=False),
    ),
    ("order_id", "refund_id", "sku"),
)
"""One row per (order_id, refund_id, sku) of each order's winning version, in the partition of its order.

``sku`` is null for what a refund does not name; nulls come first."""

DIM_USER = Table(
    "dim_user",
    (
        Column("user_id", "VARCHAR", nullable=False),
        Column("email", "VARCHAR"),
        Column("country", "VARCHAR"),
        Column("created_at_user", "DATE"),
        Column("inferred", "BOOLEAN", nullable=False),
    ),
    ("user_id",),
)
"""One row per user that a reference file or an accepted order ever named; ``inferred`` where only orders did."""

DIM_PRODUCT = Table(
    "dim_product",
    (
        Column("sku", "VARCHAR", nullable=False),
        Column("name", "VARCHAR"),
        Column("category", "VARCHAR"),
        Column("price", "DECIMAL(18,4)"),
        Column("inferred", "BOOLEAN", nullable=False),
    ),
    ("sku",),
)
"""One row per product that a reference file or an accepted order ever named; ``inferred`` where only orders did."""

TABLES = (FACT_ORDER, FACT_REFUND, DIM_USER, DIM_PRODUCT)
