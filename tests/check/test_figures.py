"""The figures of the page are those of the views over the same files, and of the check that was made with them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from lakes import item, open_job, order, run, write_batch

from ordersetl.check.figures import list_periods
from ordersetl.check.layer import check_with_figures
from ordersetl.lake.layout import Lake
from ordersetl.resources import locate
from ordersetl.results import CheckResult, LayerFigures, Period
from ordersetl.star.schema import TABLES

NOW = datetime(2025, 9, 1, 12, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def refund(amount: object, at: str, sku: str | None = None) -> dict[str, object]:
    items = {"items": [{"sku": sku, "amount": amount}]} if sku else {}
    return {"refund_id": f"r-{at}", "created_at": at, "amount": amount, **items}


SALES = [
    order("o-1", 10, amount="12.30", discount="1", tax="2.30", shipping="1", items=[item("A", 2, 5)]),
    order("o-2", 10, amount="20", refunds=[refund("5.5", "2025-08-03T22:30:00Z"), refund("1", "2026-01-01T00:00:00Z")]),
    order("o-3", 20, amount="7.0001", currency="USD", items=[item("B", 1, "7.0001")], user={"country": "FR"}),
    order("o-4", 20, amount="30", cancelled_at="2025-08-21T00:00:00Z", refunds=[refund("10", "2025-08-21T23:59:59Z")]),
    order("o-5", 20, amount="9", currency=None, items=[item("C", 3, 3)]),
    order("o-6", 21, created_at="2025-08-21T22:30:00Z", items=[item("A"), item("B", 1, 4)], amount="14"),
    order("o-7", 21, amount="-1"),
    order("o-8", 21, amount="-2"),
    order(..., 21),
]


def make_lake(root: Path, records: Sequence[object] = SALES, timezone: str = "UTC") -> Lake:
    with open_job(root, timezone=timezone) as job:
        write_batch(job, records, users=b"user_id,email,country,created_at\nu-1,a@b.example,DE,2025-01-01\n")
        run(job)
        return job.lake


def figures_of(lake: Lake, now: datetime = NOW) -> tuple[CheckResult, LayerFigures]:
    result, figures = check_with_figures(lake, now)
    assert figures is not None
    return result, figures


def query(lake: Lake, sql: str, timezone: str = "UTC") -> list[tuple[object, ...]]:
    """Rows of the views over the curated files, by the zone's name in them, as the docs say."""
    curated = lake.folder / "curated"
    text = (locate("sql") / "views.sql").read_text("utf-8")
    text = text.replace("TIME ZONE 'UTC' AS DATE", f"TIME ZONE '{timezone}' AS DATE")
    with duckdb.connect() as database:
        for table in TABLES:
            files = {"fact_order": "dt=*/*.csv", "fact_refund": "fact_refund/dt=*/*.csv"}.get(table.name)
            names = ", ".join(f"'{name}': '{kind}'" for name, kind in table.duckdb_columns.items())
            database.execute(
                f"""CREATE VIEW {table.name} AS FROM read_csv('{curated / (files or f"{table.name}.csv")}',
                    columns = {{{names}}}, auto_detect = false, header = true, hive_partitioning = {bool(files)})"""
            )
        database.execute(text)
        return database.execute(sql).fetchall()


@pytest.mark.parametrize("timezone", ["UTC", BERLIN, "Pacific/Kiritimati", "America/St_Johns"])
def test_days_are_those_of_the_view(tmp_path: Path, timezone: str) -> None:
    lake = make_lake(tmp_path / "output", timezone=timezone)
    result, figures = figures_of(lake)
    assert result.ok
    steps = "gross_amount, discount_amount, tax_amount, shipping_amount, amount, refunded_amount, cancelled_amount"
    expected = query(
        lake, f"SELECT day, coalesce(currency, ''), orders, {steps} FROM sales_by_day ORDER BY 2, 1", timezone
    )
    found = [
        (d.day, d.currency, d.orders, d.gross, d.discount, d.tax, d.shipping, d.amount, d.refunded, d.cancelled)
        for d in figures.days
    ]
    assert found == expected
    assert len(found) >= 7


def test_a_refund_counts_on_the_shops_own_day(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "output", timezone=BERLIN)
    refunded = {(d.day, d.refunded) for d in figures_of(lake)[1].days if d.refunded}
    assert refunded == {
        (date(2025, 8, 4), Decimal("5.5")),
        (date(2026, 1, 1), Decimal(1)),
        (date(2025, 8, 22), Decimal(10)),
    }


def test_days_add_up_to_the_bridge_of_the_check(tmp_path: Path) -> None:
    result, figures = figures_of(make_lake(tmp_path / "output"))
    for bridge in result.metrics.bridge:
        own = [day for day in figures.days if day.currency == bridge.currency]
        for step in ("gross", "discount", "tax", "shipping", "amount", "refunded", "cancelled"):
            assert sum(getattr(day, step) for day in own) == getattr(bridge, step), (bridge.currency, step)
    assert {metric.currency: metric.orders for metric in result.metrics.currencies} == {
        currency: sum(day.orders for day in figures.days if day.currency == currency) for currency in figures.currencies
    }
    assert figures.currencies == ("EUR", "", "USD")
    assert figures.currencies_left_out == 0


def test_products_and_countries_of_all_days_are_those_of_the_check(tmp_path: Path) -> None:
    result, figures = figures_of(make_lake(tmp_path / "output"))
    products = {(s.currency, s.name, s.count, s.amount) for s in figures.products if s.period == "all"}
    assert products == {(m.currency, m.sku, m.qty, m.revenue) for m in result.metrics.products}
    countries = {(s.currency, s.name, s.count, s.amount) for s in figures.countries if s.period == "all"}
    assert countries == {(m.currency, m.country, Decimal(m.orders), m.revenue) for m in result.metrics.countries}


def test_net_sales_of_products_are_what_refunds_and_cancellations_leave(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "output")
    expected = query(
        lake,
        """SELECT sku, sum(CASE WHEN cancelled THEN 0 ELSE net_amount - refunded_amount END) FROM fact_order
        WHERE currency = 'EUR' GROUP BY sku""",
    )
    found = [(s.name, s.net) for s in figures_of(lake)[1].products if (s.period, s.currency) == ("all", "EUR")]
    assert sorted(found) == sorted(expected)
    assert sum(net for _, net in found) == Decimal("12.3") + Decimal("13.5") + 14


def test_a_period_has_its_own_days_alone(tmp_path: Path) -> None:
    records = [order(f"o-{month}", created_at=f"2025-{month:02}-28T10:00:00Z") for month in range(1, 9)]
    _, figures = figures_of(make_lake(tmp_path / "output", records))
    counts = {share.period: share.count for share in figures.countries}
    assert counts == {
        "all": 8,
        "30": 1,
        "90": 3,
        "2025": 8,
        **{f"2025-{month:02}": 1 for month in range(1, 9)},
    }


def test_products_and_countries_of_a_period_are_of_the_days_that_it_shows(tmp_path: Path) -> None:
    days = ("2025-07-10", "2025-08-31", "2025-09-01", "2025-09-02", "2025-12-31")
    _, figures = figures_of(make_lake(tmp_path / "output", [order(day, created_at=day) for day in days]))
    assert {period.key for period in figures.periods} == {"all", "30", "2025", "2025-07", "2025-08", "2025-09"}
    for period in figures.periods:
        sold = sum(sales.amount for sales in figures.days if period.since <= sales.day <= period.until)
        for shares in (figures.products, figures.countries):
            assert sum(share.amount for share in shares if share.period == period.key) == sold, period
    assert [period.until for period in figures.periods[1:4]] == [date(2025, 9, 1)] * 3


def test_a_refund_after_the_last_order_is_in_the_periods_of_its_day(tmp_path: Path) -> None:
    refunds = [refund(4, "2025-08-30T23:00:00Z"), refund(1, "2025-09-02T10:00:00Z")]
    records = [order("o-1", created_at="2025-06-28T10:00:00Z"), order("o-2", 20, refunds=refunds)]
    lake = make_lake(tmp_path / "output", records, timezone=BERLIN)
    _, figures = figures_of(lake)
    assert figures.last_day == date(2025, 8, 31)
    assert {period.key: period.until for period in figures.periods} == {
        "all": date(2025, 9, 2),
        "30": date(2025, 8, 31),
        "2025": date(2025, 8, 31),
        "2025-06": date(2025, 6, 30),
        "2025-08": date(2025, 8, 31),
    }
    for period in figures.periods:
        found = sum(sales.refunded for sales in figures.days if period.since <= sales.day <= period.until)
        days = f"day BETWEEN DATE '{period.since}' AND DATE '{period.until}'"
        in_view = query(lake, f"SELECT coalesce(sum(refunded_amount), 0) FROM sales_by_day WHERE {days}", BERLIN)
        assert [(found,)] == in_view, period


def test_a_month_of_refunds_alone_can_be_chosen(tmp_path: Path) -> None:
    records = [order("o-1", created_at="2025-06-28T10:00:00Z", refunds=[refund(4, "2025-07-02T10:00:00Z")])]
    _, figures = figures_of(make_lake(tmp_path / "output", records))
    assert [period.key for period in figures.periods] == ["all", "2025", "2025-07", "2025-06"]
    assert not [share for share in figures.products if share.period == "2025-07"]


def test_small_products_are_one_row(tmp_path: Path) -> None:
    lines = [item(f"P-{number:02}", 1, number) for number in range(1, 13)]
    _, figures = figures_of(make_lake(tmp_path / "output", [order(items=lines, amount=78)]))
    shown = [share for share in figures.products if share.period == "all"]
    assert [share.name for share in shown] == [*(f"P-{number:02}" for number in range(12, 4, -1)), None]
    others = shown[-1]
    assert (others.names, others.count, others.amount) == (4, Decimal(4), Decimal(1 + 2 + 3 + 4))


def test_many_currencies_are_the_dozen_with_the_most_orders(tmp_path: Path) -> None:
    records = [order(f"o-{n}-{m}", currency=f"X{n:02}") for n in range(14) for m in range(n + 1)]
    _, figures = figures_of(make_lake(tmp_path / "output", records))
    assert figures.currencies == tuple(f"X{n:02}" for n in range(13, 1, -1))
    assert figures.currencies_left_out == 2
    assert {day.currency for day in figures.days} == set(figures.currencies)
    assert {share.currency for share in figures.products} == set(figures.currencies)


def test_each_reason_has_its_newest_example(tmp_path: Path) -> None:
    _, figures = figures_of(make_lake(tmp_path / "output"))
    assert [(r.reason, r.orders, r.order_id, r.page, r.index) for r in figures.rejects] == [
        ("invalid_amount", 2, "o-8", 4, 1),
        ("missing_order_id", 1, None, 5, 0),
    ]
    assert figures.rejects[0].detail == "amount is not between 0 and 10^14"


def test_an_order_from_the_future_does_not_hide_the_present(tmp_path: Path) -> None:
    records = [order("o-1", 20), order("o-2", created_at="2199-01-01T00:00:00Z")]
    _, figures = figures_of(make_lake(tmp_path / "output", records))
    assert figures.last_day == date(2025, 8, 20)
    assert [period.key for period in figures.periods] == ["all", "2025", "2025-08"]
    assert figures.periods[0] == Period("all", date(2025, 8, 20), date(2199, 1, 1))


def test_without_orders_there_are_none(tmp_path: Path) -> None:
    _, figures = figures_of(make_lake(tmp_path / "output", []))
    assert (figures.currencies, figures.days, figures.periods, figures.last_day) == ((), (), (), None)


def test_without_a_manifest_there_is_nothing_to_go_by(tmp_path: Path) -> None:
    result, figures = check_with_figures(Lake(tmp_path), NOW)
    assert not result.ok
    assert figures is None


def test_periods_end_with_the_last_day_that_has_begun() -> None:
    days = [date(2024, 2, 29), date(2025, 8, 20), date(2025, 9, 2)]
    periods = {period.key: (period.since, period.until) for period in list_periods(days, date(2025, 9, 1))}
    assert periods == {
        "all": (date(2024, 2, 29), date(2025, 9, 2)),
        "30": (date(2025, 7, 22), date(2025, 8, 20)),
        "90": (date(2025, 5, 23), date(2025, 8, 20)),
        "365": (date(2024, 8, 21), date(2025, 8, 20)),
        "2025": (date(2025, 1, 1), date(2025, 8, 20)),
        "2024": (date(2024, 1, 1), date(2024, 12, 31)),
        "2025-08": (date(2025, 8, 1), date(2025, 8, 20)),
        "2024-02": (date(2024, 2, 1), date(2024, 2, 29)),
    }
    assert list_periods([], date(2025, 9, 1)) == ()
