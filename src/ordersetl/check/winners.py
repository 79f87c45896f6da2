"""Where the versions came from that curated has: batch, page and position, which curated itself does not say.

Staged files say so. Where a batch has none any more of today's rules and curated's settings, its records in raw are
looked at, by the mapping that curated was folded by: a newer one counts once a load has folded by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from itertools import chain

import msgspec
import polars as pl

from ordersetl.errors import OrdersetlError
from ordersetl.lake.in_force import InForce, find_in_force
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import Manifest
from ordersetl.lake.raw import read_marker
from ordersetl.lake.staged import StageMarker, has_size, read_stage
from ordersetl.source.kept_pages import KeptPages, describe_request
from ordersetl.star.frames import ORDER_SCHEMA, join_position, split_position
from ordersetl.star.rules import RULES
from ordersetl.star.values import read_short_text, read_version_time, to_naive

__all__ = ["Undecided", "Winners", "find_places"]

_KEY = ("order_id", "updated_at_order")


class Undecided(msgspec.Struct, frozen=True):
    """An order's rejects that time does not tell from the version that won.

    ``won_at`` is the time of that, naive UTC. ``since`` is the batch of the first of them, ``newest`` batch, page and
    index of the last one.
    """

    won_at: datetime
    since: str
    newest: tuple[str, int, int]


class Winners(msgspec.Struct, frozen=True):
    """The versions that won, by the id of their order, and the places of what was ``rejected`` of these orders.

    ``days`` are those that they are in, and ``gone`` where with some of them their order left.
    """

    orders: Mapping[str, Undecided]
    rejected: frozenset[tuple[str, int, int]]
    days: frozenset[date]
    gone: bool


def find_places(lake: Lake, manifest: Manifest, winners: Winners) -> Iterator[tuple[str, str, int, int]]:
    """Order id, batch, page and index of versions that have the time of the one that won and were not rejected.

    An order is looked for until one of its came after the newest reject, which decides all; no batch is read for none.
    What is damaged in a batch has none.
    """
    in_force = find_in_force(lake, manifest.batches)
    left = dict(winners.orders)
    for batch in _list_from_both_ends(manifest.batches, since=min(order.since for order in left.values())):
        wanted = {order_id: order for order_id, order in left.items() if order.since <= batch}
        if not wanted:
            continue
        looked_for = msgspec.structs.replace(winners, orders=wanted)
        stage = read_stage(lake, batch)
        fits = stage is not None and stage.rules == RULES and stage.settings == manifest.settings.of_staging
        places = _read_staged(lake, stage, looked_for) if stage is not None and fits else None
        for order_id, pos in _read_raw(lake, batch, looked_for, in_force) if places is None else places:
            place = (batch, *split_position(pos))
            if place not in winners.rejected:
                yield order_id, *place
                if place > wanted[order_id].newest:
                    left.pop(order_id, None)


def _list_from_both_ends(batches: Sequence[str], *, since: str) -> list[str]:
    """Those since the given one: what closes a reject comes soon after it, or was last changed not long ago."""
    chosen = [batch for batch in batches if batch >= since]
    return list(chain.from_iterable(zip(chosen, reversed(chosen), strict=True)))[: len(chosen)]


def _read_staged(lake: Lake, stage: StageMarker, winners: Winners) -> list[tuple[str, int]] | None:
    """Order id and ``pos`` of them; None where a file is missing or damaged. Parts without such days are not read."""
    versions = [(order_id, order.won_at) for order_id, order in winners.orders.items()]
    wanted = pl.LazyFrame(versions, {name: ORDER_SCHEMA[name] for name in _KEY}, orient="row")
    found: list[tuple[str, int]] = []
    try:
        for part in stage.parts:
            if (winners.gone and part.gone) or not winners.days.isdisjoint(part.days):
                if not has_size(lake, stage, part.orders):
                    return None
                orders = stage.columns(lake, part.orders).scan().select("order_id", "pos", "updated_at_order")
                found += orders.join(wanted, on=_KEY, how="semi").select("order_id", "pos").collect().rows()
    except (OSError, pl.exceptions.PolarsError):
        return None
    return found


def _read_raw(lake: Lake, batch: str, winners: Winners, in_force: InForce) -> Iterator[tuple[str, int]]:
    with suppress(OrdersetlError):  # other checks say that it is damaged
        marker = read_marker(lake, batch)
        window = marker.request.window
        kept = KeptPages(lake, batch, marker.since, describe_request(lake, marker.request, in_force))
        for number, entry in enumerate(marker.pages, start=1):
            for index, record in enumerate(kept.read_orders(number, entry)):
                if (stated := read_version_time(record)) is None or not window.holds(time := window.cap(stated)):
                    continue
                order_id, _ = read_short_text(record.get("order_id"))
                if order_id is None or (order := winners.orders.get(order_id)) is None:
                    continue
                if order.won_at == to_naive(time):
                    yield order_id, join_position(number, index)
