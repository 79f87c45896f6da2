"""The quarantine as a list: what is open, why, where it is in raw; and what closes it."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lakes import item, open_job, order, run, write_batch

from ordersetl.errors import ConfigError
from ordersetl.lake.layout import Lake
from ordersetl.results import QuarantineResult
from ordersetl.runtime import RunContext
from ordersetl.status.order_life import trace_order
from ordersetl.status.rejects import list_quarantine

LATER = "2025-08-25T10:00:00Z"


def fill(job: RunContext, *records: object) -> str:
    batch = write_batch(job, records)
    run(job)
    return batch


def ids(found: QuarantineResult) -> list[str | None]:
    return [record.order_id for record in found.records]


def test_each_record_says_why_and_where_it_is(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        batch = fill(job, order("good"), order("lined", items=[item(), item("B", qty=-1)]), order("bad", amount=-1), 7)
    found = list_quarantine(Lake(tmp_path))
    assert (found.open.orders, found.open.without_id) == (1, 1)
    assert found.open.by_reason == {"invalid_amount": 1, "not_an_object": 1}
    assert found.lines == {"invalid_qty": 1}
    assert [(r.order_id, r.reason, r.page, r.index, r.line, r.scope) for r in found.records] == [
        ("lined", "invalid_qty", f"raw/{batch}/page-00001.json", 1, 1, "line"),
        ("bad", "invalid_amount", f"raw/{batch}/page-00002.json", 0, None, "order"),
        (None, "not_an_object", f"raw/{batch}/page-00002.json", 1, None, "order"),
    ]
    assert "amount" in found.records[1].detail


def test_the_newest_batch_comes_first_and_each_order_once(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        fill(job, order("a", amount=-1), order("b", amount=-1))
        newest = fill(job, order("a", amount="no"))
    found = list_quarantine(Lake(tmp_path))
    assert ids(found) == ["a", "b"]
    assert found.records[0].batch == newest


@pytest.mark.parametrize("size", [1 << 34, 0])
def test_a_file_that_was_made_vast_or_empty_costs_itself_alone(tmp_path: Path, size: int) -> None:
    with open_job(tmp_path) as job:
        harmed = fill(job, order("a", amount=-1))
        fill(job, order("b", amount=-1))
    path = tmp_path / "quarantine" / f"{harmed}.ndjson"
    os.truncate(path, 0)
    os.truncate(path, size)
    assert ids(list_quarantine(Lake(tmp_path))) == ["b"]


def test_filters(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        fill(job, order("a", amount=-1), order("b", items=[]), order("c", items=[item(), item("B", price=-1)]))
    lake = Lake(tmp_path)
    assert ids(list_quarantine(lake, reason="no_items")) == ["b"]
    assert ids(list_quarantine(lake, reason="invalid_price")) == ["c"]
    assert ids(list_quarantine(lake, order_id="a")) == ["a"]
    found = list_quarantine(lake, order_id="a", reason="no_items")
    assert (found.selected, found.records) == (0, ())
    assert found.open.orders == 2


def test_an_id_that_is_too_long_is_found_as_the_source_has_it(tmp_path: Path) -> None:
    long = "y" * 256
    with open_job(tmp_path) as job:
        write_batch(job, [order(long), order("b", amount=-1)])
        run(job)
    assert list_quarantine(Lake(tmp_path), order_id=long).selected == 1
    traced = trace_order(Lake(tmp_path), long, datetime(2025, 9, 2, tzinfo=UTC))
    assert (traced.state, [version.reason for version in traced.versions]) == ("rejected", ["invalid_order_id"])


def test_a_reason_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        fill(job, order("a", amount=-1))
    path = next((tmp_path / "quarantine").glob("*.ndjson"))
    for reason, meant in (("invalid_ammount", "; did you mean invalid_amount?"), ("typo", "")):
        with pytest.raises(ConfigError, match=rf"^--reason {reason}: there is no such reason{re.escape(meant)}$"):
            list_quarantine(Lake(tmp_path), reason=reason)
    assert list_quarantine(Lake(tmp_path), reason="invalid_tax").selected == 0
    path.write_text(path.read_text("utf-8").replace("invalid_amount", "of_another_version"))
    assert list_quarantine(Lake(tmp_path), reason="of_another_version").selected == 1


def test_a_later_version_closes_what_was_rejected(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        fill(job, order("a", amount=-1), order("b", items=[item(), item("B", qty=-1)]), order("c", amount=-1))
        fill(
            job, order("a", updated_at=LATER), order("b", updated_at=LATER), order("c", deleted=True, updated_at=LATER)
        )
    found = list_quarantine(Lake(tmp_path))
    assert (found.open.orders, found.lines, found.records) == (0, {}, ())


def test_an_older_good_version_leaves_it_open(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        fill(job, order("a"))
        fill(job, order("a", amount=-1, updated_at=LATER))
    assert ids(list_quarantine(Lake(tmp_path))) == ["a"]


def test_a_lost_index_costs_time_alone(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        fill(job, order("a", amount=-1), order("b", amount=-1))
        fill(job, order("a", updated_at=LATER))
    for segment in (tmp_path / "index").iterdir():
        segment.unlink()
    assert ids(list_quarantine(Lake(tmp_path))) == ["b"]


def test_nothing_rejected_is_nothing(tmp_path: Path) -> None:
    with open_job(tmp_path) as job:
        fill(job, order("a"))
    assert list_quarantine(Lake(tmp_path)).records == ()
