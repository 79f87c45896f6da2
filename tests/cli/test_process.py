"""The console script's process ends without taking its modules apart, and loses nothing by it."""

import subprocess
import sys
from pathlib import Path

import pytest
from console import environment

BEGIN = "import atexit, gc, sys\nfrom ordersetl.cli.process import end_process_with, import_pipeline\n"


def end_of(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BEGIN + code], env=environment(), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("given", "code"), [("0", 0), ("3", 3), ("None", 0), ("130", 130)])
def test_the_exit_code_is_the_command_s(given: str, code: int) -> None:
    assert end_of(f"end_process_with(lambda: sys.exit({given}))").returncode == code


def test_a_command_that_returns_has_done_well() -> None:
    assert end_of("end_process_with(lambda: None)").returncode == 0


def test_an_exit_with_words_fails_and_says_them() -> None:
    ended = end_of("end_process_with(lambda: sys.exit('no way'))")
    assert (ended.returncode, ended.stderr) == (1, "no way\n")


def test_exit_handlers_run_and_all_is_flushed() -> None:
    ended = end_of(
        "atexit.register(print, 'handled')\n"
        "def work():\n    print('out')\n    sys.stderr.write('err')\n    sys.exit(4)\n"
        "end_process_with(work)\n"
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (4, "out\nhandled\n", "err")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_what_cannot_be_flushed_is_reported() -> None:
    ended = end_of(
        "def work():\n    sys.stdout = open('/dev/full', 'w')\n    sys.stdout.write('lost')\n    sys.exit(0)\n"
        "end_process_with(work)\n"
    )
    assert ended.returncode == 120
    assert "OSError" in ended.stderr


def test_an_error_that_is_no_exit_is_not_hidden() -> None:
    ended = end_of("def work():\n    raise KeyError('lost')\nend_process_with(work)\n")
    assert ended.returncode == 1
    assert "KeyError: 'lost'" in ended.stderr


def test_the_collector_rests_until_all_is_imported() -> None:
    ended = end_of(
        "before = gc.get_freeze_count()\n"
        "def work():\n    print(gc.isenabled())\n    import_pipeline()\n"
        "    print(gc.isenabled(), 'ordersetl.pipeline' in sys.modules, gc.get_freeze_count() > before)\n"
        "end_process_with(work)\n"
    )
    assert ended.stdout.split() == ["False", "True", "True", "True"]


def test_a_library_s_collector_is_left_alone() -> None:
    ended = end_of(
        "before = gc.get_freeze_count()\nimport_pipeline()\nprint(gc.isenabled(), gc.get_freeze_count() - before)"
    )
    assert ended.stdout.split() == ["True", "0"]


def test_commands_that_fetch_nothing_do_without_an_http_client() -> None:
    code = "import sys, ordersetl.pipeline, ordersetl.settings; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
