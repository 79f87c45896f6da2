"""The dimensions: reference files in batch order, inferred members, and partitions enriched again where that shows."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from lakes import curated_bytes, expected_bytes, item, open_job, order, rows, run, write_batch

from ordersetl.runtime import RunContext

USERS = b"user_id,email,country,created_at\n"
PRODUCTS = b"sku,name,category,price\n"
EARLY, MIDDLE, LATE, LAST = (f"2025090{n}T000000.000000Z" for n in (1, 2, 3, 4))


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    with open_job(tmp_path / "output") as opened:
        yield opened
        assert curated_bytes(opened.lake) == expected_bytes(opened.lake)


def dimension(context: RunContext, name: str) -> dict[str, dict[str, str]]:
    found = csv.DictReader(io.StringIO((context.lake.folder / "curated" / f"{name}.csv").read_text(), newline=""))
    return {next(iter(row.values())): row for row in found}


def test_keys_that_no_file_has_are_inferred_also_from_superseded_versions(context: RunContext) -> None:
    write_batch(context, [order(user_id="gone", items=[item("X")]), order(user_id="u", updated_at="2025-08-25")])
    run(context)
    assert {key: row["inferred"] for key, row in dimension(context, "dim_user").items()} == {
        "gone": "true",
        "u": "true",
    }
    assert {key: row["inferred"] for key, row in dimension(context, "dim_product").items()} == {
        "A": "true",
        "X": "true",
    }


def test_an_inferred_member_becomes_known_and_its_orders_are_enriched(context: RunContext) -> None:
    write_batch(context, [order("o-1", 20, user_id="u-1"), order("o-2", 21, user_id="u-2")])
    run(context)
    write_batch(context, [], users=USERS + b"u-1,a@example.org,MX,2024-01-01\n")
    result = run(context)
    assert result.written == ("dt=2025-08-20/fact_order.csv",)
    assert result.dimensions_written == ("dim_user.csv",)
    assert rows(context.lake, 20)[0]["user_country"] == "MX"
    assert dimension(context, "dim_user")["u-1"]["inferred"] == "false"


def test_only_partitions_that_use_a_changed_key_are_written(context: RunContext) -> None:
    write_batch(
        context,
        [order("o-1", 20, items=[item("A")]), order("o-2", 21, items=[item("B")]), order("o-3", 22)],
        products=PRODUCTS + b"A,Shoe,shoes,1\nB,Hat,hats,2\n",
        users=USERS + b"u-1,a@example.org,MX,2024-01-01\n",
    )
    run(context)
    write_batch(context, [], products=PRODUCTS + b"A,Shoe,shoes,1\nB,Cap,hats,2\n")
    assert run(context).written == ("dt=2025-08-21/fact_order.csv",)
    # an address enriches nothing
    write_batch(context, [], users=USERS + b"u-1,b@example.org,MX,2024-01-01\n")
    result = run(context)
    assert (result.written, result.dimensions_written) == ((), ("dim_user.csv",))


def test_a_key_never_vanishes_and_later_files_win(context: RunContext) -> None:
    write_batch(context, [order()], users=USERS + b"u-1,,MX,\nu-2,,US,\n", batch_id=EARLY)
    run(context)
    write_batch(context, [], users=USERS + b"u-1,,CA,\n", batch_id=MIDDLE)
    run(context)
    assert {key: row["country"] for key, row in dimension(context, "dim_user").items()} == {"u-1": "CA", "u-2": "US"}


def test_the_same_file_again_changes_nothing(context: RunContext) -> None:
    users = USERS + b"u-1,,MX,\nu-1,,CA,\n"
    write_batch(context, [order()], users=users)
    assert run(context).reference_notes == {"users_rows_with_repeated_key": 1}
    write_batch(context, [], users=users)
    result = run(context)
    assert (result.dimensions_written, result.reference_notes) == ((), {})


def test_a_file_that_comes_again_after_another_counts_again(context: RunContext) -> None:
    one, other = USERS + b"u-1,,MX,\n", USERS + b"u-1,,CA,\n"
    for users in (one, other, one):
        write_batch(context, [order()], users=users)
        run(context)
    assert rows(context.lake, 20)[0]["user_country"] == "MX"


def test_a_late_file_is_folded_in_its_place(context: RunContext) -> None:
    write_batch(context, [order()], users=USERS + b"u-1,,MX,\n", batch_id=EARLY)
    write_batch(context, [order("o-2", user_id="u-2")], users=USERS + b"u-1,,US,\n", batch_id=LATE)
    run(context)
    write_batch(context, [], users=USERS + b"u-1,,CA,\nu-2,,CA,\n", batch_id=MIDDLE)
    run(context)
    assert [row["user_country"] for row in rows(context.lake, 20)] == ["US", "CA"]


def test_a_late_file_changes_what_a_lost_dimension_had_enriched(context: RunContext) -> None:
    """What partitions were enriched with is the fold of all that was applied, not of what came before the late one."""
    write_batch(context, [order()], users=USERS + b"u-1,,MX,\n", batch_id=EARLY)
    write_batch(context, [], users=USERS + b"u-1,,CA,\n", batch_id=LATE)
    run(context)
    (context.lake.folder / "curated" / "dim_user.csv").unlink()
    write_batch(context, [], batch_id=MIDDLE)
    write_batch(context, [], users=USERS + b"u-1,,MX,\n", batch_id=LAST)
    run(context)
    assert rows(context.lake, 20)[0]["user_country"] == "MX"


def test_a_late_batch_sets_back_nothing_where_the_dimension_is_lost(context: RunContext) -> None:
    write_batch(context, [order()], users=USERS + b"u-1,,MX,\n", batch_id=EARLY)
    write_batch(context, [], users=USERS + b"u-1,,CA,\n", batch_id=MIDDLE)
    write_batch(context, [], batch_id=LAST)
    run(context)
    (context.lake.folder / "curated" / "dim_user.csv").unlink()
    write_batch(context, [], users=USERS + b"u-1,,MX,\n", batch_id=LATE)
    run(context)
    assert rows(context.lake, 20)[0]["user_country"] == "MX"
