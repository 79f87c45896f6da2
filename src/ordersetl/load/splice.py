"""A few rows put into a sorted CSV of many, without taking the others apart: each is copied as the bytes that it is."""

from collections.abc import Iterator

import polars as pl

from ordersetl.star.frames import to_csv

__all__ = ["splice_rows"]


def splice_rows(body: bytes, rows: pl.DataFrame) -> tuple[bytes, int] | None:
    """The CSV with the rows, each in place of the one that has its key, and how many keys are new.

    Args:
        body: CSV as :func:`ordersetl.star.frames.to_csv` writes it, its rows sorted by their first column, the key.
        rows: of the same table, sorted likewise, each key once.

    Returns:
        None where a cell is quoted: then a line need not be a row.
    """
    added = to_csv(rows)
    if b'"' in body or b'"' in added:
        return None
    first = body.index(b"\n") + 1
    pieces: list[bytes | memoryview] = []
    begin = new = 0
    for line in _split(added):
        at, is_there = _find(body, line.partition(b",")[0], max(begin, first))
        pieces += [memoryview(body)[begin:at], line]
        begin = body.index(b"\n", at) + 1 if is_there else at
        new += not is_there
    return b"".join([*pieces, memoryview(body)[begin:]]), new


def _split(added: bytes) -> Iterator[bytes]:
    """The lines of a CSV after its header, with their ends."""
    yield from (line + b"\n" for line in added.split(b"\n")[1:-1])


def _find(body: bytes, key: bytes, low: int) -> tuple[int, bool]:
    """Where the row of a key begins, or would, from the row at ``low`` on; and whether there is one. By bisection."""
    high = len(body)
    while low < high:
        middle = body.rfind(b"\n", low, (low + high) // 2)
        begin = low if middle < 0 else middle + 1
        found = body[begin : body.index(b",", begin)]
        if found == key:
            return begin, True
        if found < key:
            low = body.index(b"\n", begin) + 1
        else:
            high = begin
    return low, False
