"""Dimensions whose members are looked up by key: what is not needed is not read, and what is wrong is repaired."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from lakes import curated_bytes, expected_bytes, item, open_job, order, rows, run, spoil, write_batch

from ordersetl.lake.layout import MANIFEST
from ordersetl.lake.manifest import Manifest, encode_manifest, read_manifest
from ordersetl.load import dimensions
from ordersetl.runtime import RunContext

USERS = b"user_id,email,country,created_at\n" + b"".join(b"u-%d,,FR,\n" % n for n in range(100))
DIM_USER = "curated/dim_user.csv"


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    with open_job(tmp_path / "output") as opened:
        write_batch(opened, [order("o-1", 20, user_id="u-1"), order("o-2", 21, user_id="u-2")], users=USERS)
        run(opened)
        yield opened
        assert curated_bytes(opened.lake) == expected_bytes(opened.lake)


def manifest_of(context: RunContext) -> Manifest:
    manifest = read_manifest(context.lake)
    assert manifest is not None
    return manifest


def says(order_id: str, day: int, country: str, user: str = "u-new") -> dict[str, object]:
    return order(order_id, day, user_id=user, user={"country": country}, updated_at="2025-08-28")


def test_a_load_does_not_read_a_dimension_that_it_does_not_change(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(dimensions, "read_dimension", refuse)
    monkeypatch.setattr(dimensions, "put_file", refuse)
    monkeypatch.setattr(dimensions, "read_verified", refuse)
    write_batch(context, [order("o-1", 20, user_id="u-3", items=[item("A")])])
    result = run(context)
    assert result.written == ("dt=2025-08-20/fact_order.csv",)
    assert result.dimensions_written == ()
    assert rows(context.lake, 20)[0]["user_country"] == "FR"


def test_new_users_are_added_to_the_file(context: RunContext) -> None:
    write_batch(context, [says("o-3", 22, "MX"), order("o-4", 22, user_id="a")])
    assert run(context).dimensions_written == ("dim_user.csv",)
    write_batch(context, [says("o-5", 22, "BE"), order("o-6", 22, user_id="a")])
    assert run(context).dimensions_written == ("dim_user.csv",)
    assert {row["user_country"] for row in rows(context.lake, 22)} == {"BE", ""}


def test_users_whose_names_need_quotes_are_added_too(context: RunContext) -> None:
    write_batch(context, [order("o-3", 22, user_id='say "u"'), order("o-4", 22, user_id="u, v")])
    assert run(context).dimensions_written == ("dim_user.csv",)
    write_batch(context, [order("o-5", 22, user_id="u-101")])
    assert run(context).dimensions_written == ("dim_user.csv",)


def test_rows_are_never_added_to_a_file_that_was_changed(context: RunContext) -> None:
    path = context.lake.folder / DIM_USER
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"FR", b"XX", 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    write_batch(context, [says("o-3", 22, "MX")])
    assert [damage.file for damage in run(context).healed] == ["dim_user.csv"]


def test_members_that_were_changed_are_made_again(context: RunContext) -> None:
    for entry in manifest_of(context).members["users"]:
        path = context.lake.folder / "index" / entry.name
        before = path.stat()
        spoil(path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    write_batch(context, [order("o-1", 20, user_id="u-3")])
    assert [damage.file for damage in run(context).healed] == ["index"]
    write_batch(context, [order("o-1", 20, user_id="u-4")])
    assert run(context).healed == ()


def test_an_output_without_members_gets_them_by_the_next_load(context: RunContext) -> None:
    older = msgspec.structs.replace(manifest_of(context), members={})
    context.lake.storage.put(MANIFEST, encode_manifest(older))
    write_batch(context, [order("o-1", 20, user_id="u-3")])
    assert run(context).healed == ()
    assert manifest_of(context).members.keys() == {"users", "products"}
