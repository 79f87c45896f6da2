"""Real processes on a real socket: killed, interrupted, many at once, read while they write, paused and overtaken."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
from console import ordersetl, start
from fault_cases import Stage
from faulty import FaultyDisk
from shop_story import NOW, Shop, leftovers, readers_files

from ordersetl.source.sample import sample_app
from ordersetl.source.server import serve

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

LONG_S = 60.0
"""More than anything here takes; reaching it is a failure."""


class Gate:
    """The shop's API, which holds back the answer to its ``at``-th request until told to go on."""

    def __init__(self, shop: Shop, at: int = 0) -> None:
        self._app = sample_app(shop.orders)
        self._at = at
        self._count = 0
        self.arrived = threading.Event()
        self.go = threading.Event()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        self._count += 1
        if self._count == self._at:
            self.arrived.set()
            self.go.wait(LONG_S)
        return self._app(environ, start_response)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "ordersetl.toml").write_text("page_size = 3\n")
    return Shop(tmp_path / "files")


@contextmanager
def open_shop(shop: Shop, at: int = 0) -> Iterator[tuple[Gate, list[str]]]:
    """The gate of the served API, and the arguments of a run over it."""
    gate = Gate(shop, at)
    with serve(gate) as url:
        files = ["--users", str(shop.folder / "users.csv"), "--products", str(shop.folder / "products.csv")]
        try:
            yield gate, ["run", "--full", "--api-url", url, *files]
        finally:
            gate.go.set()


def assert_right(folder: Path, expected: dict[str, bytes]) -> None:
    assert readers_files(folder / "output") == expected
    assert leftovers(folder / "output") == []
    assert ordersetl("check", "--deep", cwd=folder).code == 0


def first_chapter(folder: Path, stage: Stage) -> None:
    shutil.copytree(stage.folder, folder / "output")


@contextmanager
def started(tmp_path: Path, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], IO[bytes]]]:
    """A process that has begun to read its users file, which is a pipe that the block may fill; killed at the end."""
    pipe = tmp_path / "pipe"
    if not pipe.exists():
        os.mkfifo(pipe)
    process = start(*arguments, "--users", pipe, cwd=tmp_path)
    try:
        with pipe.open("wb") as users:  # waits for the process to open its end
            yield process, users
    finally:
        process.kill()
        process.communicate()


@contextmanager
def running(*arguments: object, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive the block."""
    process = start(*arguments, cwd=cwd)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_killed_at_any_time(tmp_path: Path, shop: Shop, stage: Stage) -> None:
    first_chapter(tmp_path, stage)
    delays = random.Random(20250823)
    with open_shop(shop) as (_, arguments):
        for kill in range(5):
            with started(tmp_path, *arguments) as (process, users):
                users.write((shop.folder / "users.csv").read_bytes())
                users.close()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=delays.uniform(0.0, 0.1 * (kill + 1)))
            found = readers_files(tmp_path / "output").items()
            assert all(data in {stage.before.get(file), stage.after.get(file)} for file, data in found)
        assert ordersetl(*arguments, cwd=tmp_path).code == 0
    assert_right(tmp_path, stage.after)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_a_safe_point(tmp_path: Path, shop: Shop, stage: Stage, number: signal.Signals) -> None:
    with open_shop(shop, at=3) as (gate, arguments):
        with running(*arguments, "--json", cwd=tmp_path) as process:
            assert gate.arrived.wait(LONG_S)
            process.send_signal(number)
            out, err = process.communicate(timeout=LONG_S)  # although the API is still silent
        assert process.returncode == 130
        assert "the pages fetched so far" in err
        assert '"interrupted"' in out
        gate.go.set()
        again = ordersetl(*arguments, "--json", cwd=tmp_path)
    assert again.code == 0
    assert again.json["data"]["extract"]["resumed_pages"] == 2
    assert_right(tmp_path, stage.after)


def test_a_second_signal_ends_it_at_once(tmp_path: Path, shop: Shop, stage: Stage) -> None:
    first_chapter(tmp_path, stage)
    with open_shop(shop) as (_, arguments):
        with started(tmp_path, *arguments) as (process, _users):  # it reads, in vain and without a safe point
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
            assert process.wait(LONG_S) == 130
        assert ordersetl(*arguments, cwd=tmp_path).code == 0
    assert_right(tmp_path, stage.after)


def test_of_six_writers_one_writes_and_the_others_say_who(tmp_path: Path, shop: Shop, stage: Stage) -> None:
    with open_shop(shop, at=1) as (gate, arguments), ThreadPoolExecutor(6) as pool:
        processes = [start(*arguments, cwd=tmp_path) for _ in range(6)]
        ending = {pool.submit(process.communicate): process for process in processes}
        failed: list[tuple[int, str]] = []
        for done in as_completed(ending):
            if len(failed) == 5:
                assert ending[done].returncode == 0
                break
            failed.append((ending[done].returncode, done.result()[1]))
            if len(failed) == 5:
                gate.go.set()
        winner = next(process.pid for process in processes if process.returncode == 0)
    assert [code for code, _ in failed] == [5] * 5
    for _, err in failed:
        said = " ".join(err.split())
        assert f"process {winner} on {socket.gethostname()}, since 20" in said
    assert_right(tmp_path, stage.after)


def test_a_patient_writer_waits_for_the_other(tmp_path: Path, shop: Shop, stage: Stage) -> None:
    with open_shop(shop, at=1) as (gate, arguments):
        with running(*arguments, cwd=tmp_path) as first:
            assert gate.arrived.wait(LONG_S)
            assert ordersetl(*arguments, "--wait", "0.01", cwd=tmp_path).code == 5
            with running(*arguments, "--wait", LONG_S, cwd=tmp_path) as second:
                gate.go.set()
                first.communicate(timeout=LONG_S)
                second.communicate(timeout=LONG_S)
        assert (first.returncode, second.returncode) == (0, 0)
    assert_right(tmp_path, stage.after)


def test_a_patient_writer_can_be_interrupted(tmp_path: Path, shop: Shop) -> None:
    with open_shop(shop, at=1) as (gate, arguments), running(*arguments, cwd=tmp_path):
        assert gate.arrived.wait(LONG_S)
        with started(tmp_path, *arguments, "--wait", LONG_S) as (second, users):
            users.write((shop.folder / "users.csv").read_bytes())
            users.close()
            second.send_signal(signal.SIGTERM)
            assert second.wait(LONG_S / 2) == 130


def test_a_reader_never_meets_half_a_file(tmp_path: Path, shop: Shop, stage: Stage) -> None:
    first_chapter(tmp_path, stage)
    met: dict[tuple[str, bytes], int] = {}
    ended = threading.Event()

    def read_on() -> None:
        while not ended.is_set():
            with contextlib.suppress(FileNotFoundError):  # a folder or a file was removed since it was listed
                for path in (tmp_path / "output" / "curated").glob("**/*.csv"):
                    key = (path.relative_to(tmp_path / "output" / "curated").as_posix(), path.read_bytes())
                    met[key] = met.get(key, 0) + 1

    reader = threading.Thread(target=read_on)
    reader.start()
    try:
        with open_shop(shop) as (_, arguments):
            assert ordersetl(*arguments, cwd=tmp_path).code == 0
    finally:
        ended.set()
        reader.join()
    assert all(data.endswith(b"\n") and data in {stage.before.get(f), stage.after.get(f)} for f, data in met)
    assert set(stage.before.items()) <= set(met)
    assert_right(tmp_path, stage.after)


def test_a_paused_writer_that_was_overtaken_commits_nothing(tmp_path: Path, shop: Shop, stage: Stage) -> None:
    with open_shop(shop, at=2) as (gate, arguments), running(*arguments, cwd=tmp_path) as paused:
        assert gate.arrived.wait(LONG_S)
        paused.send_signal(signal.SIGSTOP)
        (tmp_path / "output" / ".lock").unlink()
        assert ordersetl(*arguments, cwd=tmp_path).code == 0
        kept = {path: path.read_bytes() for path in (tmp_path / "output" / "raw").rglob("*") if path.is_file()}
        gate.go.set()
        paused.send_signal(signal.SIGCONT)
        _, err = paused.communicate(timeout=LONG_S)
        assert "deleted or replaced" in " ".join(err.split())
        assert paused.returncode == 5
    assert {path: path.read_bytes() for path in kept} == kept
    assert_right(tmp_path, stage.after)


def test_orders_of_the_second_chapter_alone_are_fetched(tmp_path: Path, stage: Stage) -> None:
    # the scenario's own clock: what the sweeps rely on
    output = tmp_path / "output"
    shutil.copytree(stage.folder, output)
    result = Shop(tmp_path / "files").run(output, FaultyDisk(), NOW + timedelta(minutes=1))
    assert (result.extract.records, result.load.partitions_removed) == (6, 1)
