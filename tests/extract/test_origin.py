"""Where orders come from: sources by name and by path, what they need, and one source an output."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lakes import LaxDisk

from ordersetl.errors import ConfigError
from ordersetl.extract.origin import Origin, choose_origin, load_source, require_one_source
from ordersetl.lake import raw
from ordersetl.lake.layout import Lake
from ordersetl.lake.raw import BatchMarker, BatchRequest
from ordersetl.settings import Settings
from ordersetl.source.description.kept import hash_mapping
from ordersetl.source.description.loading import list_builtin, load_builtin, load_description

WOO = {"api_url": "https://shop.example", "source": "woocommerce", "api_user": "ck", "api_password": "cs"}
TOKEN = {"api_token": "t"}
PASSWORD = {"api_password": "p"}

GENERIC = load_builtin("generic")


def choose(**given: Any) -> Origin:
    return choose_origin(Settings(**given))


def refusal(**given: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        choose(**given)
    return f"{caught.value.message} | {caught.value.hint}"


def test_without_an_api_the_sample_answers_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert choose().source == "sample"
    assert "built-in sample API answers" in caplog.text
    caplog.clear()
    assert choose(source="sample").source == "sample"
    assert caplog.text == ""
    assert "sample source has an API of its own" in refusal(source="sample", api_url="http://shop.test")


def test_an_api_without_a_source_is_generic_and_asks_a_thousand_a_page() -> None:
    origin = choose(api_url="https://shop.example")
    assert (origin.source, origin.url, origin.page_size) == ("generic", "https://shop.example", 1000)
    assert choose(api_url="https://shop.example", page_size=50_000).page_size == 50_000
    assert origin.description is not None
    assert hash_mapping(origin.description.description) == ""
    assert "the generic source needs an API" in refusal(source="generic")


def test_a_built_in_source_by_its_name() -> None:
    origin = choose(**WOO)
    assert (origin.source, origin.page_size) == ("woocommerce", 100)
    assert choose(**WOO, page_size=30).page_size == 30
    assert "answers with at most 100 orders a page | Set page_size to 100 or less" in refusal(**WOO, page_size=500)
    message = refusal(source="woocomerce")
    assert "there is no source woocomerce; did you mean woocommerce? | Give one of" in message
    assert "./woocomerce.toml" in message


def test_a_source_with_an_api_of_its_own_needs_no_url() -> None:
    assert choose(source="square", **TOKEN).url == "https://connect.squareup.com"
    assert choose(source="square", **TOKEN, api_url="http://127.0.0.1:1").url == "http://127.0.0.1:1"
    assert "the woocommerce source needs an API" in refusal(**{**WOO, "api_url": None})


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({**WOO, "api_user": None, "api_password": None}, "ORDERSETL_API_USER and ORDERSETL_API_PASSWORD;"),
        (
            {**WOO, "api_password": None},
            "Set ORDERSETL_API_PASSWORD; each may be in a file, as ORDERSETL_API_PASSWORD_",
        ),
        (
            {"source": "shopify", "api_url": "https://a.example"},
            "Set ORDERSETL_CLIENT_ID and ORDERSETL_CLIENT_SECRET, or ORDERSETL_API_TOKEN;",
        ),
        ({"source": "shopify", "api_url": "https://a.example", "client_id": "x"}, "Set ORDERSETL_CLIENT_SECRET;"),
        ({"source": "square"}, "Set ORDERSETL_API_TOKEN;"),
        ({"source": "magento", "api_url": "https://a.example", "api_user": "x"}, "Set ORDERSETL_API_PASSWORD;"),
    ],
)
def test_missing_credentials_are_named(given: dict[str, Any], hint: str) -> None:
    message = refusal(**given)
    assert "needs credentials" in message
    assert hint in message


def test_a_token_with_a_scheme_of_its_own_is_the_whole_of_a_header() -> None:
    shop = {"api_url": "https://api.example/stores/x", "api_token": "Token s3cret"}
    assert choose(source="bigcommerce", **shop).source == "bigcommerce"
    refused = refusal(**shop)
    assert "the token has a blank in it" in refused
    assert "s3cret" not in refused


def test_variables_have_defaults_and_patterns_and_no_others() -> None:
    shopify = {"source": "shopify", "api_url": "https://a.example", "api_token": "t"}
    assert choose(**shopify).variables["api_version"].startswith("20")
    assert choose(**shopify, variables={"api_version": "2026-07"}).variables["api_version"] == "2026-07"
    assert "the variable api_version of the source shopify cannot be '2026-13'" in refusal(
        **shopify, variables={"api_version": "2026-13"}
    )
    assert "shopify has no variable api_verson; did you mean api_version?" in refusal(
        **shopify, variables={"api_verson": "2026-07"}
    )
    amazon = {"source": "amazon", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    message = refusal(**amazon)
    assert "the source amazon needs the variable marketplace_ids: marketplaces, comma-separated" in message
    assert "ORDERSETL_VAR_MARKETPLACE_IDS" in message
    assert choose(**amazon, variables={"marketplace_ids": "B, A,B"}).selection == {"marketplace_ids": "A,B"}


@pytest.mark.parametrize("value", [",", " , "])
def test_a_list_without_a_value_asks_nothing_and_covers_nothing(value: str) -> None:
    message = refusal(source="square", **TOKEN, variables={"location_ids": value})
    assert "the variable location_ids of the source square is a list without a value: locations" in message
    assert "ORDERSETL_VAR_LOCATION_IDS" in message
    assert "to one value or several" in message


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://me:hidden@login.test/token", "must hold no user or password"),
        ("ftp://login.test/hidden", "must be an http:// or https:// URL"),
        ("file:///hidden", "must be an http:// or https:// URL"),
        ("/hidden", "must be an http:// or https:// URL"),
        ("hidden", "must be an http:// or https:// URL"),
        ("https://login.test:99999/hidden", "must have a port between 1 and 65535"),
        ("https://login.test/token#hidden", "must hold no fragment"),
    ],
)
def test_credentials_are_sent_to_a_url_that_is_one(url: str, problem: str) -> None:
    amazon = {"source": "amazon", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    variables = {"marketplace_ids": "A", "token_url": url}
    message = refusal(**amazon, variables=variables)
    assert f"the URL where the source amazon gets its token, ${{token_url}}, {problem}" in message
    assert "ORDERSETL_VAR_TOKEN_URL" in message
    assert "hidden" not in message
    good = {**variables, "token_url": "http://login.test/token?tenant=a"}
    assert choose(**amazon, variables=good).variables == good


def test_a_variable_that_names_a_zone_must_be_one(tmp_path: Path) -> None:
    zone = b'[variables.zone]\ndescription = "of the shop"\ndefault = "Europe/Berlin"\n\n[window]\nzone = "${zone}"'
    body = load_builtin("woocommerce").body.replace(b"[window]", zone)
    (tmp_path / "mine.toml").write_bytes(body)
    mine = {"source": str(tmp_path / "mine.toml"), "api_url": "https://a.example", "api_user": "u", **PASSWORD}
    assert choose(**mine).variables["zone"] == "Europe/Berlin"
    assert "'Foo/Bar', and there is no such zone" in refusal(**mine, variables={"zone": "Foo/Bar"})


def test_what_selects_nothing_makes_no_other_origin() -> None:
    assert choose(source="square", **TOKEN).selection == {}
    assert choose(source="shopify", api_url="https://a.example", **TOKEN).selection == {}


def test_a_description_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    body = load_builtin("woocommerce").body
    Path("mine.toml").write_bytes(body)
    for path in ("mine.toml", "./mine.toml", str(tmp_path / "mine.toml")):
        assert load_source(path, Settings()).body == body
    Path("mine.toml").write_bytes(body.replace(b'name = "woocommerce"', b'name = "sample"'))
    assert "sample is the built-in sample's" in refusal(source="mine.toml")
    assert "cannot read the description of a source no.toml: No such file" in refusal(source="no.toml")
    assert "cannot read the description of a source .: Is a directory" in refusal(source="./")
    Path("large.toml").write_bytes(b"#" * ((1 << 20) + 1))
    assert "large.toml has more than 1 MiB" in refusal(source="large.toml")


def test_every_built_in_source_is_a_description_under_its_name() -> None:
    names = list_builtin()
    assert {"generic", "shopify", "woocommerce", "magento", "bigcommerce", "square", "amazon"} <= set(names)
    for name in names:
        assert load_builtin(name).description.name == name


# One source an output


def keep_batch(lake: Lake, source: str, mapping: str = "") -> None:
    batch = "20250901T120000.000000Z"
    began = datetime(2025, 9, 1, 12, tzinfo=UTC)
    request = BatchRequest(source, "https://shop.example", None, None, 10, began, mapping=mapping)
    raw.write_request(lake, batch, request)
    page = raw.write_page(lake, batch, 1, b"[]", records=0)
    raw.write_marker(lake, BatchMarker(batch, source, request.url, None, None, None, request, began, "x", (page,)))


@pytest.mark.parametrize(
    ("kept", "source", "message"),
    [
        ("sample", "generic", "holds the built-in sample's orders"),
        ("generic", "sample", "holds orders of a real API, and the sample's must not"),
        ("generic", "woocommerce", "holds orders of the source generic, and woocommerce's must not mix with them"),
    ],
)
def test_one_output_holds_one_source(tmp_path: Path, kept: str, source: str, message: str) -> None:
    lake = Lake(tmp_path, LaxDisk())
    require_one_source(lake, Origin(source, "https://shop.example", GENERIC))
    keep_batch(lake, kept)
    require_one_source(lake, Origin(kept, "https://other.example", GENERIC))
    with pytest.raises(ConfigError, match=message) as caught:
        require_one_source(lake, Origin(source, "https://shop.example", GENERIC))
    assert caught.value.exit_code == 2


def test_the_sample_is_not_taken_for_a_source_that_nobody_knows_any_more(tmp_path: Path) -> None:
    lake, sample = Lake(tmp_path, LaxDisk()), Origin("sample", "http://sample.invalid", GENERIC)
    require_one_source(lake, sample, is_meant=False)
    partition = tmp_path / "curated/dt=2025-08-20/fact_order.csv"
    partition.parent.mkdir(parents=True)
    partition.touch()
    with pytest.raises(ConfigError, match="no longer says whose they are, and no API is set"):
        require_one_source(lake, sample, is_meant=False)
    require_one_source(lake, sample)


def test_a_source_neither_loses_nor_gets_a_mapping(tmp_path: Path) -> None:
    lake = Lake(tmp_path, LaxDisk())
    woo = load_builtin("woocommerce")
    keep_batch(lake, "woocommerce", mapping=hash_mapping(woo.description))
    require_one_source(lake, Origin("woocommerce", "https://shop.example", woo))
    generic = load_description(load_builtin("generic").body.replace(b'"generic"', b'"woocommerce"'), "x.toml")
    with pytest.raises(ConfigError, match=r"had a mapping when .* and its description has none now"):
        require_one_source(lake, Origin("woocommerce", "https://shop.example", generic))


def test_secrets_are_in_no_message(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    message = refusal(**{**WOO, "api_password": None, "api_user": "S3CRET"})
    assert "S3CRET" not in message + caplog.text
