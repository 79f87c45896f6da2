"""Groups of partitions that are checked elsewhere: what a worker is told, what it finds, and how that is added up.

A worker reads the files itself. Back come the outcomes, the totals of the group, and of its orders no more than what
the checks over all groups need: a hash each, by which an order in two partitions is found, and those orders in full of
which versions were rejected.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import msgspec

from ordersetl.errors import ConfigError
from ordersetl.executor import Workplace, map_bounded
from ordersetl.lake.csv_scan import take_literally
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import read_manifest
from ordersetl.results import CheckOutcome

if TYPE_CHECKING:
    from ordersetl.check.queries import TableQuery

__all__ = ["GroupFound", "GroupTask", "OpenWorkers", "SeenOutput", "check_group", "check_groups", "list_twice"]

OpenWorkers = Callable[[], AbstractContextManager[Workplace]]
"""Opens what does the work elsewhere."""

_ORDERS = "order_partition"
_KEYS = "order_key"
_WANTED = "wanted_order"


class GroupTask(msgspec.Struct, frozen=True):
    """One group: ``query`` knows its files and the dimensions alone; ``wanted`` are the orders to tell of in full."""

    query: "TableQuery"
    names: Sequence[str]
    wanted: tuple[str, ...]


@dataclass(frozen=True)
class GroupFound:
    """What a group's checks found, and what it adds to the totals: Parquet, by the total's name."""

    outcomes: tuple[CheckOutcome, ...]
    totals: Mapping[str, bytes] = field(repr=False)


class SeenOutput(msgspec.Struct, frozen=True):
    """What a worker must see of an output that this command does not write."""

    lake: Lake

    def assert_held(self) -> None:
        """Look for the manifest.

        Raises:
            ConfigError: there is none.
        """
        if read_manifest(self.lake) is None:
            raise ConfigError(f"there is no manifest in {self.lake.root}", hint="Give workers the same output.")


def check_group(task: GroupTask) -> GroupFound:
    """Check one group in a database of its own, on any worker."""
    with task.query.open_group(task.names) as (database, outcomes):
        database.execute(f"CREATE TABLE {_WANTED} AS SELECT unnest($ids) AS order_id", {"ids": list(task.wanted)})
        queries = {name: f"FROM {name}" for name in task.query.totals}
        queries[_KEYS] = f"SELECT hash(order_id) AS key, dt FROM {_ORDERS}"
        queries[_ORDERS] += f" WHERE order_id IN (FROM {_WANTED})"
        return GroupFound(tuple(outcomes), {name: _write(database, query) for name, query in queries.items()})


def check_groups(
    database: duckdb.DuckDBPyConnection, workers: Workplace, tasks: Sequence[GroupTask]
) -> Iterator[CheckOutcome]:
    """Have the groups checked, and add what they come to to the totals of a database."""
    database.execute(f"CREATE TABLE {_KEYS} (key UBIGINT, dt DATE)")
    for found in map_bounded(workers, check_group, tasks):
        for name, data in found.totals.items():
            _add(database, name, data)
        yield from found.outcomes


def list_twice(database: duckdb.DuckDBPyConnection) -> tuple[list[int], list[date]]:
    """Hashes that orders of several partitions have, and these days: what is the same order only they can tell."""
    rows = database.execute(
        f"SELECT key, dt FROM {_KEYS} WHERE key IN (SELECT key FROM {_KEYS} GROUP BY key HAVING count(*) > 1)"
    ).fetchall()
    return sorted({key for key, _ in rows}), sorted({day for _, day in rows})


def _write(database: duckdb.DuckDBPyConnection, query: str) -> bytes:
    with _temporary_file() as path:
        literal = str(path).replace("'", "''")
        database.execute(f"COPY ({query}) TO '{literal}' (FORMAT parquet, COMPRESSION zstd)")
        return path.read_bytes()


def _add(database: duckdb.DuckDBPyConnection, name: str, data: bytes) -> None:
    with _temporary_file() as path:
        path.write_bytes(data)
        database.execute(f"INSERT INTO {name} FROM read_parquet($path)", {"path": take_literally(path)})


@contextmanager
def _temporary_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ordersetl-check-") as folder:
        yield Path(folder, "total.parquet")
