"""Text for people: what came from outside is made fit to be shown, and a count gets its noun."""

import codecs
import re
import unicodedata
from datetime import date

__all__ = ["first_line", "format_span", "format_time", "look_up_charset", "many", "one_line", "printable"]

_CHARSET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,39}")
_NO_CHARSETS = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"}
"""Python's, but no charsets of the web."""


def printable(text: str) -> str:
    """Text without what would steer a terminal: control and bidirectional characters, line breaks, lone surrogates.

    Everything that came from outside (payloads, an API's words, file names, arguments) passes here before it is shown.
    """
    return text if text.isprintable() else "".join(map(_show, text))


def one_line(text: str) -> str:
    """Printable text in one line, its white space run together."""
    return printable(" ".join(text.split()))


def first_line(error: Exception) -> str:
    """The first line of what an error says, as it is; its kind where it says nothing."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def format_time(time: date) -> str:
    """A time, or a date, in ISO 8601; ``Z`` where it is UTC."""
    return time.isoformat().replace("+00:00", "Z")


def format_span(seconds: float) -> str:
    """A time span in its two largest units: ``3 days 4 h``, ``2 h 5 min``, ``12 s``."""
    left = round(seconds)
    parts: list[str] = []
    for size, unit in ((86_400, "day"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or (parts and len(parts) == 1):
            parts.append(many(count, unit) if unit == "day" else f"{count} {unit}")
        if len(parts) == 2:  # noqa: PLR2004
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"


def many(count: int, one: str, more: str = "") -> str:
    """A count and its noun: ``1 record``, ``2,000 records``; ``more`` where the plural is not ``one`` and an s."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def look_up_charset(name: str) -> str | None:
    """Python's name of a charset of the web; None where it knows none of that name."""
    if not _CHARSET_NAME.fullmatch(name):
        return None
    try:
        found = codecs.lookup(name)
        b"{}".decode(found.name)  # refuses codecs that are not of text
    except (LookupError, ValueError):
        return None
    return None if found.name.replace("-", "_") in _NO_CHARSETS else found.name


def _show(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else "\ufffd"  # a no-break space is harmless
