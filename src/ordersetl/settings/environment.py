"""The ``ORDERSETL_`` variables of the environment, as settings."""

import os
from collections.abc import Collection

import msgspec

from ordersetl.settings.secrets import SUFFIX, read_secret_files

__all__ = ["PREFIX", "VARIABLE_PREFIX", "Variable", "read_environment", "read_variables"]

PREFIX = "ORDERSETL_"
VARIABLE_PREFIX = "ORDERSETL_VAR_"
"""Variables of this name are for descriptions of sources, and not settings."""


class Variable(msgspec.Struct, frozen=True):
    """A variable's name as it is written, and its value."""

    name: str
    value: str


def read_environment(fields: Collection[str], secrets: Collection[str]) -> dict[str, Variable]:
    """The ``ORDERSETL_`` variables by the field that they set, or by their own name where there is no such field.

    The latter are then refused like any unknown argument. A variable in other letters than upper case counts where
    there is none in upper case. One that is set to nothing is not set. A secret may be in a file that a variable names.

    Raises:
        ConfigError: such a file cannot be read.
    """
    known = {*fields, *(f"{name}{SUFFIX}" for name in secrets)}
    found = {}
    for variable in sorted(os.environ, reverse=True):  # upper case comes last
        name = variable.upper()
        if not name.startswith(PREFIX) or name.startswith(VARIABLE_PREFIX):
            continue
        field = name.removeprefix(PREFIX).lower()
        if field not in known:
            found[variable] = Variable(variable, "")  # the value may be a secret
        elif os.environ[variable]:
            found[field] = Variable(variable, os.environ[variable])
    values = read_secret_files({name: found[name].value for name in found}, secrets, "the environment")
    return {name: Variable((found.get(name) or found[f"{name}{SUFFIX}"]).name, value) for name, value in values.items()}


def read_variables() -> dict[str, str]:
    """What the environment sets of a source's own variables, by their name: ``ORDERSETL_VAR_STORE`` is ``store``."""
    found = {
        name.upper().removeprefix(VARIABLE_PREFIX).lower(): os.environ[name]
        for name in sorted(os.environ, reverse=True)  # upper case comes last
        if name.upper().startswith(VARIABLE_PREFIX)
    }
    return {name: value for name, value in found.items() if name and value}
