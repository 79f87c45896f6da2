"""As much of GraphQL (spec.graphql.org) as the sample of Shopify's API needs: queries with variables, and their cost.

Values are dicts with every field of their type, lists, and Connections; a field that there is not is refused.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Connection", "GraphQLError", "Selection", "cost_of", "parse_query", "select"]

_TOKEN = re.compile(r'\.\.\.|[{}()\[\]:!,@=]|\$?[A-Za-z_][A-Za-z0-9_]*|-?[0-9]+|"[^"]*"|#[^\n]*|[^\s]')


class GraphQLError(Exception):
    """A query that cannot be answered."""


@dataclass(frozen=True)
class Selection:
    """A field that is asked for; ``fields`` are those of it, empty for a scalar; ``on`` is the type of a fragment."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    fields: tuple["Selection", ...] = ()
    on: str | None = None


@dataclass(frozen=True)
class Connection:
    """A list that is paged: all of it, the cursor of each, ascending, and how one of them is rendered."""

    values: Sequence[Any]
    cursors: Sequence[str]
    render: Callable[[Any], Mapping[str, Any]] = dict


def parse_query(text: str, variables: Mapping[str, Any]) -> tuple[Selection, ...]:
    """What the query of a document asks for, variables put in, and what is not to be included left out.

    Raises:
        GraphQLError: it is not such a document, or a variable is missing.
    """
    tokens = [token for token in _TOKEN.findall(text) if not token.startswith(("#", ","))]
    try:
        start = tokens.index("{")
        declared = set(re.findall(r"\$(\w+)\s*:", text))
        parser = _Parser(tokens[start:], {name: variables.get(name) for name in declared})
        selections = parser.fields()
    except (IndexError, ValueError):
        raise GraphQLError("syntax error, unexpected end of file") from None
    if parser.rest:
        raise GraphQLError(f"syntax error, unexpected {parser.rest[0]!r}")
    return selections


class _Parser:
    def __init__(self, tokens: list[str], variables: Mapping[str, Any]) -> None:
        self.rest = tokens
        self._variables = variables

    def _take(self, expected: str | None = None) -> str:
        token = self.rest.pop(0)
        if expected is not None and token != expected:
            raise GraphQLError(f"syntax error, unexpected {token!r}, expecting {expected!r}")
        return token

    def fields(self) -> tuple[Selection, ...]:
        self._take("{")
        found = []
        while self.rest[0] != "}":
            selection, included = self._field()
            if included:
                found.append(selection)
        self._take("}")
        return tuple(found)

    def _field(self) -> tuple[Selection, bool]:
        name, on = self._take(), None
        if name == "...":
            self._take("on")
            on = self._take()
        elif not name.isidentifier():
            raise GraphQLError(f"syntax error, unexpected {name!r}")
        arguments = self._arguments() if self.rest[0] == "(" else {}
        included = True
        while self.rest[0] == "@":
            self._take()
            directive, condition = self._take(), self._arguments()["if"]
            included &= condition is (directive == "include")
        return Selection(name, arguments, self.fields() if self.rest[0] == "{" else (), on), included

    def _arguments(self) -> dict[str, Any]:
        self._take("(")
        found = {}
        while self.rest[0] != ")":
            name = self._take()
            self._take(":")
            found[name] = self._value(self._take())
        self._take(")")
        return found

    def _value(self, token: str) -> Any:  # noqa: ANN401 - any JSON value
        if token.startswith("$"):
            if token[1:] not in self._variables:
                raise GraphQLError(f"Variable {token} is used but not declared")
            return self._variables[token[1:]]
        if token.startswith('"'):
            return token[1:-1]
        return {"true": True, "false": False, "null": None}.get(token, int(token) if token.isdecimal() else token)


def select(value: Mapping[str, Any], fields: Sequence[Selection]) -> dict[str, Any]:
    """The fields of a value that are asked for.

    Raises:
        GraphQLError: one of them is not there, or asked for in another way than it can be.
    """
    found: dict[str, Any] = {}
    for asked in fields:
        if asked.on is not None:
            if value["__typename"] == asked.on:
                found |= select(value, asked.fields)
        elif asked.name not in value:
            raise GraphQLError(f"Field '{asked.name}' doesn't exist on type '{value.get('__typename', 'Object')}'")
        else:
            found[asked.name] = _shape(value[asked.name], asked)
    return found


def _shape(value: Any, asked: Selection) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case Connection():
            return _page(value, asked)
        case dict():
            _require_fields(asked, bool(asked.fields))
            return select(value, asked.fields)
        case list() if value and isinstance(value[0], dict):
            _require_fields(asked, bool(asked.fields))
            return [select(each, asked.fields) for each in value]
        case None | list():
            return value
        case _:
            _require_fields(asked, not asked.fields)
            return value


def _require_fields(asked: Selection, fit: bool) -> None:  # noqa: FBT001 - what is required
    if not fit:
        raise GraphQLError(f"Field '{asked.name}' must have selections, or cannot have any")


def _page(connection: Connection, asked: Selection) -> dict[str, Any]:
    size = size_of(asked)
    after = asked.arguments.get("after")
    start = 0 if after is None else bisect_right(connection.cursors, after)
    page = [connection.render(value) for value in connection.values[start : start + size]]
    cursors = connection.cursors[start : start + size]
    info = {
        "hasNextPage": start + size < len(connection.values),
        "hasPreviousPage": start > 0,
        "startCursor": cursors[0] if page else None,
        "endCursor": cursors[-1] if page else None,
    }
    edges = [{"cursor": cursor, "node": each} for cursor, each in zip(cursors, page, strict=True)]
    return select({"nodes": page, "edges": edges, "pageInfo": info}, asked.fields)


def size_of(asked: Selection) -> int:
    """How many of a connection are asked for.

    Raises:
        GraphQLError: it does not say, or too many.
    """
    first = asked.arguments.get("first")
    if type(first) is not int or not 1 <= first <= 250:  # noqa: PLR2004 - the API's own limit
        raise GraphQLError(f"you must provide one of first or last, from 1 to 250, on {asked.name}")
    return first


def cost_of(fields: Sequence[Selection]) -> int:
    """Points that a query costs at most: an object one, a connection grows with the logarithm of its size.

    Shopify does not publish its formula; this one gives what it answered to a query that people have shown.
    """
    total = 0
    for asked in fields:
        if asked.name in {"pageInfo", "nodes", "edges", "node"} or asked.on is not None:
            total += cost_of(asked.fields)
        elif "first" in asked.arguments:
            total += 2 + max(1, round(2 * math.log(size_of(asked)))) * (1 + cost_of(asked.fields))
        elif asked.fields:
            total += 1 + cost_of(asked.fields)
    return total
