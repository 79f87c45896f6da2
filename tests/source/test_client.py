"""The client: what it asks, what it tries again and for how long, and what it refuses."""

import gzip
import itertools
import json
import logging
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import respx
from hypothesis import given, strategies as st

from ordersetl.errors import ConfigError, InvalidResponseError, SourceError
from ordersetl.lake.raw import BatchRequest
from ordersetl.settings import Settings
from ordersetl.source.client import CursorRefusedError, OrdersClient, RepeatedError, open_http
from ordersetl.source.head import PageHead
from ordersetl.source.pace import read_retry_after
from ordersetl.source.page import Page
from ordersetl.source.sample import Fault, page_cursor, sample_app
from ordersetl.source.server import serve
from ordersetl.source.trail import PageTrail
from ordersetl.version import __version__

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

BASE = "http://shop.test/api"
NOW = datetime(2025, 9, 1, 12, tzinfo=UTC)
LAST: dict[str, object] = {"orders": [], "next_cursor": None}
TOKEN = "s3cret-t0ken"  # noqa: S105 - of a test


def request_of(base: str = BASE, **fields: Any) -> BatchRequest:
    usual = {"since": None, "until": None, "page_size": 50, "began_at": NOW}
    return BatchRequest("generic", base, **{**usual, **fields})


def fetch(
    request: BatchRequest | None = None,
    *,
    seen: Sequence[str] = (),
    pauses: list[float] | None = None,
    clock: Callable[[], float] = lambda: 0.0,
    **settings: Any,
) -> list[Page]:
    """All pages of a request, without waiting; ``pauses`` receives the waits, which the clock sees."""
    known = Settings(**settings)
    slept: list[float] = [] if pauses is None else pauses
    with open_http(known) as http:
        client = OrdersClient(http, known, sleep=slept.append, now=lambda: NOW, clock=lambda: clock() + sum(slept))
        asked = request or request_of()
        trail = client.begin_trail(asked)
        assert isinstance(trail, PageTrail)
        for cursor in seen:
            trail.admit(PageHead(0, cursor, names_cursor=True))
        return list(client.pages(asked, trail))


_numbers = itertools.count()


def page(cursor: object = None, *, records: int = 1, **members: object) -> httpx.Response:
    """A page of records that no other page has."""
    orders = [{"order_id": f"o-{next(_numbers)}"} for _ in range(records)]
    return httpx.Response(200, json={"orders": orders, "next_cursor": cursor, **members})


def orders_route(router: respx.Router, *answers: Any) -> respx.Route:
    return router.get(f"{BASE}/orders").mock(side_effect=list(answers))


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """A server that answers each connection with these bytes, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_all() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=answer_all, daemon=True)
        thread.start()
        try:
            yield "http://{}:{}".format(*listener.getsockname())
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def http_answer(body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


# What is asked


def test_a_request_names_the_window_the_size_and_the_tool(respx_mock: respx.Router) -> None:
    route = orders_route(respx_mock, page("c2"), page())
    since = datetime.fromisoformat("2025-08-20T02:00:00.5+02:00")
    fetch(request_of(since=since, until=datetime(2025, 8, 31, tzinfo=UTC)))
    first, second = (call.request for call in route.calls)
    window = {"limit": "50", "updated_since": "2025-08-20T00:00:00.500000Z", "updated_until": "2025-08-31T00:00:00Z"}
    assert dict(first.url.params) == window
    assert dict(second.url.params) == {**window, "cursor": "c2"}
    assert first.headers["User-Agent"] == f"ordersetl/{__version__}"
    assert first.headers["Accept"] == "application/json"


def test_an_open_window_is_not_sent(respx_mock: respx.Router) -> None:
    route = orders_route(respx_mock, page())
    fetch()
    assert dict(route.calls.last.request.url.params) == {"limit": "50"}


@pytest.mark.parametrize(
    ("token", "sent"), [(TOKEN, f"Bearer {TOKEN}"), (f" {TOKEN}\n", f"Bearer {TOKEN}"), (None, None), ("", None)]
)
def test_a_token_is_sent_where_one_is_set(respx_mock: respx.Router, token: str | None, sent: str | None) -> None:
    route = orders_route(respx_mock, page())
    fetch(api_token=token)
    assert route.calls.last.request.headers.get("Authorization") == sent


@pytest.mark.parametrize(
    "cursor", ["a%2Fb+c&d=e", "é\U0001f600", "?#;/ \\", "a\0b\nc", "=" * 3, "x" * 5000, 12345678901234567890, 0]
)
def test_a_cursor_arrives_as_it_was_given(cursor: str | int) -> None:
    asked: list[str] = []
    pages = iter([{"orders": [], "next_cursor": cursor}, LAST])

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        asked.append(environ["QUERY_STRING"])
        start_response("200 OK", [])
        return [json.dumps(next(pages)).encode()]

    with serve(app) as url:
        fetch(request_of(url))
    assert httpx.QueryParams(asked[1])["cursor"] == str(cursor)


def test_it_goes_on_after_the_last_cursor_seen(respx_mock: respx.Router) -> None:
    route = orders_route(respx_mock, page("c4"), page())
    fetch(seen=["c2", "c3"])
    assert [call.request.url.params["cursor"] for call in route.calls] == ["c3", "c4"]


# Pages


def test_every_page_is_fetched_over_a_socket() -> None:
    orders = [{"order_id": f"o-{number}"} for number in range(25)]
    with serve(sample_app(orders, max_limit=10)) as url:
        pages = fetch(request_of(url))
    assert [item for received in pages for item in json.loads(received.body)["orders"]] == orders
    assert [received.head.records for received in pages] == [10, 10, 5]


def test_an_empty_page_in_the_middle_ends_nothing(respx_mock: respx.Router) -> None:
    orders_route(respx_mock, page("c2"), page("c3", records=0), page())
    assert [received.head.records for received in fetch()] == [1, 0, 1]


@pytest.mark.parametrize("cursor", [None, ""])
def test_no_cursor_or_an_empty_one_is_the_end(respx_mock: respx.Router, cursor: str | None) -> None:
    orders_route(respx_mock, page(cursor))
    assert len(fetch()) == 1


@pytest.mark.parametrize("seen", [["c2"], []])
def test_a_repeated_cursor_is_an_error(respx_mock: respx.Router, seen: list[str]) -> None:
    orders_route(respx_mock, page("c3"), page("c2" if seen else "c3"))
    with pytest.raises(RepeatedError, match="second time"):
        fetch(seen=seen)


def test_pages_that_go_round_are_an_error_over_a_socket() -> None:
    orders = [{"order_id": number} for number in range(6)]
    app = sample_app(orders, max_limit=2, faults=[Fault(on=[3], next_cursor=page_cursor(2, orders))])
    with serve(app) as url, pytest.raises(InvalidResponseError):
        fetch(request_of(url))


def test_endless_empty_pages_are_an_error(respx_mock: respx.Router) -> None:
    cursors = iter(range(10**6))
    route = respx_mock.get(f"{BASE}/orders").mock(side_effect=lambda _: page(next(cursors), records=0))
    with pytest.raises(InvalidResponseError, match="1001 empty pages"):
        fetch()
    assert route.call_count == 1001


@pytest.mark.parametrize("cursor", ["\\ud800", "x" * 70_000, "\\u00e9" * 15_000])
def test_a_cursor_that_no_url_can_carry_is_an_error(respx_mock: respx.Router, cursor: str) -> None:
    orders_route(respx_mock, httpx.Response(200, content=f'{{"orders": [], "next_cursor": "{cursor}"}}'.encode()))
    with pytest.raises(SourceError) as caught:
        fetch()
    assert "cursor" in caught.value.message + caught.value.hint
    assert len(caught.value.message) < 600
    assert "x" * 300 not in caught.value.message


@pytest.mark.parametrize(
    "body", [b"", b"<html>Back soon</html>", b'{"orders": [{}', b"{}", b'{"orders": 5}', b"null", b'"x"', b"\xff\xfe"]
)
def test_what_is_no_page_is_invalid_and_not_asked_for_again(respx_mock: respx.Router, body: bytes) -> None:
    route = orders_route(respx_mock, httpx.Response(200, content=body))
    with pytest.raises(InvalidResponseError):
        fetch()
    assert route.call_count == 1


# Trying again


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_passing_failure_is_tried_again(respx_mock: respx.Router, status: int) -> None:
    route = orders_route(respx_mock, httpx.Response(status), httpx.Response(status), page())
    assert len(fetch()) == 1
    assert route.call_count == 3


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 403, 404, 410, 422])
def test_a_lasting_failure_is_not(respx_mock: respx.Router, status: int) -> None:
    route = orders_route(respx_mock, httpx.Response(status))
    with pytest.raises(SourceError, match=f"HTTP {status}"):
        fetch()
    assert route.call_count == 1


@pytest.mark.parametrize("error", [httpx.ConnectTimeout, httpx.ReadTimeout, httpx.ConnectError, httpx.ReadError])
def test_a_broken_connection_is_tried_again(respx_mock: respx.Router, error: type[httpx.TransportError]) -> None:
    orders_route(respx_mock, error("broken"), page())
    assert len(fetch()) == 1


def test_retries_end_and_the_error_says_what_happened(respx_mock: respx.Router) -> None:
    route = orders_route(respx_mock, *[httpx.Response(503)] * 6)
    with pytest.raises(SourceError, match="failed 6 times, the last time: HTTP 503 Service Unavailable"):
        fetch()
    assert route.call_count == 6


def test_without_retries_one_failure_is_enough(respx_mock: respx.Router) -> None:
    route = orders_route(respx_mock, httpx.Response(503))
    with pytest.raises(SourceError, match="orders failed: HTTP 503"):
        fetch(max_retries=0)
    assert route.call_count == 1


def test_each_page_has_retries_of_its_own_and_all_are_counted(respx_mock: respx.Router) -> None:
    down = httpx.Response(503)
    orders_route(respx_mock, down, down, page("c2"), down, down, page())
    settings = Settings(max_retries=2)
    with open_http(settings) as http:
        client = OrdersClient(http, settings, sleep=lambda _: None)
        assert len(list(client.pages(request_of()))) == 2
    assert client.retries == 4


def test_pauses_double_up_to_half_a_minute_with_jitter(respx_mock: respx.Router) -> None:
    orders_route(respx_mock, *[httpx.Response(503)] * 10, page())
    runs: list[list[float]] = [[], []]
    fetch(pauses=runs[0], max_retries=10)
    orders_route(respx_mock, *[httpx.Response(503)] * 10, page())
    fetch(pauses=runs[1], max_retries=10)
    for pauses in runs:
        for pause, least in zip(pauses, [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30], strict=True):
            assert least <= pause <= least + 0.5
    assert runs[0] != runs[1]


@pytest.mark.parametrize("total_s", [0, 3, 10])
def test_pauses_in_total_are_bounded(respx_mock: respx.Router, total_s: int) -> None:
    respx_mock.get(f"{BASE}/orders").respond(503)
    pauses: list[float] = []
    with pytest.raises(SourceError):
        fetch(pauses=pauses, retry_total_s=total_s, max_retries=100)
    assert sum(pauses) <= total_s
    assert sum(pauses) > total_s - max(pauses, default=0.5) * 2 - 1


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("7", 7),
        (" 12 ", 12),
        ("20.0", 20),
        ("1.5", 1.5),
        ("2e1", 20),
        (".25e2", 25),
        ((NOW + timedelta(seconds=80)).strftime("%A, %d-%b-%y %H:%M:%S GMT"), 80),
        ((NOW + timedelta(seconds=80)).strftime("%a %b %e %H:%M:%S %Y"), 80),
        (http_date(90), 90),
        ((NOW + timedelta(seconds=60)).strftime("%a, %d %b %Y %H:%M:%S -0000"), 60),
    ],
)
def test_retry_after_is_obeyed(respx_mock: respx.Router, asked: str, waited: float) -> None:
    orders_route(respx_mock, httpx.Response(429, headers={"Retry-After": asked}), page())
    pauses: list[float] = []
    fetch(pauses=pauses)
    assert pauses == [waited]


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "25"}, 25),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "25", "Retry-After": "7"}, 7),
    ],
)
def test_a_429_may_say_in_its_limit_how_long(respx_mock: respx.Router, headers: dict[str, str], waited: float) -> None:
    orders_route(respx_mock, httpx.Response(429, headers=headers), page())
    pauses: list[float] = []
    fetch(pauses=pauses)
    assert pauses == [waited]


def test_a_limit_longer_than_all_retries_leaves_the_backoff(respx_mock: respx.Router) -> None:
    orders_route(
        respx_mock, httpx.Response(429, headers={"RateLimit-Remaining": "0", "RateLimit-Reset": "86400"}), page()
    )
    pauses: list[float] = []
    fetch(pauses=pauses)
    assert 0 < pauses[0] < 60


@pytest.mark.parametrize(
    "asked",
    [
        "0",
        "0.0",
        http_date(-3600),
        "soon",
        "",
        "-5",
        "nan",
        "-inf",
        "1_0",
        "5 s",
        "²",
        "Mon, 01 Jan 2024 00:00:00 +" + "9" * 12,
    ],
)
def test_a_retry_after_that_says_nothing_leaves_the_backoff(respx_mock: respx.Router, asked: str) -> None:
    orders_route(respx_mock, httpx.Response(503, headers=[(b"Retry-After", asked.encode("latin-1"))]), page())
    pauses: list[float] = []
    fetch(pauses=pauses)
    assert 0.5 <= pauses[0] <= 1


@pytest.mark.parametrize("asked", ["301", "300.5", "9" * 18, "9" * 400, "1e999", http_date(1e6)])
def test_a_retry_after_beyond_the_total_ends_the_fetch_at_once(respx_mock: respx.Router, asked: str) -> None:
    route = orders_route(respx_mock, httpx.Response(429, headers={"Retry-After": asked}))
    pauses: list[float] = []
    with pytest.raises(SourceError, match=r"HTTP 429 Too Many Requests; it asked to wait \d+ s"):
        fetch(pauses=pauses)
    assert (route.call_count, pauses) == (1, [])


@given(st.one_of(st.text(), st.text(alphabet="0123456789 .:+-²GMTJanFri,", max_size=40)))
def test_no_retry_after_is_a_crash(value: str) -> None:
    seconds = read_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


def test_a_cut_body_is_fetched_again_over_a_socket() -> None:
    orders = [{"order_id": f"o-{number}"} for number in range(6)]
    with serve(sample_app(orders, max_limit=2, faults=[Fault(on=[2, 3], truncate=True)])) as url:
        pages = fetch(request_of(url))
    assert [received.head.records for received in pages] == [2, 2, 2]


def test_a_body_that_is_always_cut_is_an_error() -> None:
    with raw_server(http_answer(b'{"orders": []', length=100)) as url, pytest.raises(SourceError, match="3 times"):
        fetch(request_of(url), max_retries=2)


def test_a_closed_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SourceError, match=r"failed 3 times.*ConnectError") as caught:
        fetch(request_of(f"http://127.0.0.1:{port}"), max_retries=2)
    assert "run the same command later" in caught.value.hint
    assert caught.value.hint.startswith("Look at --api-url, and at the network. Nothing was lost")


def test_a_silent_server_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = "http://{}:{}".format(*listener.getsockname())
        with pytest.raises(SourceError, match="ReadTimeout"):
            fetch(request_of(url), max_retries=0, timeout_s=0.05)


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..b"])
def test_a_host_that_cannot_be_looked_up_is_an_error(host: str) -> None:
    with pytest.raises(SourceError, match="cannot be requested"):
        fetch(request_of(f"http://{host}"))


# Bounds


def test_a_response_is_bounded(respx_mock: respx.Router) -> None:
    body = b'{"orders": [], "next_cursor": null}'
    fitting = body + b" " * ((1 << 20) - len(body))
    orders_route(respx_mock, httpx.Response(200, content=fitting))
    assert len(fetch(max_response_mb=1)[0].body) == 1 << 20
    route = orders_route(respx_mock, httpx.Response(200, content=fitting + b" "))
    with pytest.raises(SourceError, match="more than 1 MiB"):
        fetch(max_response_mb=1)
    assert route.call_count == 2


def test_a_compressed_page_is_read() -> None:
    body = b'{"orders": [{}], "next_cursor": null}'
    with raw_server(http_answer(gzip.compress(body, mtime=0), "Content-Encoding: gzip")) as url:
        assert [received.body for received in fetch(request_of(url))] == [body]


def test_a_compressed_bomb_costs_little_memory() -> None:
    bomb = gzip.compress(bytes(256 << 20), 1)
    assert len(bomb) < 4 << 20
    with raw_server(http_answer(bomb, "Content-Encoding: gzip")) as url:
        tracemalloc.start()
        try:
            with pytest.raises(SourceError, match="more than 1 MiB"):
                fetch(request_of(url), max_response_mb=1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 150 << 20


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "nonsense"])
def test_codings_that_were_not_asked_for_are_refused(coding: str) -> None:
    bomb = gzip.compress(gzip.compress(bytes(1 << 20), mtime=0))
    with (
        raw_server(http_answer(bomb, f"Content-Encoding: {coding}")) as url,
        pytest.raises(SourceError, match="not asked for"),
    ):
        fetch(request_of(url))


def test_a_body_that_does_not_decompress_is_tried_again() -> None:
    with (
        raw_server(http_answer(b"no gzip", "Content-Encoding: gzip")) as url,
        pytest.raises(SourceError, match=r"3 times.*DecodingError"),
    ):
        fetch(request_of(url), max_retries=2)


def test_a_dripping_response_is_given_up(respx_mock: respx.Router) -> None:
    class Drip(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b" "

    seconds = iter(range(10**9))
    route = respx_mock.get(f"{BASE}/orders").mock(side_effect=lambda _: httpx.Response(200, stream=Drip()))
    with pytest.raises(SourceError, match="more than 20 s"):
        fetch(timeout_s=1, max_retries=1, clock=lambda: float(next(seconds)))
    assert route.call_count == 2


# Redirects


def redirecting(location: str, asked: list[str | None]) -> Any:
    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        asked.append(environ.get("HTTP_AUTHORIZATION"))
        start_response("302 Found", [("Location", location)])
        return [b""]

    return app


def test_a_redirect_within_the_host_keeps_the_token(respx_mock: respx.Router) -> None:
    respx_mock.get(f"{BASE}/orders").respond(307, headers={"Location": "/v2/orders"})
    moved = respx_mock.get("http://shop.test/v2/orders").mock(return_value=page())
    assert len(fetch(api_token=TOKEN)) == 1
    assert moved.calls.last.request.headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_redirect_to_another_server_carries_no_token(name: str) -> None:
    here: list[str | None] = []
    there: list[str | None] = []

    def other(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        there.append(environ.get("HTTP_AUTHORIZATION"))
        start_response("200 OK", [])
        return [json.dumps(LAST).encode()]

    with serve(other) as far:
        location = far.replace("127.0.0.1", name) + "/orders"
        with serve(redirecting(location, here)) as near:
            assert len(fetch(request_of(near), api_token=TOKEN)) == 1
    assert here == [f"Bearer {TOKEN}"]
    assert there == [None]


def test_a_refusal_after_a_redirect_says_where_the_token_was_not_sent(respx_mock: respx.Router) -> None:
    respx_mock.get(f"{BASE}/orders").respond(302, headers={"Location": "http://other.test/orders"})
    respx_mock.get("http://other.test/orders").respond(401)
    with pytest.raises(SourceError, match=r"redirected to other\.test, where the token is not sent"):
        fetch(api_token=TOKEN)


def test_redirects_without_end_are_an_error(respx_mock: respx.Router) -> None:
    route = respx_mock.get(f"{BASE}/orders").respond(302, headers={"Location": f"{BASE}/orders"})
    with pytest.raises(SourceError, match="redirects without end"):
        fetch()
    assert route.call_count == 6


@pytest.mark.parametrize("location", ["ftp://shop.test/orders", "file:///etc/passwd", "gopher:x"])
def test_a_redirect_out_of_http_is_an_error(location: str) -> None:
    asked: list[str | None] = []
    with serve(redirecting(location, asked)) as url, pytest.raises(SourceError, match="cannot be requested"):
        fetch(request_of(url))
    assert len(asked) == 1


def test_a_redirect_to_nowhere_is_an_error(respx_mock: respx.Router) -> None:
    respx_mock.get(f"{BASE}/orders").respond(302)
    with pytest.raises(SourceError, match="HTTP 302"):
        fetch()


# Refusals


@pytest.mark.parametrize("status", [400, 404, 410, 414, 422])
def test_a_refused_cursor_has_an_error_of_its_own(respx_mock: respx.Router, status: int) -> None:
    orders_route(respx_mock, httpx.Response(status))
    with pytest.raises(CursorRefusedError, match=str(status)):
        fetch(seen=["c2"])


@pytest.mark.parametrize("status", [204, 304, 401, 403])
def test_what_says_nothing_of_the_cursor_is_no_refused_cursor(respx_mock: respx.Router, status: int) -> None:
    orders_route(respx_mock, httpx.Response(status))
    with pytest.raises(SourceError) as caught:
        fetch(seen=["c2"])
    assert not isinstance(caught.value, CursorRefusedError)


@pytest.mark.parametrize(("token", "problem"), [(TOKEN, "the token was refused"), (None, "no token is set")])
def test_a_refused_token_is_named_but_not_shown(respx_mock: respx.Router, token: str | None, problem: str) -> None:
    orders_route(respx_mock, httpx.Response(401))
    with pytest.raises(SourceError, match=problem) as caught:
        fetch(api_token=token)
    assert TOKEN not in caught.value.message + caught.value.hint
    assert "ORDERSETL_API_TOKEN" in caught.value.hint


def test_a_server_cannot_speak_through_its_reason_phrase() -> None:
    answer = b"HTTP/1.1 404 \x1b[31m" + TOKEN.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    with raw_server(answer) as url, pytest.raises(SourceError) as caught:
        fetch(request_of(url), max_retries=0)
    assert TOKEN not in caught.value.message
    assert "\x1b" not in caught.value.message


def test_the_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    faults = [
        Fault(on=[1], status=503),
        Fault(on=[2], truncate=True),
        Fault(on=[3], status=302, headers={"Location": "/"}),
    ]
    with serve(sample_app([{}], faults=faults, token=TOKEN)) as url, pytest.raises(SourceError, match="HTTP 404"):
        fetch(request_of(url), api_token=TOKEN)
    assert "trying again in" in caplog.text
    assert TOKEN not in caplog.text


def test_a_token_that_no_header_can_carry_is_not_quoted(respx_mock: respx.Router) -> None:
    orders_route(respx_mock, httpx.LocalProtocolError(f"Illegal header value b'Bearer {TOKEN} '"))
    with pytest.raises(SourceError) as caught:
        fetch()
    assert TOKEN not in repr(caught.value) + repr(caught.value.__cause__)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTP_PROXY", "http://me:s3cret@host:port"),
        ("ALL_PROXY", "ftp://me:s3cret@host"),
        ("SSL_CERT_FILE", "/nowhere/s3cret.pem"),
    ],
)
def test_a_broken_environment_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match="environment") as caught:
        open_http(Settings())
    assert variable in caught.value.hint
    assert "s3cret" not in caught.value.message
