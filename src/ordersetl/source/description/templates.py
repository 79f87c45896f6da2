"""Texts with ``${name}`` in them: which values they stand for."""

import re
from collections.abc import Iterator

__all__ = ["find_names"]

_PLACE = re.compile(r"\$\{([^{}\n]*)\}?")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def find_names(value: object) -> Iterator[str]:
    """Names of the values that a text, or the texts within a body, stand for; in order, perhaps twice.

    Raises:
        ValueError: what follows ``${`` is not a name and ``}``.
    """
    if isinstance(value, str):
        for place in _PLACE.finditer(value):
            if not (_NAME.fullmatch(place[1]) and place[0].endswith("}")):
                raise ValueError(f"{place[0]!r} is not ${{name}}: a name is lower case letters, digits and _")
            yield place[1]
    elif isinstance(value, dict):
        for member in value.values():
            yield from find_names(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from find_names(member)
