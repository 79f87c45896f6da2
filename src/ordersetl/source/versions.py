"""Which orders the pages of a search showed: one that comes twice may stand for one that is missing."""

from hashlib import blake2b

from ordersetl.source.page import Page
from ordersetl.source.shape import VersionKey

__all__ = ["SeenVersions"]


class SeenVersions:
    """Orders and their versions, as eight bytes each.

    Args:
        kept: pages may shift; where they cannot, nothing is kept.
    """

    def __init__(self, *, kept: bool) -> None:
        self._kept = kept
        self._ids: list[bytes] = []
        self._versions: list[bytes] = []
        self.last_ids: list[bytes] = []

    def add(self, page: Page) -> None:
        """Take in the orders of a page; ``last_ids`` are its own."""
        if self._kept:
            hashes = _hash_keys(page)
            self.last_ids = [order for order, _ in hashes]
            self._ids += self.last_ids
            self._versions += [version for _, version in hashes]

    @staticmethod
    def list_ids(page: Page) -> list[bytes]:
        """Ids of a page's orders, as ``last_ids`` has them."""
        return [order for order, _ in _hash_keys(page)]

    @property
    def repeated(self) -> int:
        """How many records are of an order that was there before."""
        return len(self._ids) - len(set(self._ids))

    @property
    def digest(self) -> str:
        """Tells one pass over a search from another: two that are alike show that nothing shifts."""
        return blake2b(b"".join(self._versions), digest_size=16).hexdigest()

    def may_lack(self, received: int, first_total: int | None) -> bool:
        """Whether fewer orders came than there were at the beginning, or one changed its place.

        An order that comes twice in the same version alone is harmless where another one entered before it.
        """
        fewer = first_total is not None and received - self.repeated < first_total
        return fewer or len(set(self._versions)) > len(set(self._ids))


def _hash_keys(page: Page) -> list[tuple[bytes, bytes]]:
    """Of each order its id and its version, hashed."""
    return [_hash_key(key) for key in page.shape.read_keys(page)] if page.shape is not None else []


def _hash_key(key: VersionKey) -> tuple[bytes, bytes]:
    order = repr(key.order_id).encode("utf-8", "surrogatepass")
    time = repr(key.updated_at if key.updated_at is not None else key.created_at)
    version = order + time.encode("utf-8", "surrogatepass")
    return blake2b(order, digest_size=8).digest(), blake2b(version, digest_size=8).digest()
