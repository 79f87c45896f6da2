"""The business figures of the partitions that were loaded, added up group by group."""

from decimal import ROUND_HALF_EVEN

import duckdb

from ordersetl.check.tables import read_sql
from ordersetl.results import BridgeMetric, CheckMetrics, CountryMetric, CurrencyMetric, DayMetric, ProductMetric
from ordersetl.star.values import UNIT

__all__ = ["METRIC_TOTALS", "collect_bridge", "collect_metrics"]

METRIC_TOTALS = {
    "country_total": read_sql("metrics/by_country"),
    "product_total": read_sql("metrics/by_product"),
    "refunded_over_amount": read_sql("metrics/refunded_over_amount"),
}
"""Tables by name, and what a group of partitions adds to each."""
_TOP_PRODUCTS = 10


def collect_metrics(database: duckdb.DuckDBPyConnection) -> CheckMetrics:
    """The figures over all groups that were added."""
    sums = "SUM(orders)::BIGINT, SUM(lines)::BIGINT, SUM(revenue) AS revenue FROM country_total GROUP BY ALL"
    currencies = database.execute(f"SELECT currency, {sums} ORDER BY currency").fetchall()
    days = database.execute(f"SELECT dt, currency, {sums} ORDER BY dt, currency").fetchall()
    countries = database.execute(
        f"SELECT country, currency, {sums} ORDER BY currency, SUM(country_total.revenue) DESC, country"
    ).fetchall()
    products = database.execute(read_sql("metrics/top_products"), {"most": _TOP_PRODUCTS}).fetchall()
    differs = database.execute("SELECT coalesce(sum(amount_differs), 0)::BIGINT FROM country_total").fetchall()[0][0]
    over = database.execute("SELECT count(*) FROM refunded_over_amount").fetchall()[0][0]
    return CheckMetrics(
        currencies=tuple(
            CurrencyMetric(name, orders, lines, revenue, (revenue / orders).quantize(UNIT, ROUND_HALF_EVEN))
            for name, orders, lines, revenue in currencies
        ),
        days=tuple(DayMetric(*row) for row in days),
        products=tuple(ProductMetric(*row) for row in products),
        countries=tuple(CountryMetric(*row) for row in countries),
        amount_differs=differs,
        bridge=collect_bridge(database),
        refunded_over_amount=over,
    )


def collect_bridge(database: duckdb.DuckDBPyConnection) -> tuple[BridgeMetric, ...]:
    """The bridge over all groups that were added, by currency."""
    rows = database.execute(
        """SELECT currency, gross, discount, tax, shipping, amount - (gross - discount + tax + shipping), amount,
            refunded, cancelled, amount - refunded - cancelled
        FROM (SELECT currency, sum(COLUMNS(* EXCLUDE (currency))) FROM bridge_total GROUP BY currency)
        ORDER BY currency"""
    ).fetchall()
    return tuple(BridgeMetric(*row) for row in rows)
