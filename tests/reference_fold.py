"""The data rules in plain Python: exact, slow, and written apart from the package, whose results are compared with it.

Money and quantities are whole numbers of units of 0.0001 throughout; no float ever takes part.
``read_json`` reads a payload as the rules see it, ``validate`` says what becomes of one record, ``validate_batch`` of
one batch, and ``fold`` gives the bytes of every curated file after a sequence of batches.
"""

import csv
import hashlib
import hmac
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

__all__ = [
    "DEFAULT_RULES",
    "DIM_PRODUCT_COLUMNS",
    "DIM_USER_COLUMNS",
    "FACT_COLUMNS",
    "Batch",
    "Gone",
    "Line",
    "Order",
    "Refund",
    "RefundItem",
    "RefundRow",
    "Reject",
    "Rejected",
    "Rules",
    "ValidatedBatch",
    "fold",
    "read_json",
    "refund_rows",
    "rejects",
    "text_of",
    "time_of",
    "units_of",
    "validate",
    "validate_batch",
]

UNITS = 10_000
"""Units in one whole: four digits after the point."""
LIMIT = 10**14 * UNITS
QTY_LIMIT = 10**9 * UNITS
FAR_BEYOND = LIMIT**2
"""In place of every number too large to be worth writing out."""
MAX_BYTES = 255
MAX_DEPTH = 2000
FUTURE = timedelta(days=1)
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(2200, 1, 1, tzinfo=UTC)
NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]*))?|\.(?P<bare>[0-9]+))(?:[eE](?P<exp>[+-]?[0-9]+))?"
)

FACT_COLUMNS = (
    "order_id",
    "sku",
    "user_id",
    "qty",
    "item_price",
    "line_amount",
    "order_amount",
    "net_amount",
    "currency",
    "created_at_order",
    "updated_at_order",
    "status",
    "source",
    "promo",
    "user_country",
    "product_name",
    "product_category",
    "list_price",
    "discount_amount",
    "tax_amount",
    "shipping_amount",
    "refunded_amount",
    "cancelled",
)
REFUND_COLUMNS = ("order_id", "refund_id", "sku", "qty", "refund_amount", "currency", "refunded_at")
DIM_USER_COLUMNS = ("user_id", "email", "country", "created_at_user", "inferred")
DIM_PRODUCT_COLUMNS = ("sku", "name", "category", "price", "inferred")


class Units(int):
    """A number of units of 0.0001, so that a cell knows how it is written."""

    __slots__ = ()


Cell = str | Units | datetime | date | bool | None
Scope = Literal["order", "line"]


@dataclass(frozen=True)
class Line:
    """A valid line; ``qty`` and money in units, ``discount`` and ``tax`` its own, ``name`` its product's."""

    sku: str
    qty: int
    price: int | None
    discount: int | None = None
    tax: int | None = None
    name: str | None = None

    @property
    def amount(self) -> int | None:
        """Quantity times price in units, or None without a price."""
        return None if self.price is None else divide(self.qty * self.price, UNITS)


@dataclass(frozen=True)
class RefundItem:
    """What a refund says of one SKU, None where it names none; in units."""

    sku: str | None
    qty: int | None
    amount: int


@dataclass(frozen=True)
class Refund:
    """One entry of an order's refunds; several may have one id. ``amount`` in units."""

    refund_id: str
    created_at: datetime
    amount: int
    items: tuple[RefundItem, ...] = ()


@dataclass(frozen=True)
class RefundRow:
    """Grain of fact_refund: a refund and SKU of an order, None for what names none; in units."""

    refund_id: str
    sku: str | None
    qty: int | None
    amount: int
    refunded_at: datetime


@dataclass(frozen=True)
class Rejected:
    """Why an order, or the line at position ``line`` of an order, was rejected."""

    reason: str
    scope: Scope = "order"
    line: int | None = None


@dataclass(frozen=True)
class Order:
    """An accepted order; ``rejects`` are the lines it lost, ``skipped`` those of quantity 0.

    Money is in units; ``discount``, ``tax`` and ``shipping`` are what the order says, its lines say theirs. ``email``
    and ``country`` are what it says of its user.
    """

    order_id: str
    user_id: str | None
    amount: int
    currency: str | None
    created_at: datetime
    updated_at: datetime
    status: str | None
    source: str | None
    promo: str | None
    lines: tuple[Line, ...]
    rejects: tuple[Rejected, ...] = ()
    skipped: int = 0
    discount: int | None = None
    tax: int | None = None
    shipping: int | None = None
    refunds: tuple[Refund, ...] = ()
    cancelled_at: datetime | None = None
    email: str | None = None
    country: str | None = None


@dataclass(frozen=True)
class Gone:
    """An accepted version with which its order leaves: deleted, or emptied, with ``skipped`` lines of quantity 0."""

    order_id: str
    updated_at: datetime
    deleted: bool
    skipped: int = 0


@dataclass(frozen=True)
class Rules:
    """What the settings decide: the shop's time zone, which statuses cancel, what is shown of an email."""

    timezone: str = "UTC"
    cancelled_statuses: frozenset[str] = frozenset({"cancelled", "canceled", "voided"})
    emails: Literal["keep", "hash", "drop"] = "keep"
    emails_key: str = ""

    def day_of(self, time: datetime) -> date:
        """The shop's date at an aware time."""
        return time.astimezone(ZoneInfo(self.timezone)).date()

    def is_cancelled(self, order: Order) -> bool:
        """Whether an order says that it is cancelled, or its status does."""
        return order.cancelled_at is not None or (order.status or "").lower() in self.cancelled_statuses

    def show_email(self, email: str | None) -> str | None:
        """What dim_user has in place of an email."""
        if email is None or self.emails == "drop":
            return None
        if self.emails == "keep":
            return email
        return hmac.new(self.emails_key.encode(), email.strip().lower().encode(), hashlib.sha256).hexdigest()


DEFAULT_RULES = Rules()


@dataclass(frozen=True)
class Batch:
    """One batch: the records in the order received, reference files if it brought any, and its window (aware times).

    ``began_at`` is when its extraction began, from where on a time is one of the future; None where nothing is.
    """

    orders: Sequence[object]
    users: bytes | None = None
    products: bytes | None = None
    since: datetime | None = None
    until: datetime | None = None
    began_at: datetime | None = None


@dataclass(frozen=True)
class Reject:
    """One rejection in a batch: ``index`` is the record's position in it, ``line`` the line's in the record."""

    scope: Scope
    reason: str
    index: int
    line: int | None


@dataclass(frozen=True)
class ValidatedBatch:
    """What became of a batch: accepted orders by position, rejections in order, and how many lay outside the window.

    ``gone`` are the other accepted versions, by position; ``future`` counts the accepted ones that were capped.
    """

    orders: Mapping[int, Order]
    gone: Mapping[int, Gone]
    rejects: tuple[Reject, ...]
    outside_window: int
    future: int = 0

    @property
    def accepted(self) -> dict[int, Order | Gone]:
        """All accepted versions by position, in order."""
        both: dict[int, Order | Gone] = {}
        both.update(self.orders)
        both.update(self.gone)
        return {position: both[position] for position in sorted(both)}


class BrokenRuleError(Exception):
    """A record or a line breaks a rule, which the only argument names."""


# Scalars


def read_json(text: str | bytes) -> object:
    """One JSON document: the last of duplicate keys counts, fractions and exponents are exact decimals."""
    return json.loads(text, parse_float=_read_fraction, parse_int=lambda digits: int(Decimal(digits)))


def _read_fraction(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:  # an exponent past what Decimal holds
        return Decimal(0) if units_of(digits) == 0 else Decimal("Infinity")


def divide(number: int, by: int) -> int:
    """Quotient of two integers, ``by`` positive, rounded half-even."""
    quotient, rest = divmod(number, by)
    return quotient + (2 * rest > by or (2 * rest == by and quotient % 2 == 1))


def units_of(value: object) -> int | None:
    """A finite number rounded half-even to units, or None where value is no number or numeric text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        written = value.strip()
    elif isinstance(value, int):
        written = str(Decimal(value))
    elif isinstance(value, float | Decimal):
        written = str(value)
    else:
        return None
    match = NUMBER.fullmatch(written)
    if match is None:
        return None
    part = match["bare"] or match["part"] or ""
    digits = ((match["whole"] or "") + part).lstrip("0")
    shift = int(Decimal(match["exp"] or 0)) - len(part) + 4
    before_point = len(digits) + shift
    if not digits or before_point < 0:  # below a tenth of a unit
        return 0
    if before_point > len(str(FAR_BEYOND)):
        size = FAR_BEYOND
    elif shift < 0:
        size = divide(int(Decimal(digits)), 10**-shift)
    else:
        size = int(digits) * 10**shift
    return -size if match["sign"] == "-" else size


def text_of(value: object) -> str | None:
    """A string or a whole number as clean text; None where nothing is left or value is of another type."""
    if isinstance(value, float | Decimal):
        return _whole_text(Decimal(str(value)), absurd=isinstance(value, Decimal))
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    raw = value if isinstance(value, str) else str(Decimal(value))
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in raw if c != "\0").strip() or None


def _whole_text(number: Decimal, *, absurd: bool) -> str | None:
    """Digits of a number without a fraction, or enough nines for one too large to be written out."""
    if number.is_infinite() and absurd:  # so a number beyond all measure was read
        return "9" * 300
    if not number.is_finite():
        return None
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return "0"
    kept = len(text.rstrip("0"))
    exponent += len(text) - kept
    if exponent < 0:
        return None
    return ("-" if sign else "") + text[:kept] + "0" * min(exponent, 300)


def is_broken(value: object) -> bool:
    """Whether value is text with half a surrogate pair in it."""
    return isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value)


def depth_of(value: object) -> int:
    """How many objects and lists lie within each other at most, value itself the first."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


def time_of(value: object) -> datetime | None:
    """ISO 8601 text as a time in UTC, or None; numeric text is no time even where ISO 8601 could read it."""
    if not isinstance(value, str) or NUMBER.fullmatch(value.strip()):
        return None
    after = value.strip().lstrip("0123456789W-")
    if len(value.strip()) - len(after) > len("2025-08-20") or after[:1] not in {"", "T", "t", " "}:
        return None  # a date with an offset and no time of day, or parted from it by something else
    try:
        read = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    timestamp = read if read.tzinfo else read.replace(tzinfo=UTC)
    return timestamp.astimezone(UTC) if FIRST <= timestamp < END else None


def is_long(text: str) -> bool:
    """Whether text takes more bytes than a column holds."""
    return len(text.encode()) > MAX_BYTES


def cut(text: str | None) -> str | None:
    """Text cut to what a column holds, at a character's edge."""
    return None if text is None else text.encode()[:MAX_BYTES].decode(errors="ignore").rstrip()


def money_of(value: object) -> int | None:
    """A number that a money column holds, in units, or None."""
    units = units_of(value)
    return units if units is not None and 0 <= units < LIMIT else None


# One record


def validate(record: object) -> Order | Gone | Rejected:
    """What becomes of one record: the order with the lines it lost, its leaving, or the first rule that it breaks."""
    try:
        return _accept_order(record)
    except BrokenRuleError as problem:
        return Rejected(str(problem))


def _accept_order(record: object) -> Order | Gone:
    if not isinstance(record, dict):
        raise BrokenRuleError("not_an_object")
    order_id = _require_id(record, "order_id")
    if depth_of(record) > MAX_DEPTH:
        raise BrokenRuleError("too_deep")
    deleted = record.get("deleted") is True
    created_at = updated_at = None
    if record.get("created_at") is not None:
        created_at = _require_time(record, "created_at")
    elif not deleted or record.get("updated_at") is None:
        raise BrokenRuleError("missing_created_at")
    if record.get("updated_at") is not None:
        updated_at = _require_time(record, "updated_at")
    version = updated_at or created_at
    assert version is not None
    if deleted:
        return Gone(order_id, version, deleted=True)
    assert created_at is not None
    user_id = text_of(record.get("user_id"))
    if user_id is not None and (is_long(user_id) or is_broken(record["user_id"])):
        raise BrokenRuleError("invalid_user_id")
    stated = _optional_money(record, "amount")
    lines, bad_lines = _split_lines(record.get("items"))
    skipped = sum(line.qty == 0 for line in lines)
    lines = tuple(line for line in lines if line.qty)
    if bad_lines and not lines:
        raise BrokenRuleError("no_valid_items")
    if stated and not lines:
        raise BrokenRuleError("no_items")
    amount = _settle_amount(stated, lines)
    discount = _read_split_money(record, "discount", [line.discount for line in lines])
    tax = _read_split_money(record, "tax", [line.tax for line in lines])
    shipping = _optional_money(record, "shipping")
    refunds = _read_refunds(record.get("refunds"))
    cancelled_at = _require_time(record, "cancelled_at") if record.get("cancelled_at") is not None else None
    if not lines:
        return Gone(order_id, version, deleted=False, skipped=skipped)
    user = record.get("user")
    if not isinstance(user, dict):
        user = {}
    metadata = record.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    return Order(
        order_id=order_id,
        user_id=user_id,
        amount=amount,
        currency=cut((text_of(record.get("currency")) or "").upper() or None),
        created_at=created_at,
        updated_at=version,
        status=cut(text_of(record.get("status"))),
        source=cut(text_of(metadata.get("source"))),
        promo=cut(text_of(metadata.get("promo"))),
        lines=lines,
        rejects=bad_lines,
        skipped=skipped,
        discount=discount,
        tax=tax,
        shipping=shipping,
        refunds=refunds,
        cancelled_at=cancelled_at,
        email=cut(text_of(user.get("email"))),
        country=cut(text_of(user.get("country"))),
    )


def _require_id(record: Mapping[str, object], name: str) -> str:
    text = text_of(record.get(name))
    if text is None:
        raise BrokenRuleError(f"missing_{name}")
    if is_long(text) or is_broken(record[name]):
        raise BrokenRuleError(f"invalid_{name}")
    return text


def _require_time(record: Mapping[str, object], name: str) -> datetime:
    timestamp = time_of(record[name])
    if timestamp is None:
        raise BrokenRuleError(f"invalid_{name}")
    return timestamp


def _optional_money(record: Mapping[str, object], name: str) -> int | None:
    value = record.get(name)
    units = money_of(value)
    if value is not None and units is None:
        raise BrokenRuleError(f"invalid_{name}")
    return units


def _split_lines(items: object) -> tuple[tuple[Line, ...], tuple[Rejected, ...]]:
    if items is None:
        raise BrokenRuleError("no_items")
    if not isinstance(items, list):
        raise BrokenRuleError("invalid_items")
    good: list[Line] = []
    bad: list[Rejected] = []
    for index, item in enumerate(items):
        try:
            good.append(_accept_line(item))
        except BrokenRuleError as problem:
            bad.append(Rejected(str(problem), "line", index))
    return tuple(good), tuple(bad)


def _accept_line(item: object) -> Line:
    if not isinstance(item, dict):
        raise BrokenRuleError("invalid_item")
    sku = _require_id(item, "sku")
    qty = units_of(item.get("qty"))
    if qty is None or not 0 <= qty < QTY_LIMIT:
        raise BrokenRuleError("invalid_qty")
    line = Line(
        sku,
        qty,
        price=_optional_money(item, "price"),
        discount=_optional_money(item, "discount"),
        tax=_optional_money(item, "tax"),
        name=cut(text_of(item.get("name"))),
    )
    if line.amount is not None and line.amount >= LIMIT:
        raise BrokenRuleError("invalid_price")
    return line


def _settle_amount(stated: int | None, lines: Iterable[Line]) -> int:
    if stated is None and any(line.price is None for line in lines):
        raise BrokenRuleError("missing_amount")
    total = sum(line.amount or 0 for line in lines)
    if total >= LIMIT:
        raise BrokenRuleError("invalid_amount")
    if sum(line.qty for line in lines) >= LIMIT:
        raise BrokenRuleError("invalid_items")
    return total if stated is None else stated


def _read_split_money(record: Mapping[str, object], name: str, own: Iterable[int | None]) -> int | None:
    """The order's value of what its lines may have too; either must be no more than a column holds."""
    value = _optional_money(record, name)
    if sum(each or 0 for each in own) >= LIMIT:
        raise BrokenRuleError(f"invalid_{name}")
    return value


def _read_refunds(value: object) -> tuple[Refund, ...]:
    refunds = tuple(_read_refund(entry) for entry in _refund_list(value))
    items = [item for refund in refunds for item in refund.items]
    if max(sum(each.amount for each in refunds), sum(each.amount for each in items)) >= LIMIT:
        raise BrokenRuleError("invalid_refund")
    return refunds


def _read_refund(entry: object) -> Refund:
    record = _refund_object(entry)
    refund_id, created_at = text_of(record.get("refund_id")), time_of(record.get("created_at"))
    amount = money_of(record.get("amount"))
    if refund_id is None or is_long(refund_id) or is_broken(record["refund_id"]) or created_at is None:
        raise BrokenRuleError("invalid_refund")
    if amount is None:
        raise BrokenRuleError("invalid_refund")
    return Refund(refund_id, created_at, amount, tuple(map(_read_refund_item, _refund_list(record.get("items")))))


def _read_refund_item(value: object) -> RefundItem:
    item = _refund_object(value)
    sku, qty, amount = text_of(item.get("sku")), units_of(item.get("qty")), money_of(item.get("amount"))
    if sku is not None and (is_long(sku) or is_broken(item["sku"])):
        raise BrokenRuleError("invalid_refund")
    if amount is None or (item.get("qty") is not None and (qty is None or not 0 <= qty < QTY_LIMIT)):
        raise BrokenRuleError("invalid_refund")
    return RefundItem(sku, qty, amount)


def _refund_list(value: object) -> list[object]:
    if value is None or isinstance(value, list):
        return value or []
    raise BrokenRuleError("invalid_refund")


def _refund_object(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise BrokenRuleError("invalid_refund")


# One batch


def validate_batch(batch: Batch) -> ValidatedBatch:
    """What becomes of each record of a batch."""
    orders: dict[int, Order] = {}
    gone: dict[int, Gone] = {}
    rejected: list[Reject] = []
    outside = future = 0
    for index, record in enumerate(batch.orders):
        if _is_outside(record, batch):
            outside += 1
            continue
        found = validate(record)
        reasons: tuple[Rejected, ...] = ()
        if isinstance(found, Rejected):
            reasons = (found,)
        else:
            counts_as = _cap(found.updated_at, batch)
            future += counts_as != found.updated_at
            if isinstance(found, Order):
                orders[index] = replace(found, updated_at=counts_as)
                reasons = found.rejects
            else:
                gone[index] = replace(found, updated_at=counts_as)
        rejected += [Reject(r.scope, r.reason, index, r.line) for r in reasons]
    return ValidatedBatch(orders, gone, tuple(rejected), outside, future)


def rejects(batch: Batch) -> list[Reject]:
    """The rejections of a batch, by record and line."""
    return list(validate_batch(batch).rejects)


def _is_outside(record: object, batch: Batch) -> bool:
    if not isinstance(record, dict):
        return False
    stamp = record.get("updated_at")
    timestamp = time_of(record.get("created_at") if stamp is None else stamp)
    return timestamp is not None and not (batch.since or FIRST) <= _cap(timestamp, batch) < (batch.until or END)


def _cap(timestamp: datetime, batch: Batch) -> datetime:
    """The time as which a version's own counts: one of the future is no newer than the extraction."""
    return batch.began_at if batch.began_at is not None and timestamp > batch.began_at + FUTURE else timestamp


# All batches


def fold(batches: Sequence[Batch], rules: Rules = DEFAULT_RULES) -> dict[str, bytes]:
    """The bytes of every curated file, by path below ``curated/``; nothing where there is no batch."""
    if not batches:
        return {}
    resolved = [validate_batch(batch) for batch in batches]
    versions = [
        (version.updated_at, number, position, version)
        for number, found in enumerate(resolved)
        for position, version in found.accepted.items()
    ]
    ranked = [version for *_, version in sorted(versions, key=lambda version: version[:3])]
    winners = {version.order_id: version for version in ranked}
    orders = [version for version in ranked if isinstance(version, Order)]
    users = _fold_users([batch.users for batch in batches], orders, rules)
    products = _fold_products([batch.products for batch in batches], orders)
    partitions: dict[str, list[tuple[Cell, ...]]] = {}
    refunds: dict[str, list[tuple[Cell, ...]]] = {}
    for _, order in sorted(winners.items()):
        if isinstance(order, Gone):
            continue
        day = rules.day_of(order.created_at).isoformat()
        rows = refund_rows(order)
        cancelled = rules.is_cancelled(order)
        partitions.setdefault(f"dt={day}/fact_order.csv", []).extend(
            (*cells, cancelled) for cells in _fact_rows(order, rows, users, products)
        )
        if rows:
            refunds.setdefault(f"fact_refund/dt={day}/fact_refund.csv", []).extend(_write_refunds(order, rows))
    return {
        **{path: _write_csv(FACT_COLUMNS, rows) for path, rows in sorted(partitions.items())},
        **{path: _write_csv(REFUND_COLUMNS, rows) for path, rows in sorted(refunds.items())},
        "dim_product.csv": _write_csv(DIM_PRODUCT_COLUMNS, [products[key] for key in sorted(products)]),
        "dim_user.csv": _write_csv(DIM_USER_COLUMNS, [users[key] for key in sorted(users)]),
    }


def _fold_users(files: Iterable[bytes | None], ranked: Iterable[Order], rules: Rules) -> dict[str, tuple[Cell, ...]]:
    """The users, of whom the files say nothing by what the orders say, the newest of which is the last."""
    rows: dict[str, tuple[Cell, ...]] = {}
    for order in ranked:
        if order.user_id is not None:
            _, email, country, *_ = rows.get(order.user_id, (None, None, None))
            shown = rules.show_email(order.email)
            rows[order.user_id] = (order.user_id, shown or email, order.country or country, None, True)
    for key, cells in _reference_rows(files, "user_id"):
        timestamp = time_of(cells.get("created_at"))
        since = None if timestamp is None else timestamp.date()
        rows[key] = (key, rules.show_email(cut(cells.get("email"))), cut(cells.get("country")), since, False)
    return rows


def _fold_products(files: Iterable[bytes | None], ranked: Iterable[Order]) -> dict[str, tuple[Cell, ...]]:
    """The products, as :func:`_fold_users` the users; of the lines of one order, the last with a name gives it."""
    rows: dict[str, tuple[Cell, ...]] = {}
    for order in ranked:
        for line in order.lines:
            name = line.name or rows.get(line.sku, (None, None))[1]
            rows[line.sku] = (line.sku, name, None, None, True)
    for key, cells in _reference_rows(files, "sku"):
        price = _cell(money_of(cells.get("price")))
        rows[key] = (key, cut(cells.get("name")), cut(cells.get("category")), price, False)
    return rows


def _reference_rows(files: Iterable[bytes | None], key: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    for data in files:
        if data is None:
            continue
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
        for row in reader:
            cells = {name: text_of(row[name]) for name in reader.fieldnames}
            found = _key_of(cells.get(key))
            if found is not None and not is_long(found):
                yield found, cells


def _key_of(cell: str | None) -> str | None:
    """A key as a file has it; a whole number with a fraction of zeros is that number."""
    whole = re.fullmatch(r"(-?[1-9][0-9]*|-?0)\.0+", cell or "")
    return cell if whole is None else whole[1].replace("-0", "0")


def refund_rows(order: Order) -> list[RefundRow]:
    """The refunds of an order at their grain, sorted by refund and SKU, first what names none.

    That is the refund's amount without its named items, and left out where it is 0, no quantity is without a name, and
    any item has one. Where its items say more than it comes to, they share that by what they say.
    """
    rows: list[RefundRow] = []
    for refund_id in sorted({refund.refund_id for refund in order.refunds}):
        entries = [refund for refund in order.refunds if refund.refund_id == refund_id]
        items = [item for refund in entries for item in refund.items]
        last = max(refund.created_at for refund in entries)
        skus = sorted({item.sku for item in items if item.sku is not None})
        amounts = [sum(item.amount for item in items if item.sku == sku) for sku in skus]
        total = sum(refund.amount for refund in entries)
        if sum(amounts) > total:
            amounts = _shares(total, amounts)
        named = [
            RefundRow(refund_id, sku, _sum_known(i.qty for i in items if i.sku == sku), amount, last)
            for sku, amount in zip(skus, amounts, strict=True)
        ]
        rest = total - sum(amounts)
        qty = _sum_known(item.qty for item in items if item.sku is None)
        if rest or qty is not None or not named:
            rows.append(RefundRow(refund_id, None, qty, rest, last))
        rows += named
    return rows


def _sum_known(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _write_refunds(order: Order, rows: Iterable[RefundRow]) -> Iterator[tuple[Cell, ...]]:
    for row in rows:
        money = (_cell(row.qty), _cell(row.amount))
        yield (order.order_id, row.refund_id, row.sku, *money, order.currency, row.refunded_at)


def _fact_rows(
    order: Order,
    refunds: Sequence[RefundRow],
    users: Mapping[str, tuple[Cell, ...]],
    products: Mapping[str, tuple[Cell, ...]],
) -> Iterator[tuple[Cell, ...]]:
    skus = sorted({line.sku for line in order.lines})
    qty = {sku: sum(line.qty for line in order.lines if line.sku == sku) for sku in skus}
    priced = {sku: [line for line in order.lines if line.sku == sku and line.price is not None] for sku in skus}
    amounts = {sku: sum(line.amount or 0 for line in priced[sku]) if priced[sku] else None for sku in skus}
    worths, counts = [amounts[sku] or 0 for sku in skus], [qty[sku] for sku in skus]
    net = _shares(order.amount, worths, counts)
    discounts = _split(order.discount, [(line.sku, line.discount) for line in order.lines], skus, worths, counts)
    taxes = _split(order.tax, [(line.sku, line.tax) for line in order.lines], skus, worths, counts)
    shipping = _split(order.shipping, [], skus, worths, counts)
    unnamed = _shares(sum(row.amount for row in refunds if row.sku not in skus), net, worths, counts)
    refunded = [
        share + sum(row.amount for row in refunds if row.sku == sku) for sku, share in zip(skus, unnamed, strict=True)
    ]
    split = zip(skus, net, discounts, taxes, shipping, refunded, strict=True)
    country = None if order.user_id is None else users[order.user_id][2]
    for sku, share, *more in split:
        amount = amounts[sku]
        worth = sum(line.qty * (line.price or 0) for line in priced[sku])
        price = None if amount is None else divide(worth, sum(line.qty for line in priced[sku]))
        _, name, category, list_price, _ = products[sku]
        yield (
            *(order.order_id, sku, order.user_id),
            *(_cell(qty[sku]), _cell(price), _cell(amount), _cell(order.amount), _cell(share)),
            *(order.currency, order.created_at, order.updated_at, order.status, order.source, order.promo),
            *(country, name, category, list_price, *map(_cell, more)),
        )


def _split(
    stated: int | None,
    own: Sequence[tuple[str, int | None]],
    skus: Sequence[str],
    *weights: Sequence[int],
) -> Sequence[int | None]:
    """Shares of what the order says, else of the sum of its lines' own, by these; None where neither is given."""
    value = _sum_known(amount for _, amount in own) if stated is None else stated
    if value is None:
        return [None] * len(skus)
    return _shares(value, [sum(amount or 0 for name, amount in own if name == sku) for sku in skus], *weights)


def _shares(amount: int, *candidates: Sequence[int]) -> list[int]:
    """Split amount by the first weights that are not all 0.

    Each share is the step between the floors of two running totals, so they sum exactly.
    """
    weights = next(weights for weights in candidates if any(weights))
    total = sum(weights)
    edges = [amount * sum(weights[:count]) // total for count in range(len(weights) + 1)]
    return [upper - lower for lower, upper in pairwise(edges)]


# CSV


def _cell(units: int | None) -> Units | None:
    return None if units is None else Units(units)


def _write_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    lines = [",".join(columns), *(",".join(map(_write_cell, row)) for row in rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def _write_cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Units):
        return f"{'-' * (value < 0)}{abs(value) // UNITS:d}.{abs(value) % UNITS:04d}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f}"
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    return '"' + value.replace('"', '""') + '"' if re.search(r'[,"\n\r]', value) else value
