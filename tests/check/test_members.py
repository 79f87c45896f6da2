"""Large dimensions that a run did not write are not read again: the keys that its days use are looked up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lakes import open_job, order, run, write_batch

from ordersetl.check import layer, members, queries, tables
from ordersetl.check.layer import check
from ordersetl.check.members import choose_looked_up
from ordersetl.lake.manifest import read_manifest
from ordersetl.runtime import RunContext
from ordersetl.star.dimensions import USERS

GIVEN = b"user_id,email,country,created_at\n" + b"".join(b"u-%d,,FR,\n" % n for n in range(100))


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunContext]:
    monkeypatch.setattr(members, "SMALL_BYTES", 0)
    with open_job(tmp_path / "output") as opened:
        write_batch(opened, [order("o-1", 20, user_id="u-1"), order("o-2", 21, user_id=None)], users=GIVEN)
        run(opened)
        yield opened


def read_tables(context: RunContext, monkeypatch: pytest.MonkeyPatch, **scope: object) -> tuple[bool, set[str]]:
    """Whether all is well, and which files were read for that."""
    read: set[str] = set()
    really = tables.read_files

    def note(database: Any, table: Any, lake: Any, names: list[str], **named: Any) -> dict[str, str]:
        read.update(names)
        return really(database, table, lake, names, **named)

    monkeypatch.setattr(queries, "read_files", note)
    return check(context.lake, **scope).ok, read  # type: ignore[arg-type]


def test_an_unchanged_one_is_not_read(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(context.lake)
    assert manifest is not None
    days = list(manifest.partitions)
    assert read_tables(context, monkeypatch, days=days, unchanged=["dim_user.csv"]) == (
        True,
        {"dt=2025-08-20/fact_order.csv", "dt=2025-08-21/fact_order.csv", "dim_product.csv"},
    )
    assert "dim_user.csv" in read_tables(context, monkeypatch, days=days)[1]
    assert "dim_user.csv" in read_tables(context, monkeypatch)[1]


def test_a_user_that_is_no_member_is_still_found(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(context.lake)
    assert manifest is not None
    assert choose_looked_up(manifest, manifest.files, ["dim_user.csv"]) == (USERS,)
    without = msgspec.structs.replace(manifest, members={**manifest.members, "users": ()})
    monkeypatch.setattr(layer, "read_manifest", lambda _: without)
    found = check(context.lake, days=list(manifest.partitions), unchanged=["dim_user.csv"])
    assert [(one.name, one.offending) for one in found.outcomes if not one.ok] == [("users_resolve", 1)]


def test_members_that_cannot_be_read_are_for_the_next_load(context: RunContext) -> None:
    manifest = read_manifest(context.lake)
    assert manifest is not None
    for entry in manifest.members["users"]:
        (context.lake.folder / "index" / entry.name).unlink()
    assert check(context.lake, days=list(manifest.partitions), unchanged=["dim_user.csv"]).ok
