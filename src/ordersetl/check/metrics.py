"""The business figures of the partitions that were loaded, added up group by group."""

from decimal import ROUND_HALF_EVEN, Decimal

import duckdb

from ordersetl.check.tables import read_sql
from ordersetl.results import CheckMetrics, CountryMetric, CurrencyMetric, DayMetric, ProductMetric
from ordersetl.star.schema import MONEY_SCALE

__all__ = ["add_metrics", "collect_metrics", "create_metric_tables"]

_TOP_PRODUCTS = 10
_UNIT = Decimal(1).scaleb(-MONEY_SCALE)


def create_metric_tables(database: duckdb.DuckDBPyConnection) -> None:
    """Create the tables that the groups add to; ``fact_order`` and ``order_summary`` are there, and empty."""
    database.execute(f"CREATE TABLE country_total AS {read_sql('metrics/by_country')}")
    database.execute(f"CREATE TABLE product_total AS {read_sql('metrics/by_product')}")


def add_metrics(database: duckdb.DuckDBPyConnection) -> None:
    """Add the group in ``fact_order`` and ``order_summary``."""
    database.execute(f"INSERT INTO country_total {read_sql('metrics/by_country')}")
    database.execute(f"INSERT INTO product_total {read_sql('metrics/by_product')}")


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
    return CheckMetrics(
        currencies=tuple(
            CurrencyMetric(name, orders, lines, revenue, (revenue / orders).quantize(_UNIT, ROUND_HALF_EVEN))
            for name, orders, lines, revenue in currencies
        ),
        days=tuple(DayMetric(*row) for row in days),
        products=tuple(ProductMetric(*row) for row in products),
        countries=tuple(CountryMetric(*row) for row in countries),
        amount_differs=differs,
    )
