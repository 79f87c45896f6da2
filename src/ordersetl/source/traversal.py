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
from ordersetl.source.ceiling import choose_cut, is_too_long, reached_ceiling
from ordersetl.source.complete import HINT
from ordersetl.source.counts import find_larger_total, note_counts, require_counts
from ordersetl.source.description.model import Description
from ordersetl.source.page import Page
from ordersetl.source.position import Position
from ordersetl.source.proof import Progress, ShiftedError, find_total, prove_end, require_no_more
from ordersetl.source.seen_pages import SeenPages
from ordersetl.source.slices import MAX_SLICES, halve_slice
from ordersetl.source.times import are_since
from ordersetl.source.versions import SeenVersions
from ordersetl.text import format_time, many

__all__ = ["Traversal"]

log = logging.getLogger(__name__)

_MAX_EMPTY_PAGES = 1000
_MAX_RESTARTS = 3
_MAY_BE_OF_A_PAGE = "paging.total names %s, as many as its only page has, and %s: look which of them counts all"


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
        self._goes_on = position.number > 0
        self._restarts = 0  # of this command: what is wrong with an API now says nothing of the next run
        self._seen = self._open_search()

    @property
    def pages(self) -> int:
        """How many pages there were."""
        return self.position.pages

    @property
    def must_look_back(self) -> bool:
        """Whether the page before the next one must show that pages did not shift.

        It must where no page showed a total, whatever the description names, and where an earlier command was given
        it: in between anything may change.
        """
        is_needed = self._goes_on or self.position.first_total is None
        return self._paging.kind in {"page", "offset"} and is_needed and self.position.number > 0

    def look_back(self, again: Page) -> None:
        """Compare the page before the next one, asked for again after that, with what it was.

        New orders behind its own moved none of them, and are the next run's, which continues from before this one
        began. Older ones there were missing when the page was read.

        Raises:
            ShiftedError: it holds other orders now.
        """
        self._goes_on = False
        before, now = self._seen.versions.last_ids, SeenVersions.list_ids(again)
        if now[: len(before)] != before or not are_since(again, self._began_at, skip=len(before)):
            raise ShiftedError(f"page {self.position.number:,} holds other orders than a moment ago", hint=HINT)

    @property
    def offset(self) -> int:
        """Of the next page, in orders."""
        return self._paging.begins_at + self.position.received

    @property
    def last_offset(self) -> int:
        """Of the newest page, in orders."""
        return self.offset - self._seen.last_records

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
        if page.number > self.position.began:
            self._seen.add(page)

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
        is_blank = at.number == 0 and not page.body  # HTTP 204: no order, and no word of more
        if not is_blank:
            self._note_total(claims, headers)
            note_counts(self._description, claims, headers, at)
        if at.number == 0 and is_too_long(self._paging, at, records):
            self._halve()
            return False
        self._seen.require_new(page)
        self._require_even(records)
        self._seen.add(page)
        at.pages += 1
        at.received += records
        at.empty = 0 if records else at.empty + 1
        total = self._least_total if next_cursor is None else at.total
        progress = Progress(at.number, at.received, records, at.page_records, total, next_cursor)
        at.is_short = self._paging.kind == "page" and records < (at.page_records or 0)
        is_last = is_blank or prove_end(self._paging, claims, headers, progress, records=self._description.records)
        if is_last:
            self._require_met()
        else:
            self._require_going_on(records, next_cursor)
        at.page_records = at.page_records or records
        if reached_ceiling(self._paging, at, is_last=is_last):
            self._halve()
        elif is_last:
            require_no_more(self._paging, claims, headers, records=self._description.records)
            require_counts(self._paging, at)
            if larger := find_larger_total(self._paging, claims, at):
                log.warning(_MAY_BE_OF_A_PAGE, many(at.received, "order"), larger)
            self._finish()
        else:
            at.cursor = next_cursor
        self._kept = at.pages
        return True

    def restart(self, error: SourceError) -> None:
        """Begin the slice again, whose pages so far are kept: what comes twice the fold removes.

        Raises:
            SourceError: the error, where this command began it again often enough.
        """
        at = self.position
        if self._restarts >= _MAX_RESTARTS:
            problem = f"{error.message} (its window began again {self._restarts} times)"
            raise type(error)(problem, hint=error.hint or HINT) from error
        self._restarts += 1
        at.pages = self._kept  # the page that showed it is not kept
        at.pass_digest = self._seen.versions.digest
        self._begin()

    def encode(self, now: datetime) -> bytes:
        """The position, to go on from."""
        self.position.at = now
        return msgspec.json.encode(self.position)

    def _begin(self) -> None:
        at = self.position
        at.began, at.received, at.empty, at.is_short = at.pages, 0, 0, False
        at.cursor = at.page_records = at.first_total = at.total = at.named_total = at.named_pages = None
        self._seen = self._open_search()

    def _open_search(self) -> SeenPages:
        return SeenPages(self._paging, self._began_at, self.position.cursor)

    def _finish(self) -> None:
        at = self.position
        del at.slices[0]
        self._restarts, at.pass_digest = 0, ""
        self._begin()

    def _halve(self) -> None:
        """Put two halves in the place of the slice.

        Raises:
            SourceError: it cannot be halved.
        """
        at, part = self.position, self.position.slices[0]
        halves = halve_slice(self._description.window, part, self._began_at, choose_cut(self._seen.newest))
        if halves is None or len(at.slices) >= MAX_SLICES:
            since = format_time(part.since) if part.since else "the beginning"
            most = many(self._paging.max_objects or 0, "order") if self._paging.max_objects else "so many pages"
            raise SourceError(
                f"the API lets {most} be fetched, and there may be more from {since} on that the same window must hold",
                hint="This API cannot be fetched completely in this way: ask its makers for an export of that time.",
            )
        at.slices[:1] = halves
        self._restarts, at.pass_digest = 0, ""
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
            raise ShiftedError(f"the total went from {at.total:,} to {total:,} while its pages were read", hint=HINT)
        at.first_total = total if at.first_total is None else at.first_total
        at.total = total

    def _require_going_on(self, records: int, next_cursor: str | None) -> None:
        """Refuse a page in the middle that is shorter than the others, a cursor that goes round, and too many pages.

        Raises:
            ShiftedError: as it says.
            SourceError: likewise.
        """
        at, paging = self.position, self._paging
        self._seen.add_cursor(next_cursor)
        if paging.kind in {"page", "offset"} and records == 0:
            raise ShiftedError(
                f"page {at.number:,} is empty, and {at.received:,} orders came of {at.total or 'more'}",
                hint=HINT,
            )
        if at.is_short and paging.end != "empty_page":
            raise ShiftedError(
                f"page {at.number:,} holds {many(records, 'order')}, and those before it {at.page_records:,}: it is "
                "shorter than promised",
                hint=HINT,
            )
        if at.empty > _MAX_EMPTY_PAGES:
            raise InvalidResponseError(f"the API sent {at.empty} empty pages in a row, each with a next one", hint=HINT)
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
            raise ShiftedError(f"page {at.number:,} was shorter than promised: others follow it", hint=HINT)

    def _require_met(self) -> None:
        """Refuse an end before all was there, or after more than the total that was to prove it.

        Raises:
            ShiftedError: the total is not met, or orders came twice in place of others.
        """
        at, paging = self.position, self._paging
        is_proof = paging.end == "total" and paging.kind != "none"
        least, most = self._least_total or 0, at.total if is_proof and at.total is not None else at.received
        if not least <= at.received <= most:
            raise ShiftedError(f"{at.received:,} orders came, and the total is {at.total:,}", hint=HINT)
        if paging.kind not in {"page", "offset"} or at.number == 1:
            return
        versions = self._seen.versions
        if versions.may_lack(at.received, at.first_total) and at.pass_digest != versions.digest:
            twice = many(versions.repeated, "order")
            raise ShiftedError(f"{twice} came twice: the pages shifted while they were read", hint=HINT)

    @property
    def _least_total(self) -> int | None:
        """How many orders must have come: a cursor may be one into what there was when its search began."""
        at = self.position
        return at.total if self._paging.kind in {"page", "offset", "none"} else at.first_total
