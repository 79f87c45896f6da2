"""Extract: which window is asked for, what is kept, and how an interrupted extraction goes on."""

import json
import logging
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from lakes import SerialExecutor, read_pages

from ordersetl import pipeline
from ordersetl.errors import (
    ConfigError,
    CorruptedError,
    InterruptedRunError,
    InvalidResponseError,
    LockedError,
    SourceError,
    StorageError,
)
from ordersetl.extract import batch as under_way
from ordersetl.extract.batches import PageWatcher, extract_orders
from ordersetl.extract.origin import Origin, ReferenceFile
from ordersetl.lake import kept_files, raw
from ordersetl.lake.layout import MANIFEST, Lake
from ordersetl.lake.listing import MARKER, list_batches, list_unfinished
from ordersetl.lake.manifest import Manifest, encode_manifest
from ordersetl.results import ExtractResult
from ordersetl.runtime import RunContext, Runtime
from ordersetl.settings import Settings
from ordersetl.source.client import OrdersClient, open_http
from ordersetl.source.description.loading import load_builtin
from ordersetl.storage.disk import Disk, Step
from ordersetl.storage.lock import acquire_lock
from ordersetl.window import Window

GENERIC = load_builtin("generic")
ORIGIN = Origin("generic", "http://shop.test", GENERIC)
BEGAN = datetime(2025, 9, 1, 12, tzinfo=UTC)
USERS = ReferenceFile("users", "users.csv", b"user_id,email,country,created_at\nu-1,a@b.c,DE,2025-01-01\n")


@dataclass
class Api:
    """Answers page after page of one order each; a cursor is ``c`` and the page's number."""

    pages: int = 3
    shows: str = "2025-09-01T12:00:00Z"
    """When its orders were created: by default when the first extraction begins."""
    answers: dict[int, httpx.Response | Exception] = field(default_factory=dict)
    """What the n-th request gets instead, from 1."""
    asked: list[dict[str, str]] = field(default_factory=list)
    on_request: Callable[[int], None] = lambda _: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(dict(request.url.params))
        self.on_request(len(self.asked))
        answer = self.answers.get(len(self.asked))
        if isinstance(answer, Exception):
            raise answer
        return answer or httpx.Response(200, content=self.body(int(request.url.params.get("cursor", "c1")[1:])))

    def body(self, number: int) -> bytes:
        cursor = f"c{number + 1}" if number < self.pages else None
        return json.dumps(
            {"orders": [{"order_id": f"o-{number}", "created_at": self.shows}], "next_cursor": cursor}
        ).encode()

    @property
    def cursors(self) -> list[str | None]:
        return [query.get("cursor") for query in self.asked]


@dataclass
class WatchedDisk(Disk):
    """Notes each step, and refuses those that ``refuse`` picks."""

    refuse: Callable[[Step], bool] = lambda _: False
    steps: list[Step] = field(default_factory=list)

    def perform(self, step: Step, action: Callable[[], None]) -> None:
        self.steps.append(step)
        if self.refuse(step):
            raise StorageError(f"cannot {step.operation} {step.path}")
        if not step.operation.startswith("sync"):
            super().perform(step, action)


def extract(
    root: Path,
    api: Api,
    window: Window = Window(),  # noqa: B008 - frozen
    *,
    at: datetime = BEGAN,
    origin: Origin = ORIGIN,
    references: Sequence[ReferenceFile] = (),
    runtime: Runtime | None = None,
    threads: Executor | None = None,
    disk: Disk | None = None,
    on_page: PageWatcher | None = None,
    **settings: Any,
) -> ExtractResult:
    lake = Lake(root, disk or WatchedDisk())
    root.mkdir(parents=True, exist_ok=True)
    known = Settings(output=root, **{"max_retries": 0, **settings})
    runtime = runtime or Runtime(now=lambda: at)
    with (
        acquire_lock(lake.folder / ".lock", disk=lake.disk) as lock,
        open_http(known, httpx.MockTransport(api)) as http,
    ):
        client = OrdersClient(http, known, sleep=lambda _: None, now=runtime.now)
        context = RunContext(lake, known, lock, SerialExecutor(), runtime, threads or SerialExecutor())
        return extract_orders(context, client, origin, window, references, on_page=on_page)


def interrupt(root: Path, *, kept: int, pages: int = 3, **options: Any) -> str:
    """Leave an unfinished batch with the first ``kept`` pages, and give its id."""
    broken = Api(pages, answers={kept + 1: httpx.Response(503)})
    with pytest.raises(SourceError):
        extract(root, broken, **options)
    (batch,) = list_unfinished(Lake(root))
    return batch


def leave_unmarked(root: Path, **options: Any) -> str:
    """Leave a batch with all its pages but no marker, and give its id."""
    disk = WatchedDisk(refuse=lambda step: step.path.name == MARKER)
    with pytest.raises(StorageError):
        extract(root, Api(), disk=disk, **options)
    (batch,) = list_unfinished(Lake(root))
    return batch


def files(root: Path, batch: str) -> set[str]:
    return {path.name for path in (root / "raw" / batch).iterdir()}


# What is kept


def test_pages_are_kept_as_received_and_counted_in_the_marker(tmp_path: Path) -> None:
    api = Api(pages=3)
    result = extract(tmp_path, api)
    lake = Lake(tmp_path)
    marker = raw.read_marker(lake, result.batches[0])
    assert read_pages(lake, marker) == [api.body(n) for n in (1, 2, 3)]
    assert (result.pages, result.records, result.bytes) == (3, 3, sum(len(api.body(n)) for n in (1, 2, 3)))
    assert [page.records for page in marker.pages] == [1, 1, 1]
    assert (marker.since, marker.until, marker.window_end) == (None, None, BEGAN)
    assert files(tmp_path, result.batches[0]) == {
        "_request.json",
        "batch.json",
        *(f"page-0000{number}.json" for number in (1, 2, 3)),
    }


def test_a_bare_list_is_the_only_page(tmp_path: Path) -> None:
    api = Api(answers={1: httpx.Response(200, content=b'[{"order_id": "o-1"}, 5]')})
    result = extract(tmp_path, api)
    assert (result.pages, result.records, len(api.asked)) == (1, 2, 1)


def test_no_orders_are_a_batch_too(tmp_path: Path) -> None:
    api = Api(answers={1: httpx.Response(200, content=b"[]")})
    result = extract(tmp_path, api)
    assert (result.pages, result.records) == (1, 0)
    assert list_batches(Lake(tmp_path)) == [result.batch]


@pytest.mark.parametrize("executor", [SerialExecutor, lambda: ThreadPoolExecutor(2)])
def test_the_marker_comes_after_every_page_is_synced(tmp_path: Path, executor: Callable[[], Executor]) -> None:
    """Pages are written beside one another: their steps may mix, the steps of each keep their order."""
    disk = WatchedDisk()
    with executor() as workers:
        batch = extract(tmp_path, Api(pages=2), disk=disk, threads=workers, references=[USERS]).batches[0]
    folder = tmp_path / "raw" / batch
    steps = [
        (step.operation, re.sub(r"\.[0-9a-f]{24}\.tmp$", ".tmp", Path(str(step.path)).relative_to(folder).as_posix()))
        for step in disk.steps
        if Path(str(step.path)).is_relative_to(folder)
    ]
    first, last = 5, 5 + 2 * 3
    assert steps[:first] == [
        ("make_folder", "."),
        *[("write", "._request.json.tmp"), ("sync_file", "._request.json.tmp"), ("rename", "_request.json")],
        ("sync_folder", "."),
    ]
    pages = steps[first:last]
    for page in ("page-00001.json", "page-00002.json"):
        assert [step for step in pages if page in step[1]] == [
            *[("write", f".{page}.tmp"), ("sync_file", f".{page}.tmp"), ("rename", page)]
        ]
    assert steps[last:] == [
        ("sync_folder", "."),
        *[("write", ".batch.json.tmp"), ("sync_file", ".batch.json.tmp"), ("rename", "batch.json")],
        ("sync_folder", "."),
    ]
    reference = next(
        n for n, step in enumerate(disk.steps) if step.path.name.endswith(".csv") and step.operation == "rename"
    )
    request = next(n for n, step in enumerate(disk.steps) if step.path.name == "_request.json")
    assert reference < request


def test_pages_are_written_while_the_next_ones_are_awaited(tmp_path: Path) -> None:
    asked_third = threading.Event()

    class SlowDisk(WatchedDisk):
        def perform(self, step: Step, action: Callable[[], None]) -> None:
            if step.operation == "write" and step.path.name.startswith((".page-00001.json.", ".page-00002.json.")):
                assert asked_third.wait(10), "the next pages were not asked for while these were written"
            super().perform(step, action)

    api = Api(on_request=lambda number: asked_third.set() if number == 3 else None)
    with ThreadPoolExecutor(4) as workers:
        result = extract(tmp_path, api, disk=SlowDisk(), threads=workers)
    names = [entry.name for entry in raw.read_marker(Lake(tmp_path), result.batches[0]).pages]
    assert names == ["page-00001.json", "page-00002.json", "page-00003.json"]


@pytest.mark.parametrize("most_bytes", [1 << 26, 1])
def test_few_pages_are_under_way_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    """So memory does not grow with their number: while enough of them wait for the disk, no other is asked for."""
    monkeypatch.setattr(under_way, "_BYTES_UNDER_WAY", most_bytes)
    may_write, asked, held = [threading.Event() for _ in range(30)], threading.Semaphore(0), []
    most = 1 if most_bytes == 1 else 8

    class HeldDisk(WatchedDisk):
        def perform(self, step: Step, action: Callable[[], None]) -> None:
            if step.operation == "write" and (page := re.match(r"\.page-(\d+)", step.path.name)):
                assert may_write[int(page[1]) - 1].wait(10)
            super().perform(step, action)

    def let_go() -> None:
        for _ in range(most + 1):  # as many as wait for the disk, and the one that there is no room for
            assert asked.acquire(timeout=10)
        for oldest in may_write[: 30 - most - 1]:
            held.append(not asked.acquire(timeout=0.01))
            oldest.set()
            assert asked.acquire(timeout=10)
        for rest in may_write:
            rest.set()

    api = Api(pages=30, on_request=lambda _: asked.release())
    with ThreadPoolExecutor(5) as workers:
        releasing = workers.submit(let_go)
        extract(tmp_path, api, disk=HeldDisk(), threads=workers)
        releasing.result()
    assert all(held)
    assert len(api.asked) == 30


@pytest.mark.parametrize("executor", [SerialExecutor, lambda: ThreadPoolExecutor(2)])
@pytest.mark.parametrize("page", [1, 2, 3])
def test_an_error_in_writing_ends_the_extraction(tmp_path: Path, page: int, executor: Callable[[], Executor]) -> None:
    disk = WatchedDisk(refuse=lambda step: step.operation == "sync_file" and f"page-0000{page}" in step.path.name)
    with executor() as workers, pytest.raises(StorageError, match=f"page-0000{page}"):
        extract(tmp_path, Api(), disk=disk, threads=workers)
    assert list_batches(Lake(tmp_path)) == []
    api = Api()
    assert extract(tmp_path, api).resumed_pages == page - 1
    assert len(api.asked) == 4 - page


def test_a_stolen_lock_keeps_the_batch_from_being_committed(tmp_path: Path) -> None:
    api = Api(on_request=lambda _: (tmp_path / ".lock").write_text("another"))  # type: ignore[arg-type]
    with pytest.raises(LockedError):
        extract(tmp_path, api)
    assert list_batches(Lake(tmp_path)) == []


def test_reference_files_are_kept_once_by_content(tmp_path: Path) -> None:
    first = extract(tmp_path, Api(), references=[USERS])
    renamed = ReferenceFile("users", "other-name.csv", USERS.body)
    second = extract(tmp_path, Api(), references=[renamed], at=BEGAN + timedelta(hours=1))
    lake = Lake(tmp_path)
    entries = [raw.read_marker(lake, batch).references["users"] for batch in (first.batches[0], second.batches[0])]
    assert [entry.name for entry in entries] == ["users.csv", "other-name.csv"]
    assert {kept_files.read_reference(lake, entry) for entry in entries} == {USERS.body}
    assert [path.name for path in (lake.folder / "raw/reference").iterdir()] == [f"{entries[0].sha256}.csv"]


def test_progress_knows_the_total_at_the_last_page(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None, int | None]] = []
    runtime = Runtime(now=lambda: BEGAN, progress=lambda *output: seen.append(output))
    extract(tmp_path, Api(), runtime=runtime)
    assert seen == [("extract", 1, None, 1), ("extract", 2, None, 2), ("extract", 3, 3, 3)]


# Which window


def test_the_first_run_asks_for_everything_and_the_next_continues(tmp_path: Path) -> None:
    first, second = Api(), Api(shows="2025-09-02T09:00:00Z")
    extract(tmp_path, first)
    result = extract(tmp_path, second, at=BEGAN + timedelta(days=1), lookback="2h")
    assert first.asked[0] == {"limit": "1000"}
    assert second.asked[0] == {"limit": "1000", "updated_since": "2025-09-01T10:00:00Z"}
    assert (result.since, result.until, result.window_end) == (
        BEGAN - timedelta(hours=2),
        None,
        BEGAN + timedelta(hours=21),
    )


def test_another_origin_begins_on_its_own(tmp_path: Path) -> None:
    extract(tmp_path, Api())
    api = Api()
    extract(tmp_path, api, at=BEGAN + timedelta(days=1), origin=Origin("generic", "http://other.test", GENERIC))
    assert "updated_since" not in api.asked[0]
    api = Api()
    extract(tmp_path, api, at=BEGAN + timedelta(days=2))
    assert api.asked[0]["updated_since"] == "2025-09-01T11:50:00Z"


def test_given_times_are_asked_for_in_utc(tmp_path: Path) -> None:
    api = Api()
    since = datetime.fromisoformat("2025-08-01T01:30:00.25+02:00")
    extract(tmp_path, api, Window(since, datetime(2025, 8, 2, tzinfo=UTC)), page_size=7)
    assert api.asked[0] == {
        "limit": "7",
        "updated_since": "2025-07-31T23:30:00.250000Z",
        "updated_until": "2025-08-02T00:00:00Z",
    }
    assert [query.get("cursor") for query in api.asked] == [None, "c2", "c3"]
    assert {query["updated_until"] for query in api.asked} == {"2025-08-02T00:00:00Z"}


def test_the_next_window_begins_where_until_ended(tmp_path: Path) -> None:
    extract(tmp_path, Api(), Window(until=datetime(2025, 8, 2, tzinfo=UTC)))
    api = Api()
    extract(tmp_path, api, at=BEGAN + timedelta(days=1))
    assert api.asked[0] == {"limit": "1000", "updated_since": "2025-08-01T23:50:00Z"}


def test_a_window_that_reaches_into_the_future_ends_when_the_extraction_began(tmp_path: Path) -> None:
    result = extract(tmp_path, Api(shows="2025-09-02T11:00:00Z"), Window(until=BEGAN + timedelta(days=30)))
    assert result.window_end == BEGAN
    assert result.until == BEGAN + timedelta(days=30)


def test_full_and_since_go_before_the_newest_batch(tmp_path: Path) -> None:
    extract(tmp_path, Api())
    full, since = Api(), Api()
    extract(tmp_path, full, Window(full=True), at=BEGAN + timedelta(days=1))
    extract(tmp_path, since, Window(since=datetime(2025, 1, 1, tzinfo=UTC)), at=BEGAN + timedelta(days=2))
    assert "updated_since" not in full.asked[0]
    assert since.asked[0]["updated_since"] == "2025-01-01T00:00:00Z"


def test_ids_go_on_rising_when_the_clock_goes_back(tmp_path: Path) -> None:
    times = (BEGAN, BEGAN - timedelta(days=1), BEGAN - timedelta(days=1))
    ids = [extract(tmp_path, Api(), at=time).batches[0] for time in times]
    assert ids == sorted(set(ids))
    assert ids[0] == "20250901T120000.000000Z"
    assert ids[1] == "20250901T120000.000001Z"


def test_a_batch_of_a_clock_that_was_ahead_does_not_hide_what_came_since(tmp_path: Path) -> None:
    extract(tmp_path, Api(), at=BEGAN)
    extract(tmp_path, Api(), at=BEGAN + timedelta(days=3650))
    api = Api()
    extract(tmp_path, api, at=BEGAN + timedelta(days=1))
    assert api.asked[0]["updated_since"] == "2025-09-01T11:50:00Z"


def test_a_damaged_marker_is_named_where_it_is_needed(tmp_path: Path) -> None:
    batch = extract(tmp_path, Api()).batches[0]
    path = tmp_path / "raw" / batch / "batch.json"
    path.write_bytes(path.read_bytes().replace(b"shop.test", b"shop.best"))
    api = Api()
    with pytest.raises(CorruptedError, match=batch) as caught:
        extract(tmp_path, api, at=BEGAN + timedelta(days=1))
    assert f"remove {path} alone" in caught.value.hint
    assert api.asked == []
    assert extract(tmp_path, api, Window(full=True), at=BEGAN + timedelta(days=1)).pages == 3


# How it goes on


@pytest.mark.parametrize("kept", [1, 2])
def test_an_interrupted_extraction_goes_on_at_the_page_where_it_stopped(tmp_path: Path, kept: int) -> None:
    batch = interrupt(tmp_path, kept=kept)
    api = Api()
    result = extract(tmp_path, api, at=BEGAN + timedelta(hours=1))
    assert (result.batch, result.pages, result.resumed_pages) == (batch, 3, kept)
    assert result.window_end == BEGAN, "what was updated since the first pages came is for the next run"
    assert api.cursors == [f"c{number}" for number in range(kept + 1, 4)]
    lake = Lake(tmp_path)
    marker = raw.read_marker(lake, batch)
    assert read_pages(lake, marker) == [api.body(n) for n in (1, 2, 3)]


def test_pages_are_shown_with_what_their_own_batch_asked_for(tmp_path: Path) -> None:
    interrupt(tmp_path, kept=2)
    began: list[datetime] = []
    extract(tmp_path, Api(), at=BEGAN + timedelta(hours=1), on_page=lambda *page: began.append(page[1].began_at))
    (batch,) = list_batches(Lake(tmp_path))
    assert began == [BEGAN] * 3
    assert raw.read_marker(Lake(tmp_path), batch).request.began_at == BEGAN


def test_it_goes_on_although_the_clock_went_back(tmp_path: Path) -> None:
    extract(tmp_path, Api())
    batch = interrupt(tmp_path, kept=2, at=BEGAN - timedelta(hours=5))
    assert extract(tmp_path, Api(), at=BEGAN - timedelta(hours=6)).batch == batch


def test_one_of_a_clock_that_was_far_ahead_begins_again(tmp_path: Path) -> None:
    interrupt(tmp_path, kept=2, at=BEGAN + timedelta(days=365))
    api = Api()
    result = extract(tmp_path, api, at=BEGAN)
    assert (result.resumed_pages, result.asked) == (0, BEGAN)
    assert api.cursors == [None, "c2", "c3"]


def test_one_that_is_taken_up_asked_the_source_when_it_began(tmp_path: Path) -> None:
    interrupt(tmp_path, kept=2)
    assert extract(tmp_path, Api(), at=BEGAN + timedelta(hours=1)).asked == BEGAN


def test_one_that_stopped_before_the_first_page_begins_again(tmp_path: Path) -> None:
    interrupt(tmp_path, kept=0)
    result = extract(tmp_path, Api(), at=BEGAN + timedelta(hours=1))
    assert (result.pages, result.resumed_pages) == (3, 0)
    assert len(list_batches(Lake(tmp_path))) == 1
    assert list_unfinished(Lake(tmp_path)) == []


@pytest.mark.parametrize(
    ("window", "options"),
    [
        (Window(since=datetime(2025, 1, 1, tzinfo=UTC)), {}),
        (Window(until=datetime(2025, 1, 1, tzinfo=UTC)), {}),
        (Window(), {"page_size": 10}),
        (Window(), {"origin": Origin("generic", "http://other.test", GENERIC)}),
        (Window(), {"origin": Origin("sample", "http://shop.test", GENERIC)}),
        (Window(), {"references": [USERS]}),
        (Window(), {"at": BEGAN + timedelta(hours=1, seconds=1)}),
        (Window(), {"resume_within": "0s"}),
    ],
)
def test_another_request_or_a_late_one_begins_again(tmp_path: Path, window: Window, options: dict[str, Any]) -> None:
    left = interrupt(tmp_path, kept=2)
    api = Api()
    result = extract(tmp_path, api, window, **{"at": BEGAN + timedelta(hours=1), **options})
    assert (result.pages, result.resumed_pages) == (3, 0)
    assert api.cursors == [None, "c2", "c3"]
    lake = Lake(tmp_path)
    assert list_batches(lake) == [result.batch]
    assert result.batch != left
    assert list_unfinished(lake) == []


def test_one_that_is_older_than_a_committed_batch_does_not_go_on(tmp_path: Path) -> None:
    left = interrupt(tmp_path, kept=2)
    (tmp_path / "raw" / left).rename(tmp_path / "aside")
    since = Window(since=datetime(2025, 1, 1, tzinfo=UTC))
    newer = extract(
        tmp_path, Api(), since, at=BEGAN + timedelta(minutes=1), origin=Origin("generic", "http://o.test", GENERIC)
    )
    (tmp_path / "aside").rename(tmp_path / "raw" / left)
    result = extract(tmp_path, Api(), at=BEGAN + timedelta(minutes=2))
    assert result.resumed_pages == 0
    assert list_batches(Lake(tmp_path)) == [newer.batch, result.batch]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "full").touch()


@pytest.mark.parametrize("harm", [Path.unlink, _cut, _empty, _link, _folder])
def test_pages_from_the_first_harmed_one_on_are_fetched_again(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    batch = interrupt(tmp_path, kept=4, pages=5)
    harm(tmp_path / "raw" / batch / "page-00002.json")
    api = Api(pages=3)  # fewer than before: what was left must not stay
    result = extract(tmp_path, api, at=BEGAN + timedelta(hours=1))
    assert (result.pages, result.resumed_pages) == (3, 1)
    assert api.cursors == ["c2", "c3"]
    assert files(tmp_path, batch) == {"_request.json", "batch.json", *(f"page-0000{n}.json" for n in (1, 2, 3))}
    marker = raw.read_marker(Lake(tmp_path), batch)
    assert read_pages(Lake(tmp_path), marker) == [
        Api(pages=5).body(1),
        api.body(2),
        api.body(3),
    ]


def test_a_torn_request_costs_its_batch(tmp_path: Path) -> None:
    batch = interrupt(tmp_path, kept=2)
    _cut(tmp_path / "raw" / batch / "_request.json")
    assert extract(tmp_path, Api(), at=BEGAN + timedelta(hours=1)).resumed_pages == 0
    assert list_unfinished(Lake(tmp_path)) == []


def test_all_leftovers_but_the_one_that_goes_on_are_dropped(tmp_path: Path) -> None:
    older = interrupt(tmp_path, kept=1)
    (tmp_path / "raw" / older).rename(tmp_path / "aside")
    newer = interrupt(tmp_path, kept=2, at=BEGAN + timedelta(minutes=1))
    (tmp_path / "aside").rename(tmp_path / "raw" / older)
    (tmp_path / "raw" / "20250901T130000.000000Z").mkdir()
    result = extract(tmp_path, Api(), at=BEGAN + timedelta(minutes=30))
    assert (result.batch, result.resumed_pages) == (newer, 2)
    assert list_unfinished(Lake(tmp_path)) == []


def test_folders_of_others_in_raw_are_left_alone(tmp_path: Path) -> None:
    mine = [tmp_path / "raw" / name for name in ("2025-backup", "20250901T120000.000000Z.bak", "notes")]
    for folder in mine:
        folder.mkdir(parents=True)
        (folder / "kept.txt").touch()
    extract(tmp_path, Api())
    assert all((folder / "kept.txt").exists() for folder in mine)


def test_a_complete_fetch_that_lacks_its_marker_is_committed_without_a_request(tmp_path: Path) -> None:
    batch = leave_unmarked(tmp_path)
    api = Api()
    result = extract(tmp_path, api, at=BEGAN + timedelta(hours=1))
    assert (result.batch, result.pages, result.resumed_pages, result.window_end) == (batch, 3, 3, BEGAN)
    assert api.asked == []


def test_a_complete_fetch_of_another_request_is_committed_beside_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batch = leave_unmarked(tmp_path, references=[USERS])
    result = extract(tmp_path, Api(), Window(full=True), at=BEGAN + timedelta(days=30))
    lake = Lake(tmp_path)
    assert list_batches(lake) == [batch, result.batch]
    assert raw.read_marker(lake, batch).records == 3
    assert raw.read_marker(lake, batch).references.keys() == {"users"}
    assert batch in caplog.text


def hold(root: Path, batch: str) -> None:
    """Have the manifest of curated name a batch."""
    Lake(root).storage.put(MANIFEST, encode_manifest(Manifest(batches=(batch,))))


@pytest.mark.parametrize("kept", [3, 1])
def test_pages_of_a_batch_that_curated_holds_stay_without_its_marker(tmp_path: Path, kept: int) -> None:
    batch = extract(tmp_path, Api()).batch
    assert batch is not None
    hold(tmp_path, batch)
    (tmp_path / "raw" / batch / "batch.json").unlink()
    if kept == 1:
        (tmp_path / "raw" / batch / "page-00002.json").write_bytes(b"")
    before = files(tmp_path, batch)
    result = extract(tmp_path, Api(), at=BEGAN + timedelta(minutes=1))
    assert (result.pages, result.resumed_pages) == (3, 0)
    assert files(tmp_path, batch) == before | ({"batch.json"} if kept == 3 else set())
    if kept == 3:
        assert batch in list_batches(Lake(tmp_path))


def test_a_batch_that_curated_holds_and_that_brought_nothing_gets_its_marker_again(tmp_path: Path) -> None:
    first, lost = extract(tmp_path, Api()).batch, "20250901T120500.000000Z"
    shutil.copytree(tmp_path / "raw" / str(first), tmp_path / "raw" / lost, ignore=lambda *_: ["batch.json"])
    hold(tmp_path, lost)
    extract(tmp_path, Api(), at=BEGAN + timedelta(hours=2))
    assert list_batches(Lake(tmp_path))[:2] == [first, lost]


def test_nothing_is_dropped_where_the_manifest_cannot_be_read(tmp_path: Path) -> None:
    left = interrupt(tmp_path, kept=2)
    (tmp_path / "curated").mkdir()
    (tmp_path / "curated/_manifest.json").write_bytes(b"{")
    extract(tmp_path, Api(), Window(since=BEGAN - timedelta(days=1)), at=BEGAN + timedelta(hours=1))
    assert "page-00002.json" in files(tmp_path, left)


def test_a_complete_fetch_of_the_sample_is_not_committed_among_real_orders(tmp_path: Path) -> None:
    leave_unmarked(tmp_path, origin=Origin("sample", "http://sample.test", GENERIC))
    result = extract(tmp_path, Api(), at=BEGAN + timedelta(hours=1))
    assert list_batches(Lake(tmp_path)) == [result.batch]


def test_a_deleted_marker_comes_back(tmp_path: Path) -> None:
    batch = extract(tmp_path, Api()).batches[0]
    newest = extract(tmp_path, Api(), at=BEGAN + timedelta(days=1)).batches[0]
    lake = Lake(tmp_path)
    before = raw.read_marker(lake, batch)
    (tmp_path / "raw" / batch / "batch.json").unlink()
    extract(tmp_path, Api(), at=BEGAN + timedelta(days=2))
    after = raw.read_marker(lake, batch)
    assert list_batches(lake)[:2] == [batch, newest]
    assert (after.pages, after.request, after.window_end) == (before.pages, before.request, before.window_end)


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(400), httpx.Response(410), httpx.Response(200, json={"orders": [], "next_cursor": "c2"})],
)
def test_a_cursor_that_the_api_forgot_costs_the_pages_but_not_the_run(tmp_path: Path, answer: httpx.Response) -> None:
    interrupt(tmp_path, kept=2)
    api = Api(answers={1: answer})
    result = extract(tmp_path, api, at=BEGAN + timedelta(hours=1))
    assert (result.pages, result.resumed_pages) == (3, 0)
    assert api.cursors == ["c3", None, "c2", "c3"]
    assert result.window_end == BEGAN
    assert list_batches(Lake(tmp_path)) == [result.batch]


def test_a_cursor_seen_before_the_interruption_is_a_repeat(tmp_path: Path) -> None:
    interrupt(tmp_path, kept=3, pages=5)
    loop = httpx.Response(200, json={"orders": [], "next_cursor": "c2"})
    api = Api(pages=5, answers={1: loop, 4: loop})  # the restart meets it again
    with pytest.raises(InvalidResponseError, match="c2"):
        extract(tmp_path, api, at=BEGAN + timedelta(hours=1))
    assert api.cursors == ["c4", None, "c2", "c3"]


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_what_says_nothing_of_the_cursor_costs_no_page(tmp_path: Path, status: int) -> None:
    batch = interrupt(tmp_path, kept=2)
    with pytest.raises(SourceError):
        extract(tmp_path, Api(answers={1: httpx.Response(status)}), at=BEGAN + timedelta(minutes=20))
    result = extract(tmp_path, Api(), at=BEGAN + timedelta(minutes=40))
    assert (result.batch, result.resumed_pages) == (batch, 2)


def test_a_refused_cursor_of_a_fresh_extraction_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="404"):
        extract(tmp_path, Api(answers={2: httpx.Response(404)}))
    assert list_batches(Lake(tmp_path)) == []


# Interrupts


@dataclass
class Signals:
    """A runtime's signals: says whether waiting may be ended now, and sends one signal."""

    waiting: bool = False
    came: bool = False

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        self.checkpoint()
        self.waiting = True
        try:
            yield
        finally:
            self.waiting = False

    def checkpoint(self) -> None:
        if self.came:
            raise InterruptedRunError("SIGINT")

    def send(self) -> None:
        self.came = True
        if self.waiting:
            self.checkpoint()

    @property
    def runtime(self) -> Runtime:
        return Runtime(now=lambda: BEGAN, checkpoint=self.checkpoint, interruptible=self.interruptible)


@pytest.mark.parametrize("executor", [SerialExecutor, lambda: ThreadPoolExecutor(2)])
@pytest.mark.parametrize("request_", [1, 2, 3])
def test_a_signal_ends_the_wait_for_a_page_and_keeps_those_before(
    tmp_path: Path, request_: int, executor: Callable[[], Executor]
) -> None:
    signals = Signals()

    def on_request(number: int) -> None:
        assert signals.waiting
        if number == request_:
            signals.send()

    with executor() as workers, pytest.raises(InterruptedRunError):
        extract(tmp_path, Api(on_request=on_request), runtime=signals.runtime, threads=workers)
    api = Api()
    assert extract(tmp_path, api).resumed_pages == request_ - 1
    assert len(api.asked) == 4 - request_


def test_a_signal_while_a_page_is_written_ends_the_run_after_it(tmp_path: Path) -> None:
    signals = Signals()

    @dataclass
    class SignalledDisk(WatchedDisk):
        def perform(self, step: Step, action: Callable[[], None]) -> None:
            if step.path.parent.name.startswith("2025"):
                assert not signals.waiting
            if step.path.name.startswith(".page-00002.json.") and step.operation == "write":
                signals.send()
            super().perform(step, action)

    api = Api()
    with pytest.raises(InterruptedRunError):
        extract(tmp_path, api, runtime=signals.runtime, disk=SignalledDisk())
    assert len(api.asked) == 2
    assert extract(tmp_path, Api()).resumed_pages == 2


# Secrets


def test_the_token_is_in_no_file_and_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = "s3cret-t0ken"  # noqa: S105 - of a test
    api = Api(answers={1: httpx.Response(503), 3: httpx.Response(401)})
    with pytest.raises(SourceError) as caught:
        extract(tmp_path, api, api_token=token, max_retries=1)
    extract(tmp_path, Api(), api_token=token)
    assert token not in caplog.text + caught.value.message + caught.value.hint + repr(caught.value.__cause__)
    assert caplog.text
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if token.encode() in path.read_bytes()]


# Pages that are not UTF-8, and pages that a resumed batch may not go on with


def latin_page(number: int, cursor: str | None) -> httpx.Response:
    body = json.dumps({"orders": [{"order_id": f"Ñ-{number}"}], "next_cursor": cursor}, ensure_ascii=False)
    headers = {"Content-Type": "application/json; charset=ISO-8859-1"}
    return httpx.Response(200, content=body.encode("latin-1"), headers=headers)


def test_a_declared_charset_is_kept_with_the_page_and_its_bytes_as_they_came(tmp_path: Path) -> None:
    result = extract(tmp_path, Api(answers={1: latin_page(1, "c2")}))
    marker = raw.read_marker(Lake(tmp_path), result.batches[0])
    assert [page.charset for page in marker.pages] == ["iso8859-1", None, None]
    assert read_pages(Lake(tmp_path), marker)[0] == latin_page(1, "c2").content


def test_a_kept_page_that_is_not_utf8_is_fetched_again(tmp_path: Path) -> None:
    broken = Api(answers={2: latin_page(2, "c3"), 3: httpx.Response(503)})
    with pytest.raises(SourceError):
        extract(tmp_path, broken)
    api = Api(answers={1: latin_page(2, "c3")})
    result = extract(tmp_path, api, at=BEGAN + timedelta(minutes=1))
    assert (result.resumed_pages, api.cursors) == (1, ["c2", "c3"])
    marker = raw.read_marker(Lake(tmp_path), result.batches[0])
    assert [page.charset for page in marker.pages] == [None, "iso8859-1", None]


def test_what_kept_pages_have_shown_counts_for_those_that_follow(tmp_path: Path) -> None:
    interrupt(tmp_path, kept=2)
    without_key = httpx.Response(200, json={"orders": [{"order_id": "o-3"}]})
    with pytest.raises(InvalidResponseError, match="page 3 lacks next_cursor"):
        extract(tmp_path, Api(answers={1: without_key}), at=BEGAN + timedelta(minutes=1))
    seen_before = Api(answers={1: httpx.Response(200, content=Api().body(1).replace(b"c2", b"c9"))})
    result = extract(tmp_path, seen_before, at=BEGAN + timedelta(minutes=2))
    assert (result.pages, result.resumed_pages) == (3, 0)
    assert seen_before.cursors == ["c3", None, "c2", "c3"]


def test_a_kept_page_that_is_not_complete_is_fetched_again(tmp_path: Path) -> None:
    batch = interrupt(tmp_path, kept=2)
    page = tmp_path / "raw" / batch / "page-00002.json"
    page.write_bytes(page.read_bytes().replace(b'"next_cursor"', b'"errors": ["x"], "next_cursor"'))
    assert extract(tmp_path, Api(), at=BEGAN + timedelta(minutes=1)).resumed_pages == 1


def test_the_newest_times_of_kept_pages_count(tmp_path: Path) -> None:
    interrupt(tmp_path, kept=2)
    result = extract(tmp_path, Api(shows="2025-08-01T00:00:00Z"), at=BEGAN + timedelta(minutes=1))
    assert (result.resumed_pages, result.window_end) == (2, BEGAN)


@pytest.mark.parametrize("answers", [{"orders": None}, {"orders": None, "next_cursor": None}])
def test_a_null_list_is_an_empty_page(tmp_path: Path, answers: dict[str, Any]) -> None:
    result = extract(tmp_path, Api(answers={1: httpx.Response(200, json=answers)}))
    assert (result.pages, result.records) == (1, 0)


def test_a_batch_has_no_more_than_max_pages(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="after 2 pages"):
        extract(tmp_path, Api(), max_pages=2)
    assert extract(tmp_path, Api(), max_pages=3).resumed_pages == 1


def test_a_since_in_the_future_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    settings = Settings(output=tmp_path / "output", api_url="http://shop.test")
    for window in (Window(since=BEGAN + timedelta(seconds=1)), Window(since=datetime(2052, 8, 1))):  # noqa: DTZ001
        with pytest.raises(ConfigError, match="lies in the future") as caught:
            pipeline.extract(settings, window, runtime=Runtime(now=lambda: BEGAN))
        assert caught.value.exit_code == 2
    assert not (tmp_path / "output").exists()
