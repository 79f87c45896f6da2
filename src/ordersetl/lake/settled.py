"""Look at what is committed while others may commit: at one state of it, or else again."""

from collections.abc import Callable
from typing import TypeVar

from ordersetl.errors import InternalError, StorageError
from ordersetl.lake.commit import is_committing
from ordersetl.lake.layout import MANIFEST, PENDING, Lake
from ordersetl.lake.manifest import MAX_MANIFEST_BYTES

__all__ = ["look_until_settled"]

_MAX_LOOKS = 5
_Found = TypeVar("_Found")


def look_until_settled(
    lake: Lake, look: Callable[[], _Found], *, is_enough: Callable[[_Found], bool] = lambda _: False
) -> tuple[_Found, bool]:
    """What a look found, and whether that is of one state: no commit came between. Where one did, it is repeated.

    Args:
        lake: the output.
        look: reads what it wants of it.
        is_enough: whether what was found will do, whatever came between.

    Raises:
        StorageError, InternalError: what ``look`` raises, where no commit came between that may have changed its files.
    """
    for left in reversed(range(_MAX_LOOKS)):
        before = _read_committed(lake)
        try:
            found = look()
        except (StorageError, InternalError):
            if left == 0 or _is_settled(lake, before):
                raise
            continue
        if is_enough(found) or _is_settled(lake, before):
            return found, True
    return found, False


def _is_settled(lake: Lake, before: tuple[bytes | None, ...]) -> bool:
    return _read_committed(lake) == before and not is_committing(lake)


def _read_committed(lake: Lake) -> tuple[bytes | None, ...]:
    """What is committed and what is being committed: the bytes of both manifests, None where there is none."""
    found: list[bytes | None] = []
    for key in (MANIFEST, PENDING):
        try:
            found.append(lake.storage.read(key, MAX_MANIFEST_BYTES))
        except OSError:
            found.append(None)
    return tuple(found)
