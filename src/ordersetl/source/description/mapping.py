"""What a source's record says of an order, in the terms of the canonical one: one expression a field.

A mapped record is an order of the generic API: all rules behind it see that alone. Money is in major units there, times
are ISO 8601 in UTC, an absent field is null.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ordersetl.source.description.expressions import ExpressionText
from ordersetl.source.description.kinds import check_time_format, check_zone
from ordersetl.source.description.table import Table, unless_kept

__all__ = ["Fallback", "ItemMapping", "Mapping", "OrderMapping", "RefundItemMapping", "RefundMapping", "Skip"]

TimeFormat = Annotated[str, unless_kept(check_time_format)]
"""``iso``, ``rfc2822``, ``epoch``, ``epoch_ms``, or a format of strptime."""


class Fallback(Table):
    """What identifies a line without SKU: ``prefix:id`` where the id is neither absent, blank nor 0."""

    prefix: str = Field(min_length=1, description="stands before the id, so that no two kinds of id are one SKU")
    id: ExpressionText = Field(description="where the id is, in the line")


class Skip(Table):
    """Records that are no orders (drafts, tests, returns): left out, and counted by name."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="what they are counted as, e.g. drafts")
    when: ExpressionText = Field(
        description="true of such a record; a value of 0, or a text such as false or no, is not"
    )


class OrderMapping(Table):
    """Fields of the order, from its record."""

    order_id: ExpressionText
    created_at: ExpressionText
    updated_at: ExpressionText | None = None
    user_id: ExpressionText | None = None
    amount: ExpressionText | None = None
    currency: ExpressionText | None = None
    status: ExpressionText | None = None
    discount: ExpressionText | None = None
    tax: ExpressionText | None = None
    shipping: ExpressionText | None = None
    cancelled_at: ExpressionText | None = None
    deleted: ExpressionText | None = Field(None, description="true of an order that was deleted at the source")
    cancelled: ExpressionText | None = Field(None, description="true of a cancelled order whose time is not known")
    source: ExpressionText | None = None
    promo: ExpressionText | None = None
    email: ExpressionText | None = None
    country: ExpressionText | None = None


class ItemMapping(Table):
    """Fields of a line, from an element of the list of lines."""

    list: ExpressionText = Field(description="where the lines are, in the record")
    sku: ExpressionText
    fallbacks: tuple[Fallback, ...] = Field((), description="what counts where the SKU is blank, the first there is")
    qty: ExpressionText
    price: ExpressionText | None = Field(None, description="list price of a unit, before discount and tax")
    total: ExpressionText | None = Field(
        None, description="that of all units of the line: counts where it is there, before the price"
    )
    discount: ExpressionText | None = None
    tax: ExpressionText | None = None
    name: ExpressionText | None = None
    skip: ExpressionText | None = Field(None, description="true of a line that repeats another's value, left out")


class RefundItemMapping(Table):
    """Which lines a refund is for, from an element of the refund's list."""

    list: ExpressionText
    sku: ExpressionText
    fallbacks: tuple[Fallback, ...] = ()
    qty: ExpressionText | None = None
    amount: ExpressionText


class RefundMapping(Table):
    """Refunds, from an element of the record's list of them."""

    list: ExpressionText
    refund_id: ExpressionText
    created_at: ExpressionText
    times: TimeFormat | None = Field(None, description="format of its times, where it is not that of the others")
    amount: ExpressionText
    items: RefundItemMapping | None = None


class Mapping(Table):
    """All that the mapping says. Fields of money: amount, discount, tax, shipping, price, total, refunds' amounts."""

    order: OrderMapping
    items: ItemMapping
    refunds: RefundMapping | None = None
    skip: tuple[Skip, ...] = ()
    guests: tuple[str, ...] = Field(("0",), description="user ids that stand for nobody")
    money: Literal["major", "minor"] = Field(
        "major", description="minor: money is a whole number of the currency's smallest unit (ISO 4217)"
    )
    absolute: tuple[Literal["discount", "refunds", "refund_items", "items.discount"], ...] = Field(
        (), description="amounts that come with a minus sign for what is meant without"
    )
    times: TimeFormat = Field("iso", description="format of all times: iso, rfc2822, epoch, epoch_ms, or strptime's")
    zone: Annotated[str, AfterValidator(check_zone)] = Field(
        "UTC", description="IANA time zone of times that name none"
    )
