"""Which calls the records of a page need: what each is asked with, and into what its answer goes."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from ordersetl.source.description.expressions import is_true
from ordersetl.source.description.model import Call
from ordersetl.source.joined import Key
from ordersetl.source.page import Page
from ordersetl.source.paths import Members
from ordersetl.source.session import SourceSession
from ordersetl.source.template import Value

__all__ = ["CallTask", "list_tasks"]

_EXACT_FLOAT = 2**53
_DIGITS = 40
"""Of a whole number, more than any id has."""


class CallTask(NamedTuple):
    """One call of one record."""

    call: Call
    key: Key
    values: Mapping[str, Value]


def list_tasks(session: SourceSession, page: Page) -> Iterator[CallTask]:
    """The calls that the records of a page need, call by call."""
    for call in session.description.calls:
        if session.lacks(call.required_right):
            session.warn_once(
                f"call {call.name}",
                f"the credentials lack the right {call.required_right}: {call.name} of orders are left out.",
            )
            continue
        named = call.each or None
        members = Members([named] if named is not None else [call.when, *call.values.values()])
        texts = page.texts
        records = members.read_all(texts) if texts is not None else [...] * page.head.records
        whole = page.shape.parse(page) if page.shape is not None and ... in records else []
        for at, found in enumerate(records):
            yield from _list_calls(session, call, at, whole[at] if found is ... else found)


def _list_calls(session: SourceSession, call: Call, at: int, record: Any) -> Iterator[CallTask]:  # noqa: ANN401 - any JSON value
    elements = call.each.search(record) if call.each is not None else [record]
    for index, element in enumerate(elements if isinstance(elements, list) else []):
        if not isinstance(element, dict):
            continue
        if call.when is not None and not is_true(call.when.search(element, failed=True)):  # where it cannot tell, ask
            continue
        found = {name: expression.search(element) for name, expression in call.values.items()}
        values = {name: value for name, given in found.items() if (value := _make_sendable(given)) is not None}
        if len(values) < len(found):  # without one of them it would ask for something else
            _warn_unasked(session, call, next(name for name in found if name not in values))
            continue
        yield CallTask(call, (call.name, at, index if call.each is not None else None), values)


def _warn_unasked(session: SourceSession, call: Call, name: str) -> None:
    session.warn_once(
        f"call {call.name} without {name}",
        f"{call.name} of an order that has no {call.values[name].text} are not asked for: if it must have one, look "
        f"at `with` of the call {call.name}.",
    )


def _make_sendable(value: object) -> str | int | None:
    """What can stand in a request; None of what is absent, blank, or neither a text nor a whole number."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_FLOAT:
        value = int(value)
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < _DIGITS and value == int(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return value if isinstance(value, int) else value.strip() or None
