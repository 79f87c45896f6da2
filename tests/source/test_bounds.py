"""Nothing that a server does hangs a fetch or fills memory: bytes and time are bounded from the first to the last."""

import gzip
import itertools
import os
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordersetl.errors import SourceError
from ordersetl.lake.raw import BatchRequest
from ordersetl.settings import Settings
from ordersetl.source.client import OrdersClient, open_http
from ordersetl.source.page import Page
from ordersetl.source.transport import BrokenBodyError, Inflater, TooLargeError

NOW = datetime(2025, 9, 1, 12, tzinfo=UTC)
BODY = b'{"orders": [{"order_id": 1}], "next_cursor": null}'
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


def fetch(url: str, *, clock: Callable[[], float] | None = None, **settings: Any) -> list[Page]:
    known = Settings(**{"max_retries": 0, **settings})
    clocks: dict[str, Any] = {} if clock is None else {"clock": clock}
    with open_http(known) as http:
        client = OrdersClient(http, known, sleep=lambda _: None, now=lambda: NOW, **clocks)
        return list(client.pages(BatchRequest("generic", url, None, None, 50, NOW)))


@contextmanager
def server(answer: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that has ``answer`` speak to each connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_all() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(10)
            with suppress(OSError), context.wrap_socket(connection, server_side=True) if context else connection as it:
                it.recv(65536)
                answer(it)

    thread = threading.Thread(target=answer_all, daemon=True)
    thread.start()
    try:
        yield "{}://{}:{}".format("https" if context else "http", *listener.getsockname())
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def endless(piece: bytes, before: bytes = b"") -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(before)
        while True:
            connection.sendall(piece)

    return answer


def dripping(before: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Sends a piece every few milliseconds, which no timeout of a single read notices."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(before)
        never = threading.Event()
        while not never.wait(0.004):
            connection.sendall(piece)

    return answer


def fast() -> float:
    """A clock by which a response's seconds pass quickly."""
    return time.monotonic() * 20


SLOW = {
    "headers a byte at a time": dripping(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
    "endless 1xx": dripping(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "a body a byte at a time": dripping(OK + b"\r\n", b" "),
    "gzip of empty blocks": dripping(OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"", mtime=0)),
    "chunks a byte at a time": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


@pytest.mark.parametrize("what", SLOW)
def test_one_deadline_holds_for_an_answer(what: str) -> None:
    with server(SLOW[what]) as url, pytest.raises(SourceError, match=r"the response took more than 4 s"):
        fetch(url, timeout_s=0.2, clock=fast)


def test_the_deadline_holds_through_tls(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(certificate))
        with server(lambda c: c.sendall(OK + b"\r\n" + BODY), context) as url:
            assert fetch(url)[0].head.records == 1
        with server(SLOW["headers a byte at a time"], context) as url, pytest.raises(SourceError, match="took more"):
            fetch(url, timeout_s=0.2, clock=fast)


def test_the_deadline_holds_through_a_proxy_which_the_error_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(SLOW["headers a byte at a time"]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.replace("//", "//me:s3cret@"))
        address = proxy.removeprefix("http://")
        with pytest.raises(SourceError, match=rf"took more.*through the proxy {address}") as caught:
            fetch("http://shop.test", timeout_s=0.2, clock=fast)
    assert "s3cret" not in caught.value.message


def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with server(lambda c: c.sendall(refusal)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        for url in ("http://shop.test", "https://shop.test"):
            with pytest.raises(SourceError, match=r"407.*through the proxy|through the proxy.*407"):
                fetch(url)


FLOODS = {
    "endless 1xx": endless(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000),
    "gzip of empty members": endless(gzip.compress(b"", mtime=0) * 1000, OK + b"Content-Encoding: gzip\r\n\r\n"),
    "gzip of empty blocks": endless(
        b"\x00\x00\x00\xff\xff" * 1000, OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
    ),
    "bytes after gzip's end": endless(
        b"junk" * 1000, OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(BODY, mtime=0)
    ),
    "zero bytes after gzip's end": endless(
        bytes(4096), OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(BODY, mtime=0)
    ),
    "empty deflate blocks": endless(b"\x00\x00\x00\xff\xff" * 1000, OK + b"Content-Encoding: deflate\r\n\r\n"),
    "one long header": endless(b"x" * 4096, b"HTTP/1.1 200 OK\r\nX-Long: "),
}


@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_that_decodes_to_nothing_ends(what: str) -> None:
    with server(FLOODS[what]) as url, pytest.raises(SourceError):
        fetch(url, max_response_mb=1)


def test_the_body_of_a_redirect_is_not_read() -> None:
    bomb = gzip.compress(gzip.compress(bytes(64 << 20), 9), 9)
    answers = [
        b"HTTP/1.1 302 Found\r\nLocation: /moved\r\nContent-Encoding: gzip, gzip\r\n\r\n" + bomb,
        OK + b"\r\n" + BODY,
    ]
    numbers = itertools.count()

    def answer(connection: socket.socket) -> None:
        number = next(numbers)
        connection.sendall(answers[number])
        while number == 0:
            connection.sendall(bomb)

    with server(answer) as url:
        tracemalloc.start()
        try:
            assert fetch(url)[0].head.records == 1
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_body_that_is_cut_short_without_a_length_is_fetched_again(coding: str) -> None:
    packed = gzip.compress(BODY, mtime=0) if coding == "gzip" else zlib.compress(BODY)
    headers = OK + f"Content-Encoding: {coding}\r\n\r\n".encode()
    answers = iter([headers + packed[:-9], headers, headers + packed])
    with server(lambda c: c.sendall(next(answers))) as url:
        assert [page.body for page in fetch(url, max_retries=2)] == [BODY]
    with server(lambda c: c.sendall(headers + packed[:-1])) as url, pytest.raises(SourceError, match="cut short"):
        fetch(url)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        (
            "gzip",
            gzip.compress(BODY[:7], mtime=0)
            + gzip.compress(b"", mtime=0)
            + gzip.compress(BODY[7:], mtime=0)
            + bytes(5),
        ),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY)[2:-4]),
        ("identity", BODY),
        ("", BODY),
    ],
)
def test_a_body_decodes_in_pieces_of_any_size(coding: str, packed: bytes, size: int) -> None:
    inflater = Inflater(coding, len(BODY))
    body = b"".join(inflater.feed(packed[at : at + size]) for at in range(0, len(packed), size))
    inflater.finish()
    assert body == BODY
    with pytest.raises(TooLargeError):
        Inflater(coding, len(BODY) - 1).feed(packed)


@pytest.mark.parametrize("extra", [b"x", b"\x00x", b"\x1f", b"\x1fx", gzip.compress(BODY, mtime=0)[:-1]])
def test_what_follows_gzip_is_gzip_or_zeros(extra: bytes) -> None:
    inflater = Inflater("gzip", 1000)

    def inflate() -> None:
        inflater.feed(gzip.compress(BODY, mtime=0) + extra)
        inflater.finish()

    with pytest.raises(BrokenBodyError):
        inflate()


def test_a_client_of_a_given_transport_is_left_alone() -> None:
    with open_http(Settings(), httpx.MockTransport(lambda _: httpx.Response(200, content=BODY))) as http:
        client = OrdersClient(http, Settings())
        assert len(list(client.pages(BatchRequest("generic", "http://shop.test", None, None, 50, NOW)))) == 1
    assert os.environ.get("HTTP_PROXY") is None
