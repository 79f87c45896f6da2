"""The versions of an order that were received: those that staged files tell of, those in quarantine, and the others."""

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl

from ordersetl.errors import OrdersetlError
from ordersetl.lake import raw
from ordersetl.lake.fold_settings import FoldSettings
from ordersetl.lake.in_force import find_in_force
from ordersetl.lake.layout import Lake, page_name, raw_key, staged_key
from ordersetl.lake.quarantine import RejectLine, decode_reject, read_lines
from ordersetl.lake.raw import BatchMarker
from ordersetl.lake.staged import has_size, read_stage
from ordersetl.results import OrderVersion
from ordersetl.source.description.mapping import Mapping
from ordersetl.source.description.model import Description
from ordersetl.source.kept_pages import KeptPages, describe_request
from ordersetl.source.page import Page
from ordersetl.star.frames import ORDER_SCHEMA, split_position
from ordersetl.star.rules import RULES
from ordersetl.star.values import read_short_text, read_version_time
from ordersetl.transform.models import GoneOrder, read_order
from ordersetl.transform.validate import validate_pages

__all__ = ["find_versions"]

_HEAD = ("pos", "dt", "order_amount", "currency", "updated_at_order", "status")


class _Source(msgspec.Struct, frozen=True):
    """A batch in raw, and how its records are mapped; None where they are orders as they are."""

    marker: BatchMarker
    description: Description | None

    @property
    def mapping(self) -> Mapping | None:
        return None if self.description is None else self.description.mapping

    def read_page(self, lake: Lake, number: int) -> Page:
        """The ``number``-th page, from 1.

        Raises:
            CorruptedError: it is missing or not what was received.
        """
        return self._pages(lake).read(number, self.marker.pages[number - 1])

    def read_orders(self, lake: Lake, number: int) -> list[Any]:
        """The records of the ``number``-th page, as orders.

        Raises:
            CorruptedError: as above.
        """
        return self._pages(lake).read_orders(number, self.marker.pages[number - 1])

    def _pages(self, lake: Lake) -> KeptPages:
        return KeptPages(lake, self.marker.batch, self.marker.since, self.description)


def find_versions(lake: Lake, batches: Sequence[str], order_id: str, settings: FoldSettings) -> Iterator[OrderVersion]:
    """Each version of the order in these batches, in no order.

    Their ``result`` is ``accepted``, ``deleted`` or ``emptied`` (with these the order leaves), ``rejected`` or
    ``outside_window``. Batches that are staged under today's rules are looked up there, the others validated again.

    Raises:
        CorruptedError: a batch that is not staged is damaged in raw.
    """
    in_force = find_in_force(lake)
    for batch in batches:
        marker = raw.read_marker(lake, batch)
        source = _Source(marker, describe_request(lake, marker.request, in_force))
        versions = _read_staged(lake, source, order_id)
        if versions is None:
            versions = _validate_raw(lake, source, order_id, settings)
        yield from versions
        if marker.request.enforced_since is not None or marker.request.enforced_until is not None:
            yield from _find_outside(lake, source, order_id, {(v.page, v.index) for v in versions})


def _read_staged(lake: Lake, source: _Source, order_id: str) -> list[OrderVersion] | None:
    """What the staged files say of the order; None where they are missing, damaged or of other rules."""
    stage = read_stage(lake, source.marker.batch)
    if stage is None or stage.rules != RULES:
        return None
    rows: list[tuple[Any, ...]] = []
    rejects: list[RejectLine] = []
    try:
        for part in stage.parts:
            if not all(has_size(lake, stage, file) for file in (part.orders, part.rejects) if file.rows):
                return None
            if part.orders.rows:
                orders = stage.columns(lake, part.orders).scan().select(*ORDER_SCHEMA)
                rows += orders.filter(pl.col("order_id") == order_id).select(_HEAD).collect().rows()
            if part.rejects.rows:
                with lake.storage.open(staged_key(source.marker.batch, part.rejects.name)) as lines:
                    found = map(decode_reject, read_lines(lines))
                    rejects += [reject for reject in found if reject is not None and reject.order_id == order_id]
    except (OSError, pl.exceptions.PolarsError):
        return None
    return _describe(lake, source, rows, rejects)


def _validate_raw(lake: Lake, source: _Source, order_id: str, settings: FoldSettings) -> list[OrderVersion]:
    rows: list[tuple[Any, ...]] = []
    rejects: list[RejectLine] = []
    request = source.marker.request
    window = request.window
    for number in range(1, len(source.marker.pages) + 1):
        valid = validate_pages([source.read_page(lake, number)], window, settings, source.mapping)
        rows += valid.orders.filter(pl.col("order_id") == order_id).select(_HEAD).rows()
        lines = (decode_reject(bad.to_json(source.marker.batch)) for bad in valid.rejects if bad.order_id == order_id)
        rejects += [line for line in lines if line is not None]
    return _describe(lake, source, rows, rejects)


def _describe(
    lake: Lake, source: _Source, rows: Sequence[tuple[Any, ...]], rejects: Sequence[RejectLine]
) -> list[OrderVersion]:
    """The accepted versions, of staged rows, and the rejected ones; rejected lines count for their version."""
    bad_lines = Counter((reject.page, reject.index) for reject in rejects if reject.scope == "line")
    versions = []
    for pos, day, amount, currency, updated_at, status in rows:
        page, index = split_position(pos)
        versions.append(
            _version(
                source,
                page,
                index,
                updated_at.replace(tzinfo=UTC),
                "accepted" if day is not None else _how_it_left(lake, source, page, index),
                day=day,
                amount=amount,
                currency=currency,
                status=status,
                lines_rejected=bad_lines[page, index],
            )
        )
    for reject in rejects:
        if reject.scope == "order":
            why = {"reason": reject.reason, "detail": reject.detail}
            versions.append(_version(source, reject.page, reject.index, reject.time, "rejected", **why))
    return versions


def _version(
    source: _Source,
    page: int,
    index: int,
    updated_at: datetime | None,
    result: str,
    **facts: Any,  # noqa: ANN401
) -> OrderVersion:
    where = raw_key(source.marker.batch, page_name(page))
    return OrderVersion(source.marker.batch, where, index, source.marker.request.began_at, updated_at, result, **facts)


def _how_it_left(lake: Lake, source: _Source, page: int, index: int) -> str:
    """``deleted`` or ``emptied``, as the record itself says; where raw has it no more, ``deleted`` is likelier."""
    with suppress(OrdersetlError, IndexError):
        read = read_order(source.read_orders(lake, page)[index])
        return "deleted" if not isinstance(read, GoneOrder) or read.deleted else "emptied"
    return "deleted"


def _find_outside(
    lake: Lake, source: _Source, order_id: str, known: Container[tuple[str, int]]
) -> Iterator[OrderVersion]:
    """Versions that were received and dropped, as they lie outside of the window that somebody asked for."""
    for number in range(1, len(source.marker.pages) + 1):
        with suppress(OrdersetlError):
            for index, record in enumerate(source.read_orders(lake, number)):
                found = isinstance(record, dict) and read_short_text(record.get("order_id"))[0] == order_id
                if found and (raw_key(source.marker.batch, page_name(number)), index) not in known:
                    yield _version(source, number, index, read_version_time(record), "outside_window")
