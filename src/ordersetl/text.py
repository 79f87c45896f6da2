"""Text for people: what came from outside is made fit to be shown, and a count gets its noun."""

import unicodedata

__all__ = ["many", "one_line", "printable"]


def printable(text: str) -> str:
    """Text without what would steer a terminal: control and bidirectional characters, line breaks, lone surrogates.

    Everything that came from outside (payloads, an API's words, file names, arguments) passes here before it is shown.
    """
    return text if text.isprintable() else "".join(map(_show, text))


def one_line(text: str) -> str:
    """Printable text in one line, its white space run together."""
    return printable(" ".join(text.split()))


def many(count: int, one: str, more: str = "") -> str:
    """A count and its noun: ``1 record``, ``2,000 records``; ``more`` where the plural is not ``one`` and an s."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def _show(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else "\ufffd"  # a no-break space is harmless
