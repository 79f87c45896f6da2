"""The JSON schema of descriptions: the file in docs is the models', and the built-in sources fit it."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ordersetl.source.description.loading import list_builtin, load_builtin
from ordersetl.source.description.schema import make_schema

FILE = Path(__file__).parents[2] / "docs/source.schema.json"


def test_the_schema_in_docs_is_that_of_the_models() -> None:
    update = "from ordersetl.source.description.schema import make_schema; print(make_schema(), end='')"
    assert FILE.read_text("utf-8") == make_schema(), f'python -c "{update}" > docs/source.schema.json'


def test_every_key_says_what_it_means_or_is_named_for_it() -> None:
    schema = json.loads(make_schema())
    for name, table in schema["$defs"].items():
        assert table["description"], name
        assert table["additionalProperties"] is False, name
    assert {"kind", "next", "end"} <= schema["$defs"]["Paging"]["properties"].keys()
    assert "with" in schema["$defs"]["Call"]["properties"]


@pytest.mark.parametrize("name", list_builtin())
def test_the_built_in_sources_fit_the_schema(name: str) -> None:
    schema = json.loads(make_schema())
    assert list(find_misfits(tomllib.loads(load_builtin(name).body.decode()), schema, schema["$defs"])) == []


def test_a_misspelt_key_does_not_fit() -> None:
    schema = json.loads(make_schema())
    tables = tomllib.loads(load_builtin("square").body.decode())
    tables["paging"]["nxt"] = "x"
    tables["paging"]["kind"] = "cursors"
    assert sorted(find_misfits(tables, schema, schema["$defs"])) == ["paging.kind", "paging.nxt"]


TYPES: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}


def find_misfits(value: Any, schema: dict[str, Any], defs: dict[str, Any], at: str = "") -> list[str]:
    """Paths of what does not fit, of the few words of JSON Schema that ours has."""
    if "$ref" in schema:
        return find_misfits(value, defs[schema["$ref"].rpartition("/")[2]], defs, at)
    if "anyOf" in schema:
        return min((find_misfits(value, way, defs, at) for way in schema["anyOf"]), key=len)
    if "enum" in schema:
        return [] if value in schema["enum"] else [at]
    if isinstance(value, dict) and schema.get("type") == "object":
        return find_misfits_of_table(value, schema, defs, at)
    if isinstance(value, list) and schema.get("type") == "array":
        return [path for member in value for path in find_misfits(member, schema["items"], defs, at)]
    return [] if "type" not in schema or isinstance(value, TYPES.get(schema["type"], ())) else [at]


def find_misfits_of_table(table: dict[str, Any], schema: dict[str, Any], defs: dict[str, Any], at: str) -> list[str]:
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
    found = [f"{at}.{key}".lstrip(".") for key in schema.get("required", []) if key not in table]
    for key, member in table.items():
        path, inner = f"{at}.{key}".lstrip("."), known.get(key, rest)
        found += [path] if inner is False else find_misfits(member, {} if inner is True else inner, defs, path)
    return found
