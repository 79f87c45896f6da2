"""What identifies the records of a page: their ids and times; and what tells those of one page from another's."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

__all__ = [
    "Record",
    "RecordKey",
    "hash_parsed",
    "hash_records",
    "hash_texts",
    "list_keys",
    "make_record_type",
    "write_key",
]


class RecordKey(msgspec.Struct, gc=False):
    """What identifies a version of an order: id and times, as a record gives them."""

    order_id: Any = None
    created_at: Any = None
    updated_at: Any = None


Record = RecordKey | str | float | bool | list[Any] | None
"""A record, read for its key. What is not an object is read too: one such must not cost the others their one pass."""


def make_record_type(order_id: str, created_at: str, updated_at: str) -> Any:  # noqa: ANN401 - a type for msgspec
    """As :data:`Record`, of records whose keys have these names."""
    names = {"order_id": order_id, "created_at": created_at, "updated_at": updated_at}
    fields = [(name, Any, msgspec.field(default=None, name=given)) for name, given in names.items()]
    return msgspec.defstruct("RecordKey", fields, gc=False) | str | float | bool | list[Any] | None


def list_keys(records: Iterable[Any]) -> list[RecordKey]:
    """The keys among records, each of the type :data:`Record`."""
    keys: list[Any] = [*records]
    if all(issubclass(kind, msgspec.Struct) for kind in set(map(type, keys))):  # as on most pages
        return keys
    objects: list[Any] = [key for key in keys if isinstance(key, msgspec.Struct)]
    return objects


def hash_records(count: int, keys: Sequence[RecordKey], split: Callable[[], Sequence[bytes | msgspec.Raw]]) -> int:
    """Tells the records of one page from those of another, in whatever order: by their keys, if these say enough.

    They do where most records have a key of their own with an ``updated_at``: else a record may have changed and have
    the same key, and so the texts count.

    Args:
        count: how many records there are.
        keys: of those that are objects.
        split: takes the page apart into the texts of its records.
    """
    times = [key.updated_at for key in keys]
    if count > 1 and 2 * (len(times) - times.count(None)) > count:
        ids = _distinct([key.order_id for key in keys])
        if 2 * len(ids) > count:
            return hash((count, ids, _distinct(times)))  # pairs of the two would take twice as long
    return hash_texts(split())


def _distinct(values: Iterable[Any]) -> frozenset[Any]:
    try:
        return frozenset(values)
    except TypeError:  # a list or an object among them
        return frozenset(map(write_key, values))


def write_key(key: object) -> str:
    """What a key is, as text."""
    try:
        return repr(key)
    except RecursionError:
        return "nested too deeply"


def hash_texts(texts: Sequence[bytes | msgspec.Raw]) -> int:
    """As :func:`hash_records`, by the texts of the records."""
    return hash((len(texts), b"\0".join(texts)))


def hash_parsed(records: Sequence[Any], keys: Sequence[RecordKey], text: bytes) -> int:
    """As :func:`hash_records`, of parsed ones; where they are nested too deeply to be written, by the page."""

    def write() -> list[bytes]:
        try:
            return [repr(records).encode("utf-8", "surrogatepass")]
        except RecursionError:
            return [text]

    return hash_records(len(records), keys, write) if records else 0
