"""Inferred rows say what orders say of their users and products, in whatever order the batches come."""

import csv
import hmac
import io
import shutil
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from lakes import curated_bytes, item, load, open_job, order, rows, run, spoil, write_batch

from ordersetl.lake.layout import Lake
from ordersetl.lake.manifest import read_manifest
from ordersetl.lake.members import read_members
from ordersetl.lake.segments import read_rows
from ordersetl.runtime import RunContext
from ordersetl.star import dimensions

USERS = b"user_id,email,country,created_at\nu-2,two@example.org,,2024-01-01\n"


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    with open_job(tmp_path / "output") as opened:
        yield opened


def deliver(context: RunContext, *records: object, **given: Any) -> None:
    write_batch(context, records, **given)
    run(context)


def dimension(lake: Lake, name: str, *columns: str) -> list[tuple[str, ...]]:
    text = (lake.folder / "curated" / f"{name}.csv").read_text()
    return [tuple(row[column] for column in columns) for row in csv.DictReader(io.StringIO(text, newline=""))]


def users(lake: Lake) -> list[tuple[str, ...]]:
    return dimension(lake, "dim_user", "user_id", "email", "country", "inferred")


def says(email: object = ..., country: object = ..., **fields: object) -> dict[str, object]:
    user = {name: value for name, value in (("email", email), ("country", country)) if value is not ...}
    return order(user=user, **fields)


def snapshot(context: RunContext) -> list[Path]:
    manifest = read_manifest(context.lake)
    assert manifest is not None
    return [context.lake.folder / "index" / entry.name for entry in manifest.members["users"]]


def test_each_attribute_is_that_of_the_newest_version_that_gives_it(context: RunContext) -> None:
    deliver(
        context,
        says("old@example.org", "MX", updated_at="2025-08-21"),
        says("new@example.org", updated_at="2025-08-23"),
        says(country="FR", updated_at="2025-08-22", order_id="o-2"),
        order("o-3", updated_at="2025-08-24"),
        order("o-4", items=[item("A", name="Shoe"), item("B")]),
        order("o-5", items=[item("A", name="Sole")], updated_at="2025-08-19"),
    )
    assert users(context.lake) == [("u-1", "new@example.org", "FR", "true")]
    assert dimension(context.lake, "dim_product", "sku", "name") == [("A", "Shoe"), ("B", "")]
    assert {(row["user_country"], row["product_name"]) for row in rows(context.lake, 20) if row["sku"] == "A"} == {
        ("FR", "Shoe")
    }


def test_rows_of_a_reference_file_are_left_alone(context: RunContext) -> None:
    deliver(context, says("x@example.org", "MX", user_id="u-2"))
    assert users(context.lake) == [("u-2", "x@example.org", "MX", "true")]
    deliver(context, users=USERS)
    assert users(context.lake) == [("u-2", "two@example.org", "", "false")]
    assert rows(context.lake, 20)[0]["user_country"] == ""
    deliver(context, says("y@example.org", "MX", user_id="u-2", updated_at="2025-08-29"))
    assert users(context.lake) == [("u-2", "two@example.org", "", "false")]
    manifest = read_manifest(context.lake)
    assert manifest is not None
    members = read_members(context.lake, manifest.members["users"], dimensions.USERS)
    assert members["email_at"].is_null().all()


@pytest.mark.parametrize("order_of_batches", [*permutations((1, 2, 3))])
def test_the_order_of_batches_does_not_show(tmp_path: Path, order_of_batches: tuple[int, ...]) -> None:
    batches: dict[int, tuple[list[object], dict[str, Any]]] = {
        1: ([says("1@example.org", "MX", updated_at="2025-08-23"), says("a@example.org", user_id="u-2")], {}),
        2: ([says("2@example.org", updated_at="2025-08-23")], {"users": USERS}),
        3: ([says("3@example.org", "FR", updated_at="2025-08-22", items=[item("A", name="Shoe")])], {}),
    }
    with open_job(tmp_path / "output") as context:
        for number in order_of_batches:
            records, given = batches[number]
            deliver(context, *records, batch_id=f"2025090{number}T000000.000000Z", **given)
        assert users(context.lake) == [
            ("u-1", "2@example.org", "MX", "true"),
            ("u-2", "two@example.org", "", "false"),
        ]
        before = curated_bytes(context.lake)
        assert load(context, rebuild=True).written == ()
        assert curated_bytes(context.lake) == before


@pytest.mark.parametrize("harm", [Path.unlink, spoil])
@pytest.mark.parametrize("staged", [True, False])
def test_lost_mentions_come_back_from_history(
    context: RunContext, harm: Callable[[Path], object], *, staged: bool
) -> None:
    deliver(context, says("1@example.org", "MX", updated_at="2025-08-25"), says("a@example.org", user_id="u-3"))
    (path,) = snapshot(context)
    harm(path)
    if not staged:
        shutil.rmtree(context.lake.folder / "staged")
    write_batch(context, [says("0@example.org", "FR", order_id="o-2", updated_at="2025-08-24")])
    assert [damage.file for damage in run(context).healed] == ["index"]
    assert users(context.lake) == [("u-1", "1@example.org", "MX", "true"), ("u-3", "a@example.org", "", "true")]
    assert run(context).healed == ()
    assert all(path.exists() for path in snapshot(context))


def test_a_lost_dimension_is_rebuilt_with_what_orders_say(context: RunContext) -> None:
    deliver(context, says("1@example.org", "MX"), users=USERS)
    before = curated_bytes(context.lake)
    (context.lake.folder / "curated/dim_user.csv").unlink()
    assert load(context).written == ()
    assert curated_bytes(context.lake) == before


def test_partitions_are_enriched_again_where_orders_say_more(context: RunContext) -> None:
    deliver(context, order("o-1", 20))
    deliver(context, says(country="MX", order_id="o-2", day=22))
    assert [rows(context.lake, day)[0]["user_country"] for day in (20, 22)] == ["MX", "MX"]


# Emails


def hashed(email: str, key: bytes = b"secret") -> str:
    return hmac.digest(key, email.encode(), "sha256").hex()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"emails": "keep"}, (" A@Example.org".strip(), "two@example.org")),
        ({"emails": "drop"}, ("", "")),
        ({"emails": "hash", "emails_key": "secret"}, (hashed("a@example.org"), hashed("two@example.org"))),
    ],
)
def test_dim_user_shows_emails_as_the_settings_say(
    tmp_path: Path, settings: dict[str, Any], expected: tuple[str, str]
) -> None:
    with open_job(tmp_path / "output", **settings) as context:
        deliver(context, says(" A@Example.org", "MX"), users=USERS)
        assert tuple(row[1] for row in users(context.lake)) == expected
        deliver(context, order("o-2"), users=USERS)
        assert tuple(row[1] for row in users(context.lake)) == expected
        manifest = read_manifest(context.lake)
        assert manifest is not None
        kept = read_rows(context.lake, manifest.members["users"])
        assert settings["emails"] == "keep" or "Example" not in "".join(members.write_csv() for members in kept)


def test_other_settings_of_emails_fold_everything_again(tmp_path: Path) -> None:
    def show(**settings: Any) -> tuple[bool, str]:
        with open_job(tmp_path / "output", **settings) as context:
            return run(context).rebuilt, users(context.lake)[0][1]

    with open_job(tmp_path / "output") as context:
        deliver(context, says("a@example.org"))
    assert show(emails="drop") == (True, "")
    assert show(emails="drop") == (False, "")
    assert show(emails="hash", emails_key="secret") == (True, hashed("a@example.org"))
    assert show(emails="hash", emails_key="other") == (True, hashed("a@example.org", b"other"))
    assert show() == (True, "a@example.org")
    assert show() == (False, "a@example.org")
