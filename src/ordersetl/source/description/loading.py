"""Descriptions as files: read, refused where anything in them cannot be, and those that come with the tool."""

import hashlib
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Any, get_args

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ordersetl.errors import ConfigError
from ordersetl.source.description.consistency import find_problems
from ordersetl.source.description.kinds import suggest
from ordersetl.source.description.lines import find_line
from ordersetl.source.description.model import Description
from ordersetl.source.description.table import KEPT

__all__ = [
    "MAX_DESCRIPTION_BYTES",
    "LoadedDescription",
    "list_builtin",
    "load_builtin",
    "load_description",
    "parse_description",
]

MAX_DESCRIPTION_BYTES = 1 << 20
_BUILTIN = files("ordersetl") / "source" / "builtin"
_MAX_SHOWN = 6
Location = tuple[str | int, ...]


class LoadedDescription(msgspec.Struct, frozen=True):
    """A description and the file that it is: its bytes, and their SHA-256."""

    description: Description
    body: bytes
    sha256: str


def list_builtin() -> tuple[str, ...]:
    """Names of the descriptions that come with the tool, sorted."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in _BUILTIN.iterdir() if entry.name[-5:] == ".toml"))


def load_builtin(name: str) -> LoadedDescription:
    """A description that comes with the tool.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in list_builtin():
        meant = suggest(name, list_builtin())
        raise ConfigError(
            f"there is no source {name}{meant}",
            hint=f"Give one of {', '.join(list_builtin())}, or the path of a description, such as ./{name}.toml.",
        )
    entry = _BUILTIN / f"{name}.toml"
    return load_description(entry.read_bytes(), f"{name}.toml")


def load_description(body: bytes, where: str) -> LoadedDescription:
    """A description from the bytes of its file, which ``where`` names.

    Raises:
        ConfigError: as :func:`parse_description`.
    """
    return LoadedDescription(parse_description(body, where), body, hashlib.sha256(body).hexdigest())


def parse_description(body: bytes, where: str, *, kept: bool = False) -> Description:
    """The description that a file holds.

    Args:
        body: of the file.
        where: its name, for messages.
        kept: batches were fetched by it. It was taken then, and says where in their pages the records are, whatever is
            refused by now of those that a run would begin with.

    Raises:
        ConfigError: it is not TOML, or not a description; each key that is wrong is named, with its line, and what
            would be right.
    """
    hint = "Correct the file; docs/sources.md says what each key means."
    try:
        text = body.decode("utf-8-sig")
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not valid TOML: {error}", hint=hint) from None
    try:
        description = Description.model_validate(tables, context=KEPT if kept else None)
        wrong = [] if kept else list(find_problems(description))
    except ValidationError as error:
        wrong = [_explain(found) for found in error.errors(include_url=False)]
    if wrong:
        raise ConfigError(_list_problems(text, where, wrong), hint=hint)
    return description


def _list_problems(text: str, where: str, wrong: Iterable[tuple[Location, str]]) -> str:
    problems = []
    for location, message in wrong:
        line = find_line(text, location)
        at = f"{where}, line {line}" if line else where
        key = ".".join(str(part + 1) if isinstance(part, int) else part for part in location)
        problems.append(f"{at}: {key}{':' if key else ''} {message}")
    more = len(problems) - _MAX_SHOWN
    return "; ".join([*problems[:_MAX_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _explain(error: ErrorDetails) -> tuple[Location, str]:
    """Where a key is that pydantic refuses, and what would be right."""
    location = error["loc"]
    *above, key = location
    match error["type"]:
        case "extra_forbidden":
            return location, f"there is no such key{_suggest_key(tuple(above), str(key))}"
        case "missing":
            return location, "is required"
        case "literal_error":
            expected = _literals(error["ctx"]["expected"])
            given = error["input"]
            meant = suggest(given, expected) if isinstance(given, str) else ""
            return location, f"must be one of {', '.join(expected)}{meant}"
        case _:
            return location, error["msg"].removeprefix("Value error, ").replace("Input should", "must")


def _literals(expected: str) -> list[str]:
    return [word.strip().strip("'") for word in expected.replace(" or ", ",").split(",")]


def _suggest_key(above: Location, key: str) -> str:
    """The nearest key of the same table; else a key of this name in another table."""
    table = _find_table(above)
    near = suggest(key, _keys(table)) if table else ""
    if near:
        path = ".".join([*(str(part) for part in above if isinstance(part, str)), near[len("; did you mean ") : -1]])
        return f"; did you mean {path}?"
    places = sorted((name.count("."), name) for name, model in _tables(Description) if key in _keys(model))
    return f"; it is a key of {places[0][1]}" if places else ""


def _find_table(location: Location) -> type[BaseModel] | None:
    """The kind of table that stands at a place of a description."""
    table: type[BaseModel] | None = Description
    for part in location:
        if table is None:
            return None
        fields = {field.alias or name: field for name, field in table.model_fields.items()}
        if isinstance(part, str) and part in fields:
            table = _model_of(fields[part].annotation)
    return table


def _tables(model: type[BaseModel], above: str = "") -> Iterable[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        if inner is not None:
            path = f"{above}{field.alias or name}"
            yield path, inner
            yield from _tables(inner, f"{path}.")


def _model_of(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    """The model in an annotation such as ``Model | None``, ``tuple[Model, ...]`` or ``dict[str, Model]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_of(part)) is not None), None)


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
