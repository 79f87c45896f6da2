"""What proves that a page is the last of its search: a page that cannot prove it is no end."""

from collections.abc import Mapping, Sequence, Set as AbstractSet
from typing import Any, NamedTuple

from ordersetl.errors import InvalidResponseError
from ordersetl.source.claim_values import is_false, is_true, read_count
from ordersetl.source.complete import HINT, Onward, find_more
from ordersetl.source.description.expressions import Expression
from ordersetl.source.description.model import Paging
from ordersetl.source.paths import Chain, find_chains

__all__ = [
    "Progress",
    "ShiftedError",
    "find_total",
    "leave_out_read",
    "prove_end",
    "require_no_more",
]

_HINT_COUNT = 'Where its pages count from 0, say first = 0; where one too many is counted, end = "empty_page".'
_HINT_UNREAD = (
    "Say in paging where the next page is, and what proves the end: docs/sources.md. A member that an expression of "
    "paging looks at says no more than that."
)


class ShiftedError(InvalidResponseError):
    """Pages shifted while they were read, so that orders may have been passed over."""


class Progress(NamedTuple):
    """How far a search is with a page.

    ``number`` and ``received`` count its pages and records, this page's included; ``records`` are this page's, and
    ``page_records`` its first page's, None on the first. ``total`` is how many records there are, where that is known.
    ``next_cursor`` is the cursor or the URL of the next page, where the kind of paging has one and the page names it.
    """

    number: int
    received: int
    records: int
    page_records: int | None
    total: int | None
    next_cursor: str | None


def find_total(paging: Paging, claims: Mapping[str, Any], headers: Mapping[str, str]) -> int | None:
    """How many records all pages have together; None where the source does not say.

    Raises:
        InvalidResponseError: it must say it, and does not.
    """
    total = _find_count(paging.total, paging.total_header, claims, headers)
    if total is None and paging.end == "total":
        raise InvalidResponseError(f"the answer has no total at {_name(paging.total, paging.total_header)}", hint=HINT)
    return total


def prove_end(
    paging: Paging,
    claims: Mapping[str, Any],
    headers: Mapping[str, str],
    progress: Progress,
    *,
    records: Expression,
    page_size: int | None = None,
    is_call: bool = False,
) -> bool:
    """Whether a page is the last.

    Args:
        paging: how the end is proven.
        claims: of the page's envelope.
        headers: of the answer.
        progress: of the search.
        records: where in the page its list is.
        page_size: how many records were asked for, where that is known.
        is_call: it is an answer about an order.

    Raises:
        InvalidResponseError: it says nothing of it, or contradicts itself.
    """
    next_cursor = progress.next_cursor
    match paging.end:
        case "has_more":
            last = not _read_flag(paging, claims)
        case "total":
            last = progress.received >= (progress.total or 0)
        case "page_count":
            last = progress.number >= _require_count(paging, claims, headers, progress)
        case "empty_page":
            last = progress.records == 0
        case "short_page":
            last = progress.records < (page_size or progress.page_records or progress.records + 1)
        case "null":
            last = next_cursor is None
            if last and not _names(paging, claims):
                name = paging.next.text if paging.next is not None else "next"
                raise InvalidResponseError(f"the answer lacks {name}: it may not be the last", hint=HINT)
        case _:
            last = next_cursor is None
    is_cut = paging.max_objects or paging.max_pages  # of such a search the end may be the API's own
    is_shifted = progress.total is not None and progress.received > progress.total
    if not last:
        _require_next(paging, next_cursor)
    elif is_call and not is_cut and not is_shifted:  # of orders that is asked once nothing else is wrong
        require_no_more(paging, claims, headers, records=records, is_call=True)
    return last


def _require_next(paging: Paging, next_cursor: str | None) -> None:
    if next_cursor is None and paging.kind in {"cursor", "next_url", "link"}:
        raise InvalidResponseError("the answer says that there is more, and names no next page", hint=HINT)
    if paging.kind == "none":
        raise _lack_paging("not all came")


def _lack_paging(problem: str) -> InvalidResponseError:
    return InvalidResponseError(
        f"the answer is not complete ({problem}), and the description has no paging for it",
        hint="Say how its pages go on: paging, of the orders or of the call; docs/sources.md.",
    )


def require_no_more(
    paging: Paging,
    claims: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    records: Expression,
    is_call: bool = False,
) -> None:
    """Refuse a last page that says, in a member that paging does not look at, that another one follows.

    Args:
        paging: how the end was proven.
        claims: of the page's envelope.
        headers: of the answer.
        records: where in the page its list is.
        is_call: it is an answer about an order.

    Raises:
        InvalidResponseError: it says so.
    """
    path = records.path or ()
    if paging.kind == "none":
        if problem := find_more(claims, path, headers, is_call=is_call):
            raise _lack_paging(problem)
        return
    onward: Onward = "texts" if paging.kind in {"page", "offset"} else "all"  # numbers of pages may just go on
    if paging.end in {"empty_page", "short_page"}:  # before which a page may name a next one always
        onward = "none"
    left = leave_out_read(paging, claims)
    if problem := find_more(left, path, headers, onward=onward, is_call=is_call):
        raise InvalidResponseError(
            f"the answer is the last page by {_name_end(paging)} of paging, but {problem}", hint=_HINT_UNREAD
        )


def leave_out_read(paging: Paging, claims: Mapping[str, Any]) -> dict[str, Any]:
    """What of an envelope the expressions of paging do not look at."""
    read = (paging.next, paging.has_more, paging.total, paging.page_count)
    return _leave_out(claims, {chain for e in read if e is not None for chain in find_chains(e.tree)})


def _name_end(paging: Paging) -> str:
    """What of the description says that a page is the last, as it is written there."""
    key = {"absent": "next", "null": "next"}.get(paging.end or "", paging.end or "kind")
    value = getattr(paging, key, None) or getattr(paging, f"{key}_header", None)
    if value is None:
        return f'end = "{paging.end}"'
    return f'{key} = "{value.text if isinstance(value, Expression) else value}"'


def _leave_out(value: Mapping[str, Any], chains: AbstractSet[Chain]) -> dict[str, Any]:
    """An object without the members that chains lead to, at any depth."""
    if () in chains:
        return {}
    left: dict[str, Any] = {}
    for name, member in value.items():
        within = {chain[1:] for chain in chains if chain[0] == name}
        if () not in within:
            left[name] = _leave_out(member, within) if within and isinstance(member, Mapping) else member
    return left


def _require_count(paging: Paging, claims: Mapping[str, Any], headers: Mapping[str, str], progress: Progress) -> int:
    """How many pages there are: a page with records is one of them, and the last of several has records."""
    count = _find_count(paging.page_count, paging.page_count_header, claims, headers)
    if count is None:
        name = _name(paging.page_count, paging.page_count_header)
        raise InvalidResponseError(f"the answer has no number of pages at {name}", hint=HINT)
    if progress.records and progress.number > count:
        raise ShiftedError(f"page {progress.number:,} has records, and there are {count:,} pages", hint=HINT)
    if not progress.records and progress.number == count > 1:
        raise ShiftedError(f"page {progress.number:,} is empty, and there are {count:,} pages", hint=_HINT_COUNT)
    return count


def _find_count(
    expression: Expression | None, header: str | None, claims: Mapping[str, Any], headers: Mapping[str, str]
) -> int | None:
    value: Any = headers.get(header) if header is not None else None
    if value is None and expression is not None:
        value = expression.search(claims)
    count = read_count(value)
    return None if count is None or count < 0 else count


def _read_flag(paging: Paging, claims: Mapping[str, Any]) -> bool:
    flag = paging.has_more.search(claims) if paging.has_more is not None else None
    if is_true(flag, may_count=False) or read_count(flag) == 1:
        return True
    if is_false(flag, is_flag=True):
        return False
    name = paging.has_more.text if paging.has_more is not None else "has_more"
    hint = HINT if flag is None else f"has_more must be true or false: say when there is more, as {name} > `0` does."
    raise InvalidResponseError(f"the answer does not say whether there is more: {name} is {flag!r:.60}", hint=hint)


def _names(paging: Paging, claims: Mapping[str, Any]) -> bool:
    """Whether the member is there that names the next page, null perhaps; yes where that cannot be told."""
    path: Sequence[str] = (paging.next.path or ()) if paging.next is not None else ()
    value: Any = claims
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    return True


def _name(expression: Expression | None, header: str | None) -> str:
    return " or ".join(filter(None, (header, expression.text if expression is not None else None)))
