"""The ``ORDERSETL_`` variables of the environment, as settings."""

import os
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

__all__ = ["PREFIX", "Environment"]

PREFIX = "ORDERSETL_"
_FREE_PREFIX = "ORDERSETL_VAR_"
"""Variables of this name are for descriptions of sources, and not settings."""


class Environment(PydanticBaseSettingsSource):
    """The ``ORDERSETL_`` variables: values of settings by field, and those that are no setting by their own name.

    The latter are then refused like any unknown argument. A variable in other letters than upper case counts where
    there is none in upper case. One that is set to nothing is not set.
    """

    def __call__(self) -> dict[str, Any]:
        """Values by field, or by variable where there is no such field."""
        return {field or variable: value for field, variable, value in self.read()}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The value of one setting, None where it is not set."""
        del field
        return self().get(field_name), field_name, False

    def name_variables(self) -> dict[str, str]:
        """The variable that each value comes from, by the names of a call's result."""
        return {field or variable: variable for field, variable, _ in self.read()}

    def read(self) -> list[tuple[str, str, str]]:
        """Field ("" for a name that is no setting), variable and value; of a field's variables the last one counts."""
        found = []
        for variable in sorted(os.environ, reverse=True):  # upper case comes last
            name = variable.upper()
            if not name.startswith(PREFIX) or name.startswith(_FREE_PREFIX):
                continue
            field = name.removeprefix(PREFIX).lower()
            if field not in self.settings_cls.model_fields:
                found.append(("", variable, ""))  # the value may be a secret
            elif os.environ[variable]:
                found.append((field, variable, os.environ[variable]))
        return found
