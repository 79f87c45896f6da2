"""Texts of a description with ``${name}`` in them, filled in with values."""

import re
from collections.abc import Mapping, Sequence, Set as AbstractSet
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from ordersetl.source.description.templates import find_names

__all__ = ["Value", "fill_body", "fill_params", "fill_path", "fill_text", "keep_alone", "names_in", "shorten_template"]

Value = str | int | Sequence[str]
"""Of a name; a list is comma-separated in a text."""

_ALONE = {"cursor", "page_size"}
_NAME = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")


def names_in(template: object) -> AbstractSet[str]:
    """The names that a text, or any text in a body, stands for."""
    return _names_in_text(template) if isinstance(template, str) else set(find_names(template))


@lru_cache(1024)
def _names_in_text(template: str) -> frozenset[str]:
    return frozenset(find_names(template))


def shorten_template(template: str) -> str:
    """A text for people, with dots where its values would be."""
    return _NAME.sub("...", template)


def fill_text(template: str, values: Mapping[str, Value]) -> str | None:
    """The text with its values; None where it names one that there is not."""
    if not names_in(template) <= values.keys():
        return None
    return _NAME.sub(lambda match: _show(values[match[1]]), template)


def fill_path(template: str, values: Mapping[str, Value]) -> str | None:
    """As :func:`fill_text`, each value escaped to be one part of a path; None too where it would lead elsewhere."""
    named = {name: _show(values[name]) for name in names_in(template) & values.keys()}
    if {"", ".", ".."} & set(named.values()):
        return None
    return fill_text(template, {name: quote(text, safe="") for name, text in named.items()})


def fill_params(templates: Mapping[str, str], values: Mapping[str, Value]) -> dict[str, str]:
    """Parameters or headers without those that name a value that there is not."""
    filled = {name: fill_text(template, values) for name, template in templates.items()}
    return {name: text for name, text in filled.items() if text is not None}


def fill_body(template: Any, values: Mapping[str, Value]) -> Any:  # noqa: ANN401 - any JSON value
    """A body without the members that name a value that there is not.

    A text that is nothing but one name becomes its value, of the value's type.
    """
    if isinstance(template, Mapping):
        return {
            name: fill_body(member, values)
            for name, member in template.items()
            if not isinstance(member, str) or names_in(member) <= values.keys()
        }
    if isinstance(template, list):
        return [fill_body(m, values) for m in template if not isinstance(m, str) or names_in(m) <= values.keys()]
    if isinstance(template, str):
        alone = _NAME.fullmatch(template)
        if alone:
            value = values[alone[1]]
            return value if isinstance(value, str | int) else list(value)
        return fill_text(template, values)
    return template


def keep_alone(template: Any) -> Any:  # noqa: ANN401 - parameters, or a body of any JSON value
    """What of the parameters or the body of a request names its cursor or page size."""
    if isinstance(template, Mapping):
        return {name: keep_alone(part) for name, part in template.items() if names_in(part) & _ALONE}
    if isinstance(template, list):
        return [keep_alone(part) for part in template if names_in(part) & _ALONE]
    return template


def _show(value: Value) -> str:
    return ",".join(value) if not isinstance(value, str | int) else str(value)
