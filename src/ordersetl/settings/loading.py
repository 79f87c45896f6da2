"""Settings of a command: what its flags, the environment and a TOML file set, and what is wrong there by name."""

import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ordersetl.errors import ConfigError
from ordersetl.settings.environment import PREFIX, read_environment, read_variables
from ordersetl.settings.model import Settings, list_secrets
from ordersetl.settings.secrets import read_secret_files

__all__ = ["CONFIG_FILE", "load_given", "load_settings"]

CONFIG_FILE = "ordersetl.toml"
_FLAGS = frozenset({"api_url", "source", "output", "users", "products", "warehouse", "cluster"})
"""Settings that the command line has a flag for."""


class _Given(msgspec.Struct, frozen=True):
    """What is set, by flags over the environment over the file, and how to name where a setting comes from."""

    flags: Mapping[str, Any]
    variables: Mapping[str, str]
    file: Path

    def describe(self, error: ErrorDetails) -> str:
        """Name the setting, what is wrong with it, and where it is set; but not its value."""
        name = str(error["loc"][0])
        where, write = self._find(name)
        path = ".".join(map(str, error["loc"]))
        if error["type"] != "extra_forbidden":
            return f"{path}: {error['msg'].removeprefix('Value error, ')} ({where})"
        from difflib import get_close_matches  # noqa: PLC0415

        known = get_close_matches(name.lower().removeprefix(PREFIX.lower()), Settings.model_fields, 1)
        meant = f"; did you mean {write(known[0])}?" if known else ""
        return f"{path}: there is no such setting ({where}){meant}"

    def _find(self, name: str) -> tuple[str, Callable[[str], str]]:
        """Where a setting comes from, and how a setting is written there."""
        if name in self.flags:
            return (f"the flag --{name.replace('_', '-')}" if name in _FLAGS else "the argument"), str
        if name in self.variables:
            return f"the variable {self.variables[name]}", lambda field: f"{PREFIX}{field.upper()}"
        return _locate(name, self.file) or "not set", str


def load_settings(config: Path | None = None, **flags: Any) -> Settings:  # noqa: ANN401 - any flag's value
    """Settings of one command: given flags over the environment over the file over the defaults.

    Args:
        config: a TOML file that must exist; None takes ``ordersetl.toml`` in the working folder where there is one.
        flags: values by field name; None means that the flag was not given.

    Raises:
        ConfigError: naming each setting that is wrong, why, and where it is set. Never shows a setting's value.
    """
    path = config if config is not None else Path(CONFIG_FILE)
    from_file = read_secret_files(_read_file(path, required=config is not None), list_secrets(), str(path))
    if isinstance(variables := from_file.get("variables"), dict):
        from_file["variables"] = variables | read_variables()
    return _combine(from_file, path, flags)


def load_given(**flags: Any) -> Settings:  # noqa: ANN401 - any flag's value
    """Settings as of :func:`load_settings`, where there is no file.

    Raises:
        ConfigError: likewise.
    """
    return _combine({}, Path(CONFIG_FILE), flags)


def _combine(from_file: Mapping[str, Any], path: Path, flags: Mapping[str, Any]) -> Settings:
    environment = read_environment(Settings.model_fields, list_secrets())
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**{**from_file, **{name: found.value for name, found in environment.items()}, **given})
    except ValidationError as error:
        sources = _Given(given, {name: variable.name for name, variable in environment.items()}, path)
        wrong = "; ".join(map(sources.describe, error.errors(include_input=False, include_url=False)))
        raise ConfigError(wrong, hint=f"Look at the flags, the ORDERSETL_ variables and {path}.") from None


def _read_file(path: Path, *, required: bool) -> dict[str, Any]:
    """What a TOML file sets; nothing where it is not required and not there."""
    try:
        if not path.is_file():
            if not required and not os.path.lexists(path):
                return {}
            problem = f"{path} is a folder" if path.is_dir() else f"there is no file {path}"
            raise ConfigError(problem, hint="Give the path of a TOML file to --config.")
        # Windows' Notepad begins files with a byte order mark
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, nested without end
        raise ConfigError(
            f"{path} is not valid TOML: {error}", hint="Correct the file, or name another with --config."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", hint="Give this user permission to read it."
        ) from None


def _locate(name: str, path: Path) -> str:
    """The file and, where it can be told, the line that sets a top-level name; empty where there is no file."""
    key = re.compile(rf"\s*(\[\[?\s*)?([\"']?){re.escape(name)}\2\s*[=.\]]")
    lines = path.read_text("utf-8-sig").split("\n") if path.is_file() else []
    for number, line in enumerate(lines):
        found = key.match(line)
        if found is None:
            continue
        try:  # where the line is within a text or a table, this is no TOML, or the name is not one of the file's own
            above = tomllib.loads("\n".join([*lines[:number], "" if found[1] else f"{json.dumps(name)} = 0"]))
        except ValueError:
            continue
        if found[1] or name in above:
            return f"{path}, line {number + 1}"
    return str(path) if lines else ""
