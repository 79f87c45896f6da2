"""The page in a real browser: quiet, accessible, in any width and light, with the numbers of the check."""

import contextlib
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import Opened, find_chromium, open_page, start_chromium
from console import ordersetl
from playwright.sync_api import Browser, Error, Locator, expect
from shops import HOSTILE, NOW, make_check, make_content, make_figures

from ordersetl.report.html.page import PageContent, render_page
from ordersetl.report.html.state import RawState
from ordersetl.results import CheckMetrics, CheckOutcome, CheckResult, LayerTotals

pytestmark = [
    pytest.mark.page,
    pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium: apt-get install chromium"),
]

STEPS = ("gross", "discount", "tax", "shipping", "other", "amount", "refunded", "cancelled", "net")
SIGNS = {"discount": -1, "refunded": -1, "cancelled": -1}
FAILED = CheckOutcome("shares_sum", False, "Sums must agree.", 7, ({"order_id": "o-1", "found": "1.00"},), "See o-1.")
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 400, "height": 800}},
    "narrow and dark": {"viewport": {"width": 400, "height": 800}, "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(start_chromium())
        except Error as error:
            pytest.skip(f"Chromium does not start here: {error.message.splitlines()[0]}")
        yield started


@pytest.fixture(scope="module")
def sample(finished_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The sample shop's page, and the data of the same check."""
    file = tmp_path_factory.mktemp("sample") / "report.html"
    ended = ordersetl("check", "--json", "--html", file, cwd=finished_shop)
    assert ended.code == 0, ended.err
    return file, ended.json["data"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, sample: tuple[Path, Any]) -> dict[str, Path]:
    """Pages of all kinds by name."""
    missing = CheckOutcome("manifest", False, "It is needed.", 1, detail="there is none: `ordersetl run` makes one")
    empty = CheckResult(False, "all", (), False, (missing,), CheckMetrics(), LayerTotals(), None, 0.0)
    outcomes = [FAILED, CheckOutcome(HOSTILE[0], False, HOSTILE[1], 1, ({HOSTILE[2]: HOSTILE[3]},), "".join(HOSTILE))]
    contents = {
        "three years": make_content(make_figures(1096, ["EUR", "USD", "JPY", "KWD"])),
        "one currency": make_content(make_figures(800)),
        "one day": make_content(make_figures(1)),
        "failed": make_content(make_figures(100, ["EUR", "USD"]), [FAILED]),
        "hostile": make_content(make_figures(60, HOSTILE, HOSTILE), outcomes),
        "ten years": make_content(make_figures(3650)),
        "empty": PageContent(empty, None, RawState(0, 0, None, "UTC"), NOW),
    }
    home = tmp_path_factory.mktemp("pages")
    found = {"sample": sample[0]}
    for name, content in contents.items():
        found[name] = home / f"{name.replace(' ', '-')}.html"
        found[name].write_text(render_page(content), encoding="utf-8")
    return found


KINDS = ("sample", "three years", "one currency", "one day", "failed", "hostile", "ten years", "empty")


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_quiet_whatever_is_chosen(browser: Browser, pages: dict[str, Path], kind: str) -> None:
    with open_page(browser, pages[kind]) as opened:
        for details in opened.page.locator("summary").all():
            details.click()
        if kind != "empty":
            choose_everything(opened)
        assert opened.page.evaluate("window.broken") is None
        assert opened.noise == []


def choose_everything(opened: Opened) -> None:
    page = opened.page
    for period in page.locator("#period option").all():
        page.select_option("#period", period.get_attribute("value"))
        for fold in page.locator("input[name=fold]:enabled").all():
            page.click(f"label[for={fold.get_attribute('id')}]")
    for at in range(page.locator("label.currency").count()):
        page.locator("label.currency").nth(at).click()
        assert page.locator("label.currency").nth(at).locator("input").is_checked()


@pytest.mark.parametrize(
    ("kind", "look"),
    [(kind, look) for kind in KINDS for look in LOOKS if kind in {"sample", "failed"} or look in {"light", "narrow"}],
)
def test_it_is_accessible_and_fits(browser: Browser, pages: dict[str, Path], kind: str, look: str) -> None:
    with open_page(browser, pages[kind], **LOOKS[look]) as opened:
        for details in opened.page.locator("summary").all():
            details.click()
        found = Axe().run(opened.page)
        assert found.violations_count == 0, found.generate_report()
        widths = opened.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert widths[0] <= widths[1]


def exact(found: Locator) -> list[Decimal]:
    return [Decimal(value) for value in found.evaluate_all("all => all.map((one) => one.value)")]


def test_the_numbers_are_those_of_check_json(browser: Browser, sample: tuple[Path, Any]) -> None:
    file, data = sample
    with open_page(browser, file) as opened:
        page = opened.page
        page.select_option("#period", "all")
        page.click("#bridge-table summary")
        bridges = {bridge["currency"]: bridge for bridge in data["metrics"]["bridge"]}
        assert page.locator("label.currency").count() == len(bridges) == 5
        for at in range(len(bridges)):
            card = page.locator("label.currency").nth(at)
            card.click()
            code = card.locator(".code").text_content() or ""
            bridge = {step: Decimal(bridges[code][step]) for step in STEPS}
            assert exact(card.locator("data")) == [bridge["net"]]
            expected = [bridge[step] * SIGNS.get(step, 1) for step in STEPS]
            shown = [v for s, v in zip(STEPS, expected, strict=True) if v or s in {"gross", "amount", "net"}]
            assert exact(page.locator("#bridge-table data")) == shown
            tiles = page.locator("#facts .big")
            (metric,) = [m for m in data["metrics"]["currencies"] if m["currency"] == code]
            assert tiles.nth(1).text_content() == f"{metric['orders']:,}"
            assert exact(tiles.nth(2).locator("data")) == [Decimal(metric["average_order_value"])]
            assert_shares(opened, code, data["metrics"])


def assert_shares(opened: Opened, code: str, metrics: Any) -> None:
    """The first rows are the check's largest products and countries of that currency."""
    for kind, key in (("products", "sku"), ("countries", "country")):
        expected = [m for m in metrics[kind] if m["currency"] == code][:8]
        rows = opened.page.locator(f"#{kind} tbody tr").all()[: len(expected)]
        for row, metric in zip(rows, expected, strict=True):
            assert exact(row.locator("data"))[0] == Decimal(metric["revenue"])
            assert (metric[key] or "unknown") in (row.locator("th").text_content() or "")


@pytest.mark.parametrize(("period", "fold"), [("2026-07", "week"), ("2025", "month"), ("90", "day"), ("all", "year")])
def test_a_period_is_added_up_from_its_days(browser: Browser, pages: dict[str, Path], period: str, fold: str) -> None:
    figures = make_figures(1096, ["EUR", "USD", "JPY", "KWD"])
    (chosen,) = [each for each in figures.periods if each.key == period]
    days = [day for day in figures.days if day.currency == "USD" and chosen.since <= day.day <= chosen.until]
    amount, refunded = (sum((getattr(day, step) for day in days), Decimal(0)) for step in ("amount", "refunded"))
    cancelled = sum((day.cancelled for day in days), Decimal(0))
    with open_page(browser, pages["three years"]) as opened:
        page = opened.page
        page.locator("label.currency").nth(1).click()
        page.select_option("#period", period)
        page.click(f"label[for=fold-{fold}]")
        page.click("#time-table summary")
        total = exact(page.locator("#time-table tfoot data"))
        assert total[STEPS.index("amount")] == amount
        assert total[STEPS.index("net")] == amount - refunded - cancelled
        rows = [exact(row.locator("data")) for row in page.locator("#time-table tbody tr").all()]
        assert [sum(column) for column in zip(*rows, strict=True)] == total
        assert len(rows) == len({fold_of(day.day, fold) for day in days})


def fold_of(day: Any, fold: str) -> tuple[int, ...]:
    year, week, _ = day.isocalendar()
    return {"day": (day.toordinal(),), "week": (year, week), "month": (day.year, day.month), "year": (day.year,)}[fold]


def test_days_are_made_when_somebody_asks(browser: Browser, pages: dict[str, Path]) -> None:
    with open_page(browser, pages["three years"]) as opened:
        page = opened.page
        page.select_option("#period", "all")
        page.click("label[for=fold-day]")
        assert page.locator("#time-table tr").count() == 0
        page.click("#time-table summary")
        expect(page.locator("#time-table tbody tr")).to_have_count(1096)  # made once the browser tells of the click


def test_the_pointer_is_told_the_value(browser: Browser, pages: dict[str, Path]) -> None:
    figures = make_figures(1096, ["EUR", "USD", "JPY", "KWD"])
    august = [day for day in figures.days if day.currency == "EUR" and f"{day.day:%Y-%m}" == "2026-08"]
    amount = sum((day.amount for day in august), Decimal(0))
    with open_page(browser, pages["three years"]) as opened:
        page = opened.page
        box = page.locator("#time svg").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] / 2)
        tip = page.locator("#time .tip")
        assert tip.is_visible()
        assert "Aug 2026" in (tip.text_content() or "")
        assert f"EUR {amount:,.2f}" in (tip.text_content() or "")
        page.mouse.move(0, 0)
        assert tip.is_hidden()
        page.locator("#bridge svg").hover(position={"x": 200, "y": 16})
        assert "Gross sales" in (page.locator("#bridge .tip").text_content() or "")


def test_charts_have_axes_units_and_a_name(browser: Browser, pages: dict[str, Path]) -> None:
    with open_page(browser, pages["three years"]) as opened:
        for chart, unit in (("bridge", "EUR"), ("time", "EUR a month")):
            drawing = opened.page.locator(f"#{chart} svg")
            assert drawing.locator(".unit").text_content() == unit
            assert drawing.locator(".tick").count() >= 3
            assert "the table below has the values" in (drawing.get_attribute("aria-label") or "")


def test_amounts_have_the_digits_of_their_currency(browser: Browser, pages: dict[str, Path]) -> None:
    with open_page(browser, pages["three years"]) as opened:
        texts = opened.page.locator("label.currency .big").all_text_contents()
    assert [len(text.partition(".")[2]) for text in texts] == [2, 2, 0, 3]
    assert all(re.fullmatch(r"\u2212?\d{1,3}(,\d{3})*(\.\d+)?", text) for text in texts)


def test_a_keyboard_is_enough(browser: Browser, pages: dict[str, Path]) -> None:
    with open_page(browser, pages["three years"]) as opened:
        page = opened.page
        page.focus("#currency-0")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == "currency-2"
        assert (page.locator("#range strong").text_content() or "").startswith("JPY")


def test_a_month_can_be_compared_with_the_one_before(browser: Browser, pages: dict[str, Path]) -> None:
    figures = make_figures(1096, ["EUR", "USD", "JPY", "KWD"])
    july, june = (
        sum(day.orders for day in figures.days if day.currency == "EUR" and f"{day.day:%Y-%m}" == month)
        for month in ("2026-07", "2026-06")
    )
    with open_page(browser, pages["three years"]) as opened:
        opened.page.select_option("#period", "2026-07")
        tile = opened.page.locator("#facts .tile").nth(1)
        assert f"{abs(july - june) / june * 100:.1f}" in (tile.locator(".change").text_content() or "")
        assert "change against 1 Jun 2026 to 30 Jun 2026" in (opened.page.locator("#range").text_content() or "")


@pytest.mark.parametrize(
    ("period", "shown"),
    [
        ("2026-08", "1 Aug 2026 to 31 Aug 2026; change against 1 Jul 2026 to 31 Jul 2026"),
        ("2026", "1 Jan 2026 to 31 Aug 2026"),
        ("2025", "1 Jan 2025 to 31 Dec 2025; change against 1 Jan 2024 to 31 Dec 2024"),
    ],
)
def test_only_what_is_over_is_compared(browser: Browser, pages: dict[str, Path], period: str, shown: str) -> None:
    with open_page(browser, pages["three years"]) as opened:
        opened.page.select_option("#period", period)
        assert (opened.page.locator("#range").text_content() or "").endswith(f" {shown}")


def test_before_the_last_years_there_are_months(browser: Browser, pages: dict[str, Path]) -> None:
    figures = make_figures(3650)
    check = make_check(figures)
    with open_page(browser, pages["ten years"]) as opened:
        page = opened.page
        page.select_option("#period", "all")
        assert exact(page.locator("#facts data"))[0] == check.metrics.bridge[0].net
        page.click("label[for=fold-week]")
        assert "Before 1 Aug 2023 this page has months alone." in (page.locator("#time-note").text_content() or "")


def test_without_script_the_sums_are_there(browser: Browser, sample: tuple[Path, Any]) -> None:
    file, data = sample
    with open_page(browser, file, java_script_enabled=False) as opened:
        assert opened.page.locator("noscript").is_visible()
        assert opened.page.locator("#sales").is_hidden()
        opened.page.get_by_text("All days by currency").click()
        row = opened.page.locator("tr", has=opened.page.get_by_role("rowheader", name="EUR")).first
        values = [Decimal(cell.get_attribute("value") or "") for cell in row.locator("data").all()]
        (bridge,) = [bridge for bridge in data["metrics"]["bridge"] if bridge["currency"] == "EUR"]
        assert values == [Decimal(bridge[step]) for step in STEPS]


def test_it_prints_on_a4(browser: Browser, sample: tuple[Path, Any]) -> None:
    with open_page(browser, sample[0], viewport={"width": 690, "height": 1000}) as opened:
        pdf = opened.page.pdf(format="A4", prefer_css_page_size=True)
        assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 4
        opened.page.emulate_media(media="print", color_scheme="dark")
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 690
        assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert opened.page.locator("#period").is_hidden()


def test_a_table_is_copied_in_full(browser: Browser, sample: tuple[Path, Any]) -> None:
    file, data = sample
    with open_page(browser, file, permissions=["clipboard-read", "clipboard-write"]) as opened:
        page = opened.page
        page.select_option("#period", "all")
        page.click("#bridge-table summary")
        page.click("#bridge-table .copy")
        page.get_by_role("button", name="Copied").wait_for()
        lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    (bridge,) = [bridge for bridge in data["metrics"]["bridge"] if bridge["currency"] == "COP"]
    assert lines[1].split("\t")[:2] == ["Gross sales", bridge["gross"]]
    assert json.dumps(lines[-1].split("\t")[1]) == json.dumps(bridge["net"])
