"""On which line of a TOML file a key is."""

import re
import tomllib

__all__ = ["find_line"]

_HEADER = re.compile(r"\s*\[(\[)?\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


def find_line(text: str, location: tuple[str | int, ...]) -> int | None:
    """Line, from 1, of the key at a location (names, and numbers of tables of a list from 0), or of its table.

    The deepest part of the location that the file has counts; None where it has none of it, or writes it in a way
    that this does not look for.
    """
    found: tuple[int, int] | None = None
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if header := _HEADER.match(line):
            names = _names(header[2])
            if header[1]:
                counts[names] = counts.get(names, -1) + 1
            path = table = _count(names, counts)
        elif key := _KEY.match(line):
            path = (*table, *_names(key[1]))
        else:
            continue
        depth = len(path)
        if path == location[:depth] and (found is None or depth > found[0]) and _is_toml(lines[:number]):
            found = depth, number + 1
    return found[1] if found else None


def _names(key: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


def _count(names: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> tuple[str | int, ...]:
    """The names with the number of the table after each that is of a list."""
    path: list[str | int] = []
    for depth, name in enumerate(names, 1):
        path.append(name)
        if names[:depth] in counts:
            path.append(counts[names[:depth]])
    return tuple(path)


def _is_toml(above: list[str]) -> bool:
    """Whether a line after these begins something: within a text of several lines it would not."""
    try:
        tomllib.loads("\n".join(above))
    except ValueError:
        return False
    return True
