"""Values of native records, as JSON text, become such values of the generic API, where that is certain.

Else they fit nothing, so that the record goes through the mapping of one record. The rules are those of
:mod:`ordersetl.source.mapping`.
"""

import json
import re
from collections.abc import Sequence

import polars as pl

from ordersetl.currencies import list_digits
from ordersetl.source.mapping.times import find_time_reader
from ordersetl.transform.bulk_values import PLAIN_TEXT, strip_quotes
from ordersetl.transform.mapped_paths import NotInBulkError

__all__ = [
    "find_currency_digits",
    "read_amount",
    "read_guest",
    "read_id",
    "read_label",
    "read_sku",
    "read_times",
    "strip_line_ends",
]

_UNFIT = pl.lit("?")
_BLANK = '""'
_PREFIX = re.compile(r"[!#-\[\]-~]+")
_MINOR = r'^"?[0-9]{1,14}"?$'
_UNITS = 10_000
"""Units of 0.0001 in a unit."""
_MAIL_TIME = r'^"(?:[A-Z][a-z]{2}, )?([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9:]{8}) ([+-][0-9]{2})([0-9]{2})"$'
_SPACED_DAY = r'^("[0-9]{4}-[0-9]{2}-[0-9]{2}) '
_MONTHS = {
    f"-{name}-": f"-{number:02d}-"
    for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)  # noqa: SIM905 - read so
}
_EPOCHS = {"epoch": (r'^"?[0-9]{1,10}"?$', 1000), "epoch_ms": (r'^"?[0-9]{1,13}"?$', 1)}
"""By format, the pattern of what is certain, and how many milliseconds one is."""


def read_label(value: pl.Expr) -> pl.Expr:
    """A text that people read; null of an empty one."""
    return pl.when(value != _BLANK).then(value)


def strip_line_ends(labels: pl.Series) -> pl.Series:
    """Labels without a line end after them, as Magento names its stores; null of one that is nothing else."""
    rows = labels.str.ends_with('\n"').arg_true()
    if rows.is_empty():
        return labels
    stripped = labels.gather(rows).str.replace(r'\s+"$', '"')
    return labels.scatter(rows, stripped.set(stripped == _BLANK, None))


def read_id(value: pl.Expr) -> pl.Expr:
    """An id; null of an empty one. A double may have lost digits that the payload has."""
    is_double = value.str.ends_with(".0")
    return pl.when(is_double).then(_UNFIT).when(value != _BLANK).then(value)


def read_guest(value: pl.Expr, guests: Sequence[str]) -> pl.Expr:
    """An id of a user; null of one of these, which stand for nobody."""
    texts = [form for guest in guests for form in (json.dumps(guest, ensure_ascii=False), f'"{guest}"', guest)]
    return pl.when(~value.is_in(texts)).then(read_id(value))


def read_sku(value: pl.Expr, fallbacks: Sequence[tuple[str, pl.Expr]]) -> pl.Expr:
    """An SKU, or where that is blank the first of the (prefix, id) whose id is neither blank nor 0.

    Raises:
        NotInBulkError: JSON needs an escape for one of the prefixes.
    """
    if not all(_PREFIX.fullmatch(prefix) for prefix, _ in fallbacks):
        raise NotInBulkError("a prefix has a character that JSON needs an escape for")
    found = pl.lit(None, pl.String)
    for prefix, given in reversed(fallbacks):
        named = pl.concat_str(pl.lit(f'"{prefix}:'), given.str.strip_chars('"'), pl.lit('"'))
        is_blank = given.is_null() | given.is_in([_BLANK, "0", '"0"'])
        certain = given.str.contains(PLAIN_TEXT)
        found = pl.when(is_blank).then(found).when(certain).then(named).otherwise(_UNFIT)
    return pl.when(value.is_null() | (value == _BLANK)).then(found).otherwise(read_id(value))


def find_currency_digits(currency: pl.Expr) -> pl.Expr:
    """How many digits amounts of a currency have after the point; null where that is not certain."""
    return currency.str.strip_chars('"').str.to_uppercase().replace_strict(list_digits(), default=None)


def read_amount(value: pl.Expr, *, digits: pl.Expr | None, absolute: bool = False) -> pl.Expr:
    """An amount in major units; null of an empty one.

    Args:
        value: in minor units with so many ``digits``, or in major units where these are None.
        digits: as :func:`find_currency_digits` has them.
        absolute: without its sign.
    """
    given = pl.when(value != _BLANK).then(value.str.replace('^("?)-', "${1}") if absolute else value)
    if digits is None:
        return given
    units = given.str.strip_chars('"').cast(pl.Int64, strict=False)
    factor = digits.replace_strict({count: _UNITS // 10**count for count in range(5)}, default=None)
    major = ((units * factor).cast(pl.Decimal(38, 4)) / pl.lit(_UNITS)).cast(pl.String)
    certain = given.str.contains(_MINOR) & digits.is_not_null()
    return pl.when(certain).then(major).when(given.is_not_null()).then(_UNFIT)


def read_times(values: pl.Series, times: str, zone: str) -> pl.Series:
    """Times in the form that the generic API mostly has; null of empty ones."""
    if values.null_count() == len(values):
        return values
    given = values.set(values == _BLANK, None).rename("value")
    if times in _EPOCHS:
        pattern, factor = _EPOCHS[times]
        count = strip_quotes("value").cast(pl.Int64, strict=False) * factor
        text = pl.from_epoch(count, time_unit="ms").dt.to_string('"%Y-%m-%dT%H:%M:%S%.3fZ"')
        fits = pl.col("value").str.contains(pattern)
        return given.to_frame().select(pl.when(fits).then(text).otherwise("value")).to_series()
    if times == "rfc2822" and zone == "UTC":
        written = given.str.replace(' GMT"', ' +0000"', literal=True)
        moved = written.str.replace(_MAIL_TIME, '"${3}-${2}-${1}T${4}${5}:${6}"').to_frame()
        return moved.select(pl.col("value").str.replace_many(_MONTHS)).to_series()
    if times == "iso" and zone == "UTC":
        with_space = given.str.contains(" ", literal=True).arg_true()  # few shops write so
        return given.scatter(with_space, given.gather(with_space).str.replace(_SPACED_DAY, "${1}T"))
    return _read_each(given, times, zone)


def _read_each(values: pl.Series, times: str, zone: str) -> pl.Series:
    """The same by the reader of single values, each value once."""
    read = find_time_reader(times, zone)
    texts = values.drop_nulls().unique()
    if texts.is_empty():
        return values
    found = [read(text[1:-1]) if text[:1] == '"' and "\\" not in text else "?" for text in texts]
    return values.replace_strict(
        texts, [json.dumps(time, ensure_ascii=False) for time in found], default=None, return_dtype=pl.String
    )
