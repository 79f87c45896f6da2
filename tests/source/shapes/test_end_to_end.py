"""Each built-in source, run over a real socket: what comes out is the oracle's fold, whatever goes wrong on the way."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from shape_orders import SKIPPED
from shape_runs import NOW, Counted, Pauses, expected_bytes, open_source, output_bytes, usual_server

from ordersetl import pipeline
from ordersetl.errors import SourceError
from ordersetl.results import ExtractResult
from ordersetl.settings import Settings
from ordersetl.source.description.loading import load_builtin
from ordersetl.source.sample.amazon import amazon
from ordersetl.source.sample.bigcommerce import bigcommerce
from ordersetl.source.sample.exchange import Answer, Asked, Server
from ordersetl.source.sample.faults import Fault, RandomFaults
from ordersetl.source.sample.magento import magento
from ordersetl.source.sample.shapes import SHAPES, list_faults
from ordersetl.source.sample.shop import Shop, ShopLine, ShopOrder, ShopRefund
from ordersetl.source.sample.shop_orders import sample_shop
from ordersetl.source.sample.shopify import shopify
from ordersetl.source.sample.square import LOCATIONS
from ordersetl.source.sample.woocommerce import woocommerce
from ordersetl.window import Backfill, Window

SHOP = sample_shop()
NEWEST = max(order.updated_at for order in SHOP.list_orders())


def first_days(count: int = 20) -> Shop:
    """The first orders of the sample shop, of few days."""
    return Shop({order.number: order for order in SHOP.list_orders()[:count]})


def small_shop(every: int = 14) -> Shop:
    """Every so many of the sample shop's orders, from all of its month."""
    return Shop({order.number: order for order in SHOP.list_orders()[::every]})


def change(shop: Shop) -> None:
    """A day in a shop: an order is updated, refunded, emptied, deleted, cancelled, and one is new."""
    first, second, third, fourth, fifth = [o for o in shop.list_orders() if not o.is_fractional and not o.refunds][:5]
    later = max(order.updated_at for order in shop.list_orders()) + timedelta(hours=5)
    line = first.lines[0]
    refund = ShopRefund(
        refund_id=77, created_at=later, amount=line.price, lines=((line.line_id, Decimal(1), line.price),)
    )
    shop.put(replace(first, updated_at=later, refunds=(refund,), status="refunded"))
    shop.put(replace(second, updated_at=later, lines=(replace(second.lines[0], qty=Decimal(0)), *second.lines[1:])))
    shop.put(replace(third, updated_at=later, status="cancelled", cancelled_at=later))
    shop.put(replace(fourth, updated_at=later, lines=fourth.lines[:1]))
    shop.put(replace(fifth, updated_at=later, kind="deleted"))
    new = ShopLine(line_id=1, sku="NEW-1", product_id=960, qty=Decimal(2), price=Decimal("3.50"))
    shop.put(ShopOrder(number=30001, created_at=later, updated_at=later + timedelta(minutes=1), lines=(new,)))


@dataclass
class Outage:
    """From a request on, nothing is answered; None where it is over."""

    begins_at: int | None

    def find(self, request: int) -> Fault | None:
        return Fault(status=503) if self.begins_at is not None and request >= self.begins_at else None


@pytest.mark.parametrize("shape", SHAPES)
def test_a_run_gives_the_fold_of_the_shop_in_spite_of_faults(shape: str, tmp_path: Path) -> None:
    faults = RandomFaults(0.15, seed=3).with_kinds(list_faults(shape))
    with open_source(shape, SHOP, [faults]) as source:
        result = source.run(tmp_path)
    expected = expected_bytes(shape, SHOP)
    assert output_bytes(tmp_path) == expected
    assert len(expected) > 30
    assert result.transform.skipped_by_reason == SKIPPED[shape]
    checked = pipeline.check(Settings(output=tmp_path), deep=True)
    assert not [outcome for outcome in checked.outcomes if not outcome.ok]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_later_run_asks_for_what_changed_alone(shape: str, tmp_path: Path) -> None:
    shop = first_days()
    with open_source(shape, shop) as source:
        source.fetch(tmp_path)
        before = deepcopy(shop)
        change(shop)
        result = source.fetch(tmp_path)
    assert isinstance(result, ExtractResult)
    assert result.records <= 12
    assert output_bytes(tmp_path) == expected_bytes(shape, before, shop)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_updated_in_the_second_of_the_newest_order_is_not_missed(shape: str, tmp_path: Path) -> None:
    shop = first_days()
    with open_source(shape, shop) as source:
        source.fetch(tmp_path, lookback="0s")
        before = deepcopy(shop)
        newest = max((o for o in shop.list_orders() if not o.is_fractional), key=lambda order: order.updated_at)
        shop.put(replace(newest, number=30002, lines=newest.lines[:1]))
        source.fetch(tmp_path, lookback="0s")
    assert output_bytes(tmp_path) == expected_bytes(shape, before, shop)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_backfill_in_windows_gives_the_same_files(shape: str, tmp_path: Path) -> None:
    since, until = datetime(2025, 8, 1, tzinfo=UTC), datetime(2025, 9, 2, tzinfo=UTC)
    shop = small_shop()
    with open_source(shape, shop) as source:
        source.fetch(tmp_path, Window(since=since, until=until), backfill=Backfill(timedelta(days=7), 4))
    assert output_bytes(tmp_path) == expected_bytes(shape, shop)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_interrupted_run_goes_on_at_its_page(shape: str, tmp_path: Path) -> None:
    shop, servers = first_days(45), []

    def make_server(shop: Shop, pauses: Pauses) -> Server:
        servers.append(Counted(usual_server(shape, shop, pauses)))
        return servers[-1]

    outage = Outage(25 if shape == "bigcommerce" else 7)
    with open_source(shape, shop, [outage], make_server=make_server) as source:
        with pytest.raises(SourceError):
            source.fetch(tmp_path, page_size=5, max_retries=0)
        outage.begins_at, before = None, len(servers[0].asked)
        source.fetch(tmp_path, page_size=5)
        resumed = len(servers[0].asked) - before
        source.fetch(tmp_path / "again", page_size=5)
        whole = len(servers[0].asked) - before - resumed
    assert resumed < whole - 2
    assert output_bytes(tmp_path) == expected_bytes(shape, shop) == output_bytes(tmp_path / "again")


@pytest.mark.parametrize(
    ("shape", "make_server"),
    [
        ("shopify", lambda shop, pauses: shopify(shop, token_uses=3, clock=pauses.clock)),
        ("magento", lambda shop, _: magento(shop, token_uses=3)),
        ("amazon", lambda shop, _: amazon(shop, token_uses=3, now=lambda: NOW)),
    ],
)
def test_a_token_is_renewed_in_mid_run(
    shape: str, make_server: Callable[[Shop, Pauses], Server], tmp_path: Path
) -> None:
    shop = first_days(40)
    with open_source(shape, shop, make_server=make_server) as source:
        source.fetch(tmp_path, page_size=10)
    assert output_bytes(tmp_path) == expected_bytes(shape, shop)


@pytest.mark.parametrize("shape", ["woocommerce", "magento", "bigcommerce"])
def test_pages_that_shift_while_they_are_read_lose_nothing(shape: str, tmp_path: Path) -> None:
    shop = first_days(40)
    before = deepcopy(shop)
    leaves = next(order for order in shop.list_orders() if not order.is_fractional)

    def make_server(shop: Shop, pauses: Pauses) -> Server:
        server = usual_server(shape, shop, pauses)

        def change_after_the_first_page(asked: Asked) -> Answer:
            answer = server(asked)
            if asked.path.endswith("/orders"):  # out of the window that is being read
                shop.put(replace(leaves, updated_at=NOW + timedelta(hours=1)))
            return answer

        return change_after_the_first_page

    with open_source(shape, shop, make_server=make_server) as source:
        source.fetch(tmp_path, Window(until=NOW), page_size=10)
    assert output_bytes(tmp_path) == expected_bytes(shape, before)


def test_a_window_is_split_where_the_api_ends(tmp_path: Path) -> None:
    text = load_builtin("shopify").body.decode()
    (tmp_path / "shopify.toml").write_text(text.replace("max_objects = 25000", "max_objects = 40"))
    shop = small_shop(3)

    def make_server(shop: Shop, pauses: Pauses) -> Server:
        return shopify(shop, max_objects=40, capacity=100_000, clock=pauses.clock)

    with open_source("shopify", shop, make_server=make_server) as source:
        source.fetch(tmp_path / "out", page_size=10, source=str(tmp_path / "shopify.toml"))
    assert output_bytes(tmp_path / "out") == expected_bytes("shopify", shop)


@pytest.mark.parametrize(
    ("shape", "make_server"),
    [
        ("shopify", lambda shop, pauses: shopify(shop, capacity=900, restored=50, clock=pauses.clock)),
        ("bigcommerce", lambda shop, pauses: bigcommerce(shop, quota=15, window_ms=2000, clock=pauses.clock)),
    ],
)
def test_limits_are_learnt_from_the_answers(
    shape: str, make_server: Callable[[Shop, Pauses], Server], tmp_path: Path
) -> None:
    shop = first_days(45)
    with open_source(shape, shop, make_server=make_server) as source:
        source.fetch(tmp_path, page_size=10)
        assert source.pauses.slept_s > 0.5
    assert output_bytes(tmp_path) == expected_bytes(shape, shop)


def test_square_is_asked_for_the_locations_that_are_set(tmp_path: Path) -> None:
    shop = first_days(60)
    wanted = LOCATIONS[:2]
    with open_source("square", shop) as source:
        source.fetch(tmp_path, variables={"location_ids": ",".join(wanted)})
    there = (order for order in shop.list_orders() if LOCATIONS[order.number % len(LOCATIONS)] in wanted)
    assert output_bytes(tmp_path) == expected_bytes("square", Shop({order.number: order for order in there}))


def test_shopify_s_long_lists_of_lines_and_refunded_lines_are_paged_to_their_end(tmp_path: Path) -> None:
    time = datetime(2025, 8, 20, tzinfo=UTC)
    lines = tuple(
        ShopLine(line_id=at, sku=f"S-{at}", product_id=at, qty=Decimal(1), price=Decimal("1.10")) for at in range(620)
    )
    parts = tuple((line.line_id, Decimal(1), Decimal("1.10")) for line in lines[:310])
    refunds = tuple(
        ShopRefund(refund_id=number, created_at=time, amount=Decimal("341.00"), lines=parts) for number in (1, 2)
    )
    order = ShopOrder(number=1, created_at=time, updated_at=time, lines=lines, refunds=refunds)
    shop = Shop({1: order, 2: replace(order, number=2, lines=lines[:50], refunds=())})
    with open_source("shopify", shop) as source:
        source.fetch(tmp_path)
    assert output_bytes(tmp_path) == expected_bytes("shopify", shop)


def test_shopify_without_the_right_to_all_orders_says_so_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def make_server(shop: Shop, pauses: Pauses) -> Server:
        return shopify(shop, scopes=("read_orders",), now=lambda: NOW, clock=pauses.clock)

    with open_source("shopify", SHOP, make_server=make_server) as source:
        source.fetch(tmp_path)
    assert "read_all_orders" in caplog.text
    since = NOW - timedelta(days=60)
    shown = Shop({order.number: order for order in SHOP.list_orders() if order.created_at >= since})
    assert output_bytes(tmp_path) == expected_bytes("shopify", shown)


def test_shopify_that_does_not_tell_rights_is_asked_for_orders_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = first_days()
    with open_source("shopify", shop, [Fault(every=1, status=404, within="access_scopes")]) as source:
        source.fetch(tmp_path)
    assert "the rights of the credentials cannot be asked for" in caplog.text
    assert output_bytes(tmp_path) == expected_bytes("shopify", shop)


def test_shopify_says_when_another_version_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def make_server(shop: Shop, pauses: Pauses) -> Server:
        return shopify(shop, served_version="2026-07", clock=pauses.clock)

    with open_source("shopify", small_shop(20), make_server=make_server) as source:
        source.fetch(tmp_path)
    assert "2026-07" in caplog.text


def test_woocommerce_without_embedded_refunds_is_asked_for_them(tmp_path: Path) -> None:
    shop = small_shop(2)
    with open_source("woocommerce", shop, make_server=lambda *_: woocommerce(shop, embeds_refunds=False)) as source:
        source.fetch(tmp_path)
    assert output_bytes(tmp_path) == expected_bytes("woocommerce", shop)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_secret_is_kept_or_logged(shape: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    shop = small_shop(15)
    with open_source(shape, shop, [Fault(on={4}, status=503)]) as source:
        source.fetch(tmp_path)
        names = ("api_password", "client_secret", "refresh_token")
        secrets = {str(source.settings[name]) for name in names if name in source.settings} - {"sample"}
    texts = [path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    for secret in secrets | {"shpat_1", "Atza|1", "admin-1"}:
        assert secret not in caplog.text
        assert not [text for text in texts if secret in text]
