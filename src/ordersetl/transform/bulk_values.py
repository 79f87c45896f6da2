"""Values of a payload as DuckDB wrote them: which of them are certain to be what the models read, and these as columns.

The patterns are narrower than the rules of the models. Numbers went through doubles.
"""

from collections.abc import Collection
from functools import reduce
from operator import and_

import polars as pl

from ordersetl.star.frames import ITEM_SCHEMA
from ordersetl.star.values import TEXT_BYTES

__all__ = [
    "CENTS",
    "LARGE",
    "NUMBER",
    "PLAIN_TEXT",
    "SEPARATOR",
    "TIME",
    "all_of",
    "fits_id",
    "fits_text",
    "holds_floats",
    "is_absent_or",
    "is_sure",
    "read_id_text",
    "read_number",
    "read_times",
    "strip_quotes",
]

SEPARATOR = b"\x1f"
"""In no JSON: a control character in a string is escaped there, and this one is no white space."""
_END = r"[!#-\[\]-~\p{L}\p{N}]"
"""First and last character of a text that stripping leaves alone for certain."""
PLAIN_TEXT = rf'^(?:"{_END}(?:[^\\]*{_END})?"|[0-9]{{1,18}})$'
_ID = rf'^(?:"{_END}(?:[^\\]*{_END})?"|[0-9]{{1,18}}|[0-9]{{1,15}}\.0)$'
NUMBER = r'^"?(?:[0-9]{1,9}(?:\.(?:[0-9]{1,4}|[0-9]{4}[0-46-9]|[0-9]{6,20}))?|[0-9]{10,14})"?$'
"""A number that rounds to four digits as the one in the payload does, of which DuckDB wrote the double.

The two lie on the same side of a tie, or else the double is the tie itself: below 10^9 that has 14 digits at most, so
it is the shortest text of its double. From there on only whole numbers are certain.
"""
CENTS = r'^"?-?[0-9]{1,12}(?:\.[0-9]{1,4})?"?$'
"""A number of no more than four digits after the point, of either sign: sums of such are exact."""
TIME = (
    r'^"(?:197[1-9]|19[89][0-9]|20[0-9][0-9]|21[0-8][0-9])-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]'
    r'(?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?"$'
)
LARGE = 9e13
"""Amounts from here on are left to the models: a float cannot tell them from 10^14."""


def all_of(*conditions: pl.Expr) -> pl.Expr:
    """Whether all conditions are true; null is not."""
    return reduce(and_, conditions).fill_null(value=False)


def strip_quotes(name: str) -> pl.Expr:
    """Text of a JSON string or number that fits."""
    return pl.col(name).str.strip_chars('"')


def read_id_text(name: str, floats: Collection[str]) -> tuple[pl.Expr, pl.Expr]:
    """An id's text, and whether it is a double without a fraction; a string ends with its quote."""
    if name not in floats:
        return strip_quotes(name).alias(name), pl.lit(value=False).alias(f"{name}_is_float")
    is_float = pl.col(name).str.ends_with(".0").fill_null(value=False)
    return pl.col(name).str.strip_suffix(".0").str.strip_chars('"').alias(name), is_float.alias(f"{name}_is_float")


def holds_floats(ids: pl.Series) -> bool:
    """Whether any of these ids was read as a double."""
    return bool(ids.str.ends_with(".0").any())


def read_number(name: str) -> pl.Expr:
    """DECIMAL(18,4) of a number, or of a number as text."""
    return strip_quotes(name).cast(ITEM_SCHEMA["qty"], strict=False)


def read_times(values: pl.Series) -> pl.Series:
    """Naive UTC of times in one of the forms that fit. The usual form has a fast path; the rest is slower."""
    text = values.str.strip_chars('"')
    times = text.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", strict=False, cache=False)
    rest = (times.is_null() & text.is_not_null()).arg_true()
    if rest.is_empty():
        return times
    other = pl.DataFrame({"text": text.gather(rest)}).select(
        pl.when(pl.col("text").str.contains(r"(?:Z|[+-][0-9]{2}:[0-9]{2})$"))
        .then(pl.col("text"))
        .otherwise(pl.col("text") + "Z")
        .str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        .dt.replace_time_zone(None)
    )
    return times.scatter(rest, other.to_series())


def fits_id(name: str, pattern: str = _ID) -> pl.Expr:
    """Whether there is an id, at most 255 bytes long and in no need of stripping."""
    fits = pl.col(name).str.len_bytes() <= TEXT_BYTES
    return (pl.col(name).str.contains(pattern) & fits).fill_null(value=False)


def fits_text(name: str) -> pl.Expr:
    """The same of a text, or whether there is none."""
    return pl.col(name).is_null() | fits_id(name, PLAIN_TEXT)


def is_sure(texts: pl.DataFrame) -> list[pl.Expr]:
    """Whether texts that a mapping made are certain; nothing of others."""
    return [pl.col("sure")] if "sure" in texts.columns else []


def is_absent_or(name: str, pattern: str) -> pl.Expr:
    """Whether there is no value, or one of this pattern."""
    return pl.col(name).str.contains(pattern).fill_null(value=True)
