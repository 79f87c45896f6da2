"""Where the data files that travel with the package are: SQL and the sample API's fixtures."""

from pathlib import Path
from typing import Literal

__all__ = ["locate"]


def locate(folder: Literal["sql", "fixtures"]) -> Path:
    """Return the folder of the installed package, or of the checkout where the install is editable."""
    here = Path(__file__).resolve().parent
    packaged = here / folder
    return packaged if packaged.is_dir() else here.parents[1] / folder
