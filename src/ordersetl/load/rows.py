"""The rows that a group of days is folded from: the curated ones as they are, and those of staged versions."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import msgspec
import polars as pl

from ordersetl.errors import InternalError
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import FileEntry
from ordersetl.load.files import read_partition, read_refunds
from ordersetl.load.plan import Part
from ordersetl.star.frames import LINE_SCHEMA, ORDER_SCHEMA, REFUND_SCHEMA
from ordersetl.star.schema import FACT_ORDER, FACT_REFUND
from ordersetl.storage.columns import ColumnFile

__all__ = ["FactRows", "StagedVersions", "read_curated", "read_staged"]

_DAY: dict[str, pl.DataType] = {"dt": pl.Date()}
_MENTIONED = {"user_email", "user_country", "product_name"}
_ORDERS = {name: kind for name, kind in ORDER_SCHEMA.items() if name not in _MENTIONED}
_LINES = {name: kind for name, kind in LINE_SCHEMA.items() if name not in {"pos", "dt", *_MENTIONED}}
_PART: dict[str, pl.DataType] = {"part": pl.UInt32()}
_FOUND: dict[str, pl.DataType] = {
    **_ORDERS,
    **_PART,
    "pending": pl.Boolean(),
    "first_line": pl.Int64(),
    "line_count": pl.UInt32(),
}


class FactRows(msgspec.Struct, frozen=True):
    """Rows of fact_order and of fact_refund, each with the day of the order, ``dt``."""

    orders: pl.DataFrame
    refunds: pl.DataFrame


class StagedVersions(msgspec.Struct, frozen=True):
    """Order versions with their lines and refunds.

    ``orders``: ORDER_SCHEMA without what is mentioned, part, pending, first_line, line_count; the lines of a version
    are ``line_count`` rows from ``first_line`` on, sorted by SKU. ``refunds``: REFUND_SCHEMA, part.
    """

    orders: pl.DataFrame
    lines: pl.DataFrame
    refunds: pl.DataFrame

    def take(self, versions: pl.DataFrame) -> FactRows:
        """The facts of some of the versions, without what comes from the dimensions; orders sorted by day and key."""
        # lines come sorted by SKU within their order: sorting the orders sorts all
        lines = pl.int_ranges("first_line", pl.col("first_line") + pl.col("line_count"))
        repeated = versions.sort("dt", "order_id").with_columns(line=lines).explode("line")
        orders = pl.concat([repeated, self.lines[repeated["line"]]], how="horizontal")
        refunds = self.refunds.join(versions, on=["part", "pos"], how="semi") if self.refunds.height else self.refunds
        return FactRows(orders, refunds.select(*_DAY, *FACT_REFUND.names))


def read_curated(lake: Lake, partitions: Mapping[date, FileEntry], refunds: Mapping[date, FileEntry]) -> FactRows:
    """Rows of the files of some days.

    Raises:
        CorruptedFileError: a file is not what the manifest says.
    """
    orders = [pl.DataFrame(schema=_DAY | FACT_ORDER.schema)]
    orders += [_add_day(read_partition(lake, day, entry), day) for day, entry in partitions.items()]
    refunded = [pl.DataFrame(schema=_DAY | FACT_REFUND.schema)]
    refunded += [_add_day(read_refunds(lake, day, entry), day) for day, entry in refunds.items()]
    return FactRows(pl.concat(orders), pl.concat(refunded))


def read_staged(
    parts: Sequence[Part], days: Sequence[date], rebuilt: Collection[date], superseded: pl.DataFrame
) -> StagedVersions:
    """Versions of the days that may count: of pending parts, and of all parts for rebuilt days.

    Args:
        parts: the staged parts.
        days: neighbouring days, sorted.
        rebuilt: those of them that are made from all parts.
        superseded: versions that do not count (part, pos).
    """
    orders = [pl.DataFrame(schema=_FOUND)]
    lines = [pl.DataFrame(schema=_LINES)]
    refunds = [pl.DataFrame(schema=REFUND_SCHEMA | _PART)]
    begin = 0
    for part in parts:
        wanted = [day for day in days if day in part.days and (part.pending or day in rebuilt)]
        if not wanted:
            continue
        orders_before, lines_before, refunds_before = part.before
        found = _read_days(part.orders, part.days, wanted, [*_ORDERS], skip=part.gone + orders_before)
        of_lines = _read_days(part.lines, part.line_days, wanted, ["pos", "dt", *_LINES], skip=lines_before)
        runs = of_lines["pos"].rle().struct.unnest()  # both files are sorted by (dt, pos)
        if not runs["value"].equals(found["pos"]):
            raise InternalError(
                f"{part.lines} does not hold the lines of {part.orders}, order by order",
                hint="This is a bug in ordersetl. Nothing was committed; delete staged/ and run it again.",
            )
        numbered = found.with_columns(
            part=pl.lit(part.number, pl.UInt32),
            pending=pl.lit(part.pending),
            first_line=begin + runs["len"].cast(pl.Int64).cum_sum() - runs["len"],
            line_count=runs["len"],
        )
        dropped = superseded.filter(pl.col("part") == part.number)["pos"]
        orders.append(numbered.filter(~pl.col("pos").is_in(dropped.implode())))
        lines.append(of_lines.select(*_LINES))
        begin += of_lines.height
        if part.refunds is not None and (refunded := [day for day in wanted if day in part.refund_days]):
            of_refunds = _read_days(part.refunds, part.refund_days, refunded, [*REFUND_SCHEMA], skip=refunds_before)
            refunds.append(of_refunds.with_columns(part=pl.lit(part.number, pl.UInt32)))
    return StagedVersions(pl.concat(orders), pl.concat(lines), pl.concat(refunds))


def _add_day(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    return rows.select(pl.lit(day).alias("dt"), *rows.columns)


def _read_days(
    file: ColumnFile, counts: Mapping[date, int], days: Sequence[date], columns: Sequence[str], *, skip: int
) -> pl.DataFrame:
    """Rows of a staged file, which is sorted by day, for some of its days.

    Args:
        file: the file.
        counts: how many rows each day has in it.
        days: some of those days, sorted.
        columns: what to read, ``dt`` among it.
        skip: rows before those of the first day.
    """
    first = skip + sum(rows for day, rows in counts.items() if day < days[0])
    within = {day: rows for day, rows in counts.items() if days[0] <= day <= days[-1]}
    rows = file.scan().slice(first, sum(within.values())).select(columns).collect()
    return rows if len(within) == len(days) else rows.filter(pl.col("dt").is_in(days))
