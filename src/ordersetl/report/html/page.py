"""The page as text: what the templates show, in their terms, and the style and script that they carry."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from ordersetl.report.currencies import format_money
from ordersetl.report.failures import advise, shorten_hashes
from ordersetl.report.html.figures import DETAILS, Detail, cut_name, encode_figures
from ordersetl.report.html.notes import list_notes
from ordersetl.report.html.state import RawState
from ordersetl.report.html.words import describe_age, format_day, format_moment, split_commands
from ordersetl.results import BridgeMetric, CheckOutcome, CheckResult, LayerFigures
from ordersetl.text import many, printable
from ordersetl.version import __version__

__all__ = ["MAX_BYTES", "PageContent", "render_page"]

MAX_BYTES = 300_000
"""Of a page, however many days, currencies and products a shop has."""

_SCRIPTS = ("unpack.js", "words.js", "charts.js", "page.js")
_STEPS = ("gross", "discount", "tax", "shipping", "other", "amount", "refunded", "cancelled", "net")
_MAX_WINDOWS = 12


class PageContent(msgspec.Struct, frozen=True):
    """All that a page shows. ``complete`` adds the options in use to the commands that it names."""

    check: CheckResult
    figures: LayerFigures | None
    state: RawState
    made_at: datetime
    complete: Callable[[str], str] = str


def render_page(content: PageContent) -> str:
    """The page as HTML: as detailed as ``MAX_BYTES`` allow."""
    html = ""
    for detail in DETAILS:
        html = _render(content, detail)
        if len(html.encode()) <= MAX_BYTES:
            break
    return html


def _render(content: PageContent, detail: Detail) -> str:
    environment = _open_templates(content)
    files = {name: _read(environment, name) for name in ("page.css", *_SCRIPTS)}
    style, script = files.pop("page.css"), "\n".join(('"use strict";', *files.values()))
    failed = [outcome for outcome in content.check.outcomes if not outcome.ok]
    return environment.get_template("page.html").render(
        check=content.check,
        failed=failed,
        todo=advise(failed) if failed else "",
        headline=_word_headline(content.check.outcomes),
        notes=list_notes(content.check, content.state),
        orders={metric.currency: metric.orders for metric in content.check.metrics.currencies},
        warned=[outcome for outcome in content.check.outcomes if outcome.ok and outcome.warning],
        passed=[outcome for outcome in content.check.outcomes if outcome.ok and not outcome.warning],
        figures=content.figures,
        state=content.state,
        made_at=content.made_at,
        age=describe_age(content.figures.updated_at if content.figures else None, content.made_at),
        bridge=_list_bridge(content),
        steps=_STEPS,
        data=encode_figures(content.figures, detail) if content.figures and content.figures.last_day else None,
        max_windows=_MAX_WINDOWS,
        strip=_draw_coverage(content.state),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        version=__version__,
    )


def _open_templates(content: PageContent) -> Environment:
    environment = Environment(
        loader=PackageLoader("ordersetl.report.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": printable,
        "cut": cut_name,
        "day": format_day,
        "moment": format_moment,
        "money": format_money,
        "exact": lambda amount: f"{amount:.4f}",
        "commands": lambda text: split_commands(printable(text), content.complete),
        "cell": lambda value: printable(shorten_hashes(value)),
        "advise": lambda outcome: advise([outcome]),
        "many": many,
    }
    return environment


def _word_headline(outcomes: Sequence[CheckOutcome]) -> str:
    checks = many(len(outcomes), "check")
    failed, warned = (sum(map(test, outcomes)) for test in (lambda o: not o.ok, lambda o: o.ok and o.warning))
    if failed:
        return f"{failed:,} of {checks} failed"
    return f"All {checks} passed" + (f", {many(warned, 'warning')}" if warned else "")


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
