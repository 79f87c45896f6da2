"""How much a fetch costs beside a bare loop that downloads and keeps the same bytes; and one window after the other
beside several at a time.

    python tests/bench/fetch.py [--pages 200] [--orders 250] [--runs 5] [--kind cursor|page]
    python tests/bench/fetch.py --windows 8 --pages 5 --delay 0.2

The server has its pages in memory and runs in a process of its own. Both loops run in this one, in turn, each into a
new folder; what is reported are medians, by wall clock and by this process's CPU, and their ratio.
"""

import argparse
import json
import os
import resource
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx

from ordersetl import pipeline
from ordersetl.settings import Settings
from ordersetl.window import Backfill, Window

DESCRIPTION = """
name = "bench"
title = "Bench"
records = "orders"

[request]
path = "/orders"
params = { since = "${since}", until = "${until}", limit = "${page_size}", KIND = "${KIND}" }

[window]
format = "%Y-%m-%dT%H:%M:%SZ"
precision = "1s"

[paging]
kind = "KIND"
PROOF

[mapping.order]
order_id = "id"
created_at = "created_at"
updated_at = "updated_at"
amount = "total"
currency = "currency"

[mapping.items]
list = "line_items"
sku = "sku"
qty = "quantity"
price = "price"
"""
KINDS = {
    "cursor": 'next = "next"\nend = "null"',
    "page": 'end = "total"\ntotal = "total"',
}
BEGIN = datetime(2025, 6, 1, tzinfo=UTC)


def make_page(number: int, pages: int, orders: int) -> bytes:
    """A page of orders of some 1.5 kB each, as shops send them."""
    address = {name: f"some {name} of this order" for name in ("name", "street", "city", "zip", "country", "phone")}
    records = []
    for at in range(number * orders, (number + 1) * orders):
        time_ = (BEGIN + timedelta(seconds=37 * at)).isoformat()
        lines = [{"id": at * 10 + n, "sku": f"S-{n}", "quantity": n, "price": "12.50"} for n in range(1, 4)]
        record = {"id": 10_000_000 + at, "created_at": time_, "updated_at": time_, "total": "75.00", "currency": "EUR"}
        records.append(record | {"line_items": lines, "billing": address, "shipping": address, "note": "x" * 400})
    after = str(number + 2) if number + 1 < pages else None
    return json.dumps({"orders": records, "next": after, "total": pages * orders}).encode()


class Handler(socketserver.StreamRequestHandler):
    """One connection: requests one after the other until the client has enough."""

    pages: ClassVar[list[bytes]]
    delay_s: ClassVar[float]
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while request := self.rfile.readline():
            while self.rfile.readline().strip():
                pass  # headers
            query = parse_qs(urlsplit(request.split(b" ")[1].decode("ascii")).query)
            number = int(query.get("cursor", query.get("page", ["1"]))[0])
            body = self.pages[number - 1]
            time.sleep(self.delay_s)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode())
            self.wfile.write(body)


class Server(socketserver.ThreadingTCPServer):
    """A thread a connection."""

    daemon_threads = True


def serve(pages: int, orders: int, delay_s: float) -> None:
    """Answer until the standard input closes."""
    Handler.pages = [make_page(number, pages, orders) for number in range(pages)]
    Handler.delay_s = delay_s
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()


def fetch_bare(url: str, folder: Path, pages: int) -> None:
    """Download and keep the pages, and nothing else."""
    folder.mkdir()
    with httpx.Client() as client:
        for number in range(1, pages + 1):
            body = client.get(f"{url}/orders", params={"cursor": str(number), "page": str(number)}).content
            (folder / f"page-{number}.json").write_bytes(body)


def fetch_ordersetl(url: str, folder: Path, description: Path, **given: Any) -> None:
    """Extract the pages."""
    settings = Settings(source=str(description), api_url=url, output=folder)
    pipeline.extract(settings, given.pop("window", Window(full=True)), **given)


def measure(run: Callable[[Path], None], work: Path) -> tuple[float, float]:
    """Wall clock and CPU, in seconds.

    Nothing is removed in between: ext4 passes over what was deleted in the last seconds, inode by inode.
    """
    folder = Path(tempfile.mkdtemp(dir=work)) / "out"
    os.sync()
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    run(folder)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--orders", type=int, default=250)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--kind", choices=KINDS, default="cursor")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that the server takes for a page")
    parser.add_argument("--windows", type=int, default=0, help="windows of so many pages, one and four at a time")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.pages, options.orders, options.delay)
        return
    command = [sys.executable, __file__, *sys.argv[1:], "--serve"]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        url, work = process.stdout.readline().strip(), Path(folder)
        description = work / "bench.toml"
        description.write_text(
            DESCRIPTION.replace("KIND", options.kind).replace("PROOF", KINDS[options.kind]), encoding="utf-8"
        )
        loops: dict[str, Callable[[Path], None]] = {
            "bare httpx": lambda out: fetch_bare(url, out, options.pages),
            "ordersetl": lambda out: fetch_ordersetl(url, out, description),
        }
        if options.windows:
            window, day = Window(BEGIN, BEGIN + timedelta(days=options.windows)), timedelta(days=1)
            loops = {
                f"{at_once} at a time": partial(
                    fetch_ordersetl, url, description=description, window=window, backfill=Backfill(day, at_once)
                )
                for at_once in (1, 4)
            }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
        for _ in range(options.runs):
            for name, loop in loops.items():
                taken[name].append(measure(loop, work))
        process.communicate()
    walls = {name: statistics.median(wall for wall, _ in costs) for name, costs in taken.items()}
    cpus = {name: statistics.median(cpu for _, cpu in costs) for name, costs in taken.items()}
    for name in taken:
        sys.stdout.write(f"{name:12} {walls[name]:6.2f} s wall {cpus[name]:6.2f} s CPU\n")
    (first, second), (first_cpu, second_cpu) = walls.values(), cpus.values()
    sys.stdout.write(f"{'ratio':12} {second / first:6.2f}        {second_cpu / first_cpu:6.2f}\n")
    sys.stdout.write(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB\n")


if __name__ == "__main__":
    main()
