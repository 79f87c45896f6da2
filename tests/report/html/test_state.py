"""What the page says of the raw log: windows, gaps, what waits, and that damage does not keep it from being written."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
from lakes import open_job, order, run, write_batch

from ordersetl.lake.journal import keep_journal
from ordersetl.lake.layout import Lake
from ordersetl.lake.raw import read_marker
from ordersetl.report.html.notes import list_notes
from ordersetl.report.html.state import RawState, read_state
from ordersetl.results import CheckMetrics, CheckResult, LayerTotals


def time(day: int) -> datetime:
    return datetime(2025, 8, day, tzinfo=UTC)


def passed() -> CheckResult:
    return CheckResult(
        ok=True,
        scope="all",
        days=(),
        deep=False,
        outcomes=(),
        metrics=CheckMetrics(),
        totals=LayerTotals(),
        open_quarantine=None,
        seconds=0,
    )


def test_of_an_output_without_batches(tmp_path: Path) -> None:
    assert read_state(Lake(tmp_path)) == RawState(0, 0, None, "UTC")


def test_a_batch_waits_until_it_is_loaded(tmp_path: Path) -> None:
    with open_job(tmp_path / "output", timezone="Europe/Berlin") as job:
        write_batch(job, [order()], since=time(1), until=time(5))
        assert (read_state(job.lake).batches, read_state(job.lake).waiting) == (1, 1)
        run(job)
        state = read_state(job.lake)
    assert (state.batches, state.waiting, state.timezone, state.problem) == (1, 0, "Europe/Berlin", "")
    assert state.newest == read_marker(job.lake, state.newest.batch if state.newest else "")
    assert list(state.covered) == [(time(1), time(5))]


def test_gaps_are_between_what_was_fetched(tmp_path: Path) -> None:
    with open_job(tmp_path / "output") as job:
        write_batch(job, [order()])
        newest = read_state(job.lake).newest
    assert newest is not None
    covered = ((None, time(2)), (time(3), time(4)), (time(6), time(7)))
    state = RawState(1, 0, msgspec.structs.replace(newest, covered=covered), "UTC")
    assert state.gaps == [(time(2), time(3)), (time(4), time(6))]
    notes = [note.text for note in list_notes(passed(), state)]
    assert notes[0] == (
        "Never fetched, 2 Aug 2025, 00:00 UTC to 3 Aug 2025, 00:00 UTC: "
        "ordersetl run --since 2025-08-02T00:00:00Z --until 2025-08-03T00:00:00Z"
    )
    assert len(notes) == 2


def test_when_the_source_was_last_asked_is_what_runs_noted(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with keep_journal(lake, "run", lambda: time(3)) as journal:
        journal.begin("extract")
        journal.note_asked(time(3), is_news=False)
    assert read_state(lake).asked == time(3)
    assert read_state(lake, time(3)).asked == time(3)
    assert read_state(lake, time(2)).asked is None


def test_damage_is_told_of(tmp_path: Path) -> None:
    with open_job(tmp_path / "output") as job:
        batch = write_batch(job, [order()])
        run(job)
    (job.lake.folder / "curated/_manifest.json").write_text("{}")
    assert "_manifest.json is damaged" in read_state(job.lake).problem
    (job.lake.folder / "raw" / batch / "batch.json").write_text("{}")
    state = read_state(job.lake)
    assert state.newest is None
    assert "batch.json" in state.problem
    assert list_notes(passed(), state)[0].text == state.problem
