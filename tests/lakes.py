"""Small lakes for tests: a job on a temporary output, raw batches without an API, and what curated must then hold."""

import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from reference_fold import DEFAULT_RULES, Batch, Rules, fold, read_json
from strategies import encode

from ordersetl.lake import kept_files, raw
from ordersetl.lake.kept_files import ReferenceEntry
from ordersetl.lake.layout import Lake, batch_id_after, partition_file
from ordersetl.lake.listing import list_batches
from ordersetl.lake.raw import BatchMarker, BatchRequest, PageEntry
from ordersetl.load.batches import load_batches
from ordersetl.results import LoadResult, TransformResult
from ordersetl.runtime import RunContext, Runtime
from ordersetl.settings import Settings
from ordersetl.storage.disk import Disk, Step
from ordersetl.storage.lock import acquire_lock
from ordersetl.transform.batches import ensure_stage, transform_batches

__all__ = [
    "Clock",
    "LaxDisk",
    "Raw",
    "SerialExecutor",
    "curated_bytes",
    "expected_bytes",
    "item",
    "load",
    "open_job",
    "order",
    "raw_batches",
    "rows",
    "run",
    "spoil",
    "transform",
    "write_batch",
]


class SerialExecutor(Executor):
    """Runs what is submitted at once, in the caller."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **named))
        except Exception as error:  # noqa: BLE001 - a future holds whatever was raised
            future.set_exception(error)
        return future


@dataclass
class Clock:
    """Says a time that is a second later at each look."""

    time: datetime = datetime(2025, 9, 1, tzinfo=UTC)
    step: timedelta = timedelta(seconds=1)

    def __call__(self) -> datetime:
        self.time += self.step
        return self.time


@dataclass
class LaxDisk(Disk):
    """Syncs nothing, which saves most of the time of a small test, and notes every other step it takes."""

    steps: list[Step] = field(default_factory=list)

    def perform(self, step: Step, action: Callable[[], None]) -> None:
        if step.operation in {"sync_file", "sync_folder"}:
            return
        self.steps.append(step)
        super().perform(step, action)


class Raw(str):
    """JSON text that is to stand in a page as it is, where any other string would be a record of its own."""

    __slots__ = ()


@contextmanager
def open_job(
    root: Path,
    *,
    executor: Executor | None = None,
    threads: Executor | None = None,
    now: Callable[[], datetime] | None = None,
    disk: Disk | None = None,
    is_remote: bool = False,
    **settings: Any,
) -> Iterator[RunContext]:
    """A job that holds the lock of the output ``root``: serial, without syncs, with a clock of its own."""
    now = now or Clock()
    disk = disk or LaxDisk()
    lake = Lake(root, disk)
    root.mkdir(parents=True, exist_ok=True)
    with acquire_lock(lake.folder / ".lock", disk=lake.disk, now=now) as lock:
        yield RunContext(
            lake,
            Settings(output=root, **{"workers": 1, **settings}),
            lock,
            executor or SerialExecutor(),
            Runtime(now=now, disk=disk, sleep=lambda _: None, is_remote=is_remote),
            threads or SerialExecutor(),
        )


def item(sku: str = "A", qty: object = 1, price: object = 10, **fields: object) -> dict[str, object]:
    """A good line, with fields replaced."""
    return {"sku": sku, "qty": qty, "price": price, **fields}


def order(order_id: object = "o-1", day: object = 20, **fields: object) -> dict[str, object]:
    """A good order of one line, created on that day of August 2025, with fields replaced, or dropped where ``...``."""
    usual = {
        "order_id": order_id,
        "user_id": "u-1",
        "amount": 10,
        "currency": "EUR",
        "created_at": f"2025-08-{day}T10:00:00Z",
        "items": [item()],
    }
    return {name: value for name, value in (usual | fields).items() if value is not ...}


def write_batch(
    context: RunContext,
    records: Sequence[object],
    *,
    pages_of: int = 2,
    users: bytes | None = None,
    products: bytes | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    continues: bool = False,
    batch_id: str | None = None,
) -> str:
    """Commit a raw batch of these records, as JSON values or :class:`Raw` texts, and give its id.

    Without records it has one empty page. ``batch_id`` may be older than batches that are there. ``since`` is enforced
    unless the tool chose it to continue.
    """
    lake, began = context.lake, context.now()
    batch = batch_id or batch_id_after(began, max(list_batches(lake), default=None))
    texts = [record if isinstance(record, Raw) else encode(record) for record in records]
    given = {kind: body for kind, body in (("users", users), ("products", products)) if body is not None}
    references = {kind: kept_files.store_reference(lake, body, f"{kind}.csv") for kind, body in given.items()}
    request = BatchRequest("generic", "http://test", since, until, pages_of, began, references, continues=continues)
    raw.write_request(lake, batch, request)
    cut = [texts[at : at + pages_of] for at in range(0, max(len(texts), 1), pages_of)]
    raw.write_marker(
        lake,
        BatchMarker(
            batch=batch,
            source=request.source,
            url=request.url,
            since=since,
            until=until,
            window_end=until or began,
            request=request,
            committed_at=context.now(),
            tool="test",
            pages=tuple(_write_page(lake, batch, number, page) for number, page in enumerate(cut, 1)),
            references=references,
        ),
    )
    return batch


def _write_page(lake: Lake, batch: str, number: int, texts: Sequence[str]) -> PageEntry:
    body = f'{{"orders": [{",".join(texts)}], "next_cursor": null}}'
    return raw.write_page(lake, batch, number, body.encode(), records=len(texts))


def transform(context: RunContext, **options: Any) -> TransformResult:
    """The transform stage."""
    return transform_batches(context, **options)


def load(context: RunContext, **options: Any) -> LoadResult:
    """The load stage, staging what it needs."""
    return load_batches(context, lambda batch: ensure_stage(context, batch), **options)


def run(context: RunContext, **options: Any) -> LoadResult:
    """Transform, then load."""
    transform_batches(context)
    return load(context, **options)


def curated_bytes(lake: Lake) -> dict[str, bytes]:
    """Partitions, refunds and dimensions as they are on disk, by path below ``curated/``."""
    curated = lake.folder / "curated"
    found = [*curated.glob("dt=*/*"), *curated.glob("fact_refund/dt=*/*"), *curated.glob("dim_*")]
    return {path.relative_to(curated).as_posix(): path.read_bytes() for path in sorted(found)}


def rows(lake: Lake, day: int) -> list[dict[str, str]]:
    """Rows of the partition of that day of August 2025; none where there is no file."""
    path = lake.folder / "curated" / partition_file(date(2025, 8, day))
    return list(csv.DictReader(io.StringIO(path.read_text(), newline=""))) if path.exists() else []


def spoil(path: Path) -> None:
    """Change a byte of a file, and leave its size and time as they are."""
    stat, body = path.stat(), bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def raw_batches(lake: Lake) -> dict[str, Batch]:
    """The committed batches as the reference reads them from raw, oldest first, by id."""
    return {batch: _read_batch(lake, raw.read_marker(lake, batch)) for batch in list_batches(lake)}


def read_pages(lake: Lake, marker: BatchMarker) -> list[bytes]:
    """Bodies of a committed batch's pages."""
    return [raw.read_page_body(lake, marker.batch, page, since=marker.since) for page in marker.pages]


def _read_batch(lake: Lake, marker: BatchMarker) -> Batch:
    records: list[object] = []
    for page in read_pages(lake, marker):
        body = read_json(page)
        assert isinstance(body, dict)
        records += body["orders"]
    users, products = (_read_reference(lake, marker.references.get(kind)) for kind in ("users", "products"))
    request = marker.request
    return Batch(records, users, products, request.enforced_since, request.until, request.began_at)


def _read_reference(lake: Lake, entry: ReferenceEntry | None) -> bytes | None:
    return None if entry is None else kept_files.read_reference(lake, entry)


def expected_bytes(lake: Lake, rules: Rules = DEFAULT_RULES) -> dict[str, bytes]:
    """What curated must hold, byte for byte: the plain-Python fold of all that is in raw."""
    return fold(list(raw_batches(lake).values()), rules)
