"""Which orders the pages of a search showed: one that comes twice may stand for one that is missing."""

from array import array
from hashlib import blake2b

from ordersetl.source.page import Page

__all__ = ["SeenVersions"]


class SeenVersions:
    """Orders and their versions, as eight bytes each.

    Args:
        kept: pages may shift; where they cannot, nothing is kept.
    """

    def __init__(self, *, kept: bool) -> None:
        self._kept = kept
        self._ids = array("Q")
        self._versions = array("Q")
        self.last_ids = array("Q")

    def add(self, page: Page) -> None:
        """Take in the orders of a page; ``last_ids`` are its own."""
        if self._kept:
            self.last_ids, versions = _hash_keys(page)
            self._ids += self.last_ids
            self._versions += versions

    @staticmethod
    def list_ids(page: Page) -> "array[int]":
        """Ids of a page's orders, as ``last_ids`` has them."""
        return _hash_keys(page)[0]

    @property
    def repeated(self) -> int:
        """How many records are of an order that was there before."""
        return len(self._ids) - len(set(self._ids))

    @property
    def digest(self) -> str:
        """Tells one pass over a search from another: two that are alike show that nothing shifts."""
        return blake2b(self._versions.tobytes(), digest_size=16).hexdigest()

    def may_lack(self, received: int, first_total: int | None) -> bool:
        """Whether fewer orders came than there were at the beginning, or one changed its place.

        An order that comes twice in the same version alone is harmless where another one entered before it.
        """
        fewer = first_total is not None and received - self.repeated < first_total
        return fewer or len(set(self._versions)) > len(set(self._ids))


def _hash_keys(page: Page) -> tuple["array[int]", "array[int]"]:
    """Of each order its id and its version, hashed."""
    orders, versions = array("Q"), array("Q")
    for key in page.shape.read_keys(page) if page.shape is not None else ():
        order = repr(key.order_id)
        orders.append(_hash(order))
        versions.append(_hash(f"{order} {key.created_at if key.updated_at is None else key.updated_at!r}"))
    return orders, versions


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
