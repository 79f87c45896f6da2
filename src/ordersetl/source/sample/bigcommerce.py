"""The sample shop as BigCommerce's Orders v2 shows it: lines by a call, 204 for an empty page."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from ordersetl.source.sample.exchange import Answer, Asked, Refusal, Server
from ordersetl.source.sample.shop import Shop, ShopLine, ShopOrder, ShopRefund

__all__ = ["HASH", "TOKEN", "bigcommerce"]

HASH, TOKEN = "sample", "sample"
_MOST = 250
_PARAMS = frozenset(
    {
        "min_id",
        "max_id",
        "min_total",
        "max_total",
        "customer_id",
        "email",
        "status_id",
        "cart_id",
        "payment_method",
        "min_date_created",
        "max_date_created",
        "min_date_modified",
        "max_date_modified",
        "page",
        "limit",
        "sort",
        "is_deleted",
        "channel_id",
        "include",
    }
)
_STATUSES = {
    "placed": (1, "Pending"),
    "shipped": (2, "Shipped"),
    "cancelled": (5, "Cancelled"),
    "refunded": (4, "Refunded"),
}


def bigcommerce(
    shop: Shop, *, quota: int = 150, window_ms: int = 5_000, clock: Callable[[], float] = time.monotonic
) -> Server:
    """A server of the shop ``/stores/sample``; the token is ``sample``.

    Args:
        shop: What it shows; fractional quantities it does not know.
        quota: Requests that may be made in a window of time.
        window_ms: Its length; shorter than the real one, so that a demonstration is.
        clock: Seconds, for the quota.
    """
    limit = _Quota(quota, window_ms, clock)

    def server(asked: Asked) -> Answer:
        if asked.headers.get("x-auth-token") != TOKEN:
            raise Refusal(401, {"status": 401, "title": "Unauthorized", "type": "about:blank"})
        if asked.headers.get("accept") != "application/json":
            raise Refusal(406, "<?xml version='1.0'?><errors/>", {"Content-Type": "application/xml"})
        headers, is_left = limit.take()
        if not is_left:
            raise Refusal(429, {"status": 429, "title": "Too Many Requests"}, headers)
        content = _answer(shop, asked)
        return Answer(content, 204 if content is None else 200, headers)

    return server


class _Quota:
    def __init__(self, quota: int, window_ms: int, clock: Callable[[], float]) -> None:
        self._quota, self._window_ms, self._clock = quota, window_ms, clock
        self._ends_at, self._left = clock(), 0

    def take(self) -> tuple[dict[str, str], bool]:
        """Headers, and whether the request may be answered."""
        now = self._clock()
        if now >= self._ends_at:
            self._ends_at, self._left = now + self._window_ms / 1000, self._quota
        is_left = self._left > 0
        self._left = max(0, self._left - 1)
        headers = {
            "X-Rate-Limit-Requests-Left": str(self._left),
            "X-Rate-Limit-Requests-Quota": str(self._quota),
            "X-Rate-Limit-Time-Reset-Ms": str(math.ceil((self._ends_at - now) * 1000)),
            "X-Rate-Limit-Time-Window-Ms": str(self._window_ms),
        }
        return headers, is_left


def _answer(shop: Shop, asked: Asked) -> object:
    """The answer's content; None for an empty one."""
    match asked.method, asked.path.split("/"):
        case "GET", ["", "stores", "sample", "v2", "orders"]:
            return _page(asked, _select(shop, asked), _render)
        case "GET", ["", "stores", "sample", "v2", "orders", number, "products"]:
            return _page(asked, _find(shop, number).lines, _render_line)
        case "GET", ["", "stores", "sample", "v3", "orders", number, "payment_actions", "refunds"]:
            return {"data": [_render_refund(refund) for refund in _find(shop, number).refunds], "meta": {}}
    raise Refusal(404, [{"status": 404, "message": "The requested resource was not found."}])


def _find(shop: Shop, number: str) -> ShopOrder:
    order = shop.orders.get(int(number)) if number.isdecimal() else None
    if order is None:
        raise Refusal(404, [{"status": 404, "message": "The requested resource was not found."}])
    return order


def _select(shop: Shop, asked: Asked) -> list[ShopOrder]:
    if unknown := asked.unknown(_PARAMS):
        raise Refusal(400, [{"status": 400, "message": f"The field '{unknown[0]}' is not supported by this resource."}])
    since, until = (_read_time(asked.params, f"{end}_date_modified") for end in ("min", "max"))
    archived = asked.params.get("is_deleted", "false") == "true"
    orders = [order for order in shop.list_orders() if not order.is_fractional and order.kind != "test"]
    orders = [order for order in orders if (order.kind == "deleted") is archived]
    orders = [
        o for o in orders if (since is None or o.updated_at >= since) and (until is None or o.updated_at <= until)
    ]
    match asked.params.get("sort", "id:asc").split(":"):
        case ["id", "asc"]:
            return orders
        case ["date_modified", "asc"]:
            return sorted(orders, key=lambda order: order.updated_at)
        case _:
            raise Refusal(400, [{"status": 400, "message": "The field 'sort' is invalid."}])


def _read_time(params: Mapping[str, str], name: str) -> datetime | None:
    text = params.get(name)
    if text is None:
        return None
    try:
        time = parsedate_to_datetime(text) if text[0].isalpha() else datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(400, [{"status": 400, "message": f"The field '{name}' is invalid."}]) from None
    return time


def _page(asked: Asked, records: Sequence[Any], render: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]] | None:
    size, page = asked.whole("limit", 50, _MOST), asked.whole("page", 1, 10**6)
    if size is None or page is None:
        raise Refusal(400, [{"status": 400, "message": "The field 'limit' is invalid."}])
    return [render(record) for record in records[(page - 1) * size : page * size]] or None


def _render(order: ShopOrder) -> dict[str, Any]:
    status_id, status = _STATUSES.get(order.status, (11, "Awaiting Fulfillment"))
    if order.kind == "draft":
        status_id, status = 0, "Incomplete"
    coupon = order.discount.quantize(Decimal(1)) if order.discount > 1 else Decimal(0)
    resource = f"/orders/{order.number}/products"
    return {
        "id": order.number,
        "customer_id": order.customer,
        "date_created": format_datetime(order.created_at),
        "date_modified": format_datetime(order.updated_at),
        "date_shipped": "",
        "status_id": status_id,
        "status": status,
        "is_deleted": order.kind == "deleted",
        "total_inc_tax": _text(order.total),
        "total_tax": _text(order.tax),
        "shipping_cost_ex_tax": _text(order.shipping),
        "discount_amount": _text(order.discount - coupon),
        "coupon_discount": _text(coupon),
        "refunded_amount": "0.0000",  # as documented, whatever was refunded
        "payment_status": "partially refunded" if order.refunds else "captured",
        "currency_code": "XTS",
        "default_currency_code": order.currency,
        "order_source": order.source,
        "billing_address": {"email": order.email, "country_iso2": order.country},
        "products": {"url": f"https://api.bigcommerce.com/stores/{HASH}/v2{resource}", "resource": resource},
    }


def _text(value: Decimal) -> str:
    return f"{value:.4f}"


def _render_line(line: ShopLine) -> dict[str, Any]:
    return {
        "id": line.line_id,
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "name": line.name,
        "sku": line.sku,
        "quantity": int(line.qty),
        "price_ex_tax": _text(line.price),
        "total_ex_tax": _text(line.subtotal),
        "total_tax": _text(line.tax),
        "parent_order_product_id": line.parent,
        "applied_discounts": [{"id": "coupon", "amount": _text(line.discount)}] if line.discount else [],
    }


def _render_refund(refund: ShopRefund) -> dict[str, Any]:
    items = [
        {"item_type": "PRODUCT", "item_id": line_id, "quantity": int(qty), "requested_amount": float(amount)}
        for line_id, qty, amount in refund.lines
    ]
    created = f"{refund.created_at:%Y-%m-%dT%H:%M:%SZ}"
    return {"id": refund.refund_id, "created": created, "total_amount": float(refund.amount), "items": items}
