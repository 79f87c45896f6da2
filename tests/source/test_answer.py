"""What an answer says reaches the message: what it looks like, its charset, the API's own words, and no secret."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from page_texts import split_texts

from ordersetl.errors import InvalidResponseError, SourceError
from ordersetl.lake.raw import BatchRequest
from ordersetl.settings import Settings
from ordersetl.source.answer import find_charset, quote_text
from ordersetl.source.client import OrdersClient, open_http
from ordersetl.source.page import Page, page_text, read_records

NOW = datetime(2025, 9, 1, 12, tzinfo=UTC)
TOKEN = "s3cret/t0ken+x"  # noqa: S105 - of a test
HIDDEN = "(not shown: it holds the token)"


def fetch(*answers: httpx.Response, **settings: Any) -> list[Page]:
    left = iter(answers)
    known = Settings(**{"max_retries": 0, **settings})
    with open_http(known, httpx.MockTransport(lambda _: next(left))) as http:
        client = OrdersClient(http, known, sleep=lambda _: None, now=lambda: NOW)
        return list(client.pages(BatchRequest("generic", "http://shop.test", None, None, 50, NOW)))


def problem(answer: httpx.Response, **settings: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetch(answer, **settings)
    assert caught.value.message.isprintable()
    return caught.value


@pytest.mark.parametrize(
    ("body", "looks"),
    [
        (gzip.compress(b'{"orders": []}', mtime=0), "gzip"),
        (b"<!DOCTYPE html><html>Back soon</html>", "HTML"),
        (b"\xef\xbb\xbf \n<HTML lang=de>", "HTML"),
        (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC><html>', "HTML"),
        (b'<?xml version="1.0"?><orders/>', "XML"),
        (b"<orders><order/></orders>", "XML"),
        (b"", "an empty body"),
        (b" \n", "an empty body"),
        (b"PK\x03\x04rest", "a zip file"),
        (b"\x28\xb5\x2f\xfdrest", "zstd"),
        (b"%PDF-1.7", "PDF"),
        (b"service busy", "text"),
        (b"order_id,amount\n1,2\n", "text"),
        (b'{"orders": [1, 2', "JSON that is cut short or broken"),
        (b'{"order_id": 1}\n{"order_id": 2}', "JSON that is cut short or broken"),
        (bytes(range(1, 31)), "binary data"),
    ],
)
def test_a_body_that_is_not_json_is_named_by_what_it_looks_like(body: bytes, looks: str) -> None:
    error = problem(httpx.Response(200, content=body, headers={"Content-Type": "text/plain"}))
    assert isinstance(error, InvalidResponseError)
    assert f"the page is not JSON; it looks like {looks}" in error.message
    assert "HTTP 200" in error.message
    assert "text/plain" in error.message
    assert "Expecting value" not in error.message


def test_gzip_that_nobody_declares_is_named() -> None:
    error = problem(httpx.Response(200, content=gzip.compress(b'{"orders": []}', mtime=0)))
    assert "gzip that no Content-Encoding declares" in error.message
    assert "Content-Encoding" in (error.hint or "")


def test_the_first_characters_are_shown_printable_and_on_one_line() -> None:
    error = problem(httpx.Response(200, html="<html>\x1b[2J\n\n Back\tsoon \u202e" + "x" * 1000))
    assert "text/html" in error.message
    assert "<html> [2J Back soon xxx" in error.message
    assert "x" * 200 not in error.message


def test_the_keys_of_an_unexpected_object_are_shown() -> None:
    error = problem(httpx.Response(200, json={"data": [], "count": 0, "x" * 100: 1}))
    assert "its keys: data, count, xxx" in error.message
    assert "x" * 60 not in error.message.partition("(application/json")[0]


@pytest.mark.parametrize("status", [400, 404, 410, 422, 418, 503])
def test_the_apis_own_words_are_shown(status: int) -> None:
    error = problem(httpx.Response(status, json={"error": "limit must not exceed 250"}))
    assert f"HTTP {status}" in error.message
    assert "application/json" in error.message
    assert "limit must not exceed 250" in error.message


def test_a_422_does_not_blame_the_url_alone() -> None:
    assert "page_size" in problem(httpx.Response(422, text="limit must not exceed 250")).hint


def test_a_refusals_words_are_read_only_so_far() -> None:
    read: list[int] = []

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            while True:
                read.append(1)
                yield b"no " * 1000

    assert "no no no" in problem(httpx.Response(400, stream=Endless())).message
    assert len(read) < 10


def test_a_403_is_not_a_bad_token() -> None:
    error = problem(httpx.Response(403, json={"message": "scope read_orders is missing"}), api_token=TOKEN)
    assert "scope read_orders is missing" in error.message
    assert "access is denied" in error.message
    assert "the token was refused" not in error.message
    assert "ORDERSETL_API_TOKEN" not in error.hint
    assert "no token is set" in problem(httpx.Response(403)).message


@pytest.mark.parametrize("status", [402, 423])
def test_a_shop_that_is_closed_is_no_wrong_url(status: int) -> None:
    assert "--api-url" not in problem(httpx.Response(status, json={"errors": "Unavailable Shop"})).hint


def test_the_target_of_a_redirect_is_named_without_what_may_be_secret() -> None:
    moved = httpx.Response(302, headers={"Location": "http://me:pw@other.test/v2/orders?key=hidden"})
    with pytest.raises(SourceError, match=r"redirected to http://other\.test/v2/orders\)") as caught:
        fetch(moved, httpx.Response(404))
    assert "hidden" not in caught.value.message
    assert "pw" not in caught.value.message
    with pytest.raises(InvalidResponseError, match=r"redirected to http://shop\.test/login\).*HTML"):
        fetch(httpx.Response(302, headers={"Location": "/login"}), httpx.Response(200, html="<html>Log in</html>"))


@pytest.mark.parametrize("status", [200, 400, 401, 403, 503])
@pytest.mark.parametrize(
    "text",
    [
        f"bad token Bearer {TOKEN}!",
        json.dumps({"error": TOKEN}).replace("/", "\\/"),
        "s3cret%2Ft0ken%2Bx is wrong",
        "x" * 100 + TOKEN * 50,
        "s3cret/\x00t0ken\x1b+x",
        "s3cret/\nt0ken +x",
        " " * 1595 + TOKEN,
        "\x00" * 8190 + TOKEN,
    ],
)
def test_a_token_that_the_api_echoes_is_not_shown(text: str, status: int) -> None:
    error = problem(httpx.Response(status, text=text), api_token=TOKEN)
    shown = "".join((error.message + error.hint).split()).replace("\\", "")
    assert TOKEN not in shown
    assert "s3cret/t" not in shown
    assert "%2Ft0ken" not in shown


def test_a_token_in_a_key_or_an_error_is_not_shown() -> None:
    for members in ({TOKEN: 1}, {"orders": [], "error": f"{TOKEN} is bad"}, {"orders": [], "next": TOKEN}):
        for token in (TOKEN, f"Token {TOKEN}"):
            assert TOKEN not in problem(httpx.Response(200, json=members), api_token=token).message


@pytest.mark.parametrize("encode", [quote, quote_plus, lambda text: quote(text, safe=""), json.dumps, str])
def test_a_secret_is_masked_however_it_is_encoded(encode: Callable[[str], str]) -> None:
    for secret in ("a b&c/d+e", 'p"w\\d é/x'):
        shown = quote_text(f"bad form: client_secret={encode(secret)}&x=1", [secret])
        assert shown in {"bad form: client_secret=***&x=1", 'bad form: client_secret="***"&x=1', HIDDEN}
    assert quote_text(f"x={quote_plus('a b/c').lower()}", ["a b/c"]) == HIDDEN


def test_a_cut_quote_does_not_end_in_the_beginning_of_the_secret() -> None:
    assert quote_text("so it is s3cret/t0", [TOKEN], cut=True) == "so it is "
    assert quote_text("so it is s3cret/t0", [TOKEN]) == "so it is s3cret/t0"
    assert quote_text("so it is", (), cut=True) == "so it is"
    assert quote_text("the key 's3cret/t0...' a second time", [TOKEN]) == "the key '...' a second time"
    assert quote_text("the key 's3cret%2Ft0...' is bad...", [TOKEN]) == "the key '...' is bad..."


# Charsets

LATIN = json.dumps({"orders": [{"order_id": "Ñ-1"}, {"order_id": "É-1"}]}, ensure_ascii=False).encode("latin-1")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=ISO-8859-1",
        "application/json;charset=latin1",
        'application/json; x=y; Charset="windows-1252"',
        "application/json; charset='iso-8859-15'; x=1",
    ],
)
def test_a_body_is_read_in_the_charset_that_its_header_names(content_type: str) -> None:
    (page,) = fetch(httpx.Response(200, content=LATIN, headers={"Content-Type": content_type}))
    assert page.body == LATIN
    assert page.charset is not None
    assert page.text == page_text(LATIN, page.charset)
    assert [record["order_id"] for record in read_records(page)] == ["Ñ-1", "É-1"]
    assert page.head.records == 2
    texts = split_texts(page)
    assert texts is not None
    assert json.loads(texts[0]) == {"order_id": "Ñ-1"}


def test_shift_jis_whose_bytes_look_like_json_is_read_in_it() -> None:
    body = json.dumps([{"order_id": "表-1"}], ensure_ascii=False).encode("shift_jis")  # its second byte is a backslash
    (page,) = fetch(httpx.Response(200, content=body, headers={"Content-Type": "text/json; charset=Shift_JIS"}))
    assert read_records(page) == [{"order_id": "表-1"}]


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("", "is not UTF-8 (byte 26) and names no charset"),
        ("application/json", "is not UTF-8 (byte 26) and names no charset"),
        ("application/json; charset=", "names no charset"),
        ("application/json; charset=utf-8", "nor is it utf-8"),
        ("application/json; charset=us-ascii", "nor is it ascii"),
        ("application/json; charset=klingon", "'klingon' is unknown"),
        ("application/json; charset=base64", "'base64' is unknown"),
        ("application/json; charset=rot13", "'rot13' is unknown"),
        ("application/json; charset=idna", "'idna' is unknown"),
        ("application/json; charset=unicode_escape", "'unicode_escape' is unknown"),
        ("application/json; charset=../../x", "'../../x' is unknown"),
    ],
)
def test_a_body_in_no_charset_that_it_names_is_an_error(content_type: str, expected: str) -> None:
    error = problem(httpx.Response(200, content=LATIN, headers={"Content-Type": content_type}))
    assert isinstance(error, InvalidResponseError)
    assert expected in error.message


@pytest.mark.parametrize(
    "body",
    [
        '["é"]'.encode(),
        '["é"]'.encode("utf-8-sig"),
        '["é"]'.encode("utf-16"),
        '["é"]'.encode("utf-16-le"),
        '["é"]'.encode("utf-32-be"),
        b'["\xed\xa0\x80"]',
        b'["x"]',
    ],
)
def test_what_shows_its_encoding_needs_no_charset_and_heeds_none(body: bytes) -> None:
    assert find_charset(body, "") is None
    assert find_charset(body, "application/json; charset=iso-8859-1") is None
    assert page_text(body, None) is body


def test_broken_utf_16_is_an_error() -> None:
    with pytest.raises(InvalidResponseError, match="names no charset"):
        find_charset('["é"]'.encode("utf-16-le") + b"x", "")
