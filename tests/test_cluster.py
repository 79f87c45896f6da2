"""A cluster as the executor: real schedulers and workers, which die, vanish and come back."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import IO

import pytest
from console import ordersetl
from lakes import curated_bytes, open_job, order, run, write_batch

from ordersetl import cluster, pipeline
from ordersetl.check import tables
from ordersetl.cluster import ClusterExecutor, Seen, open_cluster
from ordersetl.errors import ClusterError, ConfigError
from ordersetl.runtime import RunContext
from ordersetl.settings import Settings
from ordersetl.storage.disk import Disk
from ordersetl.storage.lock import Lock, acquire_lock

get_worker = pytest.importorskip("distributed", reason="the extra dask is not installed").get_worker

LONG_S = 60
LATE_S = 20
"""Enough for a worker to end what it was at."""
SCHEDULER = "from distributed.cli.dask_scheduler import main; main()"
WORKER = "from distributed.cli.dask_worker import main; main()"


FAILURES = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
IMPATIENT = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "5s"}
"""Gives a worker up that is silent for so long, the least there is: ten heartbeats."""


class Machines:
    """A scheduler and its workers, processes that can be killed."""

    def __init__(self, stack: ExitStack, folder: Path, variables: Mapping[str, str] = MappingProxyType({})) -> None:
        self._stack = stack
        self._folder = folder
        self._variables = {**os.environ, **FAILURES, **variables}
        arguments = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-jupyter")
        self.scheduler, self.url = self._start(SCHEDULER, r"tcp://127\.0\.0\.1:\d+", *arguments)

    def add_worker(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start one more worker of one thread, and wait until the scheduler has it."""
        own = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(self._folder), *arguments)
        return self._start(WORKER, "Registered to", self.url, *own)[0]

    def _start(self, program: str, awaited: str, *arguments: str) -> "tuple[subprocess.Popen[str], str]":
        """Start one, and wait for what it says when it is ready."""
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env=self._variables,
        )
        assert process.stderr is not None
        reader = threading.Thread(target=read_to_the_end, args=(process.stderr,))
        self._stack.callback(self._end, process, reader)
        try:
            said = next(found[0] for line in process.stderr if (found := re.search(awaited, line)))
        finally:
            reader.start()
        return process, said

    def _end(self, process: "subprocess.Popen[str]", reader: threading.Thread) -> None:
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.wait(LONG_S)
        reader.join(LONG_S)


def read_to_the_end(said: IO[str]) -> None:
    """Take what a process still says: it stands still once its pipe is full."""
    with said:
        for _ in said:
            pass


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with ExitStack() as stack:
        yield Machines(stack, tmp_path)


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Machines]:
    """Machines that give up a worker which is silent for some seconds."""
    with ExitStack() as stack:
        yield Machines(stack, tmp_path, IMPATIENT)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[Lock]:
    with acquire_lock(tmp_path / ".lock", disk=Disk()) as held:
        yield held


@pytest.fixture
def executor(machines: Machines, lock: Lock) -> Iterator[ClusterExecutor]:
    machines.add_worker()
    with open_cluster(machines.url, lock, max_wait_s=LONG_S) as opened:
        yield opened


def fill(context: RunContext) -> None:
    """Some batches whose orders move, leave and name users."""
    write_batch(
        context,
        [order(f"o-{n}", day=20 + n % 5, user_id=f"u-{n % 7}") for n in range(40)],
        users=b"user_id,email,country,created_at\nu-1,a@example.com,DE,2025-01-01\n",
    )
    run(context)
    moved = [order(f"o-{n}", day=26, updated_at="2025-08-27T00:00:00Z") for n in range(0, 40, 3)]
    gone = [{"order_id": f"o-{n}", "updated_at": "2025-08-27T00:00:00Z", "deleted": True} for n in range(1, 40, 9)]
    write_batch(context, [*moved, *gone])
    run(context)


def test_the_bytes_are_those_of_threads(tmp_path: Path, executor: ClusterExecutor) -> None:
    with open_job(tmp_path / "here") as context:
        fill(context)
        expected = curated_bytes(context.lake)
    with open_job(tmp_path / "there", executor=executor, is_remote=True, disk=Disk(), workers=3) as context:
        fill(context)
        assert curated_bytes(context.lake) == expected
        assert not list(tmp_path.glob("there/curated/_staging/*"))


def test_groups_of_a_check_are_checked_there(
    tmp_path: Path, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.add_worker()
    monkeypatch.setattr(tables, "GROUP_BYTES", 1)
    with open_job(tmp_path / "output", disk=Disk()) as context:
        fill(context)
    here = pipeline.check(Settings(output=tmp_path / "output"))
    there = pipeline.check(Settings(output=tmp_path / "output", cluster=machines.url))
    assert replace(there, seconds=0.0) == replace(here, seconds=0.0)
    assert there.ok


def test_a_result_that_is_lost_with_its_worker_is_made_again(
    tmp_path: Path, machines: Machines, executor: ClusterExecutor
) -> None:
    machines.add_worker()
    begun = tmp_path / "begun"

    def die_when_asked() -> str:
        """Make a result whose worker dies as soon as somebody wants to have it, the first time."""
        if not begun.exists():
            begun.touch()
            get_worker().handlers["get_data"] = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        return "made"

    assert executor.submit(die_when_asked).result(LONG_S) == "made"
    assert begun.exists()


def test_an_error_of_the_work_comes_back_as_it_is(executor: ClusterExecutor) -> None:
    def fail() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        executor.submit(fail).result(LONG_S)


def test_the_width_follows_the_cluster(machines: Machines, executor: ClusterExecutor) -> None:
    assert executor.width() == 1
    machines.add_worker("--nthreads", "2")
    deadline = time.monotonic() + LONG_S
    while executor.width() != 3 and time.monotonic() < deadline:
        pass
    assert executor.width() == 3


def test_work_of_a_worker_that_is_killed_is_done_by_another(
    tmp_path: Path, machines: Machines, executor: ClusterExecutor
) -> None:
    machines.add_worker()
    flag = str(tmp_path / "flag")

    def die_once() -> int:
        if os.path.exists(flag):  # noqa: PTH110 - pickled by value, with what it imports
            return os.getpid()
        os.close(os.open(flag, os.O_CREAT))
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert executor.submit(die_once).result(LONG_S) > 0


def test_work_that_kills_whoever_takes_it_is_given_up_with_a_hint(
    machines: Machines, executor: ClusterExecutor
) -> None:
    machines.add_worker("--nworkers", "3")

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ClusterError, match="died again and again") as raised:
        executor.submit(die).result(LONG_S)
    assert "chunk_mb" in raised.value.hint


def test_a_scheduler_that_dies_ends_the_work(machines: Machines, executor: ClusterExecutor) -> None:
    def wait_long() -> None:
        signal.pause()

    future = executor.submit(wait_long)
    os.killpg(machines.scheduler.pid, signal.SIGKILL)
    with pytest.raises(ClusterError):
        future.result(LONG_S)
    with pytest.raises(ClusterError):
        executor.submit(wait_long).result(LONG_S)


def test_no_worker_left_is_said_and_waited_for_up_to_a_limit(
    machines: Machines, lock: Lock, caplog: pytest.LogCaptureFixture
) -> None:
    worker = machines.add_worker("--no-nanny")

    def wait_long() -> None:
        signal.pause()

    with open_cluster(machines.url, lock, max_wait_s=0.1) as executor:
        future = executor.submit(wait_long)
        os.killpg(worker.pid, signal.SIGKILL)
        with pytest.raises(ClusterError, match="had no workers for 0 s"):
            future.result(LONG_S)
    assert "waiting up to" in caplog.text


def test_a_cluster_without_workers_is_refused_after_the_wait(machines: Machines, lock: Lock) -> None:
    with pytest.raises(ClusterError, match="has no workers"), open_cluster(machines.url, lock, max_wait_s=0.1):
        pass


def test_two_clusters_of_this_machine_do_not_meet(lock: Lock) -> None:
    with (
        open_cluster("local:1", lock, max_wait_s=LONG_S) as one,
        open_cluster("local:1", lock, max_wait_s=LONG_S) as other,
    ):
        assert one.submit(os.getpid).result(LONG_S) != other.submit(os.getpid).result(LONG_S)


def test_no_scheduler_is_a_cluster_error(lock: Lock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_S", 1)
    with (
        pytest.raises(ClusterError, match="there is no scheduler"),
        open_cluster("tcp://127.0.0.1:9", lock, max_wait_s=1),
    ):
        pass


def test_other_versions_are_listed(machines: Machines, lock: Lock, monkeypatch: pytest.MonkeyPatch) -> None:
    machines.add_worker()
    monkeypatch.setattr(cluster, "_list_versions", lambda: {"ordersetl": "9", "polars": "0.1", "duckdb": "0.2"})
    with pytest.raises(ConfigError, match=r"polars .*, here 0\.1"), open_cluster(machines.url, lock, max_wait_s=LONG_S):
        pass


def test_a_worker_that_does_not_see_the_output_is_refused(machines: Machines, lock: Lock, tmp_path: Path) -> None:
    machines.add_worker()
    (tmp_path / ".lock").unlink()
    with (
        pytest.raises(ConfigError, match="does not see the output"),
        open_cluster(machines.url, lock, max_wait_s=LONG_S),
    ):
        pass


def make_deadly(lock: Lock, victim: int) -> Seen:
    """What to look at, which kills one worker that does."""

    class Deadly:
        def assert_held(self) -> None:
            if os.getpid() == victim:
                os.kill(victim, signal.SIGKILL)
            lock.assert_held()

    return Deadly()


def test_a_worker_that_dies_while_it_is_asked_is_not_an_unfit_one(
    machines: Machines, lock: Lock, caplog: pytest.LogCaptureFixture
) -> None:
    victim = machines.add_worker("--no-nanny")
    with (
        pytest.raises(ClusterError, match="no worker of the cluster answers"),
        open_cluster(machines.url, make_deadly(lock, victim.pid), max_wait_s=LONG_S),
    ):
        pass
    victim = machines.add_worker("--no-nanny")
    machines.add_worker()
    with open_cluster(machines.url, make_deadly(lock, victim.pid), max_wait_s=LONG_S) as executor:
        assert executor.submit(os.getpid).result(LONG_S) != victim.pid
    assert "goes on without them" in caplog.text


@pytest.fixture
def served(tmp_path: Path) -> Path:
    (tmp_path / "ordersetl.toml").write_text("page_size = 20\nchunk_mb = 1\n")
    return tmp_path


@contextmanager
def struck_when(condition: Path, victim: "subprocess.Popen[str]", blow: signal.Signals) -> Iterator[None]:
    """Send a worker a signal as soon as a file of that name pattern is there."""

    def watch() -> None:
        deadline = time.monotonic() + LONG_S
        while time.monotonic() < deadline and not list(condition.parent.rglob(condition.name)):
            pass
        os.killpg(victim.pid, blow)

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    thread.join()


def run_sample(folder: Path, output: str, *options: str) -> Path:
    """Run the sample shop into an output; its curated layer."""
    result = ordersetl("run", "--source", "sample", "--output", output, *options, cwd=folder)
    assert result.code == 0, result.err
    return folder / output / "curated"


def assert_same_tables(found: Path, expected: Path) -> None:
    for table in ("dt=*/*", "fact_refund/*/*", "dim_*"):
        files = sorted(expected.glob(table))
        assert files
        for path in files:
            assert (found / path.relative_to(expected)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("pattern", ["orders-*.parquet", "*.new"])
def test_a_run_survives_the_death_of_a_worker(served: Path, machines: Machines, pattern: str) -> None:
    expected = run_sample(served, "threads")
    victim = machines.add_worker("--no-nanny")
    machines.add_worker()
    with struck_when(served / "cluster" / pattern, victim, signal.SIGKILL):
        assert_same_tables(run_sample(served, "cluster", "--cluster", machines.url), expected)


@pytest.mark.parametrize("pattern", ["orders-*.parquet", "*.new"])
def test_a_run_goes_on_without_a_worker_that_stopped(served: Path, impatient: Machines, pattern: str) -> None:
    expected = run_sample(served, "threads")
    victim = impatient.add_worker("--no-nanny")
    impatient.add_worker()
    with struck_when(served / "cluster" / pattern, victim, signal.SIGSTOP):
        found = run_sample(served, "cluster", "--cluster", impatient.url)
    assert_same_tables(found, expected)
    os.killpg(victim.pid, signal.SIGCONT)  # goes on with what was long done by another
    with suppress(subprocess.TimeoutExpired):  # given up, Dask's worker mostly ends; now and then it hangs
        victim.wait(LATE_S)
    assert_same_tables(found, expected)
    assert ordersetl("check", "--deep", "--output", "cluster", cwd=served).code == 0


def test_a_cluster_url_is_looked_at_first(served: Path) -> None:
    result = ordersetl("run", "--cluster", "host", cwd=served)
    assert result.code == 2
    assert "tcp://HOST:PORT" in result.err
