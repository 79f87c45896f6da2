"""Loads a warehouse again and again, each time from that of two outputs which it does not hold, and dies at points.

``killed_load.py URL OUTPUT OUTPUT POINT...``: by SIGKILL before the POINT-th statement of a load, before its COMMIT
where POINT is 0. It holds the second output. Each load is a fork of this process, which says ``killed`` or ``finished``
on stdout once it has ended, and goes on for a line on stdin.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import read_manifest
from ordersetl.settings import Settings
from ordersetl.warehouse.duckdb_file import DuckDBFile
from ordersetl.warehouse.postgres import Postgres
from ordersetl.warehouse.redshift import Redshift
from ordersetl.warehouse.stage import connect
from ordersetl.warehouse.sync import sync_warehouse
from ordersetl.warehouse.target import find_target


def die_at(point: int) -> None:
    """Have this process killed before that statement."""
    done = 0

    def counted(execute: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any) -> Any:
            nonlocal done
            done += 1
            if done == point or (point == 0 and "COMMIT" in arguments):
                os.kill(os.getpid(), signal.SIGKILL)
            return execute(*arguments)

        return count

    for kind in (DuckDBFile, Postgres, Redshift):
        kind.execute = counted(kind.execute)  # type: ignore[method-assign]


def main(url: str, outputs: list[Path], points: list[int]) -> None:
    finished = 0
    for point in points:
        lake = Lake(outputs[finished % 2])
        child = os.fork()
        if child == 0:
            die_at(point)
            manifest = read_manifest(lake)
            target = find_target(Settings(output=lake.folder, warehouse=url))
            assert manifest is not None
            assert target is not None
            sync_warehouse(partial(connect, target), url, lake, manifest, now=datetime.now(UTC))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        finished += not killed
        sys.stdout.write("killed\n" if killed else "finished\n" if status == 0 else f"failed {status}\n")
        sys.stdout.flush()
        sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[1], [Path(output) for output in sys.argv[2:4]], [int(point) for point in sys.argv[4:]])
