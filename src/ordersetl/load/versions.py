"""Which version of an order counts, and what becomes of the partition where it stood before.

Parts are numbered in the order of batches and pages, so a version's rank is (updated_at, part, pos). Losing versions
are named by (part, pos): there are few of them, so that memory follows what changed and one hash per order, not the
rows.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from ordersetl.lake import index
from ordersetl.lake.index import INDEX_SCHEMA, TOMBSTONE_SCHEMA
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import FileEntry
from ordersetl.load.files import read_partition
from ordersetl.load.plan import Part

__all__ = [
    "VERSION_SCHEMA",
    "Incoming",
    "ResolvedVersions",
    "list_keys",
    "list_tombstones",
    "resolve_versions",
    "survey",
]

VERSION_SCHEMA: dict[str, pl.DataType] = {"part": pl.UInt32(), "pos": pl.UInt64()}
"""One order version: the part it is in, and its place there."""

_HEADER_SCHEMA: dict[str, pl.DataType] = {
    "order_id": pl.String(),
    "updated_at_order": pl.Datetime("us"),
    "dt": pl.Date(),
    **VERSION_SCHEMA,
}
"""An order version in short."""

_LEAVING_SCHEMA: dict[str, pl.DataType] = {
    "dt": pl.Date(),
    "order_id": pl.String(),
    "sku": pl.String(),
    "to": pl.Date(),
}
_GONE_SCHEMA: dict[str, pl.DataType] = {**TOMBSTONE_SCHEMA, **VERSION_SCHEMA}
_KNOWN_SCHEMA: dict[str, pl.DataType] = {"order_id": pl.String(), "was": pl.Date(), **VERSION_SCHEMA}


@dataclass(frozen=True)
class Incoming:
    """The pending versions in short.

    ``repeated``: hashes that several versions have, of one order, or rarely of two; ``new_keys``: what the index must
    learn; some may stand twice in either. ``strays``: versions whose order may stand in the partition of another day
    (order_id, updated_at_order, dt, part, pos, was). ``gone``: versions that make their order leave (TOMBSTONE_SCHEMA,
    part, pos); they have no day, so that any in which their order may stand is another. ``outdated`` (VERSION_SCHEMA):
    versions older than one that made their order leave before.
    """

    versions: int
    repeated: pl.Series
    new_keys: pl.DataFrame
    strays: pl.DataFrame
    gone: pl.DataFrame
    outdated: pl.DataFrame


@dataclass(frozen=True)
class ResolvedVersions:
    """What the comparison of versions came to.

    ``lost`` (VERSION_SCHEMA): versions that do not count. ``leaving``: rows (order_id, sku) that a newer version of
    their order moves from the partition of the day ``dt`` to the day ``to``, or out of the layer where that is null.
    ``known``: which version of an order stood in a partition of the day ``was`` that is to be rebuilt.
    """

    lost: pl.DataFrame
    leaving: pl.DataFrame
    known: pl.DataFrame


def survey(
    parts: Sequence[Part],
    look_up: Callable[[pl.Series], pl.DataFrame],
    look_up_tombstones: Callable[[pl.Series], pl.DataFrame],
) -> Incoming:
    """Look at the pending versions part by part: which the index knows elsewhere or not at all, and which leave."""
    keys = [pl.Series("key", dtype=INDEX_SCHEMA["key"])]
    new_keys = [pl.DataFrame(schema=INDEX_SCHEMA)]
    strays = [pl.DataFrame(schema={**_HEADER_SCHEMA, "was": pl.Date})]
    gone = [pl.DataFrame(schema=_GONE_SCHEMA)]
    outdated = [pl.DataFrame(schema=VERSION_SCHEMA)]
    for part in parts:
        if not part.pending:
            continue
        headers = _scan_headers(part).with_columns(key=index.order_key()).collect()
        keys.append(headers["key"])
        gone.append(headers.filter(pl.col("dt").is_null()).select(*_GONE_SCHEMA))
        dated = headers.drop_nulls("dt").select(*INDEX_SCHEMA)
        left = headers.join(look_up_tombstones(headers["key"]), on="order_id")
        outdated.append(left.filter(pl.col("gone_at") > pl.col("updated_at_order")).select(*VERSION_SCHEMA))
        known = look_up(headers["key"])
        if known.is_empty():  # as on a first load
            new_keys.append(dated)
            continue
        new_keys.append(dated.join(known, on=["key", "dt"], how="anti"))
        elsewhere = headers.join(known.rename({"dt": "was"}), on="key").filter(pl.col("was").ne_missing(pl.col("dt")))
        strays.append(elsewhere.drop("key"))
    every = pl.concat(keys).rechunk().sort()
    repeated = every.filter((every == every.shift(1)).fill_null(value=False))
    return Incoming(len(every), repeated, pl.concat(new_keys), pl.concat(strays), pl.concat(gone), pl.concat(outdated))


def list_tombstones(parts: Sequence[Part]) -> pl.DataFrame:
    """Versions in these parts that make their order leave: TOMBSTONE_SCHEMA."""
    found = [pl.DataFrame(schema=_HEADER_SCHEMA)]
    found.extend(pl.collect_all(_scan_headers(part).filter(pl.col("dt").is_null()) for part in parts))
    return pl.concat(found).with_columns(key=index.order_key()).select(*TOMBSTONE_SCHEMA)


def resolve_versions(
    lake: Lake,
    parts: Sequence[Part],
    incoming: Incoming,
    partitions: Mapping[date, FileEntry],
    broken_days: Collection[date],
) -> ResolvedVersions:
    """Which versions lose: among the pending ones, against other days' partitions, and for broken days among all.

    What stands in a version's own day is left to the fold of that day.

    Args:
        lake: where the partitions are.
        parts: the pending parts, and where there are broken days those of all batches.
        incoming: what the survey of the pending parts found.
        partitions: the sound ones.
        broken_days: days whose partition is to be rebuilt from all batches.

    Raises:
        CorruptedFileError: a partition to look into is not what the manifest says.
    """
    pending = [part for part in parts if part.pending]
    lost = pl.concat([_losers(_rank_versions(pending, incoming.repeated)), incoming.outdated])
    known = pl.DataFrame(schema=_KNOWN_SCHEMA)
    if broken_days:
        versions = _rank_versions(parts, list_keys(parts, broken_days)["key"])
        lost = pl.concat([lost, _losers(versions)]).unique()
        stood = versions.filter(pl.col("part").is_in([part.number for part in parts if part.applied]))
        stood = stood.unique("order_id", keep="last", maintain_order=True).rename({"dt": "was"})
        known = stood.filter(pl.col("was").is_in(list(broken_days))).select(*_KNOWN_SCHEMA)
    leaving, refused = _settle_moves(lake, incoming.strays, lost, partitions)
    return ResolvedVersions(pl.concat([lost, refused]).unique(), leaving, known)


def list_keys(parts: Sequence[Part], days: Collection[date]) -> pl.DataFrame:
    """What the index must know of versions in these days: INDEX_SCHEMA."""
    found = [pl.DataFrame(schema=INDEX_SCHEMA)]
    for part in parts:
        if part.days.keys().isdisjoint(days):
            continue
        held = pl.read_parquet(part.orders, columns=["order_id", "dt"], glob=False).filter(
            pl.col("dt").is_in(list(days))
        )
        found.append(held.select(key=index.order_key(), dt="dt"))
    return pl.concat(found).unique()


def _scan_headers(part: Part) -> pl.LazyFrame:
    columns = [name for name in _HEADER_SCHEMA if name != "part"]
    headers = pl.scan_parquet(part.orders, glob=False).select(*columns)
    return headers.with_columns(part=pl.lit(part.number, pl.UInt32)).select(*_HEADER_SCHEMA)


def _rank_versions(parts: Sequence[Part], keys: pl.Series) -> pl.DataFrame:
    """Headers of all versions of the orders that have one of the keys, the best version of each order last."""
    found = [pl.DataFrame(schema=_HEADER_SCHEMA)]
    if len(keys):
        wanted = keys.unique().implode()
        repeated = index.order_key().is_in(wanted)
        found.extend(pl.collect_all(_scan_headers(part).filter(repeated) for part in parts))
    return pl.concat(found).sort("order_id", "updated_at_order", "part", "pos")


def _losers(ranked: pl.DataFrame) -> pl.DataFrame:
    loses = (pl.col("order_id") == pl.col("order_id").shift(-1)).fill_null(value=False)
    return ranked.filter(loses).select(*VERSION_SCHEMA)


def _settle_moves(
    lake: Lake, strays: pl.DataFrame, lost: pl.DataFrame, partitions: Mapping[date, FileEntry]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Decide for each version whose order may stand in another day's partition which of the two wins.

    A day without a sound partition needs no decision: all versions of its orders were compared already.

    Returns:
        The rows that leave; VERSION_SCHEMA of the versions that lose against a partition.
    """
    leaving = [pl.DataFrame(schema=_LEAVING_SCHEMA)]
    refused = [pl.DataFrame(schema=VERSION_SCHEMA)]
    live = strays.join(lost, on=list(VERSION_SCHEMA), how="anti")
    for (day,), coming in live.partition_by("was", as_dict=True).items():
        if day not in partitions:
            continue
        rows = read_partition(lake, day, partitions[day], ["order_id", "sku", "updated_at_order"])
        met = rows.select("order_id", "sku", stands_since="updated_at_order").join(coming, on="order_id")
        loses = pl.col("stands_since") > pl.col("updated_at_order")
        refused.append(met.filter(loses).select(*VERSION_SCHEMA))
        leaving.append(met.filter(~loses).select(dt="was", order_id="order_id", sku="sku", to="dt"))
    return pl.concat(leaving), pl.concat(refused)
