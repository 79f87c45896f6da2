"""How much it costs to stage native records of a described source, beside the same orders of the generic API.

    python tests/bench/mapped.py [--orders 35000] [--runs 5] [--source shopify ...]

The orders are the benchmark shop's, as each API sends them, most of which no mapping looks at. A chunk of them is
staged in this process, in turn with the same orders as the mapping makes them; what is reported is the least CPU time
per order, as whatever else the machine does only adds to it, and the speed of the mapped ones as a share of that of the
others.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from shop import Shop, render_record

from ordersetl.lake.fold_settings import DEFAULTS
from ordersetl.lake.layout import Lake
from ordersetl.lake.raw import PageEntry
from ordersetl.source.description.loading import load_builtin
from ordersetl.source.description.model import Description
from ordersetl.source.mapping.record import map_record
from ordersetl.source.page import Page
from ordersetl.source.shape import shape_of
from ordersetl.storage.disk import Disk
from ordersetl.transform.chunks import Chunk, stage_chunk
from ordersetl.window import Window

PAGE_RECORDS = 250
BATCH = "20250901T000000.000000Z"
_encoder = msgspec.json.Encoder(decimal_format="number")
Order = dict[str, Any]


def list_orders(count: int) -> Iterator[Order]:
    """The shop's orders, without what is no order at all."""
    shop = Shop(count, 1, 30)
    for place in range(shop.records):
        order = json.loads(render_record(shop, place))
        if isinstance(order, dict) and isinstance(order.get("items"), list) and isinstance(order["metadata"], dict):
            yield order


def to_woocommerce(order: Order) -> Order:
    """As WooCommerce's REST API has it."""
    number = int(str(order.get("order_id") or "x0").strip("ORD- ") or 0) if order.get("order_id") else None
    address = {"first_name": "Ann", "last_name": "Lee", "address_1": "1 Main St", "city": "Lyon", "postcode": "69001"}
    lines = [
        {
            "id": at,
            "name": f"Product {line.get('sku')}",
            "product_id": 90 + at,
            "variation_id": 0,
            "quantity": line["qty"],
            "tax_class": "",
            "subtotal": _text(line["qty"], line.get("price")),
            "subtotal_tax": "0.00",
            "total": _text(line["qty"], line.get("price")),
            "total_tax": "0.00",
            "taxes": [],
            "meta_data": [],
            "sku": line.get("sku", ""),
            "price": line.get("price"),
        }
        for at, line in enumerate(order["items"])
    ]
    return {
        "id": number,
        "parent_id": 0,
        "status": order["status"],
        "currency": order["currency"],
        "version": "9.1.2",
        "prices_include_tax": False,
        "date_created": str(order["created_at"]).removesuffix("Z"),
        "date_modified": str(order["updated_at"]).removesuffix("Z"),
        "discount_total": "0.00",
        "discount_tax": "0.00",
        "shipping_total": "0.00",
        "total": order["amount"] if isinstance(order["amount"], str) else f"{order['amount']:.2f}",
        "total_tax": "0.00",
        "customer_id": str(order["user_id"]).removeprefix("U-"),
        "order_key": "wc_order_58d2d042d1d",
        "billing": {**address, "country": "FR", "email": "ann@example.com", "phone": "555"},
        "shipping": {**address, "country": "FR"},
        "payment_method": "bacs",
        "created_via": order["metadata"]["source"],
        "date_created_gmt": str(order["created_at"]).removesuffix("Z"),
        "date_modified_gmt": str(order["updated_at"]).removesuffix("Z"),
        "line_items": lines,
        "coupon_lines": [{"id": 1, "code": promo}] if (promo := order["metadata"]["promo"]) else [],
        "refunds": [],
    }


def to_shopify(order: Order) -> Order:
    """As Shopify's GraphQL API answers the query of the built-in description."""
    currency = order["currency"]
    nodes = [
        {
            "sku": line.get("sku"),
            "name": f"Product {line.get('sku')}",
            "quantity": line["qty"],
            "variant": {"legacyResourceId": str(at)},
            "product": {"legacyResourceId": str(90 + at)},
            "originalUnitPriceSet": _money(line.get("price"), currency),
            "discountAllocations": [],
        }
        for at, line in enumerate(order["items"])
    ]
    return {
        "id": f"gid://shopify/Order/{order['order_id']}",
        "legacyResourceId": order["order_id"],
        "createdAt": order["created_at"],
        "updatedAt": order["updated_at"],
        "cancelledAt": None,
        "test": False,
        "displayFinancialStatus": order["status"],
        "sourceName": order["metadata"]["source"],
        "discountCode": order["metadata"]["promo"],
        "email": "ann@example.com",
        "billingAddress": {"countryCodeV2": "FR"},
        "customer": {"legacyResourceId": order["user_id"]},
        "totalPriceSet": _money(order["amount"], currency),
        "totalDiscountsSet": _money(0, currency),
        "totalTaxSet": _money(0, currency),
        "totalShippingPriceSet": _money(0, currency),
        "lineItems": {"pageInfo": {"hasNextPage": False, "endCursor": "eyJsYXN0X2lkIjo"}, "nodes": nodes},
        "refunds": [],
    }


SOURCES: dict[str, tuple[Callable[[Order], Order], str]] = {
    "shopify": (to_shopify, '{"data":{"orders":{"pageInfo":{"hasNextPage":false,"endCursor":null},"nodes":[%s]}}}'),
    "woocommerce": (to_woocommerce, "[%s]"),
}


def main() -> None:
    """Measure and print a row a source."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--orders", type=int, default=35_000)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--source", choices=SOURCES, nargs="*", default=list(SOURCES))
    given = options.parse_args()
    orders = list(list_orders(given.orders))
    sys.stdout.write(f"{'source':<12} {'bytes':>6} {'generic us':>10} {'mapped us':>10} {'share':>6}\n")
    for name in given.source:
        render, envelope = SOURCES[name]
        description = load_builtin(name).description
        native = [render(order) for order in orders]
        pages = {
            "generic": _make_pages([_canonical(description, r) for r in native], '{"orders":[%s]}', None),
            "mapped": _make_pages([json.dumps(r, separators=(",", ":")) for r in native], envelope, description),
        }
        costs = _measure(pages, description, given.runs, len(orders))
        size = sum(len(page.body) for page in pages["mapped"]) // len(orders)
        share = costs["generic"] / costs["mapped"]
        row = f"{name:<12} {size:>6} {costs['generic']:>10.1f} {costs['mapped']:>10.1f} {share:>6.2f}"
        sys.stdout.write(row + "\n")


def _measure(pages: dict[str, list[Page]], description: Description, runs: int, orders: int) -> dict[str, float]:
    """Least CPU time of each way, in microseconds an order; the first round does not count."""
    gc.freeze()  # the data of this benchmark, which the collector would look through in the midst of a chunk
    costs: dict[str, list[float]] = {way: [] for way in pages}
    for _ in range(1 + runs):
        for way, received in pages.items():
            with tempfile.TemporaryDirectory() as folder:
                chunk = Chunk(
                    lake=Lake(Path(folder), Disk()),
                    batch=BATCH,
                    window=Window(),
                    settings=DEFAULTS,
                    number=1,
                    first_page=1,
                    pages=[PageEntry(f"page-{p.number:05d}.json", "", len(p.body), PAGE_RECORDS) for p in received],
                    received=[_again(page) for page in received],
                    bulk=True,
                    description=description if way == "mapped" else None,
                )
                began = time.process_time()
                stage_chunk(chunk)
                costs[way].append((time.process_time() - began) / orders * 1e6)
    return {way: min(found[1:]) for way, found in costs.items()}


def _again(page: Page) -> Page:
    """The page as it comes in: its head is read where its records are counted, before it is staged."""
    fresh = Page(page.number, page.body, shape=page.shape)
    _ = fresh.head
    return fresh


def _make_pages(texts: list[str], envelope: str, description: Description | None) -> list[Page]:
    cut = [texts[at : at + PAGE_RECORDS] for at in range(0, len(texts), PAGE_RECORDS)]
    shape = shape_of(description)
    return [
        Page(number, envelope.replace("%s", ",".join(part)).encode(), shape=shape) for number, part in enumerate(cut, 1)
    ]


def _canonical(description: Description, record: Order) -> str:
    """The order that a record is, as the generic API would send it: without what it does not say, a price a unit."""
    assert description.mapping is not None
    order = _prune(map_record(description.mapping, record))
    for item in order.get("items", ()):
        if "total" in item:
            item["price"] = round(float(item.pop("total")) / float(item["qty"]), 2)
    return _encoder.encode(order).decode()


def _prune(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _prune(member) for name, member in value.items() if member is not None and member != {}}
    return [_prune(element) for element in value] if isinstance(value, list) else value


def _money(amount: Any, currency: str) -> Order:
    return {
        "shopMoney": {"amount": amount if isinstance(amount, str) else f"{amount or 0:.2f}", "currencyCode": currency}
    }


def _text(qty: Any, price: Any) -> str | None:
    return f"{qty * price:.2f}" if isinstance(qty, int | float) and isinstance(price, int | float) else None


if __name__ == "__main__":
    main()
