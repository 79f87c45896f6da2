"""What an order payload must look like: the single statement of its shape and of the coercions it gets.

Pydantic validates; each failure carries a reason code (the error's type) and a field path (the error's location).
Fields are in the order of their rules: the first failure is the reason that is reported.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, NotRequired

import msgspec
from pydantic import AfterValidator, PlainValidator, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from ordersetl.star.values import AMOUNT_LIMIT, read_time
from ordersetl.transform.charges import CHARGE_REASONS, Charges, Label, read_charges, read_label
from ordersetl.transform.fields import METADATA_FIELDS
from ordersetl.transform.order_lines import (
    Failure,
    Items,
    Line,
    LineFailures,
    amount_of,
    broken_rule,
    fail,
    read_amount,
    read_id,
    read_items,
)

__all__ = [
    "ORDER_REASONS",
    "GoneOrder",
    "Order",
    "ReadOrder",
    "read_order",
]

ORDER_REASONS = (
    "not_an_object",
    "missing_order_id",
    "invalid_order_id",
    "too_deep",
    "missing_created_at",
    "invalid_created_at",
    "invalid_updated_at",
    "invalid_user_id",
    "invalid_amount",
    "no_items",
    "invalid_items",
    "no_valid_items",
    "missing_amount",
    *CHARGE_REASONS,
)


def _read_created_at(value: object) -> datetime:
    if value is None:
        raise fail("missing_created_at", "is null")
    if (time := read_time(value)) is None:
        raise fail("invalid_created_at", "is not an ISO 8601 time from 1970 to 2199")
    return time


def _read_updated_at(value: object) -> datetime | None:
    if value is not None and (time := read_time(value)) is None:
        raise fail("invalid_updated_at", "is not an ISO 8601 time from 1970 to 2199")
    return None if value is None else time


def _read_metadata(value: object, info: ValidationInfo) -> dict[str, str | None]:
    given = value if isinstance(value, dict) else {}
    return {name: read_label(given.get(name), info) for name in METADATA_FIELDS}


def _read_items(value: object, info: ValidationInfo) -> Items:
    return read_items(value, totals=bool(info.context and info.context["totals"]))


class _Version(TypedDict):
    """What tells one version of an order from others."""

    order_id: Annotated[
        str, PlainValidator(lambda v: read_id(v, missing="missing_order_id", invalid="invalid_order_id"))
    ]
    created_at: Annotated[datetime, PlainValidator(_read_created_at)]
    updated_at: NotRequired[Annotated[datetime | None, PlainValidator(_read_updated_at)]]


class _UpdatedVersion(TypedDict):
    """The same with an ``updated_at``, so that it needs no ``created_at``."""

    order_id: Annotated[
        str, PlainValidator(lambda v: read_id(v, missing="missing_order_id", invalid="invalid_order_id"))
    ]
    created_at: NotRequired[
        Annotated[datetime | None, PlainValidator(lambda v: None if v is None else _read_created_at(v))]
    ]
    updated_at: Annotated[datetime, PlainValidator(_read_updated_at)]


class Order(_Version):
    """One order as the generic API sends it, unless it is ``deleted``: then it is a version and nothing else."""

    user_id: NotRequired[
        Annotated[str | None, PlainValidator(lambda v: read_id(v, missing=None, invalid="invalid_user_id"))]
    ]
    amount: NotRequired[Annotated[Decimal | None, PlainValidator(lambda v: read_amount(v, "invalid_amount"))]]
    items: Annotated[Items, PlainValidator(_read_items)]
    currency: NotRequired[Annotated[str | None, PlainValidator(lambda v, i: read_label(v, i, upper=True))]]
    status: NotRequired[Label]
    metadata: NotRequired[Annotated[dict[str, str | None], PlainValidator(_read_metadata)]]


def _check_amount(order: Order) -> Order:
    """The order's amount, or the sum of its lines where it has none."""
    lines = [line for _, line in order["items"].lines]
    if not lines and order.get("amount"):
        raise fail("no_items", "items hold no line of a quantity above 0, and the amount is above 0")
    amounts = [amount_of(line) for line in lines]
    if order.get("amount") is None and None in amounts:
        raise fail("missing_amount", "amount is absent while a line has no price")
    total = sum((amount for amount in amounts if amount is not None), Decimal(0))
    if total >= AMOUNT_LIMIT:
        raise fail("invalid_amount", "the lines' amounts sum to 10^14 or more")
    if sum(line["qty"] for line in lines) >= AMOUNT_LIMIT:
        raise fail("invalid_items", "the lines' quantities sum to 10^14 or more")
    if order.get("amount") is None:
        order["amount"] = total
    return order


_ORDER: TypeAdapter[Order] = TypeAdapter(Annotated[Order, AfterValidator(_check_amount)])
_VERSION: TypeAdapter[_Version] = TypeAdapter(_Version)
_UPDATED_VERSION: TypeAdapter[_UpdatedVersion] = TypeAdapter(_UpdatedVersion)


class ReadOrder(msgspec.Struct, frozen=True):
    """An accepted order. ``lines`` hold (index in ``items``, line); ``failures`` are its rejected lines.

    ``lines_skipped`` counts the valid lines of quantity 0, which are not in ``lines``.
    """

    order_id: str
    user_id: str | None
    amount: Decimal
    currency: str | None
    created_at: datetime
    updated_at: datetime
    status: str | None
    source: str | None
    promo: str | None
    charges: Charges
    lines: Sequence[tuple[int, Line]]
    lines_skipped: int
    failures: LineFailures
    texts_cut: int


class GoneOrder(msgspec.Struct, frozen=True):
    """An accepted version with which an order leaves: ``deleted``, or emptied (it has no line left and no amount)."""

    order_id: str
    updated_at: datetime
    deleted: bool
    lines_skipped: int = 0


def read_order(record: object, *, totals: bool = False) -> ReadOrder | GoneOrder | Failure:
    """Validate one record: the order with its valid lines, that it leaves, or the first rule that rejects it.

    With ``totals`` lines may have one, as those of mapped records may; the generic API knows none.
    """
    context = {"texts_cut": 0, "totals": totals}
    try:
        if isinstance(record, dict) and record.get("deleted") is True:
            return _read_deletion(record)
        order = _ORDER.validate_python(record, context=context)
        items, metadata = order["items"], order.get("metadata", {})
        charges = read_charges(record, [line for _, line in items.lines], context)
    except ValidationError as error:
        return broken_rule(error.errors(include_url=False, include_input=False)[0])
    except PydanticCustomError as error:
        return Failure(error.type, error.message())
    updated_at = order.get("updated_at") or order["created_at"]  # as star.values.version_time_of
    if not items.lines:
        return GoneOrder(order["order_id"], updated_at, deleted=False, lines_skipped=items.skipped)
    return ReadOrder(
        order_id=order["order_id"],
        user_id=order.get("user_id"),
        amount=order["amount"] or Decimal(0),
        currency=order.get("currency"),
        created_at=order["created_at"],
        updated_at=updated_at,
        status=order.get("status"),
        source=metadata.get("source"),
        promo=metadata.get("promo"),
        charges=charges,
        lines=items.lines,
        lines_skipped=items.skipped,
        failures=items.failures,
        texts_cut=context["texts_cut"] + items.texts_cut,
    )


def _read_deletion(record: Mapping[str, object]) -> GoneOrder:
    """The version that deletes an order; nothing but its id and its times is looked at.

    Raises:
        ValidationError: one of these breaks a rule.
    """
    if record.get("updated_at") is None:
        version = _VERSION.validate_python(record)
        return GoneOrder(version["order_id"], version["created_at"], deleted=True)
    updated = _UPDATED_VERSION.validate_python(record)
    return GoneOrder(updated["order_id"], updated["updated_at"], deleted=True)
