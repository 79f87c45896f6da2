"""A user or product that changes reaches the days that use it, and no other day is read for that."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from lakes import curated_bytes, expected_bytes, item, open_job, order, rows, run, spoil, write_batch

from ordersetl.lake.manifest import IndexEntry, read_manifest
from ordersetl.load import files, uses
from ordersetl.runtime import RunContext


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    with open_job(tmp_path / "output") as opened:
        write_batch(opened, [order(f"o-{day}", day, user_id=f"u-{day}", items=[item("A")]) for day in range(20, 26)])
        run(opened)
        yield opened
        assert curated_bytes(opened.lake) == expected_bytes(opened.lake)


def kept_uses(context: RunContext) -> tuple[IndexEntry, ...] | None:
    manifest = read_manifest(context.lake)
    assert manifest is not None
    return manifest.uses


def move(context: RunContext, user: str, country: str, day: int = 27) -> list[str]:
    """A new order says where a user is now; the days that are written for that."""
    write_batch(context, [order(f"new-{country}", day, user_id=user, user={"country": country})])
    return [file[:13] for file in run(context).written]


def watch(monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """The days that are read to see what they use."""
    read: list[date] = []
    really = files.read_partition

    def note(lake: object, day: date, *given: object) -> object:
        read.append(day)
        return really(lake, day, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(uses, "read_partition", note)
    return read


def test_they_are_kept_from_when_they_are_needed_and_spare_the_other_days(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept_uses(context) is None
    assert move(context, "u-20", "FR") == ["dt=2025-08-20", "dt=2025-08-27"]
    assert kept_uses(context)
    read = watch(monkeypatch)
    assert move(context, "u-22", "MX") == ["dt=2025-08-22", "dt=2025-08-27"]
    assert read == [date(2025, 8, 22)]
    assert rows(context.lake, 22)[0]["user_country"] == "MX"


def test_days_that_came_later_are_found(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    move(context, "u-20", "FR")
    write_batch(context, [order("o-26", 26, user_id="u-22")])
    run(context)
    read = watch(monkeypatch)
    assert move(context, "u-22", "MX") == ["dt=2025-08-22", "dt=2025-08-26", "dt=2025-08-27"]
    assert read == [date(2025, 8, 22), date(2025, 8, 26)]


def test_lost_ones_are_made_again(context: RunContext) -> None:
    move(context, "u-20", "FR")
    for entry in kept_uses(context) or ():
        spoil(context.lake.folder / "index" / entry.name)
    assert move(context, "u-22", "MX") == ["dt=2025-08-22", "dt=2025-08-27"]
    assert move(context, "u-23", "BE") == ["dt=2025-08-23", "dt=2025-08-27"]


def test_a_day_that_is_broken_meanwhile_is_reached_later(context: RunContext) -> None:
    (context.lake.folder / "curated/dt=2025-08-22/fact_order.csv").unlink()
    move(context, "u-20", "FR")
    assert move(context, "u-22", "MX") == ["dt=2025-08-22", "dt=2025-08-27"]
