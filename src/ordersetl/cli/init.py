"""Ask for what a source needs, where flags and environment do not say it, and write it into a new settings file."""
# ruff: noqa: PLC0415

import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ordersetl.errors import ConfigError, InterruptedRunError, OrdersetlError, StorageError

if TYPE_CHECKING:
    from ordersetl.results import InitResult, PreviewResult
    from ordersetl.settings import Settings
    from ordersetl.source.description.loading import LoadedDescription
    from ordersetl.source.description.model import Description

__all__ = ["complete_settings", "read_assignments", "require_new_file", "write_settings_file"]

_SAMPLE = "sample"
Ask = Callable[[str, bool, Callable[[str], Any]], Any]
"""Asks a question until its check takes the answer; hidden where that is a secret."""


def require_new_file(config: Path | None) -> Path:
    """The settings file to write.

    Raises:
        ConfigError: it is there already.
    """
    from ordersetl.settings import CONFIG_FILE

    path = config if config is not None else Path(CONFIG_FILE)
    if path.exists() or path.is_symlink():
        raise ConfigError(
            f"{path} is there already, and stays as it is",
            hint="Write another one: ordersetl init --config other.toml. Or move it away.",
        )
    return path


def read_assignments(given: list[str]) -> dict[str, str]:
    """Values of variables by name, of ``NAME=VALUE``.

    Raises:
        ConfigError: one is not of this form.
    """
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise ConfigError(f"--set {text}: not a name and a value", hint="Write it as --set store=default.")
        found[name.strip().lower()] = value.strip()
    return found


def complete_settings(settings: "Settings") -> "Settings":
    """The settings with what the source needs: asked for on a terminal.

    Raises:
        ConfigError: something is missing, and there is nobody to ask; or it cannot be.
    """
    from ordersetl.extract.origin import find_url
    from ordersetl.source.description.variables import resolve_variables

    ask = _ask if sys.stdin is not None and sys.stdin.isatty() else None
    name = settings.source or ("generic" if settings.api_url is not None else None)
    if name is None:
        name = _find_source(settings, ask)
    settings = _change(settings, source=name)
    if name == _SAMPLE:
        return settings
    description = _load(settings).description
    if settings.api_url is None and description.api_url is None and ask is not None:
        example = f", such as {description.api_url_example}" if description.api_url_example else ""
        url = ask(f"Base URL of the API{example}", False, lambda text: _change(settings, api_url=text).api_url)
        settings = _change(settings, api_url=url)
    settings = _complete_variables(settings, description, ask)
    resolve_variables(description, settings.variables, find_url(settings, description))
    return _complete_secrets(settings, description, ask)


def write_settings_file(path: Path, settings: "Settings", preview: "PreviewResult | None") -> "InitResult":
    """Write the settings, without secrets, where there is no file yet.

    Raises:
        ConfigError: there is one by now.
        StorageError: it cannot be written.
    """
    from ordersetl.results import InitResult
    from ordersetl.source.description.settings_text import list_secret_variables, make_settings_text

    source = settings.source or ""
    loaded = None if source == _SAMPLE else _load(settings)
    text = make_settings_text(source, settings.api_url, settings.output, settings.variables, loaded)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        require_new_file(path)
        raise
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}", hint="Give --config a path in a folder that can be written."
        ) from None
    secrets = list_secret_variables(loaded.description.auth) if loaded is not None else ()
    return InitResult(path.as_posix(), source, settings.api_url, secrets, preview)


def _find_source(settings: "Settings", ask: Ask | None) -> str:
    from ordersetl.source.description.loading import list_builtin

    known = ", ".join([*list_builtin(), _SAMPLE])
    if ask is None:
        raise ConfigError("init needs a source", hint=f"Give --source: {known}, or the path of a description.")
    question = f"Source ({known}, or the path of a description)"
    return str(ask(question, False, lambda text: _check_source(_change(settings, source=text))))


def _check_source(settings: "Settings") -> str:
    if settings.source != _SAMPLE:
        _load(settings)
    return settings.source or ""


def _complete_variables(settings: "Settings", description: "Description", ask: Ask | None) -> "Settings":
    from ordersetl.source.description.variables import require_match

    values = dict(settings.variables)
    for name, variable in description.variables.items():
        if ask is None or values.get(name) or variable.default is not None or variable.discover is not None:
            continue
        if variable.required:
            check = partial(require_match, description, name, variable)
            values[name] = ask(f"{name} ({variable.description})", False, check)
    return _change(settings, variables=values)


def _complete_secrets(settings: "Settings", description: "Description", ask: Ask | None) -> "Settings":
    """The settings with the first way to show who asks for which all is answered; an empty answer tries the next."""
    from ordersetl.source.description.credentials import list_credentials

    ways = list_credentials(description.auth)
    if ask is None or any(all(getattr(settings, name) for name in way) for way in ways):
        return settings
    for way in ways:
        answers: dict[str, str] = {}
        for name in way:
            if getattr(settings, name) is None:
                question = f"{name} (for the preview; it is not written; empty for none)"
                answers[name] = ask(question, True, str.strip)
                if not answers[name]:
                    break
        else:
            return _change(settings, **answers)
    return settings


def _load(settings: "Settings") -> "LoadedDescription":
    from ordersetl.extract.origin import load_source

    return load_source(settings.source or "generic", settings)


def _change(settings: "Settings", **values: object) -> "Settings":
    """The settings with other values, checked like given ones."""
    from ordersetl.settings import load_given

    kept: Mapping[str, object] = {name: getattr(settings, name) for name in settings.model_fields_set}
    return load_given(**{**kept, **values})


def _ask(question: str, hidden: bool, check: Callable[[str], Any]) -> Any:  # noqa: ANN401, FBT001 - of any answer
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Polars has the system go on reading after Ctrl-C
    while True:
        try:
            answer = typer.prompt(question, default="", show_default=False, hide_input=hidden, err=True)
        except typer.Abort:
            raise InterruptedRunError("interrupted", hint="Nothing was written. Run the same command again.") from None
        if not answer and not hidden:
            continue
        try:
            return check(answer)
        except OrdersetlError as error:
            typer.echo(error.message.partition(" (the flag")[0], err=True)
