"""Where each thing is under the output folder, and how batches and partitions are named."""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path

from ordersetl.errors import ConfigError, StorageError
from ordersetl.storage.disk import Disk
from ordersetl.storage.local import LocalStorage
from ordersetl.storage.objects import ObjectStorage
from ordersetl.storage.user_file import is_in_folder
from ordersetl.url import Location, ObjectUrl

__all__ = [
    "CURATED",
    "DAMAGED",
    "DATA",
    "FACT_FILE",
    "INDEX",
    "LOCK",
    "MANIFEST",
    "MANIFESTS",
    "MANIFEST_FILE",
    "PENDING",
    "QUARANTINE",
    "RAW",
    "REFERENCES",
    "REFUNDS",
    "REFUND_FILE",
    "RUNS",
    "SOURCES",
    "STAGED",
    "STAGED_SUFFIX",
    "STAGING",
    "Lake",
    "batch_id_after",
    "calls_name",
    "curated_key",
    "data_key",
    "file_day",
    "has_batch_form",
    "is_batch_id",
    "page_name",
    "page_number",
    "partition_day",
    "partition_file",
    "quarantine_key",
    "raw_key",
    "reference_key",
    "refund_day",
    "refund_file",
    "source_key",
    "staged_key",
]

RAW = "raw"
"""One folder a batch, the log that all else is derived from."""
REFERENCES = f"{RAW}/reference"
"""Users and products files by content: ``<sha256>.csv``."""
SOURCES = f"{RAW}/source"
"""Descriptions of sources by content: ``<sha256>.toml``."""
STAGED = "staged"
"""Typed orders and lines, a folder a batch: a cache."""
QUARANTINE = "quarantine"
"""Rejected records, a file a batch."""
CURATED = "curated"
"""The star schema in CSV."""
INDEX = "index"
"""In which partition each order is: a cache."""
RUNS = "runs"
"""One report a run."""
LOCK = ".lock"
"""The file whose lock makes a writer the only one."""
MANIFEST_FILE = "_manifest.json"
"""The manifest, relative to ``curated/``."""
MANIFEST = f"{CURATED}/{MANIFEST_FILE}"
"""What the curated layer holds."""
PENDING = f"{CURATED}/_pending.json"
"""The next manifest, from the commit point until it is carried through."""
STAGING = f"{CURATED}/_staging"
"""New curated files before the commit point."""
DAMAGED = f"{CURATED}/_damaged"
"""Curated files that were not what the manifest says, moved out of the way."""

FACT_FILE = "fact_order.csv"
REFUNDS = "fact_refund"
"""The folder of refunds, relative to ``curated/``: a folder a day that has some, the day of their order."""
REFUND_FILE = "fact_refund.csv"
DATA = f"{CURATED}/_data"
"""In object storage: the content of curated files by its SHA-256."""
MANIFESTS = f"{CURATED}/_manifests"
"""In object storage: the newest closed manifests, by their number."""
STAGED_SUFFIX = ".new"
"""How names in ``curated/_staging/`` end: never in ``.csv``, which globs would match."""
_ID_FORMAT = "%Y%m%dT%H%M%S.%fZ"
_ID_FORM = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z")
_ID_YEARS = range(1970, 2200)
"""Of a clock that may be wrong, but not more wrong than that: each later id sorts after the newest one."""


_remembered = lru_cache(maxsize=1 << 17)
"""A command reads the same names again and again: one a day and a batch of history."""


@dataclass(frozen=True)
class Lake:
    """The output, and the disk that takes its steps; what is in it is named by keys, and reached by ``storage``."""

    root: Location
    disk: Disk = field(default_factory=Disk)

    @cached_property
    def storage(self) -> LocalStorage | ObjectStorage:
        """The only way to what is in the output."""
        if isinstance(self.root, ObjectUrl):
            return ObjectStorage(self.root, self.disk)
        return LocalStorage(self.root, self.disk)

    @property
    def folder(self) -> Path:
        """The folder of an output that is on a local disk.

        Raises:
            TypeError: it is in object storage.
        """
        if not isinstance(self.root, Path):
            raise TypeError(f"{self.root} is not a folder")
        return self.root

    def locate(self, key: str) -> Location:
        """Where a key is, for messages."""
        return self.storage.locate(key)

    def require_own_folders(self) -> None:
        """Refuse to work where a top folder is a link or a file.

        Raises:
            StorageError: naming the first such path.
        """
        for prefix in (RAW, REFERENCES, SOURCES, STAGED, QUARANTINE, CURATED, INDEX, RUNS):
            self.storage.require_own_folder(prefix)

    def require_not_within(self, path: Path) -> None:
        """Refuse to write a file for somebody else where this output has its own.

        Raises:
            ConfigError: it would be in one of its folders.
        """
        own = [self.root / prefix for prefix in (RAW, STAGED, QUARANTINE, CURATED, INDEX, RUNS)]
        if any(isinstance(folder, Path) and is_in_folder(path, folder) for folder in own):
            raise ConfigError(f"cannot write {path}: what is there is ordersetl's own", hint="Name a file elsewhere.")


def raw_key(batch: str, name: str) -> str:
    """Key of a page or marker of a raw batch."""
    return f"{RAW}/{batch}/{name}"


def page_name(number: int) -> str:
    """Name of the ``number``-th page of a batch, from 1."""
    return f"page-{number:05d}.json"


def page_number(name: str) -> int:
    """The number of a page from its name, or from its key: as text 100,000 sorts before 99,999."""
    return int(name.rpartition("-")[2].partition(".")[0])


def calls_name(number: int) -> str:
    """File of what calls answered for the orders of the ``number``-th page, from 1."""
    return page_name(number).replace(".json", ".calls.ndjson")


def reference_key(sha256: str) -> str:
    """Key of a users or products file."""
    return f"{REFERENCES}/{sha256}.csv"


def source_key(sha256: str) -> str:
    """Key of a description of a source."""
    return f"{SOURCES}/{sha256}.toml"


def staged_key(batch: str, name: str) -> str:
    """Key of a file of a staged batch."""
    return f"{STAGED}/{batch}/{name}"


def quarantine_key(batch: str) -> str:
    """Key of the rejected records of one batch."""
    return f"{QUARANTINE}/{batch}.ndjson"


def curated_key(file: str) -> str:
    """Key of a curated file, which the manifest names relative to ``curated/``."""
    return f"{CURATED}/{file}"


def data_key(sha256: str) -> str:
    """Key of the content of a curated file, in object storage."""
    return f"{DATA}/{sha256}"


def has_batch_form(name: str) -> bool:
    """Whether a name is made of digits as a batch's is, whatever the time."""
    return _ID_FORM.fullmatch(name) is not None


@_remembered
def is_batch_id(name: str) -> bool:
    """Whether a name is that of a batch: a time that a clock can have shown."""
    if not has_batch_form(name):
        return False
    try:
        return datetime.fromisoformat(name).year in _ID_YEARS
    except ValueError:
        return False


def batch_id_after(now: datetime, newest: str | None) -> str:
    """Return an id for a batch that begins now and sorts after ``newest``, even where the clock went back.

    Raises:
        StorageError: none can, or the clock shows a time that no batch can have.
    """
    timestamp = now.astimezone(UTC)
    if newest is not None and newest >= timestamp.strftime(_ID_FORMAT):
        timestamp = datetime.fromisoformat(newest) + timedelta(microseconds=1)
    batch = timestamp.strftime(_ID_FORMAT)
    if not is_batch_id(batch):
        raise StorageError(
            f"there is no name for a new batch: the clock says {now.isoformat()}, the newest batch is {newest}",
            hint="Set the clock, or move the folder of that batch out of raw/, and run the same command again.",
        )
    return batch


def partition_file(day: date) -> str:
    """Path of a day's partition, relative to ``curated/``: ``dt=YYYY-MM-DD/fact_order.csv``."""
    return f"dt={day.isoformat()}/{FACT_FILE}"


@_remembered
def partition_day(file: str) -> date | None:
    """Return the day of a partition's relative path, as partition_file writes it; None for any other path."""
    day = _read_day(file[3:13])
    return day if day is not None and partition_file(day) == file else None


def refund_file(day: date) -> str:
    """Path of the refunds of a day's orders, likewise: ``fact_refund/dt=YYYY-MM-DD/fact_refund.csv``."""
    return f"{REFUNDS}/dt={day.isoformat()}/{REFUND_FILE}"


@_remembered
def refund_day(file: str) -> date | None:
    """Return the day of such a path, as refund_file writes it; None for any other path."""
    day = _read_day(file[len(REFUNDS) + 4 : len(REFUNDS) + 14])
    return day if day is not None and refund_file(day) == file else None


def file_day(file: str) -> date | None:
    """Return the day of a file that a day has, be it of orders or of refunds; None for any other path."""
    return partition_day(file) or refund_day(file)


def _read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
