"""What shops really send, and what is easily made wrong of it: a case each, by both ways of reading."""

import json
from decimal import Decimal
from typing import Any

import pytest
from both_paths import assert_paths_agree
from native_orders import USUAL

from ordersetl.star.lines import merge_lines, merge_refunds
from ordersetl.transform.validate import Validated


def read(source: str, **changes: Any) -> Validated:
    """A usual order of a source with some fields replaced; those that are ... are left out."""
    given = USUAL[source] | changes
    return assert_paths_agree(source, [json.dumps({name: value for name, value in given.items() if value is not ...})])


def column(found: Validated, name: str) -> dict[str, Any]:
    """A column of the rows, by SKU."""
    lines = merge_lines(found.orders, found.items, merge_refunds(found.orders, found.refunds))
    return dict(lines.select("sku", name).iter_rows())


def refund_rows(found: Validated) -> list[tuple[Any, ...]]:
    return merge_refunds(found.orders, found.refunds).select("sku", "qty", "refund_amount").rows()


def memo_row(sku: str, qty: int, price: float, row_total: float | None) -> dict[str, Any]:
    return {"sku": sku, "product_id": 7, "qty": qty, "base_price": price, "base_row_total": row_total}


def test_a_configurable_product_of_magento_is_returned_once() -> None:
    rows = [memo_row("S-RED", 2, 30, 60), memo_row("S-RED", 2, 0, None), memo_row("GIFT", 1, 0, 0)]
    memo = {"entity_id": 4, "created_at": "2025-08-23 09:00:00", "base_grand_total": 60, "items": rows}
    found = read("magento", creditmemos=[memo])
    assert refund_rows(found) == [("GIFT", Decimal(1), Decimal(0)), ("S-RED", Decimal(2), Decimal(60))]


def test_the_row_of_a_dynamic_bundle_keeps_its_quantity_though_its_parts_have_the_money() -> None:
    rows = [memo_row("SET", 3, 45, None), memo_row("CUP", 3, 25, 75), memo_row("PAN", 3, 20, 60)]
    memo = {"entity_id": 4, "created_at": "2025-08-23 09:00:00", "base_grand_total": 135, "items": rows}
    assert refund_rows(read("magento", creditmemos=[memo]))[-1] == ("SET", Decimal(3), Decimal(0))


def test_a_parent_of_0_is_no_parent() -> None:
    line = {"sku": "A", "qty_ordered": 1, "base_price": 165, "parent_item_id": 0}
    assert column(read("magento", items=[line]), "line_amount") == {"A": Decimal(165)}
    product = {"sku": "A", "quantity": 1, "price_ex_tax": "60.0000", "parent_order_product_id": 0}
    assert column(read("bigcommerce", products=[product]), "line_amount") == {"A": Decimal(60)}


def test_a_row_is_worth_what_the_shop_says_where_prices_include_tax() -> None:
    of_magento = [
        {"sku": "A", "qty_ordered": 3, "base_price": 8.26, "base_row_total": 24.79},  # 3 at 10.00, 21 % tax included
        {"sku": "B", "qty_ordered": 100, "base_price": 0.82, "base_row_total": 81.82},
        {"sku": "C", "qty_ordered": 2, "base_price": 0.82},
    ]
    rows = column(read("magento", items=of_magento), "line_amount")
    assert rows == {"A": Decimal("24.79"), "B": Decimal("81.82"), "C": Decimal("1.64")}
    of_bigcommerce = [{"sku": "A", "quantity": 10, "price_ex_tax": "236.9667", "total_ex_tax": "2369.6667"}]
    assert column(read("bigcommerce", products=of_bigcommerce), "line_amount") == {"A": Decimal("2369.6667")}


def test_what_bigcommerce_took_off_one_product_is_off_that_one() -> None:
    usual = {"quantity": 1, "price_ex_tax": "50.0000"}
    products = [
        usual | {"sku": "A", "applied_discounts": [{"id": "coupon", "amount": "7.5000", "target": "product"}]},
        usual | {"sku": "B", "applied_discounts": [{"id": "total-coupon", "amount": 2.5, "target": "order"}]},
        usual | {"sku": "C", "applied_discounts": []},
    ]
    found = read("bigcommerce", products=products, coupon_discount="10.0000", discount_amount="0.0000", refunds=[])
    assert column(found, "discount_amount") == {"A": Decimal("7.5"), "B": Decimal("2.5"), "C": Decimal(0)}


@pytest.mark.parametrize(
    ("payments", "refunded"),
    [
        (..., ["9.5000"]),
        ([], ["9.5000"]),
        ([{"amount": 9.5, "is_declined": False}], ["9.5000"]),
        ([{"amount": 9.5}], ["9.5000"]),
        ([{"amount": 0, "is_declined": False}], ["0.0000"]),
        ([{"amount": 9.5, "is_declined": True}], ["0.0000"]),
        ([{"amount": 5, "is_declined": True}, {"amount": 4.5, "is_declined": True}], ["0.0000"]),
        ([{"amount": 5, "is_declined": True}, {"amount": 4.5, "is_declined": False}], ["4.5000"]),
        ([{"amount": "0.10", "is_declined": False}, {"amount": 0.2}, {"amount": 9.2, "is_declined": True}], ["0.3000"]),
    ],
)
def test_what_a_payment_provider_of_bigcommerce_declined_did_not_go_back(payments: Any, refunded: list[str]) -> None:
    refund = {"id": 1, "created": "2025-08-24T10:00:00Z", "total_amount": 9.5}
    found = read("bigcommerce", refunds=[refund if payments is ... else refund | {"payments": payments}])
    assert [str(amount) for amount in found.refunds["refund_amount"]] == refunded


def test_a_cancelled_memo_of_magento_is_none() -> None:
    memos: list[dict[str, Any]] = [
        {"entity_id": number, "created_at": "2025-08-23 09:00:00", "base_grand_total": 20, "state": state, "items": []}
        for number, state in enumerate((1, 2, 3, None))
    ]
    assert read("magento", creditmemos=memos).refunds["refund_id"].to_list() == ["0", "1", "3"]


def test_the_lines_of_a_memo_after_a_cancelled_one_are_its_own() -> None:
    def memo(number: int, state: int, *skus: str) -> dict[str, Any]:
        items = [{"sku": sku, "qty": 1, "base_price": 10, "base_row_total": 10} for sku in skus]
        head = {"entity_id": number, "created_at": "2025-08-23 09:00:00", "base_grand_total": 10 * len(skus) or 5}
        return head | {"state": state, "items": items}

    memos = [memo(1, 3, "A"), memo(2, 2, "B"), memo(3, 3), memo(4, 2), memo(5, 2, "A", "C"), memo(6, 3, "B", "C")]
    rows = read("magento", creditmemos=memos).refunds.select("refund_id", "sku").rows()
    assert sorted(row for row in rows if row[1]) == [("2", "B"), ("5", "A"), ("5", "C")]


def test_square_leaves_out_a_list_of_lines_that_is_empty() -> None:
    nothing, dollar = ({"amount": amount, "currency": "USD"} for amount in (0, 100))
    emptied = read("square", line_items=..., total_money=nothing, state="OPEN")
    assert (emptied.counts.emptied, emptied.counts.rejected) == (1, {})
    assert read("square", line_items=..., total_money=dollar).counts.rejected == {"no_items": 1}
    assert read("square", line_items="no", total_money=nothing).counts.rejected == {"invalid_items": 1}
    assert read("square").counts.accepted == 1


def test_a_customer_of_square_may_be_known_by_the_second_tender_alone() -> None:
    tenders = [{"id": "t-1", "type": "CASH"}, {"id": "t-2", "type": "CARD", "customer_id": "C-2"}]
    assert read("square", tenders=tenders).orders["user_id"].to_list() == ["C-2"]
    assert read("square", tenders=[{"id": "t-1"}]).orders["user_id"].to_list() == [None]


def test_what_amazon_only_ships_was_not_sold_there() -> None:
    elsewhere = {"channelName": "NON_AMAZON"}
    item = {"orderItemId": "1", "quantityOrdered": 2, "product": {"asin": "B0", "sellerSku": "S"}}
    assert read("amazon", salesChannel=elsewhere, proceeds=..., orderItems=[item]).counts.skipped == {
        "sold_elsewhere": 1
    }
    assert read("amazon", salesChannel=elsewhere).counts.accepted == 1
    assert read("amazon", proceeds=..., orderItems=[item]).counts.rejected == {"missing_amount": 1}
