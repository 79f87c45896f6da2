"""How many of the distinct orders that wait are rejected: a retry that sends a bad order again adds none."""

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
import polars as pl

from ordersetl.errors import TooManyRejectsError
from ordersetl.lake.layout import Lake
from ordersetl.lake.quarantine import decode_reject
from ordersetl.lake.staged import list_staged
from ordersetl.results import TransformResult
from ordersetl.settings import Settings
from ordersetl.star.frames import join_position

__all__ = ["RejectShare", "count_share", "has_accepted", "require_few_rejects"]

_VERSION_SCHEMA: dict[str, pl.DataType] = {"order_id": pl.String(), "batch": pl.UInt32(), "pos": pl.UInt64()}
"""One version of an order, and where it was received."""
_LINES = 10_000


class RejectShare(msgspec.Struct, frozen=True):
    """Distinct orders, and those of them whose last version is rejected; a record without an id counts for itself."""

    rejected: int
    orders: int


def has_accepted(lake: Lake, batches: Sequence[str], orders: float) -> bool:
    """Whether staged batches hold that many distinct accepted orders; no more is read than it takes to tell."""
    seen = pl.Series("order_id", dtype=pl.String)
    for versions in _accepted(lake, batches):
        seen = pl.concat([seen, versions["order_id"]]).unique()
        if len(seen) >= orders:
            return True
    return False


def count_share(lake: Lake, batches: Sequence[str]) -> RejectShare:
    """Count the orders of staged batches, given oldest first, each by the last version that was received of it."""
    empty = pl.DataFrame(schema=_VERSION_SCHEMA)
    rejected = pl.concat([empty, *_rejected(lake, batches)])
    named = rejected.drop_nulls("order_id")
    ids = [pl.Series("order_id", dtype=pl.String), named["order_id"]]
    again = [empty]
    for versions in _accepted(lake, batches):
        ids.append(versions["order_id"].unique())
        again.append(versions.join(named, on="order_id", how="semi"))
    last = pl.concat([named.with_columns(bad=True), pl.concat(again).with_columns(bad=False)])
    bad = last.sort("batch", "pos").group_by("order_id").agg(pl.col("bad").last()).filter("bad").height
    unnamed = rejected.height - named.height
    return RejectShare(rejected=bad + unnamed, orders=pl.concat(ids).n_unique() + unnamed)


def _accepted(lake: Lake, batches: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Accepted versions, part by part."""
    for number, batch in enumerate(batches):
        for key in list_staged(lake, batch, "orders-"):
            versions = lake.storage.open_columns(key).scan().select("order_id", "pos").collect()
            yield versions.with_columns(batch=pl.lit(number, pl.UInt32)).select(*_VERSION_SCHEMA)


def _rejected(lake: Lake, batches: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Rejected versions, so many lines of a quarantine file at a time."""
    for number, batch in enumerate(batches):
        for key in list_staged(lake, batch, "rejects-"):
            with lake.storage.open(key) as lines:
                while chunk := list(islice(lines, _LINES)):
                    found = [line for line in map(decode_reject, chunk) if line is not None and line.scope == "order"]
                    ids = [line.order_id for line in found]
                    positions = [join_position(line.page, line.index) for line in found]
                    columns = {"order_id": ids, "batch": [number] * len(found), "pos": positions}
                    yield pl.DataFrame(columns, schema=_VERSION_SCHEMA)


def require_few_rejects(lake: Lake, result: TransformResult, settings: Settings) -> None:
    """Nothing is loaded where too many of the distinct orders that wait are rejected.

    Counting them reads the staged ids, so it is done where the counts of the batches leave it open.

    Raises:
        TooManyRejectsError: they are.
    """
    ratio = settings.max_reject_ratio
    if result.rejected < settings.min_rejects:
        return
    if ratio and has_accepted(lake, result.batches, result.rejected / ratio):
        return
    share = count_share(lake, result.batches)
    if share.rejected < settings.min_rejects or share.rejected <= ratio * share.orders:
        return
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in result.rejected_by_reason.items())
    load = "or load what is good: ordersetl load, or a higher " if result.accepted else "or set a higher "
    raise TooManyRejectsError(
        f"{share.rejected:,} of {share.orders:,} waiting orders were rejected, more than the allowed share of "
        f"{ratio:g}: {reasons}. Nothing was loaded; batches that wait: {len(result.batches)}",
        hint=f"Look at {settings.output / 'quarantine'}. Then repair the source, or a mapping that was changed, and "
        f"run again (an order that comes again and is good counts as good), {load}ORDERSETL_MAX_REJECT_RATIO or "
        "ORDERSETL_MIN_REJECTS.",
    )
