"""What a command costs at an object store: the requests of each kind are at most those of docs/scale.md."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from s3_server import Proxy, s3_server

from ordersetl import pipeline
from ordersetl.runtime import Runtime
from ordersetl.settings import Settings
from ordersetl.source.sample import sample_app, sample_orders, sample_references
from ordersetl.storage.store import open_store
from ordersetl.url import ObjectUrl

pytest.importorskip("obstore", reason="the extra s3 is not installed")
pytest.importorskip("moto", reason="the server of the tests is not installed")

KINDS = ("GET", "HEAD", "LIST", "PUT", "DELETE")
DOLLARS_A_THOUSAND = {"GET": 0.0004, "HEAD": 0.0004, "LIST": 0.005, "PUT": 0.005, "DELETE": 0.005}
"""S3 Standard in us-east-1; a DELETE of several objects is a POST, which counts as a PUT."""
TABLE = re.compile(r"^\| ([a-z ]+) \|" + r" ([0-9]+) \|" * len(KINDS) + r" ([0-9.]+) \|$", re.MULTILINE)


def read_bounds() -> dict[str, tuple[dict[str, int], float]]:
    """The table of docs/scale.md: at most so many requests of each kind, and dollars for a thousand such commands."""
    text = (Path(__file__).parents[1] / "docs" / "scale.md").read_text()
    return {
        name: (dict(zip(KINDS, map(int, counts), strict=True)), float(dollars))
        for name, *counts, dollars in TABLE.findall(text)
    }


def price(counts: Mapping[str, int]) -> float:
    """Dollars for a thousand such commands."""
    return sum(DOLLARS_A_THOUSAND[kind] * count for kind, count in counts.items())


@pytest.fixture(scope="module")
def counted() -> Iterator[dict[str, Counter[str]]]:
    """Requests of the commands of a shop's first days, by the name of the command."""
    orders: list[Any] = json.loads(json.dumps(sample_orders()))
    with s3_server() as url, Proxy(url) as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in proxy.variables.items():
            patch.setenv(name, value)
        open_store.cache_clear()
        settings = Settings(output=ObjectUrl(proxy.bucket, "counted"), api_url="http://shop.invalid", workers=2)
        users, products = sample_references()
        counts = {}

        def count(name: str, command: Any, **arguments: Any) -> Any:
            runtime = Runtime(transport=httpx.WSGITransport(app=sample_app(orders)))
            proxy.take_counts()
            result = command(settings, runtime=runtime, **arguments)
            counts[name] = proxy.take_counts()
            return result

        first = count("first run", pipeline.run, users=users, products=products)
        assert first.load.partitions_written == 31
        quiet = count("run with nothing new", pipeline.run)
        assert quiet.is_quiet
        for record in orders:
            if isinstance(record, dict) and str(record.get("created_at")).startswith("2025-08-20"):
                record["updated_at"] = "2025-09-03T00:00:00Z"
        update = count("update of one day", pipeline.run)
        assert update.load.partitions_written == 1
        assert count("check", pipeline.check).ok
        yield counts
    open_store.cache_clear()


@pytest.mark.parametrize("name", ["first run", "run with nothing new", "update of one day", "check"])
def test_a_command_makes_no_more_requests_than_documented(counted: dict[str, Counter[str]], name: str) -> None:
    bounds, dollars = read_bounds()[name]
    found = {kind: counted[name][kind] for kind in KINDS}
    assert sum(counted[name].values()) == sum(found.values())
    over = {kind: (count, bounds[kind]) for kind, count in found.items() if count > bounds[kind]}
    assert over == {}
    assert price(bounds) == pytest.approx(dollars, abs=0.005)
