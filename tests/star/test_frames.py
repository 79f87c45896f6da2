"""The arithmetic of the star schema: merged lines, shares that sum exactly, and CSV that reads back as it was."""

import io
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st
from polars.testing import assert_frame_equal
from strategies import ODD_TEXTS, odd_text

from ordersetl.star.frames import (
    ITEM_SCHEMA,
    LINE_SCHEMA,
    ORDER_SCHEMA,
    enrich,
    merge_lines,
    revenue_by_currency,
    to_csv,
)
from ordersetl.star.schema import DIM_PRODUCT, DIM_USER, FACT_ORDER
from ordersetl.star.values import read_short_text

UNIT = Decimal("0.0001")
DAY = date(2025, 8, 20)
Item = tuple[str, Decimal, Decimal | None]


def orders_of(*amounts: Decimal | str) -> pl.DataFrame:
    """Orders at pos 1, 2, ... with these amounts."""
    moment = datetime(2025, 8, 20, 10)  # noqa: DTZ001 - the schema's times are naive UTC
    rows = [
        (pos, DAY, f"o-{pos}", "u-1", Decimal(amount), "USD", moment, moment, "paid", "web", None)
        for pos, amount in enumerate(amounts, 1)
    ]
    return pl.DataFrame(rows, schema=ORDER_SCHEMA, orient="row")


def items_of(*rows: tuple[int, str, Any, Any]) -> pl.DataFrame:
    exact = [(pos, sku, Decimal(qty), None if price is None else Decimal(price)) for pos, sku, qty, price in rows]
    return pl.DataFrame(exact, schema=ITEM_SCHEMA, orient="row")


def merge_one(amount: str, *items: tuple[str, Any, Any]) -> list[tuple[Any, ...]]:
    """Merged lines of one order as text: (sku, qty, item_price, line_amount, net_amount)."""
    lines = merge_lines(orders_of(amount), items_of(*((1, *item) for item in items)))
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


def test_a_version_with_which_its_order_leaves_has_no_lines() -> None:
    gone = pl.DataFrame({"pos": [2], "order_id": ["o-2"]}).select(pl.col("pos").cast(pl.UInt64), "order_id")
    orders = pl.concat([orders_of("1"), gone], how="diagonal").select(*ORDER_SCHEMA)
    assert merge_lines(orders, items_of((1, "A", 1, 1)))["pos"].to_list() == [1]


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
        orders_of("1", "2", "3"), items_of((3, "A", 1, 1), (1, "A", 1, 1), (2, "B", 1, None), (3, "B", 2, 1))
    )
    assert lines.select("pos", "sku", "net_amount").rows() == [
        (1, "A", Decimal(1)),
        (2, "B", Decimal(2)),
        (3, "A", Decimal(1)),
        (3, "B", Decimal(2)),
    ]


def test_without_orders_there_are_no_lines() -> None:
    lines = merge_lines(orders_of(), items_of())
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
    lines = merge_lines(orders_of(*(amount for amount, _ in given_orders)), items)
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


# Fact rows


USERS = pl.DataFrame([("u-1", "a@example.org", "MX", None, False)], schema=DIM_USER.schema, orient="row")
PRODUCTS = pl.DataFrame([("A", "Shoe", "shoes", Decimal("9.99"), False)], schema=DIM_PRODUCT.schema, orient="row")


def _facts(*skus: str) -> pl.DataFrame:
    orders = orders_of("3").with_columns(user_id=pl.lit("u-1"))
    return (
        merge_lines(orders, items_of(*((1, sku, 1, 1) for sku in skus))).join(orders.drop("dt"), on="pos").drop("pos")
    )


def test_rows_are_enriched_by_what_is_known_and_sorted_by_their_key() -> None:
    rows = enrich(_facts("B", "A"), USERS, PRODUCTS)
    assert dict(rows.schema) == {"dt": pl.Date, **FACT_ORDER.schema}
    assert rows.select("sku", "user_country", "product_name", "product_category", "list_price").rows() == [
        ("A", "MX", "Shoe", "shoes", Decimal("9.99")),
        ("B", "MX", None, None, None),
    ]


def test_enriching_anew_replaces_what_was_there() -> None:
    before = enrich(_facts("A"), USERS, PRODUCTS)
    after = enrich(before, USERS.clear(), PRODUCTS.with_columns(name=pl.lit("Boot")))
    assert after.select("user_country", "product_name").rows() == [(None, "Boot")]
    assert_frame_equal(enrich(after, USERS, PRODUCTS), before)


def test_a_guest_has_no_country_even_if_some_user_has_no_id() -> None:
    guests = _facts("A").with_columns(user_id=pl.lit(None, pl.String))
    assert enrich(guests, USERS, PRODUCTS)["user_country"].to_list() == [None]


def test_revenue_is_the_sum_of_shares_by_day_and_currency() -> None:
    rows = enrich(_facts("A", "B"), USERS, PRODUCTS)
    other = rows.with_columns(
        currency=pl.lit(None, pl.String), net_amount=pl.lit(Decimal("99999999999999.9999"), pl.Decimal(18, 4))
    )
    assert revenue_by_currency(pl.concat([rows, other])) == {
        rows["dt"][0]: {"": "199999999999999.9998", "USD": "3.0000"}
    }
    assert revenue_by_currency(rows.clear()) == {}


# CSV


ODD_CELLS = (
    *(
        '"',
        '""',
        ",",
        "\r",
        "\n",
        "\r\n",
        "a,b",
        'a"b',
        "a\rb",
        "a\nb",
        '"quoted"',
        "a b",
        "\ta",
        "a\t",
        "null",
        "NULL",
        "NaN",
    ),
    *(
        "true",
        "1.5",
        "1e5",
        "2025-08-20",
        "\u2028",
        "\u2029",
        "\x85",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x1f",
        "\x7f",
        "\ufeff",
        "\ufeffa",
    ),
    *("'", "\\", "\\N", "\\n", "a\\", "#", "# a", ";", "🦊", "é", "e\u0301", "\u200b", "=1+1", "\xa0"),
)


def table_of(texts: list[str | None]) -> pl.DataFrame:
    """Rows of fact_order with the texts in every nullable text column, and in the key where there is one."""
    moment = datetime(2025, 8, 20, 10, 0, 0, 5)  # noqa: DTZ001 - the schema's times are naive UTC
    values: dict[str, list[Any]] = {}
    for column in FACT_ORDER.columns:
        match column.type:
            case "VARCHAR":
                values[column.name] = [text if text or column.nullable else "key" for text in texts]
            case "TIMESTAMP":
                values[column.name] = [moment] * len(texts)
            case _:
                values[column.name] = [
                    None if column.nullable and at % 2 else Decimal("-0.5") for at in range(len(texts))
                ]
    return pl.DataFrame(values, schema=FACT_ORDER.schema)


def read_back(table: pl.DataFrame) -> pl.DataFrame:
    return pl.read_csv(io.BytesIO(to_csv(table)), schema=FACT_ORDER.schema)


def test_csv_is_written_as_documented() -> None:
    table = pl.DataFrame(
        {
            "text": ["a,b", None, 'say "hi"', "two\nlines", "\r", " x "],
            "money": [Decimal("10.8001"), None, Decimal(0), Decimal("0.5"), Decimal("99999999999999.9999"), Decimal(1)],
            "time": [datetime(2025, 8, 20, 15, 23, 10), None, *[datetime(2025, 1, 1, 0, 0, 0, 1)] * 4],  # noqa: DTZ001
            "day": [DAY, None, DAY, DAY, DAY, DAY],
            "flag": [True, None, False, True, True, True],
        },
        schema_overrides={"money": pl.Decimal(18, 4)},
    )
    assert to_csv(table).decode() == (
        "text,money,time,day,flag\n"
        '"a,b",10.8001,2025-08-20 15:23:10.000000,2025-08-20,true\n'
        ",,,,\n"
        '"say ""hi""",0.0000,2025-01-01 00:00:00.000001,2025-08-20,false\n'
        '"two\nlines",0.5000,2025-01-01 00:00:00.000001,2025-08-20,true\n'
        '"\r",99999999999999.9999,2025-01-01 00:00:00.000001,2025-08-20,true\n'
        " x ,1.0000,2025-01-01 00:00:00.000001,2025-08-20,true\n"
    )


def test_an_empty_table_is_its_header() -> None:
    assert to_csv(pl.DataFrame(schema=FACT_ORDER.schema)).decode() == ",".join(FACT_ORDER.names) + "\n"
    assert_frame_equal(read_back(table_of([])), table_of([]))


@pytest.mark.parametrize("text", ODD_CELLS)
def test_odd_text_reads_back_alone_and_among_others(text: str) -> None:
    for texts in ([text], [text, None], [None, text, "x"], [text] * 3):
        assert_frame_equal(read_back(table_of([*texts])), table_of([*texts]))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.one_of(st.none(), st.sampled_from(ODD_CELLS), st.sampled_from(ODD_TEXTS), odd_text(30)), max_size=6))
def test_any_text_a_payload_can_hold_reads_back(raw: list[object]) -> None:
    texts = [read_short_text(text)[0] for text in raw]
    assert_frame_equal(read_back(table_of(texts)), table_of(texts))
