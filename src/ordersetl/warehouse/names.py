"""Names in a warehouse: quoted, in their schema, with their prefix; and our SQL files with these names in place."""

import re
from collections.abc import Iterator

import msgspec

from ordersetl.resources import locate
from ordersetl.star.schema import TABLES

__all__ = [
    "LEDGER",
    "MAX_IDENTIFIER_BYTES",
    "MAX_PREFIX",
    "VIEWS",
    "Names",
    "quote",
    "read_definition",
    "read_statements",
]

LEDGER = "ordersetl_load"
"""The table that says which version of each curated file the warehouse holds."""
VIEWS = ("orders", "orders_enriched", "refunds", "sales_by_day")
"""In the order in which they are created: each builds on those before it."""
MAX_IDENTIFIER_BYTES = 63
"""PostgreSQL cuts off what is longer, silently."""
MAX_PREFIX = 30
"""So that no name of ours, a month's partition and an index included, passes that limit."""

_OURS = "|".join([*(table.name for table in TABLES), LEDGER, *VIEWS])
_AFTER_KEYWORD = re.compile(rf"\b(EXISTS|VIEW|FROM|JOIN|REFERENCES|ON)\s+({_OURS})\b(?!\s*\.)")
_INDEX = re.compile(r"\bINDEX IF NOT EXISTS (\w+)")
_COMMENT = re.compile(r"\s*--.*")
_DEFINES = re.compile(r"CREATE (?:TABLE IF NOT EXISTS|INDEX IF NOT EXISTS \w+ ON) (\w+)")


class Names(msgspec.Struct, frozen=True):
    """Where our tables are: ``names("fact_order")`` is that table's name as SQL takes it."""

    schema: str
    prefix: str = ""

    @property
    def quoted_schema(self) -> str:
        """The schema as SQL takes it."""
        return quote(self.schema)

    def __call__(self, name: str) -> str:
        """The quoted, qualified name of a table or view of ours."""
        return f"{quote(self.schema)}.{quote(self.prefix + name)}"

    def show(self, name: str) -> str:
        """The name for people."""
        return f"{self.schema}.{self.prefix}{name}"

    def place(self, sql: str) -> str:
        """A statement of our SQL files under these names."""
        sql = _INDEX.sub(lambda found: f"INDEX IF NOT EXISTS {quote(self.prefix + found[1])}", sql)
        return _AFTER_KEYWORD.sub(lambda found: f"{found[1]} {self(found[2])}", sql)


def quote(identifier: str) -> str:
    """An identifier as SQL takes it, whatever is in it."""
    return '"' + identifier.replace('"', '""') + '"'


def read_statements(file: str) -> Iterator[str]:
    """The statements of a file of ``sql/``, without comments; none of ours has ``--`` or ``;`` in a text."""
    text = _COMMENT.sub("", (locate("sql") / f"{file}.sql").read_text("utf-8"))
    yield from (statement.strip() for statement in text.split(";") if statement.strip())


def read_definition(file: str, name: str) -> list[str]:
    """The statements of a file of ``sql/`` that create one of our tables, and its indexes."""
    found = [statement for statement in read_statements(file) if _find_defined(statement) == name]
    if not found:
        raise LookupError(f"sql/{file}.sql has no table {name}")
    return found


def _find_defined(statement: str) -> str:
    """The table that a statement creates, or an index of; empty for any other."""
    found = _DEFINES.match(statement)
    return found[1] if found else ""
