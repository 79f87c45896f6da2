"""Which batches there are in the raw log, and which partitions on disk.

A listing looks at every batch there is, so a command makes a few of them, never one a batch.
"""

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

__all__ = ["MARKER", "is_committed", "list_batches", "list_misnamed", "list_partition_files", "list_unfinished"]

MARKER = "batch.json"
"""The commit marker: a batch counts from its appearance."""


def list_batches(lake: Lake) -> list[str]:
    """Ids of the committed batches, oldest first."""
    return [batch for batch in _list_folders(lake) if _has_marker(lake, batch)]


def list_unfinished(lake: Lake) -> list[str]:
    """Ids of the batches without a commit marker, oldest first."""
    return [batch for batch in _list_folders(lake) if not _has_marker(lake, batch)]


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


def _has_marker(lake: Lake, batch: str) -> bool:
    return lake.storage.exists(raw_key(batch, MARKER))


def _list_folders(lake: Lake) -> list[str]:
    """Names of the batch folders, oldest first."""
    return [name for name in _list_names(lake) if is_batch_id(name)]


def _list_names(lake: Lake) -> list[str]:
    """Folders whose names have a batch's form, sorted; links are not followed, and other names are not ours."""
    return [entry.name for entry in lake.storage.entries(RAW) if has_batch_form(entry.name) and entry.kind == "folder"]
