"""Our tables and views in a warehouse: made where they are missing, brought up to date, refused where not ours."""

import hashlib
from collections.abc import Iterator, Mapping
from string import ascii_lowercase, ascii_uppercase
from typing import Literal

import msgspec

from ordersetl.errors import ConfigError
from ordersetl.star.schema import DIM_PRODUCT, DIM_USER, FACT_ORDER, FACT_REFUND, Column, Table
from ordersetl.warehouse.connection import Warehouse
from ordersetl.warehouse.names import LEDGER, VIEWS, quote, read_statements
from ordersetl.warehouse.zone_days import find_day_of_any

__all__ = [
    "DAY",
    "DIMENSIONS",
    "FACTS",
    "NOT_OURS_HINT",
    "FoundColumn",
    "Prepared",
    "create_views",
    "find_columns",
    "find_problems",
    "find_relations",
    "hash_views",
    "prepare_tables",
]

DIMENSIONS = (DIM_USER, DIM_PRODUCT)
FACTS = (FACT_ORDER, FACT_REFUND)
"""In the order in which they are loaded."""
DAY = Column("dt", "DATE", nullable=False)
"""What a fact has beside the columns of its files."""
NOT_OURS_HINT = "Choose another schema (?schema=...) or a prefix (?prefix=shop_), or drop what is in the way."
_LEDGER = Table(LEDGER, (Column("file", "VARCHAR"), Column("sha256", "VARCHAR")), ("file",))
_LEDGER_COLUMNS = (*_LEDGER.names, "rows", "loaded_at")
_REFUNDED_AT = "r.refunded_at"
_REFUND_DAY = find_day_of_any(_REFUNDED_AT, "UTC")
"""As views.sql has it: where the shop's time zone goes."""
RelationKind = Literal["table", "view", "materialized view"]
_KINDS: dict[str, RelationKind] = {"VIEW": "view", "MATERIALIZED VIEW": "materialized view"}
_TYPES = {
    "character varying": "VARCHAR",
    "text": "VARCHAR",
    "timestamp without time zone": "TIMESTAMP",
    "date": "DATE",
    "boolean": "BOOLEAN",
}


class FoundColumn(msgspec.Struct, frozen=True):
    """A column as a warehouse has it: its type in the words of our schema, and the limit of a text, None for none."""

    type: str
    max_length: int | None = None


class Prepared(msgspec.Struct, frozen=True):
    """What was done so that our tables are there: those that were made, and the columns that were added to others."""

    created: tuple[str, ...]
    added: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, Mapping[str, FoundColumn]] = msgspec.field(default_factory=dict)

    @property
    def changed(self) -> set[str]:
        """Tables whose rows have to be loaded again, all of them."""
        return {*self.created, *self.added}


def prepare_tables(warehouse: Warehouse) -> Prepared:
    """Create our tables where they are missing, and add the columns that they lack.

    Raises:
        ConfigError: what is there under these names is not ours; it says how it differs.
    """
    relations = find_relations(warehouse)
    columns = find_columns(warehouse, relations)
    if problems := list(find_problems(warehouse, relations, columns)):
        raise _not_ours(problems)
    missing = [table.name for table in _all_tables() if table.name not in relations]
    if len(missing) == len(list(_all_tables())):
        _create_schema(warehouse)
    for name in missing:
        warehouse.create_table(name)
    added: dict[str, tuple[str, ...]] = {}
    for table in (*DIMENSIONS, *FACTS):
        if table.name in columns and (lacking := _find_lacking(table, columns[table.name])):
            for column in lacking:
                kind = warehouse.dialect.column_type(column.type)
                warehouse.execute(f"ALTER TABLE {warehouse.names(table.name)} ADD COLUMN {column.name} {kind}")
            added[table.name] = tuple(column.name for column in lacking)
    return Prepared(tuple(missing), added, columns)


def find_relations(warehouse: Warehouse) -> dict[str, RelationKind]:
    """What there is under the names of our tables and views, by our own names for them."""
    prefix = warehouse.names.prefix
    ours = {prefix + name: name for name in [*(table.name for table in _all_tables()), *VIEWS]}
    schema, table = _named(warehouse, "table_schema"), _named(warehouse, "table_name")
    found = warehouse.execute(
        f"SELECT {table}, table_type FROM {warehouse.dialect.relations} WHERE table_catalog = current_database()"
        f" AND {schema} = {_named(warehouse, '%s')} AND {table} IN ({', '.join(['%s'] * len(ours))})",
        (warehouse.names.schema, *ours),
    )
    return {ours[name]: _KINDS.get(kind, "table") for name, kind in found}


def find_columns(warehouse: Warehouse, relations: Mapping[str, RelationKind]) -> dict[str, dict[str, FoundColumn]]:
    """The columns of our tables that are there by table and name, in their order.

    Raises:
        WarehouseError: the user may not read one of them, whose columns would not be shown.
    """
    there = [table.name for table in _all_tables() if relations.get(table.name) == "table"]
    for name in there:
        warehouse.execute(f"SELECT * FROM {warehouse.names(name)} LIMIT 0")
    return {name: _find_columns(warehouse, name) for name in there}


def _find_columns(warehouse: Warehouse, name: str) -> dict[str, FoundColumn]:
    schema, table, given = (_named(warehouse, name) for name in ("table_schema", "table_name", "%s"))
    rows = warehouse.execute(
        "SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale"
        " FROM information_schema.columns WHERE table_catalog = current_database()"
        f" AND {schema} = {given} AND {table} = %s ORDER BY ordinal_position",
        (warehouse.names.schema, warehouse.names.prefix + name),
    )
    return {
        str(column): FoundColumn(
            f"DECIMAL({precision},{scale})" if kind == "numeric" else _TYPES.get(kind, str(kind)),
            None if length is None else int(length),
        )
        for column, kind, length, precision, scale in rows
    }


def find_problems(
    warehouse: Warehouse,
    relations: Mapping[str, str],
    columns: Mapping[str, Mapping[str, FoundColumn]],
) -> Iterator[str]:
    """What is there under our names and is not ours, of this version or an older one: a sentence each."""
    is_first = not any(table.name in relations for table in _all_tables())
    for name in VIEWS:
        kind = relations.get(name, "view")
        if kind != "view" or (is_first and name in relations):
            yield f"{warehouse.names.show(name)} is a {kind} of somebody else"
    for table in _all_tables():
        where, kind = warehouse.names.show(table.name), relations.get(table.name, "table")
        if kind != "table":
            yield f"{where} is a {kind}"
            continue
        if table.name not in columns:
            continue
        found = columns[table.name]
        wanted = {column.name: column.type for column in _columns_of(table)}
        if table is not _LEDGER and (foreign := [name for name in found if name not in wanted]):
            yield f"{where} has columns that are not ours: {', '.join(foreign)}"
        for name, type_ in wanted.items():
            if name in found and found[name].type != type_:
                yield f"{where}.{name} is {found[name].type} instead of {type_}"
        needed = _LEDGER_COLUMNS if table is _LEDGER else [name for name in (*table.key, DAY.name) if name in wanted]
        if lacking := [name for name in needed if name not in found]:
            yield f"{where} lacks {', '.join(lacking)}"


def hash_views(timezone: str) -> str:
    """What tells the views under a time zone, an IANA name, from others."""
    return hashlib.sha256("\n".join(_read_views(timezone)).encode()).hexdigest()


def create_views(warehouse: Warehouse, timezone: str) -> None:
    """Make our views (again), by this version and this time zone."""
    for name in reversed(VIEWS):
        warehouse.execute(f"DROP VIEW IF EXISTS {warehouse.names(name)}")
    for statement in _read_views(timezone):
        warehouse.execute(warehouse.names.place(statement))


def _read_views(timezone: str) -> list[str]:
    """The statements; the zone is one of the list of IANA names, which have no quotes."""
    day = find_day_of_any(_REFUNDED_AT, timezone)
    return [statement.replace(_REFUND_DAY, day) for statement in read_statements("views")]


def _all_tables() -> tuple[Table, ...]:
    return (*DIMENSIONS, *FACTS, _LEDGER)


def _columns_of(table: Table) -> tuple[Column, ...]:
    return (*table.columns, DAY) if table in FACTS else table.columns


def _find_lacking(table: Table, found: Mapping[str, FoundColumn]) -> list[Column]:
    return [column for column in table.columns if column.name not in found]


def _create_schema(warehouse: Warehouse) -> None:
    schema = warehouse.names.schema
    there = warehouse.execute(
        "SELECT 1 FROM information_schema.schemata WHERE catalog_name = current_database()"
        f" AND {_named(warehouse, 'schema_name')} = {_named(warehouse, '%s')}",
        (schema,),
    )
    if not there:
        warehouse.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")


def _named(warehouse: Warehouse, name: str) -> str:
    """An expression of a name, such that those are equal that the database takes for one."""
    return f"translate({name}, '{ascii_uppercase}', '{ascii_lowercase}')" if warehouse.dialect.folds_names else name


def _not_ours(problems: list[str]) -> ConfigError:
    return ConfigError(
        f"the warehouse has other tables under our names: {'; '.join(problems)}",
        hint=NOT_OURS_HINT,
    )
