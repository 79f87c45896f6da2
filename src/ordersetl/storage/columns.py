"""Files of columns, as Polars scans them: without reading all of them, on disk or in object storage."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ordersetl.storage.disk import open_regular

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ColumnFile"]


@dataclass(frozen=True)
class ColumnFile:
    """One Parquet file, by its path or URL, to be taken literally; ``options`` are Polars' for the store it is in.

    ``is_local``: it is a path, and Polars would follow a link there and wait for a pipe.
    """

    where: str
    options: dict[str, str] | None = field(default=None, repr=False)
    is_local: bool = False

    def __str__(self) -> str:
        return self.where

    def scan(self) -> "pl.LazyFrame":
        """Its rows, of which only what is asked for is read.

        Raises:
            UnfitFileError: something else is at its path.
            OSError: nothing is there, or it cannot be opened.
        """
        import polars as pl  # noqa: PLC0415 - extraction does without

        if self.is_local:
            open_regular(Path(self.where)).close()
        return pl.scan_parquet(self.where, glob=False, storage_options=self.options)
