"""Which batches there are in the raw log.

A listing looks at every batch there is, so a command makes a few of them, never one a batch.
"""

import os

from ordersetl.errors import StorageError
from ordersetl.lake.layout import Lake, has_batch_form, is_batch_id

__all__ = ["MARKER", "is_committed", "list_batches", "list_misnamed", "list_unfinished"]

MARKER = "batch.json"
"""The commit marker: a batch counts from its appearance."""


def list_batches(lake: Lake) -> list[str]:
    """Ids of the committed batches, oldest first."""
    return [batch for batch in _list_folders(lake) if os.path.lexists(lake.raw / batch / MARKER)]


def list_unfinished(lake: Lake) -> list[str]:
    """Ids of the batches without a commit marker, oldest first."""
    return [batch for batch in _list_folders(lake) if not os.path.lexists(lake.raw / batch / MARKER)]


def list_misnamed(lake: Lake) -> list[str]:
    """Folders that are named as batches are, for a time that no batch can have: they do not count."""
    return [name for name in _list_names(lake) if not is_batch_id(name)]


def is_committed(lake: Lake, batch: str) -> bool:
    """Whether a batch is one of list_batches, without listing them."""
    folder = lake.raw / batch
    return is_batch_id(batch) and not folder.is_symlink() and os.path.lexists(folder / MARKER)


def _list_folders(lake: Lake) -> list[str]:
    """Names of the batch folders, oldest first."""
    return [name for name in _list_names(lake) if is_batch_id(name)]


def _list_names(lake: Lake) -> list[str]:
    """Folders whose names have a batch's form, sorted; links are not followed, and other names are not ours."""
    try:
        with os.scandir(lake.raw) as entries:
            return sorted(e.name for e in entries if has_batch_form(e.name) and e.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(
            f"cannot read {lake.raw}: {error.strerror}", hint="Give this user permission to read it."
        ) from error
