"""The sample shop as WooCommerce's REST API v3 shows it: strict filters on naive GMT, pages with totals, a trash."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn

from ordersetl.source.sample.exchange import Answer, Asked, Refusal, Server
from ordersetl.source.sample.shop import Shop, ShopLine, ShopOrder, ShopRefund, digits_of

__all__ = ["KEYS", "woocommerce"]

KEYS = ("ck_sample", "cs_sample")
_SITE = timezone(timedelta(hours=-5))
"""Where the shop is: dates without ``_gmt`` are its own."""
_PARAMS = frozenset(
    {
        "context",
        "page",
        "per_page",
        "search",
        "after",
        "before",
        "modified_after",
        "modified_before",
        "dates_are_gmt",
        "exclude",
        "include",
        "offset",
        "order",
        "orderby",
        "parent",
        "status",
        "customer",
        "product",
        "dp",
    }
)
_STATUS = {
    "placed": "pending",
    "paid": "processing",
    "shipped": "completed",
    "delivered": "completed",
    "on hold": "on-hold",
}
_HIDDEN = {"trash", "auto-draft"}
_MOST = 100


def woocommerce(shop: Shop, *, embeds_refunds: bool = True) -> Server:
    """A server of the shop; the key is ``ck_sample``, its secret ``cs_sample``.

    Args:
        shop: What it shows.
        embeds_refunds: Whether an order has a list of its refunds, without their lines.
    """

    def server(asked: Asked) -> Answer:
        if asked.basic != KEYS:
            _refuse(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        if asked.method != "GET":
            _refuse(404, "rest_no_route", "No route was found matching the URL and request method.")
        match asked.path.removeprefix("/wp-json/wc/v3/").split("/"):
            case ["orders"]:
                return _page(asked, _select(shop, asked), partial(_render, embeds_refunds=embeds_refunds))
            case ["orders", number, "refunds"] if number.isdecimal() and int(number) in shop.orders:
                order = shop.orders[int(number)]
                return _page(asked, order.refunds[::-1], partial(_render_refund, order))
            case ["orders", _, "refunds"]:
                _refuse(404, "woocommerce_rest_invalid_order_id", "Invalid order ID.")
        _refuse(404, "rest_no_route", "No route was found matching the URL and request method.")

    return server


def _refuse(status: int, code: str, message: str) -> NoReturn:
    raise Refusal(status, {"code": code, "message": message, "data": {"status": status}})


def _refuse_param(name: str) -> NoReturn:
    _refuse(400, "rest_invalid_param", f"Invalid parameter(s): {name}")


def _select(shop: Shop, asked: Asked) -> list[ShopOrder]:
    if unknown := asked.unknown(_PARAMS):
        _refuse_param(", ".join(unknown))
    params = asked.params
    zone = UTC if params.get("dates_are_gmt", "false") == "true" else _SITE
    after, before = (_time(asked, name, zone) for name in ("modified_after", "modified_before"))
    statuses = params.get("status", "any").split(",")
    orders = shop.list_orders()
    orders = [
        o for o in orders if (after is None or o.updated_at > after) and (before is None or o.updated_at < before)
    ]
    orders = [o for o in orders if _is_shown(status_of(o), statuses)]
    match params.get("orderby", "date"), params.get("order", "desc"):
        case ("id" | "date" | "modified") as key, ("asc" | "desc") as direction:
            ranks = {"id": lambda o: o.number, "date": lambda o: o.created_at, "modified": lambda o: o.updated_at}
            return sorted(orders, key=ranks[key], reverse=direction == "desc")
        case _:
            _refuse_param("orderby")


def _is_shown(status: str, statuses: Sequence[str]) -> bool:
    return status not in _HIDDEN if "any" in statuses else status in statuses  # any makes the server forget the others


def _time(asked: Asked, name: str, zone: tzinfo) -> datetime | None:
    text = asked.params.get(name)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)  # an offset is not honoured
    except ValueError:
        _refuse_param(name)


def _page(asked: Asked, records: Sequence[Any], render: Callable[[Any], dict[str, Any]]) -> Answer:
    size, page = asked.whole("per_page", 10, _MOST), asked.whole("page", 1, 10**6)
    if size is None or page is None:
        _refuse_param("per_page" if size is None else "page")
    pages = -(-len(records) // size)
    headers = {"X-WP-Total": str(len(records)), "X-WP-TotalPages": str(pages)}
    if page < pages:
        headers["Link"] = f'<http://sample.invalid{asked.path}?page={page + 1}>; rel="next"'
    return Answer([render(record) for record in records[(page - 1) * size : page * size]], 200, headers)


def status_of(order: ShopOrder) -> str:
    """The status that WooCommerce has for it."""
    match order.kind:
        case "deleted":
            return "trash"
        case "draft":
            return "checkout-draft"
        case _:
            return _STATUS.get(order.status, order.status)


def _render(order: ShopOrder, *, embeds_refunds: bool) -> dict[str, Any]:
    money = _Money(order.currency)
    local, modified = (time.astimezone(_SITE) for time in (order.created_at, order.updated_at))
    rendered = {
        "id": order.number,
        "parent_id": 0,
        "number": str(order.number),
        "created_via": order.source,
        "status": status_of(order),
        "currency": order.currency,
        "date_created": _naive(local),
        "date_created_gmt": _naive(order.created_at),
        "date_modified": _naive(modified),
        "date_modified_gmt": _naive(order.updated_at),
        "discount_total": money.text(order.discount),
        "shipping_total": money.text(order.shipping),
        "total": money.text(order.total),
        "total_tax": money.text(order.tax),
        "prices_include_tax": False,
        "customer_id": order.customer,
        "billing": {"country": order.country, "email": order.email},
        "line_items": [_render_line(line, money) for line in order.sold],
        "coupon_lines": [{"id": 1, "code": order.promo}] if order.promo else [],
        "fee_lines": [],
        "meta_data": [],
    }
    if embeds_refunds:
        refunds = order.refunds
        rendered["refunds"] = [{"id": r.refund_id, "reason": "", "total": money.text(-r.amount)} for r in refunds]
    return rendered


class _Money:
    def __init__(self, currency: str) -> None:
        self._digits = digits_of(currency)

    def text(self, value: Decimal) -> str:
        """An amount as it is shown."""
        return f"{value:.{self._digits}f}"


def _render_line(line: ShopLine, money: _Money) -> dict[str, Any]:
    whole = line.qty % 1 == 0
    total = line.subtotal - line.discount
    return {
        "id": line.line_id,
        "name": line.name,
        "product_id": line.product_id,
        "variation_id": line.variant_id,
        "quantity": int(line.qty) if whole else float(line.qty),
        "subtotal": money.text(line.subtotal),
        "total": money.text(total),
        "total_tax": money.text(line.tax),
        "sku": line.sku,
        "price": float(total / line.qty) if line.qty else 0,
        "meta_data": [],
    }


def _render_refund(order: ShopOrder, refund: ShopRefund) -> dict[str, Any]:
    money = _Money(order.currency)
    lines = [
        _render_line(order.line(line_id), money) | {"quantity": -float(qty), "total": money.text(-amount)}
        for line_id, qty, amount in refund.lines
    ]
    return {
        "id": refund.refund_id,
        "date_created": _naive(refund.created_at.astimezone(_SITE)),
        "date_created_gmt": _naive(refund.created_at),
        "amount": money.text(refund.amount),
        "reason": "",
        "line_items": lines,
    }


def _naive(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}"
