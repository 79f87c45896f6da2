"""The bulk path takes plain orders itself, and falls back no further than it must."""

import json
from typing import Any

import pytest
from page_texts import join_page
from polars.testing import assert_frame_equal

from ordersetl.source.page import Page
from ordersetl.star.frames import PAGE_BITS
from ordersetl.transform.bulk import NOTHING_READ, read_bulk
from ordersetl.transform.validate import validate_pages
from ordersetl.window import Window

ORDER: dict[str, Any] = {
    "order_id": "o-1",
    "user_id": "u-1",
    "amount": 2.5,
    "currency": "usd",
    "created_at": "2025-08-20T10:00:00Z",
    "updated_at": "2025-08-21T10:00:00Z",
    "status": "paid",
    "items": [{"sku": "A-1", "qty": 2, "price": 1.25}, {"sku": "B", "qty": 0.5, "price": 0}],
    "metadata": {"source": "web", "promo": None},
}
BARE = {"order_id": 7, "created_at": "2025-08-20T10:00:00", "amount": 1, "items": [{"sku": 5, "qty": 1}]}


def changed(**fields: Any) -> dict[str, Any]:
    return {**ORDER, **fields}


def doubtful(*texts: str) -> list[int]:
    """Indexes of the records that were left to the models."""
    read = read_bulk([Page(1, join_page(texts).encode())])
    assert read.pages == {1}
    assert read.orders.height + len(read.fallback) == len(texts)
    return [record.pos - (1 << PAGE_BITS) for record in read.fallback]


PLAIN = {
    "every field": ORDER,
    "nothing optional": BARE,
    "all optional null": {**BARE, **dict.fromkeys(("user_id", "currency", "updated_at", "status", "metadata"))},
    "unknown keys": changed(note="x", tags=["a", {"b": None}], customer={"name": "é", "vip": True}),
    "unknown keys in lines": changed(items=[{"sku": "A", "qty": 1, "price": 1, "title": "Shoe", "vat": {"rate": 0.2}}]),
    "null prices": changed(
        items=[{"sku": "A", "qty": 1, "price": None}, {"sku": "B", "qty": 1, "price": 2}, {"sku": "C", "qty": 3}]
    ),
    "no amount": {key: value for key, value in ORDER.items() if key != "amount"},
    "null amount": changed(amount=None),
    "float noise": changed(amount=107.91000000000001, items=[{"sku": "A", "qty": 0.30000000000000004, "price": 35.97}]),
    "numbers as text": changed(amount="12.50", items=[{"sku": "A", "qty": "2", "price": "6.25"}]),
    "large numbers": changed(amount=12345678901234, items=[{"sku": "A", "qty": 999999999, "price": 89999}]),
    "accents": changed(status="pagó ya", metadata={"source": "Ñandú", "promo": "été"}, user_id="ü 3", order_id="Ördér"),
    "slashes and quotes elsewhere": changed(url='https://example.org/?q="x"\n'),
    "repeated skus": changed(items=ORDER["items"] * 2),
    "integer ids": changed(order_id=12345678901234567, user_id=0),
    "ids that pandas has touched": changed(
        order_id=501.0, user_id=7.0, items=[{"sku": 5.0, "qty": 1.0, "price": 2.5}] * 3
    ),
    "ids of 15 digits": changed(order_id=123456789012345.0, user_id=None),
    "not deleted": changed(deleted=False),
    "nothing about deleted": changed(deleted=None, note="x : y"),
}


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("name", PLAIN)
def test_plain_orders_are_never_in_doubt(name: str, *, ascii_only: bool) -> None:
    assert doubtful(json.dumps(PLAIN[name], ensure_ascii=ascii_only)) == []
    assert doubtful(json.dumps(PLAIN[name], ensure_ascii=ascii_only, indent=2)) == []


@pytest.mark.parametrize(
    "time",
    [
        "2025-08-20T10:00:00Z",
        "2025-08-20T10:00:00",
        "2025-08-20T10:00:00.5Z",
        "2025-08-20T10:00:00.123456+00:00",
        "2025-08-20T10:00:00+02:00",
        "2025-08-20T10:00:00.123-05:30",
    ],
)
def test_times_in_the_usual_forms_are_plain_also_when_mixed(time: str) -> None:
    texts = [json.dumps(changed(created_at=time, updated_at=at)) for at in (time, None, "2025-08-22T00:00:00Z")]
    assert doubtful(*texts) == []


def test_a_page_of_mixed_time_forms_is_plain() -> None:
    forms = (
        "2025-08-20T10:00:00+00:00",
        "2025-08-20T10:00:00.5",
        "2025-08-20T10:00:00.123456+02:00",
        "2025-08-20T10:00:00Z",
    )
    assert doubtful(*(json.dumps(changed(created_at=form)) for form in forms)) == []


def test_only_what_is_odd_is_in_doubt_and_as_it_came() -> None:
    odd = '{"order_id": "x", "amount": 1.00005000000000000001, "amount": 2.50}'
    plain = json.dumps(ORDER)
    read = read_bulk([Page(3, join_page([plain, odd, plain, "5", "null"]).encode())])
    assert read.orders["pos"].to_list() == [3 << PAGE_BITS, (3 << PAGE_BITS) + 2]
    assert [(record.pos - (3 << PAGE_BITS), record.text) for record in read.fallback] == [
        (1, odd),
        (3, "5"),
        (4, "null"),
    ]


def test_a_number_on_a_tie_is_left_to_the_models() -> None:
    texts = [json.dumps(changed(amount=amount)) for amount in (1.00005, 1.00015, 1.00004, 1.000051)]
    assert doubtful(*texts) == [0, 1]


def test_ids_that_pandas_has_touched_are_whole_numbers_as_text() -> None:
    record = changed(order_id=501.0, user_id=7.0, items=[{"sku": 5.0, "qty": 1.0, "price": 2.5}])
    read = read_bulk([Page(1, join_page([json.dumps(record)]).encode())])
    assert read.orders.select("order_id", "user_id").row(0) == ("501", "7")
    assert read.items["sku"].to_list() == ["5"]


def test_what_a_double_may_have_made_whole_is_left_to_the_models() -> None:
    texts = [
        json.dumps(ORDER).replace('"o-1"', number) for number in ("501.0", "501.00", "501.00000000000000001", "1e-400")
    ]
    assert doubtful(*texts) == [1, 2, 3]


def test_what_leaves_is_left_to_the_models() -> None:
    changes: list[dict[str, Any]] = [{}, {"deleted": True}, {"items": []}, {"items": [{"sku": "A", "qty": 0}]}]
    assert sorted(doubtful(*(json.dumps(changed(**change)) for change in changes))) == [1, 2, 3]


def test_one_page_that_is_not_strict_json_leaves_the_others_alone() -> None:
    good = join_page([json.dumps(ORDER)]).encode()
    read = read_bulk(
        [
            Page(1, good),
            Page(2, good.replace(b"2.5", b"NaN")),
            Page(3, good[1:] if good[:1] == b"[" else b"\xef\xbb\xbf" + good),
            Page(4, good),
        ]
    )
    assert read.pages == {1, 4}
    assert read.orders["pos"].to_list() == [1 << PAGE_BITS, 4 << PAGE_BITS]


LINE: dict[str, Any] = {"sku": "A", "qty": 1, "price": 2.5}
REFUND: dict[str, Any] = {"refund_id": "r", "created_at": "2025-08-22T10:00:00Z", "amount": 1}
SELDOM: dict[str, dict[str, Any]] = {
    "discount": {"discount": 1},
    "discount of a line": {"items": [{**LINE, "discount": 1}]},
    "tax": {"tax": "0.5"},
    "tax of a line": {"items": [{**LINE, "tax": 0.5}]},
    "shipping": {"shipping": 3},
    "cancelled_at": {"cancelled_at": "2025-08-22T10:00:00Z"},
    "name": {"items": [{**LINE, "name": "Shoe"}]},
    "user": {"user": {"email": "a@example.org", "country": "SE", "name": "Åsa"}},
    "refunds": {"refunds": [REFUND]},
    "refunds of lines": {"refunds": [{**REFUND, "items": [{"sku": "A", "amount": 1}]}]},
}


@pytest.mark.parametrize("name", SELDOM)
def test_an_optional_field_that_no_sample_mentions_is_left_to_the_models(name: str) -> None:
    texts = [json.dumps(changed(order_id=f"o-{index}", items=[LINE])) for index in range(1200)]
    texts[1] = json.dumps(changed(order_id="o-1", **{"items": [LINE], **SELDOM[name]}))  # beside every third
    texts[4] = json.dumps(changed(order_id="o-4", **{"items": [LINE], "unknown": 1, **SELDOM[name]}))
    assert doubtful(*texts) == [1, 4]
    pages = [Page(1, join_page(texts).encode())]
    fast, slow = (validate_pages(pages, Window(), bulk=bulk) for bulk in (True, False))
    for table in ("orders", "items", "refunds"):
        keys = ["pos", "sku"] if table != "orders" else ["pos"]
        assert_frame_equal(getattr(fast, table).sort(keys), getattr(slow, table).sort(keys))
    assert doubtful(*texts[:5]) == []  # where it is in the sample, it is read in bulk


def test_cursors_and_nested_orders_do_not_send_a_page_to_the_models() -> None:
    body = join_page([json.dumps(changed(customer={"orders": 3}))], '{{"next_cursor":12345678901234567,"orders":{}}}')
    read = read_bulk([Page(1, body.encode())])
    assert (read.orders.height, len(read.fallback)) == (1, 0)


def test_nothing_to_read_gives_nothing() -> None:
    assert read_bulk([]) is NOTHING_READ
    assert read_bulk([Page(1, b"\xef\xbb\xbf[]")]).orders.is_empty()


def test_a_database_that_refuses_leaves_all_to_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [Page(1, join_page([json.dumps(ORDER)]).encode())]
    expected = validate_pages(pages, Window())
    monkeypatch.setattr("ordersetl.transform.fields._query", lambda _: "SELECT error(record) FROM given")
    assert read_bulk(pages) is NOTHING_READ
    assert_frame_equal(validate_pages(pages, Window()).orders, expected.orders)
