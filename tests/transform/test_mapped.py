"""Records of a described source become staged orders: what is counted, skipped, rejected and kept of them."""

import json
from decimal import Decimal
from typing import Any

import pytest
from both_paths import assert_paths_agree, describe
from native_orders import USUAL, write_page

from ordersetl.source.description.mapping import Mapping
from ordersetl.source.page import Page
from ordersetl.source.shape import PageShape
from ordersetl.star.lines import merge_lines, merge_refunds
from ordersetl.transform.bulk import read_bulk
from ordersetl.transform.mapped_fields import find_bulk_mapping
from ordersetl.transform.validate import Validated, validate_pages
from ordersetl.window import Window


def usual(source: str, **changes: Any) -> str:
    return json.dumps(USUAL[source] | changes)


def lines_of(found: Validated) -> dict[str, list[Any]]:
    """Quantity, price and amount of each row, by SKU."""
    lines = merge_lines(found.orders, found.items, merge_refunds(found.orders, found.refunds))
    return {sku: rest for sku, *rest in lines.select("sku", "qty", "item_price", "line_amount").iter_rows()}


@pytest.mark.parametrize("source", USUAL)
def test_a_usual_record_of_each_source_is_read_in_bulk(source: str) -> None:
    description = describe(source)
    assert description.mapping is not None
    page = Page(1, write_page(source, [usual(source)] * 3), shape=PageShape(description))
    read = read_bulk([page], find_bulk_mapping(description.mapping))
    assert (read.orders.height, read.fallback) == (3, [])


def test_a_total_is_the_line_s_amount_and_over_its_quantity_the_price() -> None:
    found = assert_paths_agree("woocommerce", [usual("woocommerce")])
    assert lines_of(found) == {
        "product:93": [Decimal("2.0000"), Decimal("3.0000"), Decimal("6.0000")],
        "Bar3": [Decimal("1.5000"), Decimal("6.6667"), Decimal("10.0000")],
        "variant:24": [Decimal("3.0000"), Decimal("0.6667"), Decimal("2.0000")],
    }
    assert found.orders["user_id"].to_list() == [None]  # 0 stands for a guest
    assert found.orders["order_discount"].to_list() == [Decimal("10.0000")]


def test_lines_of_one_sku_have_the_average_of_what_they_come_to() -> None:
    lines = [
        {"sku": "A", "quantity": 3, "subtotal": "2.00"},
        {"sku": "A", "quantity": "1", "subtotal": "1.00"},
        {"sku": "A", "quantity": 2, "subtotal": None},
    ]
    found = assert_paths_agree("woocommerce", [usual("woocommerce", line_items=lines, refunds=[])])
    assert lines_of(found) == {"A": [Decimal("6.0000"), Decimal("0.7500"), Decimal("3.0000")]}


def test_a_price_counts_where_there_is_no_total() -> None:
    found = assert_paths_agree("square", [usual("square")])
    assert lines_of(found) == {
        "BEMYCSMI": [Decimal("2.0000"), Decimal("22.5000"), Decimal("45.0000")],  # with its modifiers
        "CHQX7Y4K": [Decimal("0.3330"), Decimal("15.9900"), Decimal("5.3247")],
    }
    assert found.orders.select("order_amount", "user_id", "source").rows() == [(Decimal("61.7600"), "C-9", "Counter")]


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "6176.0000"), ("KWD", "6.1760"), ("usd", "61.7600")])
def test_the_smallest_unit_is_that_of_the_currency(currency: str, amount: str) -> None:
    found = assert_paths_agree("square", [usual("square", total_money={"amount": 6176, "currency": currency})])
    assert found.orders["order_amount"].to_list() == [Decimal(amount)]


@pytest.mark.parametrize(
    ("currency", "unit"), [("XXX", "XXX"), ("\ud83e", "\ufffd"), ("€" * 400, "€" * 90), (None, "an unknown currency:")]
)
def test_an_amount_in_an_unknown_unit_is_refused_by_its_currency_and_never_guessed(
    currency: str | None, unit: str
) -> None:
    found = assert_paths_agree("square", [usual("square", total_money={"amount": 6176, "currency": currency})])
    assert [reject.reason for reject in found.rejects] == ["invalid_amount"]
    (detail,) = (reject.detail for reject in found.rejects)
    assert detail.startswith(f"amount is 6176 in the smallest unit of {unit}")
    assert detail.endswith(": without a currency of ISO 4217 its digits are not known")


def test_a_sum_in_an_unknown_unit_is_refused_by_its_currency() -> None:
    mapping = Mapping.model_validate(
        {"money": "minor", "order": {**ORDER, "currency": "cash", "discount": "[a, b]"}, "items": ITEMS}
    )
    record = {"id": 1, "made": "2025-08-20", "lines": [], "cash": "RUR", "a": 5, "b": 0}
    (found,) = validate_pages([Page(1, json.dumps([record]).encode())], Window(), mapping=mapping).rejects
    assert (found.reason, found.detail[:47]) == (
        "invalid_discount",
        "discount is 5 in the smallest unit of RUR: with",
    )


def test_the_generic_api_knows_no_total_of_a_line() -> None:
    record = {
        "order_id": "o-1",
        "created_at": "2025-08-20T10:00:00Z",
        "items": [{"sku": "A", "qty": 2, "price": 5, "total": 99}],
    }
    for bulk in (True, False):
        found = validate_pages([Page(1, json.dumps([record]).encode())], Window(), bulk=bulk)
        assert lines_of(found) == {"A": [Decimal("2.0000"), Decimal("5.0000"), Decimal("10.0000")]}


@pytest.mark.parametrize("total", [-1, "free", "1e14", True])
def test_a_total_that_is_none_rejects_its_line(total: object) -> None:
    lines = [{"sku": "A", "quantity": 1, "subtotal": total}, {"sku": "B", "quantity": 1, "subtotal": 1}]
    found = assert_paths_agree("woocommerce", [usual("woocommerce", line_items=lines, refunds=[])])
    assert found.counts.lines_rejected == {"invalid_price": 1}


def test_a_price_that_does_not_count_may_be_beyond_all_bounds() -> None:
    lines = [USUAL["square"]["line_items"][0] | {"base_price_money": {"amount": 9007199254740993}}]
    found = assert_paths_agree("square", [usual("square", line_items=lines), usual("square", id="other")])
    assert lines_of(found)["BEMYCSMI"][2] == Decimal("45.0000")


def test_a_total_of_next_to_nothing_is_no_price() -> None:
    lines = [{"sku": "A", "quantity": 0.0001, "subtotal": 1e10}, {"sku": "B", "quantity": 1, "subtotal": 1}]
    found = assert_paths_agree("woocommerce", [usual("woocommerce", line_items=lines, refunds=[])])
    assert found.counts.lines_rejected == {"invalid_price": 1}


def test_records_that_are_no_orders_are_skipped_and_counted_by_name() -> None:
    returned = usual("square", line_items=None, returns=[{"uid": "r"}])
    records = [usual("square"), usual("square", state="DRAFT"), returned, usual("square", returns=[{}])]
    found = assert_paths_agree("square", [*records, "5"])
    assert found.counts.skipped == {"drafts": 1, "returns": 1}
    assert (found.counts.received, found.counts.accepted, found.counts.rejected) == (5, 2, {"not_an_object": 1})


def test_children_of_bundles_are_skipped_lines() -> None:
    found = assert_paths_agree("magento", [usual("magento"), usual("magento", entity_id=4)])
    assert (found.counts.lines_received, found.counts.lines_accepted, found.counts.lines_skipped) == (6, 4, 2)
    assert found.orders["order_discount"].to_list() == [Decimal("5.2500")] * 2


def shop_money(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount}}


def shopify_line(sku: str, price: str, *allocated: str) -> dict[str, Any]:
    allocations = [{"allocatedAmountSet": shop_money(amount)} for amount in allocated]
    return {
        "sku": sku,
        "quantity": 1,
        "originalUnitPriceSet": shop_money(price),
        "totalDiscountSet": shop_money("0.0"),
        "discountAllocations": allocations,
    }


def test_a_discount_that_is_of_some_products_is_theirs_alone() -> None:
    lines = [
        shopify_line("A", "50.0", "5.0", "4.5"),
        shopify_line("B", "50.0", "5.0"),
        shopify_line("C", "100.0"),
    ]
    found = assert_paths_agree(
        "shopify", [usual("shopify", lineItems={"nodes": lines}, totalDiscountsSet=shop_money("14.5"), refunds=[])]
    )
    rows = merge_lines(found.orders, found.items, merge_refunds(found.orders, found.refunds))
    assert rows["discount_amount"].to_list() == [Decimal("9.5"), Decimal(5), Decimal(0)]


def test_quarantine_shows_the_native_record_and_line() -> None:
    lines = [{"sku": "A", "qty_ordered": 1, "base_price": 1, "parent_item_id": 5}, {"sku": "B", "qty_ordered": "x"}]
    records = [
        usual("magento", base_grand_total="a lot"),
        usual("magento", items=[*lines, {"sku": "C", "qty_ordered": 1, "base_price": 165}]),
    ]
    order, line = assert_paths_agree("magento", records).rejects
    assert (order.reason, order.order_id, order.record["base_grand_total"]) == ("invalid_amount", "3", "a lot")
    assert (line.reason, line.line, line.record) == ("invalid_qty", 1, lines[1])
    assert line.detail.startswith("items[1].qty ")


@pytest.mark.parametrize("items", ["[null]", '[null, {"sku": "A", "qty": 1, "base_price": 0}]'])
def test_nothing_in_place_of_a_refunds_line_is_no_line_of_nothing(items: str) -> None:
    memo = {"entity_id": 8, "created_at": "2025-08-23 09:00:00", "base_grand_total": 20, "items": json.loads(items)}
    found = assert_paths_agree("magento", [usual("magento", creditmemos=[memo])])
    assert found.counts.rejected == {"invalid_refund": 1}


def test_what_refunds_say_of_one_sku_is_summed_and_the_rest_has_none() -> None:
    lines = [
        {"sku": "A", "quantity": 2, "subtotal": "20.00"},
        {"sku": "", "product_id": 5, "quantity": 1, "subtotal": "9.35"},
    ]
    back = [
        {"quantity": -1, "total": "-4.00", "sku": "A"},
        {"quantity": -1, "total": "-1.50", "sku": "", "product_id": 5},
    ]
    refunds = [
        {"id": 1, "date_created_gmt": "2025-08-22T10:00:00", "amount": "5.50", "line_items": back},
        {"id": 2, "date_created_gmt": "2025-08-23T10:00:00", "amount": "3.25", "line_items": back[:1]},
        {"id": 3, "date_created_gmt": "2025-08-24T10:00:00", "amount": "5.00", "line_items": []},
    ]
    found = assert_paths_agree("woocommerce", [usual("woocommerce", line_items=lines, refunds=refunds)])
    merged = merge_refunds(found.orders, found.refunds)
    assert merged.select("refund_id", "sku", "qty", "refund_amount").rows() == [
        ("1", "A", Decimal("1.0000"), Decimal("4.0000")),
        ("1", "product:5", Decimal("1.0000"), Decimal("1.5000")),
        ("2", "A", Decimal("1.0000"), Decimal("3.2500")),  # the line says more than the refund
        ("3", None, None, Decimal("5.0000")),
    ]
    refunded = merge_lines(found.orders, found.items, merged).select("sku", "refunded_amount").rows()
    assert sum(amount for _, amount in refunded) == Decimal("13.7500")


def test_ids_that_no_double_holds_keep_their_digits() -> None:
    lines = [{"sku": "", "variation_id": 9007199254740993, "quantity": 1, "subtotal": "29.35"}]
    found = assert_paths_agree("woocommerce", [usual("woocommerce", id=9007199254740995, line_items=lines)])
    assert found.orders["order_id"].to_list() == ["9007199254740995"]
    assert found.items["sku"].to_list() == ["variant:9007199254740993"]


def test_amounts_by_kind_are_added_exactly() -> None:
    found = assert_paths_agree("amazon", [usual("amazon")])
    assert found.orders.select("order_discount", "order_tax", "order_shipping").rows() == [
        (Decimal("3.2500"), Decimal("1.5000"), None)
    ]
    assert found.items["discount"].to_list() == [Decimal("3.2500"), None]


def test_deleted_orders_leave_and_cancelled_ones_are_marked() -> None:
    found = assert_paths_agree("woocommerce", [usual("woocommerce", status="trash"), usual("woocommerce", id=5)])
    assert (found.counts.deleted, found.counts.accepted) == (1, 2)
    cancelled = assert_paths_agree("magento", [usual("magento", state="canceled", status="gone"), usual("magento")])
    assert cancelled.orders.sort("pos")["cancelled"].to_list() == [True, False]


def test_a_repeated_name_counts_as_the_last_says() -> None:
    text = usual("woocommerce").replace('"total": "29.35"', '"total": "1.00", "total": "29.35", "total": "7.00"', 1)
    found = assert_paths_agree("woocommerce", [text, usual("woocommerce", id=8)])
    assert found.orders.sort("pos")["order_amount"].to_list() == [Decimal("7.0000"), Decimal("29.3500")]


@pytest.mark.parametrize("control", ["\x1f", "\x00", "\x01", "\n"])
def test_a_control_character_in_a_text_costs_its_page_the_fast_path_alone(control: str) -> None:
    records = [usual("woocommerce"), usual("woocommerce", id=5).replace("Cheese", f"Ch{control}eese")]
    found = assert_paths_agree("woocommerce", records)
    assert found.orders.sort("pos")["order_id"].to_list() == ["727", "5"]


def test_names_with_escapes_that_json_does_not_need_are_read_in_bulk() -> None:
    lines = [{"sku": "A\\/B", "quantity": 1, "subtotal": "1", "name": "Caf\u00e9 \\u0026 Cr\u00eape"}]
    text = usual("woocommerce", line_items=lines).replace("\\\\", "\\")
    description = describe("woocommerce")
    assert description.mapping is not None
    page = Page(1, write_page("woocommerce", [text]), shape=PageShape(description))
    read = read_bulk([page], find_bulk_mapping(description.mapping))
    assert read.items.select("sku", "name").rows() == [("A/B", "Café & Crêpe")]
    assert_paths_agree("woocommerce", [text])


ORDER: dict[str, Any] = {"order_id": "id", "created_at": "made"}
ITEMS: dict[str, Any] = {"list": "lines", "sku": "code", "qty": "count"}


FLAGS = [*(None, True, False, 0, 1, "", " "), *("false", "No", "0", "off\n", "true", "yes", "1", [], [0], {"a": 1})]


@pytest.mark.parametrize("bulk", [True, False])
def test_texts_that_say_no_delete_cancel_and_skip_nothing(*, bulk: bool) -> None:
    conditions = {"amount": "total", "deleted": "gone", "cancelled": "off"}
    parts = {
        "order": ORDER | conditions,
        "items": ITEMS | {"skip": "part"},
        "skip": [{"name": "tests", "when": "test"}],
    }
    mapping = Mapping.model_validate(parts)
    assert find_bulk_mapping(mapping) is not None
    rows: list[dict[str, Any]] = [{name: flag} for flag in FLAGS for name in ("gone", "off", "part", "test")]
    line = {"code": "A", "count": 1}
    records = [
        {"id": number, "made": "2025-08-20", "total": 1, **row, "lines": [line, line | row]}
        for number, row in enumerate(rows)
    ]
    page = Page(1, json.dumps(records).encode())
    counts = validate_pages([page], Window(), mapping=mapping, bulk=bulk).counts
    assert (counts.deleted, counts.cancelled, counts.lines_skipped, counts.skipped) == (7, 7, 7, {"tests": 7})


@pytest.mark.parametrize(
    "parts",
    [
        {"order": {**ORDER, "amount": "sum(lines[].each)"}, "items": ITEMS},
        {"order": {**ORDER, "tax": "taxes[].rate | [0]"}, "items": ITEMS},
        {"order": ORDER, "items": ITEMS | {"list": "lines || items"}},
        {"order": {**ORDER, "status": "lines"}, "items": ITEMS},
        {"order": {**ORDER, "status": "a == b"}, "items": ITEMS},
        {"order": ORDER | {"user_id": "ID"}, "items": ITEMS, "skip": [{"name": "x", "when": "starts_with(id, 'x')"}]},
    ],
)
def test_what_is_no_column_goes_record_by_record_and_is_said(
    parts: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    find_bulk_mapping.cache_clear()
    with caplog.at_level("DEBUG"):
        assert find_bulk_mapping(Mapping.model_validate(parts)) is None
    assert caplog.messages[0].startswith("the mapping is applied record by record, which takes several times as long: ")
