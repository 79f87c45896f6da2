"""What an answer of HTTP 200 says beside its records: errors, limits, its version, the next page."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import httpx

from ordersetl.errors import InvalidResponseError, SourceError
from ordersetl.source.answer import quote_text
from ordersetl.source.ask import Answer, Ask, TryAgainError, origin_of
from ordersetl.source.claim_names import ERROR_NAMES, may_be_order
from ordersetl.source.complete import find_error, find_next_link, list_levels
from ordersetl.source.description.expressions import Expression, is_true
from ordersetl.source.description.model import Errors, Paging
from ordersetl.source.paths import Chain, find_chains
from ordersetl.source.session import SourceSession
from ordersetl.source.throttle import read_number

__all__ = ["find_next", "note_envelope"]

_MAX_MESSAGE = 300
_MAX_CURSOR = 16_384


def note_envelope(
    session: SourceSession, ask: Ask, answer: Answer, envelope: Mapping[str, Any], records: Expression
) -> None:
    """Learn what an answer says of limits and of its version, and refuse it where it is an error.

    It is one where the description says so. It is one as well by what :data:`ERROR_NAMES` are beside the list of
    ``records``, or beside what that is in, and where there is no list by anything that may be of an error; not by what
    the description looks at itself to say when there is an error.

    Raises:
        TryAgainError: it asks to come back later.
        InvalidResponseError: it has an error in it that the description does not know.
        SourceError: it is another error.
    """
    session.throttling.note_answer(answer.headers, envelope)
    request = session.description.request
    answered = answer.headers.get(request.version_header) if request.version_header is not None else None
    if answered is not None and session.version is not None and answered != session.version:
        shown = quote_text(answered, session.secrets)
        session.warn_once(
            "version",
            f"{session.description.title} answers with version {shown}, not with {session.version} as asked: look at "
            "whether its fields are still the same.",
        )
    errors = session.description.errors
    if errors is None or not is_true(errors.when.search(envelope)):
        _require_no_error(errors, envelope, records, is_call=ask.is_call)
        return
    told = quote_text(_show(errors.message.search(envelope) if errors.message else None), session.secrets)
    problem = f"HTTP 200 with an error in it{f': {told[:_MAX_MESSAGE]}' if told else ''}"
    if errors.throttled is not None and is_true(errors.throttled.search(envelope)):
        named = read_number(errors.wait_s.search(envelope)) if errors.wait_s is not None else None
        raise TryAgainError(problem, session.throttling.find_wait(envelope) if named is None or named < 0 else named)
    raise SourceError(f"{ask.shown} answered {problem}", hint="Look at what the API says.")


def _require_no_error(
    errors: Errors | None, envelope: Mapping[str, Any], records: Expression, *, is_call: bool
) -> None:
    """Refuse an answer that has an error in it which the description does not know.

    What the list of a call is in may be an order itself, which has errors of its own: a card that was declined.

    Raises:
        InvalidResponseError: it has.
    """
    known = _find_chains(errors.when) if errors is not None else frozenset()
    path, lacks_list = records.path or (), records.search(envelope) is None
    for at, (where, level) in enumerate(list_levels(envelope, path)):
        if is_call and not lacks_list and may_be_order(where, path):
            continue
        names = {*level} if lacks_list else level.keys() & ERROR_NAMES
        claims = {
            name: claim for name, claim in level.items() if name in names and not _is_in(known, (*path[:at], name))
        }
        if problem := find_error(claims, where, lacks_list=lacks_list):
            hint = "Look at what the API says. Where it is no error, `errors.when` of the description says when one is."
            raise InvalidResponseError(f"there is an error in it: {problem}", hint=hint)


@cache
def _find_chains(expression: Expression) -> frozenset[Chain]:
    return frozenset(find_chains(expression.tree))


def _is_in(chains: Iterable[Chain], member: Chain) -> bool:
    """Whether one of the chains leads to a member, into it, or to what it is in."""
    return any(chain[: len(member)] == member or member[: len(chain)] == chain for chain in chains)


def find_next(paging: Paging, ask: Ask, answer: Answer, envelope: Mapping[str, Any]) -> str | None:
    """The cursor, or the URL, of the next page; None where the answer names none: null, false, an empty text.

    Raises:
        InvalidResponseError: it cannot be one.
        SourceError: it is a URL of another origin, where credentials must not go.
    """
    match paging.kind:
        case "cursor" | "next_url":
            value = paging.next.search(envelope) if paging.next is not None else None
        case "link":
            links = map(find_next_link, answer.headers.get_list("Link"))
            value = next((target for target in links if target), None)
        case _:
            return None
    if value is None or value is False or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int) or len(text := str(value)) > _MAX_CURSOR:
        name = paging.next.text if paging.next is not None else "Link"
        raise InvalidResponseError(
            f"{name} names no next page: it is {value!r:.60}", hint="Look at what the API sends."
        )
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidResponseError("the cursor is not valid Unicode, so that it cannot be sent back")
    return text if paging.kind == "cursor" else _resolve(text, ask, answer)


def _resolve(target: str, ask: Ask, answer: Answer) -> str:
    try:
        url = httpx.URL(answer.url or ask.url).join(target)
    except (httpx.InvalidURL, UnicodeError):
        raise InvalidResponseError("the next page's URL cannot be requested") from None
    if origin_of(url) != origin_of(httpx.URL(ask.url)) or url.userinfo:
        raise SourceError(
            f"{ask.shown} names a next page at {url.scheme}://{url.host}, another origin: it gets no credentials",
            hint="Look at --api-url, and at whether the API knows by which address it is reached (a proxy's headers).",
        )
    return str(url)


def _show(told: object) -> str:
    parts = told if isinstance(told, list) else [told]
    return "; ".join(str(part) for part in parts if is_true(part))
