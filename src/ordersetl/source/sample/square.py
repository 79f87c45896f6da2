"""The sample shop as Square's Orders API shows it: a search by POST, minor units, returns as orders of their own."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn

from ordersetl.source.sample.exchange import Answer, Asked, Refusal, Server
from ordersetl.source.sample.shop import Shop, ShopLine, ShopOrder, ShopRefund, digits_of

__all__ = ["LOCATIONS", "TOKEN", "square"]

TOKEN = "sample"  # noqa: S105 - of a sample
LOCATIONS = tuple(f"LOC{number:02}" for number in range(12))
_MOST, _MOST_LOCATIONS = 1000, 10
_KEYS = {"location_ids", "cursor", "query", "limit", "return_entries"}
_STATES = {"cancelled": "CANCELED", "placed": "OPEN"}


def square(shop: Shop) -> Server:
    """A server of the shop, which has twelve locations; the access token is ``sample``."""

    def server(asked: Asked) -> Answer:
        headers = {"Square-Version": asked.headers.get("square-version", "2025-10-16")}
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            _refuse(401, "AUTHENTICATION_ERROR", "UNAUTHORIZED", "This request could not be authorized.")
        match asked.method, asked.path:
            case "GET", "/v2/locations":
                return Answer({"locations": [{"id": name, "status": "ACTIVE"} for name in LOCATIONS]}, 200, headers)
            case "POST", "/v2/orders/search":
                return Answer(_search(shop, asked.json), 200, headers)
        _refuse(404, "INVALID_REQUEST_ERROR", "NOT_FOUND", "Resource not found.")

    return server


def _refuse(status: int, category: str, code: str, detail: str) -> NoReturn:
    raise Refusal(status, {"errors": [{"category": category, "code": code, "detail": detail}]})


def _refuse_value(detail: str) -> NoReturn:
    _refuse(400, "INVALID_REQUEST_ERROR", "BAD_REQUEST", detail)


def _search(shop: Shop, body: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    if not isinstance(body, dict) or set(body) - _KEYS:
        _refuse_value("The request has a field that there is not.")
    locations, limit = body.get("location_ids"), body.get("limit", 500)
    if not isinstance(locations, list) or not 1 <= len(locations) <= _MOST_LOCATIONS:
        _refuse_value("location_ids must be a list of 1 to 10 locations.")
    if type(limit) is not int or not 1 <= limit <= _MOST:
        _refuse_value("limit must be from 1 to 1000.")
    query = body.get("query") or {}
    orders = [row for row in _list_rows(shop) if row.location in locations]
    orders = _sort(_filter(orders, query), query)
    digest = hashlib.sha256(json.dumps([sorted(locations), query], sort_keys=True).encode()).hexdigest()[:12]
    start = _read_cursor(body.get("cursor"), digest)
    page = [row.render() for row in orders[start : start + limit]]
    answer: dict[str, Any] = {"orders": page} if page else {}
    if start + limit < len(orders):
        answer["cursor"] = urlsafe_b64encode(f"{digest}:{start + limit}".encode()).decode()
    return answer


def _read_cursor(cursor: object, digest: str) -> int:
    if cursor is None:
        return 0
    of, _, start = urlsafe_b64decode(str(cursor)).decode().partition(":")
    if of != digest:
        _refuse(400, "INVALID_REQUEST_ERROR", "INVALID_CURSOR", "The cursor is not of this query.")
    return int(start)


@dataclass(frozen=True)
class _Row:
    """What can be searched by, and how the order is rendered."""

    id: str
    location: str
    state: str
    created_at: datetime
    updated_at: datetime
    render: Callable[[], dict[str, Any]]


def _filter(orders: list[_Row], query: Mapping[str, Any]) -> list[_Row]:
    filters = query.get("filter") or {}
    if set(filters) - {"date_time_filter", "state_filter"}:
        _refuse_value("The filter is not known.")
    states = (filters.get("state_filter") or {}).get("states")
    orders = [order for order in orders if states is None or order.state in states]
    times = filters.get("date_time_filter") or {}
    if len(times) > 1 or set(times) - {"created_at", "updated_at"}:
        _refuse_value("date_time_filter has one of created_at, updated_at, and closed_at, which this sample has not.")
    for field, span in times.items():
        if (query.get("sort") or {}).get("sort_field", "CREATED_AT") != field.upper():
            _refuse_value("sort_field must be the field of date_time_filter.")
        start, end = (_read_time(span.get(name)) for name in ("start_at", "end_at"))
        found = [(order, getattr(order, field)) for order in orders]
        orders = [order for order, at in found if (start is None or at >= start) and (end is None or at <= end)]
    return orders


def _read_time(text: object) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(str(text))
    except ValueError:
        _refuse_value(f"{text} is not an RFC 3339 time.")


def _sort(orders: list[_Row], query: Mapping[str, Any]) -> list[_Row]:
    sort = query.get("sort") or {}
    field = sort.get("sort_field", "CREATED_AT").lower()
    return sorted(
        orders, key=lambda order: (getattr(order, field), order.id), reverse=sort.get("sort_order", "DESC") != "ASC"
    )


def _list_rows(shop: Shop) -> Iterator[_Row]:
    for order in shop.list_orders():
        if order.kind in {"order", "draft"}:
            state = "DRAFT" if order.kind == "draft" else _STATES.get(order.status, "COMPLETED")
            place, times = _location(order), (order.created_at, order.updated_at)
            yield _Row(f"sq-{order.number}", place, state, *times, partial(_render, order))
            for refund in order.refunds:
                times = (refund.created_at, max(refund.created_at, order.updated_at))
                name = f"sq-{order.number}-r{refund.refund_id}"
                yield _Row(name, place, "COMPLETED", *times, partial(_render_return, order, refund))


class _Money:
    def __init__(self, currency: str) -> None:
        self._currency, self._digits = currency, digits_of(currency)

    def render(self, value: Decimal) -> dict[str, Any]:
        """An amount in the smallest unit of the currency."""
        return {"amount": int(value.scaleb(self._digits)), "currency": self._currency}


def _location(order: ShopOrder) -> str:
    return LOCATIONS[order.number % len(LOCATIONS)]


def _render(order: ShopOrder) -> dict[str, Any]:
    money = _Money(order.currency)
    state = "DRAFT" if order.kind == "draft" else _STATES.get(order.status, "COMPLETED")
    rendered = {
        "id": f"sq-{order.number}",
        "location_id": _location(order),
        "created_at": _time(order.created_at),
        "updated_at": _time(order.updated_at),
        "state": state,
        "source": {"name": order.source},
        "total_money": money.render(order.total),
        "total_discount_money": money.render(order.discount),
        "total_tax_money": money.render(order.tax),
        "total_service_charge_money": money.render(order.shipping),
        "line_items": [_render_line(line, money) for line in order.sold if line.qty],
        "version": 1,
    }
    if order.customer:  # a customer of the till is known by the payment alone
        customer = {"customer_id": f"cust-{order.customer}"}
        rendered |= customer if order.number % 2 else {"tenders": [{"id": "t1", **customer}]}
    return rendered


def _render_line(line: ShopLine, money: _Money) -> dict[str, Any]:
    rendered = {
        "uid": str(line.line_id),
        "name": line.name,
        "quantity": f"{line.qty.normalize():f}",
        "base_price_money": money.render(line.price),
        "gross_sales_money": money.render(line.subtotal),
        "total_discount_money": money.render(line.discount),
        "total_tax_money": money.render(line.tax),
        "total_money": money.render(line.subtotal - line.discount + line.tax),
    }
    catalog = line.sku.strip() or (f"CAT{line.variant_id or line.product_id}" if line.product_id % 2 else "")
    return rendered | {"catalog_object_id": catalog} if catalog else rendered


def _render_return(order: ShopOrder, refund: ShopRefund) -> dict[str, Any]:
    money = _Money(order.currency)
    return {
        "id": f"sq-{order.number}-r{refund.refund_id}",
        "location_id": _location(order),
        "created_at": _time(refund.created_at),
        "updated_at": _time(max(refund.created_at, order.updated_at)),
        "state": "COMPLETED",
        "returns": [{"uid": "r1", "source_order_id": f"sq-{order.number}"}],
        "return_amounts": {"total_money": money.render(refund.amount)},
        "total_money": money.render(Decimal(0)),
        "version": 1,
    }


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.000Z"
