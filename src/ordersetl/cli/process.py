"""The process of the console script: what Python does at its beginning and its end that a short command can do without.

Importing Polars, DuckDB and pydantic takes a third of a second, and taking their modules apart again a tenth.
"""

import atexit
import gc
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import NoReturn

__all__ = ["end_process_with", "import_pipeline"]


def end_process_with(command: Callable[[], object]) -> NoReturn:
    """Run what the process is for; what it printed is flushed, exit handlers are run, and the process ends.

    Args:
        command: returns, or ends with SystemExit and an exit code.

    Raises:
        SystemExit: it has words instead of a code, or something could not be flushed; Python tells of it.
    """
    gc.disable()  # until the imports are done: they make many objects, and next to no garbage
    code = 0
    try:
        command()
    except SystemExit as end:
        if isinstance(end.code, str):  # Python prints it, and fails
            raise
        code = end.code or 0
    atexit._run_exitfuncs()  # noqa: SLF001 - what Python itself would run
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):
        raise SystemExit(code) from None
    os._exit(code)


def import_pipeline() -> None:
    """Import all that a command works with, and set it apart from what the collector looks at."""
    import_module("ordersetl.pipeline")
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
