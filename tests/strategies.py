"""Hypothesis strategies for payloads, good and odd, and for the JSON text they arrive as.

A record is a Python value as a JSON reader gives it. ``encode`` writes one as text in any of the forms JSON allows:
read that text back before judging it, since two neighbouring surrogates become one character on the way.
"""

import csv
import io
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from random import Random

from hypothesis import strategies as st
from reference_fold import Batch

__all__ = [
    "ZONES",
    "any_json",
    "batches",
    "cuts",
    "encode",
    "histories",
    "leaving",
    "odd_records",
    "odd_text",
    "orders",
    "product_csvs",
    "record_texts",
    "reference_csvs",
    "user_csvs",
    "windows",
]

ORDER_IDS = ("o-1", "o-2", "o-3", "Ördér 4", 'o,"5"', "6")
SKUS = ("A", "B", "a", "Ä", "🦊", "z,\n", "7")
USERS = ("u-1", "u-2", "ü 3", "8")
CURRENCIES = ("USD", "eur", "Straße", None)
TIMES = (
    "2025-08-20T10:00:00Z",
    "2025-08-20T12:00:00+02:00",  # the same moment as the one above
    "2025-08-20T23:59:59.999999Z",
    "2025-08-20T23:30:00-01:00",
    "2025-08-21",
    "2025-08-22 07:15:00.5",
    "2062-01-01T00:00:00Z",
)
BEGINNINGS = (
    datetime(2025, 8, 20, 9, tzinfo=UTC),
    datetime(2025, 8, 21, 10, tzinfo=UTC),  # a day before the latest of the times but one is no future
    datetime(2025, 9, 1, tzinfo=UTC),
)
"""When an extraction may have begun: before, among and after the times."""
MONEY = tuple(map(Decimal, ("0.0", "0.0001", "0.00005", "0.00015", "1.99", "3.3333", "10.12345", "0.3333333", "1e2")))
ZEROS: tuple[object, ...] = (0, Decimal("0.0"), "0", Decimal("0.00005"), Decimal("-0.00001"))
REFUND_IDS = ("r-1", "r-2", "Ré 3", "4", 4, Decimal("4.0"))
EMAILS = ("a@example.org", " A@Example.ORG ", "b@example.org", "ß@straße.de", "", None)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Kiritimati",  # 14 hours ahead
    "Etc/GMT+12",  # 12 hours behind
    "Asia/Kathmandu",  # 5 hours and 45 minutes ahead
)
QUANTITIES = (1, 2, 3, Decimal("0.5"), Decimal("0.3333"), Decimal("1.00005"), Decimal("7.0"), "2")

ODD_NUMBERS = (
    *(" 12.50 ", "1e2", "1E-3", "+1", ".5", "5.", "-0", "-0.00001", "0.00005", "0.00015", "007", "1e400", "1e-400"),
    *("1_0", "1,5", "1.2.3", "0x10", "1e", "e5", ".", "+", "", " ", "\t3\n", "\u00a04", "1\x00", "١٢", "\uff11"),
    *("½", "²"),
    *("NaN", "nan", "Infinity", "-inf", "true", "null", "1 2", "--1", "1e+2", "12\ud800"),
    *("99999999999999.99995", "99999999999999.99994", "100000000000000", "999999999.99995", "999999999.99994"),
    *map(Decimal, ("99999999999999.99995", "99999999999999.99994", "99999999999999.9999", "1e14", "1e13")),
    *map(Decimal, ("999999999.99995", "999999999.99994", "0.00004999", "0.00005000001", "-0.00001", "-0.00005001")),
    *map(Decimal, ("-0.0", "1e300", "1e-300", "1.00005", "1.00015", "0.12345678901234567890123")),
    *(0, -1, 10**9, 10**9 - 1, 10**13, 10**14, 10**14 - 1, 2**63, 2**64, 10**40, 0.1, 1e22, 5e-324),
    *(math.nan, math.inf, -math.inf, True, False),
)
ODD_TIMES = (
    *(" 2025-08-20T10:00:00Z ", "2025-08-20T10", "2025-08-20T10:00", "20250820T101500Z", "2025-W34-3"),
    *("2025-08-20x10:00", "2025-08-20+02:00", "2025-08-20-05:00", "20250820+02:00", "2025-08-20t10:00"),
    *("2025-08-20T10:00:00.1234567Z", "2025-08-20T10:00:00,5Z", "2025-08-20T10:00:00+0530"),
    "2025-08-20T10:00:00+23:59",
    *("2025-08-20T10:00:00+00:00:30.5", "1970-01-01", "1970-01-01T00:00:00+00:01", "1969-12-31T23:59:59.999999-00:01"),
    *("2199-12-31T23:59:59.999999Z", "2199-12-31T23:59:59-01:00", "2200-01-01", "0001-01-01T00:00:00+23:59"),
    *("9999-12-31T23:59:59-23:59", "2025-02-29", "2024-02-29", "2025-13-01", "2025-08-20T25:00:00", "2025-8-2"),
    "20.08.2025",
    *("20250820", "2025082010153", "1755684190", " 1755684190.5 ", "1e9", 1755684190, 1755684190000),
    Decimal("1755684190.5"),
    *("2025-08-20T10:00:00 UTC", "2025-08-20T", "2025-08-20\x00", "\x002025-08-20"),
    *("\uff12\uff10\uff12\uff15-08-20", "2025-08-20\ud80010:00"),
    *("now", "", " ", "\u30002025-08-20\u2003", True, False),
)
ODD_IDS = (
    *("o-1", " o-1 ", "o-1\x00", "\x00 o-1", "\u3000o-2\u2003", "\x1fo-2", "6", 6, "A", "\tA\n", "u-1 ", "7", 7, 8),
    *(0, -1),
    *(2**63, 2**64, 10**40, 10**254, 10**255, -(10**254), Decimal("6.0"), 6.0, True, False, "", " ", "\x00", " \x00 "),
    *map(Decimal, ("6.00", "60e-1", "0.6e1", "-0.0", "7.5", "1e3", "1e254", "1e255", "1e400", "1e-400", "-7.0")),
    *map(Decimal, ("6.00000000000000000001", "123456789012345.0", "1234567890123456.0", "6e99999999", "0e99999999")),
    *(1e22, 7.5, math.nan, math.inf, "6.0", "6.00000000000000000001"),
    *("x" * 255, "x" * 256, " " + "x" * 255 + " ", "x" * 255 + "\x00", "é" * 127 + "x", "é" * 128, "🦊" * 63 + "xyz"),
    *("🦊" * 64, "\ud83d", "\ude00x", "\ud83d\x00\ude00", "\ud800" * 85, "\ud800" * 86, "\ufffd", "\u200b"),
    "\ufeffo-1",
    *("=1+1", 'q"q', "a\rb", "a\nb", "a;b", "'", "null", "NaN", "../x", "\\N"),
)
ODD_TEXTS = (
    *ODD_IDS,
    *("é" * 200, "x" + "é" * 200, "xx" + "🦊" * 100, "x" * 254 + "é", "x" * 254 + " y", "ß" * 150, "ŉ" * 100),
    *("\u0131", "ǆ"),
)
EMPTY_OR_WRONG: tuple[object, ...] = (None, [], {}, [[]], [None], {"": None}, "", 0, False)


def _mend(text: str) -> str:
    """Join neighbouring surrogates as any JSON reader would."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


@cache
def odd_text(max_size: int = 12) -> st.SearchStrategy[str]:
    """Text with what texts should not have: NUL, controls, lone surrogates, blanks of all kinds, quotes."""
    awkward = st.sampled_from("\x00\x1f\x7f\x85\xa0\u2028\u3000\ufeff\ufffd\ud83d\ude00\U0001f98a\r\n\t ,;\"'\\/")
    anything = st.characters(exclude_categories=())
    return st.text(st.one_of(awkward, anything), max_size=max_size).map(_mend)


@cache
def _decimals() -> st.SearchStrategy[Decimal]:
    digits = st.integers(1, 25).flatmap(lambda size: st.integers(0, 10**size - 1))
    signed = st.tuples(st.sampled_from((1, 1, 1, -1)), digits, st.integers(-25, 20))
    return signed.map(lambda parts: Decimal(f"{parts[0] * parts[1]}e{parts[2]}"))


@cache
def _scalars() -> st.SearchStrategy[object]:
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-100, 100),
        st.integers(),
        st.integers(1, 400).map(lambda size: 10**size - 1),
        _decimals(),
        st.floats(),
        odd_text(),
        st.sampled_from((*ODD_NUMBERS, *ODD_TIMES, *ODD_TEXTS)),
    )


@cache
def any_json() -> st.SearchStrategy[object]:
    """Any value JSON can hold, nested, with keys that sometimes are an order's."""
    known = st.sampled_from(("order_id", "items", "sku", "qty", "price", "amount", "created_at", "metadata"))
    return st.recursive(
        _scalars(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(known | odd_text(), inner, max_size=4),
        max_leaves=12,
    )


@st.composite
def _lines(draw: st.DrawFn, *, priced: bool) -> dict[str, object]:
    price: st.SearchStrategy[object] = st.sampled_from(MONEY)
    line = {"sku": draw(st.sampled_from(SKUS[:4]) | st.sampled_from(SKUS)), "qty": draw(st.sampled_from(QUANTITIES))}
    if priced or draw(st.booleans()):
        line["price"] = draw(price if priced else price | st.none())
    if draw(st.integers(0, 3)) == 0:
        own = st.sampled_from((*MONEY, None, 0))
        names = st.sampled_from(("Mug", "Shoe, red", " ", None, 5))
        line |= draw(st.fixed_dictionaries({}, optional={"discount": own, "tax": own, "name": names}))
    return line


@cache
@st.composite
def _refunds(draw: st.DrawFn) -> dict[str, object]:
    """Valid refunds, of SKUs that the order has or not, of more or less than their items, often of one id."""
    amounts = st.sampled_from((*MONEY, 0, 5, "2.50"))
    item = st.fixed_dictionaries(
        {"amount": amounts},
        optional={"sku": st.sampled_from((*SKUS, None, "Z")), "qty": st.sampled_from((*QUANTITIES, None, 0))},
    )
    refund = {
        "refund_id": draw(st.sampled_from(REFUND_IDS)),
        "created_at": draw(st.sampled_from(TIMES)),
        "amount": draw(amounts),
    }
    if draw(st.booleans()):
        refund["items"] = draw(st.none() | st.lists(item, max_size=4))
    return refund


@cache
def _money_fields() -> st.SearchStrategy[dict[str, object]]:
    """Fields of an order that most payloads lack, all of them valid."""
    value = st.sampled_from((*MONEY, None, 0, "7.5"))
    user = st.fixed_dictionaries(
        {}, optional={"email": st.sampled_from(EMAILS), "country": st.sampled_from(("MX", "US", None, " "))}
    )
    optional: dict[str, st.SearchStrategy[object]] = {
        "discount": value,
        "tax": value,
        "shipping": value,
        "refunds": st.none() | st.lists(_refunds(), max_size=4),
        "cancelled_at": st.sampled_from((*TIMES, None)),
        "user": user | st.none() | st.just("u-1"),
    }
    return st.fixed_dictionaries({}, optional=optional)


@cache
@st.composite
def orders(draw: st.DrawFn) -> dict[str, object]:
    """Orders that every rule accepts, all their lines too, from pools so small that ids, times and SKUs collide."""
    text = st.sampled_from(("paid", "Cancelled", "web", "summer, sale", 'say "hi"', " ", None, 5))
    order: dict[str, object] = {
        "order_id": draw(st.sampled_from(ORDER_IDS[:3]) | st.sampled_from(ORDER_IDS)),
        "created_at": draw(st.sampled_from(TIMES)),
    }
    has_amount = draw(st.booleans())
    if has_amount:
        order["amount"] = draw(st.sampled_from((*MONEY, 100)))
    elif draw(st.booleans()):
        order["amount"] = None
    optional: dict[str, st.SearchStrategy[object]] = {
        "updated_at": st.sampled_from((*TIMES, None)),
        "user_id": st.sampled_from((*USERS, None, Decimal("8.0"))),
        "deleted": st.sampled_from((None, False, False)),
        "currency": st.sampled_from(CURRENCIES),
        "status": text,
        "metadata": st.fixed_dictionaries({}, optional={"source": text, "promo": text}) | st.none(),
    }
    order |= draw(st.fixed_dictionaries({}, optional=optional))
    if draw(st.booleans()):
        order |= draw(_money_fields())
    lines: list[dict[str, object]] = draw(st.lists(_lines(priced=not has_amount), min_size=1, max_size=5))
    if draw(st.integers(0, 5)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), draw(_zero_lines()))
    order["items"] = lines
    return order


@cache
@st.composite
def _zero_lines(draw: st.DrawFn) -> dict[str, object]:
    """Valid lines of quantity 0, which are skipped, be their product another or not."""
    price: st.SearchStrategy[object] = st.sampled_from((*MONEY, None))
    return {"sku": draw(st.sampled_from((*SKUS, "zero"))), "qty": draw(st.sampled_from(ZEROS)), "price": draw(price)}


@cache
@st.composite
def leaving(draw: st.DrawFn) -> dict[str, object]:
    """Versions with which an order leaves: deleted, emptied, or with nothing but lines of quantity 0."""
    order: dict[str, object] = draw(orders())
    how = draw(st.sampled_from(("deleted", "bare", "emptied", "zeros")))
    if how == "bare":
        return {"order_id": order["order_id"], "deleted": True, "updated_at": draw(st.sampled_from(TIMES))}
    if how == "deleted":
        return order | {"deleted": True}
    order.pop("amount", None)
    if draw(st.booleans()):
        order["amount"] = draw(st.sampled_from((None, 0, Decimal("0.0"), Decimal("0.00001"))))
    order["items"] = draw(st.lists(_zero_lines(), min_size=1, max_size=2)) if how == "zeros" else []
    return order


ODD_FIELDS: dict[str, Sequence[object]] = {
    "order_id": ODD_IDS,
    "user_id": ODD_IDS,
    "created_at": ODD_TIMES,
    "updated_at": ODD_TIMES,
    "amount": ODD_NUMBERS,
    "currency": ODD_TEXTS,
    "status": ODD_TEXTS,
    "deleted": (True, True, False, None, "true", 1, 0, Decimal("1.0"), []),
    "items": (),
    "metadata": ("web", 5, True, "[]"),
    "discount": ODD_NUMBERS,
    "tax": ODD_NUMBERS,
    "shipping": ODD_NUMBERS,
    "refunds": ({}, "[]", 0, [None], [[]]),
    "cancelled_at": ODD_TIMES,
    "user": ("u-1", 5, True, []),
}
ODD_LINE_FIELDS: dict[str, Sequence[object]] = {
    "sku": ODD_IDS,
    "qty": ODD_NUMBERS,
    "price": ODD_NUMBERS,
    "discount": ODD_NUMBERS,
    "tax": ODD_NUMBERS,
    "name": ODD_TEXTS,
}
ODD_REFUND_FIELDS: dict[str, Sequence[object]] = {
    "refund_id": ODD_IDS,
    "created_at": ODD_TIMES,
    "amount": ODD_NUMBERS,
    "items": ({}, "[]", 0, [None], [[]]),
}
ODD_REFUND_ITEM_FIELDS: dict[str, Sequence[object]] = {"sku": ODD_IDS, "qty": ODD_NUMBERS, "amount": ODD_NUMBERS}
ODD_USER_FIELDS: dict[str, Sequence[object]] = {"email": ODD_TEXTS, "country": ODD_TEXTS}
ODD_METADATA_FIELDS: dict[str, Sequence[object]] = {"source": ODD_TEXTS, "promo": ODD_TEXTS}


@st.composite
def _twisted(draw: st.DrawFn, base: dict[str, object], fields: dict[str, Sequence[object]]) -> dict[str, object]:
    """Base with one or more of its fields missing, of a wrong type or of an odd value."""
    twisted = dict(base)
    for name in draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=3, unique=True)):
        wrong: st.SearchStrategy[object] = st.sampled_from(EMPTY_OR_WRONG) | any_json()
        odd = st.sampled_from(fields[name]) if fields[name] else wrong
        how = draw(st.sampled_from(("odd", "odd", "odd", "wrong", "missing")))
        if how == "missing":
            twisted.pop(name, None)
        else:
            twisted[name] = draw(odd if how == "odd" else wrong)
    return twisted


@cache
@st.composite
def _odd_refunds(draw: st.DrawFn) -> object:
    """Refunds with odd fields, or with odd items."""
    refund: dict[str, object] = draw(_refunds())
    if draw(st.booleans()):
        return draw(_twisted(refund, ODD_REFUND_FIELDS))
    item: dict[str, object] = {"sku": "A", "qty": 1, "amount": 1}
    return {**refund, "items": [item, draw(_twisted(item, ODD_REFUND_ITEM_FIELDS))]}


@cache
@st.composite
def odd_records(draw: st.DrawFn) -> object:
    """Records that break rules or nearly do: orders with odd fields or lines, rarely something else altogether."""
    record: dict[str, object] = draw(st.one_of(orders(), orders(), leaving()))
    where = draw(st.sampled_from(("order", "line", "line", "metadata", "user", "refunds", "both", "json")))
    if where == "json":
        return draw(any_json())
    if where in {"line", "both"}:
        odd_line = st.one_of(_lines(priced=False).flatmap(lambda line: _twisted(line, ODD_LINE_FIELDS)), any_json())
        record["items"] = draw(st.lists(_lines(priced=True) | odd_line, min_size=1, max_size=5))
    if where == "metadata":
        record["metadata"] = draw(_twisted({"source": "web", "promo": "none"}, ODD_METADATA_FIELDS))
    if where == "user":
        record["user"] = draw(_twisted({"email": "a@example.org", "country": "MX"}, ODD_USER_FIELDS))
    if where == "refunds":
        record["refunds"] = draw(st.lists(_refunds() | _odd_refunds(), min_size=1, max_size=3))
    if where in {"order", "both"}:
        record = draw(_twisted(record, ODD_FIELDS))
    return record


def histories(*, odd: bool = True, max_size: int = 12) -> st.SearchStrategy[list[object]]:
    """Records in the order a source sent them; without ``odd`` every one is a good order, or its leaving."""
    good: st.SearchStrategy[object] = st.one_of(orders(), orders(), orders(), leaving())
    return st.lists(st.one_of(good, good, odd_records()) if odd else good, max_size=max_size)


@st.composite
def cuts(draw: st.DrawFn, history: Sequence[object]) -> list[list[object]]:
    """The same records in the same order as one batch or more, some of them perhaps empty."""
    edges = sorted(draw(st.lists(st.integers(0, len(history)), max_size=4)))
    return [list(history[a:b]) for a, b in zip([0, *edges], [*edges, len(history)], strict=True)]


@st.composite
def windows(draw: st.DrawFn) -> tuple[datetime | None, datetime | None]:
    """A window (since, until) with edges on, between and beyond the times of ``orders``; each side may be open."""
    edges = [
        None,
        datetime(2025, 8, 20, 10, tzinfo=UTC),
        datetime(2025, 8, 20, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2025, 8, 21, tzinfo=UTC),
        datetime(2025, 8, 22, 7, 15, 0, 500000, tzinfo=UTC),
        datetime(2030, 1, 1, tzinfo=UTC),
    ]
    since, until = draw(st.sampled_from(edges)), draw(st.sampled_from(edges))
    if since is not None and until is not None and since >= until:
        return since, None
    return since, until


# Reference files


@st.composite
def _csv_files(draw: st.DrawFn, columns: dict[str, st.SearchStrategy[str]], key: str) -> bytes:
    optional = draw(st.lists(st.sampled_from([name for name in columns if name != key]), unique=True))
    header = draw(st.permutations([key, *optional, *draw(st.sampled_from(([], [], ["note"])))]))
    cells = {**columns, "note": st.sampled_from(("", "n,n", '"', "x"))}
    rows = draw(st.lists(st.tuples(*(cells[name] for name in header)), max_size=6))
    blank = draw(st.sampled_from(("", "", " ")))
    out = io.StringIO(newline="")
    writer = csv.writer(
        out,
        lineterminator=draw(st.sampled_from(("\n", "\r\n"))),
        quoting=draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))),
    )
    writer.writerow([f"{blank}{name}{blank}" for name in header])
    for row in rows:
        shape = draw(st.sampled_from(("full", "full", "full", "full", "short", "long", "blank before")))
        if shape == "blank before":
            out.write("\n")
        short = [*row[: draw(st.integers(1, len(row)))]] if shape == "short" else [*row]
        writer.writerow([*short, "extra"] if shape == "long" else short)
    text = out.getvalue()
    if draw(st.booleans()):
        text = text.removesuffix("\n").removesuffix("\r")
    return text.encode("utf-8-sig" if draw(st.booleans()) else "utf-8")


def _csv_texts(*usual: str) -> st.SearchStrategy[str]:
    odd = [text for text in ODD_TEXTS if isinstance(text, str) and not any("\ud800" <= c <= "\udfff" for c in text)]
    return st.one_of(st.sampled_from(usual), st.sampled_from(usual), st.sampled_from(odd))


@cache
def user_csvs() -> st.SearchStrategy[bytes]:
    """Users files: columns in any order, some missing, with or without BOM, quotes, CRLF, blank and ragged rows."""
    times = [text for text in ODD_TIMES if isinstance(text, str) and "\ud800" not in text]
    columns = {
        "user_id": _csv_texts(*USERS, " u-1 ", "u-9"),
        "email": _csv_texts("a@example.org", "b@example.org", ""),
        "country": _csv_texts("MX", "US", "", "Côte d'Ivoire", 'the "best", really'),
        "created_at": st.sampled_from(TIMES) | st.sampled_from(times),
    }
    return _csv_files(columns, "user_id")


@cache
def product_csvs() -> st.SearchStrategy[bytes]:
    """Products files, as varied as ``user_csvs``, with prices no parser likes."""
    prices = [text for text in ODD_NUMBERS if isinstance(text, str) and "\ud800" not in text]
    columns = {
        "sku": _csv_texts(*SKUS, " A ", "Z-9"),
        "name": _csv_texts("Shoe", "", "two\nlines", '5\' "pole", long'),
        "category": _csv_texts("shoes", "", "outdoor, other"),
        "price": st.sampled_from(("9.99", "10", "0")) | st.sampled_from(prices),
    }
    return _csv_files(columns, "sku")


@cache
def reference_csvs() -> st.SearchStrategy[tuple[bytes | None, bytes | None]]:
    """A users and a products file, either of which a batch may lack."""
    return st.tuples(st.none() | user_csvs(), st.none() | product_csvs())


@st.composite
def batches(draw: st.DrawFn, *, odd: bool = True, windowed: bool = True) -> list[Batch]:
    """A history cut into batches, each with its own window and reference files, or without."""
    made = []
    for records in draw(histories(odd=odd).flatmap(cuts)):
        users, products = draw(reference_csvs())
        since, until = draw(st.just((None, None)) | windows()) if windowed else (None, None)
        began_at = draw(st.sampled_from((None, *BEGINNINGS))) if windowed else None
        made.append(Batch(records, users, products, since, until, began_at))
    return made


# JSON text


def encode(value: object, variety: int | None = None) -> str:
    """Write a record as JSON text: plainly, or with ``variety``, a seed, in mixed forms that all mean the same.

    The forms: blanks between tokens, escapes where none are needed, numbers with zeros or exponents, and keys that
    appear more than once, of which the last counts. Decimals are written digit for digit and stay no integers.
    """
    return _encode(value, None if variety is None else Random(variety))


def _encode(value: object, style: Random | None) -> str:
    if isinstance(value, dict):
        members = [(str(key), member) for key, member in value.items()]
        if style and members and style.random() < 0.2:  # most objects keep their keys
            members.insert(0, (style.choice(members)[0], style.choice(DECOYS)))
        body = (f"{_encode_text(key, style)}{_gap(style)}:{_pad(_encode(item, style), style)}" for key, item in members)
        return "{" + _gap(style) + f",{_gap(style)}".join(body) + "}"
    if isinstance(value, list):
        return "[" + _gap(style) + ",".join(_pad(_encode(item, style), style) for item in value) + "]"
    if isinstance(value, str):
        return _encode_text(value, style)
    if isinstance(value, Decimal):
        return _encode_decimal(value, style)
    if isinstance(value, int) and not isinstance(value, bool):
        return "-0" if style and value == 0 and style.random() < 0.5 else str(Decimal(value))
    return json.dumps(value)


DECOYS: tuple[object, ...] = (None, True, 0, Decimal("1e999"), "", "decoy", [], [[{}]], {"sku": "decoy"})


def _gap(style: Random | None) -> str:
    return style.choice(("", "", "", "", " ", "\n", "\t", "\r\n  ")) if style else ""


def _pad(text: str, style: Random | None) -> str:
    return _gap(style) + text + _gap(style)


def _encode_text(text: str, style: Random | None) -> str:
    if style is None or style.random() < 0.5:
        raw = "".join(json.dumps(c)[1:-1] if c < " " or c in '"\\' or "\ud800" <= c <= "\udfff" else c for c in text)
        return f'"{raw}"'
    return '"' + "".join(_encode_character(c, style) for c in text) + '"'


def _encode_character(character: str, style: Random) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
    forms = [escaped, escaped.upper().replace("\\U", "\\u"), json.dumps(character)[1:-1]]
    if character == "/":
        forms.append("\\/")
    if character >= " " and character not in '"\\' and not "\ud800" <= character <= "\udfff":
        forms += [character] * 3
    return style.choice(forms)


def _encode_decimal(value: Decimal, style: Random | None) -> str:
    if not value.is_finite():
        return json.dumps(float(value))
    plain = str(value)
    if "." not in plain and "E" not in plain:
        plain += ".0"  # without it, a reader would see an integer
    if style is None:
        return plain
    forms = [plain, plain.lower(), plain.replace("E+", "e")]
    if "E" in plain:
        forms.append(plain.replace("E+", "E+00"))
    else:
        forms += [f"{plain}0000000", f"{plain}e0", f"{plain}E+0", f"{plain}e-00"]
    sign, digits, exponent = value.as_tuple()
    forms.append(f"{'-' if sign else ''}{int(''.join(map(str, digits)))}e{exponent}")
    return style.choice(forms)


@st.composite
def record_texts(draw: st.DrawFn, records: st.SearchStrategy[object] | None = None) -> str:
    """Raw JSON text of one record, good or odd unless ``records`` says which, in any form that JSON allows."""
    record = draw(st.one_of(orders(), odd_records()) if records is None else records)
    return encode(record, draw(st.none() | st.integers(0, 2**16)))
