"""Which fields the records of a source have: counted batch by batch, and added up over those that were applied.

A path is written as ``customer.id``, ``lines[].sku`` (of each element) or ``tenders[0].id``. Types are JSON's:
``text``, ``number``, ``boolean``, ``object``, ``list``. Null and an empty text are absences.
"""

import msgspec

__all__ = ["Drift", "FieldCount", "FieldCounts", "FieldHistory", "Pending", "add_counts"]


class FieldCount(msgspec.Struct, frozen=True):
    """Of how many objects that could have a field how many had it, by type."""

    of: int = 0
    types: dict[str, int] = {}

    @property
    def seen(self) -> int:
        """How many had it."""
        return sum(self.types.values())

    @property
    def lacking(self) -> int:
        """How many did not."""
        return self.of - self.seen

    def __add__(self, other: "FieldCount") -> "FieldCount":
        names = sorted({*self.types, *other.types})
        return FieldCount(
            self.of + other.of, {name: self.types.get(name, 0) + other.types.get(name, 0) for name in names}
        )


class FieldCounts(msgspec.Struct, frozen=True):
    """Fields of some records: exactly those that the mapping ``used``, and of ``sampled`` records others."""

    used: dict[str, FieldCount] = {}
    sampled: int = 0
    others: dict[str, FieldCount] = {}

    def __add__(self, other: "FieldCounts") -> "FieldCounts":
        return FieldCounts(
            add_counts(self.used, other.used), self.sampled + other.sampled, add_counts(self.others, other.others)
        )


class Drift(msgspec.Struct, frozen=True):
    """A field that the mapping uses and that is not what it always was, since a batch."""

    field: str
    problem: str
    batch: str


class Pending(msgspec.Struct, frozen=True):
    """Counts of a field that all had before, since the first lacked it.

    ``first`` are the records among which that was, ``between`` those that came then, ``some`` the newest of which some
    lack it, ``row`` how many came after these and all lack it. Where nothing came between, ``some`` are the first.
    """

    some: FieldCount = FieldCount()
    row: int = 0
    first: FieldCount = FieldCount()
    between: FieldCount = FieldCount()

    @property
    def mixed(self) -> FieldCount:
        """All but the row."""
        return self.first + self.between + self.some

    @property
    def counts(self) -> FieldCount:
        """All together."""
        return self.mixed + FieldCount(self.row)

    def add(self, newest: FieldCount) -> "Pending":
        """With the next records of which some lack it; the row is among them."""
        if not self.some.of:
            return Pending(newest)
        if not self.first.of:
            return Pending(newest, first=self.some)
        return Pending(newest, first=self.first, between=self.between + self.some)


class FieldHistory(msgspec.Struct, frozen=True):
    """Fields of all applied batches since the source last changed, and what changed and nobody has seen to yet.

    ``pending`` are the newest counts of fields that all had before: not in ``used`` yet.
    """

    used: dict[str, FieldCount] = {}
    sampled: int = 0
    others: dict[str, FieldCount] = {}
    drift: tuple[Drift, ...] = ()
    pending: dict[str, Pending] = {}


def add_counts(one: dict[str, FieldCount], other: dict[str, FieldCount]) -> dict[str, FieldCount]:
    """The sums by path, sorted."""
    nothing = FieldCount()
    return {path: one.get(path, nothing) + other.get(path, nothing) for path in sorted({*one, *other})}
