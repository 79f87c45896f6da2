"""A small shop in two chapters, and runs over it without a socket: what the fault tests load, break and heal."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from lakes import Clock, SerialExecutor

from ordersetl import pipeline
from ordersetl.lake import raw
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import MARKER, list_batches, list_unfinished
from ordersetl.lake.manifest import Manifest, read_manifest
from ordersetl.lake.rejected import read_rejected
from ordersetl.lake.unfinished import POSITION
from ordersetl.results import LoadResult, RunResult
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings
from ordersetl.source.sample import sample_app
from ordersetl.storage.disk import Disk, is_temporary
from ordersetl.window import Window

__all__ = ["API", "NOW", "Shop", "curated_files", "leftovers", "order", "readers_files", "state_to_check"]

API = "http://shop.invalid"
NOW = datetime(2025, 9, 2, 12, tzinfo=UTC)
"""When the second chapter is loaded; the first was a day before."""


def order(
    number: int, day: str, updated: str, lines: Sequence[tuple[str, int, str]], **other: object
) -> dict[str, object]:
    """An order of the shop, created at noon of the day; lines are (sku, qty, price)."""
    return {
        "order_id": f"o{number}",
        "user_id": f"u{number % 3}",
        "amount": str(sum(qty * float(price) for _, qty, price in lines)),
        "currency": "EUR",
        "created_at": f"{day}T12:00:00Z",
        "updated_at": updated,
        "items": [{"sku": sku, "qty": qty, "price": price} for sku, qty, price in lines],
        **other,
    }


def _refund(refund_id: str, amount: str, **other: object) -> dict[str, object]:
    return {"refund_id": refund_id, "created_at": "2025-08-31T08:00:00Z", "amount": amount, **other}


_USER = {"email": "u1@x.example"}
_FIRST, _SECOND = "2025-09-01T09:00:00Z", "2025-09-02T09:00:00Z"
_BEFORE = [
    order(1, "2025-08-20", _FIRST, [("a", 1, "9.50")], user=_USER),
    order(2, "2025-08-20", _FIRST, [("a", 2, "9.50"), ("b", 1, "3.25")], refunds=[_refund("r2", "3.25")]),
    order(3, "2025-08-21", _FIRST, [("b", 4, "3.25")], discount="1"),
    # the newest: more than the lookback later
    order(4, "2025-08-22", "2025-09-01T09:30:00Z", [("a", 1, "9.50")], refunds=[_refund("r4", "9.50")]),
    order(5, "2025-08-23", _FIRST, [("c", 1, "100"), ("a", 1, "9.50")]),
    order(6, "2025-08-24", _FIRST, [("c", 1, "100")], user_id="u2"),
    order(7, "2025-08-24", _FIRST, [], amount="5"),  # rejected
]
_CHANGES = [
    # updated: its first refund, and more of its user, whom only orders name
    order(1, "2025-08-20", _SECOND, [("a", 3, "9.50")], refunds=[_refund("r1", "2")], user=_USER | {"country": "IT"}),
    # moved to another partition
    order(2, "2025-08-21", _SECOND, [("a", 2, "9.50"), ("b", 1, "3.25")], refunds=[_refund("r2", "3.25")]),
    # moved to a new one; its old one has no orders left, and no refunds
    order(4, "2025-08-25", _SECOND, [("a", 1, "9.50")], refunds=[_refund("r4", "9.50")]),
    order(5, "2025-08-23", _SECOND, [("c", 1, "100")], cancelled_at=_SECOND),  # lost a line, and was cancelled
    order(8, "2025-08-26", _SECOND, [("d", 1, "1")], shipping="4", tax="0.19"),  # new, with an unknown product
    order(9, "2025-08-26", _SECOND, [], amount="5"),  # rejected
]


@dataclass(frozen=True)
class Shop:
    """The API, its reference files in ``folder``, and the runs over it. ``chapter`` is 1 or 2."""

    folder: Path
    chapter: int = 2
    orders: list[dict[str, object]] = field(init=False)

    def __post_init__(self) -> None:
        changed = {record["order_id"] for record in _CHANGES}
        kept = [record for record in _BEFORE if record["order_id"] not in changed]
        orders = _BEFORE if self.chapter == 1 else [*kept, *_CHANGES]
        object.__setattr__(self, "orders", copy.deepcopy(orders))  # a test may change them
        country, price = ("DE", "9") if self.chapter == 1 else ("AT", "10")
        self.folder.mkdir(exist_ok=True)
        users = f"user_id,email,country,created_at\nu0,z@x.example,FR,2025-01-01\nu2,u@x.example,{country},2025-01-01\n"
        (self.folder / "users.csv").write_text(users)
        (self.folder / "products.csv").write_text(f"sku,name,category,price\na,Apple,fruit,{price}\nb,Bean,veg,3\n")

    def settings(self, output: Path) -> Settings:
        return Settings(output=output, api_url=API, page_size=3, workers=1, bulk=False)

    def runtime(self, disk: Disk, now: datetime) -> Runtime:
        return Runtime(
            now=Clock(now, timedelta(milliseconds=1)),
            disk=disk,
            executor=SerialExecutor(),
            threads=SerialExecutor(),
            transport=httpx.WSGITransport(app=sample_app(self.orders)),
            sleep=lambda _: None,
        )

    def run(self, output: Path, disk: Disk, now: datetime = NOW, *, full: bool = False) -> RunResult:
        return pipeline.run(
            self.settings(output),
            Window(full=full),
            users=self.folder / "users.csv",
            products=self.folder / "products.csv",
            runtime=self.runtime(disk, now),
        )

    def load(self, output: Path, disk: Disk, now: datetime = NOW, *, verify: bool = False) -> LoadResult:
        return pipeline.load(self.settings(output), verify=verify, runtime=self.runtime(disk, now))


def readers_files(output: Path) -> dict[str, bytes]:
    """What a reader that globs ``curated/`` for CSVs finds, by path below it."""
    curated = output / "curated"
    return {path.relative_to(curated).as_posix(): path.read_bytes() for path in sorted(curated.glob("**/*.csv"))}


def curated_files(output: Path) -> dict[str, bytes]:
    """All files of ``curated/`` but the manifest, which records their times."""
    curated = output / "curated"
    found = (path for path in sorted(curated.rglob("*")) if path.is_file() and path.name != "_manifest.json")
    return {path.relative_to(curated).as_posix(): path.read_bytes() for path in found}


def leftovers(output: Path) -> list[str]:
    """What an interrupted command leaves and a whole one does not."""
    lake = Lake(output)
    manifest = _manifest(lake)
    wanted = {entry.name for entry in manifest.segments}
    found = [path for path in output.rglob("*") if is_temporary(path.name)]
    found += [
        path for path in (lake.folder / "curated/_staging", lake.folder / "curated/_pending.json") if path.exists()
    ]
    found += [lake.folder / "raw" / batch for batch in list_unfinished(lake)]
    found += [path for path in (lake.folder / "index").iterdir() if path.name not in wanted]
    found += [path for batch in list_batches(lake) for path in _unlisted_pages(lake, batch)]
    return sorted(path.relative_to(output).as_posix() for path in found)


def _unlisted_pages(lake: Lake, batch: str) -> list[Path]:
    pages = raw.read_marker(lake, batch).pages
    wanted = {page.name for page in pages} | {page.calls.name for page in pages if page.calls}
    wanted |= {MARKER, raw.REQUEST, POSITION}
    return [path for path in (lake.folder / "raw" / batch).iterdir() if path.name not in wanted]


def state_to_check(output: Path) -> str:
    """All that ``check`` judges, as text, without what differs from run to run."""
    lake = Lake(output)
    manifest = _manifest(lake)
    quarantined = sorted(path.read_bytes().hex() for path in (lake.folder / "quarantine").iterdir())
    counted = [(name, entry.sha256, entry.rows) for name, entry in sorted(manifest.files.items())]
    listed = sorted(entry.sha256 for entry in read_rejected(lake, manifest).values())
    return json.dumps([counted, listed, quarantined, sorted(curated_files(output))])


def _manifest(lake: Lake) -> Manifest:
    manifest = read_manifest(lake)
    assert manifest is not None
    return manifest
