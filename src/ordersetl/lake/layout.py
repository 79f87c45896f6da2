"""Where each thing is under the output folder, and how batches and partitions are named."""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ordersetl.errors import StorageError
from ordersetl.storage.local import Disk

__all__ = [
    "FACT_FILE",
    "STAGED_SUFFIX",
    "Lake",
    "batch_id_after",
    "has_batch_form",
    "is_batch_id",
    "partition_day",
    "partition_file",
]

FACT_FILE = "fact_order.csv"
STAGED_SUFFIX = ".new"
"""How names in ``curated/_staging/`` end: never in ``.csv``, which globs would match."""
_ID_FORMAT = "%Y%m%dT%H%M%S.%fZ"
_ID_FORM = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z")
_ID_YEARS = range(1970, 2200)
"""Of a clock that may be wrong, but no more wrong than that: each later id sorts after the newest one."""


@dataclass(frozen=True)
class Lake:
    """The output folder: paths by name, and the disk that writes them.

    ``root`` may itself be a link; no folder below it may.
    """

    root: Path
    disk: Disk = field(default_factory=Disk)

    @property
    def raw(self) -> Path:
        """One folder a batch, the log that all else is derived from."""
        return self.root / "raw"

    @property
    def references(self) -> Path:
        """Users and products files by content: ``<sha256>.csv``."""
        return self.raw / "reference"

    @property
    def staged(self) -> Path:
        """Typed orders and lines, a folder a batch: a cache."""
        return self.root / "staged"

    @property
    def quarantine(self) -> Path:
        """Rejected records, a file a batch."""
        return self.root / "quarantine"

    @property
    def curated(self) -> Path:
        """The star schema in CSV."""
        return self.root / "curated"

    @property
    def index(self) -> Path:
        """In which partition each order is: a cache."""
        return self.root / "index"

    @property
    def runs(self) -> Path:
        """One report a run."""
        return self.root / "runs"

    @property
    def lock(self) -> Path:
        """The file whose lock makes a writer the only one."""
        return self.root / ".lock"

    @property
    def manifest(self) -> Path:
        """What the curated layer holds."""
        return self.curated / "_manifest.json"

    @property
    def pending(self) -> Path:
        """The next manifest, from the commit point until it is carried through."""
        return self.curated / "_pending.json"

    @property
    def staging(self) -> Path:
        """New curated files before the commit point."""
        return self.curated / "_staging"

    @property
    def damaged(self) -> Path:
        """Curated files that were not what the manifest says, set aside."""
        return self.curated / "_damaged"

    def quarantine_file(self, batch: str) -> Path:
        """The rejected records of one batch."""
        return self.quarantine / f"{batch}.ndjson"

    def require_own_folders(self) -> None:
        """Refuse to work where a top folder is a link or a file.

        Raises:
            StorageError: naming the first such path.
        """
        for path in (self.raw, self.references, self.staged, self.quarantine, self.curated, self.index, self.runs):
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                raise StorageError(
                    f"{path} must be a folder of its own, and is a {'link' if path.is_symlink() else 'file'}",
                    hint="ordersetl never writes through a link: move it away, or choose another --output.",
                )


def has_batch_form(name: str) -> bool:
    """Whether a name is made of digits as a batch's is, whatever time they tell."""
    return _ID_FORM.fullmatch(name) is not None


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
    moment = now.astimezone(UTC)
    if newest is not None and newest >= moment.strftime(_ID_FORMAT):
        moment = datetime.fromisoformat(newest) + timedelta(microseconds=1)
    batch = moment.strftime(_ID_FORMAT)
    if not is_batch_id(batch):
        raise StorageError(
            f"there is no name for a new batch: the clock says {now.isoformat()}, the newest batch is {newest}",
            hint="Set the clock, or move the folder of that batch out of raw/, and run the same command again.",
        )
    return batch


def partition_file(day: date) -> str:
    """Path of a day's partition, relative to ``curated/``: ``dt=YYYY-MM-DD/fact_order.csv``."""
    return f"dt={day.isoformat()}/{FACT_FILE}"


def partition_day(file: str) -> date | None:
    """Return the day of a partition's relative path, as partition_file writes it; None for any other path."""
    try:
        day = date.fromisoformat(file[3:13])
    except ValueError:
        return None
    return day if partition_file(day) == file else None
