"""Bytes by key in object storage: S3, or what speaks its protocol, through obstore.

The same operations as :mod:`ordersetl.storage.local`, and those that keep writers apart where there is no rename:
``put_new`` (``If-None-Match: *``), ``replace`` and ``remove_if`` (``If-Match``). Each of them may have been done
although its answer says that it was not: the answer got lost, and the retry met its own write. Who gets a
:class:`~ordersetl.storage.versions.ChangedError` reads back and looks whether it is his own content that is there.

A version is the object's ETag; where a record needs a mark of a version, it is a number made of it. A put is durable
once it returns; there are no folders, and no partial objects that anybody could read. The endpoint, region and keys
are those of the usual ``AWS_`` variables.
"""

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ordersetl.storage.columns import ColumnFile
from ordersetl.storage.disk import IS_FOLDER, Disk, Step, UnfitFileError
from ordersetl.storage.lease import Lease, acquire_lease, find_lease_holder
from ordersetl.storage.local import Durability, Entry, FileStat, Size
from ordersetl.storage.lock import Holder
from ordersetl.storage.looks import Folder, ListedKeys, gather_folders, is_file_name
from ordersetl.storage.new_file import Written
from ordersetl.storage.store import (
    delete_version,
    describe,
    find_age,
    last_name,
    list_column_options,
    mark_version,
    open_store,
    read_parts,
    require_listed,
    translate_errors,
)
from ordersetl.storage.versions import Versioned
from ordersetl.url import ObjectUrl

if TYPE_CHECKING:
    from obstore.store import S3Store

__all__ = ["ObjectStorage"]

_AT_ONCE = 16


class ObjectStorage(msgspec.Struct, frozen=True):
    """The objects under ``root``; each change is a step of ``disk``, so that tests can fail and count it."""

    root: ObjectUrl
    disk: Disk

    def locate(self, key: str) -> ObjectUrl:
        """Where it is, for people to read."""
        return self.root / key if key else self.root

    def open(self, key: str) -> io.BytesIO:
        """Content as a file to read. Raises OSError where it is missing or cannot be read."""
        return io.BytesIO(self._read(key).data)

    def read(self, key: str, max_bytes: int) -> bytes:
        """Content of an object.

        Raises:
            UnfitFileError: it is larger than ``max_bytes``.
            OSError: it is missing or cannot be read.
        """
        return self._read(key, max_bytes).data

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Parts of an object, from a byte to another, the end exclusive. Raises OSError where it cannot be read."""
        with translate_errors(self.locate(key)):
            return read_parts(self._store, self._path(key), ranges)

    def read_version(self, key: str) -> Versioned | None:
        """Content and version of an object; None where there is none. Raises OSError where it cannot be read."""
        try:
            return self._read(key)
        except FileNotFoundError:
            return None

    def hash(self, key: str) -> str:
        """SHA-256 (hex) of an object's content, read in pieces. Raises OSError where it cannot be read."""
        digest = hashlib.sha256()
        with translate_errors(self.locate(key)):
            for piece in self._store.get(self._path(key)):
                digest.update(piece)
        return digest.hexdigest()

    def stat(self, key: str) -> FileStat | None:
        """What is at the key, a prefix of keys being a folder; None for nothing. Raises OSError as the store does.

        Where the name is that of a file, no prefix is looked for: one is in nobody's way.
        """
        with translate_errors(self.locate(key)):
            try:
                found = self._store.head(self._path(key)) if key else None
            except FileNotFoundError:
                found = None
            if found is not None:
                return describe(found)
            return FileStat(IS_FOLDER, 0, 0) if not is_file_name(key) and self._is_prefix(key) else None

    def looks(self, prefix: str, *, deep: bool) -> ListedKeys:
        """Looks at many keys by listing folders, each once: all below the prefix now, with ``deep``, or as asked for.

        Raises:
            OSError: it cannot be listed.
        """
        if not deep:
            return ListedKeys(self._list_folder)
        with translate_errors(self.locate(prefix)):
            folders = gather_folders((self._key(found["path"]), describe(found)) for found in self._list(prefix))
        return ListedKeys(lambda folder: folders.get(folder, {}))

    def exists(self, key: str) -> bool:
        """Whether anything has the key, as an object or a prefix."""
        return self.stat(key) is not None

    def entries(self, prefix: str) -> list[Entry]:
        """Names directly under a prefix, sorted.

        Raises:
            StorageError: it cannot be listed.
        """
        with require_listed(self.locate(prefix)):
            return ListedKeys(self._list_folder).entries(prefix)

    def list_times(self, prefix: str) -> dict[str, datetime]:
        """When each object directly under a prefix was last put, by name and by the store's clock. Raises OSError."""
        with translate_errors(self.locate(prefix)):
            found = self._store.list_with_delimiter(self._path(prefix))["objects"]
        return {last_name(item["path"]): item["last_modified"] for item in found}

    def open_columns(self, key: str) -> ColumnFile:
        """What Polars scans a file of columns by, with its own reader."""
        return ColumnFile(str(self.locate(key)), list_column_options())

    @contextmanager
    def local_files(self, keys: Iterable[str]) -> Iterator[dict[str, Path]]:
        """Copies of objects for the time of a block, by key, for what reads paths alone.

        Raises:
            OSError: one is missing or cannot be read.
        """
        with tempfile.TemporaryDirectory(prefix="ordersetl-") as folder, ThreadPoolExecutor(_AT_ONCE) as threads:
            paths = {key: Path(folder, key) for key in keys}
            for parent in {path.parent for path in paths.values()}:
                parent.mkdir(parents=True, exist_ok=True)
            for _ in threads.map(lambda item: item[1].write_bytes(self._read(item[0]).data), paths.items()):
                pass
            yield paths

    def put(self, key: str, data: bytes | Iterable[bytes], *, durability: Durability = "full") -> Written:
        """Put a complete object at the key, whatever is there."""
        del durability  # a put is durable once it returns
        body = data if isinstance(data, bytes) else b"".join(data)
        version = self._change("put", key, lambda: self._store.put(self._path(key), body)["e_tag"])
        return Written(hashlib.sha256(body).hexdigest(), len(body), mark_version(version))

    def put_new(self, key: str, data: bytes) -> str:
        """Put an object where there is none; its version. Raises ChangedError where there is one."""
        version: str = self._change(
            "put_new", key, lambda: self._store.put(self._path(key), data, mode="create")["e_tag"]
        )
        return version

    def replace(self, key: str, data: bytes, version: str) -> str:
        """Put an object in place of that version of it; its own version. Raises ChangedError where it is not there."""
        mode: Any = {"e_tag": version}
        changed: str = self._change("replace", key, lambda: self._store.put(self._path(key), data, mode=mode)["e_tag"])
        return changed

    def remove_if(self, key: str, version: str) -> None:
        """Remove that version of an object; nothing if there is none. Raises ChangedError where another is there."""
        self._change("remove_if", key, lambda: delete_version(self._store, self._path(key), version))

    def version(self, key: str) -> str | None:
        """The version of an object; None where there is none. Raises OSError where it cannot be looked at."""
        try:
            with translate_errors(self.locate(key)):
                return self._store.head(self._path(key))["e_tag"]
        except FileNotFoundError:
            return None

    def find_age(self, key: str) -> float:
        """Seconds since an object was put, by the store's clock; 0 where there is none. Raises OSError."""
        with translate_errors(self.locate(key)):
            return find_age(self._store, self._path(key))

    def move(self, source: str, key: str) -> None:
        """Copy an object, or all under a prefix, to another key, and remove it there: not in one step."""
        with require_listed(self.locate(source)):
            moved = [found["path"] for found in self._list(source)] or [self._path(source)]
        for path in moved:
            target = self._path(key) + path.removeprefix(self._path(source))
            self._change("put", key, partial(self._store.copy, path, target))
        self._change("remove", source, lambda: self._store.delete(moved))

    def remove(self, key: str) -> None:
        """Remove an object; nothing if it is gone."""
        self._change("remove", key, lambda: self._store.delete(self._path(key)))

    def remove_keys(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are gone are none of its concern."""
        paths = [self._path(key) for key in keys]
        self._change("remove_tree", "", lambda: self._store.delete(paths))

    def remove_all(self, prefix: str) -> None:
        """Remove an object, or all under a prefix: not in one step, so what nobody reads."""
        with require_listed(self.locate(prefix)):
            paths = [self._path(prefix), *(found["path"] for found in self._list(prefix))]
        self._change("remove_tree", prefix, lambda: self._store.delete(paths))

    def sync(self, prefix: str) -> None:
        """Nothing to do: what was put is durable."""

    def prune(self, prefix: str) -> bool:
        """Whether nothing is under the prefix: there are no empty folders."""
        with require_listed(self.locate(prefix)):
            return not self._is_prefix(prefix)

    def require_own_folder(self, prefix: str) -> None:
        """Nothing to refuse: there are no links."""

    def lock(
        self, key: str, *, wait_s: float, now: Callable[[], datetime], sleep: Callable[[float], None]
    ) -> AbstractContextManager[Lease]:
        """Hold the lease for the time of a block, as :func:`ordersetl.storage.lease.acquire_lease` does."""
        return acquire_lease(self, key, wait_s=wait_s, now=now, sleep=sleep)

    def find_holder(self, key: str) -> Holder | None:
        """Who holds the lease, as :func:`ordersetl.storage.lease.find_lease_holder` tells without taking it."""
        return find_lease_holder(self, key)

    def measure(self, prefix: str) -> Size:
        """How many objects there are under a prefix, and their bytes."""
        with require_listed(self.locate(prefix)):
            sizes = [found["size"] for found in self._list(prefix)]
        return Size(len(sizes), sum(sizes))

    def was_locked(self, key: str) -> bool:
        """Whether a command ever held the lease."""
        return self.read_version(key) is not None

    @property
    def _store(self) -> "S3Store":
        return open_store(self.root.bucket)

    def _path(self, key: str) -> str:
        return f"{self.root.prefix}/{key}".strip("/")

    def _key(self, path: str) -> str:
        return path.removeprefix(self.root.prefix).lstrip("/")

    def _read(self, key: str, max_bytes: int | None = None) -> Versioned:
        with translate_errors(self.locate(key)):
            found = self._store.get(self._path(key))
            if max_bytes is not None and found.meta["size"] > max_bytes:
                raise UnfitFileError(self.locate(key), f"is larger than {max_bytes} bytes")
            return Versioned(bytes(found.bytes()), found.meta["e_tag"] or "")

    def _list_folder(self, prefix: str) -> Folder:
        with translate_errors(self.locate(prefix)):
            found = self._store.list_with_delimiter(self._path(prefix))
        folders = {last_name(path): FileStat(IS_FOLDER, 0, 0) for path in found["common_prefixes"]}
        return {**folders, **{last_name(item["path"]): describe(item) for item in found["objects"]}}

    def _list(self, prefix: str) -> Iterator[Any]:
        for page in self._store.list(self._path(prefix)):
            yield from page

    def _is_prefix(self, key: str) -> bool:
        return any(True for _ in self._list(key))

    def _change(self, operation: Any, key: str, action: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the action gives
        """Take one step; what the store refuses is a StorageError.

        Raises:
            ChangedError: a condition does not hold.
        """
        result = None

        def change() -> None:
            nonlocal result
            with translate_errors(self.locate(key)):
                result = action()

        self.disk.perform(Step(operation, self.locate(key)), change)
        return result
