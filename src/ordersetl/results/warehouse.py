"""What a load of a warehouse returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

__all__ = ["SqlScript", "WarehouseResult"]


@dataclass(frozen=True)
class WarehouseResult:
    """One load of a warehouse, which holds then what curated holds; no files and no tables where it did already.

    ``url`` holds no secret. ``files_loaded`` are those whose rows were brought there, ``files_removed`` those that
    curated no longer has; ``days`` are those whose rows were replaced; ``rows`` is how many came. ``tables_created``
    and ``columns_added`` (by table) are under our own names for them.
    """

    url: str
    files_loaded: tuple[str, ...]
    files_removed: tuple[str, ...]
    days: tuple[date, ...]
    rows: int
    tables_created: tuple[str, ...]
    seconds: float
    columns_added: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_quiet(self) -> bool:
        """Whether the warehouse held all of it already."""
        return not (self.files_loaded or self.files_removed or self.days or self.tables_created)


@dataclass(frozen=True)
class SqlScript:
    """The statements of a load, for people who run them themselves; ``kind`` says what takes them."""

    kind: str
    sql: str
