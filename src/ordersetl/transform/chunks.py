"""Chunks: some pages of a batch are validated together and become one part of the staged batch, on any worker."""

import io
from collections.abc import Iterable, Iterator, Sequence, Set as AbstractSet
from datetime import date
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from ordersetl.executor import WorkQueue
from ordersetl.lake.counts import BatchCounts
from ordersetl.lake.field_counts import FieldCounts
from ordersetl.lake.fold_settings import FoldSettings
from ordersetl.lake.in_force import InForce
from ordersetl.lake.layout import STAGED, Lake, staged_key
from ordersetl.lake.raw import BatchRequest, PageEntry
from ordersetl.lake.staged import PartEntry, StagedFile
from ordersetl.runtime import RunContext
from ordersetl.source.kept_pages import KeptPages, describe_request
from ordersetl.source.page import Page
from ordersetl.star.frames import ORDER_SCHEMA
from ordersetl.star.lines import merge_lines, merge_refunds
from ordersetl.transform.seen_fields import sample_fields
from ordersetl.transform.validate import Validated, validate_pages
from ordersetl.window import Window

if TYPE_CHECKING:
    from ordersetl.source.description.model import Description

__all__ = ["BatchStaging", "Chunk", "ChunkOutcome", "stage_chunk"]

_MIB = 1 << 20
_MIN_BULK_BYTES = 64 * 1024
"""A chunk of less than this goes to the models at once: it takes them less time than DuckDB takes to begin."""
_MAX_RECORDS = 100_000
"""Records of a chunk, unless a single page has more: tiny ones take far more memory than their bytes."""
_ROW_GROUP = 16_384
"""Rows: small enough that a day's rows are found without reading a whole file."""


class Chunk(msgspec.Struct, frozen=True):
    """Pages of one batch that are validated together, as the ``number``-th part of it.

    ``received`` are the same pages where they are at hand as they came in; the others are read from disk.
    ``description`` says how they are read and mapped, None where their records are orders as they are.
    """

    lake: Lake
    batch: str
    window: Window
    settings: FoldSettings
    number: int
    first_page: int
    pages: Sequence[PageEntry]
    received: Sequence[Page | None]
    bulk: bool
    description: "Description | None" = None


class ChunkOutcome(msgspec.Struct, frozen=True):
    """What a chunk became on disk, its counts, and the fields that its records have."""

    part: PartEntry
    pages: int
    counts: BatchCounts
    fields: FieldCounts


class BatchStaging:
    """The staging of one batch, chunk by chunk, which may begin while its pages are still coming in.

    Chunks are consecutive pages of at most ``chunk_mb`` and 100,000 records together, at least one page each: the parts
    are the same however early their pages were known. What was staged counts only once its marker is written.
    """

    def __init__(self, context: RunContext, batch: str, request: BatchRequest, in_force: InForce) -> None:
        self.batch = batch
        self.in_force = in_force
        self.pages: list[PageEntry] = []
        self._context = context
        self._window = request.window
        self._settings = FoldSettings.of(context.settings, in_force.mapping)
        self._description = describe_request(context.lake, request, in_force)
        self._gathered: list[PageEntry] = []
        self._received: list[Page | None] = []
        self._gathered_bytes = self._gathered_records = 0
        self._chunks = 0
        self._queue = WorkQueue(context, stage_chunk)
        self._folder = f"{STAGED}/{batch}"
        context.lake.storage.remove_all(self._folder)

    def add(self, entry: PageEntry, page: Page | None = None) -> None:
        """Add the next page, which is on disk; a chunk that it completes is begun.

        Given the page itself, this waits where chunks are staged more slowly than they come in: memory is bounded.
        """
        size = _size(entry)
        too_large = self._gathered_bytes + size > self._context.settings.chunk_mb * _MIB
        if self._gathered and (too_large or self._gathered_records + entry.records > _MAX_RECORDS):
            self._put_chunk()
            if page is not None:
                self._queue.await_room()
        self.pages.append(entry)
        self._gathered.append(entry)
        is_far = self._context.is_remote  # then workers read it from disk
        self._received.append(None if page is None or is_far else page.unread())
        self._gathered_bytes += size
        self._gathered_records += entry.records

    def finish(self) -> Iterator[ChunkOutcome]:
        """What the chunks became, in their order, once there are no more pages.

        Raises:
            CorruptedError: a page is missing or not what was received.
        """
        if self._gathered:
            self._put_chunk()
        return self._queue.results()

    def abandon(self) -> None:
        """Wait for what is under way, and remove what was staged."""
        self._queue.close()
        self._context.lake.storage.remove_all(self._folder)

    def _put_chunk(self) -> None:
        pages, self._gathered = self._gathered, []
        self._gathered_bytes = self._gathered_records = 0
        received, self._received = self._received, []
        self._chunks += 1
        first = len(self.pages) - len(pages) + 1
        bulk = self._context.settings.bulk
        lake, settings = self._context.lake, self._settings
        described = self._description
        self._queue.put(
            Chunk(lake, self.batch, self._window, settings, self._chunks, first, pages, received, bulk, described)
        )


def stage_chunk(chunk: Chunk) -> ChunkOutcome:
    """Validate a chunk's pages and write its part: orders and lines sorted by day, and its rejects.

    Raises:
        CorruptedError: a page is missing or not what was received.
    """
    bulk = chunk.bulk and sum(map(_size, chunk.pages)) >= _MIN_BULK_BYTES
    mapping = chunk.description.mapping if chunk.description is not None else None
    pages = _read_pages(chunk)
    found = validate_pages(pages, chunk.window, chunk.settings, mapping, bulk=bulk)
    seen = sample_fields(pages)
    filled = _list_filled(chunk.description) if chunk.description is not None else ()
    used = {path: count for path, count in found.seen.items() if path not in filled}
    others = {path: count for path, count in seen.others.items() if path not in found.seen}
    fields = FieldCounts(used, seen.sampled, others)
    return ChunkOutcome(_write_part(chunk, found), len(chunk.pages), found.counts, fields)


def _list_filled(description: "Description") -> AbstractSet[str]:
    """Paths of lists that calls put into records: where no call was made there is none, and nothing is missing."""
    calls = [call for call in description.calls if not (call.append or call.keep_unanswered)]  # they add
    return {f"{call.each.text}[].{call.into}" if call.each else call.into for call in calls}


def _size(entry: PageEntry) -> int:
    """Bytes of a page and of what its calls answered."""
    return entry.bytes + (entry.calls.bytes if entry.calls is not None else 0)


def _read_pages(chunk: Chunk) -> list[Page]:
    kept = KeptPages(chunk.lake, chunk.batch, chunk.window.since, chunk.description)
    pages = enumerate(zip(chunk.pages, chunk.received, strict=True), chunk.first_page)
    return [received if received is not None else kept.read(number, entry) for number, (entry, received) in pages]


def _write_part(chunk: Chunk, found: Validated) -> PartEntry:
    def write(name: str, data: bytes | Iterable[bytes], rows: int) -> StagedFile:
        written = chunk.lake.storage.put(staged_key(chunk.batch, name), data, durability="none")
        return StagedFile(name, written.sha256, written.bytes, rows)

    refunds = merge_refunds(found.orders, found.refunds)
    lines = merge_lines(found.orders, found.items, refunds).sort("dt", maintain_order=True)
    orders = found.orders.select(*ORDER_SCHEMA)
    orders = orders.sort("pos").sort("dt", maintain_order=True)  # in two steps: a third of the time
    refunds = refunds.sort("dt", maintain_order=True)
    return PartEntry(
        orders=write(f"orders-{chunk.number:05d}.parquet", _parquet(orders), orders.height),
        lines=write(f"lines-{chunk.number:05d}.parquet", _parquet(lines), lines.height),
        rejects=write(
            f"rejects-{chunk.number:05d}.ndjson",
            (reject.to_json(chunk.batch) for reject in found.rejects),
            found.counts.orders_rejected + found.counts.rejected_lines,
        ),
        refunds=write(f"refunds-{chunk.number:05d}.parquet", _parquet(refunds), refunds.height)
        if refunds.height
        else None,
        days=_count_days(orders),
        line_days=_count_days(lines),
        refund_days=_count_days(refunds),
        gone=orders["dt"].null_count(),
    )


def _count_days(rows: pl.DataFrame) -> dict[date, int]:
    """How many rows each day has, of rows that are sorted by day."""
    return dict(rows["dt"].drop_nulls().rle().struct.unnest().select("value", "len").iter_rows())


def _parquet(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.rechunk().write_parquet(buffer, compression="uncompressed", statistics=False, row_group_size=_ROW_GROUP)
    return buffer.getvalue()
