"""Records of described sources in bulk and one by one: what is read is the same, whatever they hold."""

from datetime import UTC, datetime

import pytest
from both_paths import assert_paths_agree
from hypothesis import HealthCheck, given, settings, strategies as st
from native_orders import ODD, USUAL, list_paths, mutated, write_changed

from ordersetl.window import Window

_APART = 23
"""Each place gets one in so many of the odd values, the next one the others: all of them in all take minutes."""


@pytest.mark.parametrize("source", USUAL)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_both_paths_agree_on_any_records(source: str, data: st.DataObject) -> None:
    records = data.draw(st.lists(mutated(source), min_size=1, max_size=8))
    ends = st.none() | st.datetimes(datetime(2025, 8, 20), datetime(2025, 8, 22), timezones=st.just(UTC))  # noqa: DTZ001
    window = Window(since=data.draw(ends), until=data.draw(ends))
    assert_paths_agree(source, records, window)


@pytest.mark.parametrize("source", USUAL)
def test_both_paths_agree_on_odd_values_in_every_place(source: str) -> None:
    places = enumerate(list_paths(source))
    assert_paths_agree(
        source, [write_changed(source, path, value) for at, path in places for value in ODD[at % _APART :: _APART]]
    )
