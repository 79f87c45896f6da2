"""The JSON schema of a description's file, by which editors complete and check it (json-schema.org, 2020-12)."""

import json

from ordersetl.source.description.model import Description

__all__ = ["make_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def make_schema() -> str:
    """The schema as JSON, ended by a line's end; ``docs/source.schema.json`` holds it.

    It knows keys, types and choices. What tables must be to each other only the tool checks.
    """
    schema = {"$schema": _DIALECT, **Description.model_json_schema(by_alias=True), "title": "ordersetl source"}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
