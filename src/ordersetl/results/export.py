"""What an export returns."""

from dataclasses import dataclass
from datetime import date

__all__ = ["ExportResult"]


@dataclass(frozen=True)
class ExportResult:
    """One file that was written: ``rows`` of a table or view, from the day ``since`` on and before ``until``."""

    table: str
    format: str
    file: str
    since: date | None
    until: date | None
    rows: int
    bytes: int
    seconds: float
