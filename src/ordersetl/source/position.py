"""Where the fetch of a described source is: kept with each page, so that another command can go on."""

from datetime import datetime

import msgspec

from ordersetl.source.slices import Slice

__all__ = ["Position"]


class Position(msgspec.Struct):
    """After a page: what is left, the current slice first; of that slice how far it is and what its pages showed.

    ``began`` is how many pages of the batch came before the slice, or before it began again. ``is_short`` says that its
    newest page has fewer orders than those before. ``cursor`` is the cursor or the URL of the next page.
    ``named_total`` and ``named_pages`` are the least total and the least number of pages that its pages name, from the
    first on, where the description names none.
    ``pass_digest`` is of the versions that an earlier pass over the slice showed.
    """

    slices: list[Slice] = []
    is_planned: bool = False
    pages: int = 0
    began: int = 0
    cursor: str | None = None
    received: int = 0
    empty: int = 0
    is_short: bool = False
    page_records: int | None = None
    first_total: int | None = None
    total: int | None = None
    named_total: int | None = None
    named_pages: int | None = None
    pass_digest: str = ""
    at: datetime | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left."""
        return self.is_planned and not self.slices

    @property
    def number(self) -> int:
        """How many pages the current slice has so far."""
        return self.pages - self.began
