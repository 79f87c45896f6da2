"""The sample shop as Magento 2's REST API shows it: search criteria, tokens by a request, a last page that repeats."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from ordersetl.source.sample.exchange import Answer, Asked, Refusal, Server
from ordersetl.source.sample.shop import Shop, ShopLine, ShopOrder, ShopRefund

__all__ = ["ADMIN", "magento"]

ADMIN = ("admin", "admin123")
_MOST = 300
_FILTER = re.compile(r"searchCriteria\[filter_groups\]\[(\d+)\]\[filters\]\[(\d+)\]\[(field|value|condition_type)\]")
_KNOWN = re.compile(r"searchCriteria\[(pageSize|currentPage|sortOrders\]\[\d+\]\[(field|direction))\]|fields")
_CONDITIONS: dict[str, Callable[[str, str], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
}
_STATES = {"placed": "new", "paid": "processing", "on hold": "holded", "cancelled": "canceled", "refunded": "closed"}


def magento(shop: Shop, *, token_uses: int | None = None, page_ends: bool = False) -> Server:
    """A server of the shop; the administrator is ``admin`` with ``admin123``, the integration token ``sample``.

    Args:
        shop: What it shows.
        token_uses: Requests that an administrator's token is good for; None for all.
        page_ends: Whether a page past the end is empty (2.4 and later), instead of the last one again.
    """
    uses: dict[str, int] = {}

    def server(asked: Asked) -> Answer:
        match asked.method, asked.path.removeprefix("/rest/").split("/"):
            case "POST", [_, "V1", "integration", "admin", "token"]:
                return _give_token(asked, uses)
            case "GET", [_, "V1", ("orders" | "creditmemos") as kind]:
                _check_token(asked, uses, token_uses)
                orders = [order for order in shop.list_orders() if order.kind == "order"]
                memos = (_memo_row(order, refund) for order in orders for refund in order.refunds)
                rows = [_order_row(order) for order in orders] if kind == "orders" else list(memos)
                return Answer(_search(asked, rows, page_ends=page_ends))
        raise Refusal(404, {"message": "Request does not match any route."})

    return server


def _give_token(asked: Asked, uses: dict[str, int]) -> Answer:
    given = asked.json or {}
    if (given.get("username"), given.get("password")) != ADMIN:
        message = "The account sign-in was incorrect or your account is disabled temporarily."
        raise Refusal(401, {"message": message})
    token = f"admin-{len(uses) + 1}"
    uses[token] = 0
    return Answer(token)


def _check_token(asked: Asked, uses: dict[str, int], token_uses: int | None) -> None:
    token = asked.headers.get("authorization", "").removeprefix("Bearer ")
    if token == "sample":  # noqa: S105 - of a sample
        return
    if token not in uses or (token_uses is not None and uses[token] >= token_uses):
        resources = {"resources": "Magento_Sales::actions_view"}
        raise Refusal(401, {"message": "The consumer isn't authorized to access %resources.", "parameters": resources})
    uses[token] += 1


@dataclass(frozen=True)
class _Row:
    """What can be searched by, and how the record is rendered."""

    fields: Mapping[str, Any]
    render: Callable[[], dict[str, Any]]


def _order_row(order: ShopOrder) -> _Row:
    times = {"created_at": _time(order.created_at), "updated_at": _time(order.updated_at)}
    return _Row({"entity_id": order.number, **times}, partial(_render, order))


def _memo_row(order: ShopOrder, refund: ShopRefund) -> _Row:
    fields = {"entity_id": refund.refund_id, "order_id": order.number, "created_at": _time(refund.created_at)}
    return _Row(fields, partial(_render_memo, order, refund))


def _search(asked: Asked, rows: list[_Row], *, page_ends: bool) -> dict[str, Any]:
    params = asked.params
    size, page = (asked.whole(f"searchCriteria[{name}]", 1, 10**9) for name in ("pageSize", "currentPage"))
    if unknown := [name for name in params if not (_FILTER.fullmatch(name) or _KNOWN.fullmatch(name))]:
        raise Refusal(400, {"message": "The parameter %1 is not known", "parameters": unknown})
    if size is None or page is None or size > _MOST:
        raise Refusal(400, {"message": f"Maximum SearchCriteria pageSize is {_MOST}"})
    filters = _read_filters(params)
    found = [row for row in rows if all(any(each(row.fields) for each in group) for group in filters)]
    field = params.get("searchCriteria[sortOrders][0][field]")
    if field is None:
        found = found[::2] + found[1::2]  # as the database pleases
    else:
        descending = params.get("searchCriteria[sortOrders][0][direction]", "DESC").upper() == "DESC"
        found.sort(key=lambda row: row.fields[field], reverse=descending)
    last = max(1, -(-len(found) // size))
    at = page if page_ends else min(page, last)
    criteria = {"filter_groups": [], "page_size": size, "current_page": page}
    items = [row.render() for row in found[(at - 1) * size : at * size]]
    return {"items": items, "search_criteria": criteria, "total_count": len(found)}


def _read_filters(params: Mapping[str, str]) -> Sequence[Sequence[Callable[[Mapping[str, Any]], bool]]]:
    groups: dict[str, dict[str, dict[str, str]]] = {}
    for name, value in params.items():
        if match := _FILTER.fullmatch(name):
            groups.setdefault(match[1], {}).setdefault(match[2], {})[match[3]] = value
    return [[_as_filter(each) for each in group.values()] for group in groups.values()]


def _as_filter(given: dict[str, str]) -> Callable[[Mapping[str, Any]], bool]:
    field, value = given.get("field", ""), given.get("value")
    compare = _CONDITIONS.get(given.get("condition_type", "eq"))
    if not field or value is None or compare is None:
        raise Refusal(400, {"message": "Field, value and condition type are required"})
    if field.endswith("_at") and not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value):
        raise Refusal(400, {"message": f"Invalid date: {value}"})
    return lambda record: compare(str(record.get(field, "")), value)


def _number(value: Decimal) -> int | float:
    return int(value) if value % 1 == 0 else float(value)


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"


def _render(order: ShopOrder) -> dict[str, Any]:
    state = _STATES.get(order.status, "complete")
    refunded = sum((refund.amount for refund in order.refunds), Decimal(0))
    rendered = {
        "entity_id": order.number,
        "increment_id": f"{order.number:09}",
        "state": state,
        "status": "pending" if state == "new" else state,
        "base_currency_code": order.currency,
        "order_currency_code": "XTS",
        "created_at": _time(order.created_at),
        "updated_at": _time(order.updated_at),
        "customer_is_guest": 0 if order.customer else 1,
        "customer_email": order.email or None,
        "base_grand_total": _number(order.total),
        "grand_total": 1,
        "base_discount_amount": _number(-order.discount),
        "base_tax_amount": _number(order.tax),
        "base_shipping_amount": _number(order.shipping),
        "store_name": order.source,
        "billing_address": {"country_id": order.country or None},
        "items": [_render_line(line) for line in order.lines],
        "payment": {"method": "checkmo"},
        "extension_attributes": {"shipping_assignments": [{"items": [_render_line(line) for line in order.lines]}]},
    }
    optional = {"customer_id": order.customer, "coupon_code": order.promo, "base_total_refunded": _number(refunded)}
    return rendered | {name: value for name, value in optional.items() if value}


def _render_line(line: ShopLine) -> dict[str, Any]:
    rendered = {
        "item_id": line.line_id,
        "sku": line.sku,
        "name": line.name,
        "product_id": line.product_id,
        "qty_ordered": _number(line.qty),
        "base_price": _number(line.price),
        "base_row_total": _number(line.subtotal),
        "base_discount_amount": _number(line.discount),
        "base_tax_amount": _number(line.tax),
    }
    return rendered if line.parent is None else rendered | {"parent_item_id": line.parent}


def _render_memo(order: ShopOrder, refund: ShopRefund) -> dict[str, Any]:
    items = []
    for line_id, qty, amount in refund.lines:
        line = order.line(line_id)
        item = {"entity_id": line_id, "order_item_id": line_id, "sku": line.sku, "product_id": line.product_id}
        items.append(item | {"qty": _number(qty), "base_row_total": _number(amount)})
    return {
        "entity_id": refund.refund_id,
        "order_id": str(order.number),
        "created_at": _time(refund.created_at),
        "base_grand_total": _number(refund.amount),
        "items": items,
    }
