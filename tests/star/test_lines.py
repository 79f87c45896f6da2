"""Lines and refunds at their grain, and shares that sum exactly."""

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st
from order_frames import items_of, orders_of
from polars.testing import assert_frame_equal

from ordersetl.star.frames import CHARGE_SCHEMA, LINE_SCHEMA, ORDER_SCHEMA, REFUND_ITEM_SCHEMA, REFUND_SCHEMA
from ordersetl.star.lines import merge_lines, merge_refunds

NO_REFUNDS = pl.DataFrame(schema=REFUND_SCHEMA)
UNIT = Decimal("0.0001")
Item = tuple[str, Decimal, Decimal | None]


def merge_one(amount: str, *items: tuple[str, Any, Any]) -> list[tuple[Any, ...]]:
    """Merged lines of one order as text: (sku, qty, item_price, line_amount, net_amount)."""
    lines = merge_lines(orders_of(amount), items_of(*((1, *item) for item in items)), NO_REFUNDS)
    assert dict(lines.schema) == LINE_SCHEMA
    columns = lines.select("sku", "qty", "item_price", "line_amount", "net_amount")
    return [tuple(None if v is None else str(v) for v in row) for row in columns.rows()]


def test_lines_of_one_sku_become_one_row_with_the_price_of_its_priced_quantity() -> None:
    assert merge_one("10", ("B", 1, "4"), ("A", 2, "1.5"), ("A", 1, "3"), ("A", 5, None)) == [
        ("A", "8.0000", "2.0000", "6.0000", "6.0000"),
        ("B", "1.0000", "4.0000", "4.0000", "4.0000"),
    ]


def test_the_unit_price_is_rounded_half_even() -> None:
    prices = [merge_one("1", ("A", "2", first), ("A", "2", "0"))[0][2] for first in ("0.0001", "0.0003", "0.0005")]
    assert prices == ["0.0000", "0.0002", "0.0002"]
    assert merge_one("1", ("A", "3", "1"), ("A", "3", "0.0001"))[0][2] == "0.5000"


def test_the_unit_price_is_the_payloads_where_the_lines_agree_and_else_their_exact_average() -> None:
    assert merge_one("1", ("A", "0.125", "3.99"))[0][2:4] == ("3.9900", "0.4988")
    assert merge_one("1", ("A", "0.125", "3.99"), ("A", "0.333", "3.99"), ("A", 1, None))[0][2] == "3.9900"
    # the rounded amounts are 0.0000 and 0.0002, of which the average would be 0.0001
    assert merge_one("1", ("A", "0.5", "0.0001"), ("A", "0.5", "0.0003"), ("A", 1, "0.0009"))[0][2] == "0.0006"
    most = "99999999999999.9999"
    assert merge_one("1", ("A", "0.0001", most), ("A", "0.0001", most))[0][2] == most
    assert merge_one("1", ("A", "0.0001", most))[0][2:4] == (most, "10000000000.0000")


def merge_totals(*items: tuple[str, str, str | None, str | None]) -> list[tuple[str | None, ...]]:
    """Merged lines of one order of items (sku, qty, price, total) as text: (sku, item_price, line_amount)."""
    given = items_of(*((1, sku, qty, price, None, None, None, total) for sku, qty, price, total in items))
    lines = merge_lines(orders_of("10"), given, NO_REFUNDS).select("sku", "item_price", "line_amount")
    return [tuple(None if value is None else str(value) for value in row) for row in lines.rows()]


def test_a_total_counts_before_the_price_and_over_the_quantity_gives_one() -> None:
    assert merge_totals(
        ("A", "3", None, "10"), ("B", "2", "4", "9"), ("C", "2", "4", None), ("D", "1", None, None)
    ) == [
        ("A", "3.3333", "10.0000"),
        ("B", "4.5000", "9.0000"),
        ("C", "4.0000", "8.0000"),
        ("D", None, None),
    ]


def test_the_price_of_totals_is_rounded_half_even() -> None:
    assert [merge_totals(("A", "2", None, total))[0][1] for total in ("0.0001", "0.0003", "0.0005")] == [
        *("0.0000", "0.0002", "0.0002")
    ]
    assert merge_totals(("A", "0.0001", None, "9999999999.9999"))[0][1] == "99999999999999.0000"


def test_lines_of_one_sku_are_averaged_over_totals_and_prices() -> None:
    assert merge_totals(("A", "3", None, "2"), ("A", "1", "4", None), ("A", "5", None, None)) == [
        ("A", "1.5000", "6.0000")
    ]


def test_a_price_beside_a_total_is_not_multiplied() -> None:
    most = "99999999999999.9999"
    assert merge_totals(("A", "999999999", most, "1"))[0][2] == "1.0000"


def test_a_version_with_which_its_order_leaves_has_no_lines() -> None:
    gone = pl.DataFrame({"pos": [2], "order_id": ["o-2"]}).select(pl.col("pos").cast(pl.UInt64), "order_id")
    orders = pl.concat([orders_of("1"), gone], how="diagonal").select(*ORDER_SCHEMA, *CHARGE_SCHEMA)
    assert merge_lines(orders, items_of((1, "A", 1, 1)), NO_REFUNDS)["pos"].to_list() == [1]


def test_each_product_is_rounded_half_even_before_they_are_summed() -> None:
    assert merge_one("1", ("A", "0.5", "0.0001"), ("A", "0.5", "0.0003"))[0][3] == "0.0002"


def test_an_unknown_price_stays_null_and_gets_no_share_beside_priced_lines() -> None:
    assert merge_one("10", ("A", 1, "10"), ("B", 1, None)) == [
        ("A", "1.0000", "10.0000", "10.0000", "10.0000"),
        ("B", "1.0000", None, None, "0.0000"),
    ]


@pytest.mark.parametrize("price", [None, "0"])
def test_without_any_line_amount_the_quantities_share(price: str | None) -> None:
    shares = [row[4] for row in merge_one("1", ("A", 1, price), ("B", 2, price))]
    assert shares == ["0.3333", "0.6667"]


def test_what_thirds_leave_over_is_given_out_once() -> None:
    assert [row[4] for row in merge_one("10", *((sku, 1, "1") for sku in "ABC"))] == ["3.3333", "3.3333", "3.3334"]


def test_orders_do_not_mix() -> None:
    lines = merge_lines(
        orders_of("1", "2", "3"),
        items_of((3, "A", 1, 1), (1, "A", 1, 1), (2, "B", 1, None), (3, "B", 2, 1)),
        NO_REFUNDS,
    )
    assert lines.select("pos", "sku", "net_amount").rows() == [
        (1, "A", Decimal(1)),
        (2, "B", Decimal(2)),
        (3, "A", Decimal(1)),
        (3, "B", Decimal(2)),
    ]


def test_without_orders_there_are_no_lines() -> None:
    lines = merge_lines(orders_of(), items_of(), NO_REFUNDS)
    assert_frame_equal(lines, pl.DataFrame(schema=LINE_SCHEMA))


def test_the_largest_numbers_stay_exact() -> None:
    most = "99999999999999.9999"
    assert merge_one(most, ("A", 1, "99999999999999.9998"), ("B", "0.0001", "1"))[0][4] == "99999999999999.9998"
    shares = [
        Decimal(row[4]) for row in merge_one(most, ("A", 1, "49999999999999.9999"), ("B", 1, "49999999999999.9999"))
    ]
    assert sum(shares) == Decimal(most)
    many = [("A", "999999999.9999", None)] * 1000 + [("B", "999999999.9999", None)]
    assert [row[1] for row in merge_one("1", *many)] == ["999999999999.9000", "999999999.9999"]


def _money(most: int = 10**6) -> st.SearchStrategy[Decimal]:
    return st.one_of(st.integers(0, 30), st.integers(0, most), st.integers(0, 10**17)).map(lambda units: units * UNIT)


@st.composite
def _orders_with_items(draw: st.DrawFn) -> list[tuple[Decimal, list[Item]]]:
    qty = st.one_of(st.integers(1, 9), st.integers(1, 10**13 - 1)).map(lambda units: units * UNIT)
    price = st.none() | st.integers(0, 20).map(Decimal) | st.integers(0, 10**8).map(lambda units: units * UNIT)
    item = st.tuples(st.sampled_from("ABCÄ"), qty, price)
    return draw(st.lists(st.tuples(_money(), st.lists(item, min_size=1, max_size=6)), max_size=4))


def _rounded(exact: Fraction) -> Decimal:
    units = round(exact * 10_000)  # Python rounds a Fraction half-even
    return (Decimal(units) * UNIT).quantize(UNIT, ROUND_HALF_EVEN)


@settings(max_examples=100, deadline=None)
@given(_orders_with_items())
def test_merged_lines_are_what_exact_fractions_say(given_orders: list[tuple[Decimal, list[Item]]]) -> None:
    items = items_of(*((pos, *item) for pos, (_, found) in enumerate(given_orders, 1) for item in found))
    lines = merge_lines(orders_of(*(amount for amount, _ in given_orders)), items, NO_REFUNDS)
    assert_frame_equal(lines, lines.sort("pos", "sku"))
    for pos, (amount, found) in enumerate(given_orders, 1):
        rows = lines.filter(pos=pos).rows(named=True)
        assert [row["sku"] for row in rows] == sorted({sku for sku, _, _ in found})
        weights = []
        for row in rows:
            mine = [(qty, price) for sku, qty, price in found if sku == row["sku"]]
            priced = [(Fraction(qty), Fraction(price)) for qty, price in mine if price is not None]
            total = sum((Fraction(_rounded(qty * price)) for qty, price in priced), Fraction(0)) if priced else None
            assert row["qty"] == sum(qty for qty, _ in mine)
            assert row["line_amount"] == (None if total is None else _rounded(total))
            worth = sum((qty * price for qty, price in priced), Fraction(0))
            priced_qty = sum((qty for qty, _ in priced), Fraction(0))
            assert row["item_price"] == (_rounded(worth / priced_qty) if priced else None)
            weights.append(total or Fraction(0))
        if not any(weights):
            weights = [Fraction(row["qty"]) for row in rows]
        assert sum(row["net_amount"] for row in rows) == amount
        for row, weight in zip(rows, weights, strict=True):
            assert row["net_amount"] >= 0
            assert abs(Fraction(row["net_amount"]) - Fraction(amount) * weight / sum(weights)) < Fraction(UNIT)


# What comes on top of an order, or off it


CHARGES = ("discount_amount", "tax_amount", "shipping_amount", "refunded_amount")
FIRST, LATER = datetime(2025, 9, 2), datetime(2025, 9, 3)  # noqa: DTZ001 - the schema's times are naive UTC


def refunds_of(orders: pl.DataFrame, *parts: tuple[Any, ...]) -> pl.DataFrame:
    """Refunds of parts (pos, refund_id, sku, qty, amount[, time])."""
    rows = [
        (pos, refund_id, sku, None if qty is None else Decimal(qty), Decimal(amount), *(time or (FIRST,)))
        for pos, refund_id, sku, qty, amount, *time in parts
    ]
    return merge_refunds(orders, pl.DataFrame(rows, schema=REFUND_ITEM_SCHEMA, orient="row"))


def charges_of(orders: pl.DataFrame, items: pl.DataFrame, refunds: pl.DataFrame = NO_REFUNDS) -> list[tuple[Any, ...]]:
    columns = merge_lines(orders, items, refunds).select("sku", *CHARGES)
    return [tuple(None if v is None else str(v) for v in row) for row in columns.rows()]


def test_what_the_payload_leaves_out_is_null_and_no_refund_is_zero() -> None:
    assert charges_of(orders_of("3"), items_of((1, "A", 1, 3))) == [("A", None, None, None, "0.0000")]


def test_the_orders_charges_go_by_line_amount() -> None:
    orders = orders_of("118", order_discount=[Decimal(10)], order_tax=[Decimal(18)], order_shipping=[Decimal("0.0001")])
    assert charges_of(orders, items_of((1, "A", 1, 60), (1, "B", 2, 20))) == [
        ("A", "6.0000", "10.8000", "0.0000", "0.0000"),
        ("B", "4.0000", "7.2000", "0.0001", "0.0000"),
    ]


def test_discount_and_tax_go_by_the_lines_own_where_any_is_not_zero() -> None:
    orders = orders_of("10", "10", order_tax=[Decimal(1), Decimal(1)])
    items = items_of((1, "x", 1, 1, None, "0.5"), (1, "y", 1, 1, None, 0), (1, "z", 1, 1), (2, "x", 1, 1, None, 0))
    assert [row[2] for row in charges_of(orders, items)] == ["1.0000", "0.0000", "0.0000", "1.0000"]


def test_without_the_orders_value_the_lines_own_count_and_are_summed_by_sku() -> None:
    items = items_of((1, "x", 1, 1, "0.1", None), (1, "x", 1, 1, "0.2", None), (1, "y", 1, 1), (2, "y", 1, 1))
    assert [row[1] for row in charges_of(orders_of("10", "10"), items)] == ["0.3000", "0.0000", None]


def test_refunds_go_to_the_skus_they_name_and_the_rest_by_net_amount() -> None:
    orders = orders_of("118")
    items = items_of((1, "a", 1, 60), (1, "b", 2, 20))
    refunds = refunds_of(
        orders, (1, "r1", "a", 1, 20), (1, "r1", None, None, 10), (1, "2", "gone", 1, 1), (1, "2", None, None, 0)
    )
    assert [row[4] for row in charges_of(orders, items, refunds)] == ["26.6000", "4.4000"]
    assert refunds.select("refund_id", "sku", "refund_amount").rows() == [
        ("2", "gone", Decimal(1)),
        ("r1", None, Decimal(10)),
        ("r1", "a", Decimal(20)),
    ]


def test_items_that_say_more_than_their_refund_share_it_by_what_they_say() -> None:
    orders = orders_of("20")
    refunds = refunds_of(
        orders,
        (1, "fee", "a", 1, 5),  # one of which was kept
        (1, "fee", None, None, -1),
        (1, "three", "a", 1, 1),
        (1, "three", "b", 1, 1),
        (1, "three", "c", 1, 1),
        (1, "three", None, None, -2),
        (1, "void", "b", 1, 7),
        (1, "void", None, 2, -7),  # a quantity of nothing named stays
        (1, "whole", "b", 1, 2),
        (1, "whole", None, None, 1),
    )
    assert refunds.select("refund_id", "sku", "refund_amount").rows() == [
        ("fee", "a", Decimal(4)),
        ("three", "a", Decimal("0.3333")),
        ("three", "b", Decimal("0.3333")),
        ("three", "c", Decimal("0.3334")),
        ("void", None, Decimal(0)),
        ("void", "b", Decimal(0)),
        ("whole", None, Decimal(1)),
        ("whole", "b", Decimal(2)),
    ]
    rows = charges_of(orders, items_of((1, "a", 1, 1), (1, "b", 1, 1), (1, "x", 1, 2)), refunds)
    # c, which the order has not, and what names nothing go by the amounts
    assert [row[4] for row in rows] == ["4.6666", "2.6667", "0.6667"]


def test_entries_of_one_refund_are_one_refund_at_its_latest_time() -> None:
    orders = orders_of("10")
    refunds = refunds_of(
        orders,
        (1, "r", "a", 1, 1, FIRST),
        (1, "r", None, None, 0, FIRST),
        (1, "r", "a", 2, 2, LATER),
        (1, "r", None, 1, 0),
    )
    assert refunds.drop("pos", "dt").rows() == [
        ("o-1", "r", None, Decimal(1), Decimal(0), "USD", LATER),
        ("o-1", "r", "a", Decimal(3), Decimal(3), "USD", LATER),
    ]


def test_a_refund_of_nothing_is_still_a_row() -> None:
    assert refunds_of(orders_of("10"), (1, "r", None, None, 0)).height == 1


def test_a_free_order_shares_what_was_refunded_by_line_amount() -> None:
    orders = orders_of("0")
    refunds = refunds_of(orders, (1, "r", None, None, 3))
    assert [row[4] for row in charges_of(orders, items_of((1, "a", 1, 2), (1, "b", 1, 1)), refunds)] == [
        "2.0000",
        "1.0000",
    ]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_share_sums_to_its_orders_value_within_a_unit_of_the_exact_share(data: st.DataObject) -> None:
    given_orders = data.draw(_orders_with_items())
    optional = st.none() | _money()
    charges = {
        name: data.draw(st.lists(optional, min_size=len(given_orders), max_size=len(given_orders)))
        for name in CHARGE_SCHEMA
    }
    orders = orders_of(*(amount for amount, _ in given_orders), **charges)
    own = st.tuples(st.none() | _money(10**4), st.none() | _money(10**4))
    items: list[tuple[Any, ...]] = [
        (pos, *item, *data.draw(own)) for pos, (_, found) in enumerate(given_orders, 1) for item in found
    ]
    part = st.tuples(st.sampled_from(("r", "s")), st.sampled_from(("A", "B", "gone", None)), st.none(), _money(10**4))
    parts = [(pos, *p) for pos in range(1, len(given_orders) + 1) for p in data.draw(st.lists(part, max_size=3))]
    refunds = refunds_of(orders, *parts)
    lines = merge_lines(orders, items_of(*items), refunds)
    for pos in range(1, len(given_orders) + 1):
        rows = lines.filter(pos=pos).rows(named=True)
        if not rows:
            continue
        for at, name in ((4, "discount"), (5, "tax")):
            by_sku: dict[str, Decimal] = {}
            for item in items:
                if item[0] == pos and item[at] is not None:
                    by_sku[item[1]] = by_sku.get(item[1], Decimal(0)) + item[at]
            value = charges[f"order_{name}"][pos - 1]
            value = sum(by_sku.values(), Decimal(0)) if value is None and by_sku else value
            _assert_shares(rows, f"{name}_amount", value, [by_sku.get(row["sku"], Decimal(0)) for row in rows])
        _assert_shares(rows, "shipping_amount", charges["order_shipping"][pos - 1], [])
        mine = refunds.filter(pos=pos)
        assert sum(row["refunded_amount"] for row in rows) == sum(mine["refund_amount"])


def _assert_shares(rows: list[dict[str, Any]], column: str, value: Decimal | None, own: list[Decimal]) -> None:
    if value is None:
        assert all(row[column] is None for row in rows)
        return
    by_amount = [row["line_amount"] or Decimal(0) for row in rows]
    weights = next(w for w in (own, by_amount, [row["qty"] for row in rows]) if any(w))
    assert sum(row[column] for row in rows) == value
    for row, weight in zip(rows, weights, strict=True):
        assert abs(Fraction(row[column]) - Fraction(value) * Fraction(weight) / Fraction(sum(weights))) < Fraction(UNIT)
