"""Which batches there are in the raw log, and which partitions on disk.

All names are listed: a batch may be restored, or go, at any place. Its marker is looked for where that says something:
not of a batch that curated is the fold of, and that many have followed. Such a marker is for ``check``, ``status`` and
``run --verify`` to miss.
"""

from collections.abc import Iterator
from contextlib import suppress

from ordersetl.errors import CorruptedError, StorageError
from ordersetl.lake.layout import (
    CURATED,
    FACT_FILE,
    RAW,
    REFUND_FILE,
    REFUNDS,
    Lake,
    curated_key,
    file_day,
    has_batch_form,
    is_batch_id,
    raw_key,
)
from ordersetl.lake.manifest import read_manifest

__all__ = [
    "HINT_AT_LOST",
    "MARKER",
    "is_committed",
    "list_batches",
    "list_misnamed",
    "list_partition_files",
    "list_unfinished",
    "look_at_each",
]

MARKER = "batch.json"
"""The commit marker: a batch counts from its appearance."""
HINT_AT_LOST = f"`ordersetl run --verify` makes a {MARKER} again where all pages of its batch are there."
"""What to do about markers that are lost. It holds for an old batch too, in which other runs do not look."""
_LOOKED_AT = 100
"""The newest batches, which are looked at each time."""


def list_batches(lake: Lake) -> list[str]:
    """Ids of the committed batches, oldest first."""
    return [batch for batch, is_there in _look_for_markers(lake) if is_there]


def look_at_each(lake: Lake) -> tuple[list[str], list[str]]:
    """Ids of the batches that are committed, and of those without a marker, oldest first, each batch looked at."""
    look, batches = lake.storage.looks(RAW, deep=True).stat, _list_folders(lake)
    marked = [batch for batch in batches if look(raw_key(batch, MARKER)) is not None]
    return marked, sorted(set(batches).difference(marked))


def list_unfinished(lake: Lake) -> list[str]:
    """Ids of the batches without a commit marker, oldest first."""
    return [batch for batch, is_there in _look_for_markers(lake) if not is_there]


def list_misnamed(lake: Lake) -> list[str]:
    """Folders that are named as batches are, for a time that no batch can have: they do not count."""
    return [name for name in _list_names(lake) if not is_batch_id(name)]


def is_committed(lake: Lake, batch: str) -> bool:
    """Whether a batch is one of list_batches, without listing them."""
    folder = lake.storage.stat(f"{RAW}/{batch}")
    return is_batch_id(batch) and folder is not None and folder.is_folder and _has_marker(lake, batch)


def list_partition_files(lake: Lake) -> set[str]:
    """Files that are named as partitions are, relative to ``curated/``, whether the manifest lists them or not."""
    files = {f"{entry.name}/{FACT_FILE}" for entry in lake.storage.entries(CURATED)}
    refunds = lake.storage.stat(curated_key(REFUNDS))
    if refunds is not None and refunds.is_folder:
        files |= {f"{REFUNDS}/{entry.name}/{REFUND_FILE}" for entry in lake.storage.entries(curated_key(REFUNDS))}
    return {file for file in files if file_day(file) is not None and lake.storage.exists(curated_key(file))}


def _look_for_markers(lake: Lake) -> Iterator[tuple[str, bool]]:
    """Each batch, oldest first, and whether it is committed."""
    batches = _list_folders(lake)
    known = _read_applied(lake) if len(batches) > _LOOKED_AT else frozenset[str]()
    old = len(batches) - _LOOKED_AT
    for at, batch in enumerate(batches):
        yield batch, (at < old and batch in known) or _has_marker(lake, batch)


def _read_applied(lake: Lake) -> frozenset[str]:
    with suppress(CorruptedError, StorageError):  # the command says so where it matters
        manifest = read_manifest(lake)
        return frozenset(manifest.batches) if manifest else frozenset()
    return frozenset()


def _has_marker(lake: Lake, batch: str) -> bool:
    return lake.storage.exists(raw_key(batch, MARKER))


def _list_folders(lake: Lake) -> list[str]:
    """Names of the batch folders, oldest first."""
    return [name for name in _list_names(lake) if is_batch_id(name)]


def _list_names(lake: Lake) -> list[str]:
    """Folders whose names have a batch's form, sorted; links are not followed, and other names are not ours."""
    return [entry.name for entry in lake.storage.entries(RAW) if has_batch_form(entry.name) and entry.kind == "folder"]
