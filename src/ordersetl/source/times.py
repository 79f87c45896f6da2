"""The newest time that a page's records show: the source's own clock, which says where the next window begins."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from ordersetl.source.page import Page
from ordersetl.star.values import read_time, version_time_of
from ordersetl.window import MAX_AHEAD

__all__ = ["are_since", "find_newest"]

_SHAPE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
"""Times of one length, one offset and one separator (``T`` or a blank) in this shape sort as text."""
_SEPARATOR = 10
"""Where the separator of date and time is in this shape."""


def find_newest(page: Page, began_at: datetime) -> datetime | None:
    """The newest ``updated_at`` of a page's records, ``created_at`` where a record has none; naive times are UTC.

    What cannot be read is left out, and so is what lies more than a day after ``began_at``, unless all that can be
    read does. None where nothing can.
    """
    latest = began_at + MAX_AHEAD
    texts = [time for time in page.shape.read_times(page) if type(time) is str] if page.shape else _list_texts(page)
    if not texts:
        return None
    newest = max(filter(None, map(read_time, _pick_candidates(texts))), default=None)
    if newest is None or newest > latest:
        readable = list(filter(None, map(read_time, set(texts))))
        newest = max((time for time in readable if time <= latest), default=max(readable, default=None))
    return newest


def are_since(page: Page, since: datetime, *, skip: int) -> bool:
    """Whether each record of a described source's page, behind the first so many, shows such a time or a later one.

    It is that which :func:`find_newest` looks at. One that cannot be read is not.
    """
    found = page.shape.read_times(page)[skip:] if page.shape else []
    times = [read_time(time) if type(time) is str else None for time in found]
    return all(time is not None and time >= since for time in times)


def _list_texts(page: Page) -> list[str]:
    return [
        time
        for key in page.head.keys or ()
        # the rule is asked where it is not plain what it says: a call a record would take as long as all else
        if type(time := key.updated_at or version_time_of(key.created_at, key.updated_at)) is str
    ]


def _pick_candidates(texts: Sequence[str]) -> Iterable[str]:
    """Those of the times that may be the newest: one of each shape, where shapes can be recognized."""
    length, count = Counter(map(len, texts)).most_common(1)[0]
    usual = [text for text in texts if len(text) == length] if count < len(texts) else texts
    shapes = defaultdict[tuple[int, str], list[str]](list)
    others = texts
    if _are_alike("".join(usual), length):  # as on most pages, which so have no loop over their records
        shapes[length, usual[0][-6:]] = list(usual)
        others = [text for text in texts if len(text) != length] if count < len(texts) else []
    for text in others:
        has_offset = text[-6:-5] in {"+", "-"} or text[-5:-4] in {"+", "-"}
        offset = text[-6:] if has_offset else text[-1:].strip("0123456789")
        shapes[len(text), text[_SEPARATOR : _SEPARATOR + 1] + offset].append(text)
    candidates: set[str] = set()
    for alike in shapes.values():
        top = max(alike, default="")
        candidates |= {top} if _SHAPE.fullmatch(top) else set(alike)
    return candidates


def _are_alike(joined: str, length: int) -> bool:
    """Whether texts of this length, one after the other, have one separator and all end in Z, or in the same six."""
    if length > _SEPARATOR and len(set(joined[_SEPARATOR::length])) > 1:
        return False
    ends = [joined[at::length] for at in range(max(length - 6, 0), length)]
    alike = [column.count(column[0]) == len(column) for column in ends]
    return bool(alike) and alike[-1] and (ends[-1][0] == "Z" or all(alike))
