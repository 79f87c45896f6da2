"""What the benchmark's shop consists of: its orders, one record at a time, its users and its products.

A record is computed from the seed and its place in the stream alone, so that any part of the stream can be made by any
process, and is the same on every machine. Every 33rd record is a newer version of an order that came up to ten days
before; one in a hundred is bad.
"""

import hashlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

PRODUCTS = 5_000
ORDERS_PER_USER = 20
UPDATE_EVERY = 33
UPDATE_REACH_DAYS = 10
BAD_ONE_IN = 100
LAST_MOMENT = datetime(2025, 8, 30, tzinfo=UTC)
DAY_S = 86_400

_WORDS = struct.Struct("<16I")
_CURRENCIES = ("EUR",) * 8 + ("USD",) * 4 + ("GBP", "CHF", "SEK", "PLN")
_STATUSES = ("paid", "paid", "shipped", "shipped", "shipped", "delivered", "created", "cancelled")
_LATER_STATUSES = ("shipped", "delivered", "delivered", "refunded")
_SOURCES = ("web", "web", "web", "app", "app", "store", "marketplace", "phone")
_PROMOS = ("SUMMER10", "WELCOME", "NEWSLETTER", "FREESHIP")
_LINE_COUNTS = (1,) * 6 + (2,) * 4 + (3,) * 3 + (4,) * 2 + (5,)
_COUNTRIES = ("DE", "FR", "US", "GB", "CH", "SE", "PL", "ES", "IT", "NL")
_CATEGORIES = ("Books", "Garden", "Kitchen", "Music", "Office", "Outdoor", "Sports", "Toys")

# Field, what is looked for in its JSON text, what stands there instead.
_VALUE_DAMAGE = (
    ("order_id", ".+", "null"),
    ("order_id", ".+", '"  "'),
    ("created_at", ".+", "null"),
    ("created_at", ".+", '"yesterday"'),
    ("created_at", ".+", "1756000000"),
    ("updated_at", ".+", '"31/02/2025"'),
    ("user_id", ".+", f'"{"x" * 300}"'),
    ("amount", "^", "-"),
    ("amount", ".+", '"n/a"'),
    ("items", ".+", "[]"),
    ("items", ".+", "null"),
    ("items", '"sku"', '"product"'),
    ("items", '"qty": ', '"qty": -'),
    ("items", '"price": [0-9.]+', '"price": "free"'),
)
_SHAPE_DAMAGE = (
    ("items", ".+", '"none"'),
    ("items", ".+", '{"first": "SKU-00001"}'),
    ("metadata", ".+", '["web"]'),
)


@dataclass(frozen=True, slots=True)
class Shop:
    """The size of a data set, from which all of it follows."""

    orders: int
    seed: int
    days: int

    @property
    def records(self) -> int:
        """Orders and their late updates."""
        return self.orders + max(self.orders - 1, 0) // (UPDATE_EVERY - 1)

    @property
    def users(self) -> int:
        return max(self.orders // ORDERS_PER_USER, 50)

    @property
    def first_s(self) -> int:
        """The moment of the first record, in seconds since 1970."""
        return int(LAST_MOMENT.timestamp()) - self.days * DAY_S

    def moment_s(self, place: int) -> int:
        """When the record at a place was written; never falls from one place to the next."""
        return self.first_s + place * self.days * DAY_S // self.records

    def words(self, place: int) -> tuple[int, ...]:
        """Sixteen random 32-bit numbers that belong to a place."""
        key = self.seed.to_bytes(8, "little")
        return _WORDS.unpack(hashlib.blake2b(place.to_bytes(8, "little"), key=key).digest())


def iso(moment_s: int) -> str:
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_update(place: int) -> bool:
    return place % UPDATE_EVERY == UPDATE_EVERY - 1


def _price_cents(sku: int) -> int:
    return 199 + sku * 7919 % 19_800


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


@dataclass(slots=True)
class _Fields:
    """The JSON text of one order's fields, ready to be joined, or spoiled."""

    order_id: str
    user_id: str
    amount: str
    currency: str
    created_at: str
    updated_at: str
    status: str
    items: str
    metadata: str

    def render(self) -> str:
        return (
            f'{{"order_id": {self.order_id}, "user_id": {self.user_id}, "amount": {self.amount},'
            f' "currency": "{self.currency}", "created_at": {self.created_at}, "updated_at": {self.updated_at},'
            f' "status": "{self.status}", "items": {self.items}, "metadata": {self.metadata}}}'
        )


def _first_version(shop: Shop, place: int, words: tuple[int, ...], *, dropped_lines: int = 0) -> _Fields:
    count = max(_LINE_COUNTS[words[3] & 15] - dropped_lines, 1)
    items = []
    total = 0
    for line in range(count):
        spin = words[4 + 2 * line] / 2**32
        sku = int(spin * spin * PRODUCTS * 1.002) + 1  # a few SKUs that no product file knows
        qty = 1 + (words[5 + 2 * line] % 8) // 5
        cents = _price_cents(sku)
        total += qty * cents
        items.append(f'{{"sku": "SKU-{sku:05d}", "qty": {qty}, "price": {_money(cents)}}}')
    promo = "null"
    if words[2] & 7 == 0:
        promo = f'"{_PROMOS[words[2] >> 16 & 3]}"'
        total -= total // 10  # the order costs less than its lines
    spin = words[1] / 2**32
    user = int(spin * spin * shop.users * 1.005) + 1  # a few users that no user file knows
    moment = f'"{iso(shop.moment_s(place))}"'
    return _Fields(
        order_id=f'"ORD-{place:09d}"',
        user_id="null" if words[1] & 63 == 0 else f'"U-{user:07d}"',
        amount=_money(total),
        currency=_CURRENCIES[words[3] >> 4 & 15],
        created_at=moment,
        updated_at=moment,
        status=_STATUSES[words[2] >> 8 & 7],
        items=f"[{', '.join(items)}]",
        metadata=f'{{"source": "{_SOURCES[words[2] >> 24 & 7]}", "promo": {promo}}}',
    )


def later_version(shop: Shop, place: int, updated_s: int, *, choice: int) -> _Fields:
    """The order first seen at a place, later: another status, now and then without its last line."""
    fields = _first_version(shop, place, shop.words(place), dropped_lines=int(choice % 5 == 0))
    fields.updated_at = f'"{iso(updated_s)}"'
    fields.status = _LATER_STATUSES[choice >> 8 & 3]
    return fields


def _spoil(fields: _Fields, kind: int) -> None:
    """Damage one field: mostly a value, now and then its shape."""
    damage = _SHAPE_DAMAGE if kind % 50 == 0 else _VALUE_DAMAGE
    name, found, replacement = damage[kind // 50 % len(damage)]
    setattr(fields, name, re.sub(found, replacement, getattr(fields, name), count=1))


def render_record(shop: Shop, place: int) -> str:
    """The JSON text of the record at a place of the stream."""
    words = shop.words(place)
    if is_update(place):
        earlier = _updated_place(shop, place, words)
        return later_version(shop, earlier, shop.moment_s(place), choice=words[15]).render()
    fields = _first_version(shop, place, words)
    if words[0] % BAD_ONE_IN == 0:
        kind = words[0] // BAD_ONE_IN
        if kind % 199 == 0:
            return '"order withheld"'  # not even an object
        _spoil(fields, kind)
    return fields.render()


def _updated_place(shop: Shop, place: int, words: tuple[int, ...]) -> int:
    """Which earlier record an update replaces: mostly a recent one."""
    spin = words[14] / 2**32
    reach = min(place - 1, shop.records * UPDATE_REACH_DAYS // shop.days)
    earlier = place - 1 - int(spin * spin * reach)
    return earlier - 1 if is_update(earlier) else earlier


def user_rows(shop: Shop) -> Iterator[str]:
    yield "user_id,email,country,created_at"
    first = datetime(2020, 1, 1, tzinfo=UTC).date()
    for user in range(1, shop.users + 1):
        joined = first + timedelta(days=user * 37 % 1800)
        yield f"U-{user:07d},user{user}@example.com,{_COUNTRIES[user % len(_COUNTRIES)]},{joined}"


def product_rows() -> Iterator[str]:
    yield "sku,name,category,price"
    for sku in range(1, PRODUCTS + 1):
        yield f"SKU-{sku:05d},Product {sku},{_CATEGORIES[sku % len(_CATEGORIES)]},{_money(_price_cents(sku))}"
