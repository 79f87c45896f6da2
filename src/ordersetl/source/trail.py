"""The pages of one batch as they come: each must go on from those before, and the last must be the last."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ordersetl.errors import InvalidResponseError, SourceError
from ordersetl.source.complete import read_header_claims, require_complete
from ordersetl.source.counts import Count, find_shortfall, read_counts
from ordersetl.source.head import PageHead

__all__ = ["PageTrail", "RepeatedError", "refuse_cursor"]

_MAX_EMPTY_PAGES = 1000
_LONGEST_QUOTE = 60
_HINT = "No incomplete answer was committed. Report it to the API's makers, or try again later."


class RepeatedError(InvalidResponseError):
    """The API named a cursor, or sent content, a second time: its pages go round, or it forgot where it was."""


@dataclass
class PageTrail:
    """What the pages of a batch so far have shown.

    Attributes:
        open_window: asked for without since and until, so that totals count all that there is.
        max_pages: most pages of a batch.
        cursors: those that the pages named, in their order.
        pages: how many there were.
        records: how many they held.
    """

    open_window: bool = False
    max_pages: int = 100_000
    cursors: list[str] = field(default_factory=list)
    pages: int = 0
    records: int = 0
    _counts: Mapping[str, Count] = field(default_factory=dict)
    """The least of each count, as a shop grows while it is read."""
    _contents: dict[tuple[int, int], int] = field(default_factory=dict)
    _names_cursor: bool = False
    _empty: int = 0

    def admit(self, head: PageHead, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Take in the next page; where it is refused, nothing of it is kept.

        Raises:
            RepeatedError: it names a cursor, or holds records, that were there before.
            InvalidResponseError: it is not complete, or one of endless empty ones.
            SourceError: it is not the last, and there were ``max_pages``.
        """
        cursor, number, records = head.next_cursor, self.pages + 1, self.records + head.records
        said = read_header_claims(headers)
        counts = self._counts
        if self.open_window and (head.claims or said):
            counts = {**counts}
            for name, count in read_counts({**said, **head.claims}):
                counts[name] = min(counts.get(name, count), count, key=lambda known: known.number)
        unmet = find_shortfall(counts, pages=number, records=records)
        require_complete(head.claims, next_cursor=cursor, headers=said, unmet=unmet)
        if self._names_cursor and not head.names_cursor:
            raise InvalidResponseError(
                f"page {number:,} lacks next_cursor, which the pages before it had: it may not be the last", hint=_HINT
            )
        self._require_new(head, number)
        empty = 0 if head.records else self._empty + 1
        if cursor is not None and empty > _MAX_EMPTY_PAGES:
            raise InvalidResponseError(f"the API sent {empty} empty pages in a row, each naming a next one", hint=_HINT)
        if cursor is not None and number >= self.max_pages:
            raise SourceError(
                f"the API names a next page after {number:,} pages, the most that are fetched at once",
                hint="Fetch a smaller window (--since, --until), or raise max_pages.",
            )
        self.pages, self.records, self._empty, self._counts = number, records, empty, counts
        self._names_cursor |= head.names_cursor
        if head.records:
            self._contents[head.records, head.content] = number
        if cursor is not None:
            self.cursors.append(cursor)
            self._known.add(cursor)

    def __post_init__(self) -> None:
        self._known = set(self.cursors)

    def _require_new(self, head: PageHead, number: int) -> None:
        if head.next_cursor in self._known:
            raise refuse_cursor(head.next_cursor)
        earlier = self._contents.get((head.records, head.content)) if head.records else None
        if earlier is not None:
            raise RepeatedError(
                f"page {number:,} holds the same records as page {earlier:,}; its pages would never end", hint=_HINT
            )


def refuse_cursor(cursor: str | None) -> RepeatedError:
    """The error of a cursor, or a next page's URL, that was there before."""
    quoted = ascii(cursor)
    quoted = quoted if len(quoted) <= _LONGEST_QUOTE else f"{quoted[:_LONGEST_QUOTE]}..."
    return RepeatedError(f"the API gave the cursor {quoted} a second time; its pages would never end", hint=_HINT)
