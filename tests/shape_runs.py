"""Runs over a shop in the shape of a built-in source, on a real socket, and what must come out of them."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lakes import Clock, LaxDisk, SerialExecutor, curated_bytes
from reference_fold import Batch, fold, read_json
from shape_orders import canonical_orders

from ordersetl import pipeline
from ordersetl.lake.layout import Lake
from ordersetl.results import BackfillResult, ExtractResult, RunResult
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings
from ordersetl.source.sample.amazon import amazon
from ordersetl.source.sample.bigcommerce import bigcommerce
from ordersetl.source.sample.exchange import Answer, Asked, Server, as_app
from ordersetl.source.sample.faults import FaultSource
from ordersetl.source.sample.shapes import list_settings, shape_server, shape_url
from ordersetl.source.sample.shop import Shop
from ordersetl.source.sample.shopify import shopify
from ordersetl.source.server import serve
from ordersetl.storage.disk import Disk
from ordersetl.window import Backfill, Window

__all__ = ["NOW", "Counted", "Pauses", "expected_bytes", "open_source", "output_bytes", "usual_server"]

NOW = datetime(2025, 11, 1, tzinfo=UTC)
"""When the runs begin, by this machine's clock and the servers'."""


@dataclass
class Counted:
    """A server that notes what it was asked."""

    server: Server
    asked: list[Asked] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.server(asked)


class Pauses:
    """Pauses that take no time, and a clock for which they do."""

    def __init__(self) -> None:
        self.slept_s = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds

    def clock(self) -> float:
        return time.monotonic() + self.slept_s


@dataclass(frozen=True)
class Source:
    """A served shape and its settings."""

    shape: str
    url: str
    settings: dict[str, Any]
    pauses: Pauses

    def run(self, output: Path, **more: Any) -> RunResult:
        """A run of all four stages over it. Pauses take no time, the disk syncs nothing."""
        return pipeline.run(self._settings(output, more), runtime=self._runtime())

    def fetch(
        self, output: Path, window: Window | None = None, *, backfill: Backfill | None = None, **more: Any
    ) -> ExtractResult | BackfillResult:
        """What a run does without its check, which takes most of a small one's time."""
        settings = self._settings(output, more)
        extracted = pipeline.extract(settings, window or Window(), backfill=backfill, runtime=self._runtime())
        pipeline.load(settings, runtime=self._runtime())
        return extracted

    def _settings(self, output: Path, more: dict[str, Any]) -> Settings:
        usual = {"source": self.shape, "api_url": shape_url(self.shape, self.url), "workers": 1, "page_size": 30}
        return Settings(output=output, **(usual | self.settings | more))

    def _runtime(self) -> Runtime:
        now = Clock(NOW, timedelta(milliseconds=1))
        return Runtime(now=now, disk=LaxDisk(), executor=SerialExecutor(), sleep=self.pauses.sleep)


@contextmanager
def open_source(
    shape: str,
    shop: Shop,
    faults: Sequence[FaultSource] = (),
    *,
    make_server: Callable[[Shop, Pauses], Server] | None = None,
) -> Iterator[Source]:
    """Serve the shop in a shape, by a server of its own or the usual one."""
    pauses = Pauses()
    server = make_server(shop, pauses) if make_server else usual_server(shape, shop, pauses)
    with serve(as_app(server, faults)) as url:
        given = {name.removeprefix("ORDERSETL_").lower(): value for name, value in list_settings(shape, url).items()}
        variables = {name.removeprefix("var_"): value for name, value in given.items() if name.startswith("var_")}
        settings: dict[str, Any] = {name: value for name, value in given.items() if not name.startswith("var_")}
        yield Source(shape, url, settings | ({"variables": variables} if variables else {}), pauses)


def usual_server(shape: str, shop: Shop, pauses: Pauses) -> Server:
    """The shape's server, in the time of the runs, with no limit that they could reach."""
    match shape:
        case "shopify":
            return shopify(shop, capacity=100_000, clock=pauses.clock, now=lambda: NOW)
        case "bigcommerce":
            return bigcommerce(shop, quota=100_000, clock=pauses.clock)
        case "amazon":
            return amazon(shop, now=lambda: NOW - timedelta(minutes=2))  # the runs' clock is fast
        case _:
            return shape_server(shape, shop)


def expected_bytes(shape: str, *shops: Shop) -> dict[str, bytes]:
    """What curated must hold after a run over each of the shops as they were, one after the other."""
    return fold([Batch(_exact(canonical_orders(shape, shop))) for shop in shops])


def _exact(orders: Iterable[dict[str, Any]]) -> list[object]:
    read = read_json(json.dumps(list(orders), default=str))
    assert isinstance(read, list)
    return read


def output_bytes(output: Path) -> dict[str, bytes]:
    """The curated files of an output."""
    return curated_bytes(Lake(output, Disk()))
