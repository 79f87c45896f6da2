"""Rows of the star schema: enriched, summed, and written as CSV that reads back as it was."""

import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st
from order_frames import items_of, orders_of
from polars.testing import assert_frame_equal
from strategies import ODD_TEXTS, odd_text

from ordersetl.star.frames import REFUND_SCHEMA, enrich, sum_by_currency, to_csv
from ordersetl.star.lines import merge_lines
from ordersetl.star.schema import DIM_PRODUCT, DIM_USER, FACT_ORDER
from ordersetl.star.values import read_short_text

DAY = date(2025, 8, 20)

# Fact rows


USERS = pl.DataFrame([("u-1", "a@example.org", "MX", None, False)], schema=DIM_USER.schema, orient="row")
PRODUCTS = pl.DataFrame([("A", "Shoe", "shoes", Decimal("9.99"), False)], schema=DIM_PRODUCT.schema, orient="row")


def _facts(*skus: str) -> pl.DataFrame:
    orders = orders_of("3").with_columns(user_id=pl.lit("u-1"))
    return (
        merge_lines(orders, items_of(*((1, sku, 1, 1) for sku in skus)), pl.DataFrame(schema=REFUND_SCHEMA))
        .join(orders.drop("dt"), on="pos")
        .drop("pos")
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
    assert sum_by_currency(pl.concat([rows, other]), "net_amount") == {
        rows["dt"][0]: {"": "199999999999999.9998", "USD": "3.0000"}
    }
    assert sum_by_currency(rows.clear(), "net_amount") == {}


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
            case "BOOLEAN":
                values[column.name] = [at % 2 == 0 for at in range(len(texts))]
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
