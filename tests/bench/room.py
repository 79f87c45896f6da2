"""A year of quarter-hourly runs of a shop that sells little: what it leaves on disk, and what the next run takes.

    python tests/bench/room.py --ordersetl BIN [--runs 35000] [--orders-a-day 3] [--all-until N] [--work DIR]

The year is played in this process, with a clock and a network of its own. Past ``--all-until`` runs, of those in a row
with nothing new the first alone is played: the others leave on disk what it leaves. Then ``ordersetl run`` is measured
as a process of its own, on an output of one run and on that of the year, in turns; what counts is the CPU time of the
process, its user and system time together.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from measure import Cost, measure, median

from ordersetl import pipeline
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings
from ordersetl.source.sample import sample_app
from ordersetl.source.server import serve
from ordersetl.storage.disk import Disk, Step

START = datetime(2024, 9, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
ROUNDS = 7
MAX_FOLDERS = 1500
MAX_RATIO = 1.3


class Year:
    """The shop's orders as they come, and the runs that follow them."""

    def __init__(self, output: Path, url: str, orders_a_day: int) -> None:
        self.now = START
        self.orders: list[dict[str, Any]] = []
        self.step = 96 // orders_a_day
        self.settings = Settings(output=output, api_url=url, workers=1)

    def play(self, runs: int, *, begin: int = 0, all_until: int) -> int:
        """Go on from a run to so many in all; how many of them were played."""
        played = [number for number in range(begin, runs) if number < all_until or number % self.step < 2]
        for number in played:
            self.run(number)
        return len(played)

    def run(self, number: int) -> None:
        """So many quarters of an hour after the start; an order was made in some of them."""
        self.now = START + QUARTER * (number + 1)
        if number % self.step == 0:
            self.orders.append(_order(number, self.now - QUARTER / 2))
        runtime = Runtime(now=lambda: self.now, disk=LaxDisk(), transport=httpx.MockTransport(self.answer))
        pipeline.run(self.settings, runtime=runtime)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What changed since the time that is asked for."""
        since = request.url.params.get("updated_since")
        begin = len(self.orders) - 20 if since else 0  # no window reaches further back
        recent = [o for o in self.orders[max(0, begin) :] if not since or o["created_at"] >= since[:19]]
        return httpx.Response(200, json={"orders": recent, "next_cursor": None})


class LaxDisk(Disk):
    """Syncs nothing: the year is played in minutes."""

    def perform(self, step: Step, action: Callable[[], None]) -> None:
        """Take a step, unless it is a sync."""
        if step.operation not in {"sync_file", "sync_folder"}:
            super().perform(step, action)


def _order(number: int, at: datetime) -> dict[str, Any]:
    time = at.isoformat().replace("+00:00", "Z")
    items = [{"sku": f"p-{number % 50}", "qty": 1, "price": 10}]
    head = {"order_id": f"o-{number}", "user_id": "u", "amount": 10, "currency": "EUR"}
    return {**head, "created_at": time, "items": items}


def main() -> int:
    """Play the year, measure, and say whether both bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ordersetl", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=35_000)
    parser.add_argument("--orders-a-day", type=int, default=3)
    parser.add_argument("--all-until", type=int)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="ordersetl-room-"))
    young, old = work / "young", work / "old"
    with serve(sample_app([])) as url:
        Year(young, url, given.orders_a_day).run(0)
        year = Year(old, url, given.orders_a_day)
        played = year.play(given.runs, all_until=given.all_until or given.runs)
        folders, reports = (sum(1 for _ in (old / name).iterdir()) for name in ("raw", "runs"))
        costs: dict[Path, list[Cost]] = {young: [], old: []}
        for _ in range(ROUNDS):
            for output, found in costs.items():
                command = [str(given.ordersetl), "run", "--quiet", "-o", str(output), "--api-url", url]
                found.append(measure(command, cwd=work))
    first, later = (median(found).cpu_s for found in costs.values())
    _say(
        f"{given.runs:,} runs, {played:,} of them played, left {folders:,} folders in raw/, {reports:,} files in runs/"
    )
    _say(
        f"a run with nothing new: {first:.3f} s of CPU after one run, {later:.3f} s after them all: {later / first:.2f}"
    )
    if given.work is None:
        shutil.rmtree(work)
    return int(folders >= MAX_FOLDERS or later > MAX_RATIO * first)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main())
