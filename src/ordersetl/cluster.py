"""Workers on other machines: a Dask cluster behind ``concurrent.futures.Executor``, the one seam for parallel work.

What runs there reads pages, staged files and partitions from the output itself, which every worker must see; the
scheduler only carries names and counts. A worker may die, and another takes its work over: whatever is written has the
same bytes whoever writes it, and counts only once the driver commits it.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Protocol

from ordersetl.errors import ClusterError, ConfigError, OrdersetlError
from ordersetl.runtime import count_cores

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["ClusterExecutor", "Seen", "open_cluster"]

log = logging.getLogger(__name__)

_PACKAGES = ("ordersetl", "polars", "duckdb")
"""What must be of one version everywhere, or bytes would differ."""
_LOCAL = "local:"
_POLARS_THREADS = "POLARS_MAX_THREADS"
_CONNECT_S = 30
_RESULT_S = 600
"""For a result that is there. Where its worker has just died, the scheduler looks for that for 30 s, and has the work
done again."""
_WATCH_S = 0.5
_HINT_AGAIN = "Nothing was committed: run the same command again once the cluster is up, or leave out --cluster."
_HINT_KILLED = (
    "The work may need more memory than a worker has: give workers more, lower chunk_mb, or leave out --cluster. "
    "Nothing was committed."
)


class Seen(Protocol):
    """What workers must see of an output: that this command holds it, or that it is there."""

    def assert_held(self) -> None:
        """Look. Raises OrdersetlError where it is not so."""


class ClusterExecutor(Executor):
    """Runs work on a cluster; what was handed out is awaited, never presumed cancelled.

    Args:
        client: connected to the scheduler.
        max_wait_s: how long to go on without any worker.
        clock: seconds that only go forward.
    """

    def __init__(self, client: "Client", *, max_wait_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._max_wait_s = max_wait_s
        self._clock = clock
        self._versions = _list_versions()
        self._lock = threading.Lock()
        self._begun: dict[Future[Any], Any] = {}
        self._ended = threading.Event()
        self._alone_since: float | None = None
        self._width = _count_threads(_list_workers(client))
        self._watch = threading.Thread(target=self._keep_watch, name="cluster watch", daemon=True)
        self._watch.start()

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:  # noqa: ANN401
        """Hand work out; the future's error is a ClusterError where the cluster, and not the work, failed."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            task = self._client.submit(_do, self._versions, work, args, named, pure=False)
        except Exception as error:  # noqa: BLE001 - whatever the client raises where its scheduler is gone
            future.set_exception(_translate(error))
            return future
        with self._lock:
            self._begun[future] = task
        task.add_done_callback(lambda done: self._settle(future, done))  # type: ignore[no-untyped-call]
        return future

    def width(self) -> int:
        """How many pieces of work the cluster does at a time, as of the last look at it."""
        return max(1, self._width)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as declared by Executor
        """End the watch; the work itself is awaited by whoever began it."""
        del wait, cancel_futures
        self._ended.set()
        self._watch.join()

    def _settle(self, future: Future[Any], task: Any) -> None:  # noqa: ANN401 - a future of Dask's
        result, failure = None, None
        try:
            result = task.result(timeout=_RESULT_S)
        except BaseException as error:  # noqa: BLE001 - a future holds whatever was raised
            failure = error
        with self._lock:
            if self._begun.pop(future, None) is None:
                return
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(_translate(failure))

    def _keep_watch(self) -> None:
        """Fail what is under way where the scheduler is gone, or no worker comes back in time."""
        while not self._ended.wait(_WATCH_S):
            if self._client.status != "running":  # connected again, it would know nothing of what was begun
                self._fail(ClusterError("the connection to the scheduler of the cluster is lost", hint=_HINT_AGAIN))
                continue
            workers = _list_workers(self._client)
            self._width = _count_threads(workers)
            if workers:
                if self._alone_since is not None:
                    log.warning("the cluster has workers again.")
                self._alone_since = None
            elif self._alone_since is None:
                self._alone_since = self._clock()
                log.warning("the cluster has no workers: waiting up to %.0f s for one.", self._max_wait_s)
            elif self._clock() - self._alone_since > self._max_wait_s:
                self._fail(ClusterError(f"the cluster had no workers for {self._max_wait_s:.0f} s", hint=_HINT_AGAIN))

    def _fail(self, error: ClusterError) -> None:
        with self._lock:
            begun, self._begun = self._begun, {}
        for future, task in begun.items():
            with contextlib.suppress(Exception):  # a client that is closed cancels nothing
                task.cancel(force=True)
            future.set_exception(error)


@contextlib.contextmanager
def open_cluster(url: str, seen: Seen, *, max_wait_s: float) -> Iterator[ClusterExecutor]:
    """Connect to a cluster, ``tcp://host:8786``, or start one of so many processes here, ``local:4``.

    Args:
        url: which.
        seen: what each worker must see of the output, such as its lock.
        max_wait_s: how long to wait for a first worker, and later without any.

    Raises:
        ConfigError: Dask is not installed, or workers lack the output or the same versions: all of them are listed.
        ClusterError: there is no scheduler, no worker in time, or none that answers.
    """
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "--cluster needs Dask, which is not installed", hint="python3 -m pip install 'ordersetl[dask]'"
        ) from None
    for name in ("distributed", "distributed.client", "distributed.core", "distributed.nanny", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they say is said here, once
    with contextlib.ExitStack() as stack:
        address: Any = url
        if url.startswith(_LOCAL):
            workers = int(url.removeprefix(_LOCAL))
            address = stack.enter_context(
                LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    env={_POLARS_THREADS: os.environ.get(_POLARS_THREADS, str(max(1, count_cores() // workers)))},
                    dashboard_address="127.0.0.1:0",  # any port: a second cluster here is nothing to warn of
                )
            )
        try:
            client = stack.enter_context(
                Client(address, timeout=_CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
            )
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"there is no scheduler at {url}: {error}",
                hint="Start one (dask scheduler), look at its address, or leave out --cluster.",
            ) from None
        _await_worker(client, url, max_wait_s)
        _require_fit_workers(client, seen)
        executor = ClusterExecutor(client, max_wait_s=max_wait_s)
        stack.callback(executor.shutdown)
        yield executor


def _list_workers(client: "Client") -> dict[str, Any]:
    """What the scheduler says of each worker, by address."""
    workers: dict[str, Any] = client.scheduler_info(n_workers=-1).get("workers", {})
    return workers


def _count_threads(workers: dict[str, Any]) -> int:
    return sum(int(worker["nthreads"]) for worker in workers.values())


def _await_worker(client: "Client", url: str, max_wait_s: float) -> None:
    if _list_workers(client):
        return
    log.warning("the cluster %s has no workers: waiting up to %.0f s for one.", url, max_wait_s)
    try:
        client.wait_for_workers(1, timeout=max_wait_s)
    except TimeoutError:
        raise ClusterError(f"the cluster {url} has no workers", hint=_HINT_AGAIN) from None


def _require_fit_workers(client: "Client", seen: Seen) -> None:
    """Ask all workers before any work is handed out; those that are gone, or hang, are for the scheduler to give up.

    Raises:
        ConfigError: some lack the output, or have other versions.
        ClusterError: none answers.
    """
    found = client.run(_describe_worker, seen, on_error="return")
    here = _list_versions()
    problems, silent = [], []
    for worker, answer in sorted(found.items()):
        if isinstance(answer, OSError):  # as its connection ended, or timed out
            silent.append(f"{worker}: {answer}")
            continue
        if isinstance(answer, BaseException):
            problems.append(f"{worker}: {type(answer).__name__}: {answer}")
            continue
        versions, sees_output = answer
        problems += [
            f"{worker}: {name} {versions[name]}, here {here[name]}" for name in here if versions[name] != here[name]
        ]
        if not sees_output:
            problems.append(f"{worker}: does not see the output as this command does")
    if problems:
        raise ConfigError(
            "workers of the cluster cannot do the work:\n  " + "\n  ".join(problems),
            hint="Give all of them the same versions, and the same folder at the same path (or s3://).",
        )
    if found and len(silent) == len(found):
        raise ClusterError("no worker of the cluster answers:\n  " + "\n  ".join(silent), hint=_HINT_AGAIN)
    if silent:
        log.warning("workers of the cluster do not answer, and it goes on without them: %s", "; ".join(silent))


def _describe_worker(seen: Seen) -> tuple[dict[str, str], bool]:
    """On a worker: its versions, and whether it sees the output."""
    try:
        seen.assert_held()
    except OrdersetlError:
        return _list_versions(), False
    return _list_versions(), True


def _do(versions: dict[str, str], work: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:  # noqa: ANN401
    """On a worker, which may have joined late: the work, by the same versions only."""
    if (here := _list_versions()) != versions:
        differing = ", ".join(f"{name} {here[name]} instead of {versions[name]}" for name in here)
        raise ConfigError(f"a worker of the cluster has {differing}", hint="Give all workers the same versions.")
    return work(*args, **named)


@cache
def _list_versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def _translate(error: BaseException) -> BaseException:
    """The cluster's own failures as ours; any other error is the work's."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if "KilledWorker" in names:
        return ClusterError(
            f"workers of the cluster died again and again at one piece of work: {error}", hint=_HINT_KILLED
        )
    if "CancelledError" in names or "CommClosedError" in names or "TimeoutError" in names:
        return ClusterError(f"the cluster gave up work: {str(error) or type(error).__name__}", hint=_HINT_AGAIN)
    return error
