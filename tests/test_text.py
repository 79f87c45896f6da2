"""What came from outside reaches no terminal as it is; a count has its noun."""

import pytest

from ordersetl.text import first_line, many, one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain: Ñandú, 東京, 🙂", "plain: Ñandú, 東京, 🙂"),
        ("\x1b[2J\x07\x00\x7f\x9b", "�[2J����"),
        ("a\nb\rc\td", "a�b�c�d"),
        ("\u202eevil\u2066\u200f", "�evil��"),
        ("\u2028\u2029\ud800\udcff\ufeff\ue000", "������"),
        ("12\u00a0345\u202f6\u3000", "12 345 6 "),
    ],
)
def test_nothing_that_steers_a_terminal_is_left(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()


@pytest.mark.parametrize(("said", "line"), [("\n  a b \nc", "a b"), ("", "ValueError"), (" \n", "ValueError")])
def test_the_first_line_of_an_error(said: str, line: str) -> None:
    assert first_line(ValueError(said)) == line


def test_one_line() -> None:
    assert one_line(" a\n\tb\x1b  c ") == "a b� c"


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 records"), (1, "1 record"), (2, "2 records"), (1000, "1,000 records")]
)
def test_a_count_has_its_noun(count: int, said: str) -> None:
    assert many(count, "record") == said


def test_a_noun_may_have_a_plural_of_its_own() -> None:
    assert (many(1, "retry", "retries"), many(3, "retry", "retries")) == ("1 retry", "3 retries")
