"""Native records in bulk: the fields of the generic API that a mapping makes of them, as far as that is certain.

msgspec keeps of each record what the mapping looks at, DuckDB parses that, Polars says what the mapping would. A record
of which something is not certain goes to the mapping of one record, and to the models.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import msgspec
import polars as pl

from ordersetl.source.description.expressions import Expression
from ordersetl.source.description.mapping import Fallback, Mapping
from ordersetl.source.nested import MAX_DEPTH
from ordersetl.transform.fields import FieldTables, read_json
from ordersetl.transform.mapped_expressions import ROOT, Later, Scope, read_steps
from ordersetl.transform.mapped_paths import Member, NotInBulkError, Step
from ordersetl.transform.mapped_values import (
    find_currency_digits,
    read_amount,
    read_guest,
    read_id,
    read_label,
    read_sku,
    read_times,
)

__all__ = ["BulkMapping", "MappedFields", "find_bulk_mapping"]

_IDS = ("order_id", "user_id")
_ALWAYS = {*_IDS, "amount", "currency", "updated_at", "status", "source", "promo", "name", "qty", "price"}
"""What is read of every record and line: null where the mapping has none."""
_LABELS = ("currency", "status", "source", "promo", "email", "country")
_ORDER_AMOUNTS = ("amount", "discount", "tax", "shipping")
_ITEM_AMOUNTS = ("price", "total", "discount", "tax")
_TIMES = ("created_at", "updated_at", "cancelled_at")
_ODD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True)
class MappedFields:
    """What was read of some records, by their ``pos``.

    ``tables`` are the fields of those that are orders; ``sure`` says of an order, a line, a refund whether the mapping
    is certain. ``skipped`` are records that are certainly none (``pos``, ``name``), ``skipped_lines`` counts lines that
    are left out (``pos``, ``count``).
    """

    tables: FieldTables
    skipped: pl.DataFrame
    skipped_lines: pl.DataFrame


class _Lines(NamedTuple):
    """A list in the objects of a scope, and its elements: which of them count, and what is read of each."""

    steps: tuple[Step, ...]
    scope: Scope
    listed: Later | None
    skip: Later
    fields: dict[str, Later]
    fallbacks: list[tuple[str, Later]]


@cache
def find_bulk_mapping(mapping: Mapping) -> "BulkMapping | None":
    """The mapping in bulk; None where an expression of it is not known there."""
    try:
        return BulkMapping(mapping)
    except NotInBulkError:
        return None


class BulkMapping:
    """A mapping, made into expressions on columns.

    Raises:
        NotInBulkError: there is none for one of its own.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        record = Member()
        self._order = order = Scope(record)
        self._fields = _read_all(order, mapping.order, (*_IDS, *_LABELS, *_TIMES), _ORDER_AMOUNTS)
        self._is_deleted = _read_truth(order, mapping.order.deleted)
        self._is_cancelled = _read_truth(order, mapping.order.cancelled)
        self._skips = [(skip.name, order.truth(skip.when.tree)) for skip in mapping.skip]
        items, refunds = mapping.items, mapping.refunds
        self._items = _list_lines(
            order, items, ("sku", "qty", "name"), _ITEM_AMOUNTS, fallbacks=items.fallbacks, skip=items.skip
        )
        self._refunds = self._refund_items = None
        if refunds is not None:
            self._refunds = _list_lines(order, refunds, ("refund_id", "created_at"), ("amount",))
            if refunds.items is not None:
                given = refunds.items
                self._refund_items = _list_lines(
                    self._refunds.scope, given, ("sku", "qty"), ("amount",), fallbacks=given.fallbacks
                )
        self._decoder = msgspec.json.Decoder(record.make_struct())
        self._encoder = msgspec.json.Encoder()
        self._query = f"SELECT from_json(record, {record.write_shape()}) AS {ROOT} FROM given"

    def read(self, positions: pl.Series, texts: Sequence[bytes]) -> MappedFields | None:
        """Read some records; None where DuckDB refuses one of them.

        Args:
            positions: their ``pos``.
            texts: their JSON, valid as far as msgspec can tell.
        """
        kept = pl.Series("record", [self._keep(text) for text in texts], dtype=pl.Binary).cast(pl.String)
        native = read_json(kept, self._query)
        if native is None:
            return None
        sure = self._order.certain() & pl.lit(kept).is_not_null()
        records = native.with_columns(pos=positions).with_columns(sure=sure)
        skipped = self._find_skipped(records)
        if skipped.height:
            records = records.join(skipped, on="pos", how="anti", maintain_order="left")
        orders = self._read_orders(records)
        digits = find_currency_digits(pl.lit(orders["currency"])) if self._mapping.money == "minor" else pl.lit(None)
        with_digits = records.select("pos", ROOT, digits=digits)
        items, skipped_lines = self._read_items(with_digits)
        refunds, refund_items = self._read_refunds(with_digits)
        return MappedFields(FieldTables(orders, items, refunds, refund_items), skipped, skipped_lines)

    def _keep(self, text: bytes) -> bytes | None:
        """What of a record is looked at; None where it is too odd to say, or too deep."""
        if len(text) > 2 * MAX_DEPTH and text.count(b"[") + text.count(b"{") > MAX_DEPTH:
            return None
        try:
            return self._encoder.encode(self._decoder.decode(text))
        except _ODD:
            return None

    def _find_skipped(self, records: pl.DataFrame) -> pl.DataFrame:
        name = pl.lit(None, pl.String)
        for skip, is_skipped in reversed(self._skips):
            name = pl.when(is_skipped()).then(pl.lit(skip)).otherwise(name)
        return records.filter("sure").select("pos", name=name).drop_nulls()

    def _read_orders(self, records: pl.DataFrame) -> pl.DataFrame:
        mapping, given = self._mapping, {name: later() for name, later in self._fields.items()}
        texts = records.select(
            "pos",
            order_id=read_id(given["order_id"]),
            user_id=read_guest(given["user_id"], mapping.guests),
            **{name: read_label(given[name]) for name in _LABELS if name in given},
            **{name: given[name] for name in (*_ORDER_AMOUNTS, *_TIMES) if name in given},
            sure=pl.col("sure") & ~self._is_deleted(),
            is_cancelled=self._is_cancelled(),
        )
        digits = find_currency_digits(pl.col("currency")) if mapping.money == "minor" else None
        return texts.with_columns(
            *(
                read_amount(pl.col(name), digits=digits, absolute=name in mapping.absolute).alias(name)
                for name in _ORDER_AMOUNTS
                if name in given
            ),
            *(read_times(texts[name], mapping.times, mapping.zone).alias(name) for name in _TIMES if name in given),
        )

    def _read_items(self, records: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        lines, absolute = _explode(records, self._order, self._items), self._mapping.absolute
        skipped = lines.filter("skip").group_by("pos").agg(count=pl.len())
        texts = lines.filter(~pl.col("skip")) if skipped.height else lines
        amounts = {name: f"items.{name}" in absolute for name in _ITEM_AMOUNTS if name in texts.columns}
        return self._with_amounts(texts, amounts).with_columns(name=read_label(pl.col("name"))), skipped

    def _read_refunds(self, records: pl.DataFrame) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
        if self._refunds is None or self._mapping.refunds is None:
            return None, None
        mapping, absolute = self._mapping, self._mapping.absolute
        texts = _explode(records, self._order, self._refunds, keep=True).with_row_index("refund")
        if texts.is_empty():
            return None, None
        times = read_times(texts["created_at"], self._mapping.refunds.times or mapping.times, mapping.zone)
        refunds = self._with_amounts(texts, {"amount": "refunds" in absolute}).with_columns(
            refund_id=read_id(pl.col("refund_id")), created_at=times
        )
        if self._refund_items is None:
            return refunds.drop(ROOT), None
        without_sign = "refund_items" in absolute
        items = _explode(texts, self._refunds.scope, self._refund_items, also=("refund",))
        items = items.with_columns(qty=read_amount(pl.col("qty"), digits=None, absolute=without_sign))
        return refunds.drop(ROOT), self._with_amounts(items, {"amount": without_sign})

    def _with_amounts(self, texts: pl.DataFrame, amounts: dict[str, bool]) -> pl.DataFrame:
        """These columns as amounts, and whether each is without its sign."""
        digits = pl.col("digits") if self._mapping.money == "minor" else None
        return texts.with_columns(
            read_amount(pl.col(name), digits=digits, absolute=absolute).alias(name)
            for name, absolute in amounts.items()
        )


def _read_all(scope: Scope, mapping: Any, names: Sequence[str], amounts: Sequence[str]) -> dict[str, Later]:  # noqa: ANN401
    """Fields of a part of a mapping that it has; those that every row must have are null where it has not."""
    given = {name: expression for name in (*names, *amounts) if (expression := getattr(mapping, name)) is not None}
    there = {
        name: scope.amount(expression.tree) if name in amounts else scope.value(expression.tree)
        for name, expression in given.items()
    }
    return {name: _nothing for name in (*names, *amounts) if name in _ALWAYS} | there


def _nothing() -> pl.Expr:
    return pl.lit(None, pl.String)


def _read_truth(scope: Scope, expression: Expression | None) -> Later:
    return (lambda: pl.lit(value=False)) if expression is None else scope.truth(expression.tree)


def _list_lines(
    scope: Scope,
    mapping: Any,  # noqa: ANN401 - of items, refunds or their items
    names: Sequence[str],
    amounts: Sequence[str],
    *,
    fallbacks: Sequence[Fallback] = (),
    skip: Expression | None = None,
) -> _Lines:
    """What is read of a list: a path, or the elements of one for which a condition holds.

    Raises:
        NotInBulkError: it is something else.
    """
    tree, condition = mapping.list.tree, None
    if tree["type"] == "filter_projection" and tree["children"][1]["type"] == "identity":
        tree, _, condition = tree["children"]
    steps = read_steps(tree)
    of_element = Scope(scope.member.find(*steps).element())
    return _Lines(
        steps,
        of_element,
        None if condition is None else of_element.truth(condition),
        _read_truth(of_element, skip),
        _read_all(of_element, mapping, names, amounts),
        [(fallback.prefix, of_element.value(fallback.id.tree)) for fallback in fallbacks],
    )


def _explode(
    records: pl.DataFrame, scope: Scope, lines: _Lines, *, also: Sequence[str] = (), keep: bool = False
) -> pl.DataFrame:
    """A row for each element of the lists: its fields, whether it is left out (``skip``) and ``sure``.

    Args:
        records: the objects of the scope.
        scope: that the list is in.
        lines: the list.
        also: columns to have beside ``pos`` and ``digits``.
        keep: the elements too, as the objects of another scope.
    """
    listed = records.select("pos", "digits", *also, scope.at(lines.steps).alias(ROOT))
    elements = listed.explode(ROOT, empty_as_null=False, keep_nulls=False)
    fields = {name: later() for name, later in lines.fields.items()}
    if "sku" in fields:
        fields["sku"] = read_sku(fields["sku"], [(prefix, later()) for prefix, later in lines.fallbacks])
    sure = lines.scope.certain()
    if lines.listed is not None:
        elements = elements.filter(lines.listed() | ~sure)
    return elements.select("pos", "digits", *also, *([ROOT] * keep), **fields, sure=sure, skip=lines.skip() & sure)
