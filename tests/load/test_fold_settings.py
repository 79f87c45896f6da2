"""The settings that the curated layer depends on: recorded with it, and compared by each load."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lakes import curated_bytes, load, open_job, order, rows, run, transform, write_batch

from ordersetl.errors import ConfigError
from ordersetl.lake import fold_settings
from ordersetl.lake.fold_settings import FoldSettings
from ordersetl.lake.manifest import read_manifest, require_timezone
from ordersetl.runtime import RunContext


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@contextmanager
def opened(output: Path, **settings: Any) -> Iterator[RunContext]:
    with open_job(output, **settings) as context:
        yield context


def refuse_other_timezone(context: RunContext) -> None:
    require_timezone(context.lake, FoldSettings.of(context.settings))


def test_partitions_are_the_days_of_the_shop(output: Path) -> None:
    with opened(output, timezone="Europe/Berlin") as context:
        late = order("o-1", created_at="2025-08-20T22:30:00Z")
        write_batch(context, [late, order("o-2", created_at="2025-08-20T21:30:00Z")])
        run(context)
        assert [[row["order_id"] for row in rows(context.lake, day)] for day in (20, 21)] == [["o-2"], ["o-1"]]
        manifest = read_manifest(context.lake)
        assert manifest is not None
        assert manifest.settings.timezone == "Europe/Berlin"


@pytest.mark.parametrize("command", [load, refuse_other_timezone])
def test_another_time_zone_is_refused(output: Path, command: Callable[[RunContext], object]) -> None:
    with opened(output) as context:
        write_batch(context, [order()])
        run(context)
        before = curated_bytes(context.lake)
    with opened(output, timezone="Asia/Tokyo") as context:
        with pytest.raises(ConfigError, match=r"UTC.*Asia/Tokyo") as caught:
            command(context)
        assert "load --rebuild" in caught.value.hint
        assert curated_bytes(context.lake) == before


def test_a_rebuild_changes_the_time_zone(output: Path) -> None:
    with opened(output) as context:
        write_batch(context, [order(created_at="2025-08-20T22:30:00Z", refunds=[])])
        run(context)
    with opened(output, timezone="Asia/Tokyo") as context:
        result = load(context, rebuild=True)
        assert (result.rebuilt, result.partitions_removed) == (True, 0)
        assert [path.name for path in (context.lake.folder / "curated").glob("dt=*")] == ["dt=2025-08-21"]
        assert run(context).rebuilt is False


def test_other_statuses_of_cancelled_orders_fold_everything_again(output: Path) -> None:
    with opened(output) as context:
        write_batch(context, [order(status="Lost"), order("o-2", status="Cancelled")])
        run(context)
        assert [row["cancelled"] for row in rows(context.lake, 20)] == ["false", "true"]
    with opened(output, cancelled_statuses="lost") as context:
        assert len(transform(context).staged_anew) == 1
        result = load(context)
        assert result.rebuilt is True
        assert [row["cancelled"] for row in rows(context.lake, 20)] == ["true", "false"]
        assert transform(context).batches == ()
        assert run(context).rebuilt is False


def test_what_was_staged_under_other_settings_is_staged_again(output: Path) -> None:
    with opened(output) as context:
        write_batch(context, [order(created_at="2025-08-20T22:30:00Z")])
        transform(context)
    with opened(output, timezone="Asia/Tokyo") as context:
        assert load(context).written == ("dt=2025-08-21/fact_order.csv",)


def test_an_upgrade_of_the_zones_data_folds_all_again(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(output, timezone="Europe/Berlin") as context:
        write_batch(context, [order(created_at="2025-08-20T22:30:00Z")])
        run(context)
    monkeypatch.setattr(fold_settings, "hash_zone", lambda _: "0" * 16)
    with opened(output, timezone="Europe/Berlin") as context:
        result = run(context)
        assert result.rebuilt
        assert not run(context).rebuilt


def test_without_a_manifest_any_time_zone_will_do(output: Path) -> None:
    with opened(output, timezone="Asia/Tokyo") as context:
        refuse_other_timezone(context)
        write_batch(context, [order()])
        run(context)
        (output / "curated/_manifest.json").write_text("damaged")
        refuse_other_timezone(context)
    with opened(output) as context:
        assert load(context).rebuilt is True
