"""What an order payload must look like: the single statement of its shape and of the coercions it gets.

Pydantic validates; each failure carries a reason code (the error's type) and a field path (the error's location).
Fields stand in the order in which their rules are judged: the first failure is the reason that is reported.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import TypedDict

from ordersetl.tables import MONEY_SCALE

__all__ = [
    "AMOUNT_LIMIT",
    "LINE_REASONS",
    "ORDER_REASONS",
    "QTY_LIMIT",
    "RULES",
    "TEXT_BYTES",
    "Envelope",
    "Failure",
    "Line",
    "Order",
    "ReadOrder",
    "read_date",
    "read_decimal",
    "read_order",
    "read_short_text",
    "read_text",
    "read_time",
]

RULES = 1
"""Version of the data rules: raised when the verdict or a value of some payload changes, so that all is folded anew."""
AMOUNT_LIMIT = Decimal(10) ** 14
"""Amounts, prices and quantity x price stay below this: what DECIMAL(18,4) holds."""
QTY_LIMIT = Decimal(10) ** 9
TEXT_BYTES = 255
"""Most bytes of an id or a text in UTF-8: what VARCHAR(255) holds in Redshift."""

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

_UNIT = Decimal(1).scaleb(-MONEY_SCALE)
_EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_FIRST_YEAR, _LAST_YEAR = 1970, 2199


def read_text(value: object) -> str | None:
    """Text of a string or an integer: NUL removed, what is no valid Unicode replaced, stripped; None where empty."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).replace("\0", "")
    return _SURROGATE.sub("\ufffd", text).strip() or None


def read_short_text(value: object, *, upper: bool = False) -> tuple[str | None, bool]:
    """Text cut to 255 bytes at a character's edge, and whether it was cut."""
    text = read_text(value)
    if text is None:
        return None, False
    if upper:
        text = text.upper()
    encoded = text.encode()
    if len(encoded) <= TEXT_BYTES:
        return text, False
    return encoded[:TEXT_BYTES].decode("utf-8", "ignore") or None, True


def read_decimal(value: object) -> Decimal | None:
    """Exact decimal of a JSON number or numeric text at four digits, half-even; None where it is none or out of range.

    A result of 10^14 or more is possible just above the limit: compare after rounding.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    if isinstance(value, Decimal):
        exact = value
    else:
        text = repr(value) if isinstance(value, float) else str(value).strip()
        if not _NUMBER.fullmatch(text):
            return None
        try:
            exact = Decimal(text)
        except InvalidOperation:  # an exponent beyond all measure
            return None
    if not exact.is_finite() or exact.adjusted() > AMOUNT_LIMIT.adjusted() + 1:
        return None
    return _EXACT.quantize(exact, _UNIT)


def read_time(value: object) -> datetime | None:
    """Aware UTC time of ISO 8601 text from 1970 to 2199, naive taken as UTC; None for anything else.

    A number is no time, not even as text: ``20250820`` could be seconds as well.
    """
    if not isinstance(value, str) or _NUMBER.fullmatch(text := value.strip()):
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if _FIRST_YEAR <= moment.year <= _LAST_YEAR else None


def read_date(value: object) -> Any:  # noqa: ANN401 - a date, or None
    """UTC date of a readable time, or None."""
    moment = read_time(value)
    return None if moment is None else moment.date()


def _fail(reason: str, detail: str) -> PydanticCustomError:
    return PydanticCustomError(reason, "{detail}", {"detail": detail})


def _read_id(value: object, *, missing: str | None, invalid: str) -> str | None:
    text = read_text(value)
    if text is None and missing:
        raise _fail(missing, "is absent or empty" if value is None or isinstance(value, str) else "is no string or integer")
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


Label = Annotated[str | None, PlainValidator(lambda value, info: _read_label(value, info))]


def _amount_of(line: "Line") -> Decimal | None:
    """Quantity x price at four digits, half-even; None without a price."""
    price = line.get("price")
    return None if price is None else _EXACT.quantize(_EXACT.multiply(line["qty"], price), _UNIT)


def _check_product(line: "Line") -> "Line":
    amount = _amount_of(line)
    if amount is not None and amount >= AMOUNT_LIMIT:
        raise _fail("invalid_price", "times the quantity is 10^14 or more")
    # rounding the amount up and dividing by a tiny quantity can carry the unit price over the limit
    if amount is not None and _EXACT.quantize(_EXACT.divide(amount, line["qty"]), _UNIT) >= AMOUNT_LIMIT:
        raise _fail("invalid_price", "gives a unit price of 10^14 or more")
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

    order_id: Annotated[str, PlainValidator(lambda v: _read_id(v, missing="missing_order_id", invalid="invalid_order_id"))]
    created_at: Annotated[datetime, PlainValidator(_read_created_at)]
    updated_at: NotRequired[Annotated[datetime | None, PlainValidator(_read_updated_at)]]
    user_id: NotRequired[Annotated[str | None, PlainValidator(lambda v: _read_id(v, missing=None, invalid="invalid_user_id"))]]
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
    return Failure(error["type"], f"{prefix}{path} {said}".strip() if path or prefix else said, line)


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
