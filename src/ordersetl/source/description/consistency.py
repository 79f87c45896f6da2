"""What the tables of a description must be to each other: names that something gives, values that something uses."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ordersetl.settings.api_url import check_api_url
from ordersetl.source.description.kinds import suggest
from ordersetl.source.description.model import Call, Description, Paging, Request, Variable
from ordersetl.source.description.reads import is_read
from ordersetl.source.description.templates import find_names
from ordersetl.source.paths import find_chains

__all__ = ["CREDENTIALS", "Problem", "find_problems"]

Problem = tuple[tuple[str | int, ...], str]
"""The path of a key, and what is wrong with it."""
CREDENTIALS = ("api_token", "api_user", "api_password", "client_id", "client_secret", "refresh_token")
"""Settings that a request for a token may send."""
_WINDOW = ("since", "until")
_POSITIONS = {"cursor": "cursor", "page": "page", "offset": "offset"}
_RESERVED = {"api_url", "page_size", *_WINDOW, *_POSITIONS.values(), *CREDENTIALS}
_OF_ORDERS = ("max_objects", "max_pages", "cursor_lifetime")
"""Keys of paging that speak of windows, and of fetches that go on in a later command: a call has neither."""
_GENERIC_RECORDS = ("orders",)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def find_problems(description: Description) -> Iterator[Problem]:
    """All that contradicts itself between the tables, in the order of the file's tables."""
    variables = description.variables
    yield from _check_variables(variables)
    yield from _check_names(("window", "zone"), description.window and description.window.zone, variables)
    if description.auth.token:
        yield from _check_url(("auth", "token", "url"), description.auth.token.url)
        for key in ("url", "body"):
            given = {"api_url", *variables, *(CREDENTIALS if key == "body" else ())}
            yield from _check_names(("auth", "token", key), getattr(description.auth.token, key), given)
    if description.rights:
        yield from _check_names(("rights", "path"), description.rights.path, variables)
        yield from _check_begin(("rights", "path"), description.rights.path)
    yield from _check_request(description)
    yield from _check_headers(description)
    yield from _check_path(("records",), description.records.path, description.records.text)
    if description.records.path == ():
        for key in ("next", "has_more", "total", "page_count"):
            if getattr(description.paging, key) is not None:
                yield ("paging", key), "a bare list has nothing beside its orders: it must be in a header"
    if description.mapping is None and description.records.path != _GENERIC_RECORDS:
        yield ("records",), "without [mapping] the answers are the generic API's, and have their orders at orders"
    yield from _check_calls(description)
    yield from _check_mapping(description)


def _check_variables(variables: dict[str, Variable]) -> Iterator[Problem]:
    for name, variable in variables.items():
        path = ("variables", name)
        if name in _RESERVED:
            yield path, f"{name} is a value of its own: give the variable another name"
        elif not re.fullmatch("[a-z][a-z0-9_]*", name):
            yield path, "a name is lower case letters, digits and _, as ORDERSETL_VAR_ has it in upper case"
        yield from _check_names((*path, "default"), variable.default, ("api_url",))
        if variable.discover:
            yield from _check_names((*path, "discover", "path"), variable.discover.path, set(variables) - {name})
            yield from _check_begin((*path, "discover", "path"), variable.discover.path)
        if variable.per_request and variable.default is not None and not variable.default.strip(", "):
            yield (*path, "default"), "is a list without a value: leave it out where there is none"
        if variable.pattern is None:
            continue
        try:
            pattern = re.compile(variable.pattern)
        except re.error as error:
            yield (*path, "pattern"), f"is not a regular expression: {error}"
            continue
        default = variable.default
        if default is not None and "${" not in default and not pattern.fullmatch(default):
            yield (*path, "default"), f"{default!r} does not match the variable's own pattern {variable.pattern}"


def _check_request(description: Description) -> Iterator[Problem]:
    request = description.request
    if description.paging.end == "short_page":
        yield ("paging", "end"), "a short page proves no end of orders, as an API may send fewer than it was asked for"
    if description.paging.page_size is not None:
        yield ("paging", "page_size"), "is for calls: request.page_size says how many orders are asked for a page"
    yield from _check_begin(("request", "path"), request.path)
    given = {"page_size", *description.variables, *_position(description.paging)}
    if description.window is not None:
        given |= {*_WINDOW}
    used: set[str] = set()
    for key in ("path", "params", "headers", "body"):
        value = getattr(request, key)
        yield from _check_names(("request", key), value, given)
        used |= _used(value)
    if request.body is not None and request.method == "GET":
        yield ("request", "body"), 'a GET has no body: set method = "POST"'
    for name in _position(description.paging):
        if name not in used:
            kind = description.paging.kind
            yield ("paging", "kind"), f'"{kind}" goes on by ${{{name}}}, and no parameter, header or body has it'
    yield from _check_window(description, used)


def _check_headers(description: Description) -> Iterator[Problem]:
    """Problems of names and texts that a header cannot carry (RFC 9110, 5.1 and 5.5)."""
    auth, sent = description.auth, description.request.headers
    named: dict[tuple[str, ...], str] = {("request", "headers", name): name for name in sent}
    if auth.kind == "header" and auth.name is not None:
        named["auth", "name"] = auth.name
    for path, name in named.items():
        if not _HEADER.fullmatch(name):
            yield path, f"{name!r} is not the name of a header, such as X-Key: letters, digits and -"
    if auth.kind == "query" and not (auth.name or "").strip():
        yield ("auth", "name"), "must be the name of a parameter"
    for name, text in sent.items():
        if not (text.isascii() and text.isprintable() and text == text.strip()):
            yield ("request", "headers", name), f"{text!r} must be printable ASCII without blanks around it"


def _check_window(description: Description, used: Collection[str]) -> Iterator[Problem]:
    window = description.window
    if window is None:
        return
    if "since" not in used:
        yield ("window",), "the request has no ${since}: put it into a parameter or the body, or leave the window out"
    yield from _check_both_ends(description.request, is_bounded=window.bounded)
    if "until" in used:
        return
    for key in ("bounded", "max_span", "min_age"):
        if getattr(window, key):
            yield ("window", key), "needs an end, and the request has no ${until}"
    for key in ("max_objects", "max_pages"):
        if getattr(description.paging, key) is not None:
            yield ("paging", key), "needs windows that can be split, and the request has no ${until}"


def _check_both_ends(request: Request, *, is_bounded: bool) -> Iterator[Problem]:
    """Texts that name both ends of a window are left out where one of them is open, as it is in most runs."""
    problem = "names ${since} and ${until}, and is left out where one of them is open: set window.bounded = true"
    for key in ("params", "headers"):
        for name, text in getattr(request, key).items():
            if not is_bounded and {"since", "until"} <= _used(text):
                yield ("request", key, name), problem


def _check_calls(description: Description) -> Iterator[Problem]:
    rights = {right.name for right in description.rights.wanted} if description.rights else set()
    yield from _check_unique("calls", [call.name for call in description.calls])
    for number, call in enumerate(description.calls):
        path = ("calls", number)
        yield from _check_call(call, path, description.variables)
        if call.required_right is not None and call.required_right not in rights:
            meant = suggest(call.required_right, rights)
            yield (*path, "required_right"), f"{call.required_right!r} is none of rights.wanted{meant}"
        yield from _check_target(description, number)


def _check_target(description: Description, number: int) -> Iterator[Problem]:
    """Problems of where the answers of a call go: they must be seen there, and leave what others answered."""
    call, path = description.calls[number], ("calls", number, "into")
    target = _target(call)
    if not _DOTTED.fullmatch(call.into):
        yield path, f"{call.into!r} is not a path of names and points, such as products"
    elif description.mapping is not None and not is_read(description.mapping, target):
        yield path, f"the mapping looks at nothing in {'.'.join(target)}: the answers would be for nobody"
    if call.append or call.keep_unanswered:
        return
    for other in description.calls[:number]:
        if _target(other) == target and not _are_apart(call, other):
            yield path, f"the call {other.name} answers there already: set append = true, or give it another place"


def _are_apart(call: Call, other: Call) -> bool:
    """Whether two calls may be meant for what never meets: records by their ``when``, credentials by their rights."""
    one, another = call.required_right, other.required_right
    return bool((call.when and other.when) or (one and another and one != another))


def _target(call: Call) -> tuple[str, ...]:
    each = call.each.path if call.each is not None else None
    return (*(each or ()), *call.into.split("."))


def _check_call(call: Call, path: tuple[str | int, ...], variables: Collection[str]) -> Iterator[Problem]:
    given = {"page_size", *variables, *call.values, *(_position(call.paging) if call.paging else ())}
    for name in sorted({*call.values} & {*variables, *_RESERVED - {"cursor"}}):
        yield (*path, "with", name), f"${{{name}}} is something else already: give it another name"
    for key in ("path", "params", "body"):
        yield from _check_names((*path, key), getattr(call, key), given)
    yield from _check_begin((*path, "path"), call.path)
    if call.body is not None and call.method == "GET":
        yield (*path, "body"), 'a GET has no body: set method = "POST"'
    used = _used([call.path, call.params, call.body])
    if call.paging and call.paging.end == "short_page" and call.paging.page_size is None:
        yield (*path, "paging", "page_size"), "must say how many elements are asked for: else no page is a short one"
    for key in _OF_ORDERS:
        if call.paging and getattr(call.paging, key) is not None:
            yield (*path, "paging", key), "is for the paging of orders alone: leave it out of a call's"
    if call.append and call.keep_unanswered:
        yield (*path, "keep_unanswered"), "append keeps all of the list that is there already: set one of the two"
    if not used & {*call.values}:
        given_by = "nothing of it is used" if call.values else "must name a value of the record that the request has"
        yield (*path, "with"), f"{given_by}: each order would be asked for the same"
    yield from _check_path((*path, "records"), call.records.path, call.records.text)
    if call.each is not None and not call.each.path:
        yield (*path, "each"), f"must be the path of a list in the record, such as refunds; {call.each.text!r} is not"


def _check_mapping(description: Description) -> Iterator[Problem]:
    mapping = description.mapping
    if mapping is None:
        return
    yield from _check_unique("mapping.skip", [skip.name for skip in mapping.skip])
    for key in ("order_id", "created_at"):
        expression = getattr(mapping.order, key)
        if not find_chains(expression.tree):
            yield ("mapping", "order", key), f"{expression.text!r} reads nothing of the record: all orders would be one"
    if mapping.money == "minor" and mapping.order.currency is None:
        how = "where all orders are in one, name it so: currency = \"'EUR'\""
        yield ("mapping", "money"), f'"minor" needs order.currency, which tells how many digits an amount has; {how}'
    refunds = mapping.refunds
    there = {
        "discount": mapping.order.discount,
        "items.discount": mapping.items.discount,
        "refunds": refunds,
        "refund_items": refunds and refunds.items,
    }
    for name in mapping.absolute:
        if there[name] is None:
            yield ("mapping", "absolute"), f"names {name}, and the mapping has none"


def _check_names(path: tuple[str | int, ...], value: Any, given: Collection[str]) -> Iterator[Problem]:  # noqa: ANN401
    """Problems of the ``${name}`` in a text or body."""
    try:
        names = dict.fromkeys(find_names(value))
    except ValueError as error:
        yield path, str(error)
        return
    for name in names:
        if name not in given:
            yield path, f"there is no value ${{{name}}} here{suggest(name, given) or _list(given)}"


def _check_unique(where: str, names: Iterable[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield tuple(where.split(".")), f"two are named {name}: each name once"
        seen.add(name)


def _check_url(path: tuple[str | int, ...], url: str) -> Iterator[Problem]:
    """Problems of a URL that nothing has to be filled into."""
    if "${" in url:
        return
    try:
        check_api_url(url)
    except ValueError as error:
        yield path, str(error)


def _check_begin(path: tuple[str | int, ...], url_path: str) -> Iterator[Problem]:
    if url_path and url_path[0] not in "/?":
        yield path, f"must begin with /, as it follows --api-url: /{url_path}"


def _check_path(path: tuple[str | int, ...], found: tuple[str, ...] | None, text: str) -> Iterator[Problem]:
    if found is None:
        yield path, f"must be a path, such as data.orders, or @ for a bare list; {text!r} is more than that"


def _used(value: Any) -> set[str]:  # noqa: ANN401 - a text or a body
    try:
        return set(find_names(value))
    except ValueError:
        return set()


def _position(paging: Paging) -> tuple[str, ...]:
    """What of a request says at which page it is."""
    return (_POSITIONS[paging.kind],) if paging.kind in _POSITIONS else ()


def _list(given: Collection[str]) -> str:
    return f"; there are {', '.join(sorted(given))}" if given else "; there are none"
