"""Looks at many keys of object storage: a folder is listed once, in place of a request for each of its keys."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from ordersetl.storage.disk import IS_FOLDER
from ordersetl.storage.local import Entry, FileStat

__all__ = ["ListedKeys", "Looks", "gather_folders", "is_file_name"]

_FILE_NAME = re.compile(r".*\.[a-z]+|[0-9a-f]{64}").fullmatch

Folder = dict[str, FileStat]
"""What is directly under a prefix, by name."""


class Looks(Protocol):
    """What looks at keys: a storage itself, or a listing of it."""

    def stat(self, key: str) -> FileStat | None:
        """What is at the key; None for nothing."""

    def entries(self, prefix: str) -> list[Entry]:
        """Names directly under a prefix, sorted."""


@dataclass(frozen=True)
class ListedKeys:
    """Keys as they were when their folder was listed, which is done when one of them is first asked for.

    Args:
        list_folder: what is directly under a prefix; asked once for each. Raises OSError where the store fails.
    """

    list_folder: Callable[[str], Folder]
    _folders: dict[str, Folder] = field(default_factory=dict, repr=False)

    def stat(self, key: str) -> FileStat | None:
        """What was at the key. Raises OSError where its folder cannot be listed."""
        folder, _, name = key.rpartition("/")
        return self._list(folder).get(name)

    def entries(self, prefix: str) -> list[Entry]:
        """Names directly under a prefix, sorted. Raises OSError where it cannot be listed."""
        return sorted(
            Entry(name, "folder" if found.is_folder else "file") for name, found in self._list(prefix).items()
        )

    def _list(self, prefix: str) -> Folder:
        found = self._folders.get(prefix)
        if found is None:
            found = self._folders[prefix] = self.list_folder(prefix)
        return found


def gather_folders(keys: Iterable[tuple[str, FileStat]]) -> dict[str, Folder]:
    """What is directly under each prefix, of all keys there are and what is at them."""
    folders: dict[str, Folder] = {}
    for key, found in keys:
        folder, _, name = key.rpartition("/")
        is_known = folder in folders
        folders.setdefault(folder, {})[name] = found
        while folder and not is_known:
            above, _, name = folder.rpartition("/")
            is_known = above in folders
            folders.setdefault(above, {})[name] = FileStat(IS_FOLDER, 0, 0)
            folder = above
    return folders


def is_file_name(key: str) -> bool:
    """Whether a key ends as those of files do, by an ending or a hash; those of folders have neither."""
    return _FILE_NAME(key.rpartition("/")[2]) is not None
