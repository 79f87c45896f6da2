"""Names: which are those of batches and partitions, and that there is always a later batch or a clear answer."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ordersetl.errors import StorageError
from ordersetl.lake.layout import Lake, batch_id_after, is_batch_id, partition_day
from ordersetl.lake.listing import is_committed, list_batches, list_misnamed, list_unfinished
from ordersetl.storage.disk import Disk

NOW = datetime(2025, 9, 1, tzinfo=UTC)
GOOD = "20250901T000000.000000Z"
IMPOSSIBLE = [
    "99991231T235959.999999Z",
    "20251301T000000.000000Z",
    "00000101T000000.000000Z",
    "22000101T000000.000000Z",
]


def test_ids_rise_although_the_clock_goes_back() -> None:
    assert batch_id_after(NOW, None) == GOOD
    assert batch_id_after(NOW, "20250831T000000.000000Z") == GOOD
    assert batch_id_after(NOW, "20261231T235959.999999Z") == "20270101T000000.000000Z"


@pytest.mark.parametrize(("now", "newest"), [(NOW, "21991231T235959.999999Z"), (NOW.replace(year=1969), None)])
def test_where_no_id_is_left_an_error_names_the_clock(now: datetime, newest: str | None) -> None:
    with pytest.raises(StorageError, match="there is no name for a new batch") as caught:
        batch_id_after(now, newest)
    assert "move the folder of that batch out of raw/" in caught.value.hint


@pytest.mark.parametrize("name", [*IMPOSSIBLE, "20250901", f"{GOOD}\n", f"../{GOOD}", ""])
def test_a_batch_is_named_for_a_time_that_a_clock_can_have_shown(name: str) -> None:
    assert is_batch_id(GOOD)
    assert not is_batch_id(name)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_batch_of_an_impossible_time_does_not_count(tmp_path: Path, name: str) -> None:
    lake = Lake(tmp_path, Disk())
    for batch in (GOOD, name):
        (lake.folder / "raw" / batch).mkdir(parents=True)
        (lake.folder / "raw" / batch / "batch.json").touch()
    assert (list_batches(lake), list_unfinished(lake), list_misnamed(lake)) == ([GOOD], [], [name])
    assert (is_committed(lake, GOOD), is_committed(lake, name)) == (True, False)
    assert batch_id_after(NOW, max(list_batches(lake))) > GOOD


@pytest.mark.parametrize(
    "file",
    [
        *(
            "dt=20250820/fact_order.csv",
            "dt=2025-W34-3/fact_order.csv",
            "dt=2025-08-20/x.csv",
            "dt=2025-02-30/fact_order.csv",
        ),
        *(
            "dt=2025-08-20/../fact_order.csv",
            "2025-08-20/fact_order.csv",
            "dt=2025-08-20",
            "dt=2025-08-20/fact_order.csv\n",
        ),
    ],
)
def test_a_partition_has_one_name(file: str) -> None:
    assert partition_day("dt=2025-08-20/fact_order.csv") == date(2025, 8, 20)
    assert partition_day(file) is None
