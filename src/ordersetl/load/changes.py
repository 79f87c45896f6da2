"""What became of the pending versions: each must have become something."""

from collections.abc import Sequence

import polars as pl

from ordersetl.errors import InternalError
from ordersetl.load.partitions import GroupOutcome
from ordersetl.load.plan import Part
from ordersetl.load.versions import VERSION_SCHEMA, Incoming, ResolvedVersions
from ordersetl.results import OrderChanges

__all__ = ["count_changes"]


def count_changes(
    incoming: Incoming, parts: Sequence[Part], resolved: ResolvedVersions, total: GroupOutcome
) -> OrderChanges:
    """What became of the pending versions; each must have become something.

    Raises:
        InternalError: row counts do not reconcile.
    """
    pending = [part.number for part in parts if part.pending]
    left = resolved.leaving.filter(pl.col("to").is_null())
    gone = incoming.gone.join(resolved.lost, on=list(VERSION_SCHEMA), how="anti")
    removed = gone.join(
        pl.concat([left.select("order_id"), resolved.known.select("order_id")]), on="order_id", how="semi"
    )
    changes = OrderChanges(
        versions=incoming.versions,
        inserted=total.inserted,
        updated=total.updated,
        unchanged=total.same,
        superseded=total.refused + resolved.lost.filter(pl.col("part").is_in(pending)).height,
        removed=removed.height,
        absent=gone.height - removed.height,
        moved=total.moved,
        lines_removed=total.lines_removed + left.height,
    )
    became = changes.inserted + changes.updated + changes.unchanged + changes.superseded + gone.height
    if became != incoming.versions:
        raise InternalError(
            f"the row counts of the load do not reconcile: {incoming.versions} order versions came in, {became} are "
            f"accounted for: {changes}",
            hint="This is a bug in ordersetl. Nothing was committed; please report it.",
        )
    return changes
