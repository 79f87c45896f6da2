"""What became of the pending versions: each must have become something."""

import dataclasses
from collections.abc import Sequence

import polars as pl

from ordersetl.errors import InternalError
from ordersetl.load.files import OWN_COLUMNS
from ordersetl.load.plan import Part
from ordersetl.load.rows import FactRows
from ordersetl.load.versions import VERSION_SCHEMA, Incoming, ResolvedVersions
from ordersetl.results import OrderChanges
from ordersetl.star.schema import FACT_ORDER, FACT_REFUND, Table

__all__ = ["add_changes", "compare_with_curated", "sum_changes"]

_PARTITIONED = ["dt", "order_id"]


def add_changes(one: OrderChanges, other: OrderChanges) -> OrderChanges:
    """Both together, count by count."""
    names = [field.name for field in dataclasses.fields(OrderChanges)]
    return OrderChanges(**{name: getattr(one, name) + getattr(other, name) for name in names})


def compare_with_curated(
    taken: pl.DataFrame, fresh: FactRows, curated: FactRows, resolved: ResolvedVersions
) -> OrderChanges:
    """Which of the pending versions that some days take are inserted, updated and unchanged.

    The rows of a rebuilt day can no longer be read: there a version is unchanged only if it is the one that was there.

    Args:
        taken: the versions, with the time of the curated ones that they replace, ``curated_at``.
        fresh: the rows of all versions that the days take.
        curated: the curated rows of the days.
        resolved: the rows that move out of other days, and the versions known to have been in rebuilt ones.
    """
    if curated.orders.is_empty() and resolved.moved_out.is_empty() and resolved.known.is_empty():
        return OrderChanges(inserted=taken.height)
    replaced = taken.filter(pl.col("curated_at").is_not_null()).select(_PARTITIONED)
    changed, rows_dropped = _compare_rows(fresh, curated, replaced)
    moved_in = resolved.moved_out.join(
        taken.select(_PARTITIONED), left_on=["to", "order_id"], right_on=_PARTITIONED, how="semi"
    )
    moved = moved_in["order_id"].n_unique()
    known = taken.join(resolved.known, on="order_id", suffix="_known")
    again = known.filter((pl.col("part") == pl.col("part_known")) & (pl.col("pos") == pl.col("pos_known"))).height
    return OrderChanges(
        inserted=taken.height - replaced.height - moved - known.height,
        updated=moved + changed + known.height - again,
        unchanged=replaced.height - changed + again,
        moved=moved + known.filter(pl.col("dt") != pl.col("was")).height,
        lines_removed=rows_dropped + moved_in.join(fresh.orders, on=list(FACT_ORDER.key), how="anti").height,
    )


def _compare_rows(fresh: FactRows, curated: FactRows, replaced: pl.DataFrame) -> tuple[int, int]:
    """How many of the replaced orders differ from their curated rows, and how many rows of fact_order they drop."""
    changed, dropped = _find_changed(fresh.orders, curated.orders, replaced, FACT_ORDER, OWN_COLUMNS)
    if curated.refunds.height or fresh.refunds.height:
        refunds, _ = _find_changed(fresh.refunds, curated.refunds, replaced, FACT_REFUND, FACT_REFUND.names)
        changed = pl.concat([changed, refunds])
    return changed.n_unique(), dropped


def _find_changed(
    fresh: pl.DataFrame, curated: pl.DataFrame, replaced: pl.DataFrame, table: Table, columns: list[str]
) -> tuple[pl.Series, int]:
    """Ids of the replaced orders whose rows differ, and how many curated rows have no successor."""
    before, after = (rows.join(replaced, on=_PARTITIONED, how="semi").select(columns) for rows in (curated, fresh))
    both = after.join(before, on=list(table.key), how="full", suffix="_before", nulls_equal=True)
    differs = pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_before")) for c in columns)
    changed = both.filter(differs).select(pl.coalesce("order_id", "order_id_before")).to_series()
    return changed, both["order_id"].null_count()


def sum_changes(
    incoming: Incoming, parts: Sequence[Part], resolved: ResolvedVersions, of_days: OrderChanges
) -> OrderChanges:
    """What became of all pending versions.

    Args:
        incoming: the pending versions.
        parts: the staged parts.
        resolved: which versions do not count, and which rows leave.
        of_days: what became of those that reached the fold of their day.

    Raises:
        InternalError: row counts do not reconcile.
    """
    pending = [part.number for part in parts if part.pending]
    superseded = resolved.superseded.filter(pl.col("part").is_in(pending)).height
    rows_left = resolved.moved_out.filter(pl.col("to").is_null())
    gone = incoming.gone.join(resolved.superseded, on=list(VERSION_SCHEMA), how="anti")
    was_there = pl.concat([rows_left.select("order_id"), resolved.known.select("order_id")])
    removed = gone.join(was_there, on="order_id", how="semi").height
    of_gone = OrderChanges(
        versions=incoming.versions,
        superseded=superseded,
        removed=removed,
        absent=gone.height - removed,
        lines_removed=rows_left.height,
    )
    changes = add_changes(of_days, of_gone)
    became = changes.inserted + changes.updated + changes.unchanged + changes.superseded + gone.height
    if became != incoming.versions:
        raise InternalError(
            f"the row counts of the load do not reconcile: {incoming.versions} order versions came in, {became} are "
            f"accounted for: {changes}",
            hint="This is a bug in ordersetl. Nothing was committed; please report it.",
        )
    return changes
