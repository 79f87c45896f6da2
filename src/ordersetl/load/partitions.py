"""The fold of one day's partition, its orders and their refunds, in groups of neighbouring days.

A day is folded in one of two ways:

* *merged*: its partition as it is, and the pending versions of that day merged into it;
* *rebuilt*: from the staged parts of all batches, the partition being new, damaged or gone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date

import msgspec
import polars as pl

from ordersetl.lake.commit import Commit
from ordersetl.lake.layout import partition_file, refund_file
from ordersetl.lake.manifest import FileEntry, IndexEntry
from ordersetl.lake.members import look_up_members
from ordersetl.load.changes import add_changes, compare_with_curated
from ordersetl.load.files import OWN_COLUMNS, put_file
from ordersetl.load.plan import Part
from ordersetl.load.rows import read_curated, read_staged
from ordersetl.load.shared import SharedFrames
from ordersetl.load.versions import RESOLVED, ResolvedVersions, is_older_than
from ordersetl.results import OrderChanges
from ordersetl.star.dimensions import DIMENSIONS, Dimension
from ordersetl.star.frames import enrich, format_times, sum_by_currency
from ordersetl.star.schema import FACT_ORDER, FACT_REFUND, Table

__all__ = ["DayGroup", "GroupOutcome", "fold_group", "group_days"]


class DayGroup(msgspec.Struct, frozen=True):
    """Neighbouring days that are folded together, and all that it takes.

    ``rebuilt`` are those of the days that are made from all parts; ``partitions`` and ``refunds`` are the files of
    fact_order and fact_refund to merge the others with. A rebuilt day has none. ``parts`` say what they have of these
    days alone. ``shared`` holds the frames of ResolvedVersions by name, and ``users`` and ``products`` whole, except
    where they are looked up in ``members``.
    """

    commit: Commit
    days: tuple[date, ...]
    rebuilt: frozenset[date]
    partitions: Mapping[date, FileEntry]
    refunds: Mapping[date, FileEntry]
    parts: tuple[Part, ...]
    shared: SharedFrames
    members: Mapping[str, tuple[IndexEntry, ...]]


class GroupOutcome(msgspec.Struct):
    """What became of a group's partitions, and of the pending versions in them."""

    files: dict[str, FileEntry] = msgspec.field(default_factory=dict)
    written: list[str] = msgspec.field(default_factory=list)
    removed: list[str] = msgspec.field(default_factory=list)
    changes: OrderChanges = msgspec.field(default_factory=OrderChanges)

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

    All workers have as many where the days suffice, so that none is left to fold the last of them alone. Both the
    versions that come in and the curated orders count.
    """
    counts: dict[date, int] = {day: partitions[day].orders if day in partitions else 0 for day in days}
    for part in parts:
        for day in counts.keys() & part.days.keys():
            counts[day] += part.days[day]
    total = sum(counts.values())
    rounds = max(1, -(-total // (orders * workers)))
    share = total / (rounds * workers)
    run: list[date] = []
    size = before = 0
    end = share
    for day in sorted(counts):
        if run and (size + counts[day] > orders or before + counts[day] / 2 > end):
            yield tuple(run)
            run, size, end = [], 0, max(end, before) + share
        run.append(day)
        size += counts[day]
        before += counts[day]
    if run:
        yield tuple(run)


def fold_group(group: DayGroup) -> GroupOutcome:
    """Fold the group's days, and stage the files whose bytes change.

    Raises:
        CorruptedFileError: a file to merge with is not what the manifest says.
        BrokenSegmentError: nor are the members of a dimension.
    """
    outcome = GroupOutcome()
    resolved = ResolvedVersions(**{name: group.shared[name] for name in RESOLVED})
    moved_out = resolved.moved_out
    curated = read_curated(group.commit.lake, group.partitions, group.refunds)
    staged = read_staged(group.parts, group.days, group.rebuilt, resolved.superseded)
    taken = _take_newer(staged.orders, curated.orders)
    fresh = staged.take(taken)
    changes = compare_with_curated(taken.filter("pending"), fresh, curated, resolved)
    outcome.changes = add_changes(changes, OrderChanges(superseded=staged.orders.height - taken.height))
    orders = _merge(curated.orders, fresh.orders, taken, moved_out, ["dt", *OWN_COLUMNS])
    orders = orders.sort("dt", *FACT_ORDER.key) if orders.height > fresh.orders.height else orders
    refunds = _merge(curated.refunds, fresh.refunds, taken, moved_out, ["dt", *FACT_REFUND.names])
    users, products = (_take_members(group, dimension, orders[dimension.key]) for dimension in DIMENSIONS)
    _put_days(group, outcome, FACT_ORDER, enrich(orders, users, products))
    _put_days(group, outcome, FACT_REFUND, refunds.sort("dt", *FACT_REFUND.key))
    return outcome


def _take_members(group: DayGroup, dimension: Dimension, keys: pl.Series) -> pl.DataFrame:
    """The rows of a dimension that the keys need: all of them, or those alone."""
    if dimension.kind not in group.members:
        return group.shared[dimension.kind]
    return look_up_members(group.commit.lake, group.members[dimension.kind], dimension, keys)


def _take_newer(versions: pl.DataFrame, curated: pl.DataFrame) -> pl.DataFrame:
    """Versions that are not older than the curated rows of their order; ``curated_at`` is their time, null for none."""
    if curated.is_empty():  # a first load: saves a join over all orders
        return versions.with_columns(curated_at=pl.lit(None, pl.Datetime("us")))
    times = curated.select("dt", "order_id", curated_at="updated_at_order").unique()
    return versions.join(times, on=["dt", "order_id"], how="left").filter(~is_older_than("curated_at"))


def _merge(
    curated: pl.DataFrame, fresh: pl.DataFrame, taken: pl.DataFrame, moved_out: pl.DataFrame, columns: list[str]
) -> pl.DataFrame:
    """The curated rows but those of orders that are replaced or move out, and the fresh ones."""
    if curated.is_empty():
        return fresh.select(columns)
    kept = curated.join(taken, on=["dt", "order_id"], how="anti").join(moved_out, on=["dt", "order_id"], how="anti")
    return pl.concat([kept.select(columns), fresh.select(columns)])


def _put_days(group: DayGroup, outcome: GroupOutcome, table: Table, rows: pl.DataFrame) -> None:
    """Stage each day's file unless it is already as it must be; a day without rows has none.

    ``rows`` are the table's with ``dt``, sorted by it and the key.
    """
    name_file, amount, before = (
        (partition_file, "net_amount", group.partitions)
        if table is FACT_ORDER
        else (refund_file, "refund_amount", group.refunds)
    )
    sums = sum_by_currency(rows, amount)
    counts = rows.group_by("dt", maintain_order=True).agg(pl.len(), pl.col("order_id").n_unique())
    rows = format_times(rows)
    begin = 0
    for day, height, orders in counts.iter_rows():
        file = name_file(day)
        of_day = rows.slice(begin, height).select(table.names)
        outcome.files[file], is_new = put_file(group.commit, file, of_day, orders=orders, sums=sums[day])
        if is_new:
            outcome.written.append(file)
        begin += height
    outcome.removed.extend(name_file(day) for day in before if day not in sums)
