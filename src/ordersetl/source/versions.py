"""Which orders the pages of a search showed: one that comes twice may stand for one that is missing."""

from array import array
from collections.abc import Sequence
from hashlib import blake2b

from ordersetl.source.page import Page
from ordersetl.source.record_keys import RecordKey, write_key

__all__ = ["SeenVersions"]


class SeenVersions:
    """Orders and their versions, as eight bytes each: Python's hash of a text, which this process alone knows.

    Args:
        kept: pages may shift; where they cannot, nothing is kept.
    """

    def __init__(self, *, kept: bool) -> None:
        self._kept = kept
        self._ids = array("q")
        self._versions = array("q")
        self._digest = blake2b(digest_size=16)
        self.last_ids = array("q")

    def add(self, page: Page) -> None:
        """Take in the orders of a page; ``last_ids`` are its own."""
        if not self._kept:
            return
        ids = _write_ids(page)
        self.last_ids = array("q", map(hash, ids))
        versions = [f"{name} {write_key(_time_of(key))}" for name, key in zip(ids, _keys(page), strict=True)]
        self._ids += self.last_ids
        self._versions.extend(map(hash, versions))
        self._digest.update("\0".join([*versions, ""]).encode("utf-8", "surrogatepass"))

    @staticmethod
    def list_ids(page: Page) -> "array[int]":
        """Ids of a page's orders, as ``last_ids`` has them."""
        return array("q", map(hash, _write_ids(page)))

    @property
    def repeated(self) -> int:
        """How many records are of an order that was there before."""
        return len(self._ids) - len(set(self._ids))

    @property
    def digest(self) -> str:
        """Tells one pass over a search from another, of any process: two that are alike show that nothing shifts."""
        return self._digest.hexdigest()

    def may_lack(self, received: int, first_total: int | None) -> bool:
        """Whether fewer orders came than there were at the beginning, or one changed its place.

        An order that comes twice in the same version alone is harmless where another one entered before it.
        """
        fewer = first_total is not None and received - self.repeated < first_total
        return fewer or len(set(self._versions)) > len(set(self._ids))


def _keys(page: Page) -> Sequence[RecordKey]:
    return page.shape.read_keys(page) if page.shape is not None else ()


def _write_ids(page: Page) -> list[str]:
    return [write_key(key.order_id) for key in _keys(page)]


def _time_of(key: RecordKey) -> object:
    return key.created_at if key.updated_at is None else key.updated_at
