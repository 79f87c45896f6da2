"""The page as text: nothing from outside runs or is fetched, sizes are bounded, what failed stands first."""

import base64
import hashlib
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import msgspec
import pytest
from packed import read_data, unpack
from shops import HOSTILE, NOW, make_content, make_figures

from ordersetl.report.html.page import MAX_BYTES, PageContent, render_page
from ordersetl.report.html.state import RawState
from ordersetl.results import CheckMetrics, CheckOutcome, CheckResult, LayerTotals

STEPS = ("gross", "discount", "tax", "shipping", "amount", "refunded", "cancelled")
FAILED = CheckOutcome("shares_sum", False, "Sums must agree.", 7, ({"order_id": "o-1", "found": "1.00"},), "See o-1.")


class Elements(HTMLParser):
    """Tags with their attributes, in order, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def test_the_policy_allows_the_pages_own_style_and_script_alone() -> None:
    page = render_page(make_content(make_figures(3)))
    (policy,) = [tag["content"] for name, tag in Elements(page).tags if tag.get("http-equiv")]
    assert policy is not None
    own = {}
    for kind, body in re.findall(r"<(style|script)>(.*?)</\1>", page, re.DOTALL):
        own[kind] = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{own['script']}'; style-src 'sha256-{own['style']}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_nothing_is_asked_of_a_network() -> None:
    page = render_page(make_content(make_figures(3)))
    elements = Elements(page)
    links = [value for _, tag in elements.tags for name, value in tag.items() if name in {"href", "src", "action"}]
    assert links
    assert all(value is not None and value.startswith(("#", "data:")) for value in links)
    assert {tag for tag, _ in elements.tags} & {"img", "iframe", "object", "embed", "form", "base"} == set()


@pytest.mark.parametrize("where", ["products", "currency", "samples", "source"])
def test_hostile_names_are_text(where: str) -> None:
    plain = make_content(make_figures(3, names=["Coffee"] * len(HOSTILE)), [FAILED])
    hostile = {
        "products": make_content(make_figures(3, names=HOSTILE), [FAILED]),
        "currency": make_content(make_figures(3, currencies=HOSTILE, names=["Coffee"] * len(HOSTILE)), [FAILED]),
        "samples": make_content(
            make_figures(3, names=["Coffee"] * len(HOSTILE)),
            [replace(FAILED, samples=tuple({name: name} for name in HOSTILE), detail="".join(HOSTILE), why=HOSTILE[0])],
        ),
        "source": msgspec.structs.replace(plain, state=RawState(1, 0, None, HOSTILE[1], problem="".join(HOSTILE))),
    }[where]
    page = render_page(hostile)
    allowed = {(name, tuple(tag)) for name, tag in Elements(render_page(plain)).tags}
    assert {(name, tuple(tag)) for name, tag in Elements(page).tags} <= allowed
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert not re.search("[\u0000\u001b\u202a-\u202e\u2066-\u2069]", page)
    assert "{{ 7 * 7 }}" in page or where in {"samples", "source"}


def test_the_figures_are_the_checks_to_the_last_digit() -> None:
    content = make_content(make_figures(40, ["EUR", "JPY", ""]))
    data = read_data(render_page(content))
    assert [currency["code"] for currency in data["currencies"]] == ["EUR", "JPY", ""]
    for currency, bridge in zip(data["currencies"], content.check.metrics.bridge, strict=True):
        for step in STEPS:
            found = Decimal(sum(unpack(currency[step]))).scaleb(-currency["places"])
            assert found == getattr(bridge, step)


def test_the_table_of_all_days_has_every_step_of_every_currency() -> None:
    content = make_content(make_figures(40, ["EUR", "JPY"]))
    values = [tag["value"] for name, tag in Elements(render_page(content)).tags if name == "data"]
    steps = ("gross", "discount", "tax", "shipping", "other", "amount", "refunded", "cancelled", "net")
    assert values == [f"{getattr(b, step):.4f}" for b in content.check.metrics.bridge for step in steps]


def test_what_failed_stands_before_all_else_with_rows_and_commands() -> None:
    text = Elements(render_page(make_content(make_figures(3), [FAILED]))).text
    headline, failed, sales = (text.index(words) for words in ("1 of 2 checks failed", "What failed", "Sales"))
    assert headline < failed < text.index("ordersetl load --verify") < sales
    assert failed < text.index("shares_sum") < text.index("o-1") < sales
    assert "The first 1 of 7." in text
    assert text.index("1 check passed") > sales


def test_a_warning_is_to_be_looked_at_and_no_failure() -> None:
    warned = replace(FAILED, ok=True, warning=True, name="volume", detail="half of what it was")
    text = Elements(render_page(make_content(make_figures(3), [warned]))).text
    assert "All 2 checks passed, 1 warning" in text
    assert "What failed" not in text
    assert text.index("Needs a look") < text.index("volume") < text.index("half of what it was") < text.index("Sales")
    assert "1 check passed" in text


def test_commands_get_the_options_in_use() -> None:
    content = msgspec.structs.replace(
        make_content(make_figures(3), [FAILED]), complete=lambda command: f"{command} -o 'my shop'"
    )
    assert "ordersetl load --verify -o 'my shop'" in Elements(render_page(content)).text


def test_where_all_is_well_it_says_so() -> None:
    text = Elements(render_page(make_content(make_figures(3)))).text
    assert "All 1 check passed" in text
    assert "What failed" not in text


def test_it_is_written_where_there_is_nothing_to_show() -> None:
    missing = CheckOutcome("manifest", False, "It is needed.", 1, detail="there is none: `ordersetl run` makes one")
    check = CheckResult(False, "all", (), False, (missing,), CheckMetrics(), LayerTotals(), None, 0.0)
    page = render_page(PageContent(check, None, RawState(0, 0, None, "UTC"), NOW))
    text = Elements(page).text
    assert "1 of 1 check failed" in text
    assert "there is none: ordersetl run makes one" in text
    assert "Nothing was fetched yet." in text
    assert read_data(page) is None


def test_three_years_of_days_are_at_most_300_kb() -> None:
    currencies = ("EUR", "USD", "GBP", "JPY", "SEK")
    names = [f"Product {number}, in a size and a colour" for number in range(2000)]
    page = render_page(make_content(make_figures(1096, currencies, names)))
    assert len(page.encode()) <= MAX_BYTES == 300_000
    data = read_data(page)
    assert [len(unpack(currency["orders"])) for currency in data["currencies"]] == [1096] * 5
    assert data["dailySince"] is None
    assert data["leftOut"] == 0


@pytest.mark.parametrize("days", [1096, 4000])
def test_however_large_a_shop_is_the_page_stays_small(days: int) -> None:
    currencies = [f"Currency {'x' * 200} {number}" for number in range(12)]
    names = ["\N{SNOWMAN}" * 85 + str(number) for number in range(3000)]
    figures = make_figures(days, currencies, names, size=10**15)
    page = render_page(make_content(figures))
    assert len(page.encode()) <= MAX_BYTES
    data = read_data(page)
    assert len(data["currencies"]) + data["leftOut"] == 12
    own = [day for day in figures.days if day.currency == currencies[0]]
    assert sum(unpack(data["currencies"][0]["orders"])) == sum(day.orders for day in own)


def test_ten_years_have_their_last_three_by_day() -> None:
    data = read_data(render_page(make_content(make_figures(3650))))
    assert data["dailySince"] == "2023-08-01"
    assert len(unpack(data["currencies"][0]["orders"])) == 83 + 1127
