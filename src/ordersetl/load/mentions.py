"""What orders say of their users and products: it fills the inferred rows of the dimensions.

A *mention* is a value that an accepted version gives for an attribute of a user or product: an email, a country, a
name. Of each attribute the version with the highest rank counts, (updated_at, batch, pos), superseded ones too: in
whatever order the batches come, the same one wins. The winning mentions of inferred keys are kept with the members
(:mod:`ordersetl.lake.members`); lost or damaged, they are rebuilt from the staged parts.
"""

from collections.abc import Iterable, Sequence

import polars as pl

from ordersetl.lake.members import member_schema
from ordersetl.load.emails import show_emails
from ordersetl.load.plan import Part
from ordersetl.settings import Settings
from ordersetl.star.dimensions import PRODUCTS, USERS, Dimension

__all__ = [
    "MENTION_SCHEMA",
    "fill_inferred",
    "list_mentions",
    "merge_mentions",
    "scan_mentions",
    "to_members",
]

MENTION_SCHEMA: dict[str, pl.DataType] = {
    "kind": pl.String(),
    "key": pl.String(),
    "attribute": pl.String(),
    "value": pl.String(),
    "updated_at": pl.Datetime("us"),
    "batch": pl.String(),
    "pos": pl.UInt64(),
}
"""One value that a version gives: ``kind`` is that of the dimension, ``attribute`` one of its columns."""

_BATCH = "%Y%m%dT%H%M%S.%6fZ"
"""How a batch is named by a time."""
_NAMED = ["kind", "key", "attribute"]
_ATTRIBUTES = {USERS.kind: {"email": "user_email", "country": "user_country"}, PRODUCTS.kind: {"name": "product_name"}}
"""The columns of the staged files that mention an attribute."""


def scan_mentions(dimension: Dimension, parts: Sequence[Part], settings: Settings) -> tuple[pl.Series, pl.DataFrame]:
    """The keys that accepted orders name, superseded versions too, and the winning mentions of them: MENTION_SCHEMA."""
    key = dimension.key
    keys = [pl.Series(key, [], dtype=pl.String)]
    mentions = []
    for part in parts:
        file = part.lines if dimension is PRODUCTS else part.orders
        rows = file.scan().select(key, *_ATTRIBUTES[dimension.kind].values()).collect()
        keys.append(rows[key].unique())
        for attribute, column in _ATTRIBUTES[dimension.kind].items():
            if rows[column].null_count() < rows.height:
                mentions.append(_read_attribute(dimension, part, attribute, column))
    found = merge_mentions(mentions)
    is_email = pl.col("attribute") == "email"
    shown = show_emails(found.filter(is_email)["value"], settings)
    emails = found.filter(is_email).with_columns(value=shown).drop_nulls("value")
    return pl.concat(keys).unique(), pl.concat([found.filter(~is_email), emails])


def merge_mentions(mentions: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The winning mention of each attribute, sorted by kind, key and attribute."""
    every = pl.concat([pl.DataFrame(schema=MENTION_SCHEMA), *mentions])
    return every.sort(*_NAMED, "updated_at", "batch", "pos").unique(_NAMED, keep="last", maintain_order=True)


def fill_inferred(dimension: Dimension, table: pl.DataFrame, mentions: pl.DataFrame) -> pl.DataFrame:
    """The dimension's table, with the attributes of its inferred rows as mentioned, null where they are not."""
    for attribute in _ATTRIBUTES[dimension.kind]:
        chosen = (pl.col("kind") == dimension.kind) & (pl.col("attribute") == attribute)
        values = mentions.filter(chosen).select(pl.col("key").alias(dimension.key), mentioned="value")
        joined = table.join(values, on=dimension.key, how="left", maintain_order="left")
        value = pl.when("inferred").then("mentioned").otherwise(attribute)
        table = joined.with_columns(value.alias(attribute)).drop("mentioned")
    return table


def list_mentions(dimension: Dimension, members: pl.DataFrame) -> pl.DataFrame:
    """The mentions of members: MENTION_SCHEMA."""
    said = members.filter("inferred")
    found = [
        said.drop_nulls(f"{name}_at").select(
            kind=pl.lit(dimension.kind),
            key=dimension.key,
            attribute=pl.lit(name),
            value=name,
            updated_at=f"{name}_at",
            batch=pl.col(f"{name}_batch").dt.to_string(_BATCH),
            pos=f"{name}_pos",
        )
        for name in dimension.mentioned
    ]
    return pl.concat([pl.DataFrame(schema=MENTION_SCHEMA), *found])


def to_members(dimension: Dimension, table: pl.DataFrame, mentions: pl.DataFrame) -> pl.DataFrame:
    """The dimension's table as members, with the mentions of its inferred rows: no other row will ever need any."""
    schema = member_schema(dimension)
    said = mentions.filter(pl.col("kind") == dimension.kind)
    for name in dimension.mentioned if said.height else ():
        versions = said.filter(pl.col("attribute") == name).select(
            pl.col("key").alias(dimension.key),
            pl.col("updated_at").alias(f"{name}_at"),
            pl.col("batch").str.to_datetime(_BATCH, time_unit="us").alias(f"{name}_batch"),
            pl.col("pos").alias(f"{name}_pos"),
        )
        table = table.join(versions, on=dimension.key, how="left", maintain_order="left")
    added = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in table.columns]
    given = [name for name in schema if name not in dimension.table.names and name in table.columns]
    kept = [pl.when("inferred").then(name).alias(name) for name in given]
    return table.with_columns(*added, *kept).select(*schema)


def _read_attribute(dimension: Dimension, part: Part, attribute: str, column: str) -> pl.DataFrame:
    """The winning mentions of an attribute in a part."""
    orders = part.orders.scan().select("pos", "updated_at_order").collect()
    file = part.lines if dimension is PRODUCTS else part.orders
    rows = file.scan().select("pos", dimension.key, column).collect().drop_nulls()
    named = rows.join(orders, on="pos").select(
        kind=pl.lit(dimension.kind),
        key=dimension.key,
        attribute=pl.lit(attribute),
        value=column,
        updated_at="updated_at_order",
        batch=pl.lit(part.batch),
        pos="pos",
    )
    return merge_mentions([named])
