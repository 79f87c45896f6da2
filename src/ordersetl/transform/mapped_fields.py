"""Native records in bulk: the fields of the generic API that a mapping makes of them, as far as that is certain.

msgspec reads of each record what the mapping looks at, Polars says what the mapping would. A record of which something
is not certain goes to the mapping of one record, and to the models.
"""

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
import polars as pl

from ordersetl.source.description.expressions import Expression
from ordersetl.source.description.mapping import ItemMapping, Mapping, RefundItemMapping, RefundMapping
from ordersetl.transform.fields import FieldTables
from ordersetl.transform.mapped_expressions import Scope, read_steps
from ordersetl.transform.mapped_paths import Member, NativeTable, NotInBulkError, Reader
from ordersetl.transform.mapped_values import (
    find_currency_digits,
    read_amount,
    read_guest,
    read_id,
    read_label,
    read_sku,
    read_times,
    strip_line_ends,
)
from ordersetl.transform.seen_fields import SeenFields
from ordersetl.transform.used_fields import count_tables
from ordersetl.transform.used_paths import list_asked, split_absence

log = logging.getLogger(__name__)

__all__ = ["BulkMapping", "MappedFields", "find_bulk_mapping"]

_IDS = ("order_id", "user_id")
_ALWAYS = {*_IDS, "amount", "currency", "updated_at", "status", "source", "promo", "name", "qty", "price"}
"""What is read of every record and line: null where the mapping has none."""
_LABELS = ("currency", "status", "source", "promo", "email", "country")
_ORDER_AMOUNTS = ("amount", "discount", "tax", "shipping")
_ITEM_AMOUNTS = ("price", "total", "discount", "tax")
_TIMES = ("created_at", "updated_at", "cancelled_at")


class MappedFields(msgspec.Struct, frozen=True):
    """What was read of some records, by their ``pos``.

    ``tables`` are the fields of those that are orders, and the lines and refunds of all; ``sure`` says of each whether
    the mapping is certain. ``skipped`` are records that are certainly no orders (``pos``, ``name``), ``skipped_lines``
    counts lines that are left out (``pos``, ``count``).
    """

    tables: FieldTables
    skipped: pl.DataFrame
    skipped_lines: pl.DataFrame
    seen: SeenFields


class _Lines(NamedTuple):
    """A list in the objects of a scope: its elements, which of them count, and what is read of each."""

    scope: Scope
    listed: pl.Expr | None
    skip: pl.Expr
    fields: dict[str, pl.Expr]
    fallbacks: list[tuple[str, pl.Expr]]


@cache
def find_bulk_mapping(mapping: Mapping) -> "BulkMapping | None":
    """The mapping in bulk; None where an expression of it is not known there."""
    try:
        return BulkMapping(mapping)
    except NotInBulkError as error:
        log.debug("the mapping is applied record by record, which takes several times as long: %s", error)
        return None


class BulkMapping:
    """A mapping, made into expressions on columns.

    Raises:
        NotInBulkError: there is none for one of its own.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self.record = record = Member()
        self._order = order = Scope(record)
        self._fields = _read_all(order, mapping.order, (*_IDS, *_LABELS, *_TIMES), _ORDER_AMOUNTS)
        self._is_deleted = _read_condition(order, mapping.order.deleted)
        self._is_cancelled = _read_condition(order, mapping.order.cancelled)
        self._skips = [(skip.name, order.holds(skip.when.tree)) for skip in mapping.skip]
        self._items = _list_lines(order, mapping.items, ("sku", "qty", "name"), _ITEM_AMOUNTS)
        self._refunds = self._refund_items = None
        if mapping.refunds is not None:
            self._refunds = _list_lines(order, mapping.refunds, ("refund_id", "created_at"), ("amount",))
            if mapping.refunds.items is not None:
                items = mapping.refunds.items
                self._refund_items = _list_lines(self._refunds.scope, items, ("sku", "qty"), ("amount",))
        self._reader = Reader(record)

    def read(self, positions: pl.Series, texts: Sequence[bytes | msgspec.Raw]) -> MappedFields:
        """Read some records.

        Args:
            positions: their ``pos``.
            texts: their JSON, valid as far as msgspec can tell, and not nested too deeply.
        """
        tables, readable = self._reader.read(texts)
        records = self._order.open_table(tables).with_columns(pos=positions, sure=readable)
        records = records.with_columns(sure=pl.col("sure") & self._order.certain())
        skipped = self._find_skipped(records)
        orders = self._read_orders(records)
        minor = self._mapping.money == "minor"
        digits = find_currency_digits(pl.col("currency")) if minor else pl.lit(None)
        of_orders = orders.select("pos", digits=digits)
        items, skipped_lines = self._read_items(of_orders, tables)
        refunds, refund_items = self._read_refunds(of_orders, tables)
        if skipped.height:
            orders = orders.join(skipped, on="pos", how="anti", maintain_order="left")
        counts = count_tables(self.record, tables, int(readable.sum()), list_asked(self._mapping))
        seen = SeenFields(counts, positions.filter(~readable))
        return MappedFields(FieldTables(orders, items, refunds, refund_items), skipped, skipped_lines, seen)

    def _find_skipped(self, records: pl.DataFrame) -> pl.DataFrame:
        name = pl.lit(None, pl.String)
        for skip, is_skipped in reversed(self._skips):
            name = pl.when(is_skipped).then(pl.lit(skip)).otherwise(name)
        return records.select("pos", name=pl.when("sure").then(name)).drop_nulls()

    def _read_orders(self, records: pl.DataFrame) -> pl.DataFrame:
        mapping, given = self._mapping, self._fields
        texts = records.select(
            "pos",
            order_id=read_id(given["order_id"]),
            user_id=read_guest(given["user_id"], mapping.guests),
            **{name: read_label(given[name]) for name in _LABELS if name in given},
            **{name: given[name] for name in (*_ORDER_AMOUNTS, *_TIMES) if name in given},
            sure=pl.col("sure") & ~self._is_deleted,
            is_cancelled=self._is_cancelled,
        )
        digits = find_currency_digits(pl.col("currency")) if mapping.money == "minor" else None
        return texts.with_columns(
            *(
                read_amount(pl.col(name), digits=digits, absolute=name in mapping.absolute).alias(name)
                for name in _ORDER_AMOUNTS
                if name in given
            ),
            *(read_times(texts[name], mapping.times, mapping.zone).alias(name) for name in _TIMES if name in given),
            *(strip_line_ends(texts[name]) for name in _LABELS if name in given),
        )

    def _read_items(self, orders: pl.DataFrame, tables: dict[Member, NativeTable]) -> tuple[pl.DataFrame, pl.DataFrame]:
        lines, absolute = _open_lines(self._items, orders, tables).drop("row"), self._mapping.absolute
        skipped = lines.filter("skip").group_by("pos").agg(count=pl.len())
        texts = lines.filter(~pl.col("skip")) if skipped.height else lines
        amounts = {name: f"items.{name}" in absolute for name in _ITEM_AMOUNTS if name in texts.columns}
        return self._with_amounts(texts, amounts).with_columns(name=read_label(pl.col("name"))), skipped

    def _read_refunds(
        self, orders: pl.DataFrame, tables: dict[Member, NativeTable]
    ) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
        mapping, absolute = self._mapping, self._mapping.absolute
        if self._refunds is None or mapping.refunds is None:
            return None, None
        texts = _open_lines(self._refunds, orders, tables).with_row_index("refund")
        if texts.is_empty():
            return None, None
        times = read_times(texts["created_at"], mapping.refunds.times or mapping.times, mapping.zone)
        refunds = self._with_amounts(texts, {"amount": "refunds" in absolute}).with_columns(
            refund_id=read_id(pl.col("refund_id")), created_at=times
        )
        if self._refund_items is None:
            return refunds, None
        without_sign = "refund_items" in absolute
        rows = pl.DataFrame({"row": tables[self._refunds.scope.member].rows})
        numbered = rows.join(
            texts.select("row", "pos", "digits", "refund"), on="row", how="left", maintain_order="left"
        )
        items = _open_lines(self._refund_items, numbered.drop("row"), tables).drop("row")
        items = items.filter(pl.col("refund").is_not_null())  # else of one that the list of refunds leaves out
        items = items.with_columns(qty=read_amount(pl.col("qty"), digits=None, absolute=without_sign))
        return refunds, self._with_amounts(items, {"amount": without_sign})

    def _with_amounts(self, texts: pl.DataFrame, amounts: dict[str, bool]) -> pl.DataFrame:
        """These columns as amounts, and whether each is without its sign."""
        digits = pl.col("digits") if self._mapping.money == "minor" else None
        return texts.with_columns(
            read_amount(pl.col(name), digits=digits, absolute=absolute).alias(name)
            for name, absolute in amounts.items()
        )


def _read_all(scope: Scope, mapping: Any, names: Sequence[str], amounts: Sequence[str]) -> dict[str, pl.Expr]:  # noqa: ANN401
    """Fields of a part of a mapping that it has; those that every row must have are null where it has not."""
    given = {name: expression for name in (*names, *amounts) if (expression := getattr(mapping, name)) is not None}
    there = {
        name: scope.amount(expression.tree) if name in amounts else scope.value(expression.tree)
        for name, expression in given.items()
    }
    return {name: pl.lit(None, pl.String) for name in (*names, *amounts) if name in _ALWAYS} | there


def _read_condition(scope: Scope, expression: Expression | None) -> pl.Expr:
    return pl.lit(value=False) if expression is None else scope.holds(expression.tree)


def _list_lines(
    scope: Scope,
    mapping: ItemMapping | RefundMapping | RefundItemMapping,
    names: Sequence[str],
    amounts: Sequence[str],
) -> _Lines:
    """What is read of a list: a path, or the elements of one for which a condition holds; empty where it may be absent.

    Raises:
        NotInBulkError: it is something else.
    """
    tree, may_be_absent = split_absence(mapping.list.tree)  # an order without lines goes by itself
    condition = None
    if tree["type"] == "filter_projection" and tree["children"][1]["type"] == "identity":
        tree, _, condition = tree["children"]
    listed = scope.member.find(read_steps(tree))
    listed.may_be_absent = may_be_absent
    elements = Scope(listed.add_rows())
    fields = _read_all(elements, mapping, names, amounts)
    fallbacks: list[tuple[str, pl.Expr]] = []
    if not isinstance(mapping, RefundMapping):
        fallbacks = [(fallback.prefix, elements.value(fallback.id.tree)) for fallback in mapping.fallbacks]
        read_sku(fields["sku"], fallbacks)  # which may not be possible
    skip = _read_condition(elements, mapping.skip if isinstance(mapping, ItemMapping) else None)
    return _Lines(elements, None if condition is None else elements.truth(condition), skip, fields, fallbacks)


def _open_lines(lines: _Lines, parents: pl.DataFrame, tables: dict[Member, NativeTable]) -> pl.DataFrame:
    """A row for each element of the lists that counts: its fields, whether it is left out (``skip``), ``sure``.

    ``row`` says which of all elements it is.

    Args:
        lines: the list.
        parents: columns to have of the objects that the lists are in.
        tables: what was read.
    """
    table = tables[lines.scope.member]
    elements = lines.scope.open_table(tables).with_columns(is_null=table.is_null, row=table.rows)
    elements = pl.concat([elements, parents[table.parents]], how="horizontal")
    sure = lines.scope.certain() & ~pl.col("is_null")
    if lines.listed is not None:
        elements = elements.filter(lines.listed | ~sure)
    fields = lines.fields
    if "sku" in fields:
        blank = pl.any_horizontal(fields["sku"].is_null(), fields["sku"] == '""').any()
        needed = elements.height and elements.select(blank).item()  # else no line needs the others looked at
        fields = fields | {"sku": read_sku(fields["sku"], lines.fallbacks if needed else [])}
    return elements.select(*parents.columns, "row", **fields, sure=sure, skip=lines.skip & sure)
