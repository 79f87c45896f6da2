"""Is an answer complete? What a page and its headers say of errors, of more pages and of totals beside its orders.

A page without ``next_cursor`` ends a batch, so it must not say in any other way that there is more.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import chain
from typing import Any, Literal

import msgspec

from ordersetl.errors import InvalidResponseError
from ordersetl.source.claim_names import KINDS, is_container, may_be_order, normalize
from ordersetl.source.claim_values import is_false, is_filled, is_true, read_count, read_text, show

__all__ = [
    "HINT",
    "MAX_DEPTH",
    "Onward",
    "find_error",
    "find_more",
    "find_next_link",
    "keep_of_pages",
    "list_levels",
    "read_header_claims",
    "require_complete",
]

Onward = Literal["all", "texts", "none"]
"""Which cursors, links and numbers of a next page say that there is one: all, all but numbers, or none."""

_FAILURES = {"error", "errors", "fail", "failed", "failure", "partial", "incomplete", "timeout"}
_LABELS = {"rel", "relation", "title", "method", "type", "templated", "name", "meta"}
"""What a link has besides its target."""
MAX_DEPTH = 4
"""Of objects in one another that are looked into."""
HINT = "No incomplete answer was committed: run the same command later. If it stays so, report it to the API's makers."
_OF_ORDERS = {"data", "result", "results", "response", "body", "payload", "query"} | KINDS["last"]
_OF_ORDERS -= {"islast", "islastpage", "lastpage"}
_OF_ORDERS |= {"truncated", "istruncated", "incomplete", "isincomplete", "partial", "ispartial"}
"""What may as well hold an order, or be its own."""
_OF_AN_ORDER = _OF_ORDERS | {"metadata", "links", "link", "next", "more"}
"""The same of an object that is one, as it seems."""
_LEFT = ("more", "hasmore", "hasnext")
"""How names begin that may hold the number of those that are left."""
_NO_ERROR = {"none", "null", "ok", "false"}
_SUCCEEDED = {"ok", "success", "successful", "succeeded", "true"}
_RANGE = re.compile(r"\s*(?:(?!bytes\b)[a-z][\w-]*\s+)?\d+-(\d+)/(\d+)\s*", re.IGNORECASE | re.ASCII)
_OF_PAGES = re.compile(r"pag(?:e|ing|er|inat)")


def require_complete(
    claims: Mapping[str, Any],
    *,
    next_cursor: str | None,
    headers: Mapping[str, Any],
    unmet: str | None = None,
) -> None:
    """Refuse a page that carries errors, or that is the last while something says that there is more.

    Args:
        claims: the envelope's members by name; none of a bare list.
        next_cursor: of the next page; None on the last.
        headers: what its headers claim, as :func:`read_header_claims` has it.
        unmet: what :func:`find_shortfall` says of all pages, where totals count what these must hold.

    Raises:
        InvalidResponseError: it is not complete.
    """
    if problem := find_error(claims):
        raise InvalidResponseError(f"the answer has orders, and an error beside them: {problem}", hint=HINT)
    if next_cursor is not None:
        return
    problem = next(_find_more(claims), None) or next(_find_more(headers, "the header "), None) or unmet
    if problem is not None:
        raise InvalidResponseError(f"the answer is not complete: there is no next_cursor, but {problem}", hint=HINT)


def find_more(
    claims: Mapping[str, Any],
    path: Sequence[str],
    headers: Mapping[str, str],
    *,
    onward: Onward = "all",
    is_call: bool = False,
) -> str | None:
    """What says that another page follows an answer which is taken for the last; None where nothing does.

    The answer may be an order itself, and so may, in that to a call, what the list at ``path`` is in: its own members,
    and words that it may use of itself, say nothing of pages.

    Args:
        claims: of the envelope.
        path: of the list.
        headers: of the answer.
        onward: which cursors, links and numbers of a next page count.
        is_call: it is an answer about an order.
    """
    levels = (
        (at, keep_of_pages(level, is_order=is_call and may_be_order(at, path)))
        for at, level in list_levels(claims, path)
    )
    said = chain(*(_find_more(level, at, depth=1, onward=onward) for at, level in levels))
    of_headers = read_header_claims(headers.items())
    return next(chain(said, _find_more(of_headers, "the header ", depth=1, onward=onward)), None)


def list_levels(
    claims: Mapping[str, Any], path: Sequence[str], where: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects that the list at a path is in, from the outermost in: where each is, and what is beside the list."""
    yield where, {name: claim for name, claim in claims.items() if name not in path[:1]}
    inner = claims.get(path[0]) if path else None
    if isinstance(inner, Mapping):
        yield from list_levels(inner, path[1:], f"{where}{path[0]}.")


def keep_of_pages(claims: Mapping[str, Any], depth: int = 0, *, is_order: bool = False) -> dict[str, Any]:
    """What may be about pages alone, at any depth that is looked into."""
    left_out = _OF_AN_ORDER if is_order else _OF_ORDERS
    kept = {name: claim for name, claim in claims.items() if normalize(name) not in left_out}
    inner = {
        name: keep_of_pages(c, depth + 1) for name, c in kept.items() if isinstance(c, Mapping) and depth < MAX_DEPTH
    }
    return kept | inner


def read_header_claims(headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """What headers say of more pages: ``Link`` with a relation ``next`` (RFC 8288), ``X-Next-Page`` and its like."""
    claims: dict[str, Any] = {}
    for name, value in headers:
        if name.lower() == "link" and (target := find_next_link(value)):
            claims["Link"] = {"next": target}
        elif name.lower() == "content-range":
            _add(claims, "Content-Range", {"more": _ends_early(value)})
        elif name.lower().startswith("x-"):
            _add(claims, name[2:], _read_header(name, value.strip()))
        elif normalize(name) in KINDS["cursors"]:
            _add(claims, name, value.strip())
    return claims


def _add(claims: dict[str, Any], name: str, value: object) -> None:
    """Add what a header says, beside what one of the same name said."""
    while name in claims:
        name += " "
    claims[name] = value


def _read_header(name: str, value: str) -> object:
    """A header's value, as what JSON says where one on pages holds an object: ``X-Pagination`` does."""
    try:
        return msgspec.json.decode(value) if value.startswith("{") and _OF_PAGES.search(name.lower()) else value
    except (msgspec.DecodeError, RecursionError):
        return value


def _ends_early(value: str) -> bool:
    """Whether a ``Content-Range`` (RFC 9110, 14.4), of another unit than bytes, ends before all that there is."""
    found = _RANGE.fullmatch(value)
    return found is not None and int(found[1][:18]) + 1 < int(found[2][:18])


_LINK = re.compile(r"""<([^>]*)>((?:\s*;\s*[^;,"'\s=]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s;,"']*))?)*)""")
_REL = re.compile(r""";\s*rel\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;,"']+))""", re.IGNORECASE)


def find_next_link(value: str) -> str | None:
    """Target of the relation ``next`` in a ``Link`` header (RFC 8288); None where it has none."""
    for target, parameters in _LINK.findall(value):
        relation = _REL.search(parameters)
        if relation and "next" in " ".join(filter(None, relation.groups())).lower().split():
            return str(target) or "next"
    return None


def find_error(claims: Mapping[str, Any], where: str = "", *, lacks_list: bool = False, depth: int = 0) -> str | None:
    """Which member says that something failed, and what it says; None where none does.

    Args:
        claims: members by name.
        where: what their names are shown after.
        lacks_list: the answer has no list beside which a message or a code may stand, so that they are of an error.
        depth: how many objects they are in.
    """
    notes_count = lacks_list and not any(_says_success(normalize(name), value) for name, value in claims.items())
    for name, value in claims.items():
        normalized = normalize(name)
        if _is_error(normalized, value) or (notes_count and _is_note_of_error(normalized, value)):
            return f"{where}{name} is {show(value)}"
        if is_container(name) and isinstance(value, Mapping) and depth < MAX_DEPTH:
            problem = find_error(value, f"{where}{name}.", lacks_list=lacks_list, depth=depth + 1)
            if problem:
                return problem
    return None


def _is_error(name: str, value: object) -> bool:
    if name in KINDS["errors"]:
        return _says_error(value)
    if name in KINDS["success"]:
        return value is False or read_text(value) == "false" or read_count(value) == 0
    return name == "status" and read_text(value) in _FAILURES


def _is_note_of_error(name: str, value: object) -> bool:
    """Whether a message, or a code, is about an error where it stands alone."""
    number = read_count(value)
    if number is not None:
        return name in KINDS["codes"] and not 0 <= number < HTTPStatus.BAD_REQUEST
    return name in KINDS["messages"] and _says_error(value) and read_text(value) not in _SUCCEEDED


def _says_success(name: str, value: object) -> bool:
    """Whether a member says that the answer is what was asked for, so that a message in it tells of nothing else."""
    if name in KINDS["success"]:
        return is_true(value, may_count=False)
    return name in KINDS["codes"] and (read_text(value) in _SUCCEEDED or read_count(value) == HTTPStatus.OK)


def _find_more(claims: Mapping[str, Any], where: str = "", *, depth: int = 0, onward: Onward = "all") -> Iterator[str]:
    for name, value in claims.items():
        normalized = normalize(name)
        if depth == 0 and name == "next_cursor":
            continue
        not_last = normalized in KINDS["last"] and is_false(value, is_flag=normalized.startswith("islast"))
        says_more = normalized in KINDS["more"] and is_true(value, may_count=normalized.startswith(_LEFT))
        if not_last or says_more:
            yield f"{where}{name} says that there is more"
        elif _names_next(normalized, value, onward):
            yield f"{where}{name} is {show(value)}"
        elif is_container(name) and depth < MAX_DEPTH:
            if isinstance(value, Mapping):
                yield from _find_more(value, f"{where}{name}.", depth=depth + 1, onward=onward)
            elif isinstance(value, list) and onward != "none":
                yield from (f"{where}{name} has one with rel next" for link in value if _is_next(link))


def _names_next(name: str, value: object, onward: Onward) -> bool:
    if name not in KINDS["cursors"] or onward == "none" or (onward == "texts" and read_count(value) is not None):
        return False
    return value is True or _is_target(value)


def _is_next(link: object) -> bool:
    if not isinstance(link, Mapping):
        return False
    relation = link.get("rel", link.get("relation", ""))
    relations = " ".join(map(str, relation if isinstance(relation, list) else [relation])).lower().split()
    return "next" in relations and any(_is_target(link.get(key)) for key in ("href", "url", "uri", "link"))


def _is_target(value: object) -> bool:
    """Whether a cursor, a page number or a link leads anywhere."""
    if isinstance(value, Mapping):
        return any(_is_target(member) for name, member in value.items() if normalize(name) not in _LABELS)
    if isinstance(value, str):
        return read_text(value) not in {"", "null", "none", "false", "0", "-1", "#"}
    return is_filled(value) and value is not True and value != -1


def _says_error(value: object) -> bool:
    """Whether a member that has its place for errors tells of one: not of none, as text or in an object."""
    if type(value) is dict:
        return any(map(_says_error, value.values()))
    return read_text(value) not in _NO_ERROR and is_filled(value) and read_count(value) != 0
