"""What an order says of money beside its lines, and of its user: the shape of it, and the coercions it gets.

Pydantic validates; each failure carries a reason code (the error's type) and a field path (the error's location).
Fields are in the order of their rules: the first failure is the reason that is reported.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, NotRequired

import msgspec
from pydantic import AfterValidator, PlainValidator, TypeAdapter, ValidationInfo
from typing_extensions import TypedDict

from ordersetl.star.values import AMOUNT_LIMIT, read_short_text, read_time
from ordersetl.transform.fields import USER_FIELDS
from ordersetl.transform.order_lines import Line, fail, read_amount, read_id, read_qty

__all__ = [
    "CHARGE_REASONS",
    "Charges",
    "Label",
    "Refund",
    "RefundItem",
    "RefundPart",
    "read_charges",
    "read_label",
    "split_refund",
]

CHARGE_REASONS = ("invalid_discount", "invalid_tax", "invalid_shipping", "invalid_refund", "invalid_cancelled_at")


def read_label(value: object, info: ValidationInfo, *, upper: bool = False) -> str | None:
    """Text of at most 255 bytes, cut and counted where it is longer; None where there is none."""
    text, cut = read_short_text(value, upper=upper)
    if cut:
        info.context["texts_cut"] += 1  # type: ignore[index] # read_order always gives a context
    return text


Label = Annotated[str | None, PlainValidator(read_label)]


def _read_time(value: object, reason: str) -> datetime:
    if (time := read_time(value)) is None:
        raise fail(reason, "is not an ISO 8601 time from 1970 to 2199")
    return time


def _read_refunded(value: object) -> Decimal:
    if (amount := read_amount(value, "invalid_refund")) is None:
        raise fail("invalid_refund", "is null")
    return amount


def _read_user(value: object, info: ValidationInfo) -> dict[str, str | None]:
    given = value if isinstance(value, dict) else {}
    return {name: read_label(given.get(name), info) for name in USER_FIELDS}


_RefundId = Annotated[str, PlainValidator(lambda v: read_id(v, missing="invalid_refund", invalid="invalid_refund"))]
_RefundSku = Annotated[str | None, PlainValidator(lambda v: read_id(v, missing=None, invalid="invalid_refund"))]
_RefundQty = Annotated[Decimal | None, PlainValidator(lambda v: None if v is None else read_qty(v, "invalid_refund"))]


class RefundItem(TypedDict):
    """What one SKU of a refund comes to; without SKU it belongs to the rest."""

    sku: NotRequired[_RefundSku]
    qty: NotRequired[_RefundQty]
    amount: Annotated[Decimal, PlainValidator(_read_refunded)]


class Refund(TypedDict):
    """Money that went back, and perhaps for which lines."""

    refund_id: _RefundId
    created_at: Annotated[datetime, PlainValidator(lambda v: _read_time(v, "invalid_refund"))]
    amount: Annotated[Decimal, PlainValidator(_read_refunded)]
    items: NotRequired[list[RefundItem] | None]


class RefundPart(msgspec.Struct, frozen=True):
    """What a refund says of one SKU, or without SKU the rest of its amount: negative where it says more of SKUs."""

    refund_id: str
    sku: str | None
    qty: Decimal | None
    amount: Decimal
    refunded_at: datetime


def split_refund(refund: Refund) -> Iterator[RefundPart]:
    """Each item that names an SKU, and the rest of the amount."""
    refund_id, time = refund["refund_id"], refund["created_at"]
    rest, unnamed = refund["amount"], None
    for item in refund.get("items") or []:
        sku, qty = item.get("sku"), item.get("qty")
        if sku is not None:
            rest -= item["amount"]
            yield RefundPart(refund_id, sku, qty, item["amount"], time)
        elif qty is not None:
            unnamed = qty + (unnamed or 0)
    yield RefundPart(refund_id, None, unnamed, rest, time)


def _require_bounded(refunds: list[Refund] | None) -> list[Refund]:
    """The refunds, none of whose sums may pass what a column holds."""
    parts = [part for refund in refunds or [] for part in split_refund(refund)]
    amounts = sum(refund["amount"] for refund in refunds or [])
    named = sum(part.amount for part in parts if part.sku is not None)
    quantities = sum(part.qty for part in parts if part.qty is not None)
    if max(amounts, named, quantities) >= AMOUNT_LIMIT:
        raise fail("invalid_refund", "sum to 10^14 or more")
    return refunds or []


class Charges(TypedDict):
    """What comes on top of an order's lines, or off them: discount, tax, shipping, refunds; cancelled; its user."""

    discount: NotRequired[Annotated[Decimal | None, PlainValidator(lambda v: read_amount(v, "invalid_discount"))]]
    tax: NotRequired[Annotated[Decimal | None, PlainValidator(lambda v: read_amount(v, "invalid_tax"))]]
    shipping: NotRequired[Annotated[Decimal | None, PlainValidator(lambda v: read_amount(v, "invalid_shipping"))]]
    refunds: NotRequired[Annotated[list[Refund] | None, AfterValidator(_require_bounded)]]
    cancelled_at: NotRequired[
        Annotated[
            datetime | None, PlainValidator(lambda v: None if v is None else _read_time(v, "invalid_cancelled_at"))
        ]
    ]
    user: NotRequired[Annotated[dict[str, str | None], PlainValidator(_read_user)]]


_CHARGES: TypeAdapter[Charges] = TypeAdapter(Charges)
_NAMES = Charges.__annotations__.keys()


def read_charges(record: object, lines: Sequence[Line], context: dict[str, int]) -> Charges:
    """The charges of an order whose valid lines are ``lines``.

    Raises:
        ValidationError: the first rule that is broken.
        PydanticCustomError: the lines' own discounts or taxes sum to more than a column holds.
    """
    has_none = isinstance(record, dict) and _NAMES.isdisjoint(record)  # as most have: it saves a validation
    charges = Charges() if has_none else _CHARGES.validate_python(record, context=context)
    if sum(line.get("discount") or 0 for line in lines) >= AMOUNT_LIMIT:
        raise fail("invalid_discount", "the lines' discounts sum to 10^14 or more")
    if sum(line.get("tax") or 0 for line in lines) >= AMOUNT_LIMIT:
        raise fail("invalid_tax", "the lines' taxes sum to 10^14 or more")
    return charges
