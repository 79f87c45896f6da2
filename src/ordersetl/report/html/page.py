"""The page as text: what the templates show, in their terms, and the style and script that they carry."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ordersetl.report.currencies import count_digits, format_money
from ordersetl.report.failures import advise, shorten_hashes
from ordersetl.report.html.notes import list_notes
from ordersetl.report.html.series import encode_days, encode_shares, fold_months
from ordersetl.report.html.state import RawState
from ordersetl.report.html.words import describe_age, format_day, format_moment, split_commands
from ordersetl.results import BridgeMetric, CheckResult, LayerFigures, Period, Share
from ordersetl.text import many, printable
from ordersetl.version import __version__

__all__ = ["MAX_BYTES", "PageContent", "render_page"]

MAX_BYTES = 300_000
"""Of a page, however many days, currencies and products a shop has."""

_SCRIPTS = ("unpack.js", "words.js", "charts.js", "page.js")
_STEPS = ("gross", "discount", "tax", "shipping", "other", "amount", "refunded", "cancelled", "net")
_MAX_NAME = 80
"""Characters of a name: enough to tell products apart."""
_MAX_CODE = 12
"""Characters of a currency, which may be anything."""
_MAX_WINDOWS = 12
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class PageContent:
    """All that a page shows. ``complete`` adds the options in use to the commands that it names."""

    check: CheckResult
    figures: LayerFigures | None
    state: RawState
    made_at: datetime
    complete: Callable[[str], str] = str


@dataclass(frozen=True)
class _Detail:
    """How much of the figures a page carries: ``days`` one by one before they are folded into months."""

    currencies: int
    days: int
    months: bool


_DETAILS = (
    _Detail(12, 1126, months=True),
    _Detail(12, 1126, months=False),
    _Detail(12, 761, months=False),
    _Detail(12, 396, months=False),
    _Detail(6, 396, months=False),
    _Detail(3, 396, months=False),
    _Detail(1, 396, months=False),
)
"""From all to little: three years of days, with a month to begin with, then two, then one; then fewer currencies."""


def render_page(content: PageContent) -> str:
    """The page as HTML: as detailed as ``MAX_BYTES`` allow."""
    html = ""
    for detail in _DETAILS:
        html = _render(content, detail)
        if len(html.encode()) <= MAX_BYTES:
            break
    return html


def _render(content: PageContent, detail: _Detail) -> str:
    environment = Environment(
        loader=PackageLoader("ordersetl.report.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": printable,
        "cut": _cut,
        "day": format_day,
        "moment": format_moment,
        "money": format_money,
        "exact": lambda amount: f"{amount:.4f}",
        "commands": lambda text: split_commands(printable(text), content.complete),
        "cell": lambda value: printable(shorten_hashes(value)),
        "advise": lambda outcome: advise([outcome]),
        "many": many,
    }
    files = {name: _read(environment, name) for name in ("page.css", *_SCRIPTS)}
    style, script = files.pop("page.css"), "\n".join(('"use strict";', *files.values()))
    failed = [outcome for outcome in content.check.outcomes if not outcome.ok]
    return environment.get_template("page.html").render(
        check=content.check,
        failed=failed,
        todo=advise(failed) if failed else "",
        headline=_word_headline(content.check, len(failed)),
        notes=list_notes(content.check, content.state),
        orders={metric.currency: metric.orders for metric in content.check.metrics.currencies},
        passed=[outcome for outcome in content.check.outcomes if outcome.ok],
        figures=content.figures,
        state=content.state,
        made_at=content.made_at,
        age=describe_age(content.figures.updated_at if content.figures else None, content.made_at),
        bridge=_list_bridge(content),
        steps=_STEPS,
        data=_encode_figures(content.figures, detail) if content.figures and content.figures.last_day else None,
        max_windows=_MAX_WINDOWS,
        strip=_draw_coverage(content.state),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        version=__version__,
    )


def _word_headline(check: CheckResult, failed: int) -> str:
    checks = many(len(check.outcomes), "check")
    return f"{failed:,} of {checks} failed" if failed else f"All {checks} passed"


def _read(environment: Environment, name: str) -> str:
    """A file of the templates' folder as it is."""
    assert environment.loader is not None  # noqa: S101 - set above
    return environment.loader.get_source(environment, name)[0]


def _hash(text: str) -> str:
    """Name of an inline style or script in a content security policy: nothing else of its kind takes effect."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _list_bridge(content: PageContent) -> list[BridgeMetric]:
    """The bridges by currency, those with the most orders first."""
    order = {currency: number for number, currency in enumerate(content.figures.currencies if content.figures else ())}
    shown = [bridge for bridge in content.check.metrics.bridge if bridge.currency in order]
    return sorted(shown, key=lambda bridge: order[bridge.currency])


def _encode_figures(figures: LayerFigures, detail: _Detail) -> dict[str, Any]:
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
                "code": _cut(currency, _MAX_CODE),
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
        "productNames": [[_cut(sku), _cut(figures.product_names.get(sku, ""))] for sku in skus],
        "countryNames": [_cut(country) for country in countries],
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


def _cut(name: str, most: int = _MAX_NAME) -> str:
    shown = printable(name)
    return shown if len(shown) <= most else f"{shown[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def _draw_coverage(state: RawState) -> list[tuple[str, float, float]]:
    """Covered intervals and gaps on a strip of 100 units of time: kind, begin, length. An open begin takes a tenth."""
    ends = [end for _, end in state.covered]
    begins = [since for since, _ in state.covered if since is not None]
    if not ends or max(ends) <= min([*begins, *ends]):
        return []
    first, last = min([*begins, *ends]), max(ends)
    opened = 10.0 if state.covered[0][0] is None else 0.0

    def place(time: datetime) -> float:
        return opened + (100 - opened) * ((time - first) / (last - first))

    strip = [("covered", 0.0 if since is None else place(since), place(end)) for since, end in state.covered]
    strip += [("gap", place(since), place(end)) for since, end in state.gaps]
    return [(kind, round(begin, 3), round(max(end - begin, 0.4), 3)) for kind, begin, end in sorted(strip, key=_begin)]


def _begin(part: tuple[str, float, float]) -> float:
    return part[1]
