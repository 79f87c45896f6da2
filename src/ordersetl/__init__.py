"""ordersetl: orders from a JSON API into a partitioned star schema you can trust.

The pipeline as a library::

    from ordersetl import Settings, run

    result = run(Settings(api_url="https://shop.example/api", output="./output"))
    print(result.load.orders.inserted)

Importing the package is cheap: names resolve when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ordersetl.errors import OrdersetlError
    from ordersetl.pipeline import check, extract, load, run, transform
    from ordersetl.settings import Settings

__all__ = ["OrdersetlError", "Settings", "__version__", "check", "extract", "load", "run", "transform"]

_HOMES = {
    "OrdersetlError": "ordersetl.errors",
    "Settings": "ordersetl.settings",
    "check": "ordersetl.pipeline",
    "extract": "ordersetl.pipeline",
    "load": "ordersetl.pipeline",
    "run": "ordersetl.pipeline",
    "transform": "ordersetl.pipeline",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
