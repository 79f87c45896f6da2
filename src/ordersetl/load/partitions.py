"""The fold of one day's partition, in groups of neighbouring days.

A day is folded in one of two ways:

* *merged*: its partition as it stands, and the pending versions of that day laid over it;
* *rebuilt*: from the staged parts of all batches, the partition being new, damaged or gone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from ordersetl.errors import InternalError
from ordersetl.lake.commit import Commit
from ordersetl.lake.layout import partition_file
from ordersetl.lake.manifest import FileEntry
from ordersetl.load.files import put_file, read_partition
from ordersetl.load.plan import Part
from ordersetl.load.versions import VERSION_SCHEMA, ResolvedVersions
from ordersetl.star.frames import LINE_SCHEMA, ORDER_SCHEMA, enrich, format_times, revenue_by_currency
from ordersetl.star.schema import FACT_ORDER

__all__ = ["DayGroup", "GroupOutcome", "fold_group", "group_days"]

_FOUND_SCHEMA: dict[str, pl.DataType] = {
    **ORDER_SCHEMA,
    "part": pl.UInt32(),
    "pending": pl.Boolean(),
    "first_line": pl.Int64(),
    "line_count": pl.UInt32(),
}
_LINES_SCHEMA = {name: kind for name, kind in LINE_SCHEMA.items() if name not in {"pos", "dt"}}
_BARE = [c for c in FACT_ORDER.names if c not in {"user_country", "product_name", "product_category", "list_price"}]


@dataclass(frozen=True)
class DayGroup:
    """Neighbouring days that are folded together, and all that it takes.

    ``rebuilt`` are those of the days that are made from all parts; ``sound`` are the partitions to merge the others
    with. A rebuilt day has none.
    """

    commit: Commit
    days: tuple[date, ...]
    rebuilt: frozenset[date]
    sound: Mapping[date, FileEntry]
    parts: tuple[Part, ...]
    resolved: ResolvedVersions
    users: pl.DataFrame
    products: pl.DataFrame


@dataclass
class GroupOutcome:
    """What became of a group's partitions, and of the pending versions in them."""

    files: dict[str, FileEntry] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
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
        for name in ("written", "removed"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("inserted", "updated", "same", "moved", "refused", "lines_removed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def group_days(
    days: Collection[date], parts: Sequence[Part], partitions: Mapping[date, FileEntry], *, orders: int, workers: int
) -> Iterator[tuple[date, ...]]:
    """Split days into runs of neighbours of about equal size, with at most so many orders each or a single day.

    There is a run for every worker where the days suffice. Orders are versions and what stands there.
    """
    counts: dict[date, int] = {day: partitions[day].orders if day in partitions else 0 for day in days}
    for part in parts:
        for day in counts.keys() & part.days.keys():
            counts[day] += part.days[day]
    total = sum(counts.values())
    share = total / max(workers, -(-total // orders))
    run: list[date] = []
    size = 0
    for day in sorted(counts):
        if run and (size + counts[day] > orders or size + counts[day] / 2 > share):
            yield tuple(run)
            run, size = [], 0
        run.append(day)
        size += counts[day]
    if run:
        yield tuple(run)


def fold_group(group: DayGroup) -> GroupOutcome:
    """Fold the group's days, and stage the partitions whose bytes change.

    Raises:
        CorruptedFileError: a partition to merge with is not what the manifest says.
    """
    outcome = GroupOutcome()
    current = _read_current_rows(group)
    versions, lines = _read_versions(group)
    taken = _take_newer(versions, current)
    outcome.refused = versions.height - taken.height
    # lines come sorted by SKU within their order: sorting the orders sorts all
    spread = taken.sort("dt", "order_id").with_columns(row=_rows_of_lines()).explode("row")
    fresh = pl.concat([spread, lines[spread["row"]]], how="horizontal").select("dt", *_BARE)
    stays = current.join(taken, on=["dt", "order_id"], how="anti")
    stays = stays.join(group.resolved.leaving, on=["dt", "order_id"], how="anti").select("dt", *_BARE)
    _count_changes(group.resolved, outcome, taken.filter("pending"), fresh, current)
    rows = pl.concat([stays, fresh]).sort("dt", *FACT_ORDER.key) if stays.height else fresh
    _put_partitions(group, outcome, enrich(rows, group.users, group.products))
    return outcome


def _take_newer(versions: pl.DataFrame, current: pl.DataFrame) -> pl.DataFrame:
    """Versions that are not older than what stands of their order, and since when that stands (null: it does not)."""
    if current.is_empty():  # a first load: spares a join over all orders
        return versions.with_columns(stands_since=pl.lit(None, pl.Datetime("us")))
    held = current.select("dt", "order_id", stands_since="updated_at_order").unique()
    met = versions.join(held, on=["dt", "order_id"], how="left")
    return met.filter(~(pl.col("stands_since") > pl.col("updated_at_order")).fill_null(value=False))


def _read_current_rows(group: DayGroup) -> pl.DataFrame:
    """Rows, with ``dt``, of the group's partitions that are merged with."""
    tables = [pl.DataFrame(schema={"dt": pl.Date, **FACT_ORDER.schema})]
    for day, entry in group.sound.items():
        rows = read_partition(group.commit.lake, day, entry)
        tables.append(rows.select(pl.lit(day).alias("dt"), *FACT_ORDER.names))
    return pl.concat(tables)


def _read_versions(group: DayGroup) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Versions of the group's days that may count, and their lines: of pending parts, and of all for rebuilt days.

    A version's lines are ``line_count`` rows from ``first_line`` on; they carry no key of their own.
    """
    orders = [pl.DataFrame(schema=_FOUND_SCHEMA)]
    lines = [pl.DataFrame(schema=_LINES_SCHEMA)]
    begin = 0
    for part in group.parts:
        days = [day for day in group.days if day in part.days and (part.pending or day in group.rebuilt)]
        if not days:
            continue
        # the range lets Parquet skip row groups, whose days are sorted; membership alone would not
        inside = pl.col("dt").is_between(days[0], days[-1]) & pl.col("dt").is_in(days)
        lost = group.resolved.lost.filter(pl.col("part") == part.number)
        found = pl.scan_parquet(part.orders, glob=False).filter(inside).collect()
        held = pl.scan_parquet(part.lines, glob=False).filter(inside).select("pos", *_LINES_SCHEMA).collect()
        runs = held["pos"].rle().struct.unnest()  # both files are sorted by (dt, pos)
        if not runs["value"].equals(found["pos"]):
            raise InternalError(
                f"{part.lines} does not hold the lines of {part.orders}, order by order",
                hint="This is a bug in ordersetl. Nothing was committed; delete staged/ and run it again.",
            )
        placed = found.with_columns(
            part=pl.lit(part.number, pl.UInt32),
            pending=pl.lit(part.pending),
            first_line=begin + runs["len"].cast(pl.Int64).cum_sum() - runs["len"],
            line_count=runs["len"],
        )
        orders.append(placed.join(lost, on=list(VERSION_SCHEMA), how="anti"))
        lines.append(held.drop("pos"))
        begin += held.height
    return pl.concat(orders), pl.concat(lines)


def _rows_of_lines() -> pl.Expr:
    return pl.int_ranges("first_line", pl.col("first_line") + pl.col("line_count"))


def _count_changes(
    resolved: ResolvedVersions, outcome: GroupOutcome, taken: pl.DataFrame, fresh: pl.DataFrame, current: pl.DataFrame
) -> None:
    """Sort the pending versions that were taken into inserted, updated and unchanged ones.

    What a rebuilt day held can no longer be read: there a version is unchanged only if it is the one that stood.
    """
    if current.is_empty() and resolved.leaving.is_empty() and resolved.known.is_empty():
        outcome.inserted = taken.height
        return
    place, key = ["dt", "order_id"], list(FACT_ORDER.key)
    replaced = taken.filter(pl.col("stands_since").is_not_null()).select(place)
    before = current.join(replaced, on=place, how="semi").select(_BARE)
    after = fresh.join(replaced, on=place, how="semi").select(_BARE)
    both = after.join(before, on=key, how="full", suffix="_before")
    differs = pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_before")) for c in _BARE)
    changed = both.filter(differs).select(pl.coalesce("order_id", "order_id_before")).to_series().n_unique()
    left = resolved.leaving.join(taken.select(place), left_on=["to", "order_id"], right_on=place, how="semi")
    moved = left["order_id"].n_unique()
    known = taken.join(resolved.known, on="order_id", suffix="_stood")
    again = known.filter((pl.col("part") == pl.col("part_stood")) & (pl.col("pos") == pl.col("pos_stood"))).height
    outcome.lines_removed = (
        both.filter(pl.col("order_id").is_null()).height + left.join(fresh, on=key, how="anti").height
    )
    outcome.moved = moved + known.filter(pl.col("dt") != pl.col("was")).height
    outcome.same = replaced.height - changed + again
    outcome.updated = moved + changed + known.height - again
    outcome.inserted = taken.height - replaced.height - moved - known.height


def _put_partitions(group: DayGroup, outcome: GroupOutcome, rows: pl.DataFrame) -> None:
    """Stage each day's partition unless it stands already as it must be; a day without rows has none.

    ``rows`` are FACT_ORDER with ``dt``, sorted by it and the key.
    """
    revenue = revenue_by_currency(rows)
    counts = rows.group_by("dt", maintain_order=True).agg(pl.len(), pl.col("order_id").n_unique())
    rows = format_times(rows)
    begin = 0
    for day, height, orders in counts.iter_rows():
        file = partition_file(day)
        table = rows.slice(begin, height).select(FACT_ORDER.names)
        outcome.files[file], is_new = put_file(group.commit, file, table, orders=orders, sums=revenue[day])
        if is_new:
            outcome.written.append(file)
        begin += height
    outcome.removed.extend(partition_file(day) for day in group.sound if day not in revenue)
