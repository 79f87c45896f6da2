"""Days on which orders stayed away: falls only, by the same weekday, and never more than a warning."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from lakes import open_job, order, run, write_batch

from ordersetl.check.layer import check
from ordersetl.check.volume import find_falls
from ordersetl.lake.journal import keep_journal
from ordersetl.lake.layout import Lake

TODAY = date(2025, 8, 20)


def shop(**changes: int) -> dict[date, int]:
    """Ten weeks of 100 orders a day, 40 on Sundays; changed on the days so many days before today."""
    days = [TODAY - timedelta(back) for back in range(70)]
    usual = {day: 40 if day.isoweekday() == 7 else 100 for day in days}
    return usual | {TODAY - timedelta(int(back[1:])): count for back, count in changes.items()}


def test_a_steady_shop_is_well() -> None:
    assert find_falls(shop(), TODAY) == []


def test_a_fall_is_told_by_the_same_weekday() -> None:
    day = TODAY - timedelta(1)
    assert find_falls(shop(d1=45), TODAY) == [(day, 45, 100)]
    assert find_falls(shop(d1=51), TODAY) == []
    assert find_falls(shop(d3=40), TODAY) == []  # a Sunday
    assert find_falls(shop(d1=900), TODAY) == []


def test_a_day_without_any_order_is_a_fall() -> None:
    orders = shop()
    del orders[TODAY - timedelta(2)]
    assert find_falls(orders, TODAY) == [(TODAY - timedelta(2), 0, 100)]


def test_today_and_long_ago_are_left_alone() -> None:
    assert find_falls(shop(d0=0), TODAY) == []
    assert find_falls(shop(d8=0), TODAY) == []


def test_one_bad_week_before_does_not_hide_it() -> None:
    assert find_falls(shop(d8=0, d1=10), TODAY) == [(TODAY - timedelta(1), 10, 100)]


def test_small_numbers_fall_by_chance() -> None:
    few = dict.fromkeys(shop(), 4)
    assert find_falls(few | {TODAY - timedelta(1): 0}, TODAY) == []
    some = dict.fromkeys(shop(), 16)
    assert find_falls(some | {TODAY - timedelta(1): 5}, TODAY) == []
    assert find_falls(some | {TODAY - timedelta(1): 3}, TODAY) == [(TODAY - timedelta(1), 3, 16)]


def test_a_young_shop_has_no_usual_day() -> None:
    young = {day: 100 for day in shop() if day > TODAY - timedelta(22)}
    assert find_falls(young | {TODAY - timedelta(1): 0}, TODAY) == []


def test_it_warns_and_fails_nothing(tmp_path: Path) -> None:
    days = [date(2025, 6, 30) + timedelta(number) for number in range(51) if number != 49]
    records = [order(f"o-{day}-{n}", created_at=f"{day}T10:00:00Z") for day in days for n in range(12)]
    now = datetime(2025, 8, 20, 12, tzinfo=UTC)
    with open_job(tmp_path, now=lambda: now) as job, keep_journal(job.lake, "run", job.now) as journal:
        write_batch(job, records, pages_of=300)
        journal.note_asked(now, is_news=True)
        journal.begin("load")
        run(job)
    result = check(Lake(tmp_path))
    assert result.ok
    (found,) = (outcome for outcome in result.outcomes if outcome.name == "orders_of_a_day")
    assert (found.ok, found.warning, found.offending) == (True, True, 1)
    assert found.samples == ({"dt": "2025-08-18", "orders": "0", "usual": "12"},)
    assert found.detail == "0 orders on 2025-08-18, and 12 are usual on that weekday"
    assert check(Lake(tmp_path), days=[days[0]]).outcomes[-1] is not None
