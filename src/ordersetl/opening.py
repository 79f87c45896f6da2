"""How every writing command begins: the lock is acquired, and what an earlier one left half done is in order."""

import contextlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from ordersetl.executor import Workers
from ordersetl.lake.commit import recover
from ordersetl.lake.in_force import find_in_force
from ordersetl.lake.layout import LOCK
from ordersetl.lake.location import find_lake, make_lake
from ordersetl.runtime import RunContext, Runtime, count_cores
from ordersetl.settings import Settings
from ordersetl.status.raw_problems import describe_raw

if TYPE_CHECKING:
    from ordersetl.cluster import Seen

__all__ = ["open_context", "open_workers", "take_in_force"]

log = logging.getLogger(__name__)

_OWN_THREADS = 4
"""They wait for the disk most of the time."""


@contextlib.contextmanager
def open_context(
    settings: Settings, runtime: Runtime, wait_s: float, *, is_new: bool = True, computes: bool = True
) -> Iterator[tuple[RunContext, bool]]:
    """The context of one writing command, and whether it carried an interrupted commit through.

    The output's folder is there, its lock is acquired, and the curated layer is in a committed state. Where ``is_new``
    does not allow for a new output, there must be one. ``computes``: it has work for a cluster, where one is set.
    """
    # workers of a cluster run in folders of their own
    output = settings.output.absolute() if settings.cluster and computes else settings.output
    lake = (make_lake if is_new else find_lake)(output, runtime.disk)
    with (
        lake.storage.lock(LOCK, wait_s=wait_s, now=runtime.now, sleep=runtime.sleep) as lock,
        contextlib.ExitStack() as stack,
    ):
        lake.require_own_folders()
        recovered = recover(lake, keep_manifests=settings.keep_manifests)
        if recovered:
            log.warning("an earlier command died while it committed: its commit was carried through.")
        for warning in describe_raw(lake):
            log.warning(warning)
        if settings.cluster is not None and computes:
            from ordersetl.cluster import open_cluster  # noqa: PLC0415 - brings in Dask

            cluster = stack.enter_context(open_cluster(settings.cluster, lock, max_wait_s=settings.cluster_wait_s))
            runtime = msgspec.structs.replace(runtime, executor=cluster, width=cluster.width, is_remote=True)
        elif runtime.executor is None:
            runtime = msgspec.structs.replace(runtime, width=count_cores())
        # one thread more than there are workers: some of what is under way waits for the disk
        executor = runtime.executor or stack.enter_context(ThreadPoolExecutor((settings.workers or count_cores()) + 1))
        threads = runtime.threads or stack.enter_context(ThreadPoolExecutor(_OWN_THREADS))
        yield RunContext(lake, settings, lock, executor, runtime, threads), recovered


@contextlib.contextmanager
def open_workers(settings: Settings, runtime: Runtime, seen: "Seen") -> Iterator[Workers]:
    """The cluster that is set, for a command that takes no lock; all workers must see what ``seen`` looks for.

    Raises:
        ClusterError: there is no scheduler, or no worker in time.
        ConfigError: none is set, or its workers cannot do the work.
    """
    from ordersetl.cluster import open_cluster  # noqa: PLC0415 - brings in Dask

    with open_cluster(settings.cluster or "", seen, max_wait_s=settings.cluster_wait_s) as cluster:
        yield Workers(cluster, cluster.width, runtime.checkpoint)


def take_in_force(context: RunContext) -> RunContext:
    """The context with the description of the newest batch there is now."""
    return msgspec.structs.replace(context, in_force=find_in_force(context.lake))
