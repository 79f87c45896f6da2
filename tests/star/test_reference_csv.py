"""A reference file that is given is strict CSV, refused with its line; one that is kept is read as it always was."""

import contextlib
import csv
import io
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ordersetl.errors import ConfigError
from ordersetl.extract.bounded_file import read_bounded
from ordersetl.star.dimensions import PRODUCTS, USERS, inspect_reference, read_reference
from ordersetl.star.reference_csv import read_rows

HEADER = "sku,name,category,price\n"
BROKEN = {
    "an unclosed quote": (HEADER + 'p_0,"Mug,home,3\np_1,Cup,home,4\n', 2, "never closed"),
    "an unclosed quote in the last line": (HEADER + 'p_0,Mug,home,3\np_1,"Cup,home,4', 3, "never closed"),
    "an unclosed quote after a cell of two lines": (HEADER + 'p_0,"a\nb","c,3\np_1,Cup,home,4\n', 3, "never closed"),
    "an unclosed quote in the header": ('sku,name,category,"price\np_0,Mug,home,3\n', 1, "never closed"),
    "an unclosed quote with CRLF": (HEADER + '\r\np_0,"Mug,home,3\r\np_1,Cup,home,4\r\n', 3, "never closed"),
    "an unclosed quote before a doubled one": (HEADER + 'p_0,"Mug,home,3\np_1,"",home,4\n', 2, "never closed"),
    "an unclosed quote over more than a cell may hold": (HEADER + 'p_0,"Mug,home,3\n' + "x\n" * 600_000, 2, "never"),
    "text after a quote": (HEADER + 'p_0,Mug,home,3\np_1,"Cup" blue,home,4\n', 3, "before the cell ends"),
    "a quote that the next one closes": (HEADER + 'p_0,"Mug,home,3\np_1,"Cup",home,4\n', 2, "closes in line 3 before"),
    "a longer row": (HEADER + "p_0,Cup,home,3\np_1,Set,cups,home,4\n", 3, "has 5 cells, and the header has 4"),
    "a longer row that ends in nothing": (HEADER + "p_1,Set,cups,home,\n", 2, "has 5 cells"),
    "a longer row after blank lines and long cells": (HEADER + '\n"a\nb",x,y,1\n\np_1,Set,cups,home,4\n', 6, "5 cells"),
    "a blank before a quote": (HEADER + 'p_1, "Set, cups",home,4\n', 2, "has 5 cells"),
    "a blank before a quote where the row is short": (
        HEADER + 'p_0,Mug,home,3\np_1, "Set, cups",home\n',
        3,
        "a blank stands",
    ),
    "a blank before a quote in the first cell": (HEADER + '\t"p_1",Cup,home,4\n', 2, "a blank stands before the quote"),
    "a blank before a quote after a cell in quotes": (HEADER + '"p\n1","a, ""b""", "c",4\n', 3, "a blank stands"),
    "a repeated column": ("sku,name,category,price, price\np_1,Cup,home,3,4\n", 1, "the column price 2 times"),
    "another repeated column": ("note,sku,name,category,price,note\n", 1, "the column note 2 times"),
    "a repeated header": (HEADER + "p_0,Mug,home,3\n" + HEADER + "p_1,Cup,home,4\n", 3, "is repeated there"),
    "a cell without end": (HEADER + "p_0," + "x" * (1 << 20 | 1) + ",,\n", 2, "field larger"),
}
SOUND = {
    "shorter rows": HEADER + "p_0\np_1,Cup\n",
    "columns without a name": "sku,name,category,price,,\np_1,Cup,home,4,,\n",
    "quotes within a cell": HEADER + "p_0,Monitor 24\" IPS,5' pole,3\n",
    "a blank before a quote within a cell": HEADER + 'p_0,"a, ""b"", c\n ""d""",3" wide,3\n',
    "blanks around cells": HEADER + ' p_0 , Mug 3" , home , 3\n',
    "doubled quotes and line breaks": HEADER + 'p_0,"a ""b""\nc","d,e",3\n',
    "no end of the last line": HEADER + 'p_0,Mug,home,"3"',
    "a header alone": HEADER,
    "blank lines": HEADER + "\n\np_0,Mug,home,3\n\n",
}


@pytest.mark.parametrize(("text", "line", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_11_a_file_that_is_no_strict_csv_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        inspect_reference(PRODUCTS, text.encode(), "products.csv")
    assert caught.value.message.startswith(f"products.csv, line {line}: ")
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND.keys())
def test_11_a_sound_file_is_taken_without_a_word(text: str) -> None:
    assert inspect_reference(PRODUCTS, text.encode(), "products.csv") == ""


NEVER_KEPT = {
    "a cell without end",
    "an unclosed quote over more than a cell may hold",
    "an unclosed quote in the header",
}


@pytest.mark.parametrize("text", [text for name, (text, *_) in BROKEN.items() if name not in NEVER_KEPT])
def test_11_what_was_kept_before_is_read_as_before(text: str) -> None:
    rows, _ = read_reference(PRODUCTS, text.encode(), "products.csv")
    assert rows.columns == ["sku", "name", "category", "price"]


@given(st.lists(st.lists(st.text(st.sampled_from('a",\n\r ')), min_size=1, max_size=4), min_size=1, max_size=6))
def test_11_strict_rows_are_those_that_were_written_and_lines_where_they_begin(rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    found = read_rows(out.getvalue(), "x.csv", strict=True)
    assert [found.header, *found.rows] == rows
    lines = list(io.StringIO(out.getvalue(), newline=""))
    for row, line in zip(found.rows, found.lines, strict=True):
        first = io.StringIO(row[0], newline="").readline().replace('"', '""').rstrip("\r\n")
        assert lines[line - 1].startswith(f'"{first}')


# Ids as pandas writes them


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        *[("501.0", "501"), (" 501.00 ", "501"), ("-7.0", "-7"), ("0.0", "0"), ("-0.0", "0"), ("501", "501")],
        *[("501.5", "501.5"), ("501.", "501."), ("007.0", "007.0"), ("v1.0", "v1.0"), ("1.2.0", "1.2.0")],
        *[("1e2", "1e2"), (".0", ".0"), ("+1.0", "+1.0"), ("12345678901234567890.0", "12345678901234567890")],
    ],
)
def test_10_a_key_that_is_a_whole_number_with_a_fraction_of_zeros_is_that_number(cell: str, key: str) -> None:
    rows, notes = read_reference(USERS, f"user_id,email,country,created_at\n{cell},501.0,501.0,\n".encode(), "u.csv")
    assert rows.rows() == [(key, "501.0", "501.0", None)]
    assert not notes


def test_10_both_spellings_of_a_number_are_one_key() -> None:
    rows, notes = read_reference(PRODUCTS, f"{HEADER}501,a,,\n501.0,b,,\n".encode(), "p.csv")
    assert rows.rows() == [("501", "b", None, None)]
    assert notes == {"products_rows_with_repeated_key": 1}


# Odd cells


def test_bad_cells_are_told_by_line_and_column_the_first_five() -> None:
    long = "x" * 256
    text = (
        f'{HEADER}p_0,"a\nb",home,free\np_1,{long},home,1\n,Cup,home,4\n{long},,,\np_2,Cup,home,-1\np_3,,,"1,5"\n,,,\n'
    )
    told = inspect_reference(PRODUCTS, text.encode(), "products.csv")
    assert told.startswith("products.csv: 6 cells cannot be taken as they are: line 2, column price: it cannot be read")
    places = [
        (place.split(",")[0].split()[-1], place.split("column ")[1].split(":")[0]) for place in told.split("; ")[:5]
    ]
    assert places == [("2", "price"), ("4", "name"), ("5", "sku"), ("6", "sku"), ("7", "price")]
    assert told.endswith("; and 1 more")


def test_one_bad_cell_is_one_cell() -> None:
    text = "user_id,email,country,created_at\nu-1,,MX,31.1.2025\n"
    assert inspect_reference(USERS, text.encode(), "users.csv") == (
        "users.csv: 1 cell cannot be taken as it is: "
        "line 2, column created_at: it cannot be read, so it is taken as empty"
    )


def test_a_quote_that_may_have_swallowed_rows_is_told() -> None:
    told = inspect_reference(PRODUCTS, f'{HEADER}p_0,"Mug,home,3\np_1,Cup,home",4\n'.encode(), "products.csv")
    assert "line 2, column price: the row ends before it" in told
    assert "is a quote missing?" in told


# Files, pipes and what is neither


def test_a_file_is_read_up_to_a_byte_past_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(b"x" * 1000)
    assert read_bounded(path, 1000, timeout_s=1) == b"x" * 1000
    assert len(read_bounded(path, 10, timeout_s=1)) == 11


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/", "no-such.csv"])
def test_what_is_neither_file_nor_pipe_is_refused(path: str) -> None:
    with pytest.raises(OSError, match=r"neither a file nor a pipe|directory|folder"):
        read_bounded(Path(path), 10, timeout_s=1)


def test_a_pipe_is_read_to_its_end_or_the_limit(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for limit, read in ((1 << 22, 3 << 20), (1 << 20, (1 << 20) + 1)):
        writer = threading.Thread(target=_write, args=(pipe, b"x" * (3 << 20)))
        writer.start()
        assert len(read_bounded(pipe, limit, timeout_s=60)) == read
        writer.join()


def _write(pipe: Path, content: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # the reader has had enough
        pipe.write_bytes(content)


def test_a_pipe_that_nobody_writes_into_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordersetl.extract.bounded_file._WRITER_WAIT_S", 0.0)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="a pipe, and nothing came out of it"):
        read_bounded(pipe, 10, timeout_s=60)
    silent = os.open(pipe, os.O_RDWR)
    with pytest.raises(OSError, match=r"nothing came out of it for 0\.01 s"):
        read_bounded(pipe, 10, timeout_s=0.01)
    os.close(silent)
