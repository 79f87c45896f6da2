"""Values of a description's variables: as people set them, or by default."""

import re
from collections.abc import Mapping

from ordersetl.errors import ConfigError
from ordersetl.settings.api_url import check_api_url
from ordersetl.source.description.kinds import suggest
from ordersetl.source.description.model import Description, Variable
from ordersetl.source.description.templates import find_names
from ordersetl.source.template import fill_text
from ordersetl.zones import list_zones

__all__ = ["require_match", "resolve_variables"]

_SET = "ORDERSETL_VAR_"


def resolve_variables(description: Description, given: Mapping[str, str], api_url: str) -> dict[str, str]:
    """Values by name: what is given, else the default; a variable that is neither and need not be is left out.

    Args:
        description: of the source.
        given: values that people set, stripped; an empty one is not set.
        api_url: base of the source, which defaults may begin with.

    Raises:
        ConfigError: a value is given to no variable, does not match its pattern, is missing, or cannot stand where it
            is used.
    """
    known = description.variables
    for name in given:
        if name not in known:
            there = suggest(name, known) or (f"; it has {', '.join(sorted(known))}" if known else "; it has none")
            raise ConfigError(
                f"the source {description.name} has no variable {name}{there}",
                hint=f"Correct its name under [variables] in the settings file, or in {_SET}{name.upper()}.",
            )
    values = {}
    for name, variable in known.items():
        value = given.get(name) or _read_default(variable, api_url)
        if value is not None:
            values[name] = require_match(description, name, variable, value)
        elif variable.required and variable.discover is None:
            raise ConfigError(
                f"the source {description.name} needs the variable {name}: {variable.description}",
                hint=f"Set {_SET}{name.upper()}, or {name} under [variables] in the settings file.",
            )
    _require_zone(description, values)
    _require_token_url(description, {**values, "api_url": api_url})
    return values


def _require_zone(description: Description, values: Mapping[str, str]) -> None:
    """Make sure that the zone of the window's times is one, where a variable names it."""
    named = description.window.zone if description.window is not None else ""
    zone = fill_text(named, values) if "${" in named else None
    if zone is not None and zone not in list_zones():
        raise ConfigError(
            f"the source {description.name} is asked for times in the zone {zone!r}, and there is no such zone"
            f"{suggest(zone, sorted(list_zones()))}",
            hint="Set the variable that names it to an IANA name, such as Europe/Berlin.",
        )


def _require_token_url(description: Description, values: Mapping[str, str]) -> None:
    """Make sure that it is a URL which credentials are sent to for a token; the message quotes nothing of it."""
    token = description.auth.token
    url = fill_text(token.url, values) if token is not None else None
    if token is None or url is None:
        return
    try:
        check_api_url(url)
    except ValueError as error:
        named = " and ".join(f"{_SET}{name.upper()}" for name in find_names(token.url) if name in description.variables)
        raise ConfigError(
            f"the URL where the source {description.name} gets its token, {token.url}, {error}",
            hint=f"Look at {named or '--api-url'}, which may stand under [variables] in the settings file too.",
        ) from None


def _read_default(variable: Variable, api_url: str) -> str | None:
    return None if variable.default is None else variable.default.replace("${api_url}", api_url)


def require_match(description: Description, name: str, variable: Variable, value: str) -> str:
    """The value of a variable, which is as its pattern wants it; of a list each part is, and there is one.

    Raises:
        ConfigError: it is not. Of no value at all nothing would be asked for, and all be taken as covered.
    """
    parts = value.split(",") if variable.per_request else [value]
    if variable.per_request and not any(part.strip() for part in parts):
        raise ConfigError(
            f"the variable {name} of the source {description.name} is a list without a value: {variable.description}",
            hint=f"Set {_SET}{name.upper()}, or {name} under [variables] in the settings file, to one value "
            "or several, comma-separated.",
        )
    for part in (part.strip() for part in parts):
        if variable.pattern is not None and not re.fullmatch(variable.pattern, part):
            raise ConfigError(
                f"the variable {name} of the source {description.name} cannot be {part!r}: {variable.description}",
                hint=f"Set {_SET}{name.upper()}, or {name} under [variables] in the settings file; it must match "
                f"{variable.pattern}",
            )
    return value
