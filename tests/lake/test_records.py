"""Records are input: whatever one says under a right digest, nothing outside of the output is touched."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lakes import curated_bytes, open_job, order, run, write_batch

from ordersetl.errors import CorruptedError
from ordersetl.lake import raw
from ordersetl.lake.commit import recover
from ordersetl.lake.fold_settings import DEFAULTS
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import read_manifest
from ordersetl.lake.staged import find_stage
from ordersetl.runtime import RunContext
from ordersetl.star.rules import RULES

BATCH = "20250901T000000.000000Z"
USERS = b"user_id,email,country,created_at\n"
OUTSIDE = "../../outside"
DAY = "dt=2025-08-20/fact_order.csv"

Record = Any
Change = Callable[[Record], object]


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    (tmp_path / "outside").write_text("not ours")
    with open_job(tmp_path / "output") as opened:
        write_batch(opened, [order(), order("bad", amount=-1)], batch_id=BATCH, users=USERS)
        run(opened)
        yield opened
    assert (tmp_path / "outside").read_text() == "not ours"


def put(path: Path, body: bytes) -> None:
    """Write a record with the digest that fits, as anybody can."""
    path.write_bytes(body + b',\n "digest": "' + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n')


def edit(path: Path, change: Change) -> None:
    record = json.loads(path.read_bytes())
    del record["digest"]
    change(record)
    put(path, json.dumps(record).encode().removesuffix(b"}"))


def at(*way: str | int, value: object) -> Change:
    def change(record: Record) -> None:
        for step in way[:-1]:
            record = record[step]
        record[way[-1]] = value

    return change


def paths(lake: Lake) -> dict[str, Path]:
    return {
        "marker": lake.folder / "raw" / BATCH / "batch.json",
        "request": lake.folder / "raw" / BATCH / "_request.json",
        "stage": lake.folder / "staged" / BATCH / "stage.json",
        "manifest": lake.folder / "curated/_manifest.json",
    }


REFERENCE = {"sha256": OUTSIDE, "bytes": 1, "name": "users.csv"}
ENTRY = {"sha256": "0" * 64, "bytes": 1, "orders": 1, "lines": 0}
FILE = {"sha256": "0" * 64, "bytes": 1, "mtime_ns": 0, "rows": 1}
YEAR_ONE, NAIVE = "0001-01-01T00:00:00Z", "2025-09-01T00:00:00"

MARKERS: list[Change] = [
    at("batch", value=OUTSIDE),
    at("batch", value="20250902T000000.000000Z"),
    at("pages", 0, "name", value=f"{OUTSIDE}/page-00001.json"),
    at("pages", 0, "name", value="/etc/passwd"),
    at("pages", 0, "name", value="page-00002.json"),
    at("pages", 0, "name", value="page-00001.json\n"),
    at("pages", 0, "sha256", value="0" * 63),
    at("pages", 0, "bytes", value=-1),
    *(at("pages", 0, "charset", value=said) for said in ("rot13", "../../x", "idna", "UTF-8 ", "base64")),
    at("covered", value=[["2025-01-02T00:00:00Z", "2025-01-01T00:00:00Z"]]),
    at("settled", value="2199-01-01T00:00:00Z"),
    at("pages", 0, "records", value=10**40),
    at("references", "users", value=REFERENCE),
    at("references", OUTSIDE, value=REFERENCE | {"sha256": "0" * 64}),
    at("request", "references", "users", value=REFERENCE),
    at("request", "began_at", value=YEAR_ONE),
    at("window_end", value=NAIVE),
    at("window_end", value="9999-12-31T23:59:59-14:00"),
    at("committed_at", value=YEAR_ONE),
    at("since", value="0001-01-01T00:00:00+14:00"),
    at("until", value=NAIVE),
]
REQUESTS: list[Change] = [
    at("since", value=YEAR_ONE),
    at("until", value=NAIVE),
    at("began_at", value="2200-01-01T00:00:00Z"),
    at("page_size", value=-1),
    at("references", "users", value=REFERENCE),
]
STAGES: list[Change] = [
    at("batch", value=OUTSIDE),
    *(at("parts", 0, role, "name", value=OUTSIDE) for role in ("orders", "lines", "rejects")),
    at("parts", 0, "orders", "name", value="lines-00001.parquet"),
    at("parts", 0, "orders", "rows", value=-1),
    at("parts", 0, "refunds", value=ENTRY | {"name": OUTSIDE, "rows": 1}),
    at("parts", 0, "days", "2025-08-20", value=-1),
    at("parts", 0, "line_days", "2025-08-20", value=-1),
    at("settings", "timezone", value="UTC'; SELECT 1 --"),
    at("settings", "emails", value="hash:secret"),
    at("source_digest", value="x"),
    at("quarantine_sha256", value=""),
    at("counts", "rejected", "invalid_amount", value=-1),
    at("references", "users", value=REFERENCE),
]
MANIFESTS: list[Change] = [
    at("removed", value=[OUTSIDE]),
    at("removed", value=["dt=2025-08-20/../../../outside"]),
    at("removed", value=["dt=20250820/fact_order.csv"]),
    at("batches", value=[OUTSIDE]),
    at("batches", value=["99991231T235959.999999Z"]),
    at("tombstones", value=[{"name": OUTSIDE, "sha256": "0" * 64, "bytes": 1, "rows": 1, "hashing": "words 1"}]),
    at("members", value={"users": [{"name": OUTSIDE, "sha256": "0" * 64, "bytes": 1, "rows": 1, "hashing": "1"}]}),
    at("members", value={"../users": []}),
    at("mentions", value=[{"name": OUTSIDE, "sha256": "0" * 64, "bytes": 1, "rows": 1, "hashing": "words 1"}]),
    at("settings", "timezone", value="UTC'; SELECT 1 --"),
    at("settings", "emails", value="show"),
    at("files", OUTSIDE, value=FILE),
    at("files", "/etc/passwd", value=FILE),
    at("files", "fact_refund/dt=20250820/fact_refund.csv", value=FILE),
    at("removed", value=["fact_refund/dt=2025-08-20/../fact_refund.csv"]),
    at("files", f"{DAY}\n", value=FILE),
    at("files", "dt=2025-02-30/fact_order.csv", value=FILE),
    at("files", DAY, "sha256", value="x"),
    at("files", DAY, "rows", value=-1),
    *(at("files", DAY, "sums", value={"EUR": said}) for said in ("", "ten", "NaN", "1E+400000000", "9" * 400, "1_0")),
    at("quarantine", OUTSIDE, value=ENTRY),
    at("quarantine", BATCH, value=ENTRY | {"bytes": -1}),
    at("index", 0, "name", value=OUTSIDE),
    at("index", 0, "rows", value=-1),
    at("references", "users", value=OUTSIDE),
]
BODIES = [
    b'{"batch":',
    b'{"batch": "\xff"',
    b"[1",
    b"",
    b'{"batch": ' + b"[" * 100_000,
    b'{"files": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"rules": ' + b"9" * 10_000,
]


@pytest.mark.parametrize("change", MARKERS)
def test_a_marker_that_says_what_none_says_is_damage(context: RunContext, change: Change) -> None:
    edit(paths(context.lake)["marker"], change)
    with pytest.raises(
        CorruptedError, match=f"the raw batch {BATCH} is damaged: .*is not one that ordersetl writes"
    ) as no:
        raw.read_marker(context.lake, BATCH)
    assert f"{BATCH}/batch.json alone" in no.value.hint
    shutil.rmtree(context.lake.folder / "staged")
    with pytest.raises(CorruptedError):
        run(context, rebuild=True)


@pytest.mark.parametrize("change", REQUESTS)
def test_a_request_that_says_what_none_says_is_none(context: RunContext, change: Change) -> None:
    edit(paths(context.lake)["request"], change)
    assert raw.read_request(context.lake, BATCH) is None


@pytest.mark.parametrize("change", STAGES)
def test_a_stage_that_says_what_none_says_is_made_again(context: RunContext, change: Change) -> None:
    before = curated_bytes(context.lake)
    edit(paths(context.lake)["stage"], change)
    assert find_stage(context.lake, BATCH, rules=RULES, settings=DEFAULTS, source_digest=None) is None
    shutil.rmtree(context.lake.folder / "curated")
    run(context)
    assert curated_bytes(context.lake) == before


@pytest.mark.parametrize("change", MANIFESTS)
def test_a_manifest_that_says_what_none_says_is_damage(context: RunContext, change: Change) -> None:
    before = curated_bytes(context.lake)
    edit(context.lake.folder / "curated/_manifest.json", change)
    with pytest.raises(CorruptedError, match=r"_manifest\.json is damaged: .* is not one that ordersetl writes"):
        read_manifest(context.lake)
    assert [damage.file for damage in run(context).healed] == ["_manifest.json"]
    assert curated_bytes(context.lake) == before


@pytest.mark.parametrize("change", MANIFESTS)
def test_a_pending_manifest_that_says_what_none_says_is_dropped(context: RunContext, change: Change) -> None:
    before = curated_bytes(context.lake)
    shutil.copy(context.lake.folder / "curated/_manifest.json", context.lake.folder / "curated/_pending.json")
    edit(context.lake.folder / "curated/_pending.json", change)
    assert recover(context.lake) is False
    assert not (context.lake.folder / "curated/_pending.json").exists()
    assert curated_bytes(context.lake) == before


@pytest.mark.parametrize("kind", ["marker", "request", "stage", "manifest"])
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_broken_or_deep_json_under_a_right_digest_is_damage(context: RunContext, kind: str, body: bytes) -> None:
    put(paths(context.lake)[kind], body)
    if kind == "marker":
        with pytest.raises(CorruptedError):
            raw.read_marker(context.lake, BATCH)
    elif kind == "request":
        assert raw.read_request(context.lake, BATCH) is None
    elif kind == "stage":
        assert find_stage(context.lake, BATCH, rules=RULES, settings=DEFAULTS, source_digest=None) is None
    else:
        before = curated_bytes(context.lake)
        run(context)
        assert curated_bytes(context.lake) == before


def test_what_a_record_says_is_shown_short_and_printable(context: RunContext) -> None:
    edit(paths(context.lake)["marker"], at("batch", value="\x1b[31m" + "x" * 10_000))
    with pytest.raises(CorruptedError) as caught:
        raw.read_marker(context.lake, BATCH)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500
