"""Which version of an order wins, and what becomes of the partition where the order was before.

Parts are numbered in the order of batches and pages, so a version's rank is (updated_at, part, pos). Superseded
versions are named by (part, pos): there are few of them, so that memory follows what changed and one hash per order,
not the rows.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import msgspec
import polars as pl

from ordersetl.lake import index
from ordersetl.lake.index import INDEX_SCHEMA, TOMBSTONE_SCHEMA
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import FileEntry
from ordersetl.lake.segments import Segment
from ordersetl.load.files import read_partition
from ordersetl.load.plan import Part

__all__ = [
    "RESOLVED",
    "VERSION_SCHEMA",
    "Incoming",
    "ResolvedVersions",
    "is_older_than",
    "list_keys",
    "list_tombstones",
    "resolve_versions",
    "scan_versions",
]

VERSION_SCHEMA: dict[str, pl.DataType] = {"part": pl.UInt32(), "pos": pl.UInt64()}
"""One order version: the part it is in, and its position there."""

_HEADER_SCHEMA: dict[str, pl.DataType] = {
    "order_id": pl.String(),
    "updated_at_order": pl.Datetime("us"),
    "dt": pl.Date(),
    **VERSION_SCHEMA,
}
"""An order version in short."""

_MOVED_OUT_SCHEMA: dict[str, pl.DataType] = {
    "dt": pl.Date(),
    "order_id": pl.String(),
    "sku": pl.String(),
    "to": pl.Date(),
}
_GONE_SCHEMA: dict[str, pl.DataType] = {**TOMBSTONE_SCHEMA, **VERSION_SCHEMA}
_KNOWN_SCHEMA: dict[str, pl.DataType] = {"order_id": pl.String(), "was": pl.Date(), **VERSION_SCHEMA}


class Incoming(msgspec.Struct, frozen=True):
    """The pending versions in short; all but ``new_keys`` are headers (order_id, updated_at_order, dt, part, pos).

    ``repeated``: versions whose hash another one has, of the same order, or rarely of another. ``new_keys``: what the
    index must learn; a row may be repeated. ``relocated``: versions whose order may be in the partition of another day,
    ``was``. ``gone``: versions with which their order leaves (TOMBSTONE_SCHEMA, part, pos); they have no day, so that
    any in which their order may be is another. ``stale`` (VERSION_SCHEMA): versions older than one with which their
    order left before.
    """

    versions: int
    repeated: pl.DataFrame
    new_keys: pl.DataFrame
    relocated: pl.DataFrame
    gone: pl.DataFrame
    stale: pl.DataFrame


class ResolvedVersions(msgspec.Struct, frozen=True):
    """Which versions count.

    ``superseded`` (VERSION_SCHEMA): versions that do not. ``moved_out``: rows (order_id, sku) that a newer version of
    their order moves from the partition of the day ``dt`` to the day ``to``, or out of the layer where that is null.
    ``known``: which version of an order was in a partition of the day ``was`` that is to be rebuilt.
    """

    superseded: pl.DataFrame
    moved_out: pl.DataFrame
    known: pl.DataFrame


RESOLVED = tuple(field.name for field in msgspec.structs.fields(ResolvedVersions))
"""Names of its frames."""


def is_older_than(column: str) -> pl.Expr:
    """Whether a version is older than the time in a column, that of a version applied before; on a tie it is not."""
    return (pl.col("updated_at_order") < pl.col(column)).fill_null(value=False)


def scan_versions(parts: Sequence[Part], segments: Sequence[Segment], tombstones: Sequence[Segment]) -> Incoming:
    """Read the headers of the pending versions part by part, and look their orders up in the index and the tombstones.

    Args:
        parts: staged parts; those that are not pending are passed over.
        segments: those of the index.
        tombstones: those of the orders that have left.
    """
    keys: list[tuple[Part, pl.Series]] = []
    new_keys = [pl.DataFrame(schema=INDEX_SCHEMA)]
    relocated = [pl.DataFrame(schema={**_HEADER_SCHEMA, "was": pl.Date})]
    gone = [pl.DataFrame(schema=_GONE_SCHEMA)]
    stale = [pl.DataFrame(schema=VERSION_SCHEMA)]
    for part in parts:
        if not part.pending:
            continue
        headers = _read_headers(part).with_columns(key=index.order_key())
        keys.append((part, headers["key"]))
        gone.append(headers.filter(pl.col("dt").is_null()).select(*_GONE_SCHEMA))
        if tombstones:
            left = headers.join(index.look_up_tombstones(tombstones, headers["key"]), on="order_id")
            stale.append(left.filter(is_older_than("gone_at")).select(*VERSION_SCHEMA))
        dated = headers.drop_nulls("dt").select(*INDEX_SCHEMA)
        known = index.look_up(segments, headers["key"])
        if known.is_empty():  # as on a first load
            new_keys.append(dated)
            continue
        new_keys.append(dated.join(known, on=["key", "dt"], how="anti"))
        elsewhere = headers.join(known.rename({"dt": "was"}), on="key").filter(pl.col("was").ne_missing(pl.col("dt")))
        relocated.append(elsewhere.drop("key"))
    return Incoming(
        sum(len(of_part) for _, of_part in keys),
        _read_repeated(keys),
        *(pl.concat(found) for found in (new_keys, relocated, gone, stale)),
    )


def list_tombstones(parts: Sequence[Part]) -> pl.DataFrame:
    """Versions in these parts with which their order leaves: TOMBSTONE_SCHEMA."""
    return _read_all(parts, pl.col("dt").is_null()).with_columns(key=index.order_key()).select(*TOMBSTONE_SCHEMA)


def resolve_versions(
    lake: Lake,
    parts: Sequence[Part],
    incoming: Incoming,
    partitions: Mapping[date, FileEntry],
    broken_days: Collection[date],
) -> ResolvedVersions:
    """Which versions are superseded: by pending ones, by other days' partitions, and for broken days by any.

    The fold of a version's own day compares it with the curated rows there.

    Args:
        lake: where the partitions are.
        parts: the pending parts, and where there are broken days those of all batches.
        incoming: what the scan of the pending parts found.
        partitions: the valid ones.
        broken_days: days whose partition is to be rebuilt from all batches.

    Raises:
        CorruptedFileError: a partition to look into is not what the manifest says.
    """
    superseded = pl.concat([_find_superseded(incoming.repeated), incoming.stale])
    known = pl.DataFrame(schema=_KNOWN_SCHEMA)
    if broken_days:
        wanted = list_keys(parts, broken_days)["key"].unique().implode()
        versions = _read_all(parts, index.order_key().is_in(wanted))
        superseded = pl.concat([superseded, _find_superseded(versions)]).unique()
        applied = _rank(versions.filter(pl.col("part").is_in([part.number for part in parts if part.applied])))
        last = applied.unique("order_id", keep="last", maintain_order=True).rename({"dt": "was"})
        known = last.filter(pl.col("was").is_in(list(broken_days))).select(*_KNOWN_SCHEMA)
    moved_out, stale = _resolve_moves(lake, incoming.relocated, superseded, partitions)
    return ResolvedVersions(pl.concat([superseded, stale]).unique(), moved_out, known)


def list_keys(parts: Sequence[Part], days: Collection[date]) -> pl.DataFrame:
    """What the index must know of versions in these days: INDEX_SCHEMA."""
    concerned = [part for part in parts if not part.days.keys().isdisjoint(days)]
    headers = _read_all(concerned, pl.col("dt").is_in(list(days)))
    return headers.select(key=index.order_key(), dt="dt").unique()


def _read_all(parts: Sequence[Part], wanted: pl.Expr) -> pl.DataFrame:
    """Headers of the wanted versions of all parts."""
    empty = pl.DataFrame(schema=_HEADER_SCHEMA)
    return pl.concat([empty, *(_read_headers(part, wanted) for part in parts)])


def _read_headers(part: Part, wanted: pl.Expr | None = None) -> pl.DataFrame:
    headers = part.orders.scan().select([name for name in _HEADER_SCHEMA if name != "part"]).collect()
    kept = headers if wanted is None else headers.filter(wanted)
    return kept.with_columns(part=pl.lit(part.number, pl.UInt32)).select(*_HEADER_SCHEMA)


def _read_repeated(keys: Sequence[tuple[Part, pl.Series]]) -> pl.DataFrame:
    """Headers of the versions of each part whose hash occurs more than once in all of them."""
    found = [pl.DataFrame(schema=_HEADER_SCHEMA)]
    every = pl.concat([of_part for _, of_part in keys]).rechunk().sort() if keys else pl.Series(dtype=pl.UInt64)
    repeated = every.filter((every == every.shift(1)).fill_null(value=False)).unique().implode()
    for part, of_part in keys:
        is_repeated = of_part.is_in(repeated)
        if is_repeated.any():
            found.append(_read_headers(part, pl.lit(is_repeated)))
    return pl.concat(found)


def _rank(versions: pl.DataFrame) -> pl.DataFrame:
    """Headers in the order of (order_id, rank): the winning version of each order last."""
    return versions.sort("order_id", "updated_at_order", "part", "pos")


def _find_superseded(versions: pl.DataFrame) -> pl.DataFrame:
    """Those of the versions that another one of the same order among them outranks: VERSION_SCHEMA."""
    is_outranked = (pl.col("order_id") == pl.col("order_id").shift(-1)).fill_null(value=False)
    return _rank(versions).filter(is_outranked).select(*VERSION_SCHEMA)


def _resolve_moves(
    lake: Lake, relocated: pl.DataFrame, superseded: pl.DataFrame, partitions: Mapping[date, FileEntry]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compare each version whose order may be in another day's partition with the rows there.

    A day without a valid partition needs no comparison: all versions of its orders were compared already.

    Returns:
        The rows that move out; VERSION_SCHEMA of the versions that are older than the curated rows.
    """
    moved_out = [pl.DataFrame(schema=_MOVED_OUT_SCHEMA)]
    stale = [pl.DataFrame(schema=VERSION_SCHEMA)]
    live = relocated.join(superseded, on=list(VERSION_SCHEMA), how="anti")
    for (day,), versions in live.partition_by("was", as_dict=True).items():
        if day not in partitions:
            continue
        rows = read_partition(lake, day, partitions[day], ["order_id", "sku", "updated_at_order"])
        met = rows.select("order_id", "sku", curated_at="updated_at_order").join(versions, on="order_id")
        is_stale = is_older_than("curated_at")
        stale.append(met.filter(is_stale).select(*VERSION_SCHEMA))
        moved_out.append(met.filter(~is_stale).select(dt="was", order_id="order_id", sku="sku", to="dt"))
    return pl.concat(moved_out), pl.concat(stale)
