"""Texts with ``${name}`` in them: which values they stand for."""

import re
from collections.abc import Iterator

__all__ = ["find_names"]

_PLACE = re.compile(r"\$\{([^{}\n]*)\}?")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


_MAX_DEPTH = 100
"""Of a body."""


def find_names(value: object, depth: int = 0) -> Iterator[str]:
    """Names of the values that a text, or the texts within a body, stand for; in order, perhaps twice.

    Raises:
        ValueError: what follows ``${`` is not a name and ``}``, or tables are nested too deeply to be written.
    """
    if depth > _MAX_DEPTH:
        raise ValueError(f"is nested too deeply: {_MAX_DEPTH} tables in one another are the most")
    if isinstance(value, str):
        for place in _PLACE.finditer(value):
            if not (_NAME.fullmatch(place[1]) and place[0].endswith("}")):
                raise ValueError(f"{place[0]!r} is not ${{name}}: a name is lower case letters, digits and _")
            yield place[1]
    elif isinstance(value, dict):
        for member in value.values():
            yield from find_names(member, depth + 1)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from find_names(member, depth + 1)
