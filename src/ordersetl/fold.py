"""The fold of staged batches into partitions: which versions win, and what each day's partition then holds.

Among all versions of an order the highest ``updated_at`` wins; on a tie the later part (parts are numbered in the
order of batches and pages), then the later place in it. Losing versions are named by (part, pos): there are few of
them, so that memory follows what changed and one hash per order, not the rows.

A day is folded in one of two ways:

* *merged*: its partition as it stands, and the waiting versions of that day laid over it;
* *rebuilt*: from the staged parts of all batches, the partition being new, damaged or gone.
"""

import hashlib
import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import msgspec
import polars as pl

from ordersetl.errors import OrdersetlError
from ordersetl.lake.commit import Commit
from ordersetl.lake.health import file_problem
from ordersetl.lake.index import INDEX_SCHEMA, order_key
from ordersetl.lake.layout import Lake, partition_file
from ordersetl.lake.manifest import FileEntry
from ordersetl.star import LINE_SCHEMA, ORDER_SCHEMA, enrich, revenue_by_currency, to_csv
from ordersetl.tables import FACT_ORDER

__all__ = [
    "DayGroup",
    "GroupOutcome",
    "MOVE_SCHEMA",
    "VERSION_SCHEMA",
    "Incoming",
    "Part",
    "PartitionDamagedError",
    "fold_group",
    "group_days",
    "keys_of_days",
    "partition_keys",
    "put_file",
    "read_headers",
    "read_partition",
    "settle_moves",
    "superseded_versions",
    "survey",
]

VERSION_SCHEMA: dict[str, pl.DataType] = {"part": pl.UInt32(), "pos": pl.UInt64()}
"""One order version: the part it is in, and its place there."""
MOVE_SCHEMA: dict[str, pl.DataType] = {"dt": pl.Date(), "order_id": pl.String(), "to": pl.Date()}
"""An order that leaves the partition of one day for another's."""

_HEADER_SCHEMA: dict[str, pl.DataType] = {
    "order_id": pl.String(),
    "updated_at_order": pl.Datetime("us"),
    "dt": pl.Date(),
    **VERSION_SCHEMA,
}
"""An order version in short."""

_BARE = [c for c in FACT_ORDER.names if c not in {"user_country", "product_name", "product_category", "list_price"}]


class PartitionDamagedError(OrdersetlError):
    """A partition that seemed sound by size and time is not what the manifest says; load rebuilds it and goes on."""

    def __init__(self, day: date, problem: str) -> None:
        super().__init__(f"{partition_file(day)}: {problem}")
        self.day = day
        self.problem = problem


@dataclass(frozen=True)
class Part:
    """A staged part. ``number`` orders all parts of all batches; ``waiting`` ones are not yet in the partitions."""

    number: int
    orders: Path
    lines: Path
    waiting: bool


@dataclass(frozen=True)
class Incoming:
    """The waiting versions in short.

    ``new_keys``: what the index must learn; ``strays``: versions whose order may stand in the partition of another
    day (order_id, updated_at_order, dt, pos, part, was).
    """

    versions: int
    new_keys: pl.DataFrame
    strays: pl.DataFrame


@dataclass(frozen=True)
class DayGroup:
    """Neighbouring days that are folded together, and all that it takes.

    ``lost`` are versions that do not count; ``leaving`` are orders that a newer version moves from the day
    ``dt`` to the day ``to``; ``known`` are orders that rebuilt days held before. ``sound`` are the partitions to merge with.
    """

    lake: Lake
    commit: Commit
    days: tuple[date, ...]
    rebuilt: frozenset[date]
    parts: tuple[Part, ...]
    lost: pl.DataFrame
    leaving: pl.DataFrame
    known: pl.DataFrame
    sound: Mapping[date, FileEntry]
    users: pl.DataFrame
    products: pl.DataFrame


@dataclass
class GroupOutcome:
    """What became of a group's partitions, and of the waiting versions in them."""

    files: dict[str, FileEntry] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    inserted: int = 0
    updated: int = 0
    same: int = 0
    moved: int = 0
    refused: int = 0
    lines_removed: int = 0

    def add(self, other: "GroupOutcome") -> None:
        """Add what became of another group."""
        self.files |= other.files
        for name in ("written", "unchanged", "removed"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("inserted", "updated", "same", "moved", "refused", "lines_removed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def read_headers(part: Part) -> pl.DataFrame:
    """Order versions of a part in short: order_id, updated_at_order, dt, part, pos."""
    columns = [name for name in _HEADER_SCHEMA if name != "part"]
    headers = pl.read_parquet(part.orders, columns=columns)
    return headers.with_columns(part=pl.lit(part.number, pl.UInt32)).select(*_HEADER_SCHEMA)


def superseded_versions(parts: Sequence[Part], keys: pl.Series | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Versions that lose against another one in these parts, and all versions of the orders concerned.

    Args:
        parts: where to look, in their order.
        keys: hashes of the orders that matter; None for all, and then only orders with several versions are looked at.

    Returns:
        VERSION_SCHEMA of the losers; headers of every version of an order with one of the keys (or several versions).
    """
    wanted = _repeated_keys(parts) if keys is None else keys.unique()
    found = [pl.DataFrame(schema=_HEADER_SCHEMA)]
    if len(wanted):
        found.extend(read_headers(part).filter(order_key().is_in(wanted.implode())) for part in parts)
    versions = pl.concat(found).sort("order_id", "updated_at_order", "part", "pos")
    loses = (pl.col("order_id") == pl.col("order_id").shift(-1)).fill_null(value=False)
    return versions.filter(loses).select(*VERSION_SCHEMA), versions


def keys_of_days(parts: Sequence[Part], days: Collection[date]) -> pl.Series:
    """Hashes of the orders that have a version in one of the days."""
    found = [pl.Series("key", [], dtype=pl.UInt64)]
    for part in parts:
        held = pl.read_parquet(part.orders, columns=["order_id", "dt"]).filter(pl.col("dt").is_in(list(days)))
        found.append(held.select(key=order_key())["key"])
    return pl.concat(found).unique()


def _repeated_keys(parts: Sequence[Part]) -> pl.Series:
    """Hashes that several versions have: of one order, or rarely of two."""
    hashed = [
        pl.read_parquet(part.orders, columns=["order_id"]).select(key=order_key())["key"] for part in parts
    ]
    keys = pl.concat([pl.Series("key", [], dtype=pl.UInt64), *hashed], rechunk=True).sort()
    return keys.filter((keys == keys.shift(1)).fill_null(value=False)).unique()


def survey(parts: Sequence[Part], look_up: Callable[[pl.Series], pl.DataFrame]) -> Incoming:
    """Look at the waiting versions part by part: which the index does not know, and which it knows elsewhere."""
    versions = 0
    new_keys = [pl.DataFrame(schema=INDEX_SCHEMA)]
    strays = [pl.DataFrame(schema={**_HEADER_SCHEMA, "was": pl.Date})]
    for part in parts:
        headers = read_headers(part).with_columns(key=order_key())
        versions += headers.height
        known = look_up(headers["key"])
        new_keys.append(headers.select(*INDEX_SCHEMA).join(known, on=["key", "dt"], how="anti").unique())
        elsewhere = headers.join(known.rename({"dt": "was"}), on="key").filter(pl.col("was") != pl.col("dt"))
        strays.append(elsewhere.drop("key"))
    return Incoming(versions, pl.concat(new_keys), pl.concat(strays))


def settle_moves(
    lake: Lake, strays: pl.DataFrame, lost: pl.DataFrame, sound: Mapping[date, FileEntry]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Decide for each version whose order may stand in another day's partition which of the two wins.

    Returns:
        MOVE_SCHEMA of the orders that leave; VERSION_SCHEMA of the versions that lose against a partition.

    Raises:
        PartitionDamagedError: a partition to look into is not what the manifest says.
    """
    leaving = [pl.DataFrame(schema=MOVE_SCHEMA)]
    refused = [pl.DataFrame(schema=VERSION_SCHEMA)]
    live = strays.join(lost, on=list(VERSION_SCHEMA), how="anti")
    for day in live["was"].unique().sort():
        if day not in sound:
            continue  # a rebuilt day: all versions were compared already
        held = read_partition(lake, day, sound[day]).select("order_id", stands_since="updated_at_order").unique()
        met = live.filter(pl.col("was") == day).join(held, on="order_id")
        loses = pl.col("stands_since") > pl.col("updated_at_order")
        refused.append(met.filter(loses).select(*VERSION_SCHEMA))
        leaving.append(met.filter(~loses).select(dt="was", order_id="order_id", to="dt"))
    return pl.concat(leaving), pl.concat(refused)


def group_days(
    days: Collection[date], parts: Sequence[Part], sound: Mapping[date, FileEntry], *, orders: int
) -> Iterator[tuple[date, ...]]:
    """Split days into runs of neighbours with about so many orders each, counting versions and what stands there."""
    counts: dict[date, int] = {day: sound[day].orders if day in sound else 0 for day in days}
    for part in parts:
        held = pl.read_parquet(part.orders, columns=["dt"]).group_by("dt").len()
        for day, count in held.iter_rows():
            if day in counts:
                counts[day] += count
    run: list[date] = []
    size = 0
    for day in sorted(counts):
        if run and size + counts[day] > orders:
            yield tuple(run)
            run, size = [], 0
        run.append(day)
        size += counts[day]
    if run:
        yield tuple(run)


def read_partition(lake: Lake, day: date, entry: FileEntry) -> pl.DataFrame:
    """FACT_ORDER rows of a partition as it stands, its bytes proven by their hash.

    Raises:
        PartitionDamagedError: it is not what the manifest says.
    """
    path = lake.curated / partition_file(day)
    problem = file_problem(path, entry, verify=True)
    if problem:
        raise PartitionDamagedError(day, problem)
    return pl.read_csv(io.BytesIO(path.read_bytes()), schema=FACT_ORDER.schema)


def partition_keys(lake: Lake, day: date, entry: FileEntry) -> pl.DataFrame:
    """What the index must list of a partition: INDEX_SCHEMA."""
    return read_partition(lake, day, entry).select(key=order_key(), dt=pl.lit(day)).unique()


def fold_group(group: DayGroup) -> GroupOutcome:
    """Fold the group's days, and stage the partitions whose bytes change.

    Raises:
        PartitionDamagedError: a partition to merge with is not what the manifest says.
    """
    outcome = GroupOutcome()
    standing = _read_standing(group)
    versions, lines = _read_versions(group)
    held = standing.select("dt", "order_id", stands_since="updated_at_order").unique()
    met = versions.join(held, on=["dt", "order_id"], how="left")
    loses = (pl.col("stands_since") > pl.col("updated_at_order")).fill_null(value=False)
    taken = met.filter(~loses)
    outcome.refused = met.height - taken.height
    fresh = lines.drop("dt").join(taken, on=list(VERSION_SCHEMA), how="inner").select("dt", *_BARE)
    stays = standing.join(taken, on=["dt", "order_id"], how="anti")
    stays = stays.join(group.leaving, on=["dt", "order_id"], how="anti").select("dt", *_BARE)
    _count_changes(group, outcome, taken.filter("waiting"), fresh, standing)
    by_day = pl.concat([stays, fresh]).partition_by("dt", as_dict=True, include_key=False)
    for day in group.days:
        _put_partition(group, outcome, day, by_day.get((day,)))
    return outcome


def _read_standing(group: DayGroup) -> pl.DataFrame:
    """Rows, with ``dt``, of the group's partitions that are merged with."""
    tables = [pl.DataFrame(schema={"dt": pl.Date, **FACT_ORDER.schema})]
    for day in group.days:
        if day in group.sound:
            rows = read_partition(group.lake, day, group.sound[day])
            tables.append(rows.select(pl.lit(day).alias("dt"), *FACT_ORDER.names))
    return pl.concat(tables)


def _read_versions(group: DayGroup) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Versions of the group's days that may count, and their lines: of waiting parts, and of all for rebuilt days."""
    orders = [pl.DataFrame(schema={**ORDER_SCHEMA, "part": pl.UInt32, "waiting": pl.Boolean})]
    lines = [pl.DataFrame(schema={**LINE_SCHEMA, "part": pl.UInt32})]
    for part in group.parts:
        days = [day for day in group.days if part.waiting or day in group.rebuilt]
        if not days:
            continue
        # the range lets Parquet skip row groups, whose days are sorted; membership alone would not
        inside = pl.col("dt").is_between(days[0], days[-1]) & pl.col("dt").is_in(days)
        number = pl.lit(part.number, pl.UInt32)
        lost = group.lost.filter(pl.col("part") == part.number)
        found = pl.scan_parquet(part.orders).filter(inside).with_columns(part=number, waiting=pl.lit(part.waiting))
        orders.append(found.collect().join(lost, on=list(VERSION_SCHEMA), how="anti"))
        lines.append(pl.scan_parquet(part.lines).filter(inside).with_columns(part=number).collect())
    return pl.concat(orders), pl.concat(lines)


def _count_changes(
    group: DayGroup, outcome: GroupOutcome, taken: pl.DataFrame, fresh: pl.DataFrame, standing: pl.DataFrame
) -> None:
    """Sort the waiting versions that were taken into inserted, updated and unchanged ones."""
    rebuilt = pl.col("dt").is_in(list(group.rebuilt))
    known = taken.filter(rebuilt).join(group.known, on="order_id", how="semi").height
    moved = taken.filter(~rebuilt).join(group.leaving, left_on=["dt", "order_id"], right_on=["to", "order_id"], how="semi")
    replaced = taken.filter(pl.col("stands_since").is_not_null()).select("dt", "order_id")
    key = list(FACT_ORDER.key)
    before = standing.join(replaced, on=["dt", "order_id"], how="semi").select(_BARE)
    after = fresh.join(replaced, on=["dt", "order_id"], how="semi").select(_BARE)
    both = after.join(before, on=key, how="full", suffix="_before")
    differs = pl.any_horizontal(
        pl.col(c).ne_missing(pl.col(f"{c}_before")) for c in _BARE
    )
    changed = both.filter(differs).select(pl.coalesce("order_id", "order_id_before")).to_series().n_unique()
    outcome.lines_removed = both.filter(pl.col("order_id").is_null()).height
    outcome.moved = moved.height
    outcome.same = replaced.height - changed
    outcome.updated = known + moved.height + changed
    outcome.inserted = taken.height - known - moved.height - replaced.height


def _put_partition(group: DayGroup, outcome: GroupOutcome, day: date, rows: pl.DataFrame | None) -> None:
    """Stage a day's partition unless it stands already as it must be."""
    file = partition_file(day)
    if rows is None or rows.is_empty():
        if day in group.sound:
            outcome.removed.append(file)
        return
    data = to_csv(enrich(rows, group.users, group.products))
    entry = FileEntry(
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        mtime_ns=0,
        rows=rows.height,
        orders=rows["order_id"].n_unique(),
        sums=revenue_by_currency(rows),
    )
    outcome.files[file] = put_file(group.commit, file, data, entry, outcome)


def put_file(commit: Commit, file: str, data: bytes, entry: FileEntry, outcome: GroupOutcome) -> FileEntry:
    """Stage a curated file unless it stands already as it must be; its entry with the time of the file."""
    path = commit.lake.curated / file
    if not file_problem(path, entry, verify=True):
        outcome.unchanged.append(file)
        return msgspec.structs.replace(entry, mtime_ns=path.stat().st_mtime_ns)
    outcome.written.append(file)
    return msgspec.structs.replace(entry, mtime_ns=commit.stage(file, data).mtime_ns)
