"""What the page carries, read in Python."""

import re
from typing import Any

import msgspec

__all__ = ["read_data", "unpack"]

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def unpack(text: str) -> list[int]:
    """Numbers in base64 VLQ."""
    numbers, number, shift = [], 0, 0
    for bits in map(_DIGITS.index, text):
        number |= (bits & 31) << shift
        shift += 5
        if bits < 32:
            numbers.append(-(number >> 1) if number & 1 else number >> 1)
            number = shift = 0
    assert shift == 0
    return numbers


def read_data(page: str) -> Any:
    """The page's figures."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return msgspec.json.decode(found[1])
