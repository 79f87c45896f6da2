"""The sample shop as Shopify's GraphQL Admin API shows it: GraphQL with costs, tokens that expire, scopes, versions."""

import re
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ordersetl.source.sample.exchange import Answer, Asked, Refusal, Server
from ordersetl.source.sample.graphql import Connection, GraphQLError, Selection, cost_of, parse_query, select
from ordersetl.source.sample.shop import Shop, ShopLine, ShopOrder, ShopRefund, digits_of

__all__ = ["FIRST_ID", "SECRET", "shopify"]

SECRET = "shpss_sample"  # noqa: S105 - of a sample
FIRST_ID = 2**53
"""Added to the shop's numbers: ids that a double cannot hold."""
_FILTER = re.compile(r"updated_at:>='([^']+)' AND updated_at:<'([^']+)'")
_MAX_COST = 1000
_STATUS = {"placed": "PENDING", "cancelled": "VOIDED", "refunded": "REFUNDED", "on hold": "AUTHORIZED"}
_SCOPES = ("read_orders", "read_products", "read_customers", "read_all_orders")


def shopify(
    shop: Shop,
    *,
    scopes: Sequence[str] = _SCOPES,
    token_uses: int | None = None,
    served_version: str | None = None,
    capacity: int = 2000,
    restored: int = 100,
    max_objects: int = 25_000,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    clock: Callable[[], float] = time.monotonic,
) -> Server:
    """A server of the shop. Tokens are got with any client id and the secret ``shpss_sample``, or are ``shpat_sample``.

    Args:
        shop: What it shows; fractional quantities it does not know.
        scopes: Rights of the app; without ``read_all_orders`` older orders than 60 days are not shown.
        token_uses: Requests that a token is good for; None for all.
        served_version: Version that answers, where it is not the one asked for.
        capacity: Points of the bucket.
        restored: Points that come back a second.
        max_objects: Orders that can be paged through.
        now: The time.
        clock: Seconds, for the bucket.
    """
    uses: dict[str, int] = {}
    bucket = _Bucket(capacity, restored, clock)

    def server(asked: Asked) -> Answer:
        if asked.path == "/admin/oauth/access_token":
            return _give_token(asked, uses, scopes)
        _check_token(asked, uses, token_uses)
        if asked.path == "/admin/oauth/access_scopes.json" and asked.method == "GET":
            return Answer({"access_scopes": [{"handle": scope} for scope in scopes]})
        path = re.fullmatch(r"/admin/api/(20\d\d-\d\d)/graphql\.json", asked.path)
        if path is None or asked.method != "POST":
            raise Refusal(404, {"errors": "Not Found"})
        headers = {"X-Shopify-API-Version": served_version or path[1]}
        root, cost = {"__typename": "QueryRoot", "orders": None, "node": None}, 0
        try:
            document = asked.json or {}
            fields = parse_query(str(document.get("query")), document.get("variables") or {})
            if (cost := cost_of(fields)) > _MAX_COST:
                raise _CodedError("MAX_COST_EXCEEDED", f"Query cost is {cost}, which exceeds the max {_MAX_COST}")
            if not bucket.take(cost):
                raise _CodedError("THROTTLED", "Throttled")
            oldest = None if "read_all_orders" in scopes else now() - timedelta(days=60)
            root |= _resolve(fields, shop, oldest, max_objects)
            answer: dict[str, Any] = {"data": select(root, [_without_arguments(each) for each in fields])}
        except GraphQLError as error:
            code = error.code if isinstance(error, _CodedError) else "undefinedField"
            answer = {"errors": [{"message": str(error), "extensions": {"code": code}}]}
        return Answer(answer | {"extensions": {"cost": bucket.describe(cost)}}, 200, headers)

    return server


class _CodedError(GraphQLError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Bucket:
    """A leaky bucket of points; what a query asks for at most is taken, a quarter of it stays taken."""

    def __init__(self, capacity: int, restored: int, clock: Callable[[], float]) -> None:
        self._capacity, self._restored, self._clock = capacity, restored, clock
        self._points, self._at = float(capacity), clock()

    def take(self, cost: int) -> bool:
        """Take a query's points; tell whether they were there."""
        at = self._clock()
        self._points = min(self._capacity, self._points + (at - self._at) * self._restored)
        self._at = at
        if cost > self._points:
            return False
        self._points -= cost / 4
        return True

    def describe(self, cost: int) -> dict[str, Any]:
        """``extensions.cost`` of an answer."""
        status = {
            "maximumAvailable": float(self._capacity),
            "currentlyAvailable": int(self._points),
            "restoreRate": float(self._restored),
        }
        return {"requestedQueryCost": cost, "actualQueryCost": cost // 4 or None, "throttleStatus": status}


def _give_token(asked: Asked, uses: dict[str, int], scopes: Sequence[str]) -> Answer:
    form = asked.form if "form" in asked.headers.get("content-type", "") else asked.json or {}
    if (
        form.get("grant_type") != "client_credentials"
        or form.get("client_secret") != SECRET
        or not form.get("client_id")
    ):
        raise Refusal(400, {"error": "invalid_client", "error_description": "Client credentials are wrong"})
    token = f"shpat_{len(uses) + 1}"
    uses[token] = 0
    return Answer({"access_token": token, "scope": ",".join(scopes), "expires_in": 86399})


def _check_token(asked: Asked, uses: dict[str, int], token_uses: int | None) -> None:
    token = asked.headers.get("x-shopify-access-token", "")
    if token == "shpat_sample":  # noqa: S105 - of a sample
        return
    used = uses.get(token)
    if used is None or (token_uses is not None and used >= token_uses):
        raise Refusal(401, {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"})
    uses[token] = used + 1


def _without_arguments(asked: Selection) -> Selection:
    return asked if asked.name == "orders" else Selection(asked.name, {}, asked.fields, asked.on)


def _resolve(fields: Sequence[Selection], shop: Shop, oldest: datetime | None, most: int) -> dict[str, Any]:
    asked = fields[0]
    match asked.name:
        case "orders":
            return {"orders": _list_orders(asked.arguments, shop, oldest, most)}
        case "node":
            return {"node": _find_node(str(asked.arguments.get("id")), shop)}
        case _:
            return {}


def _list_orders(arguments: Mapping[str, Any], shop: Shop, oldest: datetime | None, most: int) -> Connection:
    if unknown := set(arguments) - {"first", "after", "query", "sortKey", "reverse"}:
        raise GraphQLError(f"Field 'orders' doesn't accept argument '{min(unknown)}'")
    window = _FILTER.fullmatch(str(arguments.get("query")))
    if window is None or arguments.get("sortKey") != "UPDATED_AT":
        raise GraphQLError("this sample knows searches by updated_at alone, sorted by UPDATED_AT")
    since, until = (datetime.fromisoformat(text) for text in window.groups())
    orders = [o for o in shop.list_orders(since, until) if not o.is_fractional and o.kind in {"order", "test"}]
    found = [o for o in orders if oldest is None or o.created_at >= oldest]
    found.sort(key=lambda order: (order.updated_at, order.number))
    cursors = [f"{order.updated_at:%Y%m%dT%H%M%S}-{order.number:010}" for order in found]
    if bisect_right(cursors, arguments.get("after") or "") >= most:
        raise GraphQLError(f"Pagination is limited to {most} objects")
    return Connection(found, cursors, lambda order: _Order(order).render())


def _find_node(name: str, shop: Shop) -> dict[str, Any] | None:
    kind, _, number = name.removeprefix("gid://shopify/").partition("/")
    for order in shop.list_orders():
        if kind == "Order" and number == str(FIRST_ID + order.number):
            return _Order(order).render()
        for refund in order.refunds if kind == "Refund" else ():
            if number == str(FIRST_ID + refund.refund_id):
                return _Order(order).refund(refund)
    return None


class _Order:
    """An order's fields, each that the type has and the sample knows."""

    def __init__(self, order: ShopOrder) -> None:
        self._order = order
        self._digits = max(1, digits_of(order.currency))

    def _money(self, value: Decimal) -> dict[str, Any]:
        amount = {"amount": f"{value:.{self._digits}f}", "currencyCode": self._order.currency}
        return {"shopMoney": amount, "presentmentMoney": {"amount": "1.0", "currencyCode": "XTS"}}

    def render(self) -> dict[str, Any]:
        """The order."""
        order = self._order
        return {
            "__typename": "Order",
            "id": f"gid://shopify/Order/{FIRST_ID + order.number}",
            "legacyResourceId": str(FIRST_ID + order.number),
            "name": f"#{order.number}",
            "createdAt": _time(order.created_at),
            "processedAt": _time(order.created_at),
            "updatedAt": _time(order.updated_at),
            "cancelledAt": _time(order.cancelled_at) if order.cancelled_at else None,
            "test": order.kind == "test",
            "displayFinancialStatus": _STATUS.get(order.status, "PAID"),
            "displayFulfillmentStatus": "FULFILLED" if order.status == "shipped" else "UNFULFILLED",
            "sourceName": order.source,
            "discountCode": order.promo or None,
            "taxesIncluded": False,
            "email": order.email or None,
            "billingAddress": {"countryCodeV2": order.country} if order.country else None,
            "customer": {"legacyResourceId": str(FIRST_ID + order.customer)} if order.customer else None,
            "totalPriceSet": self._money(order.total),
            "totalDiscountsSet": self._money(order.discount),
            "totalTaxSet": self._money(order.tax),
            "totalShippingPriceSet": self._money(order.shipping),
            "lineItems": _number_connection(order.sold, self._line),
            "refunds": [self.refund(refund) for refund in order.refunds],
        }

    def _line(self, line: ShopLine) -> dict[str, Any]:
        return {
            "id": f"gid://shopify/LineItem/{line.line_id}",
            "sku": line.sku or None,
            "name": line.name,
            "quantity": int(line.qty),
            "currentQuantity": int(line.qty),
            "variant": {"legacyResourceId": str(line.variant_id)} if line.variant_id else None,
            "product": {"legacyResourceId": str(line.product_id)} if line.product_id else None,
            "originalUnitPriceSet": self._money(line.price),
            "totalDiscountSet": self._money(Decimal(0)),  # which knows nothing of codes
            "discountAllocations": [{"allocatedAmountSet": self._money(line.discount)}] if line.discount else [],
        }

    def refund(self, refund: ShopRefund) -> dict[str, Any]:
        """A refund of the order."""
        return {
            "__typename": "Refund",
            "id": f"gid://shopify/Refund/{FIRST_ID + refund.refund_id}",
            "legacyResourceId": str(FIRST_ID + refund.refund_id),
            "createdAt": None if refund.refund_id % 2 else _time(refund.created_at),
            "updatedAt": _time(refund.created_at),
            "totalRefundedSet": self._money(refund.amount),
            "refundLineItems": _number_connection(refund.lines, self._refund_line),
        }

    def _refund_line(self, part: tuple[int, Decimal, Decimal]) -> dict[str, Any]:
        line_id, qty, amount = part
        line = self._line(self._order.line(line_id))
        return {"quantity": int(qty), "subtotalSet": self._money(amount), "lineItem": line}


def _number_connection(values: Sequence[Any], render: Callable[[Any], Mapping[str, Any]]) -> Connection:
    return Connection(values, [f"at-{at:05}" for at in range(len(values))], render)


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
