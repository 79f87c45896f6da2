"""Validate orders in bulk, wherever the columns show for certain what the models would say.

msgspec cuts pages into the texts of their records. DuckDB parses those of the generic API; of a described source
msgspec reads what its mapping looks at. A record *fits* this fast path when every rule of models.py certainly holds for
it, by patterns that are narrower than the rules; its values are then read by expressions of Polars. Any other record is
a *fallback*: it goes to the models, one by one, as the text it came in. So the bulk path never rejects, and never
decides.

What makes a record of the generic API that seems to fit a fallback: a repeated key (DuckDB takes the first, JSON
parsers the last), a number that DuckDB, which reads doubles, may have rounded onto a tie or off its fraction, and
nesting.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from ordersetl.source.page import Page, split_records
from ordersetl.star.frames import ITEM_SCHEMA, REFUND_ITEM_SCHEMA, join_position
from ordersetl.transform.bulk_orders import read_fitting_orders
from ordersetl.transform.bulk_values import SEPARATOR
from ordersetl.transform.columns import CHARGED_SCHEMA
from ordersetl.transform.fields import read_fields, split_tables
from ordersetl.transform.seen_fields import NOTHING_SEEN, SeenFields

if TYPE_CHECKING:
    from ordersetl.transform.mapped_fields import BulkMapping

__all__ = ["NOTHING_READ", "BulkOrders", "FallbackRecord", "read_bulk"]


class FallbackRecord(msgspec.Struct, frozen=True):
    """A record that the models must validate; ``text`` is its JSON."""

    pos: int
    text: str


class BulkOrders(msgspec.Struct, frozen=True):
    """What was read of ``pages`` in bulk, and what was not.

    ``orders`` fit (CHARGED_SCHEMA, no day yet), ``items`` (ITEM_SCHEMA) and ``refunds`` (REFUND_ITEM_SCHEMA) are
    theirs, and ``skipped_lines`` (``pos``, ``count``) what a mapping left out of these and of other orders. Every
    record of the pages is in ``orders``, in ``fallback`` or, as what a mapping leaves it out, in ``skipped``, once;
    nothing of any other page is.
    """

    orders: pl.DataFrame
    items: pl.DataFrame
    refunds: pl.DataFrame
    fallback: Sequence[FallbackRecord]
    pages: frozenset[int]
    skipped: Mapping[str, int] = msgspec.field(default_factory=dict)
    skipped_lines: pl.DataFrame | None = None
    seen: SeenFields = NOTHING_SEEN


_NO_ORDERS, _NO_ITEMS = pl.DataFrame(schema=CHARGED_SCHEMA), pl.DataFrame(schema=ITEM_SCHEMA)
NOTHING_READ = BulkOrders(_NO_ORDERS, _NO_ITEMS, pl.DataFrame(schema=REFUND_ITEM_SCHEMA), (), frozenset())


def read_bulk(pages: Sequence[Page], mapping: "BulkMapping | None" = None) -> BulkOrders:
    """Read the pages in bulk, as far as that is safe; the models must read the others.

    Args:
        pages: pages of one batch.
        mapping: of their records; None where these are orders already.
    """
    positions: list[pl.Series] = []
    texts: list[bytes | msgspec.Raw] = []
    read = set()
    for page in pages:
        found = split_records(page)
        if found is None:
            continue
        read.add(page.number)
        first = join_position(page.number, 0)
        positions.append(pl.int_range(first, first + len(found), dtype=pl.UInt64, eager=True))
        texts.extend(found)
    if not texts:
        return NOTHING_READ
    if mapping is not None:
        return _read_mapped(mapping, pl.concat(positions), texts, frozenset(read))
    records = pl.DataFrame({"pos": pl.concat(positions), "record": _make_column(texts)})
    del texts
    fields = read_fields(records["record"])
    if fields is None:  # something in there that DuckDB refuses and others read: the models see to it
        return NOTHING_READ
    fitting = read_fitting_orders(split_tables(pl.concat([records, fields], how="horizontal")))
    left = records.filter(pl.col("pos").is_in(fitting.left.implode())) if len(fitting.left) else records.clear()
    fallback = [FallbackRecord(pos, text) for pos, text in left.iter_rows()]
    return BulkOrders(*fitting[:3], fallback, frozenset(read))


def _make_column(texts: Sequence[bytes | msgspec.Raw]) -> pl.Series:
    """The texts as strings; by way of one object, as one each would take longer."""
    joined = pl.Series([SEPARATOR.join(texts)], dtype=pl.Binary).cast(pl.String)
    return joined.str.split(SEPARATOR.decode()).explode()


def _read_mapped(
    mapping: "BulkMapping", positions: pl.Series, texts: Sequence[bytes | msgspec.Raw], pages: frozenset[int]
) -> BulkOrders:
    fields = mapping.read(positions, texts)
    fitting = read_fitting_orders(fields.tables, fields.skipped["pos"])
    skipped = fields.skipped["name"].value_counts()
    rows = positions.is_in(fitting.left.implode()).arg_true()
    fallback = [
        FallbackRecord(pos, bytes(texts[row]).decode()) for row, pos in zip(rows, positions.gather(rows), strict=True)
    ]
    return BulkOrders(*fitting[:3], fallback, pages, dict(skipped.iter_rows()), fields.skipped_lines, fields.seen)
