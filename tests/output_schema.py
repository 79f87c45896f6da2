"""The JSON schema of what ``--json`` prints, made of the results; run it to write docs/output.schema.json."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ordersetl.results import (
    BackfillResult,
    CheckResult,
    ExportResult,
    ExtractResult,
    LoadResult,
    OrderResult,
    PreviewResult,
    QuarantineResult,
    RunResult,
    StatusResult,
    TransformResult,
)

__all__ = ["FILE", "RESULTS", "make_schema"]

FILE = Path(__file__).parents[1] / "docs/output.schema.json"
RESULTS: dict[str, tuple[Any, ...]] = {
    "run": (RunResult,),
    "extract": (ExtractResult, BackfillResult, PreviewResult),
    "transform": (TransformResult,),
    "load": (LoadResult,),
    "check": (CheckResult,),
    "status": (StatusResult, QuarantineResult, OrderResult),
    "export": (ExportResult,),
}
"""What each command's ``data`` may be."""
_WORDS = "https://json-schema.org/draft/2020-12/schema"


def make_schema() -> dict[str, Any]:
    """One schema of the envelope; which ``data`` goes with which command is under ``allOf``."""
    kinds = {kind.__name__: kind for kinds in RESULTS.values() for kind in kinds}
    inputs: list[tuple[str, Any, TypeAdapter[Any]]] = [
        (name, "serialization", TypeAdapter(kind)) for name, kind in kinds.items()
    ]
    found, definitions = TypeAdapter.json_schemas(inputs, ref_template="#/$defs/{model}")
    text = {"type": "string"}
    error = {
        "type": "object",
        "required": ["code", "message", "hint"],
        "properties": dict.fromkeys(("code", "message", "hint"), text),
    }
    return {
        "$schema": _WORDS,
        "title": "What ordersetl --json prints",
        "type": "object",
        "required": ["schema", "command", "status", "version", "data"],
        "properties": {
            "schema": {"const": 1},
            "command": text,
            "status": {"enum": ["ok", "failed"]},
            "version": text,
            "data": {"description": "null where the command failed before it had a result"},
            "error": error,
        },
        "allOf": [
            {
                "if": {"properties": {"command": {"const": command}}},
                "then": {
                    "properties": {
                        "data": {"anyOf": [*(found[k.__name__, "serialization"] for k in kinds), {"type": "null"}]}
                    }
                },
            }
            for command, kinds in RESULTS.items()
        ],
        **definitions,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(make_schema(), indent=1) + "\n", encoding="utf-8")
