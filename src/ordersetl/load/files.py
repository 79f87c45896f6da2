"""Curated files: read, and staged for the commit where they change.

A file that is read is verified by its hash: size and time, by which a load examines the layer, do not tell everything.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import date

import msgspec
import polars as pl

from ordersetl.lake.commit import Commit
from ordersetl.lake.integrity import file_problem
from ordersetl.lake.layout import Lake, curated_key, partition_file, refund_file
from ordersetl.lake.manifest import FileEntry
from ordersetl.star.dimensions import Dimension
from ordersetl.star.frames import to_csv
from ordersetl.star.schema import FACT_ORDER, FACT_REFUND

__all__ = [
    "OWN_COLUMNS",
    "CorruptedFileError",
    "put_file",
    "read_dimension",
    "read_partition",
    "read_refunds",
    "read_verified",
]

_ENRICHED = {"user_country", "product_name", "product_category", "list_price"}
OWN_COLUMNS = [name for name in FACT_ORDER.names if name not in _ENRICHED]
"""Columns of fact_order that the order itself says; the others come from the dimensions."""


class CorruptedFileError(Exception):
    """A curated file that seemed valid is not what the manifest says; load rebuilds it and goes on."""


def read_partition(lake: Lake, day: date, entry: FileEntry, columns: Sequence[str] = ()) -> pl.DataFrame:
    """FACT_ORDER rows of a partition, or some of their columns.

    Raises:
        CorruptedFileError: it is not what the manifest says.
    """
    body = io.BytesIO(read_verified(lake, partition_file(day), entry))
    return pl.read_csv(body, schema=FACT_ORDER.schema, columns=list(columns) or None)


def read_refunds(lake: Lake, day: date, entry: FileEntry) -> pl.DataFrame:
    """FACT_REFUND rows of a day's orders.

    Raises:
        CorruptedFileError: they are not what the manifest says.
    """
    return pl.read_csv(io.BytesIO(read_verified(lake, refund_file(day), entry)), schema=FACT_REFUND.schema)


def read_dimension(lake: Lake, dimension: Dimension, entry: FileEntry) -> pl.DataFrame:
    """Rows of a dimension.

    Raises:
        CorruptedFileError: it is not what the manifest says.
    """
    return pl.read_csv(io.BytesIO(read_verified(lake, dimension.file, entry)), schema=dimension.table.schema)


def read_verified(lake: Lake, file: str, entry: FileEntry) -> bytes:
    """Content of a curated file.

    Raises:
        CorruptedFileError: it is not what the manifest says.
    """
    try:
        body = lake.storage.read(curated_key(file), entry.bytes)
    except OSError as error:
        raise CorruptedFileError(f"{file}: {error}") from error
    if hashlib.sha256(body).hexdigest() != entry.sha256:
        raise CorruptedFileError(f"{file}: its content was changed")
    return body


def put_file(
    commit: Commit, file: str, rows: pl.DataFrame, *, orders: int = 0, sums: Mapping[str, str] | None = None
) -> tuple[FileEntry, bool]:
    """Stage a curated file unless it is already as it must be; its entry, and whether it was staged.

    Args:
        commit: the commit under way.
        file: path relative to ``curated/``.
        rows: the table's rows in their order.
        orders: of a fact, how many orders it has rows of.
        sums: of a fact, its additive amounts by currency.
    """
    data = to_csv(rows)
    found = commit.lake.storage.stat(curated_key(file))
    if found is not None and found.bytes == len(data):  # else the write itself gives the hash
        entry = FileEntry(hashlib.sha256(data).hexdigest(), len(data), 0, rows.height, orders, dict(sums or {}))
        if not file_problem(commit.lake, file, entry, verify=True, look=lambda _: found):
            return msgspec.structs.replace(entry, mtime_ns=found.mtime_ns), False
    written = commit.stage(file, data)
    return FileEntry(written.sha256, written.bytes, written.mtime_ns, rows.height, orders, dict(sums or {})), True
