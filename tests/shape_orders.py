"""The sample shop's orders as canonical ones, by the shape that they come in: written apart from the mappings."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from ordersetl.source.sample.shop import Shop, ShopLine, ShopOrder

__all__ = ["SKIPPED", "canonical_orders"]

BIG = 2**53
SHOPIFY = {"placed": "PENDING", "cancelled": "VOIDED", "refunded": "REFUNDED", "on hold": "AUTHORIZED"}
WOO = {
    "placed": "pending",
    "paid": "processing",
    "shipped": "completed",
    "delivered": "completed",
    "on hold": "on-hold",
}
MAGENTO = {
    "placed": "pending",
    "paid": "processing",
    "on hold": "holded",
    "cancelled": "canceled",
    "refunded": "closed",
}
BIGCOMMERCE = {"placed": "Pending", "shipped": "Shipped", "cancelled": "Cancelled", "refunded": "Refunded"}
SQUARE = {"placed": "OPEN", "cancelled": "CANCELED"}
AMAZON = {"placed": "UNSHIPPED", "paid": "UNSHIPPED", "cancelled": "CANCELLED"}
SKIPPED = {
    "shopify": {"tests": 1},
    "woocommerce": {"drafts": 1},
    "magento": {},
    "bigcommerce": {"incomplete": 1},
    "square": {"drafts": 1, "returns": 12},
    "amazon": {"pending": 1},
}
"""What of the sample shop is no order, by name."""


def canonical_orders(shape: str, shop: Shop) -> list[dict[str, Any]]:
    """The orders that come out of a shape, by number."""
    return [ORDERS[shape](order) for order in shop.list_orders() if is_counted(shape, order)]


def is_counted(shape: str, order: ShopOrder) -> bool:
    """Whether a shape shows an order that is not skipped."""
    if order.is_fractional and shape in {"shopify", "bigcommerce", "amazon"}:
        return False
    kinds = {"woocommerce": {"order", "test", "deleted"}, "bigcommerce": {"order", "deleted"}}
    return order.kind in kinds.get(shape, {"order"})


def _order(order: ShopOrder, items: Iterable[Mapping[str, Any]], **fields: Any) -> dict[str, Any]:
    usual = {
        "order_id": str(order.number),
        "user_id": str(order.customer) if order.customer else None,
        "amount": order.total,
        "currency": order.currency,
        "created_at": _time(order.created_at),
        "updated_at": _time(order.updated_at),
        "discount": order.discount,
        "tax": order.tax,
        "shipping": order.shipping,
        "metadata": {"source": order.source, "promo": order.promo},
        "user": {"email": order.email, "country": order.country},
        "items": list(items),
    }
    return usual | fields


def _time(time: datetime) -> str:
    return time.isoformat()


def _variant_or_product(line: ShopLine) -> str:
    return line.sku.strip() or (f"variant:{line.variant_id}" if line.variant_id else f"product:{line.product_id}")


def _product(line: ShopLine) -> str:
    return line.sku.strip() or f"product:{line.product_id}"


def _asin(line: ShopLine) -> str:
    return line.sku.strip() or f"B0{line.product_id:08}"


def _catalog(line: ShopLine) -> str:
    return line.sku.strip() or (f"CAT{line.variant_id or line.product_id}" if line.product_id % 2 else "")


def _items(order: ShopOrder, sku: Callable[[ShopLine], str], *own: str) -> list[dict[str, Any]]:
    return [
        {"sku": sku(line), "qty": line.qty, "price": line.price, "name": line.name}
        | {name: getattr(line, name) for name in own}
        for line in order.sold
    ]


def _refunds(order: ShopOrder, first_id: int, sku: Callable[[ShopLine], str] | None) -> list[dict[str, Any]]:
    return [
        {
            "refund_id": str(first_id + refund.refund_id),
            "created_at": _time(refund.created_at),
            "amount": refund.amount,
            "items": [
                {"sku": sku(order.line(line_id)), "qty": qty, "amount": amount} for line_id, qty, amount in refund.lines
            ]
            if sku
            else [],
        }
        for refund in order.refunds
    ]


def _shopify(order: ShopOrder) -> dict[str, Any]:
    return _order(
        order,
        _items(order, _variant_or_product, "discount"),
        order_id=str(BIG + order.number),
        user_id=str(BIG + order.customer) if order.customer else None,
        status=SHOPIFY.get(order.status, "PAID"),
        cancelled_at=_time(order.cancelled_at) if order.cancelled_at else None,
        refunds=_refunds(order, BIG, _variant_or_product),
        user={},
    )


def _woocommerce(order: ShopOrder) -> dict[str, Any]:
    return _order(
        order,
        _items(order, _variant_or_product, "tax"),
        status="trash" if order.kind == "deleted" else WOO.get(order.status, order.status),
        deleted=order.kind == "deleted",
        refunds=_refunds(order, 0, _variant_or_product),
    )


def _magento(order: ShopOrder) -> dict[str, Any]:
    return _order(
        order,
        _items(order, _product, "discount", "tax"),
        status=MAGENTO.get(order.status, "complete"),
        refunds=_refunds(order, 0, _product),
    )


def _bigcommerce(order: ShopOrder) -> dict[str, Any]:
    return _order(
        order,
        _items(order, _variant_or_product, "discount", "tax"),
        status=BIGCOMMERCE.get(order.status, "Awaiting Fulfillment"),
        deleted=order.kind == "deleted",
        refunds=_refunds(order, 0, None),
        metadata={"source": order.source},
    )


def _square(order: ShopOrder) -> dict[str, Any]:
    return _order(
        order,
        [item for item in _items(order, _catalog, "discount", "tax") if item["qty"]],
        order_id=f"sq-{order.number}",
        user_id=f"cust-{order.customer}" if order.customer else None,
        status=SQUARE.get(order.status, "COMPLETED"),
        shipping=None,
        metadata={"source": order.source},
        user={},
    )


def _amazon(order: ShopOrder) -> dict[str, Any]:
    items = [
        item | {name: item[name] or None for name in ("discount", "tax")}
        for item in _items(order, _asin, "discount", "tax")
    ]
    if order.status == "cancelled":
        unpriced = dict.fromkeys(("discount", "tax", "price"))
        items = [item | unpriced for item in items]
        cancelled: dict[str, Any] = {"amount": 0, "discount": None, "tax": None, "shipping": None}
    else:
        cancelled = {}
    usual = _order(
        order,
        items,
        order_id=f"111-{order.number:07}-0000001",
        user_id=None,
        status=AMAZON.get(order.status, "SHIPPED"),
        discount=order.discount or None,
        tax=order.tax or None,
        shipping=order.shipping or None,
        metadata={"source": "AMAZON"},
        currency=None if cancelled else order.currency,
        user={},
    )
    return usual | cancelled


ORDERS: dict[str, Callable[[ShopOrder], dict[str, Any]]] = {
    "shopify": _shopify,
    "woocommerce": _woocommerce,
    "magento": _magento,
    "bigcommerce": _bigcommerce,
    "square": _square,
    "amazon": _amazon,
}
