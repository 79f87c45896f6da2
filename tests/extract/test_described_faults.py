"""A fetch by description, with calls, that dies at each of its durable steps: the next one brings the same batch."""

import json
import random
import shutil
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from faulty import Died, Fault, FaultyDisk, PowerLossDisk
from lakes import SerialExecutor

from ordersetl import pipeline
from ordersetl.errors import StorageError
from ordersetl.lake import raw
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import list_batches, list_unfinished
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings
from ordersetl.source.description.loading import load_description
from ordersetl.source.page import Page, read_records
from ordersetl.source.shape import shape_of
from ordersetl.storage.disk import Disk
from ordersetl.window import Window

NOW = datetime(2025, 9, 1, 12, tzinfo=UTC)
DESCRIPTION = """
name = "shop"
title = "Shop"
records = "orders"

[request]
path = "/orders"
params = { limit = "${page_size}", page = "${page}" }

[paging]
kind = "page"
end = "total"
total = "total"

[[calls]]
name = "lines"
path = "/orders/${id}/lines"
with = { id = "id" }
records = "@"
into = "lines"

[mapping.order]
order_id = "id"
created_at = "created"

[mapping.items]
list = "lines"
sku = "sku"
qty = "qty"
"""
ORDERS = [{"id": at, "created": f"2025-08-2{at}T00:00:00Z"} for at in range(1, 6)]


def answer(request: httpx.Request) -> httpx.Response:
    """Three pages of orders, and the lines of each."""
    if request.url.path == "/orders":
        at = 2 * (int(request.url.params["page"]) - 1)
        return httpx.Response(200, json={"orders": ORDERS[at : at + 2], "total": len(ORDERS)})
    return httpx.Response(200, json=[{"sku": request.url.path, "qty": 1}])


def extract(home: Path, disk: Disk, minutes: int) -> None:
    description = home / "shop.toml"
    description.write_text(DESCRIPTION, encoding="utf-8")
    settings = Settings(source=str(description), api_url="http://127.0.0.1", output=home / "output", page_size=2)
    now = NOW + timedelta(minutes=minutes)
    transport = httpx.MockTransport(answer)
    runtime = Runtime(disk=disk, transport=transport, now=lambda: now, threads=SerialExecutor())
    pipeline.extract(settings, Window(full=True), runtime=runtime)


def committed(home: Path) -> list[Any]:
    """All records of all batches, with what calls answered."""
    lake, shape = Lake(home / "output"), shape_of(load_description(DESCRIPTION.encode(), "shop.toml").description)
    records: list[Any] = []
    assert list_unfinished(lake) == []
    for batch in list_batches(lake):
        for number, entry in enumerate(raw.read_marker(lake, batch).pages, 1):
            body = raw.read_page_body(lake, batch, entry, since=None)
            calls = raw.read_page_calls(lake, batch, entry, since=None)
            records += read_records(Page(number, body, entry.charset, shape=shape, calls=calls))
    return records


EXPECTED = [{**order, "lines": [{"sku": f"/orders/{order['id']}/lines", "qty": 1}]} for order in ORDERS]


def count_steps() -> int:
    disk = FaultyDisk()
    with tempfile.TemporaryDirectory() as home:
        extract(Path(home), disk, 0)
        assert committed(Path(home)) == EXPECTED
    return len(disk.steps)


STEPS = count_steps()


@pytest.mark.parametrize("fault", ["before", "within", "after", "ENOSPC"])
def test_a_fetch_that_dies_anywhere_is_brought_to_its_end(fault: Fault) -> None:
    for n in range(1, STEPS + 1):
        with tempfile.TemporaryDirectory() as name:
            home = Path(name)
            with pytest.raises((Died, StorageError)):
                extract(home, FaultyDisk(n, fault), 0)
            extract(home, FaultyDisk(), 5)
            found = {json.dumps(record) for record in committed(home)}
            assert found == {json.dumps(record) for record in EXPECTED}, (n, fault)


@pytest.mark.parametrize("seed", range(2))
def test_what_a_power_failure_leaves_is_taken_up_only_where_it_is_complete(seed: int) -> None:
    for n in range(1, STEPS + 1):
        with tempfile.TemporaryDirectory() as name:
            home = Path(name)
            (home / "output").mkdir()
            disk = PowerLossDisk(home / "output", n, "after")
            with suppress(Died):  # the last step may be one that the other run alone had
                extract(home, disk, 0)
            left = disk.account.lose_power("some", random.Random(1000 * seed + n))
            shutil.rmtree(home / "output")
            left.restore(home / "output")
            extract(home, FaultyDisk(), 5)
            found = {json.dumps(record) for record in committed(home)}
            assert found == {json.dumps(record) for record in EXPECTED}, (n, seed)


def test_an_order_s_lines_that_got_lost_are_asked_for_again(tmp_path: Path) -> None:
    """The page is there and its calls are not: the extraction begins again, and no order is without its lines."""
    for n in range(1, STEPS + 1):
        home = tmp_path / str(n)
        home.mkdir()
        with pytest.raises(Died):
            extract(home, FaultyDisk(n, "before"), 0)
        calls = sorted((home / "output/raw").glob("*Z/page-00001.calls.ndjson"))
        if not calls or (calls[0].parent / "batch.json").exists():
            continue
        calls[0].unlink()
        extract(home, FaultyDisk(), 5)
        assert committed(home) == EXPECTED
