"""Each exit code, with what the user sees beside it: one line what failed, one line what to do next."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from console import Ended, ordersetl, start
from filelock import FileLock

from ordersetl.source.sample import Fault, sample_app
from ordersetl.source.server import serve

USAGE = {
    "unknown flag": ["run", "--no-such-flag"],
    "unknown command": ["rnu"],
    "unknown flag before the command": ["--no-such-flag", "run"],
    "no value": ["run", "--since"],
    "a time that is none": ["run", "--since", "yesterday-ish"],
    "an empty window": ["run", "--since", "2025-09-01", "--until", "2025-08-01"],
    "a flag against another": ["run", "--full", "--since", "2025-08-01"],
    "a wait that is no number": ["run", "--wait", "long"],
    "a negative wait": ["load", "--wait", "-1"],
    "no such users file": ["run", "--users", "no-such.csv"],
    "no such settings file": ["check", "--config", "no-such.toml"],
    "a source that is none": ["extract", "--source", "banana"],
    "a source without its API": ["extract", "--source", "generic"],
    "a URL that is none": ["run", "--api-url", "shop"],
}


def assert_told(ended: Ended, *what: str) -> None:
    """On stderr stand an error and a way on, a line each, and no traceback."""
    error, way_on = ended.err.splitlines()[-2:]
    assert error.startswith("Error: ")
    assert way_on.startswith("Next:  ")
    assert "Traceback" not in ended.err
    for word in what:
        assert word in ended.err


def test_0_where_all_went_well(shop: Path) -> None:
    for command in ("transform", "load", "check", "extract", "run"):
        ended = ordersetl(command, cwd=shop)
        assert ended.code == 0, ended.err
        assert "Error" not in ended.err


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE.keys())
def test_2_for_bad_usage_and_nothing_is_made(tmp_path: Path, arguments: list[str]) -> None:
    ended = ordersetl(*arguments, cwd=tmp_path)
    assert ended.code == 2
    assert ended.out == ""
    assert_told(ended)
    assert list(tmp_path.iterdir()) == []


def test_2_and_the_help_where_no_command_is_given(tmp_path: Path) -> None:
    ended = ordersetl(cwd=tmp_path)
    assert ended.code == 2
    assert "Usage: " in ended.err
    assert ended.out == ""


def test_2_where_the_sample_would_mix_with_real_orders(shop: Path) -> None:
    with serve(sample_app()) as url:
        ended = ordersetl("run", "--api-url", url, cwd=shop)
    assert ended.code == 2
    assert_told(ended, "sample", "--output")


def test_1_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("not a folder")
    ended = ordersetl("run", cwd=tmp_path)
    assert ended.code == 1
    assert_told(ended, "output")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_1_where_stdout_is_full(shop: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        process = start("check", "--json", cwd=shop, stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("Error: cannot write the result to stdout: No space left on device")
    assert "Exception ignored" not in err


def test_3_where_a_check_fails(shop: Path) -> None:
    (shop / "output/curated/dt=2025-08-20/fact_order.csv").unlink()
    ended = ordersetl("check", cwd=shop)
    assert ended.code == 3
    assert_told(ended, "files_present", "dt=2025-08-20/fact_order.csv", "ordersetl load --verify")
    assert "FAILED  files_present" in ended.out
    assert ordersetl("load", cwd=shop).code == 0
    assert ordersetl("check", cwd=shop).code == 0


@pytest.mark.parametrize("command", ["load", "transform", "check"])
def test_2_where_there_is_no_output(tmp_path: Path, command: str) -> None:
    ended = ordersetl(command, cwd=tmp_path)
    assert ended.code == 2
    assert_told(ended, "there is no ordersetl output at output", "ordersetl run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "extract"])
def test_2_where_a_new_output_would_be_among_other_things(tmp_path: Path, command: str) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    ended = ordersetl(command, "--output", tmp_path, cwd=tmp_path)
    assert ended.code == 2
    assert_told(ended, "not empty", "thesis.txt", "--output")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("command", ["run", "check"])
def test_14_2_where_the_path_is_no_utf8(tmp_path: Path, command: str) -> None:
    ended = ordersetl(command, "--output", os.fsdecode(b"caf\xe9"), cwd=tmp_path)
    assert ended.code == 2
    assert_told(ended, r"caf\xe9", "UTF-8")
    assert list(tmp_path.iterdir()) == []


def test_3_where_nothing_was_loaded_yet(tmp_path: Path) -> None:
    assert ordersetl("extract", cwd=tmp_path).code == 0
    ended = ordersetl("check", cwd=tmp_path)
    assert ended.code == 3
    assert_told(ended, "ordersetl run")


def test_3_where_too_much_is_rejected_and_the_ways_on_work(tmp_path: Path) -> None:
    ended = ordersetl("run", cwd=tmp_path, ORDERSETL_MAX_REJECT_RATIO="0.01")
    assert ended.code == 3
    assert_told(ended, "quarantine", "ordersetl load", "ORDERSETL_MAX_REJECT_RATIO")
    assert not list(tmp_path.glob("output/curated/dt=*"))
    assert ordersetl("load", cwd=tmp_path).code == 0
    assert ordersetl("check", cwd=tmp_path).code == 0


def test_4_where_nobody_answers(tmp_path: Path) -> None:
    ended = ordersetl("run", "--api-url", "http://127.0.0.1:9", cwd=tmp_path, ORDERSETL_MAX_RETRIES="0")
    assert ended.code == 4
    assert_told(ended, "http://127.0.0.1:9/orders", "Nothing was lost")


def test_4_where_the_answer_is_not_valid(tmp_path: Path) -> None:
    with serve(sample_app(faults=[Fault(every=1, body=b"<html>busy</html>")])) as url:
        ended = ordersetl("run", "--api-url", url, cwd=tmp_path)
    assert ended.code == 4
    assert_told(ended, "not JSON")
    assert not list(tmp_path.glob("output/raw/*/batch.json"))


def test_5_where_another_run_holds_the_output(shop: Path) -> None:
    with FileLock(shop / "output" / ".lock"):
        for command in ("run", "extract", "transform", "load"):
            ended = ordersetl(command, cwd=shop)
            assert ended.code == 5
            assert_told(ended, "another run holds", "--wait")
        assert ordersetl("check", cwd=shop).code == 0


@pytest.fixture
def busy_shop() -> Iterator[str]:
    """An API that sends a page and then asks to come back in a minute."""
    with serve(sample_app(faults=[Fault(on=range(2, 1_000), status=503, headers={"Retry-After": "60"})])) as url:
        yield url


def test_a_store_that_cannot_be_reached_is_named_with_what_leads_to_it(tmp_path: Path) -> None:
    pytest.importorskip("obstore", reason="the extra s3 is not installed")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and listens not
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        ended = ordersetl("status", "--output", "s3://bucket/x", cwd=tmp_path, AWS_ENDPOINT_URL=endpoint, **keys)
    assert ended.code == 1
    assert "Look at the store, and at the AWS_ variables" in ended.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_130_where_a_signal_ends_it_and_the_next_run_goes_on(
    tmp_path: Path, busy_shop: str, number: signal.Signals
) -> None:
    process = start("run", "--api-url", busy_shop, "--verbose", "--json", cwd=tmp_path)
    assert process.stderr is not None
    output = []
    for line in process.stderr:
        output.append(line)
        if "trying again" in line:
            process.send_signal(number)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (output, err)
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert "Error: " + number.name in err
    assert "Next:  " in err
    assert list(tmp_path.glob("output/raw/*/page-00001.json"))
    assert not list(tmp_path.glob("output/raw/*/batch.json"))
