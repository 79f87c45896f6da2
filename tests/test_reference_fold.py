"""Examples of every rule, so that the reference itself can be trusted."""

import csv
import hmac
import io
import math
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain

import pytest
from hypothesis import given, settings, strategies as st
from reference_fold import (
    Batch,
    Gone,
    Order,
    Reject,
    Rejected,
    Rules,
    fold,
    read_json,
    refund_rows,
    rejects,
    time_of,
    units_of,
    validate,
    validate_batch,
)
from strategies import batches, cuts, encode, histories, odd_records, orders

BRIEFLY = settings(max_examples=40, derandomize=True, deadline=None)
TOO_LONG = "é" * 128
CREATED = datetime(2025, 8, 20, 10, tzinfo=UTC)


def each(*values: object) -> tuple[object, ...]:
    return values


def order(**fields: object) -> dict[str, object]:
    """A plain order, with fields replaced, or dropped where ``...`` is given."""
    plain = {
        "order_id": "o-1",
        "user_id": "u-1",
        "amount": 10,
        "currency": "usd",
        "created_at": "2025-08-20T10:00:00Z",
        "items": [line()],
    }
    return {name: value for name, value in (plain | fields).items() if value is not ...}


def line(sku: object = "A", qty: object = 1, price: object = 10, **more: object) -> dict[str, object]:
    return {"sku": sku, "qty": qty, "price": price, **more}


def refund(amount: object = 4, *items: object, refund_id: object = "r-1", **more: object) -> dict[str, object]:
    return {"refund_id": refund_id, "created_at": "2025-08-25", "amount": amount, "items": [*items], **more}


def returned(sku: object = "A", amount: object = 1, **more: object) -> dict[str, object]:
    return {"sku": sku, "amount": amount, **more}


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels - 1):
        value = [value]
    return value


def accepted(record: object) -> Order:
    found = validate(record)
    assert isinstance(found, Order)
    return found


def fact_rows(*records: object, dt: str = "2025-08-20") -> list[list[str]]:
    text = fold([Batch(records)])[f"dt={dt}/fact_order.csv"].decode()
    return [row.split(",") for row in text.splitlines()[1:]]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        *((record, "not_an_object") for record in each(None, 5, "order", [], True)),
        *(
            (order(order_id=value), "missing_order_id")
            for value in each(..., None, "", " \x00 ", True, 1.5, Decimal("1e-400"), math.nan, [])
        ),
        *(
            (order(order_id=value), "invalid_order_id")
            for value in each(TOO_LONG, "o\ud800", "\udc00", Decimal("1e255"), Decimal("Infinity"))
        ),
        (order(note=nested(2001)), "too_deep"),
        (order(note=nested(2001), order_id=None), "missing_order_id"),
        (order(note=nested(2001), created_at=None), "too_deep"),
        ({"order_id": 1, "deleted": True}, "missing_created_at"),
        ({"order_id": 1, "deleted": True, "updated_at": "soon"}, "invalid_updated_at"),
        ({"order_id": 1, "deleted": True, "updated_at": "2025-08-20", "created_at": "x"}, "invalid_created_at"),
        (order(created_at=...), "missing_created_at"),
        *(
            (order(created_at=value), "invalid_created_at")
            for value in each("", "soon", "20250820", 1755684190, "2200-01-01")
        ),
        *((order(updated_at=value), "invalid_updated_at") for value in each("", "1969-12-31", "1e9", False)),
        *((order(user_id=value), "invalid_user_id") for value in each(TOO_LONG, "u\ud800")),
        *(
            (order(amount=value), "invalid_amount")
            for value in each("", "ten", True, -1, "NaN", "99999999999999.99995", {})
        ),
        *((order(items=value), "no_items") for value in each(..., None, [], [line(qty=0)])),
        (order(amount=0, items=None), "no_items"),
        (order(amount=0, items=[line(qty=0), line(qty=-1)]), "no_valid_items"),
        *((order(items=value), "invalid_items") for value in each({}, "", 0, "[]")),
        (order(items=[None, line(sku=None)]), "no_valid_items"),
        *((order(amount=value, items=[line(price=None)]), "missing_amount") for value in each(..., None)),
        (order(items=[line(price=6 * 10**13), line(price=4 * 10**13)]), "invalid_amount"),
        (order(items=[line(qty="999999999.9999", price=None)] * 100_001), "invalid_items"),
        (order(amount=None, items=[line(qty="999999999.9999", price=None)] * 100_001), "missing_amount"),
        *(
            (order(**{name: value}), f"invalid_{name}")
            for name in ("discount", "tax", "shipping")
            for value in each("", "ten", True, -1, "NaN", 10**14, {}, "99999999999999.99995")
        ),
        *((order(items=[line(**{name: 5 * 10**13})] * 2), f"invalid_{name}") for name in ("discount", "tax")),
        *((order(cancelled_at=value), "invalid_cancelled_at") for value in each("", "soon", False, 1755684190)),
        *(
            (order(refunds=value), "invalid_refund")
            for value in each(
                *({}, "", 0, [None], [[]], ["r-1"]),
                *([refund(refund_id=bad)] for bad in each(None, "", True, 1.5, TOO_LONG, "r\ud800")),
                *([refund(created_at=bad)] for bad in each(None, "", "soon", 5)),
                *([refund(bad)] for bad in each(None, "", True, -1, 10**14)),
                *([refund(items=bad)] for bad in each({}, "", 0, [None], [[]], ["A"])),
                *([refund(4, returned(amount=bad))] for bad in each(None, "", True, -1, 10**14)),
                *([refund(4, returned(qty=bad))] for bad in each("", True, -1, 10**9)),
                *([refund(4, returned(sku=bad))] for bad in each(TOO_LONG, "\ud800")),
                [refund(5 * 10**13), refund(5 * 10**13, refund_id="r-2")],
                [refund(1, returned("A", 5 * 10**13), returned("B", 5 * 10**13))],
            )
        ),
        (order(discount=-1, tax=-1, shipping=-1, refunds=5, cancelled_at=5), "invalid_discount"),
        (order(tax=-1, shipping=-1, refunds=5, cancelled_at=5), "invalid_tax"),
        (order(shipping=-1, refunds=5, cancelled_at=5), "invalid_shipping"),
        (order(refunds=5, cancelled_at=5), "invalid_refund"),
        (order(discount=-1, amount=None, items=[line(price=None)]), "missing_amount"),
        (order(discount=-1, amount=0, items=[]), "invalid_discount"),
    ],
)
def test_order_is_rejected_for_the_first_rule_it_breaks(record: object, reason: str) -> None:
    assert validate(record) == Rejected(reason)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        *((item, "invalid_item") for item in each(None, "A", [], 5)),
        *((line(sku=value), "missing_sku") for value in each(None, "", True, 1.5)),
        *((line(sku=value), "invalid_sku") for value in each(TOO_LONG, "\ud800")),
        (line(sku=None, qty=0), "missing_sku"),
        (line(price=-1, qty=0), "invalid_price"),
        *((line(qty=value), "invalid_qty") for value in each(None, -1, "x", True, "-0.0001", 10**9, "999999999.99995")),
        *((line(price=value), "invalid_price") for value in each("", -1, 10**14, "1_0", "\uff11", False, [])),
        (line(qty=10, price=10**13), "invalid_price"),
        *(
            (line(**{name: value}), f"invalid_{name}")
            for name in ("discount", "tax")
            for value in each("", "x", True, -1, 10**14, [])
        ),
        (line(qty=10, price=10**13, discount=-1, tax=-1), "invalid_discount"),
        (line(qty=0, discount=-1, tax=-1), "invalid_discount"),
    ],
)
def test_bad_line_is_left_out_and_the_order_stays(item: object, reason: str) -> None:
    kept = accepted(order(items=[line(), item, line("B")]))
    assert [good.sku for good in kept.lines] == ["A", "B"]
    assert kept.rejects == (Rejected(reason, "line", 1),)


@pytest.mark.parametrize(
    ("value", "units"),
    [
        *((" 1.5 ", 15_000), ("1e2", 1_000_000), ("+.5", 5_000), ("5.", 50_000), ("-0", 0), ("1E-3", 10)),
        *((Decimal("1.00005"), 10_000), (Decimal("1.00015"), 10_002), (Decimal("-0.00001"), 0), ("0.00005001", 1)),
        *((0.1, 1_000), (1e22, 10**26), (5e-324, 0), ("0e99999999999999999999", 0), ("1e-99999999999999999999", 0)),
        *(
            (value, None)
            for value in each("", ".", "1e", "1_0", "٣", "1,5", "inf", "nan", float("inf"), True, None, [1])
        ),
        ("0." + "0" * 4 + "5" + "0" * 5000 + "1", 1),
    ],
)
def test_numbers_are_rounded_half_even_from_their_exact_value(value: object, units: int | None) -> None:
    assert units_of(value) == units


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("2025-08-20", "2025-08-20T00:00:00+00:00"),
        (" 2025-08-20 10:00:00 ", "2025-08-20T10:00:00+00:00"),
        ("2025-08-20T10:00:00.1234567+02:00", "2025-08-20T08:00:00.123456+00:00"),
        ("2199-12-31T23:59:59.999999Z", "2199-12-31T23:59:59.999999+00:00"),
        ("2200-01-01T00:30:00+01:00", "2199-12-31T23:30:00+00:00"),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
    ],
)
def test_times_are_read_as_utc(value: str, iso: str | None) -> None:
    timestamp = time_of(value)
    assert (timestamp and timestamp.isoformat()) == iso


def test_text_is_cleaned_and_cut() -> None:
    got = accepted(
        order(order_id="\x00 6", user_id=7, currency="ß" * 128, status="x" * 254 + "é", metadata={"promo": "\ud800"})
    )
    assert (got.order_id, got.user_id, got.currency) == ("6", "7", "S" * 255)
    assert (got.status, got.source, got.promo) == ("x" * 254, None, "\ufffd")


@pytest.mark.parametrize(
    ("value", "text"),
    [(Decimal("501.0"), "501"), (Decimal("5.01e2"), "501"), (7.0, "7"), (Decimal("-0.0"), "0"), (1e22, f"1{'0' * 22}")],
)
def test_a_whole_number_is_an_id_in_any_form(value: object, text: str) -> None:
    assert accepted(order(order_id=value, user_id=value, items=[line(value)])).user_id == text


@pytest.mark.parametrize(
    ("record", "gone"),
    [
        (order(deleted=True, items=5, amount="x"), Gone("o-1", CREATED, deleted=True)),
        ({"order_id": 7.0, "deleted": True, "updated_at": "2025-08-20T10:00Z"}, Gone("7", CREATED, deleted=True)),
        *(
            (order(amount=value, items=[]), Gone("o-1", CREATED, deleted=False))
            for value in each(..., None, 0, "0.00001")
        ),
        (order(amount=0, items=[line(qty=0)]), Gone("o-1", CREATED, deleted=False, skipped=1)),
    ],
)
def test_an_order_leaves(record: object, gone: Gone) -> None:
    assert validate(record) == gone
    files = fold([Batch([order(status="old"), record])])
    assert [name for name in files if name.startswith("dt=")] == (
        [] if gone.order_id == "o-1" else ["dt=2025-08-20/fact_order.csv"]
    )
    back = order(updated_at="2025-08-21")
    assert fold([Batch([order(), record]), Batch([back])]) == fold([Batch([back])])


@pytest.mark.parametrize("deleted", each(False, None, "true", 1))
def test_only_true_deletes(deleted: object) -> None:
    assert accepted(order(deleted=deleted)) == accepted(order())


def test_who_leaves_is_mentioned_by_its_other_versions_only() -> None:
    files = fold([Batch([order(user_id="u-2", deleted=True), order(order_id="o-2", items=[line(), line("zero", 0)])])])
    assert (files["dim_user.csv"].count(b"\n"), files["dim_product.csv"].count(b"\n")) == (2, 2)
    assert b"u-2" not in files["dim_user.csv"]


def test_the_unit_price_is_the_exact_average() -> None:
    assert [row[4] for row in fact_rows(order(items=[line("A", "0.125", "3.99")]))] == ["3.9900"]
    halves = [line("A", 1, "0.0001"), line("A", 1, "0.0002"), line("B", 1, "0.0002"), line("B", 1, "0.0003")]
    assert [row[4] for row in fact_rows(order(items=halves))] == ["0.0002", "0.0002"]


def test_a_time_of_the_future_counts_as_the_time_of_its_extraction() -> None:
    def versions(*times: str, until: datetime | None = None) -> tuple[list[str], int, int]:
        records = [order(order_id=f"o-{n}", updated_at=time, created_at="2062-01-01") for n, time in enumerate(times)]
        found = validate_batch(Batch(records, until=until, began_at=CREATED))
        return [f"{o.updated_at:%d %H:%M:%S}" for o in found.orders.values()], found.future, found.outside_window

    edge = "2025-08-21T10:00:00Z"
    assert versions(edge, "2025-08-21T10:00:00.000001Z", "2062-01-01") == (["21 10:00:00", *["20 10:00:00"] * 2], 2, 0)
    assert versions("2062-01-01", until=CREATED) == ([], 0, 1)


def test_json_is_read_exactly_and_the_last_of_duplicate_keys_counts() -> None:
    text = (
        '{"amount": 1, "\\u0061mount": 0.12345000000000000000000001, '
        '"n": [1e99999999999999999999, 1e-9999999999999999999]}'
    )
    assert read_json(text) == {"amount": Decimal("0.12345000000000000000000001"), "n": [Decimal("Infinity"), 0]}


def test_absent_amount_is_the_sum_of_the_rounded_lines() -> None:
    assert (
        accepted(order(amount=None, items=[line(qty="0.5", price="0.0001"), line(qty="0.5", price="0.0003")])).amount
        == 2
    )


def test_lines_of_one_sku_become_one_row() -> None:
    items = [line("B", 1, None), line("A", 2, 3), line("A", 1, 4), line("A", 5, None)]
    rows = fact_rows(order(amount=9, items=items))
    assert [row[1:8] for row in rows] == [
        ["A", "u-1", "8.0000", "3.3333", "10.0000", "9.0000", "9.0000"],
        ["B", "u-1", "1.0000", "", "", "9.0000", "0.0000"],
    ]


@pytest.mark.parametrize("items", [[line(sku, 1, 3) for sku in "CAB"], [line(sku, 2, None) for sku in "ABC"]])
def test_shares_sum_to_the_amount(items: list[object]) -> None:
    assert [row[7] for row in fact_rows(order(amount=100, items=items))] == ["33.3333", "33.3333", "33.3334"]


def test_no_weight_at_all_splits_by_quantity() -> None:
    items = [line("A", 1, 0), line("B", 3, None)]
    assert [row[7] for row in fact_rows(order(amount=1, items=items))] == ["0.2500", "0.7500"]


def test_the_highest_update_wins_then_the_later_batch_then_the_later_position() -> None:
    def statuses(*batches: list[object]) -> list[str]:
        rows = fold([Batch(records) for records in batches])["dt=2025-08-20/fact_order.csv"].decode().splitlines()
        return [row.split(",")[11] for row in rows[1:]]

    old, new = ({"updated_at": f"2025-08-2{day}"} for day in (1, 2))
    assert statuses([order(status="a", **new)], [order(status="b", **old)]) == ["a"]
    assert statuses([order(status="a")], [order(status="b")]) == ["b"]
    assert statuses([order(status="a", **new), order(status="b", updated_at="2025-08-22T02:00+02:00")]) == ["b"]
    assert statuses([order(status="a")], [order(status="b", items=[], **new)]) == ["a"]


def test_a_winner_replaces_the_whole_order_and_moves_it() -> None:
    first = order(items=[line("A"), line("B")])
    second = order(items=[line("B")], created_at="2025-08-19T23:59:59-01:00", updated_at="2025-08-23")
    moved = order(items=[line("C")], created_at="2025-08-21T23:59:59-01:00", updated_at="2025-08-24")
    files = fold([Batch([first]), Batch([second])])
    assert [row.split(",")[1] for row in files["dt=2025-08-20/fact_order.csv"].decode().splitlines()[1:]] == ["B"]
    files = fold([Batch([first]), Batch([second, moved])])
    assert sorted(files) == ["dim_product.csv", "dim_user.csv", "dt=2025-08-22/fact_order.csv"]
    assert files["dim_product.csv"] == b"sku,name,category,price,inferred\nA,,,,true\nB,,,,true\nC,,,,true\n"


def test_the_window_drops_what_lies_outside_before_any_other_rule() -> None:
    batch = Batch(
        [
            order(created_at="2025-08-20"),
            order(created_at="2025-08-21", order_id="o-2"),
            order(created_at="2025-08-20", updated_at="2025-08-21T01:00+01:00"),
            {"created_at": "1999-01-01"},
            {"updated_at": "2025-08-20"},
            order(updated_at="soon"),
            "2025-08-30",
            order(items=[line(), line(qty=-1)]),
        ],
        since=datetime(2025, 8, 20, tzinfo=UTC),
        until=datetime(2025, 8, 21, tzinfo=UTC),
    )
    assert rejects(batch) == [
        Reject("order", "missing_order_id", 4, None),
        Reject("order", "invalid_updated_at", 5, None),
        Reject("order", "not_an_object", 6, None),
        Reject("line", "invalid_qty", 7, 1),
    ]
    assert validate_batch(batch).outside_window == 3
    assert list(validate_batch(batch).orders) == [0, 7]


def money_columns(record: object) -> dict[str, list[str]]:
    """The shares of an order by SKU: discount, tax, shipping, refunded."""
    return {row[1]: row[18:22] for row in fact_rows(record)}


def test_what_the_payload_does_not_say_is_null_and_nothing_refunded_is_0() -> None:
    assert money_columns(order()) == {"A": ["", "", "", "0.0000"]}
    silent = order(discount=None, tax=None, shipping=None, refunds=None, cancelled_at=None, user=None)
    assert fact_rows(silent) == fact_rows(order())


def test_discount_tax_and_shipping_are_shared_by_line_amount() -> None:
    shared = money_columns(order(discount=1, tax="0.0001", shipping=100, items=[line("B", 1, 2), line("A", 1, 1)]))
    assert shared == {"A": ["0.3333", "0.0000", "33.3333", "0.0000"], "B": ["0.6667", "0.0001", "66.6667", "0.0000"]}
    worthless = money_columns(order(discount=4, shipping=0, items=[line("A", 1, 0), line("B", 3, None)]))
    assert {sku: cells[:3] for sku, cells in worthless.items()} == {
        "A": ["1.0000", "", "0.0000"],
        "B": ["3.0000", "", "0.0000"],
    }


def test_lines_with_values_of_their_own_say_how_the_orders_is_shared() -> None:
    items = [line("A", tax=1), line("B", 1, 30, tax=2), line("A", tax=1), line("C")]
    assert {sku: cells[1] for sku, cells in money_columns(order(items=items)).items()} == {
        "A": "2.0000",
        "B": "2.0000",
        "C": "0.0000",
    }
    assert [cells[1] for cells in money_columns(order(tax=6, items=items)).values()] == ["3.0000", "3.0000", "0.0000"]
    nothing = [line("A", discount=0), line("B", 1, 30, discount=0)]
    assert [cells[0] for cells in money_columns(order(items=nothing)).values()] == ["0.0000", "0.0000"]
    assert [cells[0] for cells in money_columns(order(discount=4, items=nothing)).values()] == ["1.0000", "3.0000"]


def refund_file(*records: object, dt: str = "2025-08-20") -> list[list[str]]:
    text = fold([Batch(records)])[f"fact_refund/dt={dt}/fact_refund.csv"].decode()
    return [row.split(",") for row in text.splitlines()[1:]]


def test_refunds_are_rows_by_refund_and_sku() -> None:
    refunds = [
        refund(5, returned("B", 3, qty=1), returned("A", 1), returned("B", "0.5", qty="0.5"), refund_id="r-2"),
        refund(1, refund_id=10.0, created_at="2025-08-26T02:00+02:00"),
        refund(2, returned(None, 2, qty=1), refund_id="10"),
        refund(1, returned("A", 1), refund_id="r-3"),
        refund(0, refund_id="r-4", items=None),
        refund(1, returned("A", 3), refund_id="r-5"),
        refund(1, returned("A", 1), returned(None, 0, qty=2), refund_id="r-6"),
    ]
    time = "2025-08-25 00:00:00.000000"
    assert refund_file(order(refunds=refunds)) == [
        ["o-1", "10", "", "1.0000", "3.0000", "USD", "2025-08-26 00:00:00.000000"],
        ["o-1", "r-2", "", "", "0.5000", "USD", time],
        ["o-1", "r-2", "A", "", "1.0000", "USD", time],
        ["o-1", "r-2", "B", "1.5000", "3.5000", "USD", time],
        ["o-1", "r-3", "A", "", "1.0000", "USD", time],
        ["o-1", "r-4", "", "", "0.0000", "USD", time],
        ["o-1", "r-5", "A", "", "1.0000", "USD", time],
        ["o-1", "r-6", "", "2.0000", "0.0000", "USD", time],
        ["o-1", "r-6", "A", "", "1.0000", "USD", time],
    ]


def test_what_is_refunded_of_a_row_is_what_names_it_and_its_net_share_of_the_rest() -> None:
    items = [line("A", 1, 10), line("B", 1, 30)]
    refunds = [refund(5, returned("A", 1), returned("Z", 2)), refund(2, refund_id="r-2")]
    cells = money_columns(order(amount=40, items=items, refunds=refunds))
    assert {sku: money[3] for sku, money in cells.items()} == {"A": "2.5000", "B": "4.5000"}
    free = money_columns(order(amount=0, items=items, refunds=[refund(4)]))
    assert {sku: money[3] for sku, money in free.items()} == {"A": "1.0000", "B": "3.0000"}


def test_refunds_go_with_their_order() -> None:
    first, gone = order(refunds=[refund()]), order(deleted=True, updated_at="2025-08-26")
    assert not any("refund" in name for name in fold([Batch([first, gone])]))
    assert not any("refund" in name for name in fold([Batch([first, order(updated_at="2025-08-26")])]))
    moved = {**first, "created_at": "2025-08-19", "updated_at": "2025-08-26"}
    assert [name for name in fold([Batch([first, moved])]) if "refund" in name] == [
        "fact_refund/dt=2025-08-19/fact_refund.csv"
    ]


@pytest.mark.parametrize(
    ("fields", "cancelled"),
    [
        ({}, False),
        ({"status": "paid"}, False),
        *(({"status": status}, True) for status in ("cancelled", " CANCELED", "Voided")),
        ({"cancelled_at": "2025-08-21"}, True),
    ],
)
def test_an_order_is_cancelled_by_its_time_or_status(fields: dict[str, object], cancelled: bool) -> None:  # noqa: FBT001
    assert fact_rows(order(**fields))[0][22] == str(cancelled).lower()
    assert Rules(cancelled_statuses=frozenset({"paid"})).is_cancelled(accepted(order(status="Paid")))


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("UTC", "2025-03-30"),
        ("Pacific/Kiritimati", "2025-03-31"),
        ("Etc/GMT+12", "2025-03-29"),
        ("Asia/Tokyo", "2025-03-30"),
    ],
)
def test_the_day_is_the_shops(zone: str, day: str) -> None:
    files = fold([Batch([order(created_at="2025-03-30T11:30:00Z", refunds=[refund()])])], Rules(timezone=zone))
    assert [name for name in files if "dt=" in name] == [
        f"dt={day}/fact_order.csv",
        f"fact_refund/dt={day}/fact_refund.csv",
    ]


def test_a_key_without_reference_takes_what_the_newest_version_says_each_attribute_on_its_own() -> None:
    records = [
        order(
            user={"email": " A@x.org ", "country": "MX"},
            items=[line(name="Cup"), line(name="Mug"), line()],
            updated_at="2025-08-23",
        ),
        order(user={"email": "old@x.org", "country": "US"}, items=[line(name="Old")], updated_at="2025-08-21"),
        order(user={"country": "CL"}, items=[line(name=" ")], updated_at="2025-08-24", order_id="o-2"),
        order(user="x", items=[line(name=None)], updated_at="2025-08-25"),
    ]
    files = fold([Batch(records)])
    assert files["dim_user.csv"].splitlines()[1:] == [b"u-1,A@x.org,CL,,true"]
    assert files["dim_product.csv"].splitlines()[1:] == [b"A,Mug,,,true"]
    assert [row[14:16] for row in fact_rows(records[0])] == [["MX", "Mug"]]
    known = fold([Batch(records, b"user_id,email,country\nu-1,,\n", b"sku,name\nA,\n")])
    assert known["dim_user.csv"].splitlines()[1:] == [b"u-1,,,,false"]
    assert known["dim_product.csv"].splitlines()[1:] == [b"A,,,,false"]


def test_emails_are_kept_hashed_or_dropped() -> None:
    batch = Batch([order(user={"email": "A@x.org"})], b"user_id,email\nu-2,a@X.org \n")

    def emails(rules: Rules) -> list[str]:
        return [row.split(",")[1] for row in fold([batch], rules)["dim_user.csv"].decode().splitlines()[1:]]

    assert emails(Rules()) == ["A@x.org", "a@X.org"]
    assert emails(Rules(emails="drop")) == ["", ""]
    first, second = emails(Rules(emails="hash", emails_key="key"))
    assert first == second == hmac.new(b"key", b"a@x.org", "sha256").hexdigest()


def test_nothing_comes_of_no_batch_and_headers_of_an_empty_one() -> None:
    assert fold([]) == {}
    assert fold([Batch([])]) == {
        "dim_product.csv": b"sku,name,category,price,inferred\n",
        "dim_user.csv": b"user_id,email,country,created_at_user,inferred\n",
    }


def test_reference_rows_are_folded_and_enrich_every_row() -> None:
    users = b"\xef\xbb\xbf country ,user_id,created_at\r\nMX, u-1 ,2025-01-01T23:00-02:00\r\n\r\nUS,u-2\r\n,,\r\n"
    products = (
        "sku,price,name,category\nA,1,old,x\n"
        f'A,2.00005,"Shoe, ""red""\nblue", \n{TOO_LONG},1,,\nB,-1,,{TOO_LONG},more\nC,1_0,\x00n,\n'
    ).encode()
    files = fold([Batch([order(user_id=None)], users, products), Batch([order(order_id="o-2")], b"user_id\nu-2\n")])
    assert files["dim_user.csv"].decode().splitlines()[1:] == ["u-1,,MX,2025-01-02,false", "u-2,,,,false"]
    assert files["dim_product.csv"].decode() == (
        f'sku,name,category,price,inferred\nA,"Shoe, ""red""\nblue",,2.0000,false\nB,,{"é" * 127},,false\nC,n,,,false\n'
    )
    fact = files["dt=2025-08-20/fact_order.csv"].decode()
    assert "o-1,A,,1.0000,10.0000,10.0000,10.0000,10.0000,USD,2025-08-20 10:00:00.000000" in fact
    assert fact.endswith(',,,,MX,"Shoe, ""red""\nblue",,2.0000,,,,0.0000,false\n')


def test_fields_are_quoted_only_where_csv_needs_it() -> None:
    items = [line(sku) for sku in ("a b", "a,b", 'a"b', "a\rb", "a\nb", "a;'b", "=é")]
    data = fold([Batch([order(items=items)])])["dim_product.csv"].decode()
    for written in ("\na b,", '\n"a,b",', '\n"a""b",', '\n"a\rb",', '\n"a\nb",', "\na;'b,", "\n=é,"):
        assert f"{written},,,true\n" in data


@BRIEFLY
@given(st.data())
def test_how_a_history_is_cut_changes_nothing(data: st.DataObject) -> None:
    history = data.draw(histories())
    pieces = data.draw(cuts(history))
    assert list(chain.from_iterable(pieces)) == history
    assert fold([Batch(piece) for piece in pieces]) == fold([Batch(history)])


@BRIEFLY
@given(orders())
def test_good_orders_keep_all_lines(record: dict[str, object]) -> None:
    assert not accepted(record).rejects


@BRIEFLY
@given(orders())
def test_shares_sum_to_what_the_order_says(record: dict[str, object]) -> None:
    kept = accepted(record)
    (day,) = (name for name in fold([Batch([record])]) if name.startswith("dt="))
    rows = list(csv.DictReader(io.StringIO(fold([Batch([record])])[day].decode(), newline="")))

    def total(column: str) -> int | None:
        values = [units_of(row[column]) for row in rows if row[column]]
        return sum(value for value in values if value is not None) if values else None

    def expected(value: int | None, own: list[int | None]) -> int | None:
        known = [each for each in own if each is not None]
        return value if value is not None else sum(known) if known else None

    assert total("net_amount") == kept.amount
    assert total("discount_amount") == expected(kept.discount, [line.discount for line in kept.lines])
    assert total("tax_amount") == expected(kept.tax, [line.tax for line in kept.lines])
    assert total("shipping_amount") == kept.shipping
    assert total("refunded_amount") == sum(refund.amount for refund in kept.refunds)
    assert sum(row.amount for row in refund_rows(kept)) == total("refunded_amount")


@BRIEFLY
@given(odd_records(), st.integers(0, 2**16))
def test_every_way_to_write_a_record_means_the_same(record: object, variety: int) -> None:
    assert (
        validate(read_json(encode(record, variety).encode())) == validate(read_json(encode(record))) == validate(record)
    )


@BRIEFLY
@given(batches())
def test_any_batches_fold(drawn: list[Batch]) -> None:
    files = fold(drawn)
    assert bool(files) == bool(drawn)
    assert all(data.endswith(b"\n") for data in files.values())
