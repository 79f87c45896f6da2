"""Groups of partitions that workers elsewhere check: the result is that of a check here, and little travels."""

import contextlib
import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lakes import item, open_job, order, run, write_batch
from posted import PostedExecutor

from ordersetl.check import queries, tables
from ordersetl.check.groups import OpenWorkers
from ordersetl.check.layer import check
from ordersetl.executor import Workers
from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import encode_manifest, read_manifest
from ordersetl.results import CheckResult
from ordersetl.storage.disk import Disk

DAYS = range(20, 26)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day a group."""
    monkeypatch.setattr(tables, "GROUP_BYTES", 1)


@pytest.fixture
def posted() -> PostedExecutor:
    return PostedExecutor()


@pytest.fixture
def elsewhere(posted: PostedExecutor) -> OpenWorkers:
    return lambda: contextlib.nullcontext(Workers(posted, lambda: 2, lambda: None))


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """Some days, with rejected versions of orders that are there, that came back, and that never were."""
    with open_job(tmp_path / "output", disk=Disk()) as context:
        good = [order(f"o-{n}", 20 + n % 6, user_id=f"u-{n % 4}", items=[item(f"p-{n % 3}", n + 1)]) for n in range(30)]
        refunded = order("o-r", 22, refunds=[{"refund_id": "r", "created_at": "2025-08-30T10:00:00Z", "amount": 12}])
        write_batch(context, [*good, refunded, order("never", amount=-1), order("o-3", 23, amount=-1)], pages_of=10)
        run(context)
        again = [order("o-1", 21, updated_at="2025-09-01", amount=-1), order("o-3", 23, updated_at="2025-09-01")]
        write_batch(context, again)
        run(context)
        yield context.lake


def same(found: CheckResult, expected: CheckResult) -> bool:
    return replace(found, seconds=0.0) == replace(expected, seconds=0.0)


def test_the_result_is_that_of_a_check_here(lake: Lake, posted: PostedExecutor, elsewhere: OpenWorkers) -> None:
    found, expected = check(lake, open_workers=elsewhere), check(lake)
    assert posted.tasks == len(DAYS)
    assert same(found, expected)
    assert found.ok
    assert found.open_quarantine is not None
    assert found.open_quarantine.orders == 2


def test_what_a_run_wrote_is_checked_elsewhere_too(lake: Lake, posted: PostedExecutor, elsewhere: OpenWorkers) -> None:
    manifest = read_manifest(lake)
    assert manifest is not None
    days = sorted(manifest.partitions)[:3]
    assert same(check(lake, days=days, open_workers=elsewhere), check(lake, days=days))
    assert posted.tasks == len(days)


def copy_rows(lake: Lake, source: str, target: str) -> None:
    """Have a partition hold the rows of another one, as its manifest entry says."""
    manifest = read_manifest(lake)
    assert manifest is not None
    paths = [lake.folder / "curated" / f"dt=2025-08-{day}" / "fact_order.csv" for day in (source, target)]
    rows = [*csv.reader(io.StringIO(paths[0].read_text(), newline=""))][1:]
    with paths[1].open("a", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    lake.storage.put("curated/_manifest.json", encode_manifest(manifest))


def test_an_order_in_two_partitions_is_found(lake: Lake, elsewhere: OpenWorkers) -> None:
    copy_rows(lake, "20", "24")
    found, expected = check(lake, open_workers=elsewhere), check(lake)
    (twice,) = [outcome for outcome in found.outcomes if outcome.name == "one_partition_per_order"]
    assert twice.offending == 5
    by_name = {outcome.name: (outcome.ok, outcome.offending) for outcome in expected.outcomes}
    assert {outcome.name: (outcome.ok, outcome.offending) for outcome in found.outcomes} == by_name
    assert found.metrics == expected.metrics


def test_a_file_that_cannot_be_read_is_said(lake: Lake, elsewhere: OpenWorkers) -> None:
    path = lake.folder / "curated" / "dt=2025-08-22" / "fact_order.csv"
    path.write_bytes(path.read_bytes()[:-3])
    assert same(check(lake, open_workers=elsewhere), check(lake))


@pytest.mark.parametrize("options", [{"deep": True}, {"max_wanted": 0}])
def test_what_does_not_pay_is_checked_here(
    lake: Lake,
    posted: PostedExecutor,
    elsewhere: OpenWorkers,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
) -> None:
    if "max_wanted" in options:
        monkeypatch.setattr(queries, "_MAX_WANTED", options.pop("max_wanted"))
    assert same(check(lake, open_workers=elsewhere, **options), check(lake, **options))
    assert posted.tasks == 0
