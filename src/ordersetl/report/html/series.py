"""Figures as the page carries them: exact integers, packed tightly, unpacked by ``page.js``.

Numbers are written as in source maps (https://tc39.es/ecma426/#sec-base64-vlq): five bits a character, the lowest
ones first, the sixth says that there is more; the lowest bit of all is the sign. Amounts are integers of the smallest
decimal place that a currency's figures use.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

from ordersetl.results import DaySales, Share

__all__ = ["encode_days", "encode_shares", "fold_months", "pack"]

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_MORE = 32
_BITS = 5
_PLACES = 4
"""Decimal places of every amount in the curated layer."""
_STEPS = ("gross", "discount", "tax", "shipping", "amount", "refunded", "cancelled")
_EPOCH = date(1970, 1, 1)


def pack(numbers: Iterable[int]) -> str:
    """Integers of any size and sign as text of letters, digits, ``-`` and ``_``."""
    return "".join(map(_pack, numbers))


def encode_days(days: Sequence[DaySales]) -> dict[str, Any]:
    """One currency's days, in columns: ``places`` of its amounts, ``day`` as steps since 1970, ``orders``, amounts."""
    places = _count_places(getattr(day, step) for day in days for step in _STEPS)
    numbers = [(day.day - _EPOCH).days for day in days]
    return {
        "places": places,
        "day": pack(now - before for before, now in zip([0, *numbers], numbers, strict=False)),
        "orders": pack(day.orders for day in days),
        **{step: pack(_scale(getattr(day, step), places) for day in days) for step in _STEPS},
    }


def encode_shares(shares: Iterable[Share], names: dict[str, int]) -> str:
    """Products or countries of one period and currency: number of the name from 1, 0 for the others; then figures.

    A row is name, names, count, amount and net, the last three in four decimal places. ``names`` gets the missing ones.
    """
    numbers: list[int] = []
    for share in shares:
        name = 0 if share.name is None else names.setdefault(share.name, len(names)) + 1
        figures = (_scale(figure, _PLACES) for figure in (share.count, share.amount, share.net))
        numbers += [name, share.names, *figures]
    return pack(numbers)


def fold_months(days: Sequence[DaySales], since: date) -> list[DaySales]:
    """One currency's days, those of months that end before ``since`` added up on the first of their month."""
    first = since.replace(day=1)
    older, kept = [day for day in days if day.day < first], [day for day in days if day.day >= first]
    months = groupby(older, lambda day: day.day.replace(day=1))
    return [*(_add(month, list(some)) for month, some in months), *kept]


def _add(month: date, days: list[DaySales]) -> DaySales:
    sums: dict[str, Any] = {step: sum((getattr(day, step) for day in days), Decimal(0)) for step in _STEPS}
    return replace(days[0], day=month, orders=sum(day.orders for day in days), **sums)


def _pack(number: int) -> str:
    number = -number << 1 | 1 if number < 0 else number << 1
    text = ""
    while True:
        number, digit = number >> _BITS, number & (_MORE - 1)
        text += _DIGITS[digit | _MORE if number else digit]
        if not number:
            return text


def _scale(amount: Decimal | int, places: int) -> int:
    return int(Decimal(amount).scaleb(places))


def _count_places(amounts: Iterator[Decimal]) -> int:
    """Decimal places that it takes to write each amount exactly."""
    used = {_scale(amount, _PLACES) for amount in amounts}
    return next(places for places in range(_PLACES + 1) if all(not each % 10 ** (_PLACES - places) for each in used))
