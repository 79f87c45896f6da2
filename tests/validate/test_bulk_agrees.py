"""Whichever path computed it, the verdict and the values are those of the models, and both are the reference's."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import reference_fold
from hypothesis import HealthCheck, given, settings
from page_texts import NUMBERS, join_page, page_sequences
from polars.testing import assert_frame_equal
from strategies import windows

from ordersetl.source.page import Page
from ordersetl.validate import TimeWindow, Validated, validate_pages

NO_WINDOW = TimeWindow()


def sorted_frames(found: Validated) -> tuple[pl.DataFrame, pl.DataFrame]:
    return found.orders.sort("pos"), found.items.sort(found.items.columns)


def assert_both_paths_agree(pages: list[Page], window: TimeWindow = NO_WINDOW) -> Validated:
    slow = validate_pages(pages, window, bulk=False)
    fast = validate_pages(pages, window, bulk=True)
    for ours, theirs in zip(sorted_frames(fast), sorted_frames(slow), strict=True):
        assert_frame_equal(ours, theirs)
    assert [reject.to_json("b") for reject in fast.rejects] == [reject.to_json("b") for reject in slow.rejects]
    for count in ("received", "outside_window", "lines_received", "texts_cut", "rejected", "lines_rejected"):
        assert getattr(fast, count) == getattr(slow, count), count
    return fast


def money(units: int | None) -> Decimal | None:
    return None if units is None else Decimal(units).scaleb(-4)


def naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def assert_reference_agrees(found: Validated, pages: list[Page], window: TimeWindow) -> None:
    """Hold what was found to the reference's judgement of the same pages."""
    orders: list[tuple[Any, ...]] = []
    items: list[tuple[Any, ...]] = []
    rejects: list[tuple[Any, ...]] = []
    outside = 0
    for page in pages:
        answer = reference_fold.read_json(page.body)
        records = answer["orders"] if isinstance(answer, dict) else answer
        assert isinstance(records, list)
        verdicts = reference_fold.judge_batch(reference_fold.Batch(records, since=window.since, until=window.until))
        outside += verdicts.outside_window
        rejects += [(page.number, r.index, r.line, r.scope, r.reason) for r in verdicts.rejects]
        for index, order in verdicts.orders.items():
            pos = (page.number << 32) + index
            created, updated = naive(order.created_at), naive(order.updated_at)
            values = (order.order_id, order.user_id, money(order.amount), order.currency, created, updated)
            orders.append((pos, created.date(), *values, order.status, order.source, order.promo))
            items += [(pos, line.sku, money(line.qty), money(line.price)) for line in order.lines]
    assert found.outside_window == outside
    assert found.orders.sort("pos").rows() == orders
    assert sorted(found.items.rows(), key=repr) == sorted(items, key=repr)
    told = [(r.page, r.index, r.line, "order" if r.line is None else "line", r.reason) for r in found.rejects]
    assert told == rejects


def is_strict(body: bytes) -> bool:
    """Whether the reference's JSON reader takes it: no control characters in strings, no invalid Unicode."""
    try:
        reference_fold.read_json(body)
    except ValueError:
        return False
    return True


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(pages=page_sequences(), window=windows())
def test_both_paths_and_the_reference_agree_on_any_pages(
    pages: list[Page], window: tuple[datetime | None, datetime | None]
) -> None:
    found = assert_both_paths_agree(pages, TimeWindow(*window))
    if all(is_strict(page.body) for page in pages):
        assert_reference_agrees(found, pages, TimeWindow(*window))


LINE = '{"sku":"A","qty":2,"price":1.25}'
BASE = '"order_id":"o-1","created_at":"2025-08-20T10:00:00Z"'


def order(more: str = '"amount":2.5', items: str = f"[{LINE}]") -> str:
    return f'{{{BASE},{more},"items":{items}}}'


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
    "deep": order(f'"amount":1,"note":{"[" * 400}{"]" * 400}'),
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_both_paths_agree_on_nasty_records_alone_and_among_plain_ones(text: str) -> None:
    pages = [Page(1, join_page([order(), text, order()]).encode()), Page(2, join_page([order()]).encode())]
    found = assert_both_paths_agree(pages)
    if all(is_strict(page.body) for page in pages):
        assert_reference_agrees(found, pages, NO_WINDOW)


def test_both_paths_agree_on_every_odd_number_in_every_place() -> None:
    records = [
        text
        for number in NUMBERS
        for text in (
            order(f'"amount":{number}'),
            order('"amount":1', f'[{{"sku":"A","qty":{number},"price":1}},{LINE}]'),
            order('"amount":1', f'[{{"sku":"A","qty":1,"price":{number}}},{LINE}]'),
            order('"user_id":5', f'[{{"sku":"A","qty":1,"price":{number}}}]'),
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
