"""What an order payload must look like: the single statement of its shape and of the coercions it gets.

Pydantic validates; each failure carries a reason code (the error's type) and a field path (the error's location).
Fields stand in the order in which their rules are judged: the first failure is the reason that is reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import TypedDict

from ordersetl.values import (
    AMOUNT_LIMIT,
    EXACT,
    QTY_LIMIT,
    TEXT_BYTES,
    UNIT,
    read_decimal,
    read_short_text,
    read_text,
    read_time,
)

__all__ = [
    "LINE_REASONS",
    "ORDER_REASONS",
    "RULES",
    "Envelope",
    "Failure",
    "Line",
    "Order",
    "ReadOrder",
    "read_order",
]

RULES = 2
"""Version of the data rules: raised when the verdict or a value of some payload changes, so that all is folded anew."""

ORDER_REASONS = (
    "not_an_object",
    "missing_order_id",
    "invalid_order_id",
    "missing_created_at",
    "invalid_created_at",
    "invalid_updated_at",
    "invalid_user_id",
    "invalid_amount",
    "no_items",
    "invalid_items",
    "no_valid_items",
    "missing_amount",
)
LINE_REASONS = ("invalid_item", "missing_sku", "invalid_sku", "invalid_qty", "invalid_price")


def _fail(reason: str, detail: str) -> PydanticCustomError:
    return PydanticCustomError(reason, "{detail}", {"detail": detail})


def _read_id(value: object, *, missing: str | None, invalid: str) -> str | None:
    text = read_text(value)
    if text is None and missing:
        raise _fail(
            missing, "is absent or empty" if value is None or isinstance(value, str) else "is no string or integer"
        )
    if text is not None and len(text.encode()) > TEXT_BYTES:
        raise _fail(invalid, f"has {len(text.encode())} bytes, more than {TEXT_BYTES}")
    return text


def _read_amount(value: object, reason: str) -> Decimal | None:
    if value is None:
        return None
    amount = read_decimal(value)
    if amount is None:
        raise _fail(reason, "is no finite number below 10^14")
    if not 0 <= amount < AMOUNT_LIMIT:
        raise _fail(reason, "is not between 0 and 10^14")
    return amount


def _read_qty(value: object) -> Decimal:
    qty = read_decimal(value)
    if qty is None or not 0 < qty < QTY_LIMIT:
        raise _fail("invalid_qty", "is no finite number above 0 and below 10^9")
    return qty


def _read_created_at(value: object) -> datetime:
    if value is None:
        raise _fail("missing_created_at", "is null")
    if (moment := read_time(value)) is None:
        raise _fail("invalid_created_at", "is no ISO 8601 time from 1970 to 2199")
    return moment


def _read_updated_at(value: object) -> datetime | None:
    if value is not None and (moment := read_time(value)) is None:
        raise _fail("invalid_updated_at", "is no ISO 8601 time from 1970 to 2199")
    return None if value is None else moment


def _read_label(value: object, info: ValidationInfo, *, upper: bool = False) -> str | None:
    text, cut = read_short_text(value, upper=upper)
    if cut:
        info.context["texts_cut"] += 1  # type: ignore[index] # read_order always gives a context
    return text


Label = Annotated[str | None, PlainValidator(_read_label)]


def _amount_of(line: "Line") -> Decimal | None:
    """Quantity x price at four digits, half-even; None without a price."""
    price = line.get("price")
    return None if price is None else EXACT.quantize(EXACT.multiply(line["qty"], price), UNIT)


def _check_product(line: "Line") -> "Line":
    amount = _amount_of(line)
    if amount is not None and amount >= AMOUNT_LIMIT:
        raise _fail("invalid_price", "price times the quantity is 10^14 or more")
    # rounding the amount up and dividing by a tiny quantity can carry the unit price over the limit
    if amount is not None and EXACT.quantize(EXACT.divide(amount, line["qty"]), UNIT) >= AMOUNT_LIMIT:
        raise _fail("invalid_price", "price, with the amount rounded, becomes a unit price of 10^14 or more")
    return line


class Line(TypedDict):
    """One item of an order."""

    sku: Annotated[str, PlainValidator(lambda v: _read_id(v, missing="missing_sku", invalid="invalid_sku"))]
    qty: Annotated[Decimal, PlainValidator(_read_qty)]
    price: NotRequired[Annotated[Decimal | None, PlainValidator(lambda v: _read_amount(v, "invalid_price"))]]


_LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, AfterValidator(_check_product)])


@dataclass(frozen=True)
class Failure:
    """Why a record or one of its lines was rejected. ``line`` is the index in ``items``, None for the whole order."""

    reason: str
    detail: str
    line: int | None = None


@dataclass(frozen=True)
class _Items:
    lines: list[tuple[int, Line]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def _read_items(value: object) -> _Items:
    if value is None or value == []:
        raise _fail("no_items", "is null" if value is None else "is empty")
    if not isinstance(value, list):
        raise _fail("invalid_items", "is no list")
    items = _Items()
    for index, item in enumerate(value):
        try:
            items.lines.append((index, _LINE.validate_python(item)))
        except ValidationError as error:
            items.failures.append(_failure(error.errors()[0], line=index))
    if not items.lines:
        raise _fail("no_valid_items", f"holds {len(value)} lines, none valid; the first: {items.failures[0].detail}")
    return items


def _read_metadata(value: object, info: ValidationInfo) -> dict[str, str | None]:
    given = value if isinstance(value, dict) else {}
    return {name: _read_label(given.get(name), info) for name in ("source", "promo")}


class Order(TypedDict):
    """One order as the generic API sends it."""

    order_id: Annotated[
        str, PlainValidator(lambda v: _read_id(v, missing="missing_order_id", invalid="invalid_order_id"))
    ]
    created_at: Annotated[datetime, PlainValidator(_read_created_at)]
    updated_at: NotRequired[Annotated[datetime | None, PlainValidator(_read_updated_at)]]
    user_id: NotRequired[
        Annotated[str | None, PlainValidator(lambda v: _read_id(v, missing=None, invalid="invalid_user_id"))]
    ]
    amount: NotRequired[Annotated[Decimal | None, PlainValidator(lambda v: _read_amount(v, "invalid_amount"))]]
    items: Annotated[_Items, PlainValidator(_read_items)]
    currency: NotRequired[Annotated[str | None, PlainValidator(lambda v, i: _read_label(v, i, upper=True))]]
    status: NotRequired[Label]
    metadata: NotRequired[Annotated[dict[str, str | None], PlainValidator(_read_metadata)]]


def _check_amount(order: Order) -> Order:
    """The order's amount, or the sum of its lines where it has none."""
    lines = [line for _, line in order["items"].lines]
    if order.get("amount") is None and any(line.get("price") is None for line in lines):
        raise _fail("missing_amount", "amount is absent while a line has no price")
    total = sum((amount for line in lines if (amount := _amount_of(line)) is not None), Decimal(0))
    if total >= AMOUNT_LIMIT:
        raise _fail("invalid_amount", "the lines' amounts sum to 10^14 or more")
    if sum(line["qty"] for line in lines) >= AMOUNT_LIMIT:
        raise _fail("invalid_items", "the lines' quantities sum to 10^14 or more")
    if order.get("amount") is None:
        order["amount"] = total
    return order


_ORDER: TypeAdapter[Order] = TypeAdapter(Annotated[Order, AfterValidator(_check_amount)])

_MISSING = {
    "order_id": "missing_order_id",
    "created_at": "missing_created_at",
    "items": "no_items",
    "sku": "missing_sku",
    "qty": "invalid_qty",
}


def _failure(error: ErrorDetails, *, line: int | None = None) -> Failure:
    path = ".".join(map(str, error["loc"]))
    prefix = "" if line is None else f"items[{line}]."
    if error["type"] == "missing":
        return Failure(_MISSING[path], f"{prefix}{path} is absent", line)
    if error["type"] == "dict_type":
        reason, what = ("not_an_object", "the record") if line is None else ("invalid_item", f"items[{line}]")
        return Failure(reason, f"{what} is no JSON object", line)
    said = error["msg"]
    return Failure(error["type"], f"{prefix}{path} {said}" if path else f"{prefix}{said}", line)


@dataclass(frozen=True)
class ReadOrder:
    """An accepted order. ``lines`` hold (index in ``items``, line); ``failures`` are its rejected lines."""

    order_id: str
    user_id: str | None
    amount: Decimal
    currency: str | None
    created_at: datetime
    updated_at: datetime
    status: str | None
    source: str | None
    promo: str | None
    lines: Sequence[tuple[int, Line]]
    failures: Sequence[Failure]
    texts_cut: int


def read_order(record: object) -> ReadOrder | Failure:
    """Judge one record: the order with its valid lines, or the first rule of the design that rejects it."""
    context = {"texts_cut": 0}
    try:
        order = _ORDER.validate_python(record, context=context)
    except ValidationError as error:
        return _failure(error.errors()[0])
    metadata = order.get("metadata", {})
    return ReadOrder(
        order_id=order["order_id"],
        user_id=order.get("user_id"),
        amount=order["amount"] or Decimal(0),
        currency=order.get("currency"),
        created_at=order["created_at"],
        updated_at=order.get("updated_at") or order["created_at"],
        status=order.get("status"),
        source=metadata.get("source"),
        promo=metadata.get("promo"),
        lines=order["items"].lines,
        failures=order["items"].failures,
        texts_cut=context["texts_cut"],
    )


class Envelope(BaseModel):
    """A page of the generic API. An empty or absent ``next_cursor`` means that it is the last."""

    model_config = ConfigDict(strict=True)

    orders: list[Any]
    next_cursor: str | int | None = None
