"""The sample shop as Amazon's Orders API 2026-01-01 shows it: tokens of an hour, ends two minutes old."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

from ordersetl.source.sample.exchange import Answer, Asked, Refusal, Server
from ordersetl.source.sample.shop import Shop, ShopLine, ShopOrder, digits_of

__all__ = ["CREDENTIALS", "MARKETPLACES", "OTHER_MARKETPLACE", "amazon"]

CREDENTIALS = {"client_id": "sample", "client_secret": "sample", "refresh_token": "Atzr|sample"}  # of a sample
MARKETPLACES = {"USD": "ATVPDKIKX0DER", "MXN": "A1AM78C64UM0Y8"}
OTHER_MARKETPLACE = "A1RKKUPIHCS9HS"
_MOST, _MOST_MARKETPLACES = 100, 50
_PARAMS = frozenset(
    {
        "createdAfter",
        "createdBefore",
        "lastUpdatedAfter",
        "lastUpdatedBefore",
        "fulfillmentStatuses",
        "marketplaceIds",
        "fulfilledBy",
        "maxResultsPerPage",
        "paginationToken",
        "includedData",
    }
)
_DATA = frozenset(
    {
        "BUYER",
        "RECIPIENT",
        "PROCEEDS",
        "EXPENSE",
        "PROMOTION",
        "CANCELLATION",
        "FULFILLMENT",
        "PACKAGES",
        "TAX",
        "PAYMENT",
        "FULFILLMENT_ORDERS",
    }
)
_STATUSES = {"placed": "UNSHIPPED", "paid": "UNSHIPPED", "cancelled": "CANCELLED"}
_UNPRICED = frozenset({"PENDING", "CANCELLED"})
"""Orders that have no price yet, or no more."""


def amazon(
    shop: Shop,
    *,
    token_uses: int | None = None,
    rate: float = 50.0,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Server:
    """A server of the shop, and of tokens at ``/auth/o2/token``: see CREDENTIALS.

    Args:
        shop: What it shows; fractional quantities it does not know.
        token_uses: Requests that a token is good for; None for all.
        rate: Requests a second that it says one may make.
        now: The time.
    """
    uses: dict[str, int] = {}

    def server(asked: Asked) -> Answer:
        match asked.method, asked.path:
            case "POST", "/auth/o2/token":
                return _give_token(asked, uses)
            case "GET", "/orders/2026-01-01/orders":
                _check_token(asked, uses, token_uses)
                return Answer(_search(shop, asked, now()), 200, {"x-amzn-RateLimit-Limit": str(rate)})
        _refuse(404, "NotFound", "There is no such resource.")

    return server


def _refuse(status: int, code: str, message: str) -> NoReturn:
    raise Refusal(status, {"errors": [{"code": code, "message": message, "details": ""}]})


def _give_token(asked: Asked, uses: dict[str, int]) -> Answer:
    form = asked.form
    if dict(form) != {"grant_type": "refresh_token", **CREDENTIALS}:
        raise Refusal(
            400, {"error": "invalid_grant", "error_description": "The request has an invalid grant parameter"}
        )
    token = f"Atza|{len(uses) + 1}"
    uses[token] = 0
    refresh = CREDENTIALS["refresh_token"]
    return Answer({"access_token": token, "refresh_token": refresh, "token_type": "bearer", "expires_in": 3600})


def _check_token(asked: Asked, uses: dict[str, int], token_uses: int | None) -> None:
    token = asked.headers.get("x-amz-access-token", "")
    if token not in uses or (token_uses is not None and uses[token] >= token_uses):
        _refuse(403, "Unauthorized", "Access to requested resource is denied.")
    uses[token] += 1


def _search(shop: Shop, asked: Asked, now: datetime) -> dict[str, Any]:
    params = asked.params
    if unknown := asked.unknown(_PARAMS):
        _refuse(400, "InvalidInput", f"{unknown[0]} is not a parameter.")
    if "lastUpdatedAfter" not in params or "createdAfter" in params or "createdBefore" in params:
        _refuse(400, "InvalidInput", "Exactly one of createdAfter and lastUpdatedAfter must be given.")
    since = _read_time(params["lastUpdatedAfter"])
    until = _read_time(params.get("lastUpdatedBefore", f"{now - timedelta(minutes=2):%Y-%m-%dT%H:%M:%SZ}"))
    if until > now - timedelta(minutes=2) or until < since:
        _refuse(400, "InvalidInput", "lastUpdatedBefore must be after lastUpdatedAfter, and two minutes ago.")
    size = asked.whole("maxResultsPerPage", _MOST, _MOST)
    data = set(params["includedData"].split(",")) if "includedData" in params else set()
    if size is None or data - _DATA:
        _refuse(400, "InvalidInput", "maxResultsPerPage is from 1 to 100, and includedData a list of data sets.")
    orders = [order for order in _select(shop, params.get("marketplaceIds")) if since <= order.updated_at <= until]
    orders = [order for order in orders if order.created_at >= now - timedelta(days=730)]
    token = params.get("paginationToken", "0")
    if not token.isdecimal():
        _refuse(400, "InvalidInput", "paginationToken is not valid.")
    start = int(token)
    answer: dict[str, Any] = {"orders": [_render(order, data) for order in orders[start : start + size]]}
    if start + size < len(orders):
        answer["pagination"] = {"nextToken": str(start + size)}
    return answer | {"lastUpdatedBefore": f"{until:%Y-%m-%dT%H:%M:%SZ}"}


def _read_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        _refuse(400, "InvalidInput", f"{text} is not an ISO 8601 time.")
    return time


def _select(shop: Shop, marketplaces: str | None) -> list[ShopOrder]:
    if marketplaces is None or not 1 <= len(wanted := marketplaces.split(",")) <= _MOST_MARKETPLACES:
        _refuse(400, "InvalidInput", "marketplaceIds must be a list of 1 to 50.")
    orders = [order for order in shop.list_orders() if not order.is_fractional and order.kind in {"order", "draft"}]
    orders = [order for order in orders if MARKETPLACES.get(order.currency, OTHER_MARKETPLACE) in wanted]
    return sorted(orders, key=lambda order: (order.updated_at, order.number))


def _render(order: ShopOrder, data: set[str]) -> dict[str, Any]:
    status = "PENDING" if order.kind == "draft" else _STATUSES.get(order.status, "SHIPPED")
    rendered: dict[str, Any] = {
        "orderId": f"111-{order.number:07}-0000001",
        "createdTime": f"{order.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "lastUpdatedTime": f"{order.updated_at:%Y-%m-%dT%H:%M:%SZ}",
        "programs": [],
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": MARKETPLACES.get(order.currency, OTHER_MARKETPLACE)},
        "orderItems": [_render_line(line, order, is_priced=status not in _UNPRICED, data=data) for line in order.sold],
    }
    if "FULFILLMENT" in data:
        rendered["fulfillment"] = {"fulfillmentStatus": status, "fulfilledBy": "MERCHANT"}
    if "PROCEEDS" in data and status not in _UNPRICED:
        money = _Money(order.currency)
        parts = {"ITEM": order.subtotal, "SHIPPING": order.shipping, "TAX": order.tax, "DISCOUNT": -order.discount}
        rendered["proceeds"] = {"grandTotal": money.render(order.total), "breakdowns": money.breakdowns(parts)}
    return rendered


class _Money:
    def __init__(self, currency: str) -> None:
        self._currency, self._digits = currency, digits_of(currency)

    def render(self, value: Decimal) -> dict[str, str]:
        """An amount and its currency."""
        return {"amount": f"{value:.{self._digits}f}", "currencyCode": self._currency}

    def breakdowns(self, parts: dict[str, Decimal]) -> list[dict[str, Any]]:
        """What an amount is made of; nothing of what is 0."""
        return [{"type": kind, "subtotal": self.render(value)} for kind, value in parts.items() if value]


def _render_line(line: ShopLine, order: ShopOrder, *, is_priced: bool, data: set[str]) -> dict[str, Any]:
    money = _Money(order.currency)
    product: dict[str, Any] = {"asin": f"B0{line.product_id:08}", "title": line.name}
    if line.sku.strip():
        product["sellerSku"] = line.sku
    if is_priced:
        product["price"] = {"unitPrice": money.render(line.price)}
    rendered = {"orderItemId": str(line.line_id), "quantityOrdered": int(line.qty), "product": product}
    if "PROCEEDS" in data and is_priced:
        parts = {"ITEM": line.subtotal, "TAX": line.tax, "DISCOUNT": -line.discount}
        total = money.render(line.subtotal + line.tax - line.discount)
        rendered["proceeds"] = {"proceedsTotal": total, "breakdowns": money.breakdowns(parts)}
    return rendered
