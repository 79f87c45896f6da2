"""The manifest: what the curated layer holds, and which batches it is the fold of."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from functools import lru_cache

import msgspec

from ordersetl.errors import ConfigError, CorruptedError, StorageError
from ordersetl.lake.checksum import decode_record, encode_record
from ordersetl.lake.field_counts import FieldHistory
from ordersetl.lake.fold_settings import DEFAULTS, FoldSettings
from ordersetl.lake.layout import CURATED, MANIFEST, PENDING, Lake, partition_day, refund_day
from ordersetl.lake.records import check_manifest
from ordersetl.star.rules import COLUMNS_SINCE
from ordersetl.storage.disk import UnfitFileError

__all__ = [
    "MAX_MANIFEST_BYTES",
    "FileEntry",
    "IndexEntry",
    "Manifest",
    "QuarantineEntry",
    "check_timezone",
    "describe_outdated",
    "encode_manifest",
    "read_manifest",
    "read_readable",
    "require_readable",
    "require_timezone",
]


MAX_MANIFEST_BYTES = 1 << 30
"""Of a manifest: that of a million partitions."""


class FileEntry(msgspec.Struct, frozen=True):
    """One curated CSV. ``orders`` are those that it has rows of.

    ``sums`` are by currency, as decimal text, "" for none: of fact_order the additive revenue (``net_amount``), of
    fact_refund the refunds (``refund_amount``).
    """

    sha256: str
    bytes: int
    mtime_ns: int
    rows: int
    orders: int = 0
    sums: dict[str, str] = {}


class QuarantineEntry(msgspec.Struct, frozen=True):
    """One quarantine file: its hash and size, and how many orders and lines it lists."""

    sha256: str
    bytes: int
    orders: int
    lines: int
    mtime_ns: int = 0


class IndexEntry(msgspec.Struct, frozen=True):
    """One segment of a table in ``index/``: its file, and the SHA-256 and size of the root that it ends with.

    Segments of before 0.3 have none.
    """

    name: str
    sha256: str
    bytes: int
    rows: int
    hashing: str
    mtime_ns: int = 0
    root: str = ""
    root_bytes: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """The state of the curated layer; files are named relative to ``curated/``.

    ``settings`` are those that it was made under. ``references`` holds the SHA-256 of the users and products files that
    were applied last. ``removed`` are the files of the manifest before that are no more, so that the commit can be
    carried through from this one alone. ``index``, ``tombstones``, ``members`` (by kind), ``uses`` (None where none are
    kept) and ``rejected`` are files in ``index/``; before 0.3 ``mentions`` took the place of the members, and
    ``quarantine`` that of what is rejected. ``fields`` are what the records of its batches have.
    """

    format: int = 1
    tool: str = ""
    rules: int = 0
    settings: FoldSettings = DEFAULTS
    batches: tuple[str, ...] = ()
    references: dict[str, str] = {}
    files: dict[str, FileEntry] = {}
    quarantine: dict[str, QuarantineEntry] = {}
    index: tuple[IndexEntry, ...] = ()
    tombstones: tuple[IndexEntry, ...] = ()
    mentions: tuple[IndexEntry, ...] = ()
    members: dict[str, tuple[IndexEntry, ...]] = {}
    uses: tuple[IndexEntry, ...] | None = None
    rejected: tuple[IndexEntry, ...] = ()
    fields: FieldHistory = FieldHistory()
    removed: tuple[str, ...] = ()

    @property
    def segments(self) -> tuple[IndexEntry, ...]:
        """All files of ``index/``."""
        members = (one for kind in self.members.values() for one in kind)
        return (*self.index, *self.tombstones, *self.mentions, *members, *(self.uses or ()), *self.rejected)

    @property
    def partitions(self) -> dict[date, FileEntry]:
        """The files of fact_order by day."""
        days = ((partition_day(name), entry) for name, entry in self.files.items())
        return {day: entry for day, entry in days if day is not None}

    @property
    def refunds(self) -> dict[date, FileEntry]:
        """The files of fact_refund by day; days without refunds have none."""
        days = ((refund_day(name), entry) for name, entry in self.files.items())
        return {day: entry for day, entry in days if day is not None}

    @property
    def revenue(self) -> dict[str, Decimal]:
        """The additive revenue of all partitions by currency, sorted; "" for none."""
        return _add_sums(self.partitions.values())

    @property
    def refunded(self) -> dict[str, Decimal]:
        """All refunds, likewise."""
        return _add_sums(self.refunds.values())


def _add_sums(entries: Iterable[FileEntry]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for entry in entries:
        for currency, amount in entry.sums.items():
            sums[currency] = sums.get(currency, Decimal(0)) + Decimal(amount)
    return dict(sorted(sums.items()))


def encode_manifest(manifest: Manifest) -> bytes:
    """Bytes of the manifest as they are on disk."""
    return encode_record(manifest)


def read_manifest(lake: Lake, *, pending: bool = False) -> Manifest | None:
    """Read the current (or the pending) manifest; None where there is none.

    Raises:
        CorruptedError: it is not what was written, or not a regular file.
        StorageError: it cannot be read.
    """
    key = PENDING if pending else MANIFEST
    path = lake.locate(key)
    try:
        manifest = _decode(lake.storage.read(key, MAX_MANIFEST_BYTES))
    except FileNotFoundError:
        return None
    except CorruptedError as error:
        raise CorruptedError(f"{path} is damaged: {error.message}") from error
    except UnfitFileError as error:
        raise CorruptedError(f"{path} is damaged: it {error.strerror}") from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    return manifest


@lru_cache(maxsize=2)
def _decode(data: bytes) -> Manifest:
    """The manifest that these bytes are: a command reads the same ones again and again."""
    manifest = decode_record(data, Manifest)
    check_manifest(manifest)
    return manifest


def describe_outdated(lake: Lake, manifest: Manifest) -> str:
    """That an older version of the tool wrote the files, with other columns than today's; empty where none did."""
    if not manifest.files or manifest.rules >= COLUMNS_SINCE:
        return ""
    return f"{lake.locate(CURATED)} was written by an older version of ordersetl, with other columns"


def require_readable(lake: Lake, manifest: Manifest) -> None:
    """Refuse files that cannot be read as today's tables.

    Raises:
        ConfigError: an older version wrote them.
    """
    if problem := describe_outdated(lake, manifest):
        raise ConfigError(problem, hint="Fold it again by this version, from raw: ordersetl load")


def read_readable(lake: Lake) -> Manifest | None:
    """The current manifest; None where there is none, or where it or its files cannot be read, as a check says.

    Raises:
        StorageError: it cannot be read.
    """
    with suppress(CorruptedError):
        manifest = read_manifest(lake)
        if manifest is not None and not describe_outdated(lake, manifest):
            return manifest
    return None


def check_timezone(lake: Lake, manifest: Manifest, settings: FoldSettings) -> None:
    """Refuse to work under another time zone than that of the partitions.

    Raises:
        ConfigError: it is another one.
    """
    if manifest.settings.timezone != settings.timezone:
        raise ConfigError(
            f"the days of {lake.locate(CURATED)} are those of the time zone {manifest.settings.timezone}, and the "
            f"setting timezone is {settings.timezone}",
            hint=f"Set timezone to {manifest.settings.timezone}; or fold all orders again by the other one: "
            "ordersetl load --rebuild",
        )


def require_timezone(lake: Lake, settings: FoldSettings) -> None:
    """As :func:`check_timezone`, of the current manifest; a damaged one is for load to find.

    Raises:
        ConfigError: it is another one.
    """
    with suppress(CorruptedError):
        manifest = read_manifest(lake)
        if manifest is not None:
            check_timezone(lake, manifest, settings)
