"""Hints are commands to paste: those that a text names get the options that the command under way was given."""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["OptionsInUse"]

_COMMAND = re.compile(r"(?<![\w./-])ordersetl (init|run|extract|transform|load|check|status|export)(?![\w-])")
_END = re.compile(r"[`;]|[:.,](?=\s|$)|$")
"""Where a command within a sentence ends."""
_EVERYWHERE = ("output", "config")
_LOADING = (*_EVERYWHERE, "warehouse")
_SOURCE = ("api_url", "source", "users", "products")
_OPTIONS = {
    "init": (*_EVERYWHERE, "api_url", "source"),
    "run": (*_LOADING, *_SOURCE),
    "extract": (*_EVERYWHERE, *_SOURCE),
    "load": _LOADING,
    "check": _LOADING,
}
"""Which of these options each command takes, in the order in which hints name them; others take those of every one."""
_SHORT = {"output": "-o"}


@dataclass(frozen=True)
class OptionsInUse:
    """Values of options by setting, as flags gave them, or the environment: a hint is pasted into another shell too.

    What a settings file sets needs no option: it is read again, by its name or by ``--config``.
    """

    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, flags: Mapping[str, object]) -> "OptionsInUse":
        """Options by setting, from flags (None: not given) and the environment."""
        given = {name: flags.get(name) or os.environ.get(f"ORDERSETL_{name.upper()}") for name in (*_LOADING, *_SOURCE)}
        return cls({name: str(value) for name, value in given.items() if value})

    def complete(self, text: str) -> str:
        """The text, each command in it with the options in use that it lacks."""
        return _COMMAND.sub(lambda found: found[0] + self._options(found[1], text[found.end() :]), text)

    def _options(self, command: str, rest: str) -> str:
        words = rest[: _END.search(rest).start()].split()  # type: ignore[union-attr]  # it always matches
        if "--help" in words:
            return ""
        names = _OPTIONS.get(command, _EVERYWHERE)
        return "".join(
            f" {_option(name, self.values[name])}"
            for name in names
            if name in self.values and not {_flag(name), _SHORT.get(name)} & set(words)
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _option(name: str, value: str) -> str:
    between = "=" if value.startswith("-") else " "
    return f"{_flag(name)}{between}{_quote(value)}"


def _quote(value: str) -> str:
    """The value as one word of a shell; what cannot be printed is written as ``$'...'`` does it."""
    if value.isprintable():
        return shlex.quote(value)
    return f"$'{''.join(map(_escape, os.fsencode(value)))}'"


def _escape(byte: int) -> str:
    character = chr(byte)
    return character if character.isascii() and character.isprintable() and character not in "'\\" else f"\\x{byte:02x}"
