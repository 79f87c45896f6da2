"""The figures that the page carries for its script, in as much detail as there is room for."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from ordersetl.report.currencies import count_digits
from ordersetl.report.html.series import encode_days, encode_shares, fold_months
from ordersetl.results import LayerFigures, Period, Share
from ordersetl.text import printable

__all__ = ["DETAILS", "Detail", "cut_name", "encode_figures"]

_MAX_NAME = 80
"""Characters of a name: enough to tell products apart."""
_MAX_CODE = 12
"""Characters of a currency, which may be anything."""
_DAY = timedelta(days=1)


class Detail(msgspec.Struct, frozen=True):
    """How much of the figures a page carries.

    Of ``currencies`` that many; the last ``days`` one by one, older ones folded into months. With ``months`` a reader
    can choose single ones.
    """

    currencies: int
    days: int
    months: bool


DETAILS = (
    Detail(12, 1126, months=True),
    Detail(12, 1126, months=False),
    Detail(12, 761, months=False),
    Detail(12, 396, months=False),
    Detail(6, 396, months=False),
    Detail(3, 396, months=False),
    Detail(1, 396, months=False),
)
"""From all to little: three years of days, with a month to begin with, then two, then one; then fewer currencies."""


def encode_figures(figures: LayerFigures, detail: Detail) -> dict[str, Any]:
    """What the script draws from, as JSON can say it."""
    currencies = figures.currencies[: detail.currencies]
    last = figures.last_day or figures.days[-1].day
    daily_since = (last - detail.days * _DAY).replace(day=1)
    folded = any(day.day < daily_since for day in figures.days)
    periods = [period for period in figures.periods if detail.months or not _is_month(period)]
    skus: dict[str, int] = {}
    countries: dict[str, int] = {}
    return {
        "currencies": [
            {
                "code": cut_name(currency, _MAX_CODE),
                "digits": count_digits(currency),
                **encode_days(fold_months([day for day in figures.days if day.currency == currency], daily_since)),
            }
            for currency in currencies
        ],
        "leftOut": figures.currencies_left_out + len(figures.currencies) - len(currencies),
        "last": last.isoformat(),
        "dailySince": daily_since.isoformat() if folded else None,
        "periods": [[period.key, period.since.isoformat(), period.until.isoformat()] for period in periods],
        "products": _encode_periods(figures.products, periods, currencies, skus),
        "countries": _encode_periods(figures.countries, periods, currencies, countries),
        "productNames": [[cut_name(sku), cut_name(figures.product_names.get(sku, ""))] for sku in skus],
        "countryNames": [cut_name(country) for country in countries],
    }


def _encode_periods(
    shares: Sequence[Share], periods: Sequence[Period], currencies: Sequence[str], names: dict[str, int]
) -> list[list[str]]:
    """Packed shares by period, by currency."""
    found: dict[tuple[str, str], list[Share]] = {}
    for share in shares:
        found.setdefault((share.period, share.currency), []).append(share)
    return [
        [encode_shares(found.get((period.key, currency), ()), names) for currency in currencies] for period in periods
    ]


def _is_month(period: Period) -> bool:
    return "-" in period.key


def cut_name(name: str, most: int = _MAX_NAME) -> str:
    """A name from outside as text to be shown, of so many characters at most."""
    shown = printable(name)
    return shown if len(shown) <= most else f"{shown[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
