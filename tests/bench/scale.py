"""What a run with 1,000 changed orders costs in an output of a long history and many users, beside a small one.

    python tests/bench/scale.py --ordersetl BIN [--days 1000] [--users 1000000] [--work DIR] [--runs 3]

Each output is made in this process, sparse: ten orders a day that were really loaded, a hundred on each of the last ten
days, and batches, users, mentions of them and keys of the index that only look as if: a batch and a reject a day, one
order a user. Then ``ordersetl run`` is measured as a process of its own, in turns over both outputs: the same 1,000
orders of the last ten days have changed, then also the country of ten of their users. The first must not cost more than
twice the CPU; the second has to write all of dim_user.
"""

import argparse
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import polars as pl
from measure import Cost, measure, median
from room import LaxDisk

from ordersetl import pipeline
from ordersetl.lake import index
from ordersetl.lake.layout import MANIFEST, Lake, curated_key, quarantine_key, raw_key
from ordersetl.lake.listing import MARKER, list_batches
from ordersetl.lake.manifest import FileEntry, Manifest, QuarantineEntry, encode_manifest, read_manifest
from ordersetl.lake.members import add_members, member_schema
from ordersetl.lake.raw import read_marker, write_marker
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings
from ordersetl.source.server import serve
from ordersetl.star.dimensions import USERS
from ordersetl.star.frames import to_csv

END = datetime(2025, 8, 1, tzinfo=UTC)
SMALL = (100, 100_000)
ORDERS_A_DAY = 10
PAGE_ORDERS = 10_000
BUSY_DAYS, ORDERS_A_BUSY_DAY = 10, 100
MOVED = 10
MAX_RATIO = 2.0


@dataclass
class Shop:
    """An output, its size, and what its API answers."""

    output: Path
    days: int
    users: int
    url: str = ""
    round: int = 0
    country: str = "FR"
    answer: list[dict[str, Any]] = field(default_factory=list)

    def app(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        """All that changed, whatever is asked for."""
        del environ
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"orders": self.answer, "next_cursor": None}).encode()]

    def change(self, *, countries: bool) -> None:
        """The orders of the busy days again, one cent dearer; ``countries``: some of their users have moved."""
        self.round += 1
        now = datetime.now(UTC)
        if countries:
            self.country = f"{self.round % 26 + 65:c}{self.round // 26 % 26 + 65:c}"
        self.answer = [
            make_order(self, number, day, cents=self.round, at=now, country=self.country if number < MOVED else "FR")
            for number, day in enumerate(busy_days(self))
        ]


def busy_days(shop: Shop) -> Iterator[int]:
    """The day of each order that changes."""
    for day in range(shop.days - BUSY_DAYS, shop.days):
        yield from [day] * ORDERS_A_BUSY_DAY


def make_order(
    shop: Shop, number: int, day: int, *, cents: int = 0, at: datetime | None = None, country: str = "FR"
) -> dict[str, Any]:
    """An order of a day, by its number: those of the busy days, then from 1,000 on ten a day."""
    made = END - timedelta(days=shop.days - day, seconds=-(number % 86_000))
    amount = 10 + cents / 100
    user = user_id(number * 7919 % shop.users)
    return {
        "order_id": f"o-{number}",
        "user_id": user,
        "user": {"email": f"{user}@example.com", "country": country},
        "amount": amount,
        "currency": "EUR",
        "created_at": made.isoformat(),
        "updated_at": (at or made).isoformat(),
        "items": [{"sku": f"p-{number % 500}", "qty": 1, "price": amount}],
    }


def user_id(number: int) -> str:
    """Ids that sort as their numbers do."""
    return f"u-{number:09d}"


def make_output(shop: Shop) -> None:
    """Load what orders there are, and make it look like the whole history."""
    orders = [make_order(shop, number, day) for number, day in enumerate(busy_days(shop))]
    orders += [make_order(shop, 1000 + at, at // ORDERS_A_DAY) for at in range(shop.days * ORDERS_A_DAY)]
    load(shop, orders, END)
    lake = Lake(shop.output, LaxDisk())
    manifest = read_manifest(lake)
    assert manifest is not None
    inflate(lake, manifest, shop)
    load(shop, [make_order(shop, 0, shop.days - BUSY_DAYS, cents=1, at=END)], END + timedelta(hours=1))


def load(shop: Shop, orders: list[dict[str, Any]], now: datetime) -> None:
    """A run in this process that brings some orders."""

    def answer(request: httpx.Request) -> httpx.Response:
        begin = int(request.url.params.get("cursor", "0"))
        end = begin + PAGE_ORDERS
        following = str(end) if end < len(orders) else None
        return httpx.Response(200, json={"orders": orders[begin:end], "next_cursor": following})

    runtime = Runtime(now=lambda: now, disk=LaxDisk(), transport=httpx.MockTransport(answer))
    pipeline.run(Settings(output=shop.output, api_url=shop.url), runtime=runtime)


def inflate(lake: Lake, manifest: Manifest, shop: Shop) -> None:
    """Batches of one reject, users with what orders say of them, and keys of the index, as if all had been loaded."""
    marker = read_marker(lake, list_batches(lake)[0])
    batches, quarantine = [], {}
    body = b'{"batch":"","scope":"order","reason":"no_items"}\n'
    for day in range(shop.days):
        batch = (END - timedelta(days=shop.days - day, hours=1)).strftime("%Y%m%dT%H%M%S.%fZ")
        batches.append(batch)
        lake.storage.put(raw_key(batch, MARKER), b"")
        write_marker(lake, msgspec.structs.replace(marker, batch=batch, pages=()))
        written = lake.storage.put(quarantine_key(batch), body)
        quarantine[batch] = QuarantineEntry(written.sha256, written.bytes, 1, 0, mtime_ns=written.mtime_ns)
    every = pl.DataFrame({"user_id": [user_id(number) for number in range(shop.users)]})
    users = every.select(
        "user_id",
        email=pl.concat_str("user_id", pl.lit("@example.com")),
        country=pl.lit("FR"),
        created_at_user=pl.lit(None, pl.Date),
        inferred=pl.lit(value=True),
    ).cast(dict(USERS.table.schema.items()))
    put = lake.storage.put(curated_key(USERS.file), to_csv(users))
    entry = FileEntry(put.sha256, put.bytes, put.mtime_ns, users.height)
    said = {"at": END - timedelta(days=1), "batch": END - timedelta(days=shop.days), "pos": 0}
    members = users.with_columns(
        pl.lit(said[name.rpartition("_")[2]]).dt.replace_time_zone(None).cast(kind).alias(name)
        if name.rpartition("_")[2] != "pos" else pl.lit(0, kind).alias(name)
        for name, kind in member_schema(USERS).items() if name not in users.columns
    )  # fmt: skip
    generator = random.Random(1)
    keys = pl.Series("key", [generator.getrandbits(64) for _ in range(shop.users)], dtype=pl.UInt64)
    days = pl.Series("dt", range(shop.users), dtype=pl.Int32) % shop.days
    first = (END - timedelta(days=shop.days)).date()
    added = pl.DataFrame([keys, (days + (first - datetime(1970, 1, 1, tzinfo=UTC).date()).days).cast(pl.Date)])
    following = msgspec.structs.replace(
        manifest,
        batches=(*batches, *manifest.batches),
        files={**manifest.files, USERS.file: entry},
        quarantine={**quarantine, **manifest.quarantine},
        index=index.add_segment(lake, manifest.index, added),
        members={**manifest.members, "users": add_members(lake, (), USERS, members)},
    )
    lake.storage.put(MANIFEST, encode_manifest(following))


def measure_runs(program: Path, shops: list[Shop], runs: int, *, countries: bool) -> list[Cost]:
    """Medians of runs over each output, in turns."""
    found: list[list[Cost]] = [[] for _ in shops]
    for _ in range(runs):
        for shop, costs in zip(shops, found, strict=True):
            shop.change(countries=countries)
            command = [str(program), "run", "--quiet", "-o", str(shop.output), "--api-url", shop.url]
            costs.append(measure(command, cwd=shop.output.parent))
    return [median(costs) for costs in found]


def main() -> int:
    """Make both outputs, measure, and say whether the bound holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ordersetl", type=Path, required=True)
    parser.add_argument("--days", type=int, default=1_000)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="ordersetl-scale-"))
    small, large = Shop(work / "small", *SMALL), Shop(work / "large", given.days, given.users)
    ratios = []
    with ExitStack() as stack:
        for shop in (small, large):
            shop.url = stack.enter_context(serve(shop.app))
            _in_child(make_output, shop)
            _say(f"{shop.output.name}: {shop.days:,} days, {shop.users:,} users")
        for countries in (False, True):
            before, after = measure_runs(given.ordersetl, [small, large], given.runs, countries=countries)
            ratios.append(after.cpu_s / before.cpu_s)
            what = f"1,000 changed orders{f', {MOVED} users moved' if countries else ''}"
            _say(f"{what}: {_show(before)}; {_show(after)}: {ratios[-1]:.2f}")
    if given.work is None:
        shutil.rmtree(work)
    return int(ratios[0] > MAX_RATIO)


def _in_child(work: Callable[[Shop], None], shop: Shop) -> None:
    """In a process of its own, whose memory the measured ones do not inherit."""
    child = multiprocessing.Process(target=work, args=(shop,))
    child.start()
    child.join()
    if child.exitcode != 0:
        raise SystemExit(1)


def _show(cost: Cost) -> str:
    return f"{cost.wall_s:.2f} s, {cost.cpu_s:.2f} s of CPU, {cost.peak_bytes >> 20} MiB"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main())
