"""docs/output.schema.json is the schema of the results, and what commands print is of it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from console import COMMANDS, ordersetl
from output_schema import FILE, RESULTS, make_schema

pytestmark = pytest.mark.docs


def test_the_schema_in_docs_is_that_of_the_results() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == json.loads(json.dumps(make_schema())), (
        "python tests/output_schema.py writes it again"
    )
    assert set(COMMANDS) - {"init"} == set(RESULTS)


def test_what_commands_print_is_of_it(tmp_path: Path) -> None:
    schema = json.loads(FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    span = ["--since", "2025-08-01", "--until", "2025-08-04", "--window", "1d"]
    lines: list[list[str]] = [
        ["run", "--source", "sample"],
        ["extract", "--source", "sample", *span],
        *([command] for command in ("transform", "load", "check", "status")),
        ["status", "--quarantine"],
        ["status", "--order", "ord-10280"],
        ["export", "a.csv"],
        ["run", "--no-such-flag"],
    ]
    for line in lines:
        validator.validate(ordersetl(*line, "--json", cwd=tmp_path).json)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(_spoil(ordersetl("status", "--json", cwd=tmp_path).json))


def _spoil(envelope: Any) -> Any:
    envelope["data"]["batches"] = "many"
    return envelope
