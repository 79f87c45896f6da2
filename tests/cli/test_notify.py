"""Somebody is told when a run fails, and when one is well again; and that never makes a run fail."""

import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from console import ordersetl
from webhook import hook

from ordersetl.cli.notify import notify_failure
from ordersetl.errors import InterruptedRunError, SourceError
from ordersetl.settings import Settings

URL = "https://chat.example/hooks/SECRET?token=SECRET"
ENVELOPE: dict[str, Any] = {"schema": 1, "command": "run", "status": "failed", "version": "0"}


def test_a_failure_and_the_recovery_are_told_once_each(tmp_path: Path) -> None:
    with hook() as told:
        variables = {"ORDERSETL_NOTIFY_URL": told.url, "ORDERSETL_SOURCE": "sample"}
        assert ordersetl("run", "-q", "-o", "well", cwd=tmp_path, **variables).code == 0
        assert told.got == []
        failed = ordersetl("run", "-q", cwd=tmp_path, ORDERSETL_MAX_REJECT_RATIO="0", **variables)
        assert failed.code == 3
        (envelope,) = told.got
        assert (envelope["command"], envelope["status"]) == ("run", "failed")
        assert envelope["error"]["code"] == "rejects"
        assert envelope["error"]["message"] in failed.err
        assert ordersetl("run", "-q", cwd=tmp_path, **variables).code == 0
        assert ordersetl("run", "-q", cwd=tmp_path, **variables).code == 0
    assert [envelope["status"] for envelope in told.got] == ["failed", "ok"]
    assert told.got[1]["data"]["load"]["orders_total"] == 282
    assert "SECRET" not in failed.err


def test_settings_that_are_wrong_are_told_too(tmp_path: Path) -> None:
    with hook() as told:
        ended = ordersetl("run", "--users", "none.csv", cwd=tmp_path, ORDERSETL_NOTIFY_URL=told.url)
    assert ended.code == 2
    assert [envelope["error"]["code"] for envelope in told.got] == ["config"]


def test_other_commands_tell_nobody(tmp_path: Path) -> None:
    with hook() as told:
        assert ordersetl("check", cwd=tmp_path, ORDERSETL_NOTIFY_URL=told.url).code == 2
    assert told.got == []


def test_a_hook_that_refuses_changes_nothing(tmp_path: Path) -> None:
    with hook(404) as told:
        variables = {"ORDERSETL_NOTIFY_URL": told.url, "ORDERSETL_MAX_REJECT_RATIO": "0", "ORDERSETL_SOURCE": "sample"}
        ended = ordersetl("run", "--json", cwd=tmp_path, **variables)
        assert (ended.code, ended.json["error"]["code"], len(told.got)) == (3, "rejects", 1)
        assert "Warning: nobody could be told by notify_url: HTTP 404." in ended.err
        assert "SECRET" not in ended.err + ended.out
        variables.pop("ORDERSETL_MAX_REJECT_RATIO")
        assert ordersetl("run", "-q", cwd=tmp_path, **variables).code == 0
        assert len(told.got) == 2  # the recovery; and again, as nobody took it
        assert ordersetl("run", "-q", cwd=tmp_path, **variables).code == 0
        assert len(told.got) == 3


@pytest.mark.parametrize(
    ("answers", "tries"),
    [([503, 200], 2), ([429, 500, 503, 200], 3), ([400, 200], 1), ([302], 1), ([None, None, None, 200], 3), ([200], 1)],
)
def test_tries_are_bounded(answers: list[int | None], tries: int, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[httpx.Request] = []
    naps: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        status = answers[len(seen) - 1]
        if status is None:
            raise httpx.ConnectError(f"cannot reach {request.url}")
        return httpx.Response(status)

    with caplog.at_level(logging.WARNING):
        notify_failure(
            Settings(notify_url=URL, output=Path("none")),
            ENVELOPE,
            SourceError("x"),
            transport=httpx.MockTransport(answer),
            sleep=naps.append,
        )
    assert len(seen) == tries
    assert len(naps) <= 2
    assert "SECRET" not in caplog.text
    assert bool(caplog.messages) == (answers[tries - 1] != 200)


def test_an_interruption_is_nobody_s_alarm() -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise AssertionError

    notify_failure(Settings(notify_url=URL), ENVELOPE, InterruptedRunError("x"), transport=httpx.MockTransport(fail))


@pytest.mark.parametrize("url", ["chat.example", "ftp://x", "https://", "http:// x"])
def test_what_is_no_url_is_refused(tmp_path: Path, url: str) -> None:
    ended = ordersetl("run", cwd=tmp_path, ORDERSETL_NOTIFY_URL=url)
    assert ended.code == 2
    assert "notify_url: must be an http:// or https:// URL" in ended.err
