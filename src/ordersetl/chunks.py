"""Chunks: some pages of a batch are validated together and become one part of the staged batch, on any worker."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from ordersetl.lake import raw
from ordersetl.lake.layout import Lake
from ordersetl.lake.raw import BatchMarker, PageEntry
from ordersetl.lake.staged import PartEntry, StagedFile
from ordersetl.star import merge_lines
from ordersetl.validate import Page, TimeWindow, Validated, validate_pages

__all__ = ["Chunk", "ChunkOutcome", "cut_pages", "stage_chunk"]

_LEAST_BULK_BYTES = 64 * 1024
"""A chunk of less than this goes to the models at once: it takes them less time than DuckDB takes to begin."""
_ROW_GROUP = 16_384
"""Rows: small enough that a day's rows are found without reading a whole file."""


@dataclass(frozen=True)
class Chunk:
    """Pages of one batch that are validated together, as the ``number``-th part of it."""

    lake: Lake
    marker: BatchMarker
    number: int
    first_page: int
    pages: Sequence[PageEntry]
    bulk: bool


@dataclass(frozen=True)
class ChunkOutcome:
    """What a chunk became on disk, and its counts."""

    part: PartEntry
    days: Sequence[date]
    received: int
    outside_window: int
    rejected: dict[str, int]
    lines_received: int
    lines_accepted: int
    lines_rejected: dict[str, int]
    texts_cut: int


def cut_pages(lake: Lake, marker: BatchMarker, *, size: int, bulk: bool) -> Iterator[Chunk]:
    """Consecutive pages of at most ``size`` bytes together, at least one a chunk."""
    begin, held, number = 0, 0, 1
    for at, page in enumerate(marker.pages):
        if at > begin and held + page.bytes > size:
            yield Chunk(lake, marker, number, begin + 1, marker.pages[begin:at], bulk)
            begin, held, number = at, 0, number + 1
        held += page.bytes
    if marker.pages:
        yield Chunk(lake, marker, number, begin + 1, marker.pages[begin:], bulk)


def stage_chunk(chunk: Chunk) -> ChunkOutcome:
    """Validate a chunk's pages and write its part: orders and lines sorted by day, and its rejects.

    Raises:
        DamagedError: a page is missing or not what was received.
    """
    pages = [
        Page(chunk.first_page + offset, raw.read_page_body(chunk.lake, chunk.marker, entry))
        for offset, entry in enumerate(chunk.pages)
    ]
    bulk = chunk.bulk and sum(page.bytes for page in chunk.pages) >= _LEAST_BULK_BYTES
    found = validate_pages(pages, TimeWindow(chunk.marker.since, chunk.marker.until), bulk=bulk)
    del pages
    return ChunkOutcome(
        part=_write_part(chunk, found),
        days=found.orders["dt"].unique().to_list(),
        received=found.received,
        outside_window=found.outside_window,
        rejected=found.rejected,
        lines_received=found.lines_received,
        lines_accepted=found.items.height,
        lines_rejected=found.lines_rejected,
        texts_cut=found.texts_cut,
    )


def _write_part(chunk: Chunk, found: Validated) -> PartEntry:
    batch = chunk.marker.batch
    folder = chunk.lake.staged / batch

    def write(name: str, data: bytes, rows: int) -> StagedFile:
        written = chunk.lake.disk.publish(folder / name, data, sync=False)
        return StagedFile(name, written.sha256, written.bytes, rows)

    lines = merge_lines(found.orders, found.items).sort("dt", maintain_order=True)
    orders = found.orders.sort("dt", "pos")
    return PartEntry(
        orders=write(f"orders-{chunk.number:05d}.parquet", _parquet(orders), orders.height),
        lines=write(f"lines-{chunk.number:05d}.parquet", _parquet(lines), lines.height),
        rejects=write(
            f"rejects-{chunk.number:05d}.ndjson",
            b"".join(reject.to_json(batch) for reject in found.rejects),
            len(found.rejects),
        ),
    )


def _parquet(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.rechunk().write_parquet(buffer, compression="lz4", statistics=True, row_group_size=_ROW_GROUP)
    return buffer.getvalue()
