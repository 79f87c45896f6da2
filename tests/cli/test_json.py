"""``--json``: exactly one object on stdout, of one form, on failure too. The keys are a contract."""

import errno
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from console import Ended, ordersetl
from typer.testing import CliRunner
from webhook import hook

import ordersetl as package
from ordersetl.cli.app import app
from ordersetl.lake.journal import read_journal
from ordersetl.lake.layout import Lake
from ordersetl.results import CheckResult, ExtractResult, LoadResult, RunResult, StatusResult, TransformResult

DATA = {
    "run": {
        *("run_id", "started_at", "extract", "transform", "load", "check", "seconds", "report", "warnings", "gaps"),
        "warehouse",
    },
    "extract": {
        *("batch", "source", "url", "since", "until", "window_end", "pages", "records", "bytes", "retries"),
        *("resumed_pages", "seconds", "gaps", "asked"),
    },
    "transform": {
        *("batches", "staged_anew", "received", "accepted", "rejected", "outside_window", "rejected_by_reason"),
        *("lines_received", "lines_accepted", "lines_rejected", "lines_rejected_by_reason", "rows", "texts_cut"),
        *("lines_skipped", "deleted", "emptied", "future_updated_at", "cancelled", "refunded", "skipped"),
        *("skipped_by_reason", "seconds"),
    },
    "load": {
        *("batches", "late", "orders", "partitions_written", "partitions_unchanged", "partitions_removed", "written"),
        *("dimensions_written", "users", "products", "reference_notes", "healed", "recovered", "rebuilt", "revenue"),
        *("rows", "orders_total", "source_changes", "seconds", "warehouse"),
    },
    "check": {"ok", "scope", "days", "deep", "outcomes", "metrics", "totals", "open_quarantine", "seconds"},
    "status": {
        *("output", "at", "as_of", "age_s", "max_age_s", "too_old", "running", "last_failure", "succeeded"),
        *("quiet_runs", "coverage", "batches", "partitions", "orders", "rows", "revenue", "quarantine", "sizes"),
        "problems",
    },
}
RESULTS = {
    "run": RunResult,
    "extract": ExtractResult,
    "transform": TransformResult,
    "load": LoadResult,
    "check": CheckResult,
    "status": StatusResult,
}
FAILURES = {
    "an unknown flag": (["run", "--json", "--no-such-flag"], 2, "config", "run"),
    "an unknown command": (["rnu", "--json"], 2, "config", ""),
    "a flag before the command": (["--json", "run"], 2, "config", "run"),
    "a bad value": (["load", "--wait", "long", "--json"], 2, "config", "load"),
    "a bad setting": (["transform", "--config", "bad.toml", "--json"], 2, "config", "transform"),
    "a bad time": (["extract", "--since", "soon", "--json"], 2, "config", "extract"),
    "a failed check": (["check", "--json"], 3, "check_failed", "check"),
    "no answer": (["run", "--api-url", "http://127.0.0.1:9", "--json"], 4, "source", "run"),
}


def assert_envelope(envelope: Any, command: str, status: str) -> None:
    assert list(envelope) == [
        "schema",
        "command",
        "status",
        "version",
        "data",
        *(["error"] if status == "failed" else []),
    ]
    assert envelope["schema"] == 1
    assert envelope["command"] == command
    assert envelope["status"] == status
    assert envelope["version"] == package.__version__


@pytest.mark.parametrize("command", DATA)
def test_success_is_one_object_of_a_pinned_form(shop: Path, command: str) -> None:
    ended = ordersetl(command, "--json", cwd=shop)
    assert ended.code == 0
    assert ended.out.count("\n") == 1
    assert_envelope(ended.json, command, "ok")
    assert set(ended.json["data"]) == DATA[command]
    assert {field.name for field in fields(RESULTS[command])} == DATA[command]


def test_a_run_reports_its_stages_in_their_own_forms_and_keeps_the_same_on_disk(tmp_path: Path) -> None:
    data = ordersetl("run", "--json", cwd=tmp_path).json["data"]
    for stage in ("extract", "transform", "load", "check"):
        assert set(data[stage]) == DATA[stage]
        assert data["seconds"][stage] == data[stage]["seconds"]
    assert data["load"]["orders"]["inserted"] == data["load"]["orders_total"] == 282
    assert data["load"]["revenue"].keys() == {"COP", "EUR", "MXN", "PEN", "USD"}
    assert all(isinstance(amount, str) and amount[-5] == "." for amount in data["load"]["revenue"].values())
    kept = Ended(0, (tmp_path / data["report"]).read_text(encoding="utf-8"), "").json
    assert kept["status"] == "ok"
    assert {stage: kept[stage] for stage in ("extract", "transform", "load", "check")} == {
        stage: data[stage] for stage in ("extract", "transform", "load", "check")
    }


@pytest.mark.parametrize(("arguments", "code", "error", "command"), FAILURES.values(), ids=FAILURES.keys())
def test_failure_is_one_object_of_the_same_form(
    tmp_path: Path, arguments: list[str], code: int, error: str, command: str
) -> None:
    (tmp_path / "bad.toml").write_text("page_size = 0\n")
    (tmp_path / "output/raw/20250901T000000.000000Z").mkdir(parents=True)
    ended = ordersetl(*arguments, cwd=tmp_path, ORDERSETL_MAX_RETRIES="0")
    assert ended.code == code
    assert ended.out.count("\n") == 1
    assert_envelope(ended.json, command, "failed")
    assert set(ended.json["error"]) == {"code", "message", "hint"}
    assert ended.json["error"]["code"] == error
    assert ended.json["error"]["message"]
    assert ended.json["error"]["message"] in ended.err
    assert "Traceback" not in ended.err


def test_a_failed_check_keeps_its_data(shop: Path) -> None:
    (shop / "output/curated/dim_user.csv").unlink()
    envelope = ordersetl("check", "--json", cwd=shop).json
    assert set(envelope["data"]) == DATA["check"]
    failed = {outcome["name"] for outcome in envelope["data"]["outcomes"] if not outcome["ok"]}
    assert "files_present" in failed
    assert all(name in envelope["error"]["message"] for name in failed)


def test_a_failed_run_keeps_a_report(tmp_path: Path) -> None:
    envelope = ordersetl("run", "--json", cwd=tmp_path, ORDERSETL_MAX_REJECT_RATIO="0").json
    (report,) = tmp_path.glob("output/runs/*.json")
    kept = Ended(0, report.read_text(encoding="utf-8"), "").json
    assert kept["status"] == "failed"
    assert kept["error"] == envelope["error"]
    assert kept["transform"]["rejected"] == 39
    assert "load" not in kept


def test_a_bug_is_a_failure_with_an_envelope(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ordersetl.pipeline.transform", _fail)
    ended = CliRunner().invoke(app, ["transform", "--json"])
    assert ended.exit_code == 1
    envelope = Ended(1, ended.stdout, "").json
    assert_envelope(envelope, "transform", "failed")
    assert envelope["error"]["code"] == "internal"
    assert "KeyError: 'gone'" in envelope["error"]["message"]
    assert "Traceback" not in ended.stderr


class PanicException(BaseException):
    """What pyo3 raises where a library in Rust gives up."""


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (PanicException("assertion failed"), "PanicException: assertion failed", "bug"),
        (PanicException("OS can't spawn worker thread: Resource temporarily unavailable"), "more threads", "ulimit"),
        (MemoryError(), "more memory", "ulimit"),
        (RuntimeError("can't start new thread"), "more threads", "ulimit"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE), "x.parquet"), "more open files", "ulimit"),
    ],
)
def test_a_panic_and_a_shortage_are_failures_that_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException, message: str, hint: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ordersetl.pipeline.load_batches", fail)
    with hook() as told:
        variables = {"ORDERSETL_NOTIFY_URL": told.url, "ORDERSETL_SOURCE": "sample"}
        ended = CliRunner().invoke(app, ["run", "--json"], env=variables)
    assert ended.exit_code == 1
    envelope = Ended(1, ended.stdout, "").json
    assert message in envelope["error"]["message"]
    assert hint in envelope["error"]["hint"]
    assert [one["error"] for one in told.got] == [envelope["error"]]
    (report,) = tmp_path.glob("output/runs/*.json")
    assert Ended(0, report.read_text(encoding="utf-8"), "").json["status"] == "failed"
    failure = read_journal(Lake(tmp_path / "output")).failure
    assert failure is not None
    assert failure.stage == "load"


def _fail(*_: object, **__: object) -> None:
    raise KeyError("gone")
