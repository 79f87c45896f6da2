"""Batches that are not committed: what is kept of them so that a later command can go on, and how they are dropped."""

import msgspec

from ordersetl.errors import CorruptedError
from ordersetl.lake.checksum import decode_record, encode_record
from ordersetl.lake.layout import RAW, STAGED, Lake, calls_name, page_name, raw_key
from ordersetl.lake.raw import REQUEST
from ordersetl.lake.reading import read_content

__all__ = [
    "POSITION",
    "drop_batch",
    "drop_unfinished",
    "prune_batch",
    "read_position",
    "read_unfinished_calls",
    "read_unfinished_page",
    "write_position",
]

POSITION = "_position.json"
_MAX_POSITION_BYTES = 1 << 26
_MAX_PAGE_BYTES = 1 << 32
"""Of a page whose size no record has: as much as any setting lets a response have."""


class _Position(msgspec.Struct, frozen=True):
    """Where an extraction goes on after so many pages, in the words of whoever fetches."""

    pages: int
    position: str


def write_position(lake: Lake, batch: str, pages: int, position: bytes) -> None:
    """Keep where an unfinished batch of so many pages goes on; lost where the machine fails, like a cache."""
    lake.storage.put(raw_key(batch, POSITION), encode_record(_Position(pages, position.decode())), durability="none")


def read_position(lake: Lake, batch: str) -> tuple[int, bytes] | None:
    """After how many pages an unfinished batch goes on, and where; None where that is not known."""
    try:
        kept = decode_record(read_content(lake, raw_key(batch, POSITION), _MAX_POSITION_BYTES), _Position)
    except CorruptedError:
        return None
    return kept.pages, kept.position.encode()


def read_unfinished_page(lake: Lake, batch: str, number: int) -> bytes | None:
    """Body of the ``number``-th page of an unfinished batch, from 1; None where there is no such file."""
    return _read_unfinished(lake, batch, page_name(number))


def read_unfinished_calls(lake: Lake, batch: str, number: int) -> bytes | None:
    """What calls answered for the ``number``-th page of an unfinished batch; None where there is no such file."""
    return _read_unfinished(lake, batch, calls_name(number))


def _read_unfinished(lake: Lake, batch: str, name: str) -> bytes | None:
    try:
        return read_content(lake, raw_key(batch, name), _MAX_PAGE_BYTES)
    except CorruptedError:
        return None


def prune_batch(lake: Lake, batch: str, *, pages: int) -> None:
    """Remove from an unfinished batch all but its request and its first ``pages`` pages, with what belongs to them."""
    numbers = range(1, pages + 1)
    kept = {REQUEST, POSITION, *map(page_name, numbers), *map(calls_name, numbers)}
    for entry in lake.storage.entries(f"{RAW}/{batch}"):
        if entry.name not in kept:
            lake.storage.remove_all(raw_key(batch, entry.name))


def drop_batch(lake: Lake, batch: str) -> None:
    """Remove a batch that was never committed."""
    lake.storage.remove_all(f"{RAW}/{batch}")


def drop_unfinished(lake: Lake, batch: str) -> None:
    """Remove a batch that a run which died left unfinished, and what that run staged of it."""
    lake.storage.remove_all(f"{STAGED}/{batch}")
    drop_batch(lake, batch)
