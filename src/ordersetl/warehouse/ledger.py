"""The ledger: which version of each curated file a warehouse holds, and how that differs from the manifest."""

from collections.abc import Mapping, Set as AbstractSet
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import PurePosixPath

import msgspec

from ordersetl.lake.layout import curated_key, file_day
from ordersetl.lake.manifest import FileEntry, Manifest
from ordersetl.star.schema import Table
from ordersetl.warehouse.connection import CuratedFile, Warehouse, stage_name
from ordersetl.warehouse.names import LEDGER

__all__ = ["STAGED_DAYS", "VIEWS_ENTRY", "Difference", "LedgerEntry", "find_difference", "read_ledger", "stage_ledger"]

STAGED_DAYS = stage_name("day")
"""The temporary table of the days that a load replaces: dt."""
VIEWS_ENTRY = "views.sql"
"""The ledger's entry of the views."""
_STAGED_FILES = stage_name("file")
_ROWS_A_STATEMENT = 1000


class LedgerEntry(msgspec.Struct, frozen=True):
    """What the ledger says of a file: its hash, and how many rows came from it."""

    sha256: str
    rows: int


class Difference(msgspec.Struct, frozen=True):
    """What a warehouse lacks of the manifest, in whole days: an order's rows and its refunds lie in the same one.

    ``loaded`` are the files to load: those that differ, and the others of their days. ``gone`` are files that the
    warehouse holds and the manifest no longer has. ``days`` are those whose rows are replaced, sorted; where
    ``everything`` is set, no row of a fact is to stay, whatever its day.
    """

    loaded: Mapping[str, FileEntry]
    gone: tuple[str, ...]
    days: tuple[date, ...]
    everything: bool

    def __bool__(self) -> bool:
        return bool(self.loaded or self.gone or self.days)

    def files_of(self, table: Table) -> list[CuratedFile]:
        """The files to load of a table, by day."""
        return [
            CuratedFile(curated_key(file), file_day(file), entry.bytes)
            for file, entry in sorted(self.loaded.items())
            if PurePosixPath(file).stem == table.name
        ]


def read_ledger(warehouse: Warehouse) -> dict[str, LedgerEntry]:
    """What the warehouse holds by file, the views' entry included; an entry with a null is one of no version."""
    rows = warehouse.execute(f"SELECT file, sha256, rows FROM {warehouse.names(LEDGER)}")
    return {
        str(file): LedgerEntry("", 0) if sha256 is None or count is None else LedgerEntry(str(sha256), int(count))
        for file, sha256, count in rows
    }


def find_difference(
    manifest: Manifest,
    ledger: Mapping[str, LedgerEntry],
    *,
    lost: AbstractSet[str] = frozenset(),
    distrusted: AbstractSet[date | str] = frozenset(),
) -> Difference:
    """Compare the ledger with the manifest.

    Args:
        manifest: what curated holds.
        ledger: what the warehouse says that it holds.
        lost: files whose rows are gone from there, whatever the ledger says.
        distrusted: days, and files of dimensions, whose rows are to be replaced, likewise.
    """
    wanted = manifest.files
    held = {file: entry.sha256 for file, entry in ledger.items() if file != VIEWS_ENTRY and file not in lost}
    gone = ledger.keys() - wanted.keys() - {VIEWS_ENTRY}
    differing = {file for file, entry in wanted.items() if held.get(file) != entry.sha256} | gone
    units: set[date | str] = {file_day(file) or file for file in differing} | distrusted
    return Difference(
        loaded={file: entry for file, entry in wanted.items() if (file_day(file) or file) in units},
        gone=tuple(sorted(gone)),
        days=tuple(sorted(unit for unit in units if isinstance(unit, date))),
        everything=not any(map(file_day, held)),
    )


def stage_ledger(warehouse: Warehouse, difference: Difference, views: str, now: datetime) -> None:
    """Record that the warehouse holds the difference, and the views of this hash; make ``STAGED_DAYS``."""
    warehouse.execute(f"CREATE TEMPORARY TABLE {STAGED_DAYS} (dt DATE)")
    _insert(warehouse, STAGED_DAYS, [(day,) for day in difference.days])
    warehouse.execute(f"CREATE TEMPORARY TABLE {_STAGED_FILES} (file VARCHAR(255), sha256 VARCHAR(64), rows BIGINT)")
    held = [(file, entry.sha256, entry.rows) for file, entry in difference.loaded.items()]
    _insert(warehouse, _STAGED_FILES, [*held, (VIEWS_ENTRY, views, 0), *((file, "", 0) for file in difference.gone)])
    ledger = warehouse.names(LEDGER)
    warehouse.execute(f"DELETE FROM {ledger} WHERE file IN (SELECT file FROM {_STAGED_FILES})")
    warehouse.execute(
        f"INSERT INTO {ledger} (file, sha256, rows, loaded_at)"
        f" SELECT file, sha256, rows, %s FROM {_STAGED_FILES} WHERE sha256 <> ''",
        (now.astimezone(UTC).replace(tzinfo=None),),
    )


def _insert(warehouse: Warehouse, table: str, rows: list[tuple[object, ...]]) -> None:
    waiting = iter(rows)
    while some := list(islice(waiting, _ROWS_A_STATEMENT)):
        row = f"({', '.join(['%s'] * len(some[0]))})"
        values = ", ".join([row] * len(some))
        warehouse.execute(f"INSERT INTO {table} VALUES {values}", [value for each in some for value in each])
