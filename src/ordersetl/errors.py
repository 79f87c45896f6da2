"""Everything that ordersetl raises on purpose.

::

    OrdersetlError                    code           exit
    ├── StorageError                  storage        1      the disk refused: full, read-only, not permitted
    │   └── CorruptedError            damaged        1      a file that cannot be derived again is not what was written
    ├── InternalError                 internal       1      a bug, or too little memory, threads, open files
    ├── ConfigError                   config         2      usage, settings or reference files
    ├── DataError                     data           3      the data itself prevents it
    │   ├── CheckFailedError          check_failed   3      the curated layer is not what it must be
    │   ├── TooManyRejectsError       rejects        3      more was rejected than the settings allow
    │   └── TooOldError               too_old        3      curated is older than --max-age allows
    ├── SourceError                   source         4      the API failed for good: try again later
    │   └── InvalidResponseError      nonsense       4      the API answered with something else than a page of orders
    ├── ClusterError                  cluster        4      the cluster of workers failed: try again later
    ├── WarehouseError                warehouse      4      the warehouse failed or refused; it is as it was
    │   └── ConnectionLostError       warehouse      4      its connection broke
    ├── LockedError                   locked         5      another run holds the output
    └── InterruptedRunError           interrupted    130    a signal ended the run at a safe point

A message says what failed and where; ``hint`` says what to do next.
"""

from typing import ClassVar

__all__ = [
    "CheckFailedError",
    "ClusterError",
    "ConfigError",
    "ConnectionLostError",
    "CorruptedError",
    "DataError",
    "InternalError",
    "InterruptedRunError",
    "InvalidResponseError",
    "LockedError",
    "OrdersetlError",
    "SourceError",
    "StorageError",
    "TooManyRejectsError",
    "TooOldError",
    "WarehouseError",
]


class OrdersetlError(Exception):
    """The root: carries a stable ``code``, the ``exit_code`` of the command line, and a ``hint``."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class StorageError(OrdersetlError):
    """The file system refused a read or a write."""

    code = "storage"


class CorruptedError(StorageError):
    """A raw file (the source of truth) differs from what its commit marker recorded."""

    code = "damaged"


class InternalError(OrdersetlError):
    """An invariant of the program failed, or the machine has too little of something; nothing was committed."""

    code = "internal"


class ConfigError(OrdersetlError):
    """A flag, an environment variable, ``ordersetl.toml`` or a reference file cannot be used."""

    code = "config"
    exit_code = 2


class DataError(OrdersetlError):
    """The data prevents it; raised through its subclasses."""

    code = "data"
    exit_code = 3


class CheckFailedError(DataError):
    """At least one check found offending rows."""

    code = "check_failed"


class TooManyRejectsError(DataError):
    """The rejected share of the waiting orders passes ``max_reject_ratio``."""

    code = "rejects"


class TooOldError(DataError):
    """It is too long ago that curated had all that the source says."""

    code = "too_old"


class SourceError(OrdersetlError):
    """The API could not be reached, kept failing, or refused the request."""

    code = "source"
    exit_code = 4


class InvalidResponseError(SourceError):
    """The API answered, but not with a page of orders."""

    code = "nonsense"


class ClusterError(OrdersetlError):
    """There is no scheduler, no worker in time, or workers died again and again at one piece of work."""

    code = "cluster"
    exit_code = 4


class WarehouseError(OrdersetlError):
    """The warehouse could not be reached, failed, or refused; what it held it still holds."""

    code = "warehouse"
    exit_code = 4


class ConnectionLostError(WarehouseError):
    """The connection to the warehouse broke; what was not committed by then is gone."""


class LockedError(OrdersetlError):
    """Another process holds the lock of the output folder."""

    code = "locked"
    exit_code = 5


class InterruptedRunError(OrdersetlError):
    """Ctrl-C or SIGTERM ended the run at a safe point."""

    code = "interrupted"
    exit_code = 130
