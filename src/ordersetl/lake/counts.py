"""What became of the records of some pages: one object that sums and reconciles."""

from typing import Any

import msgspec

__all__ = ["BatchCounts"]


class BatchCounts(msgspec.Struct, frozen=True):
    """What became of the records of some pages, and of the lines of those that were accepted; sums by ``+``.

    ``rejected`` and ``lines_rejected`` are by reason; ``skipped`` are records that are no orders, by what the source's
    mapping calls them. ``deleted`` and ``emptied`` count those of the accepted versions with which an order leaves,
    ``future_updated_at`` those whose time lay too far in the future, ``lines_skipped`` the lines of quantity 0 and
    those that the mapping leaves out, ``texts_cut`` the texts that were cut to 255 bytes; ``cancelled`` and
    ``refunded`` those of the accepted versions whose order was cancelled, or has refunds.
    """

    received: int = 0
    accepted: int = 0
    outside_window: int = 0
    rejected: dict[str, int] = {}
    skipped: dict[str, int] = {}
    lines_received: int = 0
    lines_accepted: int = 0
    lines_skipped: int = 0
    lines_rejected: dict[str, int] = {}
    deleted: int = 0
    emptied: int = 0
    future_updated_at: int = 0
    texts_cut: int = 0
    cancelled: int = 0
    refunded: int = 0

    def __add__(self, other: "BatchCounts") -> "BatchCounts":
        return BatchCounts(**{name: _add(getattr(self, name), getattr(other, name)) for name in self.__struct_fields__})

    @property
    def orders_rejected(self) -> int:
        """Rejected orders, whatever the reason."""
        return sum(self.rejected.values())

    @property
    def records_skipped(self) -> int:
        """Skipped records, whatever they are."""
        return sum(self.skipped.values())

    @property
    def rejected_lines(self) -> int:
        """Rejected lines of accepted orders, whatever the reason."""
        return sum(self.lines_rejected.values())

    @property
    def reconciles(self) -> bool:
        """Whether each record became something, and each line of an accepted order."""
        orders = self.accepted + self.orders_rejected + self.outside_window + self.records_skipped
        lines = self.lines_accepted + self.rejected_lines + self.lines_skipped
        return self.received == orders and self.lines_received == lines


def _add(one: Any, other: Any) -> Any:  # noqa: ANN401 - a count, or counts by reason
    if isinstance(one, int):
        return one + other
    return {reason: one.get(reason, 0) + other.get(reason, 0) for reason in sorted(one.keys() | other.keys())}
