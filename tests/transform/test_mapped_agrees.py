"""Records of described sources in bulk and one by one: what is read is the same, whatever they hold."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from native_orders import USUAL, mutated, write_page

from ordersetl.source.description.loading import load_builtin
from ordersetl.source.description.model import Description
from ordersetl.source.page import Page
from ordersetl.source.shape import PageShape
from ordersetl.star.lines import merge_lines, merge_refunds
from ordersetl.transform.validate import Validated, validate_pages
from ordersetl.window import Window

SOURCES = tuple(USUAL)
NO_WINDOW = Window()


def describe(source: str) -> Description:
    return load_builtin(source).description


def validate(source: str, records: list[str], window: Window = NO_WINDOW, *, bulk: bool) -> Validated:
    description = describe(source)
    page = Page(1, write_page(source, records), shape=PageShape(description))
    return validate_pages([page], window, mapping=description.mapping, bulk=bulk)


def assert_paths_agree(source: str, records: list[str], window: Window = NO_WINDOW) -> Validated:
    fast, slow = (validate(source, records, window, bulk=bulk) for bulk in (True, False))
    assert fast.counts == slow.counts
    assert fast.counts.reconciles
    assert fast.orders.sort("pos").rows() == slow.orders.sort("pos").rows()
    assert sorted(fast.items.rows(), key=repr) == sorted(slow.items.rows(), key=repr)
    lines = []
    for found in (fast, slow):
        refunds = merge_refunds(found.orders, found.refunds)
        lines.append((refunds.rows(), merge_lines(found.orders, found.items, refunds).rows()))
    assert lines[0] == lines[1]
    rejects = [[reject.to_json("b") for reject in found.rejects] for found in (fast, slow)]
    assert rejects[0] == rejects[1]
    seen = [{path: count for path, count in found.seen.items() if count.of} for found in (fast, slow)]
    assert seen[0] == seen[1]
    return fast


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_both_paths_agree_on_any_records(source: str, data: st.DataObject) -> None:
    records = data.draw(st.lists(mutated(source), min_size=1, max_size=8))
    ends = st.none() | st.datetimes(datetime(2025, 8, 20), datetime(2025, 8, 22), timezones=st.just(UTC))  # noqa: DTZ001
    window = Window(since=data.draw(ends), until=data.draw(ends))
    assert_paths_agree(source, records, window)
