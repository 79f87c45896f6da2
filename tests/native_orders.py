"""Orders as the built-in sources' APIs have them: usual ones, and the same with odd values in any place."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

__all__ = ["ODD", "USUAL", "list_paths", "mutated", "write_changed", "write_page"]

_MONEY = ("10.00", "0.00", "7.5", "1234.5678")


def _money_bag(amount: str, currency: str = "EUR") -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": currency}}


SHOPIFY = {
    "legacyResourceId": "450789469",
    "createdAt": "2025-08-20T10:00:00Z",
    "updatedAt": "2025-08-20T11:00:00Z",
    "cancelledAt": None,
    "test": False,
    "displayFinancialStatus": "PAID",
    "sourceName": "web",
    "discountCode": None,
    "email": "bob@example.com",
    "billingAddress": {"countryCodeV2": "DE"},
    "customer": {"legacyResourceId": "207119551"},
    "totalPriceSet": _money_bag("33.00"),
    "totalDiscountsSet": _money_bag("2.00"),
    "totalTaxSet": _money_bag("1.50"),
    "totalShippingPriceSet": _money_bag("4.00"),
    "lineItems": {
        "pageInfo": {"hasNextPage": False, "endCursor": "abc"},
        "nodes": [
            {
                "sku": "A-1",
                "name": "Shoe",
                "quantity": 2,
                "variant": {"legacyResourceId": "11"},
                "product": {"legacyResourceId": "22"},
                "originalUnitPriceSet": _money_bag("10.00"),
                "discountAllocations": [
                    {"allocatedAmountSet": _money_bag("0.75")},
                    {"allocatedAmountSet": _money_bag("0.25")},
                ],
            },
            {
                "sku": "",
                "name": "Sock",
                "quantity": 1,
                "variant": {"legacyResourceId": "12"},
                "product": {"legacyResourceId": "22"},
                "originalUnitPriceSet": _money_bag("5.00"),
                "discountAllocations": [],
            },
            {
                "sku": None,
                "name": "Gift",
                "quantity": 1,
                "variant": None,
                "product": {"legacyResourceId": "23"},
                "originalUnitPriceSet": _money_bag("6.00"),
                "discountAllocations": [{"allocatedAmountSet": _money_bag("1.00")}],
            },
        ],
    },
    "refunds": [
        {
            "legacyResourceId": "91",
            "createdAt": "2025-08-22T10:00:00Z",
            "totalRefundedSet": _money_bag("12.00"),
            "refundLineItems": {
                "nodes": [
                    {
                        "quantity": 1,
                        "subtotalSet": _money_bag("10.00"),
                        "lineItem": {"sku": "A-1", "variant": None, "product": None},
                    },
                    {
                        "quantity": 1,
                        "subtotalSet": _money_bag("1.00"),
                        "lineItem": {"sku": "", "variant": {"legacyResourceId": "12"}, "product": None},
                    },
                ]
            },
        }
    ],
}

WOOCOMMERCE = {
    "id": 727,
    "parent_id": 0,
    "status": "processing",
    "currency": "EUR",
    "customer_id": 0,
    "created_via": "checkout",
    "date_created": "2025-08-20T12:00:00",
    "date_created_gmt": "2025-08-20T10:00:00",
    "date_modified_gmt": "2025-08-20T10:30:00",
    "discount_total": "10.00",
    "discount_tax": "1.20",
    "total": "29.35",
    "total_tax": "1.35",
    "shipping_total": "10.00",
    "billing": {"first_name": "Ann", "country": "FR", "email": "ann@example.com"},
    "meta_data": [{"id": 1, "key": "k", "value": {"total": "1", "sku": "no"}}],
    "line_items": [
        {
            "id": 315,
            "name": "Basket",
            "product_id": 93,
            "variation_id": 0,
            "quantity": 2,
            "price": 3,
            "subtotal": "6.00",
            "total": "5.00",
            "total_tax": "0.45",
            "sku": "",
        },
        {
            "id": 316,
            "name": "Cheese, by weight",
            "product_id": 22,
            "variation_id": 23,
            "quantity": 1.5,
            "price": 6.666666666666667,
            "subtotal": "10.00",
            "total": "10.00",
            "total_tax": "0.90",
            "sku": "Bar3",
        },
        {
            "id": 317,
            "name": "Bag",
            "product_id": 22,
            "variation_id": 24,
            "quantity": 3,
            "price": 0.67,
            "subtotal": "2.00",
            "total": "2.00",
            "total_tax": "0.00",
            "sku": "",
        },
    ],
    "coupon_lines": [{"id": 1, "code": "summer"}],
    "refunds": [
        {
            "id": 1025,
            "date_created_gmt": "2025-08-22T23:29:44",
            "amount": "4.00",
            "line_items": [
                {"product_id": 22, "variation_id": 23, "quantity": -1, "total": "-3.50", "sku": "Bar3"},
                {"product_id": 93, "variation_id": 0, "quantity": -1, "total": "-0.25", "sku": ""},
            ],
        }
    ],
}

MAGENTO = {
    "entity_id": 3,
    "increment_id": "000000003",
    "state": "processing",
    "status": "pending",
    "created_at": "2025-08-20 22:22:19",
    "updated_at": "2025-08-20 22:22:20",
    "customer_id": 3,
    "customer_email": "jane@example.com",
    "base_currency_code": "USD",
    "order_currency_code": "EUR",
    "base_grand_total": 165,
    "grand_total": 150.5,
    "base_discount_amount": -5.25,
    "base_tax_amount": 0,
    "base_shipping_amount": 5,
    "store_name": "Main Website\nMain Website Store\n",
    "coupon_code": "TEN",
    "billing_address": {"country_id": "US"},
    "items": [
        {
            "item_id": 5,
            "product_id": 51,
            "sku": "KIT",
            "name": "Kit",
            "qty_ordered": 1,
            "base_price": 68,
            "base_row_total": 68,
            "price": 60.1,
            "base_discount_amount": 5.25,
            "base_tax_amount": 0,
        },
        {
            "item_id": 6,
            "product_id": 29,
            "sku": "BALL",
            "name": "Ball",
            "qty_ordered": 1,
            "base_price": 27,
            "parent_item_id": 5,
            "parent_item": {"sku": "KIT"},
        },
        {"item_id": 7, "product_id": 1553, "sku": "", "name": "Tee", "qty_ordered": 2.5, "base_price": 22.4},
    ],
    "creditmemos": [
        {  # was cancelled
            "entity_id": 7,
            "state": 3,
            "created_at": "2025-08-22 09:00:00",
            "base_grand_total": 15,
            "items": [{"sku": "KIT", "product_id": 51, "qty": 1, "base_price": 15, "base_row_total": 15}],
        },
        {
            "entity_id": 8,
            "state": 2,
            "created_at": "2025-08-23 09:00:00",
            "base_grand_total": 20,
            "items": [
                {"sku": "KIT", "product_id": 51, "qty": 1, "base_price": 15, "base_row_total": 15},
                {"sku": "BALL", "product_id": 29, "qty": 1, "base_price": 0, "base_row_total": None},
            ],
        },
    ],
}

BIGCOMMERCE = {
    "id": 218,
    "customer_id": 11,
    "date_created": "Wed, 20 Aug 2025 21:40:11 +0000",
    "date_modified": "Thu, 21 Aug 2025 15:17:25 +0000",
    "status_id": 7,
    "status": "Awaiting Payment",
    "total_inc_tax": "69.8400",
    "total_tax": "5.3100",
    "shipping_cost_ex_tax": "11.0900",
    "discount_amount": "5.0000",
    "coupon_discount": "5.0000",
    "currency_code": "EUR",
    "default_currency_code": "USD",
    "is_deleted": False,
    "order_source": "external",
    "billing_address": {"email": "jane@example.com", "country_iso2": "US"},
    "products": [
        {
            "id": 1,
            "product_id": 77,
            "variant_id": 88,
            "sku": "P-1",
            "name": "Plant",
            "quantity": 2,
            "price_ex_tax": "20.0000",
            "total_ex_tax": "40.0000",
            "total_tax": "2.0000",
            "parent_order_product_id": None,
            "applied_discounts": [{"id": "coupon", "amount": "6.0000"}, {"id": "total-coupon", "amount": 2.5}],
        },
        {
            "id": 2,
            "product_id": 78,
            "variant_id": 89,
            "sku": "",
            "name": "Pot",
            "quantity": 1,
            "price_ex_tax": "22.6793",
            "total_tax": "3.3100",
            "parent_order_product_id": 0,
            "applied_discounts": [],
        },
        {"id": 3, "sku": "P-1-a", "quantity": 1, "price_ex_tax": "1.0000", "parent_order_product_id": 1},
    ],
    "refunds": [
        {
            "id": 12,
            "created": "2025-08-24T10:00:00Z",
            "total_amount": 9.5,
            "payments": [{"id": 1, "amount": 5.5, "is_declined": False}, {"id": 2, "amount": 4, "is_declined": True}],
        }
    ],
}

SQUARE = {
    "id": "CAISENgvlJ6jLWAzERDzjyHVybY",
    "location_id": "L1",
    "state": "COMPLETED",
    "customer_id": None,
    "tenders": [{"id": "t-1", "customer_id": "C-9"}],
    "created_at": "2025-08-20T20:47:53.293Z",
    "updated_at": "2025-08-20T20:48:53.29Z",
    "source": {"name": "Counter"},
    "total_money": {"amount": 6176, "currency": "USD"},
    "total_discount_money": {"amount": 433, "currency": "USD"},
    "total_tax_money": {"amount": 510, "currency": "USD"},
    "line_items": [
        {
            "uid": "a",
            "catalog_object_id": "BEMYCSMI",
            "name": "Steak",
            "quantity": "2",
            "base_price_money": {"amount": 2200, "currency": "USD"},
            "gross_sales_money": {"amount": 4500, "currency": "USD"},
            "total_discount_money": {"amount": 346, "currency": "USD"},
            "total_tax_money": {"amount": 374, "currency": "USD"},
        },
        {
            "uid": "b",
            "catalog_object_id": "CHQX7Y4K",
            "name": "Cheese",
            "quantity": "0.333",
            "base_price_money": {"amount": 1599, "currency": "USD"},
            "total_discount_money": {"amount": 87, "currency": "USD"},
            "total_tax_money": {"amount": 136, "currency": "USD"},
        },
    ],
}

AMAZON = {
    "orderId": "902-1845936-5435065",
    "createdTime": "2025-08-20T10:00:00Z",
    "lastUpdatedTime": "2025-08-21T10:00:00Z",
    "salesChannel": {"channelName": "AMAZON", "marketplaceName": "Amazon.de"},
    "fulfillment": {"fulfillmentStatus": "SHIPPED"},
    "proceeds": {
        "grandTotal": {"amount": "28.50", "currencyCode": "EUR"},
        "breakdowns": [
            {"type": "ITEM", "subtotal": {"amount": "30.00", "currencyCode": "EUR"}},
            {"type": "DISCOUNT", "subtotal": {"amount": "-3.00", "currencyCode": "EUR"}},
            {"type": "TAX", "subtotal": {"amount": "1.50", "currencyCode": "EUR"}},
            {"type": "DISCOUNT", "subtotal": {"amount": "-0.25", "currencyCode": "EUR"}},
        ],
    },
    "orderItems": [
        {
            "orderItemId": "1",
            "quantityOrdered": 3,
            "product": {
                "asin": "B000TEST",
                "sellerSku": "SKU-1",
                "title": "Lamp",
                "price": {"unitPrice": {"amount": "10.00", "currencyCode": "EUR"}},
            },
            "proceeds": {
                "breakdowns": [
                    {"type": "DISCOUNT", "subtotal": {"amount": "-3.25", "currencyCode": "EUR"}},
                    {"type": "TAX", "subtotal": {"amount": "1.50", "currencyCode": "EUR"}},
                ]
            },
        },
        {
            "orderItemId": "2",
            "quantityOrdered": 1,
            "product": {"asin": "B000BULB", "title": "Bulb", "price": {"unitPrice": {"amount": "1.00"}}},
        },
    ],
}

USUAL: dict[str, dict[str, Any]] = {
    "shopify": SHOPIFY,
    "woocommerce": WOOCOMMERCE,
    "magento": MAGENTO,
    "bigcommerce": BIGCOMMERCE,
    "square": SQUARE,
    "amazon": AMAZON,
}
"""A usual order of each source, with what its calls add."""

ODD: tuple[str, ...] = (
    *("null", "true", "false", '""', '" "', "[]", "{}", "[null]", "[{}]", "0", "-0", "0.0", '"0"', '"0.0"', "1", '"1"'),
    *("-1", '"-1"', "-5.25", '"-2.50"', "1.5", "501.0", "5e0", "1e2", "1e400", "NaN", "9007199254740993", "1e-400"),
    *("12345678901234567890123", "0.00005", "10.00015", '"10.00015"', "99999999999999", "1e14", '"1e3"', '" 7 "'),
    *(
        '"abc"',
        '"A\\u0041"',
        '"\\ud83e"',
        '"a\\"b"',
        '"ü"',
        '"a\\u0000"',
        '"x y"',
        '"a\\nb"',
        '"end\\n"',
        '"\\n"',
        '"\\r\\n \\n"',
        '"\\"a\\""',
        '"a\\r\\n\\tb\\\\c"',
        '"' + "u" * 260 + '"',
        '"tab\\t"',
    ),
    *('"USD"', '"jpy"', '"KWD"', '"XXX"', '"trash"', '"DRAFT"', '"draft"', '"canceled"', '"PENDING"', '"TAX"'),
    *('"2025-08-20T10:00:00Z"', '"2025-08-20 10:00:00"', '"2025-08-20"', '"2025-08-20T10:00:00+02:00"', "1755684000"),
    *('"Wed, 20 Aug 2025 21:40:11 +0200"', '"20 Aug 2025 21:40:11 GMT"', '"Wed, 31 Feb 2025 21:40:11 +0000"'),
    *('"0000-00-00 00:00:00"', '"1755684000"', "1755684000123", '"soon"', "[1,2]", '{"amount":"1.00"}', '"-0000"'),
    '[{"a":1}]',
)
"""JSON of values that nobody expects, in place of others."""


def _walk(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values below one."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*path, key)
        yield from _walk(member, (*path, key))


class _Json(str):
    """JSON to stand where it is put, as it is."""

    __slots__ = ()


def _write(value: Any) -> str:
    if isinstance(value, _Json):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_write(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_write, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def list_paths(source: str) -> list[tuple[Any, ...]]:
    """Paths of all values in a usual record of a source."""
    return list(_walk(USUAL[source]))


def write_changed(source: str, path: tuple[Any, ...], value: str) -> str:
    """A usual record of a source with one value replaced by this JSON."""
    record = copy.deepcopy(USUAL[source])
    _at(record, path[:-1])[path[-1]] = _Json(value)
    return _write(record)


@st.composite
def mutated(draw: st.DrawFn, source: str) -> str:
    """A usual record of a source with up to three values replaced, dropped, given twice, or put in its lists again."""
    record = copy.deepcopy(USUAL[source])
    changes: dict[str, Callable[[Any, Any], None]] = {
        "replace": lambda parent, key: parent.__setitem__(key, _Json(draw(st.sampled_from(ODD)))),
        "drop": lambda parent, key: parent.__delitem__(key),
        "again": lambda parent, key: (
            parent.append(copy.deepcopy(parent[key]))
            if isinstance(parent, list)
            else parent.__setitem__(key, _Json(f"{_write(parent[key])},{json.dumps(key)}:{draw(st.sampled_from(ODD))}"))
        ),
    }
    for change in draw(st.lists(st.sampled_from(["replace", "replace", "drop", "again"]), max_size=3)):
        paths = list(_walk(record))
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        changes[change](_at(record, path[:-1]), path[-1])
    return _write(record)


def write_page(source: str, records: list[str]) -> bytes:
    """A page of a source with these records: its list is where the description of the source says."""
    listed = "[" + ",".join(records) + "]"
    return (
        {
            "shopify": '{"data":{"orders":{"pageInfo":{"hasNextPage":false,"endCursor":null},"nodes":%s}}}',
            "woocommerce": "%s",
            "magento": '{"items":%s,"total_count":9}',
            "bigcommerce": "%s",
            "square": '{"orders":%s}',
            "amazon": '{"orders":%s,"pagination":{}}',
        }[source]
        .replace("%s", listed)
        .encode("utf-8", "surrogatepass")
    )
