"""Follows the pages of a described source, slice by slice.

The end of a slice is proven, and so is that nothing was passed over: a total that is not met or gets smaller, a page
shorter than those before it, an order that comes twice say that pages shifted while they were read. Then the slice
begins again, a few times.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ordersetl.errors import InvalidResponseError, SourceError
from ordersetl.source.description.model import Description
from ordersetl.source.page import Page
from ordersetl.source.position import Position
from ordersetl.source.proof import Progress, ShiftedError, find_total, prove_end
from ordersetl.source.slices import MAX_SLICES, halve_slice
from ordersetl.source.trail import RepeatedError
from ordersetl.source.versions import SeenVersions
from ordersetl.text import format_time, many

__all__ = ["Traversal"]

log = logging.getLogger(__name__)

_MAX_EMPTY_PAGES = 1000
_MAX_RESTARTS = 3
_LONGEST_QUOTE = 60
_HINT = "Nothing was committed: run the same command later. If it stays so, report it to the API's makers."


class Traversal:
    """Follows the pages of one batch of a described source.

    Args:
        description: of the source.
        position: where it is.
        began_at: when the extraction began.
        max_pages: most pages of a batch.
    """

    def __init__(self, description: Description, position: Position, *, began_at: datetime, max_pages: int) -> None:
        self._description = description
        self._paging = description.paging
        self.position = position
        self._began_at = began_at
        self._max_pages = max_pages
        self._kept = position.pages
        self._versions = SeenVersions(kept=False)
        self._forget()

    @property
    def pages(self) -> int:
        """How many pages there were."""
        return self.position.pages

    @property
    def must_look_back(self) -> bool:
        """Whether nothing but the page before the next one shows that pages did not shift: there is no total."""
        has_total = self._paging.total is not None or self._paging.total_header is not None
        return self._paging.kind in {"page", "offset"} and not has_total and self.position.number > 0

    def look_back(self, again: Page) -> None:
        """Compare the page before the next one, asked for again after that, with what it was.

        Raises:
            ShiftedError: it holds other orders now.
        """
        if self._versions.last_ids != SeenVersions.list_ids(again):
            raise ShiftedError(f"page {self.position.number:,} holds other orders than a moment ago", hint=_HINT)

    @property
    def offset(self) -> int:
        """Of the next page, in orders."""
        return self._paging.first + self.position.received

    @property
    def last_offset(self) -> int:
        """Of the newest page, in orders."""
        return self.offset - self._last_records

    def drop_expired(self, now: datetime) -> None:
        """Begin the slice again where its cursor, which an earlier command was given, has expired."""
        at, lasts = self.position, self._paging.cursor_lifetime
        if at.cursor is not None and lasts is not None and (at.at is None or now - at.at >= lasts):
            log.warning(
                "a cursor of this API lasts %s, and that of page %d is older: its window begins again", lasts, at.pages
            )
            self._begin()

    def replay(self, page: Page) -> None:
        """Take in a page that an earlier command kept; it counts where it is of the slice that goes on."""
        if page.number <= self.position.began:
            return
        self._versions.add(page)
        self._last_records = page.head.records
        self._contents[page.head.records, page.head.content] = page.number

    def admit(self, page: Page, headers: Mapping[str, str], next_cursor: str | None) -> bool:
        """Take in the next page; whether it is one to keep.

        Args:
            page: the page.
            headers: of the answer.
            next_cursor: cursor or URL of the next page, where the kind of paging has one.

        Raises:
            ShiftedError: pages shifted while they were read.
            RepeatedError: it names a cursor, or holds records, that were there before.
            InvalidResponseError: it does not say whether it is the last, or one of endless empty ones.
            SourceError: there are too many pages, or orders at one time.
        """
        at, records, claims = self.position, page.head.records, page.head.claims
        self._note_total(claims, headers)
        if at.number == 0 and self._is_too_long(records):
            self._halve()
            return False
        self._require_new(page)
        self._require_even(records)
        self._versions.add(page)
        at.pages += 1
        at.received += records
        self._last_records = records
        at.empty = 0 if records else at.empty + 1
        progress = Progress(at.number, at.received, records, at.page_records, at.total, next_cursor)
        at.is_short = self._paging.kind == "page" and records < (at.page_records or 0)
        is_last = prove_end(self._paging, claims, headers, progress)
        if is_last:
            self._require_met()
        else:
            self._require_going_on(records, next_cursor)
        at.page_records = at.page_records or records
        if records:
            self._contents[records, page.head.content] = page.number
        if self._reached_ceiling(is_last=is_last):
            self._halve()
        elif is_last:
            self._finish()
        else:
            at.cursor = next_cursor
            if next_cursor is not None:
                self._cursors.add(next_cursor)
        self._kept = at.pages
        return True

    def restart(self, error: SourceError) -> None:
        """Begin the slice again, whose pages so far are kept: what comes twice the fold removes.

        Raises:
            SourceError: the error, where it began again often enough.
        """
        at = self.position
        if at.restarts >= _MAX_RESTARTS:
            problem = f"{error.message} (its window began again {at.restarts} times)"
            raise type(error)(problem, hint=error.hint or _HINT) from error
        at.restarts += 1
        at.pages = self._kept  # the page that showed it is not kept
        at.pass_digest = self._versions.digest
        self._begin()

    def encode(self, now: datetime) -> bytes:
        """The position, to go on from."""
        self.position.at = now
        return msgspec.json.encode(self.position)

    def _begin(self) -> None:
        at = self.position
        at.began, at.received, at.empty, at.is_short = at.pages, 0, 0, False
        at.cursor = at.page_records = at.first_total = at.total = None
        self._forget()

    def _forget(self) -> None:
        self._cursors = {self.position.cursor} if self.position.cursor is not None else set()
        self._contents: dict[tuple[int, int], int] = {}
        self._last_records = 0
        self._versions = SeenVersions(kept=self._paging.kind in {"page", "offset"})

    def _finish(self) -> None:
        at = self.position
        del at.slices[0]
        at.restarts, at.pass_digest = 0, ""
        self._begin()

    def _halve(self) -> None:
        """Put two halves in the place of the slice.

        Raises:
            SourceError: it cannot be halved.
        """
        at, part = self.position, self.position.slices[0]
        halves = halve_slice(self._description.window, part, self._began_at)
        if halves is None or len(at.slices) >= MAX_SLICES:
            since = format_time(part.since) if part.since else "the beginning"
            most = many(self._paging.max_objects or 0, "order") if self._paging.max_objects else "so many pages"
            raise SourceError(
                f"the API lets {most} be fetched, and there are more from {since} on that the same window must hold",
                hint="This API cannot be fetched completely in this way: ask its makers for an export of that time.",
            )
        at.slices[:1] = halves
        at.restarts, at.pass_digest = 0, ""
        self._begin()

    def _note_total(self, claims: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """Read the total.

        Raises:
            InvalidResponseError: the source must name one, and does not.
            ShiftedError: it got smaller.
        """
        at, paging = self.position, self._paging
        total = find_total(paging, claims, headers)
        if total is None:
            return
        if at.total is not None and total < at.total:
            raise ShiftedError(f"the total went from {at.total:,} to {total:,} while its pages were read", hint=_HINT)
        at.first_total = total if at.first_total is None else at.first_total
        at.total = total

    def _is_too_long(self, records: int) -> bool:
        """Whether the API is known to end before the slice does."""
        paging, total = self._paging, self.position.total or 0
        most_paged = paging.max_pages * records if paging.max_pages and records else total
        return total > min(paging.max_objects or total, most_paged)

    def _reached_ceiling(self, *, is_last: bool) -> bool:
        """Whether the API ends here: where it says that all came, a total must show it."""
        paging, at = self._paging, self.position
        if is_last and at.total is not None:
            return False
        following = at.received + (0 if is_last else at.page_records or 0) + is_last
        too_many = paging.max_objects is not None and following > paging.max_objects
        return too_many or (paging.max_pages is not None and at.number >= paging.max_pages)

    def _require_going_on(self, records: int, next_cursor: str | None) -> None:
        """Refuse a page in the middle that is shorter than the others, a cursor that goes round, and too many pages.

        Raises:
            ShiftedError: as it says.
            SourceError: likewise.
        """
        at, paging = self.position, self._paging
        if next_cursor is not None and next_cursor in self._cursors:
            quoted = ascii(next_cursor)[:_LONGEST_QUOTE]
            raise RepeatedError(f"the API gave the cursor {quoted} a second time; its pages would never end")
        if paging.kind in {"page", "offset"} and records == 0:
            raise ShiftedError(
                f"page {at.number:,} is empty, and {at.received:,} orders came of {at.total or 'more'}", hint=_HINT
            )
        if at.is_short and paging.end != "empty_page":
            raise ShiftedError(
                f"page {at.number:,} holds {many(records, 'order')}, and those before it {at.page_records:,}: it is "
                "shorter than promised",
                hint=_HINT,
            )
        if at.empty > _MAX_EMPTY_PAGES:
            raise InvalidResponseError(
                f"the API sent {at.empty} empty pages in a row, each with a next one", hint=_HINT
            )
        if at.pages >= self._max_pages:
            raise SourceError(
                f"there is a next page after {at.pages:,} pages, the most that are fetched at once",
                hint="Fetch a smaller window (--since, --until), or raise max_pages.",
            )

    def _require_even(self, records: int) -> None:
        """Refuse a page that shows that one before it lacked orders, by which the API numbers its pages.

        Raises:
            ShiftedError: it does.
        """
        at = self.position
        if self._paging.kind != "page" or at.page_records is None:
            return
        if records > at.page_records or (at.is_short and records):
            raise ShiftedError(f"page {at.number:,} was shorter than promised: others follow it", hint=_HINT)

    def _require_met(self) -> None:
        """Refuse an end before all was there, or after more than the total that was to prove it.

        Raises:
            ShiftedError: the total is not met, or orders came twice in place of others.
        """
        at, paging = self.position, self._paging
        is_proof = paging.end == "total" and paging.kind != "none"
        if at.total is not None and (at.received < at.total or (is_proof and at.received > at.total)):
            raise ShiftedError(f"{at.received:,} orders came, and the total is {at.total:,}", hint=_HINT)
        if paging.kind not in {"page", "offset"} or at.number == 1:
            return
        if self._versions.may_lack(at.received, at.first_total) and at.pass_digest != self._versions.digest:
            twice = many(self._versions.repeated, "order")
            raise ShiftedError(f"{twice} came twice: the pages shifted while they were read", hint=_HINT)

    def _require_new(self, page: Page) -> None:
        head = page.head
        earlier = self._contents.get((head.records, head.content)) if head.records else None
        if earlier is not None:
            raise RepeatedError(f"page {page.number:,} holds the same records as page {earlier:,}", hint=_HINT)
