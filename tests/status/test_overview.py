"""How an output is: what was loaded and when, what waits, what was never asked for, what is under way, what failed."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lakes import Clock, item, open_job, order, run, transform, write_batch
from rich.text import Text

from ordersetl import pipeline
from ordersetl.errors import StorageError, TooManyRejectsError
from ordersetl.lake.journal import JOURNAL, keep_journal, read_journal
from ordersetl.lake.layout import LOCK, Lake
from ordersetl.report.status import draw_status
from ordersetl.results import OriginCoverage, StatusResult
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings
from ordersetl.status.overview import read_status
from ordersetl.status.prometheus import format_metrics
from ordersetl.window import Window

NOW = datetime(2025, 9, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def look(root: Path, **options: timedelta) -> StatusResult:
    return read_status(Lake(root), NOW, **options)


def sample(root: Path, now: Callable[[], datetime], window: Window | None = None, **settings: object) -> None:
    given = Settings(source="sample", output=root, workers=1, **settings)
    pipeline.run(given, window or Window(), runtime=Runtime(now=now))


def test_an_output_that_was_loaded(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order("a", items=[item("A"), item("B")]), order("b", 21, currency="USD"), order(amount=-1)])
        run(job)
        waiting = write_batch(job, [order("c")])
    found = look(tmp_path)
    assert (found.orders, found.rows, found.partitions) == (2, 3, 2)
    assert found.revenue == {"EUR": 10, "USD": 10}
    assert found.batches.committed == 2
    assert found.batches.waiting == (waiting,)
    assert (found.quarantine.orders, found.quarantine.by_reason) == (1, {"invalid_amount": 1})
    assert found.sizes["curated"].files == 4 + 1
    assert found.sizes["curated"].bytes == sum(p.stat().st_size for p in tmp_path.glob("curated/**/*") if p.is_file())
    assert found.problems == ()
    assert found.running is None
    assert found.last_failure is None


def test_without_a_journal_the_newest_batch_tells_how_new_the_data_is(tmp_path: Path) -> None:
    with open_job(tmp_path, now=Clock(NOW - 3 * HOUR)) as job:
        write_batch(job, [order()])
        run(job)
        write_batch(job, [order("not loaded")])
    began = NOW - 3 * HOUR + timedelta(seconds=2)  # the first second is the lock's
    assert look(tmp_path).as_of == began
    assert look(tmp_path).succeeded == {}
    (tmp_path / "runs").mkdir()
    (tmp_path / JOURNAL).write_bytes(b"{")
    assert look(tmp_path).as_of == began


def test_a_run_moves_the_age_and_a_backfill_does_not(tmp_path: Path) -> None:
    sample(tmp_path, Clock(NOW - 5 * HOUR))
    assert look(tmp_path).age_s == pytest.approx(5 * 3600, abs=60)
    sample(tmp_path, Clock(NOW - HOUR), Window(datetime(2025, 8, 1, tzinfo=UTC), datetime(2025, 8, 5, tzinfo=UTC)))
    assert look(tmp_path).age_s == pytest.approx(5 * 3600, abs=60)
    sample(tmp_path, Clock(NOW - HOUR))
    found = look(tmp_path)
    assert found.age_s == pytest.approx(3600, abs=60)
    assert found.succeeded.keys() == {"extract", "transform", "load", "check"}
    assert all(timedelta(0) < NOW - at < HOUR + timedelta(minutes=1) for at in found.succeeded.values())
    assert found.coverage is not None
    assert found.coverage.newest == datetime(2025, 9, 1, 13, 51, 34, tzinfo=UTC)


def test_an_empty_window_after_what_is_covered_does_not_move_the_age(tmp_path: Path) -> None:
    sample(tmp_path, Clock(NOW - 5 * HOUR))
    sample(tmp_path, Clock(NOW - HOUR), Window(since=NOW - 2 * HOUR))
    assert look(tmp_path).age_s == pytest.approx(5 * 3600, abs=60)


def test_a_clock_that_was_ahead_once_does_not_hide_that_nothing_runs(tmp_path: Path) -> None:
    sample(tmp_path, Clock(NOW - 5 * HOUR))
    ahead = NOW + 8760 * HOUR
    sample(tmp_path, Clock(ahead))
    found = look(tmp_path, max_age=HOUR)
    assert found.as_of is None or found.as_of <= NOW
    assert found.too_old
    sample(tmp_path, Clock(NOW - 2 * HOUR))
    found = look(tmp_path, max_age=HOUR)
    assert found.age_s == pytest.approx(2 * 3600, abs=60)
    assert found.too_old
    assert read_status(Lake(tmp_path), ahead).age_s == pytest.approx((ahead - NOW + 2 * HOUR).total_seconds(), abs=60)


def test_a_clock_that_is_seconds_ahead_is_no_alarm(tmp_path: Path) -> None:
    sample(tmp_path, Clock(NOW + timedelta(seconds=5)))
    found = look(tmp_path, max_age=HOUR)
    assert (found.as_of, found.too_old) == (NOW, False)


def test_what_was_fetched_is_not_loaded(tmp_path: Path) -> None:
    settings = Settings(source="sample", output=tmp_path, workers=1)
    pipeline.extract(settings, runtime=Runtime(now=Clock(NOW - 2 * HOUR)))
    assert (look(tmp_path).as_of, look(tmp_path).age_s) == (None, None)
    assert look(tmp_path, max_age=HOUR).too_old
    pipeline.load(settings, runtime=Runtime(now=Clock(NOW - HOUR)))
    assert look(tmp_path).age_s == pytest.approx(2 * 3600, abs=60)
    assert not look(tmp_path, max_age=3 * HOUR).too_old
    assert look(tmp_path, max_age=HOUR).too_old


def test_what_was_noted_counts_only_while_curated_holds_it(tmp_path: Path) -> None:
    with open_job(tmp_path, now=Clock(NOW - 48 * HOUR)) as job, keep_journal(job.lake, "run", job.now) as journal:
        write_batch(job, [order()])
        journal.note_asked(job.now(), is_news=True)
        journal.begin("load")
        run(job)
    shutil.copytree(tmp_path / "curated", tmp_path / "backup")
    with open_job(tmp_path, now=Clock(NOW - 2 * HOUR)) as job, keep_journal(job.lake, "run", job.now) as journal:
        write_batch(job, [order("b")])
        journal.note_asked(job.now(), is_news=True)
        journal.begin("load")
        run(job)
    with open_job(tmp_path, now=Clock(NOW - HOUR / 2)) as job, keep_journal(job.lake, "run", job.now) as journal:
        journal.note_asked(job.now(), is_news=False)
        journal.begin("load")
    assert look(tmp_path).age_s == pytest.approx(1800, abs=60)
    with open_job(tmp_path, now=Clock(NOW)) as job:
        late = write_batch(job, [order("c")])
    assert look(tmp_path).age_s == pytest.approx(1800, abs=60)  # curated holds what it held then
    shutil.rmtree(tmp_path / "raw" / late)
    shutil.rmtree(tmp_path / "curated")
    (tmp_path / "backup").rename(tmp_path / "curated")
    found = look(tmp_path, max_age=6 * HOUR)
    assert (found.too_old, len(found.batches.waiting)) == (True, 1)
    assert found.age_s == pytest.approx(48 * 3600, abs=60)
    (tmp_path / "curated/_manifest.json").write_bytes(b"[]")
    assert (look(tmp_path, max_age=HOUR).too_old, look(tmp_path).as_of) == (True, None)
    shutil.rmtree(tmp_path / "curated")
    assert (look(tmp_path, max_age=HOUR).too_old, look(tmp_path).as_of) == (True, None)
    assert "data_timestamp_seconds" not in format_metrics(look(tmp_path)).decode()


def test_gaps_are_named(tmp_path: Path) -> None:
    days = [datetime(2025, 8, day, tzinfo=UTC) for day in (1, 10, 20, 25)]
    sample(tmp_path, Clock(NOW - HOUR), Window(days[0], days[1]))
    sample(tmp_path, Clock(NOW - HOUR / 2), Window(days[2], days[3]))
    coverage = look(tmp_path).coverage
    assert coverage is not None
    assert coverage.intervals == ((days[0], days[1]), (days[2], days[3]))
    assert coverage.gaps == ((days[1], days[2]),)


@pytest.mark.parametrize(
    ("source", "url", "options"),
    [
        ("generic", "https://shop.example/a b", "--api-url 'https://shop.example/a b' "),
        ("sample", "http://sample.invalid", "--source sample "),
        ("mine", "https://shop.example", ""),
    ],
)
def test_the_command_that_fills_a_gap_names_where_orders_come_from(
    tmp_path: Path, source: str, url: str, options: str
) -> None:
    sample(tmp_path, Clock(NOW - HOUR))
    gap = (datetime(2025, 8, 1, tzinfo=UTC), datetime(2025, 8, 2, tzinfo=UTC))
    coverage = OriginCoverage(source, url, (), (gap,), None)
    drawn = draw_status(replace(look(tmp_path), coverage=coverage), lambda text: text)
    shown = "".join(part.plain for part in drawn if isinstance(part, Text))
    assert f"ordersetl run {options}--since 2025-08-01T00:00:00Z --until 2025-08-02T00:00:00Z" in shown


def test_a_failure_is_kept_until_its_command_ends_well(tmp_path: Path) -> None:
    with pytest.raises(TooManyRejectsError):
        sample(tmp_path, Clock(NOW - HOUR), max_reject_ratio=0)
    failed = look(tmp_path).last_failure
    assert failed is not None
    assert (failed.command, failed.stage, failed.code) == ("run", "transform", "rejects")
    assert "were rejected" in failed.message
    settings = Settings(source="sample", output=tmp_path, workers=1)
    pipeline.transform(settings, runtime=Runtime(now=Clock(NOW - HOUR)))
    assert look(tmp_path).last_failure == failed
    sample(tmp_path, Clock(NOW - HOUR))
    assert look(tmp_path).last_failure is None


def test_what_is_under_way_is_told_and_what_died_too(tmp_path: Path) -> None:
    with open_job(tmp_path, now=lambda: NOW - HOUR) as job, keep_journal(job.lake, "run", job.now) as journal:
        assert look(tmp_path).running is not None
        journal.begin("extract")
        journal.begin("transform")
        running = look(tmp_path).running
        assert running is not None
        assert (running.command, running.stage, running.pid) == ("run", "transform", os.getpid())
        assert (running.since, running.stage_since, running.certain) == (NOW - HOUR, NOW - HOUR, True)
        assert look(tmp_path).last_failure is None
        under_way = (tmp_path / JOURNAL).read_bytes()
    assert look(tmp_path).running is None
    (tmp_path / JOURNAL).write_bytes(under_way)
    died = look(tmp_path).last_failure
    assert died is not None
    assert (died.command, died.stage, died.code) == ("run", "transform", "died")
    with open_job(tmp_path) as job, keep_journal(job.lake, "load", job.now) as journal:
        journal.begin("load")
    assert look(tmp_path).last_failure == died
    assert look(tmp_path).succeeded.keys() == {"extract", "load"}


@pytest.mark.parametrize("pid", [0, 2**22 + 1, 2**70])
def test_a_note_of_a_process_that_is_gone_is_no_run(tmp_path: Path, pid: int) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order()])
    note = {"pid": pid, "host": socket.gethostname(), "since": NOW.isoformat(), "nonce": ""}
    (tmp_path / LOCK).write_text(json.dumps(note))
    assert look(tmp_path).running is None


def test_of_another_machine_nobody_knows(tmp_path: Path) -> None:
    with open_job(tmp_path) as job, keep_journal(job.lake, "run", job.now) as journal:
        journal.begin("load")
        under_way = read_journal(job.lake).under_way
        assert under_way is not None
        text = (tmp_path / LOCK).read_text()
        (tmp_path / LOCK).write_text(text.replace(socket.gethostname(), "elsewhere"))
        running = look(tmp_path).running
        (tmp_path / LOCK).write_text(text)
    assert running is not None
    assert (running.host, running.stage, running.certain) == ("elsewhere", "", False)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="lists of locks are Linux's")
def test_a_process_that_took_over_the_number_of_a_dead_one_is_no_run(tmp_path: Path) -> None:
    with open_job(tmp_path / "held"):
        with open_job(tmp_path / "other") as job:
            write_batch(job, [order()])
        assert look(tmp_path / "other").running is None


def test_it_takes_no_lock_and_writes_nothing(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order(amount=-1), order("b")])
        run(job)
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        look(tmp_path)
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_damaged_manifest_and_a_lost_batch_are_problems(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        first = write_batch(job, [order()])
        write_batch(job, [order("b")])
        run(job)
    (tmp_path / "raw" / first).rename(tmp_path / first)
    (problem,) = look(tmp_path).problems
    assert first in problem
    (tmp_path / "curated/_manifest.json").write_bytes(b"{}")
    (problem,) = look(tmp_path).problems
    assert "ordersetl load --rebuild" in problem


def test_waiting_rejects_count_as_open(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order(amount=-1)])
        transform(job)
        assert look(tmp_path).quarantine.orders == 1


def test_a_journal_that_cannot_be_written_fails_the_command(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order()])
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(StorageError):
        pipeline.transform(Settings(source="sample", output=tmp_path, workers=1))


def test_metrics_are_of_the_text_format(tmp_path: Path) -> None:
    root = tmp_path / 'a "shop"'
    with open_job(root) as job:
        write_batch(job, [order(), order("bad", amount=-1)])
        run(job)
    lines = format_metrics(look(root)).decode().splitlines()
    names = [line.split("{")[0] for line in lines if not line.startswith("#")]
    assert {f"# TYPE {name} gauge" for name in names} <= set(lines)
    assert f'ordersetl_open_rejects{{output="{tmp_path.as_posix()}/a \\"shop\\"",reason="invalid_amount"}} 1' in lines
    assert f'ordersetl_orders{{output="{tmp_path.as_posix()}/a \\"shop\\""}} 1' in lines


def test_a_run_of_another_process_is_seen(tmp_path: Path) -> None:
    """The list of locks and the note fit each other for a real process."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom ordersetl.storage.disk import Disk\n"
        "from ordersetl.storage.lock import acquire_lock\n"
        "with acquire_lock(Path(sys.argv[1]), disk=Disk()):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with open_job(tmp_path) as job:
        write_batch(job, [order()])
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / LOCK)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        running = look(tmp_path).running
        process.kill()
    assert running is not None
    assert running.pid == process.pid
    assert look(tmp_path).running is None
