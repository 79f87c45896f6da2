"""Files of columns, as Polars scans them: without reading all of them, on disk or in object storage."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ColumnFile"]


@dataclass(frozen=True)
class ColumnFile:
    """One Parquet file, by its path or URL, to be taken literally; ``options`` are Polars' for the store it is in."""

    where: str
    options: dict[str, str] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.where

    def scan(self) -> "pl.LazyFrame":
        """Its rows, of which only what is asked for is read."""
        import polars as pl  # noqa: PLC0415 - extraction does without

        return pl.scan_parquet(self.where, glob=False, storage_options=self.options)
