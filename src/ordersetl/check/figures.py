"""Sales by day, and products and countries by period, added up group by group; what the page shows beyond a check."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

import duckdb

from ordersetl.check.shop_days import list_spans
from ordersetl.check.tables import read_sql, select_rows
from ordersetl.results import DaySales, LayerFigures, Period, RejectExample, Share

__all__ = [
    "FIGURE_TOTALS",
    "REFUND_TOTAL",
    "collect_figures",
    "create_periods",
    "find_last_day",
    "list_periods",
    "list_refund_days",
]

FIGURE_TOTALS = {name: read_sql(f"metrics/{name}") for name in ("day_total", "product_period", "country_period")}
"""Tables by name, and what a group of partitions adds to each; they need the table ``period``."""
REFUND_TOTAL = read_sql("metrics/refund_total")
"""What the refunds of a group add to the table ``refund_total``, which has to be full before there are periods."""

_MAX_CURRENCIES = 12
_MAX_SHARES = 8
_SPANS = (30, 90, 365)
"""Lengths in days of the periods that end with the last day."""
_MAX_YEARS = 8
_MAX_MONTHS = 24
_DAY = timedelta(days=1)
_REFUND_DAYS = "refund_total ASOF JOIN refund_span ON refunded_at >= refund_span.since"


def list_periods(days: Iterable[date], today: date) -> tuple[Period, ...]:
    """The periods that a reader can choose: all, the last days, years and months that have some, the newest first.

    The days are those of orders and refunds. Days that have not begun yet (``today`` is the last that has) are in
    ``all`` alone: a slip of a pen in the year is not to hide the present. A year or month under way ends with the last.
    """
    known = sorted(set(days))
    if not known:
        return ()
    first, last = known[0], find_last_day(known, today)
    periods = [Period("all", first, known[-1])]
    if last is None:
        return tuple(periods)
    begun = [day for day in known if day <= last]
    periods += [Period(str(span), last - (span - 1) * _DAY, last) for span in _SPANS if first <= last - span * _DAY]
    years = sorted({day.year for day in begun}, reverse=True)[:_MAX_YEARS]
    months = sorted({day.replace(day=1) for day in begun}, reverse=True)[:_MAX_MONTHS]
    periods += [Period(str(year), date(year, 1, 1), min(date(year, 12, 31), last)) for year in years]
    periods += [Period(f"{month:%Y-%m}", month, min(_next_month(month) - _DAY, last)) for month in months]
    return tuple(periods)


def find_last_day(days: Iterable[date], today: date) -> date | None:
    """The newest of the days that has begun, None where none has."""
    return max((day for day in days if day <= today), default=None)


def list_refund_days(database: duckdb.DuckDBPyConnection, timezone: str) -> list[date]:
    """The shop's days that the refunds in ``refund_total`` are of; ``refund_span`` has their spans of UTC then."""
    dates = database.execute("SELECT DISTINCT CAST(refunded_at AS DATE) FROM refund_total").fetchall()
    near = sorted({day + shift * _DAY for (day,) in dates for shift in (-1, 0, 1)})
    query, parameters = select_rows(
        {"day": "DATE", "since": "TIMESTAMP", "until": "TIMESTAMP"}, list(list_spans(near, timezone))
    )
    database.execute(f"CREATE TABLE refund_span AS {query}", parameters)
    return [day for (day,) in database.execute(f"SELECT DISTINCT day FROM {_REFUND_DAYS}").fetchall()]


def create_periods(database: duckdb.DuckDBPyConnection, periods: Iterable[Period]) -> None:
    """Create ``period(number, since, until)``, both days included."""
    query, parameters = select_rows(
        {"number": "INTEGER", "since": "DATE", "until": "DATE"},
        [(number, period.since, period.until) for number, period in enumerate(periods)],
    )
    database.execute(f"CREATE TABLE period AS {query}", parameters)


def collect_figures(
    database: duckdb.DuckDBPyConnection,
    periods: tuple[Period, ...],
    rejects: tuple[RejectExample, ...],
    *,
    last_day: date | None,
) -> LayerFigures:
    """The figures over all groups that were added, and the refunds of :func:`list_refund_days`."""
    database.execute(
        """CREATE TEMP TABLE shown_currency AS SELECT currency, sum(orders) AS orders FROM day_total
        GROUP BY currency ORDER BY orders DESC, currency LIMIT $most""",
        {"most": _MAX_CURRENCIES},
    )
    currencies = database.execute("FROM shown_currency ORDER BY orders DESC, currency").fetchall()
    count = database.execute("SELECT count(DISTINCT currency) FROM day_total").fetchall()[0][0]
    days = tuple(_collect_days(database))
    products = tuple(_collect_shares(database, "product_period", periods))
    updated = database.execute("SELECT max(updated_at_order) FROM order_partition").fetchall()[0][0]
    return LayerFigures(
        currencies=tuple(currency for currency, _ in currencies),
        currencies_left_out=count - len(currencies),
        periods=periods,
        days=days,
        products=products,
        countries=tuple(_collect_shares(database, "country_period", periods)),
        product_names=_read_names(database, {share.name for share in products if share.name is not None}),
        rejects=rejects,
        last_day=last_day or max((sales.day for sales in days), default=None),
        updated_at=_as_utc(updated),
    )


def _collect_days(database: duckdb.DuckDBPyConnection) -> Iterator[DaySales]:
    """Rows of days that have orders or refunds, by currency and day."""
    rows = database.execute(
        f"""SELECT day, currency, sum(orders)::BIGINT, sum(gross), sum(discount), sum(tax), sum(shipping),
            sum(amount), sum(refunded), sum(cancelled)
        FROM (
            SELECT dt AS day, currency, orders, coalesce(gross, 0) AS gross, coalesce(discount, 0) AS discount,
                coalesce(tax, 0) AS tax, coalesce(shipping, 0) AS shipping, coalesce(amount, 0) AS amount,
                0 AS refunded, coalesce(cancelled, 0) AS cancelled
            FROM day_total
            UNION ALL
            SELECT refund_span.day, currency, 0, 0, 0, 0, 0, 0, refunded, 0
            FROM {_REFUND_DAYS}
        )
        WHERE currency IN (SELECT currency FROM shown_currency)
        GROUP BY day, currency
        ORDER BY currency, day"""
    )
    while some := rows.fetchmany(1000):
        for row in some:
            yield DaySales(*row)


def _collect_shares(database: duckdb.DuckDBPyConnection, table: str, periods: tuple[Period, ...]) -> Iterator[Share]:
    query = read_sql("metrics/largest").replace("FROM totals", f"FROM {table}")
    for number, *share in database.execute(query, {"most": _MAX_SHARES}).fetchall():
        yield Share(periods[number].key, *share)


def _read_names(database: duckdb.DuckDBPyConnection, skus: set[str]) -> dict[str, str]:
    query, parameters = select_rows({"sku": "VARCHAR"}, [(sku,) for sku in sorted(skus)])
    return dict(
        database.execute(
            f"""SELECT sku, any_value(name) FROM dim_product SEMI JOIN ({query}) AS wanted USING (sku)
            WHERE name IS NOT NULL GROUP BY sku""",
            parameters,
        ).fetchall()
    )


def _next_month(first: date) -> date:
    return (first + 31 * _DAY).replace(day=1)


def _as_utc(naive: datetime | None) -> datetime | None:
    return None if naive is None else naive.replace(tzinfo=UTC)
