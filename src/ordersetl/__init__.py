"""ordersetl: orders from a JSON API into a partitioned star schema you can trust.

The pipeline as a library::

    from ordersetl import Settings, pipeline

    result = pipeline.run(Settings(api_url="https://shop.example/api", output="./output"))
    print(result.load.orders.inserted)

``Settings`` takes its arguments and the environment; ``load_settings()`` reads ``ordersetl.toml`` as well, as the
command line does.

Importing the package is cheap: names resolve when they are first used. The stages are functions of
:mod:`ordersetl.pipeline`; here ``extract``, ``transform``, ``load`` and ``check`` are the packages of that name.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ordersetl.version import __version__

if TYPE_CHECKING:
    from ordersetl.errors import OrdersetlError
    from ordersetl.pipeline import run
    from ordersetl.settings import Settings, load_settings
    from ordersetl.window import Window

__all__ = ["OrdersetlError", "Settings", "Window", "__version__", "load_settings", "run"]

_HOMES = {
    "OrdersetlError": "ordersetl.errors",
    "Settings": "ordersetl.settings",
    "Window": "ordersetl.window",
    "load_settings": "ordersetl.settings",
    "run": "ordersetl.pipeline",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
