"""Lines of an order: what one must look like, and the coercions it gets; and how any broken rule becomes a failure.

Pydantic validates; each failure carries a reason code (the error's type) and a field path (the error's location).
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated, NotRequired, cast, overload

import msgspec
from pydantic import AfterValidator, PlainValidator, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import TypedDict

from ordersetl.star.values import (
    AMOUNT_LIMIT,
    EXACT,
    QTY_LIMIT,
    TEXT_BYTES,
    UNIT,
    UnscaledAmount,
    has_surrogate,
    read_decimal,
    read_short_text,
    read_text,
)

__all__ = [
    "LINE_REASONS",
    "Failure",
    "Items",
    "Line",
    "LineFailures",
    "amount_of",
    "broken_rule",
    "fail",
    "read_amount",
    "read_id",
    "read_items",
    "read_qty",
]

LINE_REASONS = (
    "invalid_item",
    "missing_sku",
    "invalid_sku",
    "invalid_qty",
    "invalid_price",
    "invalid_discount",
    "invalid_tax",
)

_MAX_SHOWN = 120
"""Characters of what a payload has that a detail shows."""


def fail(reason: str, detail: str) -> PydanticCustomError:
    """A broken rule: the reason code, and what is wrong, to follow the name of the field."""
    return PydanticCustomError(reason, "{detail}", {"detail": detail})


def read_id(value: object, *, missing: str | None, invalid: str) -> str | None:
    """Id of at most 255 bytes of valid Unicode; None where there is none and ``missing`` is None.

    Raises:
        PydanticCustomError: the reason is ``missing`` or ``invalid``.
    """
    text = read_text(value)
    if text is None and missing:
        absent = value is None or isinstance(value, str)
        raise fail(missing, "is absent or empty" if absent else "is not a string or a whole number")
    if has_surrogate(value):
        raise fail(invalid, "is broken Unicode: it holds half a surrogate pair")
    if text is not None and len(text.encode()) > TEXT_BYTES:
        raise fail(invalid, f"has more than {TEXT_BYTES} bytes")
    return text


def read_amount(value: object, reason: str) -> Decimal | None:
    """Amount from 0 to below 10^14 at four digits, None for null.

    Raises:
        PydanticCustomError: with ``reason``.
    """
    if value is None:
        return None
    if isinstance(value, UnscaledAmount):
        raise fail(reason, f"is {value:.{_MAX_SHOWN}}: without a currency of ISO 4217 its digits are not known")
    amount = read_decimal(value)
    if amount is None:
        raise fail(reason, "is not a finite number below 10^14")
    if not 0 <= amount < AMOUNT_LIMIT:
        raise fail(reason, "is not between 0 and 10^14")
    return amount


def read_qty(value: object, reason: str) -> Decimal:
    """Quantity from 0 to below 10^9 at four digits.

    Raises:
        PydanticCustomError: with ``reason``.
    """
    qty = read_decimal(value)
    if qty is None or not 0 <= qty < QTY_LIMIT:
        raise fail(reason, "is not a finite number from 0 to below 10^9")
    return qty


def amount_of(line: "Line") -> Decimal | None:
    """The line's total, or else quantity x price at four digits, half-even; None without either."""
    total, price = cast("TotalLine", line).get("total"), line.get("price")
    if total is not None or price is None:
        return total
    return EXACT.quantize(EXACT.multiply(line["qty"], price), UNIT)


def _check_product(line: "Line") -> "Line":
    amount = amount_of(line)
    if amount is not None and amount >= AMOUNT_LIMIT:
        raise fail("invalid_price", "price times the quantity is 10^14 or more")
    return line


def _check_total(line: "TotalLine") -> "TotalLine":
    total = line.get("total")
    if total is None:
        _check_product(line)
    elif line["qty"] and EXACT.divide(total, line["qty"]) >= AMOUNT_LIMIT:
        raise fail("invalid_price", "total over the quantity is 10^14 or more")
    return line


class Line(TypedDict):
    """One item of an order."""

    sku: Annotated[str, PlainValidator(lambda v: read_id(v, missing="missing_sku", invalid="invalid_sku"))]
    qty: Annotated[Decimal, PlainValidator(lambda v: read_qty(v, "invalid_qty"))]
    price: NotRequired[Annotated[Decimal | None, PlainValidator(lambda v: read_amount(v, "invalid_price"))]]
    discount: NotRequired[Annotated[Decimal | None, PlainValidator(lambda v: read_amount(v, "invalid_discount"))]]
    tax: NotRequired[Annotated[Decimal | None, PlainValidator(lambda v: read_amount(v, "invalid_tax"))]]
    name: NotRequired[Annotated[str | None, PlainValidator(lambda v: read_short_text(v)[0])]]


class TotalLine(Line):
    """One item of a mapped order, which may say what all its units come to: then that counts, and not the price."""

    total: NotRequired[Annotated[Decimal | None, PlainValidator(lambda v: read_amount(v, "invalid_price"))]]


_LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, AfterValidator(_check_product)])
_TOTAL_LINE: TypeAdapter[TotalLine] = TypeAdapter(Annotated[TotalLine, AfterValidator(_check_total)])


class Failure(msgspec.Struct, frozen=True):
    """Why a record or one of its lines was rejected. ``line`` is the index in ``items``, None for the whole order."""

    reason: str
    detail: str
    line: int | None = None


class LineFailures(Sequence[Failure]):
    """Why lines of one order are rejected, in their order: ``reasons`` counts it.

    Each is made when it is asked for; only positions are kept: there may be a million in a page.
    """

    def __init__(self, items: Sequence[object], *, totals: bool = False) -> None:
        self.reasons = Counter[str]()
        self._items = items
        self._totals = totals
        self._positions = array("L")

    def add(self, index: int, reason: str) -> None:
        """Note that the ``index``-th item is rejected."""
        self.reasons[reason] += 1
        self._positions.append(index)

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, at: int) -> Failure: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Failure]: ...
    def __getitem__(self, at: int | slice) -> Failure | Sequence[Failure]:
        if isinstance(at, slice):
            return [self._explain(index) for index in self._positions[at]]
        return self._explain(self._positions[at])

    def __iter__(self) -> Iterator[Failure]:
        return map(self._explain, self._positions)

    def _explain(self, index: int) -> Failure:
        failure = _read_line(self._items[index], index, totals=self._totals)
        assert isinstance(failure, Failure)  # noqa: S101 - it was one before
        return failure


class Items(msgspec.Struct):
    """``lines`` are the valid ones of a quantity above 0, ``skipped`` counts those of quantity 0.

    ``texts_cut`` counts the names of valid lines that were too long.
    """

    failures: LineFailures
    lines: list[tuple[int, Line]] = msgspec.field(default_factory=list)
    skipped: int = 0
    texts_cut: int = 0


def read_items(value: object, *, totals: bool = False) -> Items:
    """Lines of an order, each on its own; with ``totals`` each may have one (see :class:`TotalLine`).

    Raises:
        PydanticCustomError: there is no list, or not one valid line of a quantity above 0 where some are rejected.
    """
    if value is None:
        raise fail("no_items", "is null")
    if not isinstance(value, list):
        raise fail("invalid_items", "is not a list")
    items = Items(LineFailures(value, totals=totals))
    for index, item in enumerate(value):
        line = _read_line(item, index, totals=totals)
        if isinstance(line, Failure):
            items.failures.add(index, line.reason)
        elif line["qty"]:
            items.lines.append((index, line))
            items.texts_cut += read_short_text(item.get("name"))[1]
        else:
            items.skipped += 1
    if items.failures and not items.lines:
        which = "none valid" if not items.skipped else "none valid and of a quantity above 0"
        raise fail("no_valid_items", f"holds {len(value)} lines, {which}; the first: {items.failures[0].detail}")
    return items


def _read_line(item: object, index: int, *, totals: bool) -> Line | Failure:
    try:
        return _TOTAL_LINE.validate_python(item) if totals else _LINE.validate_python(item)
    except ValidationError as error:
        return broken_rule(error.errors(include_url=False, include_input=False)[0], line=index)


_MISSING = {
    "order_id": "missing_order_id",
    "created_at": "missing_created_at",
    "items": "no_items",
    "sku": "missing_sku",
    "qty": "invalid_qty",
}


_REFUND_DETAILS = {"missing": "is absent", "dict_type": "is not a JSON object", "list_type": "is not a list"}


def broken_rule(error: ErrorDetails, *, line: int | None = None) -> Failure:
    """The failure that an error of pydantic stands for."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"]).removeprefix(".")
    prefix = "" if line is None else f"items[{line}]."
    if error["loc"] and error["loc"][0] == "refunds":
        detail = _REFUND_DETAILS.get(error["type"], error["msg"])
        return Failure("invalid_refund", f"{path} {detail}")
    if error["type"] == "missing":
        return Failure(_MISSING[path], f"{prefix}{path} is absent", line)
    if error["type"] == "dict_type":
        reason, what = ("not_an_object", "the record") if line is None else ("invalid_item", f"items[{line}]")
        return Failure(reason, f"{what} is not a JSON object", line)
    detail = f"{path} {error['msg']}" if path else error["msg"]
    return Failure(error["type"], f"{prefix}{detail}", line)
