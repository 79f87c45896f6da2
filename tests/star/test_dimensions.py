"""Reference files and the dimensions they are folded into."""

import gzip
from collections import Counter
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
import reference_fold
from hypothesis import given, settings, strategies as st
from polars.testing import assert_frame_equal
from strategies import product_csvs, user_csvs

from ordersetl.errors import ConfigError
from ordersetl.star.dimensions import PRODUCTS, USERS, Dimension, changed_keys, fold_dimension, read_reference
from ordersetl.star.frames import to_csv

USERS_HEADER = "user_id,email,country,created_at\n"
PRODUCTS_HEADER = "sku,name,category,price\n"


def read_users(text: str | bytes) -> tuple[list[tuple[object, ...]], Counter[str]]:
    rows, notes = read_reference(USERS, text if isinstance(text, bytes) else text.encode(), "users.csv")
    return rows.rows(), notes


def read_products(text: str) -> tuple[list[tuple[object, ...]], Counter[str]]:
    rows, notes = read_reference(PRODUCTS, text.encode(), "products.csv")
    return rows.rows(), notes


def refusal(dimension: Dimension, body: bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        read_reference(dimension, body, "some.csv")
    return f"{caught.value} / {caught.value.hint}"


def test_columns_in_any_order_with_others_among_them() -> None:
    rows, notes = read_users("country,note,created_at, user_id ,email\nMX,x,2025-01-31,u-1,a@example.org\n")
    assert rows == [("u-1", "a@example.org", "MX", date(2025, 1, 31))]
    assert not notes


def test_cells_are_stripped_and_empty_ones_are_null() -> None:
    assert read_users(f"{USERS_HEADER} u-1 , ,\u00a0MX\u2003,\n")[0] == [("u-1", None, "MX", None)]


def test_quotes_as_spreadsheets_and_people_write_them() -> None:
    text = PRODUCTS_HEADER + 'M-1,Monitor 24" IPS,"a, ""b""",1\nM-2,"two\nlines",x,2\n"M-3",5\' pole,"",3\n'
    assert read_products(text)[0] == [
        ("M-1", 'Monitor 24" IPS', 'a, "b"', Decimal(1)),
        ("M-2", "two\nlines", "x", Decimal(2)),
        ("M-3", "5' pole", None, Decimal(3)),
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_bom_any_newline_and_blank_lines_do_no_harm(newline: str) -> None:
    text = f"{USERS_HEADER}\nu-1,,MX,\n\n".replace("\n", newline)
    assert read_users(b"\xef\xbb\xbf" + text.encode()) == ([("u-1", None, "MX", None)], Counter())


def test_the_last_row_of_a_key_counts_and_earlier_ones_are_noted() -> None:
    rows, notes = read_users(f"{USERS_HEADER}u-1,,MX,\nu-2,,US,\n u-1,,DE,\nu-1,,FR,\n")
    assert sorted(rows) == [("u-1", None, "FR", None), ("u-2", None, "US", None)]
    assert notes == {"users_rows_with_repeated_key": 2}


def test_rows_without_a_usable_key_are_left_out_and_noted() -> None:
    text = f"email,user_id,country,created_at\na@example.org\n,\0 ,MX,\n,{'é' * 128},MX,\n,u-1,MX,\n"
    assert read_users(text) == ([("u-1", None, "MX", None)], {"users_rows_without_usable_key": 3})


def test_short_rows_end_in_nulls_and_long_ones_are_clipped() -> None:
    text = f"{USERS_HEADER}u-1\nu-2,b@example.org\nu-3,c@example.org,MX,2025-01-01,more,and more\n"
    assert read_users(text)[0] == [
        ("u-1", None, None, None),
        ("u-2", "b@example.org", None, None),
        ("u-3", "c@example.org", "MX", date(2025, 1, 1)),
    ]


def test_text_is_cut_to_255_bytes_and_noted() -> None:
    rows, notes = read_products(f"{PRODUCTS_HEADER}A,{'é' * 200},{'x' * 255},\n{'k' * 255},,{'x' * 254}é,\n")
    assert rows == [("A", "é" * 127, "x" * 255, None), ("k" * 255, None, "x" * 254, None)]
    assert notes == {"products_texts_cut": 2}


def test_a_cell_with_nul_characters_loses_them() -> None:
    assert read_users(f"{USERS_HEADER}u\0-1,\0,M\0X,\n")[0] == [("u-1", None, "MX", None)]


@pytest.mark.parametrize(
    ("cell", "price"),
    [
        ("9.99", Decimal("9.99")),
        (" 1.00005 ", Decimal("1.0000")),
        ("1e2", Decimal(100)),
        ("0", Decimal(0)),
        ("", None),
        (" ", None),
    ],
)
def test_prices_are_exact(cell: str, price: Decimal | None) -> None:
    assert read_products(f"{PRODUCTS_HEADER}A,,,{cell}\n") == ([("A", None, None, price)], Counter())


@pytest.mark.parametrize("cell", ["-1", "100000000000000", "99999999999999.99995", "$5", '"1,5"', "NaN", "inf", "1_0"])
def test_a_price_that_cannot_be_read_is_null_and_noted(cell: str) -> None:
    assert read_products(f"{PRODUCTS_HEADER}A,,,{cell}\n") == (
        [("A", None, None, None)],
        {"products_cells_unreadable": 1},
    )


def test_dates_are_utc_and_unreadable_ones_noted() -> None:
    text = f"{USERS_HEADER}a,,,2025-01-31T23:30:00-01:00\nb,,,2025-01-31\nc,,,31.1.2025\nd,,,20250131\ne,,,1969-12-31\n"
    rows, notes = read_users(text)
    assert [row[3] for row in rows] == [date(2025, 2, 1), date(2025, 1, 31), None, None, None]
    assert notes == {"users_cells_unreadable": 3}


def test_a_header_alone_is_an_empty_file_of_users() -> None:
    rows, notes = read_reference(USERS, USERS_HEADER.strip().encode(), "users.csv")
    assert rows.is_empty()
    assert rows.schema == {"user_id": pl.String, "email": pl.String, "country": pl.String, "created_at_user": pl.Date}
    assert not notes


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"root:x:0:0:root:/root:/bin/bash\n", "its first line is no header"),
        (b"hunter2\n", "its first line is no header"),
        (b"TOKEN=s3cr3t,KEY=hunter2\n", "its first line is no header"),
        (b"id,mail,s3cr3t+hunter2/00112233445566778899==\n", "it has id, mail and 1 more"),
        (b"a,b,c,d,e,f,g,h,s3cr3t,hunter2\n", "it has a, b, c, d, e, f, g, h and 2 more"),
    ],
)
def test_of_a_file_that_is_no_reference_file_only_names_of_columns_are_shown(body: bytes, said: str) -> None:
    message = refusal(USERS, body)
    assert f": {said} / " in message
    assert "s3cr3t" not in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"user_id,email\nu-1,a\n", "lacks the columns country, created_at: it has user_id, email"),
        (b"user_id;email;country;created_at\n", "lacks the columns"),
        (b"USER_ID,email,country,created_at\n", "lacks the column user_id:"),
        ("user_id,email,country,created_at\nu-1,,México,\n".encode("latin-1"), "line 2 holds the byte 0xe9"),
        ("user_id,email,country,created_at\n".encode("utf-16"), "not UTF-8"),
        (b"user_id,email,country,created_at\nu-1," + b"x" * (1 << 20 | 1) + b",,\n", "line 2"),
    ],
)
def test_what_is_no_users_file_is_refused_by_name_and_place(body: bytes, said: str) -> None:
    message = refusal(USERS, body)
    assert "some.csv" in message
    assert said in message


@pytest.mark.parametrize(
    ("body", "looks"),
    [
        ("user_id,email\nu-1,México\n".encode("latin-1"), "Latin-1"),
        (USERS_HEADER.encode("utf-16"), "UTF-16"),
        (gzip.compress(USERS_HEADER.encode(), mtime=0), "gzip"),
    ],
    ids=["latin-1", "utf-16", "gzip"],
)
def test_what_is_not_utf_8_is_told_as_what_it_looks_like(body: bytes, looks: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_reference(USERS, body, "some.csv")
    assert f"looks like {looks}" in (caught.value.hint or "")


def test_blank_lines_above_the_header_are_passed_over() -> None:
    rows, _ = read_users(f"\n\r\n{USERS_HEADER}u-1,a@x,DE,\n")
    assert rows == [("u-1", "a@x", "DE", None)]


def test_a_large_cell_is_cut_not_refused() -> None:
    rows, notes = read_users(f"{USERS_HEADER}u-1,{'x' * 500_000},,\n")
    assert rows == [("u-1", "x" * 255, None, None)]
    assert notes == {"users_texts_cut": 1}


# Folding


def users_of(*rows: tuple[str, str | None]) -> pl.DataFrame:
    """A users file's rows by (user_id, country)."""
    return pl.DataFrame(
        [(key, None, country, None) for key, country in rows],
        schema={"user_id": pl.String, "email": pl.String, "country": pl.String, "created_at_user": pl.Date},
        orient="row",
    )


def mentions(*keys: str | None) -> pl.Series:
    return pl.Series("user_id", keys, dtype=pl.String)


NOBODY = pl.DataFrame(schema=USERS.table.schema)


def told(dimension: pl.DataFrame) -> list[tuple[object, ...]]:
    assert dict(dimension.schema) == USERS.table.schema
    return dimension.select("user_id", "country", "inferred").rows()


def test_later_files_replace_rows_and_no_key_vanishes() -> None:
    first = fold_dimension(USERS, NOBODY, [users_of(("b", "MX"), ("a", "US"))], mentions())
    second = fold_dimension(USERS, first, [users_of(("b", "DE")), users_of(("c", None), ("b", None))], mentions())
    assert told(second) == [("a", "US", False), ("b", None, False), ("c", None, False)]


def test_keys_that_only_orders_name_are_inferred_until_a_file_has_them() -> None:
    first = fold_dimension(USERS, NOBODY, [users_of(("b", "MX"))], mentions("z", None, "b", "z", "c"))
    assert told(first) == [("b", "MX", False), ("c", None, True), ("z", None, True)]
    second = fold_dimension(USERS, first, [users_of(("c", "FR"))], mentions("z"))
    assert told(second) == [("b", "MX", False), ("c", "FR", False), ("z", None, True)]
    assert_frame_equal(fold_dimension(USERS, second, [], mentions("c")), second)


def test_changed_keys_are_those_whose_enrichment_differs() -> None:
    before = fold_dimension(
        USERS, NOBODY, [users_of(("a", "MX"), ("b", None), ("c", "US"), ("d", "DE"))], mentions("e")
    )
    files = [users_of(("a", "MX"), ("b", "MX"), ("c", None), ("new", "MX"), ("e", None))]
    after = fold_dimension(USERS, before, files, mentions())
    assert sorted(changed_keys(USERS, before, after)) == ["b", "c"]
    assert changed_keys(USERS, before, before).is_empty()
    new_email = after.with_columns(email=pl.lit("x@example.org"))
    assert changed_keys(USERS, after, new_email).is_empty()


def _folded_by_reference(dimension: Dimension, files: Iterable[bytes]) -> bytes:
    batches = [
        reference_fold.Batch([], users=body) if dimension is USERS else reference_fold.Batch([], products=body)
        for body in files
    ]
    return reference_fold.fold(batches)[dimension.file]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_reference_files_fold_as_the_reference_does(data: st.DataObject) -> None:
    dimension, bodies = data.draw(st.sampled_from(((USERS, user_csvs()), (PRODUCTS, product_csvs()))))
    files = [_with_all_columns(dimension, body) for body in data.draw(st.lists(bodies, min_size=1, max_size=3))]
    frames = [read_reference(dimension, body, "x.csv")[0] for body in files]
    folded = fold_dimension(
        dimension, pl.DataFrame(schema=dimension.table.schema), frames, pl.Series(dimension.key, [], dtype=pl.String)
    )
    assert to_csv(folded) == _folded_by_reference(dimension, files)


def _with_all_columns(dimension: Dimension, body: bytes) -> bytes:
    """The file with the columns added at its header's end that it lacks: no row fills them."""
    text = body.decode("utf-8-sig")
    header, newline, rest = text.partition("\r\n" if "\r\n" in text.split("\n")[0] + "\n" else "\n")
    given_names = [name.strip(' "') for name in header.split(",")]
    lacking = [name for name in dimension.columns.values() if name not in given_names]
    return (",".join([header, *lacking]) + newline + rest).encode()
