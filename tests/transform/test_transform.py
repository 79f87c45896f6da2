"""The transform stage: what waits is staged once, what is rejected is told, and nothing shows how it was done."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from unittest.mock import PropertyMock, patch

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st
from lakes import Raw, item, open_job, order, run, spoil, transform, write_batch
from polars.testing import assert_frame_equal
from reference_fold import Batch, read_json, validate_batch
from strategies import encode, histories, record_texts, windows

from ordersetl.errors import CorruptedError, InternalError, StorageError
from ordersetl.lake import raw
from ordersetl.lake.counts import BatchCounts
from ordersetl.runtime import RunContext
from ordersetl.source.page import Page
from ordersetl.transform import chunks
from ordersetl.transform.ahead import StagingAhead
from ordersetl.transform.batches import StagedBatches, ensure_stage, stage_batch, transform_batches
from ordersetl.transform.chunks import Chunk, ChunkOutcome, stage_chunk

TRANSFORM = import_module("ordersetl.transform.batches")  # the package's own name of it is the function

FIRST, SECOND = "20250901T000000.000000Z", "20250902T000000.000000Z"


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    with open_job(tmp_path / "output") as opened:
        yield opened


def quarantined(context: RunContext, batch: str) -> list[dict[str, object]]:
    path = context.lake.folder / "quarantine" / f"{batch}.ndjson"
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line] if path.exists() else []


# What is told


def test_counts_what_became_of_orders_and_lines(context: RunContext) -> None:
    write_batch(
        context,
        [
            order("o-1", items=[item("A"), item("A"), item("B", -1), item("C", 0)]),
            order("o-2", amount=-1),
            order("o-3", updated_at="2025-08-19T23:59:59Z"),
            "no order",
        ],
        since=datetime(2025, 8, 20, tzinfo=UTC),
        batch_id=FIRST,
    )
    result = transform(context)
    assert (result.received, result.accepted, result.rejected, result.outside_window) == (4, 1, 2, 1)
    assert result.rejected_by_reason == {"invalid_amount": 1, "not_an_object": 1}
    assert (result.lines_received, result.lines_accepted, result.lines_rejected, result.rows) == (4, 2, 1, 1)
    assert result.lines_skipped == 1
    assert result.lines_rejected_by_reason == {"invalid_qty": 1}
    assert [(r["page"], r["index"], r["line"], r["scope"], r["reason"]) for r in quarantined(context, FIRST)] == [
        (1, 0, 2, "line", "invalid_qty"),
        (1, 1, None, "order", "invalid_amount"),
        (2, 1, None, "order", "not_an_object"),
    ]


def test_versions_with_which_orders_leave_are_accepted_rows_without_a_day(context: RunContext) -> None:
    write_batch(
        context,
        [
            order("o-1"),
            order("o-1", deleted=True, amount="x", items=[5], updated_at="2025-08-21T10:00:00Z"),
            order("o-2", amount=0, items=[item(qty=0), item(qty="0.0")]),
            {"order_id": 3.0, "deleted": True, "updated_at": "2062-01-01"},
            order("o-4", amount=0, items=[item(qty=0), item(qty=-1)]),
        ],
        batch_id=FIRST,
    )
    result = transform(context)
    assert (result.received, result.accepted, result.rejected) == (5, 4, 1)
    assert (result.deleted, result.emptied, result.future_updated_at) == (2, 1, 1)
    assert (result.lines_received, result.lines_accepted, result.lines_skipped, result.rows) == (3, 1, 2, 1)
    assert result.rejected_by_reason == {"no_valid_items": 1}
    (part,) = ensure_stage(context, FIRST).parts
    assert (part.orders.rows, part.gone, part.days) == (4, 3, {date(2025, 8, 20): 1})
    staged = pl.read_parquet(context.lake.folder / "staged" / FIRST / part.orders.name)
    gone = staged.head(3)
    assert gone["order_id"].to_list() == ["o-1", "o-2", "3"]
    assert gone["updated_at_order"].dt.to_string("%F").to_list() == ["2025-08-21", "2025-08-20", "2025-09-01"]
    others = gone.drop("pos", "order_id", "updated_at_order")
    assert others.null_count().sum_horizontal().item() == 3 * others.width


def test_a_time_of_the_future_counts_as_the_moment_of_the_extraction(context: RunContext) -> None:
    batch = write_batch(context, [order(updated_at="2062-01-01"), order(amount=-1, updated_at="2062-01-01")])
    began = raw.read_marker(context.lake, batch).request.began_at
    assert transform(context).future_updated_at == 1
    assert pl.read_parquet(context.lake.folder / "staged" / batch / "orders-00001.parquet")[
        "updated_at_order"
    ].item() == began.replace(tzinfo=None)
    assert quarantined(context, batch)[0]["time"] == began.isoformat().replace("+00:00", "Z")


def test_a_quarantine_line_tells_the_time_of_its_version(context: RunContext) -> None:
    records = [
        order(updated_at="2025-08-21T10:00:00.5+02:00", items=[item(), item(qty=-1)]),
        order(amount=-1, created_at="2025-08-20"),
        order(created_at="soon", updated_at="2025-08-21"),
        order(created_at="soon"),
        "no order",
    ]
    batch = write_batch(context, records)
    transform(context)
    assert [line["time"] for line in quarantined(context, batch)] == [
        "2025-08-21T08:00:00.500000Z",
        "2025-08-20T00:00:00Z",
        "2025-08-21T00:00:00Z",
        None,
        None,
    ]


def test_a_window_that_the_tool_chose_drops_nothing(context: RunContext) -> None:
    since = datetime(2025, 8, 25, tzinfo=UTC)
    write_batch(context, [order()], since=since, continues=True, batch_id=FIRST)
    write_batch(context, [order()], since=since, batch_id=SECOND)
    result = transform(context)
    assert (result.accepted, result.outside_window) == (1, 1)


def test_a_batch_without_rejects_has_no_quarantine_file(context: RunContext) -> None:
    write_batch(context, [order()], batch_id=FIRST)
    transform(context)
    assert not (context.lake.folder / "quarantine" / f"{FIRST}.ndjson").exists()


def test_an_empty_batch_is_staged(context: RunContext) -> None:
    write_batch(context, [])
    result = transform(context)
    assert (result.received, result.accepted, len(result.batches)) == (0, 0, 1)


# What is done again


def test_a_whole_stage_is_left_alone(context: RunContext) -> None:
    write_batch(context, [order(), order(amount=-1)], batch_id=FIRST)
    assert transform(context).staged_anew == (FIRST,)
    before = {path: path.stat().st_mtime_ns for path in context.lake.folder.rglob("*") if path.is_file()}
    assert transform(context).staged_anew == ()
    assert {path: path.stat().st_mtime_ns for path in context.lake.folder.rglob("*") if path.is_file()} == before


def test_only_what_waits_is_staged(context: RunContext) -> None:
    write_batch(context, [order()], batch_id=FIRST)
    run(context)
    shutil.rmtree(context.lake.folder / "staged")
    write_batch(context, [order("o-2")], batch_id=SECOND)
    result = transform(context)
    assert (result.batches, result.staged_anew, result.received) == ((SECOND,), (SECOND,), 1)


def test_a_damaged_stage_is_made_anew(context: RunContext) -> None:
    write_batch(context, [order()], batch_id=FIRST)
    transform(context)
    spoil(context.lake.folder / "staged" / FIRST / "orders-00001.parquet")
    assert transform(context).staged_anew == (FIRST,)
    assert transform(context).staged_anew == ()


def test_a_stage_of_another_batch_of_the_same_name_is_made_anew(context: RunContext) -> None:
    write_batch(context, [order()], batch_id=FIRST)
    transform(context)
    shutil.rmtree(context.lake.folder / "raw" / FIRST)
    write_batch(context, [order(status="other")], batch_id=FIRST)
    assert transform(context).staged_anew == (FIRST,)


def test_lost_quarantine_of_a_batch_that_waits_again_is_written_once(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_batch(context, [order(), order(amount=-1)], batch_id=FIRST)
    run(context)
    (context.lake.folder / "quarantine" / f"{FIRST}.ndjson").unlink()
    monkeypatch.setattr(TRANSFORM, "RULES", TRANSFORM.RULES + 1)
    assert transform(context).staged_anew == (FIRST,)


def test_rejects_that_are_no_more_leave_no_quarantine_behind(context: RunContext) -> None:
    (context.lake.folder / "quarantine").mkdir(parents=True)
    (context.lake.folder / "quarantine" / f"{FIRST}.ndjson").write_text("{}\n")
    write_batch(context, [order()], batch_id=FIRST)
    stage_batch(context, FIRST)
    assert not (context.lake.folder / "quarantine" / f"{FIRST}.ndjson").exists()


def test_quarantine_comes_back_without_the_pages(context: RunContext) -> None:
    write_batch(context, [order(), order(amount=-1)], batch_id=FIRST)
    transform(context)
    before = (context.lake.folder / "quarantine" / f"{FIRST}.ndjson").read_bytes()
    (context.lake.folder / "quarantine" / f"{FIRST}.ndjson").unlink()
    shutil.rmtree(context.lake.folder / "raw" / FIRST)
    ensure_stage(context, FIRST)
    assert (context.lake.folder / "quarantine" / f"{FIRST}.ndjson").read_bytes() == before


def test_a_command_verifies_each_staged_batch_once(context: RunContext) -> None:
    write_batch(context, [order()], batch_id=FIRST)
    stages = StagedBatches(context)
    transform_batches(context, stages)
    marker = ensure_stage(context, FIRST)
    shutil.rmtree(context.lake.folder / "staged")
    assert stages.ensure(FIRST) == marker
    assert not (context.lake.folder / "staged").exists()
    assert StagedBatches(context).ensure(FIRST) == marker
    assert (context.lake.folder / "staged").exists()


# What stops it


def test_a_damaged_page_is_named_and_batches_before_it_are_staged(context: RunContext) -> None:
    write_batch(context, [order()], batch_id=FIRST)
    write_batch(context, [order()], batch_id=SECOND)
    spoil(context.lake.folder / "raw" / SECOND / "page-00001.json")
    with pytest.raises(CorruptedError, match=rf"{SECOND}.page-00001\.json") as caught:
        transform(context)
    assert "--full" in caught.value.hint
    assert (context.lake.folder / "staged" / FIRST / "stage.json").exists()
    assert not (context.lake.folder / "staged" / SECOND / "stage.json").exists()


def test_a_marker_that_counts_other_records_stops_the_work(context: RunContext) -> None:
    write_batch(context, [order()], batch_id=FIRST)
    marker = raw.read_marker(context.lake, FIRST)
    page = msgspec.structs.replace(marker.pages[0], records=2)
    raw.write_marker(context.lake, msgspec.structs.replace(marker, pages=(page,)))
    with pytest.raises(CorruptedError, match="2 records, and its pages hold 1"):
        transform(context)


def test_row_counts_that_do_not_reconcile_stop_the_work(context: RunContext) -> None:
    write_batch(context, [order()], batch_id=FIRST)
    lost = patch.object(BatchCounts, "reconciles", new_callable=PropertyMock, return_value=False)
    with lost, pytest.raises(InternalError, match="do not reconcile"):
        transform(context)


# How it is done


def test_pages_are_cut_into_chunks_of_a_size(context: RunContext) -> None:
    write_batch(context, [order(str(number)) for number in range(5)], pages_of=1, batch_id=FIRST)
    size = raw.read_marker(context.lake, FIRST).pages[0].bytes
    cut = _cut(context, 2 * size)
    assert [(chunk.number, chunk.first_page, len(chunk.pages)) for chunk in cut] == [(1, 1, 2), (2, 3, 2), (3, 5, 1)]
    assert [len(chunk.pages) for chunk in _cut(context, 1)] == [1] * 5


def test_a_chunk_is_bounded_by_records_too(context: RunContext) -> None:
    write_batch(context, [0] * 7, pages_of=3, batch_id=FIRST)
    with patch.object(chunks, "_MAX_RECORDS", 4):
        assert [len(chunk.pages) for chunk in _cut(context, 1 << 20)] == [1, 2]
    with patch.object(chunks, "_MAX_RECORDS", 1):
        assert [len(chunk.pages) for chunk in _cut(context, 1 << 20)] == [1, 1, 1]
    assert len(quarantined(context, FIRST)) == 7


def _cut(context: RunContext, size: int) -> list[Chunk]:
    """The chunks of the first batch, each of so many bytes at most."""
    cut: list[Chunk] = []

    def stage(chunk: Chunk) -> ChunkOutcome:
        cut.append(chunk)
        return stage_chunk(chunk)

    with patch.object(chunks, "_MIB", size / context.settings.chunk_mb), patch.object(chunks, "stage_chunk", stage):
        stage_batch(context, FIRST)
    return cut


# Ahead of the commit


def test_what_is_staged_ahead_is_what_is_staged_afterwards(context: RunContext) -> None:
    write_batch(context, [order(str(number)) for number in range(7)], pages_of=1, batch_id=FIRST)
    source = raw.read_marker(context.lake, FIRST)
    begun: list[int] = []

    def stage(chunk: Chunk) -> ChunkOutcome:
        begun.append(chunk.number)
        return stage_chunk(chunk)

    with (
        patch.object(chunks, "_MIB", 2 * source.pages[0].bytes / context.settings.chunk_mb),
        patch.object(chunks, "stage_chunk", stage),
    ):
        with StagingAhead(context) as ahead:
            for page in source.pages:
                ahead.add(FIRST, source.request, page)
            assert begun == [1, 2, 3]
            marker = stage_batch(context, FIRST, ahead)
            assert begun == [1, 2, 3, 4]
        files = _files(context.lake.folder / "staged" / FIRST)
        assert stage_batch(context, FIRST) == marker
    assert _files(context.lake.folder / "staged" / FIRST) == files


def test_pages_at_hand_are_not_read_from_disk(context: RunContext) -> None:
    write_batch(context, [order(str(number)) for number in range(7)], pages_of=2, batch_id=FIRST)
    source = raw.read_marker(context.lake, FIRST)
    bodies = [(context.lake.folder / "raw" / FIRST / entry.name).read_bytes() for entry in source.pages]
    with StagingAhead(context) as ahead:
        for number, (entry, body) in enumerate(zip(source.pages, bodies, strict=True), 1):
            ahead.add(FIRST, source.request, entry, Page(number, body))
        with patch.object(raw, "read_page_body", side_effect=AssertionError):
            marker = stage_batch(context, FIRST, ahead)
    files = _files(context.lake.folder / "staged" / FIRST)
    assert stage_batch(context, FIRST) == marker
    assert _files(context.lake.folder / "staged" / FIRST) == files


def test_what_is_staged_ahead_of_another_batch_is_dropped(context: RunContext) -> None:
    for batch in (FIRST, SECOND):
        write_batch(context, [order(batch)], batch_id=batch)
    first, second = (raw.read_marker(context.lake, batch) for batch in (FIRST, SECOND))
    with StagingAhead(context) as ahead:
        ahead.add(FIRST, first.request, first.pages[0])
        (context.lake.folder / "staged" / FIRST).mkdir(parents=True)  # as a chunk would, once it is complete
        ahead.add(SECOND, second.request, second.pages[0])
        assert not (context.lake.folder / "staged" / FIRST).exists()
        assert ahead.take(first, context.in_force) is None
        assert transform_batches(context, ahead=ahead).staged_anew == (FIRST, SECOND)


def test_a_batch_that_is_fetched_from_its_first_page_again_is_staged_once(context: RunContext) -> None:
    write_batch(context, [order(str(number)) for number in range(3)], pages_of=1, batch_id=FIRST)
    source = raw.read_marker(context.lake, FIRST)
    with StagingAhead(context) as ahead:
        for page in (source.pages[0], source.pages[1], *source.pages):
            ahead.add(FIRST, source.request, page)
        staging = ahead.take(source, context.in_force)
        assert staging is not None
        assert sum(outcome.counts.accepted for outcome in staging.finish()) == 3


def test_pages_that_are_not_those_of_the_batch_are_staged_anew(context: RunContext) -> None:
    write_batch(context, [order(str(number)) for number in range(3)], pages_of=1, batch_id=FIRST)
    source = raw.read_marker(context.lake, FIRST)
    with StagingAhead(context) as ahead:
        ahead.add(FIRST, source.request, source.pages[0])
        assert stage_batch(context, FIRST, ahead).counts.accepted == 3


def test_nothing_that_was_staged_ahead_stays_after_an_error(context: RunContext) -> None:
    write_batch(context, [order()], batch_id=FIRST)
    source = raw.read_marker(context.lake, FIRST)
    with pytest.raises(StorageError), StagingAhead(context) as ahead:
        _add_and_fail(ahead, source)
    assert not (context.lake.folder / "staged" / FIRST).exists()


def _add_and_fail(ahead: StagingAhead, source: raw.BatchMarker) -> None:
    ahead.add(FIRST, source.request, source.pages[0])
    raise StorageError("the disk is full")


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _staged(
    texts: Sequence[str],
    window: tuple[datetime | None, datetime | None],
    *,
    pages_of: int,
    workers: int = 1,
    bulk: bool = True,
) -> tuple[list[pl.DataFrame], list[dict[str, object]]]:
    """Staged orders and lines of one batch, and its quarantine."""
    with (
        tempfile.TemporaryDirectory() as root,
        ThreadPoolExecutor(workers) as threads,
        open_job(Path(root), executor=threads, workers=workers, bulk=bulk, chunk_mb=1) as context,
    ):
        since, until = window
        write_batch(context, [Raw(text) for text in texts], pages_of=pages_of, since=since, until=until, batch_id=FIRST)
        marker = stage_batch(context, FIRST)
        files = ([part.orders for part in marker.parts], [part.lines for part in marker.parts])
        tables = [
            pl.concat([marker.columns(context.lake, file).scan().collect() for file in each]).sort(pl.all())
            for each in files
        ]
        return tables, quarantined(context, FIRST)


@settings(max_examples=20, derandomize=True, deadline=None)
@given(st.lists(record_texts(), max_size=8), windows(), st.sampled_from((1, 500)), st.integers(1, 3), st.integers(1, 3))
def test_nothing_shows_how_it_was_done(
    texts: list[str], window: tuple[datetime | None, datetime | None], chunk_bytes: int, pages_of: int, workers: int
) -> None:
    usual, usual_quarantine = _staged(texts, window, pages_of=pages_of)
    with patch.object(chunks, "_MIB", chunk_bytes):
        other, other_quarantine = _staged(texts, window, pages_of=pages_of, workers=workers, bulk=False)
    assert usual_quarantine == other_quarantine
    for one, two in zip(usual, other, strict=True):
        assert_frame_equal(one, two)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(histories(), windows())
def test_rejects_are_those_of_the_reference(
    records: list[object], window: tuple[datetime | None, datetime | None]
) -> None:
    texts = [Raw(encode(record)) for record in records]
    given_records = [read_json(text) for text in texts]
    with tempfile.TemporaryDirectory() as root, open_job(Path(root)) as context:
        batch = write_batch(context, texts, since=window[0], until=window[1], pages_of=100)
        expected = validate_batch(
            Batch(given_records, None, None, *window, raw.read_marker(context.lake, batch).request.began_at)
        )
        result = transform(context)
        found = [(r["scope"], r["reason"], r["index"], r["line"]) for r in quarantined(context, batch)]
    assert found == [(r.scope, r.reason, r.index, r.line) for r in expected.rejects]
    assert (result.received, result.outside_window) == (len(texts), expected.outside_window)
    assert result.accepted == len(expected.orders) + len(expected.gone)
    assert (result.deleted, result.emptied) == tuple(
        sum(o.deleted is d for o in expected.gone.values()) for d in (True, False)
    )
    assert result.lines_skipped == sum(o.skipped for o in expected.accepted.values())
    assert result.future_updated_at == expected.future
    assert result.rejected == sum(r.scope == "order" for r in expected.rejects)
