"""Whichever path computed it, the result and the values are those of the models, and both are the reference's."""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import reference_fold
from hypothesis import HealthCheck, given, settings, strategies as st
from page_texts import NUMBERS, join_page, page_sequences
from polars.testing import assert_frame_equal
from strategies import BEGINNINGS, ZONES, windows

from ordersetl.lake.fold_settings import DEFAULTS, FoldSettings
from ordersetl.source.page import Page
from ordersetl.star.lines import merge_refunds
from ordersetl.transform.validate import Validated, validate_pages
from ordersetl.window import Window

NO_WINDOW = Window()
COUNTS = ("outside_window", "future_updated_at", "deleted", "emptied", "cancelled", "refunded")


def sorted_frames(found: Validated) -> tuple[pl.DataFrame, ...]:
    return found.orders.sort("pos"), found.items.sort(found.items.columns), found.refunds.sort(found.refunds.columns)


def assert_both_paths_agree(
    pages: list[Page], window: Window = NO_WINDOW, fold_settings: FoldSettings = DEFAULTS
) -> Validated:
    slow = validate_pages(pages, window, fold_settings, bulk=False)
    fast = validate_pages(pages, window, fold_settings, bulk=True)
    for ours, theirs in zip(sorted_frames(fast), sorted_frames(slow), strict=True):
        assert_frame_equal(ours, theirs)
    assert [reject.to_json("b") for reject in fast.rejects] == [reject.to_json("b") for reject in slow.rejects]
    assert fast.counts == slow.counts
    return fast


def money(units: int | None) -> Decimal | None:
    return None if units is None else Decimal(units).scaleb(-4)


def naive(time: datetime) -> datetime:
    return time.replace(tzinfo=None)


def assert_reference_agrees(
    found: Validated, pages: list[Page], window: Window, fold_settings: FoldSettings = DEFAULTS
) -> None:
    """Compare what was found with what the reference finds on the same pages."""
    rules = reference_fold.Rules(fold_settings.timezone, frozenset(fold_settings.cancelled_statuses))
    orders: list[tuple[Any, ...]] = []
    items: list[tuple[Any, ...]] = []
    refunds: list[tuple[Any, ...]] = []
    rejects: list[tuple[Any, ...]] = []
    counts: Counter[str] = Counter()
    for page in pages:
        answer = reference_fold.read_json(page.body)
        records = answer["orders"] if isinstance(answer, dict) else answer
        assert isinstance(records, list)
        validated = reference_fold.validate_batch(
            reference_fold.Batch(records, None, None, window.since, window.until, window.began_at)
        )
        counts += Counter(outside_window=validated.outside_window, future_updated_at=validated.future)
        rejects += [(page.number, r.index, r.line, r.scope, r.reason) for r in validated.rejects]
        for index, order in validated.accepted.items():
            pos = (page.number << 32) + index
            if isinstance(order, reference_fold.Gone):
                counts["deleted" if order.deleted else "emptied"] += 1
                orders.append((pos, None, order.order_id, *[None] * 4, naive(order.updated_at), *[None] * 9))
                continue
            cancelled, day = rules.is_cancelled(order), rules.day_of(order.created_at)
            rows = reference_fold.refund_rows(order)
            counts += Counter(cancelled=cancelled, refunded=bool(rows))
            values = (order.order_id, order.user_id, money(order.amount), order.currency)
            times = (naive(order.created_at), naive(order.updated_at))
            labels = (order.status, order.source, order.promo, cancelled, order.email, order.country)
            charges = (money(order.discount), money(order.tax), money(order.shipping))
            orders.append((pos, day, *values, *times, *labels, *charges))
            items += [
                (pos, x.sku, money(x.qty), money(x.price), money(x.discount), money(x.tax), x.name) for x in order.lines
            ]
            for row in rows:
                key = (pos, day, order.order_id, row.refund_id, row.sku)
                refunds.append((*key, money(row.qty), money(row.amount), order.currency, naive(row.refunded_at)))
    assert {name: getattr(found.counts, name) for name in COUNTS} == {name: counts[name] for name in COUNTS}
    assert found.orders.sort("pos").rows() == orders
    assert sorted(found.items.rows(), key=repr) == sorted(items, key=repr)
    assert sorted(merge_refunds(found.orders, found.refunds).rows(), key=repr) == sorted(refunds, key=repr)
    reported = [(r.page, r.index, r.line, "order" if r.line is None else "line", r.reason) for r in found.rejects]
    assert reported == rejects


def is_strict(body: bytes) -> bool:
    """Whether the reference's JSON reader takes it: no control characters in strings, no invalid Unicode."""
    try:
        reference_fold.read_json(body)
    except ValueError:
        return False
    return True


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    pages=page_sequences(),
    window=windows(),
    began_at=st.sampled_from((None, *BEGINNINGS)),
    zone=st.sampled_from(ZONES),
    statuses=st.sampled_from((("cancelled",), ("paid", "ŉ"), ())),
)
def test_both_paths_and_the_reference_agree_on_any_pages(
    pages: list[Page],
    window: tuple[datetime | None, datetime | None],
    began_at: datetime | None,
    zone: str,
    statuses: tuple[str, ...],
) -> None:
    fold_settings = FoldSettings(zone, statuses)
    found = assert_both_paths_agree(pages, Window(*window, began_at=began_at), fold_settings)
    if all(is_strict(page.body) for page in pages):
        assert_reference_agrees(found, pages, Window(*window, began_at=began_at), fold_settings)


LINE = '{"sku":"A","qty":2,"price":1.25}'
BASE = '"order_id":"o-1","created_at":"2025-08-20T10:00:00Z"'


def order(more: str = '"amount":2.5', items: str = f"[{LINE}]") -> str:
    return f'{{{BASE},{more},"items":{items}}}'


def refund(more: str = '"note":null') -> str:
    return f'{{"refund_id":"r-1","created_at":"2025-08-25T10:00:00Z","amount":4,{more}}}'


def refunded(*refunds: str) -> str:
    return order(f'"amount":2.5,"refunds":[{",".join(refunds)}]')


NASTY = {
    "value, then null": order('"amount":2.5,"amount":null'),
    "null, then value": order('"amount":null,"amount":7'),
    "value, then another": order('"amount":1,"amount":2'),
    "value, then nonsense": order('"amount":1,"amount":"x"'),
    "escaped key": order('"amount":1,"amoun\\u0074":2'),
    "escaped key alone": order('"\\u0061mount":2'),
    "key in capitals": order('"AMOUNT":2,"Order_Id":5'),
    "items twice": order('"items":[],"amount":1'),
    "items, then null": order(f'"items":[{LINE}],"amount":1', "null"),
    "metadata twice": order('"metadata":{"source":"a"},"metadata":null,"amount":1'),
    "metadata no object": order('"metadata":[{"source":"a"}],"amount":1'),
    "source twice": order('"amount":1,"metadata":{"source":"a","source":"b"}'),
    "source at the top": order('"amount":1,"source":"x","metadata":{"promo":"b"}'),
    "null elsewhere": order('"note":{"amount":null},"amount":1'),
    "key hidden in text": order('"amount":1,"amount":2,"note":"\\"amount\\":"'),
    "price, then null, and none": order(items='[{"sku":"A","qty":1,"price":1,"price":null},{"sku":"B","qty":1}]'),
    "null, then price": order(items='[{"sku":"A","qty":1,"price":null,"price":1}]'),
    "quantity twice": order(items='[{"sku":"A","qty":1,"qty":5,"price":1}]'),
    "sku nested": order(items='[{"sku":"A","qty":1,"price":1,"kit":{"sku":"B"}}]'),
    "colon in text": order('"amount":1,"status":":x","currency":"eur"'),
    "float id": f'{{"order_id":1.0,{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "item no object": order(items=f'[{LINE},5,null,[],"x"]'),
    "item list nested": order(items=f"[[{LINE}]]"),
    "a record within a record": order(f'"amount":1,"copy":{order()}'),
    "lone surrogate": order('"amount":1,"status":"\\ud83e"'),
    "surrogate pair": order('"amount":1,"status":"\\ud83e\\udd8a"'),
    "record separator": order('"amount":1,"status":"a\x1eb"'),
    "long text": order(f'"amount":1,"status":"{"é" * 200}"'),
    "grows in upper case": order(f'"amount":1,"currency":"{"ŉ" * 120}"'),
    "text of a number": order('"amount":"1.00005","status":5,"currency":1.5'),
    "leap day": order('"amount":1,"updated_at":"2023-02-29T00:00:00Z"'),
    "blank before a colon": order('"amount" :1,"amount":2.5'),
    "tab before a colon": order('"amount":2.5,"amount"\t:1'),
    "colon after a blank in text": order('"amount":2.5,"note":"x : y"'),
    "deleted": order('"amount":1,"deleted":true'),
    "deleted, by time alone": '{"order_id":5.0,"deleted":true,"created_at":null,"updated_at":"2025-08-20"}',
    "not deleted": order('"amount":1,"deleted":false'),
    "deleted is null": order('"amount":1,"deleted":null'),
    "deleted is text": order('"amount":1,"deleted":"true"'),
    "deleted is a number": order('"amount":1,"deleted":1'),
    "null, then deleted": order('"amount":1,"deleted":null,"deleted":true'),
    "deleted, then null": order('"amount":1,"deleted":true,"deleted":null'),
    "not deleted, then deleted": order('"amount":1,"deleted" :false,"deleted":true'),
    "deleted elsewhere": order('"amount":1,"note":{"deleted":true}'),
    "emptied": order('"amount":0', "[]"),
    "emptied without an amount": order('"user_id":null', "[]"),
    "emptied with an amount": order('"amount":1', "[]"),
    "nothing left": order('"amount":0', '[{"sku":"A","qty":0,"price":5},{"sku":"B","qty":"0.00001"}]'),
    "nothing left but a bad line": order('"amount":0', '[{"sku":"A","qty":0},{"sku":"B","qty":-1}]'),
    "nothing of it, and an amount": order('"amount":1', '[{"sku":"A","qty":0}]'),
    "a line of nothing": order(items=f'[{LINE},{{"sku":"B","qty":0}}]'),
    "a line of nothing without a price": order('"user_id":5', f'[{LINE},{{"sku":"B","qty":0}}]'),
    "a line of nothing without a product": order(items=f'[{LINE},{{"qty":0}}]'),
    "ids as floats": f'{{"order_id":501.0,{BASE[17:]},"user_id":7.0,"items":[{{"sku":5.0,"qty":1,"price":1}}]}}',
    "ids with a blank": f'{{"order_id": 501.0, {BASE[17:]},"user_id": 7.0,"items":[{{"sku": 5.0,"qty":0}}]}}',
    "an id with more zeros": f'{{"order_id":501.00,{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "an id with an exponent": f'{{"order_id":5.01e2,{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "an id of 0": f'{{"order_id":-0.0,{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "an id that a double would make whole": f'{{"order_id":501.00000000000000001,{BASE[17:]},"items":[{LINE}]}}',
    "an id that a double would make 0": f'{{"order_id":1e-400,{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "an id of 15 digits": f'{{"order_id":123456789012345.0,{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "an id of 16 digits": f'{{"order_id":9007199254740993.0,{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "an absurd id": f'{{"order_id":1e99999999,{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "an id beyond all measure": f'{{"order_id":1e99999999999999999999,{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "an id beyond all measure of 0": f'{{"order_id":0e99999999999999999999,{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "a float as text": f'{{"order_id":"501.0",{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "a label as float": order('"amount":1,"status":5.0,"currency":1e3,"metadata":{"source":7.5,"promo":-0.0}'),
    "half a pair in the id": f'{{"order_id":"o-\\ud83e",{BASE[17:]},"amount":1,"items":[{LINE}]}}',
    "half a pair in the user": order('"amount":1,"user_id":"\\ude00"'),
    "half a pair in the product": order('"amount":1', f'[{LINE},{{"sku":"\\ud83e","qty":1,"price":1}}]'),
    "far in the future": order('"amount":1,"updated_at":"2062-01-01T00:00:00Z"'),
    "created in the future": f'{{"order_id":"o-2","created_at":"2062-01-01T00:00:00Z","amount":1,"items":[{LINE}]}}',
    "deleted in the future": '{"order_id":"o-2","updated_at":"2062-01-01T00:00:00Z","deleted":true}',
    "deep": order(f'"amount":1,"note":{"[" * 400}{"]" * 400}'),
    "charges": order('"amount":1,"discount":0.5,"tax":"0.19","shipping":4,"cancelled_at":"2025-08-21","status":"x"'),
    "charges are null": order('"amount":1,"discount":null,"tax":null,"shipping":null,"cancelled_at":null'),
    "charges of lines": order(items='[{"sku":"A","qty":1,"price":2,"discount":1,"tax":0.38,"name":"Mug"}]'),
    "charges of lines are null": order(items='[{"sku":"A","qty":1,"price":2,"discount":null,"tax":null,"name":null}]'),
    "a bad discount before a bad tax": order('"amount":1,"tax":-1,"discount":-1'),
    "a bad tax before bad refunds": order('"amount":1,"refunds":5,"tax":-1'),
    "bad refunds before a bad time": order('"amount":1,"cancelled_at":5,"refunds":5'),
    "a bad discount after a missing amount": order('"discount":-1', '[{"sku":"A","qty":1}]'),
    "a bad discount after no lines": order('"amount":1,"discount":-1', "[]"),
    "emptied with a bad discount": order('"amount":0,"discount":-1', "[]"),
    "deleted with a bad discount": order('"deleted":true,"discount":-1', "[]"),
    "a line with a bad discount": order(items=f'[{LINE},{{"sku":"B","qty":1,"price":1,"tax":-1,"discount":"x"}}]'),
    "a line with a bad tax": order(items=f'[{LINE},{{"sku":"B","qty":0,"price":1,"tax":-1}}]'),
    "a line with a bad discount and product": order(
        items=f'[{LINE},{{"sku":"B","qty":10,"price":10000000000000,"discount":-1}}]'
    ),
    "discounts of lines beyond all": order(
        items='[{"sku":"A","qty":1,"price":1,"discount":5e13},{"sku":"B","qty":1,"price":1,"discount":"5e13"}]'
    ),
    "taxes of lines beyond all, and the order's": order(
        '"tax":1', '[{"sku":"A","qty":1,"price":1,"tax":5e13},{"sku":"B","qty":1,"price":1,"tax":5e13}]'
    ),
    "discounts of skipped lines beyond all": order(
        items=f'[{LINE},{{"sku":"A","qty":0,"discount":5e13}},{{"sku":"A","qty":0,"discount":5e13}}]'
    ),
    "names of a product": order(
        items='[{"sku":"A","qty":1,"price":1,"name":" "},{"sku":"A","qty":1,"price":1,"name":"b"},'
        '{"sku":"A","qty":1,"price":1,"name":"a"}]'
    ),
    "a user": order('"amount":1,"user_id":"u","user":{"email":" A@x.org ","country":5.0}'),
    "a user who is none": order('"amount":1,"user":"u"'),
    "a user twice": order('"amount":1,"user":{"email":"a"},"user":{"country":"MX"}'),
    "a user with half a pair": order('"amount":1,"user":{"email":"\\ud83e"}'),
    "cancelled by status": order('"amount":1,"status":" CANCELLED "'),
    "no refunds": order('"amount":1,"refunds":[]'),
    "refunds of null": order('"amount":1,"refunds":null'),
    "a refund": refunded(refund()),
    "a refund by name": refunded(refund('"items":[{"sku":"A","qty":1,"amount":2.5},{"sku":"Z","amount":1}]')),
    "a refund of less than its items": refunded(refund('"items":[{"sku":"A","amount":9}]')),
    "a refund of just its items": refunded(refund('"items":[{"sku":"A","amount":4},{"qty":2,"amount":0}]')),
    "a refund of nothing": refunded(refund('"amount":0')),
    "a refund of nothing by name": refunded(refund('"amount":0,"items":[{"sku":"A","amount":0}]')),
    "a refund of nothing without a name": refunded(refund('"amount":0,"items":[{"qty":2,"amount":0}]')),
    "a refund in two": refunded(
        refund('"items":[{"sku":"A","amount":1}]'), refund('"created_at":"2025-09-01T00:30:00+02:00"')
    ),
    "a refund in two forms of its id": refunded(
        refund('"refund_id":5'), refund('"refund_id":"5","created_at":"2025-09-01"')
    ),
    "a refund by a broken name": refunded(refund('"items":[{"sku":"\\ud83e","amount":1}]')),
    "a refund by what is no name": refunded(refund('"items":[{"sku":true,"amount":1},{"sku":1.5,"amount":1}]')),
    "refunds beyond all": refunded(refund('"amount":5e13'), refund('"amount":5e13')),
    "refunds beyond all by name": refunded(
        refund('"items":[{"sku":"A","amount":5e13}]'), refund('"items":[{"sku":"B","amount":5e13}]')
    ),
    "a refund without time": refunded(refund('"created_at":null')),
    "a refund without amount": refunded(refund('"amount":null')),
    "a refund without id": refunded(refund('"refund_id":" "')),
    "a refund with items twice": refunded(refund('"items":5,"items":[{"sku":"A","amount":1}]')),
    "a refund of an emptied order": order(f'"amount":0,"refunds":[{refund()}]', "[]"),
    "refunds hidden in a note": order(f'"amount":1,"note":{{"refunds":[{refund()}]}}'),
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_both_paths_agree_on_nasty_records_alone_and_among_plain_ones(text: str) -> None:
    pages = [Page(1, join_page([order(), text, order()]).encode()), Page(2, join_page([order()]).encode())]
    for window in (NO_WINDOW, Window(began_at=BEGINNINGS[0]), Window(until=BEGINNINGS[1], began_at=BEGINNINGS[2])):
        found = assert_both_paths_agree(pages, window)
        if all(is_strict(page.body) for page in pages):
            assert_reference_agrees(found, pages, window)


def test_both_paths_agree_on_every_odd_number_in_every_place() -> None:
    records = [
        text
        for number in NUMBERS
        for text in (
            order(f'"amount":{number}'),
            order('"amount":1', f'[{{"sku":"A","qty":{number},"price":1}},{LINE}]'),
            order('"amount":1', f'[{{"sku":"A","qty":1,"price":{number}}},{LINE}]'),
            order('"user_id":5', f'[{{"sku":"A","qty":1,"price":{number}}}]'),
            *(order(f'"amount":1,"{name}":{number}') for name in ("discount", "tax", "shipping")),
            *(
                order(items=f'[{LINE},{{"sku":"B","qty":1,"price":1,"{name}":{number}}}]')
                for name in ("discount", "tax")
            ),
            refunded(refund(f'"amount":{number}')),
            refunded(refund(f'"items":[{{"sku":"A","qty":{number},"amount":{number}}}]')),
        )
    ]
    strict = [text for text in records if "NaN" not in text and "Infinity" not in text]
    pages = [Page(1, join_page(records).encode()), Page(2, join_page(strict).encode())]
    assert_reference_agrees(assert_both_paths_agree(pages), pages, NO_WINDOW)


def test_one_shortened_and_one_lengthened_number_do_not_hide_each_other() -> None:
    records = [order('"amount":1.0000500000000000001'), order('"amount":1e2,"note":1e20')]
    found = assert_both_paths_agree([Page(1, join_page(records).encode())])
    assert found.orders.sort("pos")["order_amount"].to_list() == [Decimal("1.0001"), Decimal(100)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-be"])
def test_both_paths_agree_in_any_encoding(encoding: str) -> None:
    pages = [
        Page(1, join_page([order(), order('"status":"é"')]).encode(encoding)),
        Page(2, b"[]"),
        Page(3, b'{"orders":[]}'),
    ]
    assert_reference_agrees(assert_both_paths_agree(pages), pages, NO_WINDOW)
