"""What pages say of how many orders and pages there are: an end before as many came is none."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ordersetl.errors import InvalidResponseError
from ordersetl.source.claim_names import COUNTS, KINDS, is_container, normalize
from ordersetl.source.claim_values import read_count
from ordersetl.source.complete import MAX_DEPTH, keep_of_pages, list_levels, read_header_claims
from ordersetl.source.description.model import Description, Paging
from ordersetl.source.position import Position
from ordersetl.source.proof import leave_out_read
from ordersetl.text import many

__all__ = ["Count", "find_larger_total", "find_shortfall", "note_counts", "read_counts", "require_counts"]


_HINT = (
    "Look at paging. Where that counts something else, say in paging.{key} what counts the {counted}, or, where "
    'nothing does, {key} = "`null`"; of a bare list in {key}_header, or {key}_header = "X-None".'
)


class Count(msgspec.Struct, frozen=True):
    """A ``number`` that a page names, of all pages or of all records."""

    number: int
    of_pages: bool


def read_counts(claims: Mapping[str, Any], where: str = "", *, depth: int = 0) -> Iterator[tuple[str, Count]]:
    """What a page says of how many records or pages there are, by the names of the members."""
    for name, value in claims.items():
        normalized, number = normalize(name), read_count(value)
        if number is not None and normalized in COUNTS:
            yield f"{where}{name}", Count(number, normalized in KINDS["pages"])
        elif is_container(name) and isinstance(value, Mapping) and depth < MAX_DEPTH:
            yield from read_counts(value, f"{where}{name}.", depth=depth + 1)


def find_shortfall(counts: Mapping[str, Count], *, pages: int, records: int) -> str | None:
    """Which of the counts is not met by so many pages with so many records; None where all are."""
    for name, count in counts.items():
        if pages > 1 and _may_be_of_records(name):
            continue
        if count.number > (pages if count.of_pages else records):
            held = "" if count.of_pages else f", and {'the answer holds' if pages == 1 else 'the pages hold'} "
            return f"{name} is {count.number:,}{held and held + many(records, 'record')}"
    return None


def note_counts(description: Description, claims: Mapping[str, Any], headers: Mapping[str, str], at: Position) -> None:
    """Note the least total and the least number of pages that the pages of a search name so far.

    Each page must name one, from the first on, and none counts that the description reads itself.

    Args:
        description: of the source.
        claims: of the newest page's envelope.
        headers: of its answer.
        at: the position before that page.
    """
    paging = description.paging
    found = list(_list_counts(leave_out_read(paging, claims), description.records.path or (), headers))
    totals = [count.number for _, count in found if not count.of_pages]
    pages = [count.number for name, count in found if count.of_pages and not _may_be_of_records(name)]
    is_first = at.number == 0
    described = (paging.total or paging.total_header, paging.page_count or paging.page_count_header)
    at.named_total = None if described[0] else _find_least(totals, at.named_total, is_first=is_first)
    at.named_pages = None if described[1] else _find_least(pages, at.named_pages, is_first=is_first)


def require_counts(paging: Paging, at: Position) -> None:
    """Refuse an end before as many orders, or pages, came as each page says that there are.

    Of a window both may count all orders all the same: there a number of pages counts where nothing but the lack of a
    next page says that it is the last. Where a total is met, a number of pages is one of other pages.

    Raises:
        InvalidResponseError: it is.
    """
    is_window = (at.slices[0].since, at.slices[0].until) != (None, None)
    if at.named_total is not None and at.named_total > at.received and not is_window:
        raise InvalidResponseError(
            f"{many(at.received, 'order')} came, and the pages name a total of {at.named_total:,}",
            hint=_HINT.format(key="total", counted="orders"),
        )
    total = at.named_total if at.total is None else at.total
    is_met = total is not None and total <= at.received
    is_of_all = not is_window or paging.end in {None, "absent"}
    if at.named_pages is not None and at.named_pages > at.number and is_of_all and not is_met:
        raise InvalidResponseError(
            f"{many(at.number, 'page')} came, and the pages name {at.named_pages:,} as their number",
            hint=_HINT.format(key="page_count", counted="pages"),
        )


def find_larger_total(paging: Paging, claims: Mapping[str, Any], at: Position) -> str | None:
    """Which total is larger, beside one by another name that is the number of orders of the only page; None if none is.

    ``count`` is the total of some APIs, and what one page holds of others. None as well of a window.

    Args:
        paging: how the end was proven.
        claims: of the page's envelope.
        at: the position after that page.
    """
    path = paging.total.path if paging.total is not None else None
    is_window = (at.slices[0].since, at.slices[0].until) != (None, None)
    is_doubtful = paging.end == "total" and at.number == 1 and at.total == at.received > 0
    if not path or is_window or not is_doubtful or normalize(path[-1]) in COUNTS:
        return None
    beside: Any = claims
    for name in path[:-1]:
        beside = beside.get(name) if isinstance(beside, Mapping) else None
    for name, value in beside.items() if isinstance(beside, Mapping) else ():
        number = read_count(value)
        if normalize(name) in KINDS["totals"] and number is not None and number > at.received:
            return f"{'.'.join((*path[:-1], name))} is {number:,}"
    return None


def _list_counts(
    claims: Mapping[str, Any], path: Sequence[str], headers: Mapping[str, str]
) -> Iterator[tuple[str, Count]]:
    """What stands beside the list, or beside what that is in, and in headers; by name."""
    for where, level in list_levels(claims, path):
        yield from read_counts(keep_of_pages(level), where)
    yield from read_counts(read_header_claims(headers.items()), "the header ")


def _find_least(named: Sequence[int], earlier: int | None, *, is_first: bool) -> int | None:
    """The least of what the newest page and those before it name; None where one of these names none."""
    if not named or not (is_first or earlier is not None):
        return None
    return min([*named, *([] if earlier is None else [earlier])])


def _may_be_of_records(name: str) -> bool:
    """Whether a number of pages may be one of each page's records, or the most of them: some mean these by it."""
    return normalize(name.rpartition(".")[2]) == "pagecount"
