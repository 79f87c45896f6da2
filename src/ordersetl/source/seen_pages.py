"""What the pages of a search have shown so far, by which one that comes again is known."""

from datetime import datetime

from ordersetl.source.complete import HINT
from ordersetl.source.description.model import Paging
from ordersetl.source.page import Page
from ordersetl.source.times import find_newest
from ordersetl.source.trail import RepeatedError, refuse_cursor
from ordersetl.source.versions import SeenVersions

__all__ = ["SeenPages"]


class SeenPages:
    """Pages of one search.

    Args:
        paging: of the source.
        began_at: when the extraction began.
        cursor: of the next page, where an earlier command was given it.

    Attributes:
        versions: Of the orders, where pages may shift.
        newest: Time of each page's newest order, where the API ends before all came.
        last_records: How many the newest page holds.
    """

    def __init__(self, paging: Paging, began_at: datetime, cursor: str | None) -> None:
        self._has_ceiling = paging.max_objects is not None or paging.max_pages is not None
        self._began_at = began_at
        self._cursors = {cursor}
        self._contents: dict[tuple[int, int], int] = {}
        self.versions = SeenVersions(kept=paging.kind in {"page", "offset"})
        self.newest: list[datetime] = []
        self.last_records = 0

    def add(self, page: Page) -> None:
        """Take in the next page."""
        head = page.head
        self.versions.add(page)
        self.last_records = head.records
        self._contents[head.records, head.content] = page.number
        if self._has_ceiling and (newest := find_newest(page, self._began_at)) is not None:
            self.newest.append(newest)

    def add_cursor(self, cursor: str | None) -> None:
        """Take in the cursor of the next page, which is None where there is none.

        Raises:
            RepeatedError: it was there before.
        """
        if cursor is not None and cursor in self._cursors:
            raise refuse_cursor(cursor)
        self._cursors.add(cursor)

    def require_new(self, page: Page) -> None:
        """Refuse a page whose records were there before.

        Raises:
            RepeatedError: they were.
        """
        head = page.head
        earlier = self._contents.get((head.records, head.content)) if head.records else None
        if earlier is not None:
            raise RepeatedError(f"page {page.number:,} holds the same records as page {earlier:,}", hint=HINT)
