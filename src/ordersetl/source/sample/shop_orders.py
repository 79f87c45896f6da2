"""Orders of the sample shop: the good ones of the fixture, as they are at last, and one of each kind that it lacks."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ordersetl.source.sample.generic import sample_orders
from ordersetl.source.sample.shop import Shop, ShopLine, ShopOrder, ShopRefund, digits_of

__all__ = ["sample_shop", "stretch_shop"]

_FIRST_BROKEN = 19001
"""Number of the fixture's first order that is made to be rejected."""
_FIRST_EXTRA = 20001
_MANY = 1000


def sample_shop() -> Shop:
    """The sample shop: the fixture's good orders as they are at last, and some of each kind that shops have besides."""
    latest: dict[int, dict[str, Any]] = {}
    for record in sample_orders():
        if isinstance(record, dict) and (number := _number_of(record)) is not None and _is_plain(record):
            latest[number] = record
    products: dict[str, int] = {}
    orders = (_read_order(number, latest[number], products) for number in sorted(latest))
    return Shop({order.number: order for order in [*filter(_is_payable, orders), *_extras()]})


def stretch_shop(shop: Shop, count: int) -> Shop:
    """A shop of so many orders: those of a shop again and again, each a minute later and under a number of its own."""
    orders = shop.list_orders()
    taken = (orders[at % len(orders)] for at in range(count))
    stretched = [
        replace(order, number=100_000 + at, updated_at=order.updated_at + timedelta(minutes=at // len(orders)))
        for at, order in enumerate(taken)
    ]
    return Shop({order.number: order for order in stretched})


def _number_of(record: Mapping[str, Any]) -> int | None:
    digits = str(record.get("order_id")).removeprefix("ord-")
    return int(digits) if digits.isdecimal() and int(digits) < _FIRST_BROKEN else None


def _is_plain(record: Mapping[str, Any]) -> bool:
    """Whether it has a time, and lines, each with a SKU, a quantity and a price."""
    items, created_at = record.get("items"), record.get("created_at")
    if not isinstance(items, list) or not items or not isinstance(created_at, str):
        return False
    return all(isinstance(item, dict) and _is_plain_line(item) for item in items)


def _is_plain_line(item: Mapping[str, Any]) -> bool:
    sku, qty, price = item.get("sku"), _number(item, "qty"), _number(item, "price")
    named = isinstance(sku, str) and bool(sku.strip())
    return named and bool(qty and 0 < qty < _MANY) and price is not None and price >= 0


def _is_payable(order: ShopOrder) -> bool:
    """Whether all lines come to what coins there are."""
    coin = Decimal(1).scaleb(-digits_of(order.currency))
    return all(line.subtotal % coin == 0 for line in order.lines)


def _number(record: Mapping[str, Any], name: str) -> Decimal | None:
    value = record.get(name)
    try:
        number = None if value is None or isinstance(value, bool) else Decimal(str(value).strip())
    except ArithmeticError:
        return None
    return number if number is not None and number.is_finite() else None


def _read_order(number: int, record: Mapping[str, Any], products: dict[str, int]) -> ShopOrder:
    currency = str(record.get("currency") or "USD").upper()
    unit = Decimal(1).scaleb(-digits_of(currency))
    user, metadata = record.get("user"), record.get("metadata")
    user, metadata = (given if isinstance(given, dict) else {} for given in (user, metadata))
    lines = tuple(_read_lines(number, record, products, unit))
    customer = str(record.get("user_id") or "")
    cancelled_at = record.get("cancelled_at")
    updated_at = _time(record.get("updated_at") or record["created_at"])
    return ShopOrder(
        number=number,
        customer=int(customer) if customer.isdecimal() else 0,
        email=user.get("email") or "",
        country=user.get("country") or "",
        currency=currency,
        created_at=_time(record["created_at"]),
        updated_at=updated_at,
        status=record.get("status") or "placed",
        kind="deleted" if record.get("deleted") is True else "order",
        cancelled_at=_time(cancelled_at)
        if cancelled_at
        else updated_at
        if record.get("status") == "cancelled"
        else None,
        lines=lines,
        shipping=(_number(record, "shipping") or Decimal(0)).quantize(unit),
        refunds=tuple(_read_refunds(number, record, lines, unit)),
        source=str(metadata.get("source") or "web"),
        promo=str(metadata.get("promo") or "")[:20].strip(),
    )


def _read_lines(number: int, record: Mapping[str, Any], products: dict[str, int], unit: Decimal) -> Iterator[ShopLine]:
    items = record["items"]
    discounts, taxes = ((_number(record, name) or Decimal(0)).quantize(unit) for name in ("discount", "tax"))
    for at, item in enumerate(items):
        sku = item["sku"].strip()
        product = products.setdefault(sku, 500 + len(products))
        share = 1 if at == len(items) - 1 else 0  # an order's own discount and tax are its last line's
        yield ShopLine(
            line_id=number * 100 + at,
            sku=sku,
            product_id=product,
            variant_id=product + 7000 if product % 2 else 0,
            name=str(item.get("name") or f"Product {sku}"),
            qty=_number(item, "qty") or Decimal(0),
            price=(_number(item, "price") or Decimal(0)).quantize(unit),
            discount=(_number(item, "discount") or discounts * share).quantize(unit),
            tax=(_number(item, "tax") or taxes * share).quantize(unit),
        )


def _read_refunds(
    number: int, record: Mapping[str, Any], lines: tuple[ShopLine, ...], unit: Decimal
) -> Iterator[ShopRefund]:
    ids = {line.sku: line.line_id for line in lines}
    for at, refund in enumerate(record.get("refunds") or [], 1):
        items = [item for item in refund.get("items") or [] if item.get("sku") in ids]
        yield ShopRefund(
            refund_id=number * 10 + at,
            created_at=_time(refund["created_at"]),
            amount=(_number(refund, "amount") or Decimal(0)).quantize(unit),
            lines=tuple(
                (ids[item["sku"]], _number(item, "qty") or Decimal(1), Decimal(str(item["amount"])).quantize(unit))
                for item in items
            ),
        )


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text.strip())
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


def _extras() -> Iterator[ShopOrder]:
    """One order of each kind that the fixture has not."""
    began = datetime(2025, 8, 12, 9, 0, tzinfo=UTC)
    for at, fields in enumerate(_extra_fields()):
        number, time = _FIRST_EXTRA + at, began + timedelta(hours=7 * at)
        first = number * 1000
        lines = tuple(
            replace(line, line_id=first + i, parent=None if line.parent is None else first + line.parent)
            for i, line in enumerate(fields.pop("lines"))
        )
        yield ShopOrder(number=number, created_at=time, updated_at=time + timedelta(minutes=5), lines=lines, **fields)


def _line(sku: str, qty: str, price: str, product: int, variant: int = 0, **fields: Any) -> ShopLine:  # noqa: ANN401
    return ShopLine(
        line_id=0, sku=sku, product_id=product, variant_id=variant, qty=Decimal(qty), price=Decimal(price), **fields
    )


def _extra_fields() -> list[dict[str, Any]]:
    many = [_line(f"BULK-{at:03}", "1", "2.50", 2000 + at) for at in range(120)]
    mug, kit = _line("CER-501", "1", "18.50", 940), _line("KIT-900", "1", "80.00", 950)
    part = replace(mug, parent=0)
    return [
        {"currency": "JPY", "lines": [_line("TEA-201", "3", "1250", 901)], "shipping": Decimal(500), "customer": 1002},
        {"currency": "KWD", "lines": [_line("COF-101", "2", "5.125", 902, 7902, tax=Decimal("0.513"))]},
        {"lines": [_line("", "2", "9.90", 903, 7903), _line(" ", "1", "4.00", 904), _line("", "1", "3.10", 905)]},
        {"lines": [_line("TEA-203", "1", "12.00", 906), _line("TEA-203", "2", "11.00", 906)], "promo": "TWICE"},
        {"lines": [kit, part, replace(part, sku="CER-502", product_id=941)], "status": "shipped"},
        {"lines": [_line("COF-107", "1.5", "10.00", 907), mug], "customer": 1003},
        {"kind": "draft", "lines": [mug], "status": "draft"},
        {"kind": "test", "lines": [mug]},
        {"lines": [mug, _line("CER-503", "0", "7.00", 908)], "customer": 1004},
        {"lines": many, "customer": 1005, "status": "shipped"},
        {"kind": "deleted", "lines": [mug], "customer": 1006},
    ]
