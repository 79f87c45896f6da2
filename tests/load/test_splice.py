"""Rows spliced into a sorted CSV give the bytes that writing the whole table gives."""

import polars as pl
from hypothesis import given, settings, strategies as st

from ordersetl.load.splice import splice_rows
from ordersetl.star.frames import to_csv
from ordersetl.star.schema import DIM_USER

KEYS = st.text("ab-é🦊 1", min_size=1, max_size=4).filter(lambda key: key == key.strip())
ROWS = st.dictionaries(KEYS, st.sampled_from((None, "FR", "é", "MX")), max_size=12)


def table(rows: dict[str, str | None]) -> pl.DataFrame:
    made = [(key, None, country, None, True) for key, country in rows.items()]
    return pl.DataFrame(made, schema=DIM_USER.schema, orient="row").sort("user_id")


@settings(max_examples=300, derandomize=True)
@given(ROWS, ROWS)
def test_it_is_as_if_all_had_been_written(kept: dict[str, str | None], changed: dict[str, str | None]) -> None:
    assert splice_rows(to_csv(table(kept)), table(changed)) == (
        to_csv(table(kept | changed)),
        len(changed.keys() - kept.keys()),
    )


def test_quoted_cells_are_left_to_who_can_read_them() -> None:
    plain, quoted = table({"a": "FR"}), table({"b": "one, two"})
    assert splice_rows(to_csv(plain), quoted) is None
    assert splice_rows(to_csv(quoted), plain) is None
