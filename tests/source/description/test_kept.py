"""Descriptions as batches keep them: what changes values changes the digest, and the newest mapping counts."""

import hashlib
import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest
from described_shop import DESCRIPTION
from lakes import LaxDisk

from ordersetl.errors import ConfigError, CorruptedError
from ordersetl.lake import raw
from ordersetl.lake.in_force import NOTHING_IN_FORCE, InForce, find_in_force
from ordersetl.lake.kept_files import read_description, store_description
from ordersetl.lake.layout import Lake
from ordersetl.lake.raw import BatchMarker, BatchRequest
from ordersetl.source.description.kept import describe_batch, hash_mapping, read_kept
from ordersetl.source.description.loading import list_builtin, load_builtin, parse_description

BIGCOMMERCE = load_builtin("bigcommerce").body
BEGAN = datetime(2025, 9, 1, 12, tzinfo=UTC)
FIRST, SECOND, THIRD = (f"2025090{day}T120000.000000Z" for day in (1, 2, 3))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, LaxDisk())


def changed(old: str, new: str) -> bytes:
    assert BIGCOMMERCE.count(old.encode()) == 1
    return BIGCOMMERCE.replace(old.encode(), new.encode())


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("# BigCommerce", "# A comment more", True),
        ('sort = "id:asc"', 'sort = "id:desc"', True),
        ('path = "/v2/orders"', 'path = "/v3/orders"', True),
        ('amount = "total_inc_tax"', 'amount = "total_ex_tax"', False),
        ('times = "rfc2822"', 'times = "rfc2822"\nzone = "Europe/Berlin"', False),
        ('into = "products"', 'into = "products.sku"', False),
        ('into = "products"', 'into = "products"\nkeep_unanswered = true', False),
    ],
)
def test_the_digest_changes_with_what_values_depend_on(old: str, new: str, *, same: bool) -> None:
    body = changed(old, new)
    before, after = (hash_mapping(parse_description(text, "x")) for text in (BIGCOMMERCE, body))
    assert (before == after) == same
    assert len(before) == 64


def test_orders_as_they_are_have_no_digest() -> None:
    assert hash_mapping(load_builtin("generic").description) == ""


@pytest.mark.parametrize("name", list_builtin())
def test_a_description_travels_to_workers(name: str) -> None:
    description = load_builtin(name).description
    assert pickle.loads(pickle.dumps(description)) == description  # noqa: S301 - our own bytes


def test_a_description_is_kept_once_and_verified(lake: Lake) -> None:
    sha256 = store_description(lake, BIGCOMMERCE)
    assert sha256 == hashlib.sha256(BIGCOMMERCE).hexdigest() == store_description(lake, BIGCOMMERCE)
    path = lake.folder / f"raw/source/{sha256}.toml"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert read_description(lake, sha256) == BIGCOMMERCE
    path.write_bytes(b"other")
    with pytest.raises(CorruptedError, match=r"the description of the source .*\.toml is damaged: its content"):
        read_kept(lake, sha256)
    store_description(lake, BIGCOMMERCE)
    assert read_kept(lake, sha256).name == "bigcommerce"
    path.unlink()
    with pytest.raises(CorruptedError, match="it is missing"):
        read_kept(lake, sha256)


def test_what_this_version_cannot_read_is_damage_with_a_way_on(lake: Lake) -> None:
    sha256 = store_description(lake, b'name = "later"\nnew_key = 1\n')
    with pytest.raises(CorruptedError, match="this version of ordersetl cannot read the description") as caught:
        read_kept(lake, sha256)
    assert "new_key" in caught.value.message


CALL = """
[[calls]]
name = "lines"
path = "/sales/${number}/lines"
with = { number = "number" }
records = "@"
into = "lines"
"""
UNTIL = DESCRIPTION[DESCRIPTION.index(', to = "${until}"') : DESCRIPTION.index('kind = "page"')]
PRECISION = 'precision = "1s"'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[mapping.order]", '[mapping]\ntimes = "%d.%M.%Y"\n[mapping.order]'),
        ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%m:%SZ"),
        (PRECISION, PRECISION + '\nearliest = "1900-01-01T00:00:00Z"'),
        (PRECISION, PRECISION + '\nearliest = "2199-01-01T00:00:00Z"'),
        (UNTIL, UNTIL.replace(', to = "${until}"', "") + "max_pages = 9\n"),
        ("[request]", '[variables.shops]\ndescription = "x"\ndefault = ","\nper_request = 1\n[request]'),
        ("max_page_size", 'headers = { "X Key" = "1" }\nmax_page_size'),
        ("max_page_size", 'headers = { X = "é" }\nmax_page_size'),
        ('kind = "bearer"', 'kind = "header"\nname = "X Key"'),
        ('kind = "bearer"', 'kind = "query"\nname = " "'),
        ('records = "data.sales"', 'records = "data.sales"\napi_url = "shop.test"'),
        ('records = "data.sales"', 'records = "data.sales"\napi_url = "https://shop.test/api?key=1"'),
        ("[request]", '[auth.token]\ngrant = "request"\nurl = "x"\nbody = { a = "b" }\ntoken = "t"\n[request]'),
        ('order_id = "number"', "order_id = \"'1'\""),
        ('amount = "total"', f'amount = "{"a." * 60}a"'),
        ("max_page_size", f"body.{'.'.join('a' * 120)} = 1\nmax_page_size"),
        ("[[mapping.skip]]", CALL.replace("into = ", 'each = "lines[]"\ninto = ') + "[[mapping.skip]]"),
        ("[[mapping.skip]]", CALL.replace('into = "lines"', 'into = "line"') + "[[mapping.skip]]"),
        ("[[mapping.skip]]", CALL + CALL.replace('name = "lines"', 'name = "more"') + "[[mapping.skip]]"),
        (
            "[[mapping.skip]]",
            CALL.replace("${number}", "all").replace('with = { number = "number" }\n', "") + "[[mapping.skip]]",
        ),
    ],
)
def test_what_is_refused_by_now_stays_readable_with_the_batches_that_it_fetched(lake: Lake, old: str, new: str) -> None:
    assert DESCRIPTION.count(old) == 1
    body = DESCRIPTION.replace(old, new).encode()
    with pytest.raises(ConfigError):
        parse_description(body, "small.toml")
    assert read_kept(lake, store_description(lake, body)).name == "small"


def test_a_batch_is_read_by_its_own_and_mapped_by_the_newest(lake: Lake) -> None:
    old = store_description(
        lake, changed('records = "@"\n\n[variables.archived]', 'records = "data"\n\n[variables.archived]')
    )
    new = store_description(lake, changed('amount = "total_inc_tax"', 'amount = "total_ex_tax"'))
    described = describe_batch(lake, old, new)
    assert described.records.path == ("data",)
    assert described.mapping == read_kept(lake, new).mapping
    assert [call.name for call in described.calls] == ["products", "refunds"]
    assert describe_batch(lake, new, new) == read_kept(lake, new)


def keep_batch(lake: Lake, batch: str, description: str | None, mapping: str) -> None:
    request = BatchRequest(
        "shop", "https://shop.example", None, None, 1, BEGAN, description=description, mapping=mapping
    )
    raw.write_request(lake, batch, request)
    page = raw.write_page(lake, batch, 1, b"[]", records=0)
    raw.write_marker(lake, BatchMarker(batch, "shop", request.url, None, None, None, request, BEGAN, "x", (page,)))


def test_the_newest_batch_that_can_be_read_says_what_is_in_force(lake: Lake) -> None:
    assert find_in_force(lake) == NOTHING_IN_FORCE
    keep_batch(lake, SECOND, "b" * 64, "2" * 64)
    keep_batch(lake, FIRST, "a" * 64, "1" * 64)
    assert find_in_force(lake) == InForce("b" * 64, "2" * 64)
    keep_batch(lake, THIRD, "c" * 64, "3" * 64)
    assert find_in_force(lake) == InForce("c" * 64, "3" * 64)
    (lake.folder / "raw" / THIRD / "batch.json").write_bytes(b"{}")
    assert find_in_force(lake) == InForce("b" * 64, "2" * 64)


@pytest.mark.parametrize(("description", "mapping"), [("a", ""), (None, "../x"), ("A" * 64, "")])
def test_a_marker_names_descriptions_by_digest_alone(lake: Lake, description: str | None, mapping: str) -> None:
    keep_batch(lake, FIRST, description, mapping)
    with pytest.raises(CorruptedError, match="the description"):
        raw.read_marker(lake, FIRST)
