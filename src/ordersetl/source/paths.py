"""Reads of a JSON text only what expressions name: msgspec skips the rest, at many times the speed of a full parse."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypedDict

import msgspec

from ordersetl.source.description.expressions import Expression
from ordersetl.source.head import DECODING

__all__ = ["Chain", "Members", "find_chains", "make_type"]

Chain = tuple[str, ...]
"""Names of members from the outermost in; empty for the value itself."""


def find_chains(node: Mapping[str, Any]) -> set[Chain]:
    """What of a value the tree of an expression looks at, at most: no result changes where the rest is left out."""
    children = node["children"]
    match node["type"]:
        case "literal" | "expref":  # the latter is about elements of what another argument names
            return set()
        case "field":
            return {(node["value"],)}
        case "subexpression" if all(child["type"] == "field" for child in children):
            return {tuple(child["value"] for child in children)}
        case (
            "subexpression" | "index_expression" | "projection" | "filter_projection" | "value_projection" | "flatten"
        ) | "pipe":
            return find_chains(children[0])
        case (
            ("function_expression" | "or_expression" | "and_expression" | "not_expression" | "comparator")
            | "key_val_pair"
            | "multi_select_list"
            | "multi_select_dict"
        ):
            return {chain for child in children for chain in find_chains(child)}
        case _:
            return {()}


def make_type(leaves: Mapping[Chain, Any]) -> Any:  # noqa: ANN401 - a type for msgspec
    """A type of nested objects with these members, of which each may be absent; a chain within another's is in it."""
    if () in leaves:
        return leaves[()]
    inner: dict[str, dict[Chain, Any]] = {}
    for chain, leaf in leaves.items():
        inner.setdefault(chain[0], {})[chain[1:]] = leaf
    members = {name: make_type(found) for name, found in inner.items()}
    return TypedDict("_Members", members, total=False) | None  # type: ignore[operator]


class Members:
    """Reads values by expression from a JSON object, and nothing else of it."""

    def __init__(self, expressions: Iterable[Expression | None]) -> None:
        self._chains = {chain for e in expressions if e is not None for chain in find_chains(e.tree)}

    @cached_property
    def type(self) -> Any:  # noqa: ANN401 - a type for msgspec
        """The type that holds what the expressions name."""
        return make_type(dict.fromkeys(self._chains, Any))

    @cached_property
    def _decoder(self) -> Any:  # noqa: ANN401 - of a type made here
        return msgspec.json.Decoder(self.type)

    @cached_property
    def _list_decoder(self) -> Any:  # noqa: ANN401 - of a type made here
        return msgspec.json.Decoder(list[self.type])  # type: ignore[name-defined]

    def read(self, text: bytes | msgspec.Raw) -> Any:  # noqa: ANN401 - any JSON value
        """The object with the members that the expressions name; ... where it has another form, or is too odd."""
        try:
            return self._decoder.decode(text)
        except DECODING:
            return ...

    def read_all(self, texts: Sequence[msgspec.Raw]) -> list[Any]:
        """As :func:`read`, of each of the texts."""
        try:
            return self._list_decoder.decode(b"[" + b",".join(texts) + b"]")  # type: ignore[no-any-return]
        except DECODING:
            return [self.read(text) for text in texts]
