"""The fold of one day's partition, in groups of neighbouring days.

A day is folded in one of two ways:

* *merged*: its partition as it is, and the pending versions of that day merged into it;
* *rebuilt*: from the staged parts of all batches, the partition being new, damaged or gone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from ordersetl.errors import InternalError
from ordersetl.lake.commit import Commit
from ordersetl.lake.layout import partition_file
from ordersetl.lake.manifest import FileEntry
from ordersetl.load.changes import add_changes, compare_with_curated
from ordersetl.load.files import OWN_COLUMNS, put_file, read_partition
from ordersetl.load.plan import Part
from ordersetl.load.versions import ResolvedVersions, is_older_than
from ordersetl.results import OrderChanges
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


@dataclass(frozen=True)
class DayGroup:
    """Neighbouring days that are folded together, and all that it takes.

    ``rebuilt`` are those of the days that are made from all parts; ``valid`` are the partitions to merge the others
    with. A rebuilt day has none.
    """

    commit: Commit
    days: tuple[date, ...]
    rebuilt: frozenset[date]
    valid: Mapping[date, FileEntry]
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
    changes: OrderChanges = field(default_factory=OrderChanges)

    def add(self, other: "GroupOutcome") -> None:
        """Add what became of another group."""
        self.files |= other.files
        self.written += other.written
        self.removed += other.removed
        self.changes = add_changes(self.changes, other.changes)


def group_days(
    days: Collection[date], parts: Sequence[Part], partitions: Mapping[date, FileEntry], *, orders: int, workers: int
) -> Iterator[tuple[date, ...]]:
    """Split days into runs of neighbours of about equal size, with at most so many orders each or a single day.

    There is a run for every worker where the days suffice. Both the versions that come in and the curated orders count.
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
    # lines come sorted by SKU within their order: sorting the orders sorts all
    spread = taken.sort("dt", "order_id").with_columns(row=_rows_of_lines()).explode("row")
    fresh = pl.concat([spread, lines[spread["row"]]], how="horizontal").select("dt", *OWN_COLUMNS)
    kept = current.join(taken, on=["dt", "order_id"], how="anti")
    kept = kept.join(group.resolved.moved_out, on=["dt", "order_id"], how="anti").select("dt", *OWN_COLUMNS)
    changes = compare_with_curated(taken.filter("pending"), fresh, current, group.resolved)
    outcome.changes = add_changes(changes, OrderChanges(superseded=versions.height - taken.height))
    rows = pl.concat([kept, fresh]).sort("dt", *FACT_ORDER.key) if kept.height else fresh
    _put_partitions(group, outcome, enrich(rows, group.users, group.products))
    return outcome


def _take_newer(versions: pl.DataFrame, current: pl.DataFrame) -> pl.DataFrame:
    """Versions that are not older than the curated rows of their order; ``curated_at`` is their time, null for none."""
    if current.is_empty():  # a first load: saves a join over all orders
        return versions.with_columns(curated_at=pl.lit(None, pl.Datetime("us")))
    curated = current.select("dt", "order_id", curated_at="updated_at_order").unique()
    return versions.join(curated, on=["dt", "order_id"], how="left").filter(~is_older_than("curated_at"))


def _read_current_rows(group: DayGroup) -> pl.DataFrame:
    """Rows, with ``dt``, of the group's partitions that are merged with."""
    tables = [pl.DataFrame(schema={"dt": pl.Date, **FACT_ORDER.schema})]
    for day, entry in group.valid.items():
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
    superseded = group.resolved.superseded
    for part in group.parts:
        days = [day for day in group.days if day in part.days and (part.pending or day in group.rebuilt)]
        if not days:
            continue
        found = _read_days(part.orders, part.days, days, skip=part.gone)
        found_lines = _read_days(part.lines, part.line_days, days)
        runs = found_lines["pos"].rle().struct.unnest()  # both files are sorted by (dt, pos)
        if not runs["value"].equals(found["pos"]):
            raise InternalError(
                f"{part.lines} does not hold the lines of {part.orders}, order by order",
                hint="This is a bug in ordersetl. Nothing was committed; delete staged/ and run it again.",
            )
        positioned = found.with_columns(
            part=pl.lit(part.number, pl.UInt32),
            pending=pl.lit(part.pending),
            first_line=begin + runs["len"].cast(pl.Int64).cum_sum() - runs["len"],
            line_count=runs["len"],
        )
        dropped = superseded.filter(pl.col("part") == part.number)["pos"]
        orders.append(positioned.filter(~pl.col("pos").is_in(dropped.implode())))
        lines.append(found_lines.select(*_LINES_SCHEMA))
        begin += found_lines.height
    return pl.concat(orders), pl.concat(lines)


def _read_days(path: Path, counts: Mapping[date, int], days: Sequence[date], *, skip: int = 0) -> pl.DataFrame:
    """Rows of a staged file, which is sorted by day, for these days.

    Args:
        path: the file.
        counts: how many rows each day has in it.
        days: some of those days, sorted.
        skip: rows before those of the first day.
    """
    first = skip + sum(rows for day, rows in counts.items() if day < days[0])
    within = {day: rows for day, rows in counts.items() if days[0] <= day <= days[-1]}
    rows = pl.scan_parquet(path, glob=False).slice(first, sum(within.values())).collect()
    return rows if len(within) == len(days) else rows.filter(pl.col("dt").is_in(days))


def _rows_of_lines() -> pl.Expr:
    return pl.int_ranges("first_line", pl.col("first_line") + pl.col("line_count"))


def _put_partitions(group: DayGroup, outcome: GroupOutcome, rows: pl.DataFrame) -> None:
    """Stage each day's partition unless it is already as it must be; a day without rows has none.

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
    outcome.removed.extend(partition_file(day) for day in group.valid if day not in revenue)
