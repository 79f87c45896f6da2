"""Whichever path computed it, the result and the values are those of the models, and both are the reference's."""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import reference_fold
from hypothesis import HealthCheck, given, settings, strategies as st
from order_cases import CASES, LINE, order, refund, refunded
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
        for index, accepted in validated.accepted.items():
            pos = (page.number << 32) + index
            if isinstance(accepted, reference_fold.Gone):
                counts["deleted" if accepted.deleted else "emptied"] += 1
                orders.append((pos, None, accepted.order_id, *[None] * 4, naive(accepted.updated_at), *[None] * 9))
                continue
            cancelled, day = rules.is_cancelled(accepted), rules.day_of(accepted.created_at)
            rows = reference_fold.refund_rows(accepted)
            counts += Counter(cancelled=cancelled, refunded=bool(rows))
            values = (accepted.order_id, accepted.user_id, money(accepted.amount), accepted.currency)
            times = (naive(accepted.created_at), naive(accepted.updated_at))
            labels = (accepted.status, accepted.source, accepted.promo, cancelled, accepted.email, accepted.country)
            charges = (money(accepted.discount), money(accepted.tax), money(accepted.shipping))
            orders.append((pos, day, *values, *times, *labels, *charges))
            items += [
                (pos, x.sku, money(x.qty), money(x.price), money(x.discount), money(x.tax), x.name, None)
                for x in accepted.lines
            ]
            for row in rows:
                key = (pos, day, accepted.order_id, row.refund_id, row.sku)
                refunds.append((*key, money(row.qty), money(row.amount), accepted.currency, naive(row.refunded_at)))
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


@pytest.mark.parametrize(("text", "reason"), CASES.values(), ids=CASES)
def test_both_paths_and_the_reference_agree_on_every_case(text: str, reason: str | None) -> None:
    pages = [Page(1, join_page([order(), text, order()]).encode()), Page(2, join_page([order()]).encode())]
    for window in (NO_WINDOW, Window(until=BEGINNINGS[1], began_at=BEGINNINGS[2])):
        found = assert_both_paths_agree(pages, window)
        if window is NO_WINDOW:
            assert [r.reason for r in found.rejects if r.line is None] == ([] if reason is None else [reason])
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
