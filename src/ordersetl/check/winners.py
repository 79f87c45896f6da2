"""Where the versions came from that curated has: batch, page and position, which curated itself does not say.

Staged files say so. Where a batch has none any more of today's rules and curated's settings, its records in raw are
looked at, by the mapping that curated was folded by: a newer one counts once a load has folded by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime

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

__all__ = ["Winners", "find_places"]

_KEY = ("order_id", "updated_at_order")


class Winners(msgspec.Struct, frozen=True):
    """The versions that won: ``orders`` has the time of each, naive UTC, by the id of its order.

    ``days`` are those that they are in, and ``gone`` where with some of them their order left.
    """

    orders: Mapping[str, datetime]
    days: frozenset[date]
    gone: bool


def find_places(
    lake: Lake, manifest: Manifest, batches: Sequence[str], winners: Winners
) -> Iterator[tuple[str, str, int, int]]:
    """Order id, batch, page and index of each version in these batches that has the time of the one that won.

    Of a batch that is not staged any more, rejected ones are among them; what is damaged there has none.
    """
    in_force = find_in_force(lake, manifest.batches)
    for batch in batches:
        stage = read_stage(lake, batch)
        fits = stage is not None and stage.rules == RULES and stage.settings == manifest.settings.of_staging
        places = _read_staged(lake, stage, winners) if stage is not None and fits else None
        for order_id, pos in _read_raw(lake, batch, winners, in_force) if places is None else places:
            yield order_id, batch, *split_position(pos)


def _read_staged(lake: Lake, stage: StageMarker, winners: Winners) -> list[tuple[str, int]] | None:
    """Order id and ``pos`` of them; None where a file is missing or damaged. Parts without such days are not read."""
    wanted = pl.LazyFrame(list(winners.orders.items()), {name: ORDER_SCHEMA[name] for name in _KEY}, orient="row")
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
                if order_id is not None and winners.orders.get(order_id) == to_naive(time):
                    yield order_id, join_position(number, index)
