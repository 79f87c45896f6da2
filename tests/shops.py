"""Figures of shops of any size, for the page: as a check would have collected them."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from ordersetl.check.figures import list_periods
from ordersetl.report.html.page import PageContent
from ordersetl.report.html.state import RawState
from ordersetl.results import (
    BridgeMetric,
    CheckMetrics,
    CheckOutcome,
    CheckResult,
    CurrencyMetric,
    DaySales,
    LayerFigures,
    LayerTotals,
    OpenQuarantine,
    RejectExample,
    Share,
)

__all__ = ["HOSTILE", "LAST_DAY", "NOW", "make_check", "make_content", "make_figures"]

LAST_DAY = date(2026, 8, 31)
NOW = datetime(2026, 9, 1, 6, tzinfo=UTC)
HOSTILE = (
    "<script>window.broken = 1</script>",
    "</script><img src=x onerror='window.broken = 1'>",
    "<!--<script>",
    '"><svg onload=window.broken=1>',
    "\u202egnp.exe\u2066\u0000\u001b[31m",
    "{{ 7 * 7 }}{% raw %}",
    "\ud83d\ude00 é 漢字 \u2028\u2029",
    "é" * 127,
)
"""Names that a shop may have: each is text and nothing else."""
_CENT = Decimal("0.01")


def _day(chance: random.Random, day: date, currency: str, size: int) -> DaySales:
    gross = Decimal(chance.randrange(size)) * _CENT
    amounts = [Decimal(chance.randrange(size // part + 1)) * _CENT for part in (10, 5, 20, 1, 15, 20)]
    return DaySales(day, currency, chance.randrange(900), gross, *amounts)


def _shares(chance: random.Random, period: str, currency: str, names: Sequence[str | None], size: int) -> list[Share]:
    amounts = sorted((Decimal(chance.randrange(size)) * _CENT for _ in names), reverse=True)
    return [
        Share(period, currency, name, 1 if name else 500, Decimal(chance.randrange(99)), amount, amount / 2)
        for name, amount in zip(names, amounts, strict=True)
    ]


def make_figures(
    days: int,
    currencies: Sequence[str] = ("EUR",),
    names: Sequence[str] = ("Coffee", "Tea"),
    *,
    size: int = 5_000_000,
) -> LayerFigures:
    """Figures of so many days; ``size`` is that of the largest day in cents."""
    chance = random.Random(1)
    dates = [LAST_DAY - timedelta(distance) for distance in reversed(range(days))]
    periods = list_periods(dates, NOW.date())
    places = ["DE", "FR", "US", "GB", "JP", "CO", "ES", "", None]
    skus = [f"SKU-{number:05}" for number in range(len(names))]
    return LayerFigures(
        currencies=tuple(currencies),
        currencies_left_out=0,
        periods=periods,
        days=tuple(_day(chance, day, currency, size) for currency in currencies for day in dates),
        products=tuple(
            share
            for period in periods
            for currency in currencies
            for share in _shares(
                chance, period.key, currency, [*chance.sample(skus, min(8, len(skus))), None], size * 9
            )
        ),
        countries=tuple(
            share
            for period in periods
            for currency in currencies
            for share in _shares(chance, period.key, currency, places, size * 9)
        ),
        product_names=dict(zip(skus, names, strict=True)),
        rejects=tuple(
            RejectExample("invalid_amount", 3, "20260901T000000.000000Z", 1, number, name, f"is {name}")
            for number, name in enumerate(names[:10])
        ),
        last_day=LAST_DAY,
        updated_at=NOW - timedelta(hours=7),
    )


def make_check(figures: LayerFigures, outcomes: Sequence[CheckOutcome] = ()) -> CheckResult:
    """A check's result whose bridge and currencies are the sums of the figures."""
    bridges, metrics = [], []
    for currency in figures.currencies:
        days = [day for day in figures.days if day.currency == currency]
        sums = {
            step: sum((getattr(day, step) for day in days), Decimal("0.0000"))
            for step in ("gross", "discount", "tax", "shipping", "amount", "refunded", "cancelled")
        }
        other = sums["amount"] - (sums["gross"] - sums["discount"] + sums["tax"] + sums["shipping"])
        net = sums["amount"] - sums["refunded"] - sums["cancelled"]
        bridges.append(BridgeMetric(currency, other=other, net=net, **sums))
        orders = sum(day.orders for day in days)
        metrics.append(CurrencyMetric(currency, orders, orders, sums["amount"], Decimal(1)))
    checks = [CheckOutcome("unique_key", True, "Keys are unique."), *outcomes]
    return CheckResult(
        ok=all(outcome.ok for outcome in checks),
        scope="all",
        days=(),
        deep=False,
        outcomes=tuple(checks),
        metrics=CheckMetrics(bridge=tuple(bridges), currencies=tuple(metrics)),
        totals=LayerTotals(partitions=len({day.day for day in figures.days}), orders=1234),
        open_quarantine=OpenQuarantine(orders=3, without_id=1),
        seconds=1.234,
    )


def make_content(figures: LayerFigures, outcomes: Sequence[CheckOutcome] = ()) -> PageContent:
    """All of a page."""
    return PageContent(make_check(figures, outcomes), figures, RawState(1, 0, None, "Europe/Berlin"), NOW)
