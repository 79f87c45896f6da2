"""The ``ORDERSETL_`` variables of the environment, as settings."""

import os
from collections.abc import Container
from dataclasses import dataclass

__all__ = ["PREFIX", "Variable", "read_environment"]

PREFIX = "ORDERSETL_"
_FREE_PREFIX = "ORDERSETL_VAR_"
"""Variables of this name are for descriptions of sources, and not settings."""


@dataclass(frozen=True)
class Variable:
    """A variable's name as it is written, and its value."""

    name: str
    value: str


def read_environment(fields: Container[str]) -> dict[str, Variable]:
    """The ``ORDERSETL_`` variables by the field that they set, or by their own name where there is no such field.

    The latter are then refused like any unknown argument. A variable in other letters than upper case counts where
    there is none in upper case. One that is set to nothing is not set.
    """
    found = {}
    for variable in sorted(os.environ, reverse=True):  # upper case comes last
        name = variable.upper()
        if not name.startswith(PREFIX) or name.startswith(_FREE_PREFIX):
            continue
        field = name.removeprefix(PREFIX).lower()
        if field not in fields:
            found[variable] = Variable(variable, "")  # the value may be a secret
        elif os.environ[variable]:
            found[field] = Variable(variable, os.environ[variable])
    return found
