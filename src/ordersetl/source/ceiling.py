"""Where an API ends, however much there is: at so many orders of a search, or at so many of its pages."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median_low

from ordersetl.source.description.model import Paging
from ordersetl.source.position import Position

__all__ = ["choose_cut", "is_too_long", "reached_ceiling"]


def is_too_long(paging: Paging, at: Position, records: int) -> bool:
    """Whether the API may end before the search does, as its first page of so many records shows."""
    total = at.total or 0
    most_paged = paging.max_pages * records if paging.max_pages and records else total
    return total > most_paged or _is_most(paging, total)


def reached_ceiling(paging: Paging, at: Position, *, is_last: bool) -> bool:
    """Whether the API may end here: where it says that all came, a total must show it."""
    if is_last and at.total is not None:
        return _is_most(paging, at.total)
    following = at.received + (0 if is_last else at.page_records or 0) + is_last
    too_many = paging.max_objects is not None and following > paging.max_objects
    return too_many or (paging.max_pages is not None and at.number >= paging.max_pages)


def choose_cut(newest: Sequence[datetime]) -> datetime | None:
    """Where to cut a search that the API ended, so that few of its orders come again; None where nothing shows it.

    Args:
        newest: time of each page's newest order. Where they rise, all that is older than the last but one has come, and
            fits with a page to spare.
    """
    if not newest:
        return None
    return newest[-2:][0] if list(newest) == sorted(newest) else median_low(newest)


def _is_most(paging: Paging, total: int) -> bool:
    """Whether a total is the most that the API names: then it may stand for more."""
    return paging.max_objects is not None and total >= paging.max_objects
