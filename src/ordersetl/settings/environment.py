"""The ``ORDERSETL_`` variables of the environment, as settings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from ordersetl.errors import ConfigError

__all__ = ["PREFIX", "Variable", "read_environment"]

PREFIX = "ORDERSETL_"
_FILE_SUFFIX = "_file"
_MAX_SECRET_BYTES = 1 << 16
_FREE_PREFIX = "ORDERSETL_VAR_"
"""Variables of this name are for descriptions of sources, and not settings."""


@dataclass(frozen=True)
class Variable:
    """A variable's name as it is written, and its value."""

    name: str
    value: str


def read_environment(fields: Mapping[str, FieldInfo]) -> dict[str, Variable]:
    """The ``ORDERSETL_`` variables by the field that they set, or by their own name where there is no such field.

    The latter are then refused like any unknown argument. A variable in other letters than upper case counts where
    there is none in upper case. One that is set to nothing is not set. A secret may be in a file instead, which the
    variable of its name and ``_FILE`` names.

    Raises:
        ConfigError: that file cannot be read, or the secret is set in both ways.
    """
    found = {}
    for variable in sorted(os.environ, reverse=True):  # upper case comes last
        name = variable.upper()
        if not name.startswith(PREFIX) or name.startswith(_FREE_PREFIX):
            continue
        field = name.removeprefix(PREFIX).lower()
        secret = field.removesuffix(_FILE_SUFFIX)
        if secret != field and _is_secret(fields.get(secret)):
            if not os.environ[variable]:
                continue
            if os.environ.get(PREFIX + secret.upper()):
                raise ConfigError(f"{PREFIX}{secret.upper()} and {variable} are both set", hint="Unset one of them.")
            found[secret] = Variable(variable, _read_secret(variable))
        elif field not in fields:
            found[variable] = Variable(variable, "")  # the value may be a secret
        elif os.environ[variable]:
            found[field] = Variable(variable, os.environ[variable])
    return found


def _is_secret(field: FieldInfo | None) -> bool:
    return field is not None and field.annotation in {SecretStr, SecretStr | None}


def _read_secret(variable: str) -> str:
    try:
        with Path(os.environ[variable]).expanduser().open("rb") as file:
            return file.read(_MAX_SECRET_BYTES).decode("utf-8")
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"cannot read the file that {variable} names: {getattr(error, 'strerror', None) or 'no text in UTF-8'}",
            hint="Name a file that holds the secret and nothing else, and that this user may read.",
        ) from None
