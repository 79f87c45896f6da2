"""The data rules in plain Python: exact, slow, and written apart from the package, whose results are compared with it.

Money and quantities are whole numbers of units of 0.0001 throughout; no float ever takes part.
``read_json`` reads a payload as the rules see it, ``validate`` says what becomes of one record, ``validate_batch`` of
one batch, and ``fold`` gives the bytes of every curated file after a sequence of batches.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Literal

__all__ = [
    "DIM_PRODUCT_COLUMNS",
    "DIM_USER_COLUMNS",
    "FACT_COLUMNS",
    "Batch",
    "Gone",
    "Line",
    "Order",
    "Reject",
    "Rejected",
    "ValidatedBatch",
    "fold",
    "read_json",
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
"""Stands for every number too large to be worth writing out."""
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
)
DIM_USER_COLUMNS = ("user_id", "email", "country", "created_at_user", "inferred")
DIM_PRODUCT_COLUMNS = ("sku", "name", "category", "price", "inferred")


class Units(int):
    """A number of units of 0.0001, so that a cell knows how it is written."""

    __slots__ = ()


Cell = str | Units | datetime | date | bool | None
Scope = Literal["order", "line"]


@dataclass(frozen=True)
class Line:
    """A valid line; ``qty`` and ``price`` in units."""

    sku: str
    qty: int
    price: int | None

    @property
    def amount(self) -> int | None:
        """Quantity times price in units, or None without a price."""
        return None if self.price is None else divide(self.qty * self.price, UNITS)


@dataclass(frozen=True)
class Rejected:
    """Why an order, or the line at position ``line`` of an order, was rejected."""

    reason: str
    scope: Scope = "order"
    line: int | None = None


@dataclass(frozen=True)
class Order:
    """An accepted order; ``amount`` in units, ``rejects`` are the lines it lost, ``skipped`` those of quantity 0."""

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


@dataclass(frozen=True)
class Gone:
    """An accepted version with which its order leaves: deleted, or emptied, with ``skipped`` lines of quantity 0."""

    order_id: str
    updated_at: datetime
    deleted: bool
    skipped: int = 0


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
    return None if text is None else text.encode()[:MAX_BYTES].decode(errors="ignore")


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
    if not lines:
        return Gone(order_id, version, deleted=False, skipped=skipped)
    amount = _settle_amount(stated, lines)
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
    line = Line(sku, qty, _optional_money(item, "price"))
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


def fold(batches: Sequence[Batch]) -> dict[str, bytes]:
    """The bytes of every curated file, by path below ``curated/``; nothing where there is no batch."""
    if not batches:
        return {}
    resolved = [validate_batch(batch) for batch in batches]
    versions = [
        (version.updated_at, number, position, version)
        for number, found in enumerate(resolved)
        for position, version in found.accepted.items()
    ]
    winners = {version.order_id: version for *_, version in sorted(versions, key=lambda version: version[:3])}
    orders = [order for found in resolved for order in found.orders.values()]
    users = _fold_users([batch.users for batch in batches], {o.user_id for o in orders if o.user_id is not None})
    products = _fold_products([batch.products for batch in batches], {x.sku for o in orders for x in o.lines})
    partitions: dict[str, list[tuple[Cell, ...]]] = {}
    for _, order in sorted(winners.items()):
        if isinstance(order, Gone):
            continue
        path = f"dt={order.created_at:%Y-%m-%d}/fact_order.csv"
        partitions.setdefault(path, []).extend(_fact_rows(order, users, products))
    return {
        **{path: _write_csv(FACT_COLUMNS, rows) for path, rows in sorted(partitions.items())},
        "dim_product.csv": _write_csv(DIM_PRODUCT_COLUMNS, [products[key] for key in sorted(products)]),
        "dim_user.csv": _write_csv(DIM_USER_COLUMNS, [users[key] for key in sorted(users)]),
    }


def _fold_users(files: Iterable[bytes | None], seen: Iterable[str]) -> dict[str, tuple[Cell, ...]]:
    rows: dict[str, tuple[Cell, ...]] = {key: (key, None, None, None, True) for key in seen}
    for key, cells in _reference_rows(files, "user_id"):
        timestamp = time_of(cells.get("created_at"))
        since = None if timestamp is None else timestamp.date()
        rows[key] = (key, cut(cells.get("email")), cut(cells.get("country")), since, False)
    return rows


def _fold_products(files: Iterable[bytes | None], seen: Iterable[str]) -> dict[str, tuple[Cell, ...]]:
    rows: dict[str, tuple[Cell, ...]] = {key: (key, None, None, None, True) for key in seen}
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


def _fact_rows(
    order: Order, users: Mapping[str, tuple[Cell, ...]], products: Mapping[str, tuple[Cell, ...]]
) -> Iterator[tuple[Cell, ...]]:
    skus = sorted({line.sku for line in order.lines})
    qty = {sku: sum(line.qty for line in order.lines if line.sku == sku) for sku in skus}
    priced = {sku: [line for line in order.lines if line.sku == sku and line.price is not None] for sku in skus}
    amounts = {sku: sum(line.amount or 0 for line in priced[sku]) if priced[sku] else None for sku in skus}
    weights = [amounts[sku] or 0 for sku in skus]
    shares = _shares(order.amount, weights if any(weights) else [qty[sku] for sku in skus])
    country = None if order.user_id is None else users[order.user_id][2]
    for sku, share in zip(skus, shares, strict=True):
        amount = amounts[sku]
        worth = sum(line.qty * (line.price or 0) for line in priced[sku])
        price = None if amount is None else divide(worth, sum(line.qty for line in priced[sku]))
        _, name, category, list_price, _ = products[sku]
        yield (
            *(order.order_id, sku, order.user_id),
            *(_cell(qty[sku]), _cell(price), _cell(amount), _cell(order.amount), _cell(share)),
            *(order.currency, order.created_at, order.updated_at, order.status, order.source, order.promo),
            *(country, name, category, list_price),
        )


def _shares(amount: int, weights: Sequence[int]) -> list[int]:
    """Split amount by weight: each share is the step between the floors of two running totals, so they sum exactly."""
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
        return f"{value // UNITS:d}.{value % UNITS:04d}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f}"
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    return '"' + value.replace('"', '""') + '"' if re.search(r'[,"\n\r]', value) else value
