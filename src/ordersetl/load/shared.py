"""Frames that every group of days needs: passed on as they are on this machine, and by name to workers elsewhere."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import polars as pl

from ordersetl.errors import StorageError
from ordersetl.lake.layout import STAGING, Lake
from ordersetl.runtime import RunContext

__all__ = ["SharedFrames", "share_frames"]

_KEPT = 16
"""Frames that a worker keeps, so that it reads them once a load and not once a group."""


@dataclass(frozen=True)
class SharedFrames:
    """Frames by name; where they are in the output, only their keys, with hashes, travel to another process."""

    lake: Lake
    keys: Mapping[str, str] = field(default_factory=dict)
    _frames: Mapping[str, pl.DataFrame] = field(default_factory=dict, repr=False, compare=False)

    def __getitem__(self, name: str) -> pl.DataFrame:
        """The frame of that name.

        Raises:
            StorageError: it is not what was shared: another run has taken the output over.
        """
        found = self._frames.get(name)
        return _read(self.lake, self.keys[name]) if found is None else found

    def __getstate__(self) -> dict[str, Any]:
        return {"lake": self.lake, "keys": self.keys, "_frames": {} if self.keys else self._frames}


def share_frames(context: RunContext, frames: Mapping[str, pl.DataFrame]) -> SharedFrames:
    """The frames for all groups; put into the output where the groups are folded elsewhere.

    They go where new curated files wait for the commit, and are removed with these.
    """
    if not context.is_remote:
        return SharedFrames(context.lake, {}, frames)
    keys = {}
    for name, frame in frames.items():
        buffer = io.BytesIO()
        frame.rechunk().write_ipc(buffer)
        data = buffer.getvalue()
        keys[name] = f"{STAGING}/{hashlib.sha256(data).hexdigest()}.frame"
        context.lake.storage.put(keys[name], data, durability="none")
    return SharedFrames(context.lake, keys, frames)


@lru_cache(maxsize=_KEPT)
def _read(lake: Lake, key: str) -> pl.DataFrame:
    try:
        with lake.storage.open(key) as file:
            data = file.read()
    except OSError as error:
        raise StorageError(
            f"cannot read {lake.locate(key)}: {error.strerror}", hint="Run the same command again."
        ) from None
    if hashlib.sha256(data).hexdigest() != key.rpartition("/")[2].partition(".")[0]:
        raise StorageError(f"{lake.locate(key)} is not what was shared", hint="Run the same command again.")
    return pl.read_ipc(data)
