"""What closes a rejected version: the one that curated has, where the fold would take that for the newer one."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from described_shop import SmallShop, sale
from lakes import item, open_job, order, run, transform, write_batch

from ordersetl import pipeline
from ordersetl.check import winners
from ordersetl.check.layer import check
from ordersetl.lake import staged
from ordersetl.lake.layout import Lake
from ordersetl.lake.staged import StageMarker
from ordersetl.status.rejects import list_quarantine
from ordersetl.window import Window

EARLIER, LATER = "2025-08-20T09:00:00Z", "2025-08-25T10:00:00Z"

Fields = dict[str, object]
GOOD: Fields = {}
BAD: Fields = {"amount": -1}
UNREADABLE: Fields = {"created_at": "20.08.2025 10:00"}
WITHOUT: Fields = {"created_at": ...}
SOON: Fields = {"updated_at": "soon"}
GONE: Fields = {"deleted": True}
LINED: Fields = {"items": [item(), item("B", qty="x")]}
MOVED: Fields = {"day": 21, "updated_at": "2025-08-20T10:00:00Z"}
OLDER: Fields = {"updated_at": EARLIER}
NEWER: Fields = {"updated_at": LATER}

CASES: list[tuple[list[list[Fields]], list[str]]] = [
    # of the same time: the later batch, then the later position is the newer one
    ([[GOOD], [BAD]], ["invalid_amount"]),
    ([[BAD], [GOOD]], []),
    ([[GOOD], [BAD], [GOOD]], []),
    ([[GOOD], [BAD], [MOVED]], []),
    ([[GOOD, BAD]], ["invalid_amount"]),
    ([[BAD, GOOD]], []),
    ([[GOOD], [BAD, GOOD]], []),
    ([[GOOD], [GOOD, BAD]], ["invalid_amount"]),
    ([[BAD], [GONE]], []),
    ([[GOOD], [GONE], [BAD]], ["invalid_amount"]),
    ([[BAD], [BAD]], ["invalid_amount"]),
    # without a readable time, likewise
    ([[UNREADABLE], [GOOD]], []),
    ([[WITHOUT], [GOOD]], []),
    ([[SOON], [GOOD]], []),
    ([[SOON], [GOOD], [NEWER]], []),
    ([[SOON, GOOD]], []),
    ([[GOOD, SOON]], ["invalid_updated_at"]),
    ([[NEWER], [SOON]], ["invalid_updated_at"]),
    ([[GOOD], [SOON], [OLDER]], ["invalid_updated_at"]),
    ([[SOON], [GONE]], []),
    ([[GOOD], [GONE], [SOON]], ["invalid_updated_at"]),
    # a line, while its version is the one that curated has
    ([[LINED], [GOOD]], []),
    ([[LINED, GOOD]], []),
    ([[GOOD], [LINED]], ["invalid_qty"]),
    ([[LINED], [LINED]], ["invalid_qty"]),
    ([[LINED], [BAD]], ["invalid_amount", "invalid_qty"]),
    ([[LINED], [GONE]], []),
]
"""Versions of an order, batch by batch, and what of them is open in the end."""


def list_open(root: Path) -> dict[str | None, list[str]]:
    """Reasons of what is open by order; a check says the same of whole orders."""
    found = list_quarantine(Lake(root))
    checked = check(Lake(root)).open_quarantine
    assert checked is not None
    assert checked.by_reason == found.open.by_reason
    reasons: dict[str | None, list[str]] = {}
    for record in found.records:
        reasons.setdefault(record.order_id, []).append(record.reason)
    return reasons


@pytest.mark.parametrize("is_staged", [True, False])
def test_the_newer_version_closes(tmp_path: Path, *, is_staged: bool) -> None:
    with open_job(tmp_path) as job:
        for at in range(3):
            batches = [(number, case[at]) for number, (case, _) in enumerate(CASES) if at < len(case)]
            write_batch(job, [order(number, **fields) for number, versions in batches for fields in versions])
            run(job)
    if not is_staged:
        shutil.rmtree(tmp_path / "staged")
    assert list_open(tmp_path) == {str(number): reasons for number, (_, reasons) in enumerate(CASES) if reasons}


def test_what_waits_closes_nothing(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order()])
        write_batch(job, [order(amount=-1), order("2", items=[item(), item("B", qty="x")])])
        run(job)
        write_batch(job, [order(), order("2"), order("2", items=[item(), item("C", qty="x")])])
        transform(job)
        assert list_open(tmp_path) == {"o-1": ["invalid_amount"], "2": ["invalid_qty"]}
        run(job)
        assert list_open(tmp_path) == {"2": ["invalid_qty"]}


def test_a_version_outside_of_the_window_closes_nothing(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        write_batch(job, [order(created_at=EARLIER)])
        write_batch(job, [order(created_at=EARLIER, amount=-1)])
        write_batch(job, [order(created_at=EARLIER), order("x")], since=datetime(2025, 8, 20, 9, 30, tzinfo=UTC))
        run(job)
    shutil.rmtree(tmp_path / "staged")
    assert list_open(tmp_path) == {"o-1": ["invalid_amount"]}


@pytest.mark.parametrize("is_staged", [True, False])
def test_of_a_described_source_the_mapping_says_what_is_a_version(tmp_path: Path, *, is_staged: bool) -> None:
    shop = SmallShop(tmp_path, [sale(1)])
    expected = {"1": ["invalid_amount"]}
    for changes, found in (({}, {}), ({"total": "x"}, expected), ({"state": "draft"}, expected), ({}, {})):
        shop.sales = [sale(1, **changes)]
        shop.run()
        if not is_staged:
            shutil.rmtree(tmp_path / "output/staged")
        assert list_open(tmp_path / "output") == found


def test_a_corrected_mapping_counts_once_curated_is_folded_by_it(tmp_path: Path) -> None:
    shop = SmallShop(tmp_path)
    for changes in ({"changed": None}, {"changed": None, "total": "x"}, {"changed": None}):
        shop.sales = [sale(1, **changes)]
        shop.run()
    shop.description = shop.description.replace('updated_at = "changed"', f'updated_at = "changed || `\\"{LATER}\\"`"')
    pipeline.extract(shop.settings(), window=Window(), runtime=shop.runtime())
    pipeline.transform(shop.settings(), runtime=shop.runtime())
    assert list_open(tmp_path / "output") == {}


@pytest.mark.parametrize("closed_by", [3, 12])
def test_what_closes_is_looked_for_in_few_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_by: int
) -> None:
    with open_job(tmp_path) as job:
        for number in range(1, 13):
            fields = {2: SOON, closed_by: NEWER}.get(number, GOOD)
            write_batch(job, [order("o-1" if number in {1, 2, closed_by} else f"other-{number}", **fields)])
        run(job)
    read: list[str] = []

    def read_stage(lake: Lake, batch: str) -> StageMarker | None:
        read.append(batch)
        return staged.read_stage(lake, batch)

    monkeypatch.setattr(winners, "read_stage", read_stage)
    assert list_quarantine(Lake(tmp_path)).open.by_reason == {}
    assert len(read) <= 3
