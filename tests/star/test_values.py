"""What counts as a number, a text or a time, and that it is read exactly."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import reference_fold
from hypothesis import example, given, settings, strategies as st
from strategies import ODD_NUMBERS, ODD_TEXTS, ODD_TIMES, odd_text

from ordersetl.star.values import (
    HugeNumber,
    read_date,
    read_decimal,
    read_short_text,
    read_text,
    read_time,
    read_version_time,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "1.0000"),
        (Decimal("0.00005"), "0.0000"),
        (Decimal("0.00015"), "0.0002"),
        (Decimal("1.00005"), "1.0000"),
        (Decimal("1.0000500000000001"), "1.0001"),
        (Decimal("1.00004999999999999999999999999"), "1.0000"),
        ("1.00025", "1.0002"),
        (" 12.50 ", "12.5000"),
        ("1e2", "100.0000"),
        (".5", "0.5000"),
        ("5.", "5.0000"),
        ("+1", "1.0000"),
        ("-0", "0.0000"),
        (0.1, "0.1000"),
        (1e22, None),
        ("99999999999999.99994", "99999999999999.9999"),
        ("99999999999999.99995", "100000000000000.0000"),
        ("1e-99999", "0.0000"),
        ("1e400", None),
        *((zero, "0.0000") for zero in ("0e16", "0e400", "-0.0e30", "0e99999999999999999999", Decimal("0e20"))),
        ("1e99999999999999999999", None),
        (10**40, None),
        ("1_0", None),
        ("\uff11", None),
        ("1,5", None),
        ("", None),
        (" ", None),
        ("NaN", None),
        ("Infinity", None),
        (float("inf"), None),
        (Decimal("NaN"), None),
        (Decimal("-Infinity"), None),
        (True, None),
        (None, None),
        ([], None),
        ({}, None),
    ],
)
def test_read_decimal_is_exact_and_rounds_half_even(value: object, expected: str | None) -> None:
    assert read_decimal(value) == (None if expected is None else Decimal(expected))


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.sampled_from(ODD_NUMBERS), st.decimals(), st.floats(), st.integers(), odd_text(), st.booleans()))
@example("1e-400")
def test_read_decimal_agrees_with_the_reference(value: object) -> None:
    units = reference_fold.units_of(value)
    inside = units if units is not None and abs(units) < 10**18 else None
    read = read_decimal(value)
    assert (read if read is not None and abs(read) < 10**14 else None) == (
        None if inside is None else Decimal(inside).scaleb(-4)
    )


# Texts


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        ("\u2003a b\u00a0\n", "a b"),
        ("\0 a\0b\0", "ab"),
        ("\ud83da", "\ufffda"),
        ("", None),
        ("\0", None),
        (5, "5"),
        (0, "0"),
        (True, None),
        (1.0, "1"),
        (Decimal("501.0"), "501"),
        (Decimal("5.01e2"), "501"),
        (Decimal("-7.0"), "-7"),
        (-0.0, "0"),
        (Decimal("0e-999999"), "0"),
        (Decimal("1e254"), "1" + "0" * 254),
        (HugeNumber("0.0e99999999999999999999"), "0"),
        (HugeNumber("1e-99999999999999999999"), None),
        (HugeNumber("-1.5e99999999999999999999"), "-15" + "0" * 298),
        (1.5, None),
        (Decimal("1.00000000000000000000000000000001"), None),
        (Decimal("1e-999999999"), None),
        (float("inf"), None),
        (Decimal("NaN"), None),
        (None, None),
        ([], None),
    ],
)
def test_read_text(value: object, expected: str | None) -> None:
    assert read_text(value) == expected


def test_text_is_cut_at_the_edge_of_a_character() -> None:
    assert read_short_text("x" * 255) == ("x" * 255, False)
    assert read_short_text("x" * 256) == ("x" * 255, True)
    assert read_short_text("🦊" * 64) == ("🦊" * 63, True)
    assert read_short_text("ß" * 127, upper=True) == ("S" * 254, False)
    assert read_short_text("ß" * 128, upper=True) == ("S" * 255, True)
    assert read_short_text("x" * 254 + " y") == ("x" * 254, True)
    assert read_short_text(None) == (None, False)


@given(st.one_of(odd_text(600), st.sampled_from(ODD_TEXTS)))
def test_read_short_text_agrees_with_the_reference(value: object) -> None:
    text, read = reference_fold.text_of(value), read_text(value)
    assert read == text or (isinstance(value, Decimal) and read and text and read[:300] == text[:300])
    assert read_short_text(value) == (reference_fold.cut(text), text is not None and reference_fold.is_long(text))


# Times


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-08-20T15:23:10Z", "2025-08-20T15:23:10+00:00"),
        ("2025-08-20", "2025-08-20T00:00:00+00:00"),
        (" 2025-08-20 15:23 ", "2025-08-20T15:23:00+00:00"),
        ("2025-08-20T15:23:10.123456789+02:00", "2025-08-20T13:23:10.123456+00:00"),
        ("20250820T152310Z", "2025-08-20T15:23:10+00:00"),
        ("1970-01-01", "1970-01-01T00:00:00+00:00"),
        ("1970-01-01T00:00:00+00:01", None),
        ("1969-12-31T23:59:59-00:01", "1970-01-01T00:00:59+00:00"),
        ("2199-12-31T23:59:59.999999Z", "2199-12-31T23:59:59.999999+00:00"),
        ("2199-12-31T23:59:59-00:01", None),
        ("2200-01-01", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("2025-W34-3 10:00", "2025-08-20T10:00:00+00:00"),
        ("2025-08-20+02:00", None),
        ("2025-08-20-05:00", None),
        ("20250820+02:00", None),
        ("2025-08-20X10:00:00", None),
        ("2025-08-20_10:00:00", None),
        ("20250820", None),
        ("1755684000", None),
        ("2025", None),
        ("1e9", None),
        (1755684000, None),
        (20250820.0, None),
        (True, None),
        ("2025-02-29", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (date(2025, 8, 20), None),
    ],
)
def test_read_time(value: object, expected: str | None) -> None:
    moment = read_time(value)
    assert (moment and moment.isoformat()) == expected
    assert read_date(value) == (None if moment is None else moment.date())


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.sampled_from(ODD_TIMES), st.datetimes().map(datetime.isoformat), odd_text()))
def test_read_time_agrees_with_the_reference(value: object) -> None:
    assert read_time(value) == reference_fold.time_of(value)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"created_at": "2025-08-20", "updated_at": "2025-08-21"}, datetime(2025, 8, 21, tzinfo=UTC)),
        ({"created_at": "2025-08-20", "updated_at": None}, datetime(2025, 8, 20, tzinfo=UTC)),
        ({"created_at": "2025-08-20", "updated_at": "soon"}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_version_is_as_of_its_update_or_else_its_creation(record: object, expected: datetime | None) -> None:
    assert read_version_time(record) == expected
