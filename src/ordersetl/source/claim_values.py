"""What a member of an envelope says by its value: a number, a flag, nothing at all; and how it is shown."""

from decimal import Decimal

__all__ = ["is_false", "is_filled", "is_true", "read_count", "read_text", "show"]

_MAX_VALUE = 60


def read_count(value: object) -> int | None:
    """A whole number, perhaps as text or with a point; None of anything else."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value.strip()[:18])
    if isinstance(value, float | Decimal) and 0 <= value < 2**53 and value == int(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_filled(value: object) -> bool:
    """Whether there is something: not null, false, 0, or empty; a record too deep to be read is something."""
    if isinstance(value, str):
        return bool(value.strip())
    return bool(value) or (isinstance(value, dict) and type(value) is not dict)


def is_true(value: object, *, may_count: bool) -> bool:
    """Whether a flag is set; some say by a number how many are left."""
    if may_count and (read_count(value) or 0) > 0:
        return True
    return value is True or read_text(value) in {"true", "yes", "y"} or value == 1


def is_false(value: object, *, is_flag: bool) -> bool:
    """Whether a flag is not set; what may be something else than a flag is none as a number."""
    return value is False or read_text(value) in {"false", "no", "n"} or (is_flag and read_count(value) == 0)


def read_text(value: object) -> str | None:
    """A text without what its spellings differ in; None of anything else."""
    return value.strip().lower() if isinstance(value, str) else None


def show(value: object) -> str:
    """A value for a message, cut where it is long."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except RecursionError:
        text = "..."
    return repr(text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}...")
