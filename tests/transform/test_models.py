"""What the payload models accept, what they make of it, and the reason and field of what they refuse."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import reference_fold
from hypothesis import given, settings, strategies as st
from order_cases import CASES
from strategies import leaving, odd_records, orders

from ordersetl.source.parser import parse_json
from ordersetl.star.values import HugeNumber
from ordersetl.transform.charges import Charges, Refund, RefundItem
from ordersetl.transform.fields import CHARGE_FIELDS, ITEM_FIELDS, ORDER_FIELDS, REFUND_FIELDS, REFUND_ITEM_FIELDS
from ordersetl.transform.models import (
    ORDER_REASONS,
    GoneOrder,
    Order,
    ReadOrder,
    read_order,
)
from ordersetl.transform.order_lines import LINE_REASONS, Failure, Line

LINE = {"sku": "A", "qty": 2, "price": Decimal("1.25")}
ORDER: dict[str, Any] = {"order_id": "o-1", "created_at": "2025-08-20T10:00:00Z", "amount": 5, "items": [LINE]}
ABSENT = object()


def changed(record: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The record with fields replaced, or left out where ABSENT."""
    return {name: value for name, value in {**record, **fields}.items() if value is not ABSENT}


def accept(record: object) -> ReadOrder:
    read = read_order(record)
    assert isinstance(read, ReadOrder), read
    return read


def refuse(record: object) -> Failure:
    read = read_order(record)
    assert isinstance(read, Failure), read
    assert read.line is None
    return read


def refuse_line(line: object) -> Failure:
    """Why a line is refused that stands behind a good one."""
    read = accept(changed(ORDER, items=[LINE, line]))
    assert [index for index, _ in read.lines] == [0]
    (failure,) = list(read.failures)
    assert failure.line == 1
    return failure


def test_the_models_and_the_bulk_path_read_the_same_fields() -> None:
    assert set(Order.__annotations__) == {*ORDER_FIELDS, "items", "metadata"}
    assert set(Charges.__annotations__) == {*CHARGE_FIELDS, "refunds", "user"}
    assert set(Refund.__annotations__) == {*REFUND_FIELDS, "items"}
    assert set(RefundItem.__annotations__) == {*REFUND_ITEM_FIELDS}
    assert set(Line.__annotations__) == {*ITEM_FIELDS}


@pytest.mark.parametrize(("text", "reason"), CASES.values(), ids=CASES)
def test_every_case_is_accepted_or_has_its_reason(text: str, reason: str | None) -> None:
    read = read_order(parse_json(text))
    assert (read.reason if isinstance(read, Failure) else None) == reason


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"order_id": ABSENT}, "order_id is absent"),
        ({"order_id": None}, "order_id is absent or empty"),
        ({"order_id": math.nan}, "order_id is not a string or a whole number"),
        ({"order_id": "o\ud83e"}, "order_id is broken Unicode: it holds half a surrogate pair"),
        ({"order_id": Decimal("1e999999999")}, "order_id has more than 255 bytes"),
        ({"order_id": HugeNumber("1e9999999999999999999")}, "order_id has more than 255 bytes"),
        ({"created_at": None}, "created_at is null"),
        ({"created_at": ""}, "created_at is not an ISO 8601 time from 1970 to 2199"),
        ({"updated_at": "soon"}, "updated_at is not an ISO 8601 time from 1970 to 2199"),
        ({"user_id": "u" * 256}, "user_id has more than 255 bytes"),
        ({"amount": float("nan")}, "amount is not a finite number below 10^14"),
        ({"amount": -1}, "amount is not between 0 and 10^14"),
        ({"items": None}, "items is null"),
        ({"items": []}, "items hold no line of a quantity above 0, and the amount is above 0"),
        (
            {"amount": None, "items": [{"sku": "A", "qty": 0}, 5]},
            "items holds 2 lines, none valid and of a quantity above 0; the first: items[1] is not a JSON object",
        ),
        ({"items": ""}, "items is not a list"),
        ({"items": [{}, 5]}, "items holds 2 lines, none valid; the first: items[0].sku is absent"),
        ({"amount": None, "items": [{"sku": "A", "qty": 1}]}, "amount is absent while a line has no price"),
        ({"items": [{"sku": "A", "qty": 1, "price": 6 * 10**13}] * 2}, "the lines' amounts sum to 10^14 or more"),
    ],
)
def test_a_rejected_order_names_the_field_and_what_is_wrong(fields: dict[str, Any], detail: str) -> None:
    assert refuse(changed(ORDER, **fields)).detail == detail


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        ([LINE], "invalid_item", "items[1] is not a JSON object"),
        (changed(LINE, sku=ABSENT), "missing_sku", "items[1].sku is absent"),
        (changed(LINE, sku={}), "missing_sku", "items[1].sku is not a string or a whole number"),
        (changed(LINE, sku="x" * 256), "invalid_sku", "items[1].sku has more than 255 bytes"),
        (changed(LINE, sku="A\ud83e"), "invalid_sku", "items[1].sku is broken Unicode: it holds half a surrogate pair"),
        (changed(LINE, qty=0, sku=None), "missing_sku", "items[1].sku is absent or empty"),
        (changed(LINE, qty=ABSENT), "invalid_qty", "items[1].qty is absent"),
        (changed(LINE, qty=10**9), "invalid_qty", "items[1].qty is not a finite number from 0 to below 10^9"),
        (changed(LINE, qty=0, price=-1), "invalid_price", "items[1].price is not between 0 and 10^14"),
        (changed(LINE, price="free"), "invalid_price", "items[1].price is not a finite number below 10^14"),
        (changed(LINE, qty=2, price=5 * 10**13), "invalid_price", "items[1].price times the quantity is 10^14 or more"),
        (changed(LINE, discount=-1), "invalid_discount", "items[1].discount is not between 0 and 10^14"),
        (changed(LINE, tax="x"), "invalid_tax", "items[1].tax is not a finite number below 10^14"),
    ],
)
def test_a_rejected_line_names_its_position_and_what_is_wrong(line: object, reason: str, detail: str) -> None:
    assert refuse_line(line) == Failure(reason, detail, 1)


def test_the_highest_price_is_accepted_whatever_the_quantity() -> None:
    line = {"sku": "A", "qty": Decimal("0.0001"), "price": Decimal("99999999999999.9999")}
    assert len(accept(changed(ORDER, items=[line])).failures) == 0


# An order leaves


@pytest.mark.parametrize("items", [ABSENT, None, [], [LINE], 5])
@pytest.mark.parametrize("wrong", [{}, {"amount": "x", "user_id": "u" * 256, "currency": 5}])
def test_a_deleted_order_leaves_whatever_else_it_holds(items: object, wrong: dict[str, Any]) -> None:
    read = read_order(changed(ORDER, deleted=True, items=items, **wrong))
    assert read == GoneOrder("o-1", datetime(2025, 8, 20, 10, tzinfo=UTC), deleted=True)


@pytest.mark.parametrize(
    ("times", "found"),
    [
        ({"updated_at": "2025-08-21"}, 21),
        ({"updated_at": "2025-08-21", "created_at": None}, 21),
        ({"updated_at": None, "created_at": "2025-08-20"}, 20),
        ({}, "missing_created_at"),
        ({"created_at": None, "updated_at": None}, "missing_created_at"),
        ({"created_at": "soon", "updated_at": "2025-08-21"}, "invalid_created_at"),
        ({"updated_at": "soon"}, "invalid_updated_at"),
        ({"updated_at": "soon", "created_at": "2025-08-21"}, "invalid_updated_at"),
    ],
)
def test_a_deleted_order_needs_an_id_and_a_readable_time(times: dict[str, Any], found: int | str) -> None:
    read = read_order({"order_id": 5, "deleted": True, **times})
    if isinstance(found, str):
        assert isinstance(read, Failure)
        assert read.reason == found
        return
    assert read == GoneOrder("5", datetime(2025, 8, found, tzinfo=UTC), deleted=True)
    assert refuse({"deleted": True, **times}).reason == "missing_order_id"


@pytest.mark.parametrize("amount", [ABSENT, None, 0, "0.0", Decimal("0.00001"), Decimal("-0.00001")])
@pytest.mark.parametrize(
    "items", [[], [changed(LINE, qty=0)], [changed(LINE, qty="0"), changed(LINE, price=ABSENT, qty=0)]]
)
def test_an_order_without_lines_and_amount_leaves(amount: object, items: list[object]) -> None:
    read = read_order(changed(ORDER, amount=amount, items=items))
    assert read == GoneOrder("o-1", datetime(2025, 8, 20, 10, tzinfo=UTC), deleted=False, lines_skipped=len(items))


def test_a_line_of_quantity_0_is_skipped_and_counted() -> None:
    zero = [changed(LINE, sku="B", qty=0), changed(LINE, sku="C", qty=Decimal("0.00005"), price=None)]
    read = accept(changed(ORDER, amount=None, items=[zero[0], LINE, zero[1]]))
    assert [(at, line["sku"]) for at, line in read.lines] == [(1, "A")]
    assert (read.amount, read.lines_skipped, len(read.failures)) == (Decimal("2.5"), 2, 0)


def test_quantities_that_sum_over_the_limit_refuse_the_order() -> None:
    lines = [{"sku": "A", "qty": 999_999_999, "price": 0}] * 100_001
    assert refuse(changed(ORDER, items=lines)) == Failure("invalid_items", "the lines' quantities sum to 10^14 or more")


def test_the_first_rule_that_fails_is_the_reason() -> None:
    wrong: dict[str, Any] = {
        "order_id": None,
        "created_at": None,
        "updated_at": 5,
        "user_id": "u" * 256,
        "amount": -1,
        "items": None,
    }
    found = []
    for name, good in {
        "order_id": 1,
        "created_at": "2025-08-20",
        "updated_at": None,
        "user_id": None,
        "amount": None,
    }.items():
        found.append(refuse(wrong).reason)
        wrong[name] = good
    found.append(refuse(wrong).reason)
    assert found == [
        *(
            "missing_order_id",
            "missing_created_at",
            "invalid_updated_at",
            "invalid_user_id",
            "invalid_amount",
            "no_items",
        )
    ]
    in_any_order = dict(reversed({"order_id": None, "created_at": None, "items": None}.items()))
    assert refuse(in_any_order).reason == "missing_order_id"


def test_within_a_line_the_sku_is_judged_first_then_quantity_then_price() -> None:
    assert refuse_line({"price": "x", "qty": "x"}).reason == "missing_sku"
    assert refuse_line({"price": "x", "qty": "x", "sku": 1}).reason == "invalid_qty"
    assert refuse_line({"price": "x", "qty": "1", "sku": 1}).reason == "invalid_price"


def test_every_reason_is_listed() -> None:
    assert len(set(ORDER_REASONS)) == len(ORDER_REASONS)
    assert len(set(LINE_REASONS)) == len(LINE_REASONS)


@settings(max_examples=150, deadline=None)
@given(st.one_of(orders(), leaving(), odd_records()))
def test_read_order_agrees_with_the_reference(record: object) -> None:
    read, expected = read_order(record), reference_fold.validate(record)
    if isinstance(expected, reference_fold.Rejected):
        assert isinstance(read, Failure)
        assert (read.reason, read.line) == (expected.reason, None)
        assert read.reason in ORDER_REASONS
        assert read.detail
        return
    if isinstance(expected, reference_fold.Gone):
        assert read == GoneOrder(expected.order_id, expected.updated_at, expected.deleted, expected.skipped)
        return
    assert isinstance(read, ReadOrder)
    assert read.lines_skipped == expected.skipped
    for name in ("order_id", "user_id", "currency", "created_at", "updated_at", "status", "source", "promo"):
        assert getattr(read, name) == getattr(expected, name), name
    assert read.amount == Decimal(expected.amount).scaleb(-4)
    assert [(line["sku"], line["qty"], line.get("name")) for _, line in read.lines] == [
        (line.sku, Decimal(line.qty).scaleb(-4), line.name) for line in expected.lines
    ]
    for name in ("price", "discount", "tax"):
        values = [getattr(line, name) for line in expected.lines]
        assert [line.get(name) for _, line in read.lines] == [v if v is None else Decimal(v).scaleb(-4) for v in values]
    for name in ("discount", "tax", "shipping"):
        value = getattr(expected, name)
        assert read.charges.get(name) == (value if value is None else Decimal(value).scaleb(-4)), name
    assert read.charges.get("cancelled_at") == expected.cancelled_at
    assert len(read.charges.get("refunds") or []) == len(expected.refunds)
    user = read.charges.get("user") or {}
    assert (user.get("email"), user.get("country")) == (expected.email, expected.country)
    assert [(f.reason, f.line) for f in read.failures] == [(r.reason, r.line) for r in expected.rejects]
    assert all(f.reason in LINE_REASONS for f in read.failures)


# Orders


def test_an_absent_amount_is_the_sum_of_the_rounded_lines() -> None:
    lines = [
        {"sku": "A", "qty": Decimal("0.5"), "price": Decimal("0.0001")},
        {"sku": "B", "qty": 3, "price": Decimal("1.1")},
    ]
    for amount in (None, ABSENT):
        assert accept(changed(ORDER, amount=amount, items=lines)).amount == Decimal("3.3000")


def test_a_stated_amount_stays_whatever_the_lines_sum_to() -> None:
    assert accept(changed(ORDER, amount=0)).amount == 0
    assert accept(changed(ORDER, amount="7.5")).amount == Decimal("7.5")


def test_an_absent_price_stays_null() -> None:
    read = accept(changed(ORDER, items=[{"sku": "A", "qty": 1, "price": None}, {"sku": "B", "qty": 1}]))
    assert [line.get("price") for _, line in read.lines] == [None, None]


def test_a_rejected_line_counts_neither_for_the_sum_nor_for_a_missing_price() -> None:
    read = accept(changed(ORDER, amount=None, items=[LINE, {"sku": "B"}, {"sku": "", "qty": 1, "price": 9}]))
    assert read.amount == Decimal("2.5")
    assert [failure.line for failure in read.failures] == [1, 2]


@pytest.mark.parametrize("user", [None, "", " ", 1.5, [], {}, True])
def test_without_a_usable_user_it_is_a_guest(user: object) -> None:
    assert accept(changed(ORDER, user_id=user)).user_id is None


def test_ids_may_be_whole_numbers_in_any_form() -> None:
    read = accept(changed(ORDER, order_id=12, user_id=-3, items=[changed(LINE, sku=0)]))
    assert (read.order_id, read.user_id, read.lines[0][1]["sku"]) == ("12", "-3", "0")
    read = accept(changed(ORDER, order_id=Decimal("501.0"), user_id=7.0, items=[changed(LINE, sku=Decimal("-0.0"))]))
    assert (read.order_id, read.user_id, read.lines[0][1]["sku"]) == ("501", "7", "0")
    read = accept(changed(ORDER, order_id=Decimal("5.01e2"), user_id="501.0", items=[changed(LINE, sku=1e22)]))
    assert (read.order_id, read.user_id, read.lines[0][1]["sku"]) == ("501", "501.0", "1" + "0" * 22)


@pytest.mark.parametrize("metadata", [None, "web", 5, ["source"], True, ABSENT, {}])
def test_metadata_that_is_no_object_gives_nulls(metadata: object) -> None:
    read = accept(changed(ORDER, metadata=metadata))
    assert (read.source, read.promo) == (None, None)


def test_labels_are_cleaned_cut_and_counted() -> None:
    read = accept(
        changed(
            ORDER, currency=" eur\0 ", status="é" * 200, metadata={"source": 5, "promo": "x" * 254 + "é", "other": 1}
        )
    )
    assert (read.currency, read.status, read.source, read.promo) == ("EUR", "é" * 127, "5", "x" * 254)
    assert read.texts_cut == 2


def test_currency_is_cut_after_it_was_made_upper_case() -> None:
    read = accept(changed(ORDER, currency="ŉ" * 100))
    assert read.currency is not None
    assert len(read.currency.encode()) <= 255
    assert (read.currency[:2], read.texts_cut) == ("\u02bcN", 1)


def test_updated_at_is_created_at_where_there_is_none() -> None:
    for updated in (None, ABSENT):
        assert accept(changed(ORDER, updated_at=updated)).updated_at == datetime(2025, 8, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize("size", [254, 255, 256])
def test_ids_hold_255_bytes(size: int) -> None:
    for text in ("x" * size, "é" * (size // 2) + "x" * (size % 2)):
        resolved = [read_order(changed(ORDER, **{name: text})) for name in ("order_id", "user_id")]
        assert [isinstance(verdict, ReadOrder) for verdict in resolved] == [size <= 255] * 2
        line = changed(LINE, sku=text)
        assert len(accept(changed(ORDER, items=[LINE, line])).lines) == (2 if size <= 255 else 1)
