"""Files in bounded groups, for what reads paths alone and many of them: DuckDB, when a warehouse is loaded."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ordersetl.storage.local import LocalStorage
from ordersetl.storage.objects import ObjectStorage

__all__ = ["COPIED_BYTES", "local_groups"]

COPIED_BYTES = 64 * 1024 * 1024
"""Of object storage, what is copied to this machine at a time."""


def local_groups(storage: LocalStorage | ObjectStorage, sizes: Mapping[str, int]) -> Iterator[dict[str, Path]]:
    """Paths of files by key, in their order: all at once where they are on a disk, else copies, a group at a time.

    The copies of a group are removed before those of the next are made; a larger file is a group of its own.

    Args:
        storage: where they are.
        sizes: their bytes by key.

    Raises:
        OSError: one is missing or cannot be read.
    """
    if not sizes:
        return
    groups = [list(sizes)] if isinstance(storage, LocalStorage) else _group(sizes)
    for group in groups:
        with storage.local_files(group) as paths:
            yield paths


def _group(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for key, more in sizes.items():
        if group and size + more > COPIED_BYTES:
            yield group
            group, size = [], 0
        group.append(key)
        size += more
    if group:
        yield group
