"""One native record becomes an order of the generic API: fields, lines, refunds, and what is no order."""

from decimal import Decimal
from typing import Any

import pytest

from ordersetl.source.description.mapping import Mapping
from ordersetl.source.mapping.record import list_native_lines, map_record, name_skipped
from ordersetl.source.nested import DeepRecord
from ordersetl.transform.models import read_order
from ordersetl.transform.order_lines import Failure

ORDER = {"order_id": "id", "created_at": "made", "updated_at": "changed", "user_id": "buyer.id", "amount": "total"}
ITEMS = {"list": "lines", "sku": "code", "qty": "count", "price": "each"}


def mapping(**parts: Any) -> Mapping:
    """A mapping of a small record, with parts replaced or added; those of ``order`` and ``items`` one by one."""
    order, items = ORDER | parts.pop("order", {}), ITEMS | parts.pop("items", {})
    return Mapping.model_validate({"order": order, "items": items, **parts})


def record(**changes: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "made": "2025-08-20T10:00:00Z",
        "changed": "2025-08-21T10:00:00Z",
        "buyer": {"id": 9},
        "total": "12.50",
        "lines": [{"code": "A", "count": 2, "each": "6.25"}],
        **changes,
    }


def test_a_record_becomes_an_order() -> None:
    assert map_record(mapping(), record()) == {
        "order_id": 7,
        "created_at": "2025-08-20T10:00:00Z",
        "updated_at": "2025-08-21T10:00:00Z",
        "user_id": 9,
        "amount": "12.50",
        "items": [
            {"sku": "A", "qty": 2, "name": None, "price": "6.25", "total": None, "discount": None, "tax": None},
        ],
        "currency": None,
        "status": None,
        "discount": None,
        "tax": None,
        "shipping": None,
        "cancelled_at": None,
        "metadata": {"source": None, "promo": None},
        "user": {"email": None, "country": None},
    }


def test_what_cannot_be_read_stays_as_it_is_for_the_rules_to_refuse() -> None:
    odd = record(made="soon", total=[], lines={"url": "/lines"}, id=None)
    mapped = map_record(mapping(), odd)
    assert (mapped["created_at"], mapped["order_id"], mapped["items"]) == ("soon", None, {"url": "/lines"})
    assert map_record(mapping(), record(lines=[5, None]))["items"] == [5, None]
    assert map_record(mapping(), "text") == "text"
    assert map_record(mapping(), None) is None


@pytest.mark.parametrize(
    ("field", "expression", "reason"),
    [
        ("amount", "sum(parts[].each)", "invalid_amount"),  # one of them is text
        ("amount", "to_number(odd)", "invalid_amount"),
        ("discount", "sum(parts[].each)", "invalid_discount"),
        ("tax", "max(parts[].each)", "invalid_tax"),
        ("updated_at", "join(`5`, parts)", "invalid_updated_at"),
        ("cancelled_at", "join(`5`, parts)", "invalid_cancelled_at"),
    ],
)
def test_an_expression_that_fails_is_no_absent_value(field: str, expression: str, reason: str) -> None:
    given = record(parts=[{"each": Decimal("1.5")}, {"each": "2"}], odd="1,234.50")
    found = read_order(map_record(mapping(order={field: expression}), given), totals=True)
    assert isinstance(found, Failure)
    assert found.reason == reason


@pytest.mark.parametrize("blank", [None, "", " "])
def test_no_number_is_read_of_a_blank_text(blank: str | None) -> None:
    assert map_record(mapping(order={"amount": "to_number(odd)"}), record(odd=blank))["amount"] is None


def test_a_condition_that_cannot_be_told_does_not_hold() -> None:
    failing = {"when": "contains(`5`, state)", "name": "drafts"}
    assert name_skipped(mapping(skip=[failing]), record()) is None
    order = map_record(mapping(order={"cancelled": "contains(`5`, state)", "deleted": "sum(state)"}), record())
    assert order["cancelled_at"] is None
    assert "deleted" not in order


@pytest.mark.parametrize("user", [0, "0", "0.0", Decimal("0.0"), "", None, "anonymous"])
def test_ids_that_stand_for_nobody_are_guests(user: object) -> None:
    guests = mapping(guests=["0", "0.0", "anonymous"])
    assert map_record(guests, record(buyer={"id": user}))["user_id"] in {None, ""}


def test_a_user_is_no_guest_for_a_name_that_only_looks_like_one() -> None:
    assert map_record(mapping(), record(buyer={"id": "00"}))["user_id"] == "00"
    assert map_record(mapping(guests=[]), record(buyer={"id": 0}))["user_id"] == 0


@pytest.mark.parametrize(
    ("line", "sku"),
    [
        ({"code": "A"}, "A"),
        ({"code": 0, "variant": 5}, 0),
        ({"code": " ", "variant": 5, "product": 6}, "variant:5"),
        ({"code": None, "variant": 0, "product": 6}, "product:6"),
        ({"code": "", "variant": "0", "product": "x-6"}, "product:x-6"),
        ({"variant": "", "product": Decimal("6.0")}, "product:6"),
        ({"code": True, "variant": 5}, "variant:5"),
        ({"code": "", "variant": None, "product": 0}, ""),
        ({"variant": 9007199254740993}, "variant:9007199254740993"),
        ({"variant": "\ud83e"}, "variant:\ud83e"),
    ],
)
def test_a_blank_sku_is_the_first_id_that_is_there_after_its_prefix(line: dict[str, Any], sku: object) -> None:
    fallbacks = [{"prefix": "variant", "id": "variant"}, {"prefix": "product", "id": "product"}]
    mapped = map_record(mapping(items={"fallbacks": fallbacks}), record(lines=[line | {"count": 1}]))
    assert mapped["items"][0]["sku"] == sku


def test_a_line_that_repeats_another_s_value_is_skipped_in_its_place() -> None:
    bundle = [{"code": "KIT", "count": 1, "each": 5}, {"code": "PART", "count": 3, "parent": 1}, {"code": "B"}]
    children = mapping(items={"skip": "parent"})
    skipped = map_record(children, record(lines=bundle))["items"]
    assert [item["sku"] for item in skipped] == ["KIT", "skipped", "B"]
    assert skipped[1]["qty"] == 0
    assert list_native_lines(children, record(lines=bundle))[1]["code"] == "PART"


def test_a_condition_holds_where_its_value_does_not_say_no() -> None:
    gone = mapping(
        order={"deleted": "gone", "cancelled": "gone"}, items={"skip": "gone"}, skip=[{"name": "s", "when": "gone"}]
    )
    no: list[object] = [None, False, "", [], {}, 0, Decimal("0.0"), "0", "false", "FALSE ", "no", "N", "Off", " "]
    yes: list[object] = [True, 1, "true", "yes", "1", "none", "o", [0], {"a": 1}, Decimal("0.1")]
    for values, holds in ((no, False), (yes, True)):
        for value in values:
            order = map_record(gone, record(gone=value, lines=[{"code": "A", "gone": value}]))
            assert ("deleted" in order) is holds, value
            assert (order["cancelled_at"] is not None) is holds
            assert (order["items"][0]["sku"] == "skipped") is holds
            assert (name_skipped(gone, record(gone=value)) == "s") is holds


def test_within_an_expression_truth_is_that_of_jmespath() -> None:
    gone = mapping(order={"deleted": "gone || other"})
    assert "deleted" not in map_record(gone, record(gone="no", other=True))
    assert map_record(gone, record(gone=None, other="yes"))["deleted"] is True
    unless = mapping(order={"deleted": "!kept"})
    assert "deleted" not in map_record(unless, record(kept="no"))
    assert map_record(unless, record(kept=False))["deleted"] is True


def test_an_order_cancelled_without_a_time_was_so_as_of_its_version() -> None:
    cancelled = mapping(order={"cancelled": "state == 'off'", "cancelled_at": "stopped"})
    assert map_record(cancelled, record(state="on"))["cancelled_at"] is None
    assert map_record(cancelled, record(state="off"))["cancelled_at"] == "2025-08-21T10:00:00Z"
    assert map_record(cancelled, record(state="off", changed=None))["cancelled_at"] == "2025-08-20T10:00:00Z"
    told = record(state="off", stopped="2025-08-20T12:00:00Z")
    assert map_record(cancelled, told)["cancelled_at"] == "2025-08-20T12:00:00Z"


REFUNDS = {
    "list": "returned",
    "refund_id": "id",
    "created_at": "at",
    "amount": "sum",
    "items": {"list": "lines", "sku": "code", "fallbacks": [{"prefix": "v", "id": "v"}], "qty": "n", "amount": "sum"},
}


def test_refunds_and_their_lines_are_mapped_without_the_signs_that_say_what_they_are() -> None:
    back = {
        "id": 1,
        "at": "2025-08-22T10:00:00Z",
        "sum": "-9.00",
        "lines": [{"code": "", "v": 5, "n": -2, "sum": Decimal("-8.5")}, "odd"],
    }
    found = mapping(refunds=REFUNDS, absolute=["refunds", "refund_items"])
    assert map_record(found, record(returned=[back]))["refunds"] == [
        {
            "refund_id": 1,
            "created_at": "2025-08-22T10:00:00Z",
            "amount": "9.00",
            "items": [{"sku": "v:5", "qty": 2, "amount": Decimal("8.5")}, "odd"],
        }
    ]
    assert map_record(found, record())["refunds"] is None
    assert map_record(found, record(returned={"count": 1}))["refunds"] == {"count": 1}
    assert "refunds" not in map_record(mapping(), record(returned=[back]))


def test_refunds_may_have_times_of_another_format() -> None:
    times = mapping(times="rfc2822", refunds={**REFUNDS, "times": "epoch"})
    mapped = map_record(times, record(made="Wed, 20 Aug 2025 12:00:00 +0200", returned=[{"id": 1, "at": 1755684000}]))
    assert mapped["created_at"] == "2025-08-20T10:00:00+00:00"
    assert mapped["refunds"][0]["created_at"] == "2025-08-20T10:00:00+00:00"


def test_records_that_are_no_orders_are_named() -> None:
    skips = mapping(skip=[{"name": "tests", "when": "test"}, {"name": "drafts", "when": "state == 'draft'"}])
    assert name_skipped(skips, record()) is None
    assert name_skipped(skips, record(state="draft")) == "drafts"
    assert name_skipped(skips, record(state="draft", test=True)) == "tests"
    assert name_skipped(skips, "no object") is None
    assert name_skipped(skips, DeepRecord(test=True)) is None  # what else it holds cannot be read


def test_money_in_the_smallest_unit_is_that_of_the_order_s_currency() -> None:
    minor = mapping(money="minor", order={"currency": "cash"}, absolute=["discount"], refunds=REFUNDS)
    mapped = map_record(minor, record(cash="kwd", total=12345, lines=[{"code": "A", "count": 1, "each": "500"}]))
    assert mapped["amount"] == Decimal("12.345")
    assert mapped["items"][0]["price"] == Decimal("0.5")
    assert map_record(minor, record(cash="JPY", total=500))["amount"] == 500
    unknown = map_record(minor, record(cash="XXX", total=500))["amount"]
    assert unknown == "500 in the smallest unit of XXX"  # which is no number, so that it is refused
    assert map_record(minor, record(total=500))["amount"] == "500 in the smallest unit of an unknown currency"
