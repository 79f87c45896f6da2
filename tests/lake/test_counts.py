"""What became of records is counted in one object, which sums and reconciles."""

from functools import reduce
from operator import add

import msgspec
import pytest
from hypothesis import given, strategies as st

from ordersetl.lake.counts import BatchCounts

SMALL = st.integers(0, 5)
REASONS = st.dictionaries(st.sampled_from(("invalid_amount", "no_items", "invalid_qty")), st.integers(1, 5))
SKIPPED = st.dictionaries(st.sampled_from(("drafts", "returns")), st.integers(1, 5))
COUNTS = st.builds(
    lambda accepted, outside, rejected, no_orders, lines, skipped, lines_rejected: BatchCounts(
        received=accepted + outside + sum(rejected.values()) + sum(no_orders.values()),
        accepted=accepted,
        outside_window=outside,
        rejected=rejected,
        skipped=no_orders,
        lines_received=lines + skipped + sum(lines_rejected.values()),
        lines_accepted=lines,
        lines_skipped=skipped,
        lines_rejected=lines_rejected,
        texts_cut=skipped,
    ),
    *(SMALL, SMALL, REASONS, SKIPPED, SMALL, SMALL, REASONS),
)


@given(st.lists(COUNTS, max_size=5))
def test_sums_of_what_reconciles_reconcile_in_any_order(counts: list[BatchCounts]) -> None:
    total = reduce(add, counts, BatchCounts())
    assert total.reconciles
    assert total == reduce(add, reversed(counts), BatchCounts())
    assert total.received == sum(count.received for count in counts)
    assert total.orders_rejected == sum(count.orders_rejected for count in counts)
    assert list(total.rejected) == sorted(total.rejected)
    assert total.records_skipped == sum(count.records_skipped for count in counts)


@pytest.mark.parametrize(
    "field", ["received", "accepted", "outside_window", "lines_received", "lines_accepted", "lines_skipped"]
)
def test_one_record_or_line_too_many_does_not_reconcile(field: str) -> None:
    counts = BatchCounts(received=1, accepted=1, lines_received=1, lines_accepted=1)
    assert counts.reconciles
    assert not msgspec.structs.replace(counts, **{field: getattr(counts, field) + 1}).reconciles
    assert not msgspec.structs.replace(counts, rejected={"no_items": 1}).reconciles
    assert not msgspec.structs.replace(counts, skipped={"drafts": 1}).reconciles
