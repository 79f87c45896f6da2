"""A line of the quarantine file is JSON that every reader takes, whatever the record held."""

import json
from pathlib import Path

import duckdb
import pytest

from ordersetl.lake.quarantine import Reject, decode_reject

QUERY = """SELECT scope, reason, COUNT(*) AS rejected, any_value(record) AS record
FROM read_json($file, format = 'newline_delimited',
    columns = {'scope': 'VARCHAR', 'reason': 'VARCHAR', 'record': 'VARCHAR'})
GROUP BY scope, reason"""


def make(record: object, detail: str = "") -> Reject:
    return Reject(1, 0, None, "o-1", "invalid_amount", detail, None, record)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"note": "a\ud83e", "tags": ["\udc00b"]}, {"note": "a\ufffd", "tags": ["\ufffdb"]}),
        ({"k\ud800": 1}, {"k\ufffd": 1}),
        ({"note": "\ud800", "amount": float("nan")}, {"note": "\ufffd", "amount": "nan"}),
        ({"note": "é 🦊 \ufffd \\ud800"}, {"note": "é 🦊 \ufffd \\ud800"}),
    ],
)
def test_half_a_surrogate_pair_is_written_as_a_character(tmp_path: Path, record: object, expected: object) -> None:
    line = make(record, "is '\ud800'").to_json("b")
    assert json.loads(line)["record"] == expected
    file = tmp_path / "b.ndjson"
    file.write_bytes(line)
    scope, reason, rejected, shown = duckdb.execute(QUERY, {"file": str(file)}).fetchall()[0]
    assert (scope, reason, rejected, json.loads(shown)) == ("order", "invalid_amount", 1, expected)
    read = decode_reject(line)
    assert read is not None
    assert (read.order_id, read.detail) == ("o-1", "is '\ufffd'")


def test_a_line_of_an_earlier_version_is_read() -> None:
    line = make({"note": "x"}).to_json("b").replace(b'"x"', b'"\\ud800"')
    read = decode_reject(line)
    assert read is not None
    assert read.order_id == "o-1"
