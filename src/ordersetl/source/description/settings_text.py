"""The settings file of a source, as ``ordersetl init`` writes it: commented, and without secrets."""

import json
from collections.abc import Mapping
from itertools import takewhile

from ordersetl.source.description.credentials import list_credentials
from ordersetl.source.description.loading import LoadedDescription
from ordersetl.source.description.model import Auth, Variable
from ordersetl.url import Location

__all__ = ["list_secret_variables", "make_settings_text"]

_USUAL = (
    ("timezone", "UTC", "zone whose days the partitions are, e.g. Europe/Berlin; to be set before the first load"),
    ("lookback", "10m", "overlap of a run with the one before"),
    ("drift", "fail", "fail, warn or ignore: when a field that the source always sent vanishes or changes its type"),
    ("emails", "keep", "keep, hash or drop: what dim_user shows of emails"),
)
"""Settings that people look for first: shown with their default."""


def make_settings_text(
    source: str, api_url: str | None, output: Location, variables: Mapping[str, str], loaded: LoadedDescription | None
) -> str:
    """The file's content.

    Args:
        source: name of a built-in source, or path of a description.
        api_url: its base; None where the source has one of its own, or none.
        output: where all is kept.
        variables: values of the source's own variables that differ from their defaults.
        loaded: the description; None of the built-in sample.
    """
    title = loaded.description.title if loaded is not None else "the built-in sample shop"
    lines = [f"# Settings of ordersetl, for {title}. What else can be set: ordersetl's README."]
    if loaded is not None and (notes := _read_notes(loaded.body)):
        lines += ["#", *notes]
    lines += ["", f"source = {_quote(source)}"]
    lines += [f"api_url = {_quote(api_url)}"] if api_url is not None else []
    lines += [f"output = {_quote(str(output))}"]
    if loaded is not None:
        lines += _write_secrets(loaded.description.auth)
    lines.append("")
    for name, default, meaning in _USUAL:
        lines += [f"# {meaning}", f"# {name} = {_quote(default)}"]
    if loaded is not None and loaded.description.variables:
        lines += ["", "[variables]"]
        for name, variable in loaded.description.variables.items():
            lines += _write_variable(name, variable, variables.get(name))
    return "\n".join(lines) + "\n"


def list_secret_variables(auth: Auth) -> tuple[tuple[str, ...], ...]:
    """Variables of the environment that hold the credentials of a source, each way on its own."""
    return tuple(tuple(f"ORDERSETL_{name.upper()}" for name in way) for way in list_credentials(auth))


def _write_secrets(auth: Auth) -> list[str]:
    ways = list_secret_variables(auth)
    if not ways:
        return []
    return [
        "",
        "# Secrets are in the environment, and not in here:",
        f"#   {', or '.join(' and '.join(way) for way in ways)}",
        "# or each in a file of its own, whose path may stand here:",
        *(f'# {name.removeprefix("ORDERSETL_").lower()}_file = "/path/of/it"' for name in ways[0]),
    ]


def _write_variable(name: str, variable: Variable, value: str | None) -> list[str]:
    assigned = f"{name} = {_quote(value if value is not None else variable.default or '')}"
    return [f"# {variable.description}", assigned if value is not None else f"# {assigned}"]


def _read_notes(body: bytes) -> list[str]:
    """What the description's file says at its top: what to set, and which rights are needed."""
    top = takewhile(lambda line: line.startswith("#"), body.decode().splitlines())
    return [line.rstrip() for line in top if not line.startswith("#:")]


def _quote(text: str) -> str:
    """A basic string of TOML: JSON's escapes are its own."""
    return json.dumps(text, ensure_ascii=False)
