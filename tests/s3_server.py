"""An S3 server in a process of its own, and a proxy before it that loses answers.

S3 looks at a put's condition and puts in one step, and whoever reads gets what was there before or after it; this
server does neither where requests meet. So the proxy lets one through at a time.
"""

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import httpx

__all__ = ["Proxy", "s3_server"]

LONG_S = 60
BUCKET = "orders-test"


@contextmanager
def s3_server() -> Iterator[str]:
    """URL of a server with one empty bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + LONG_S
            while time.monotonic() < deadline:
                with suppress(httpx.TransportError):
                    httpx.put(f"{url}/{BUCKET}", timeout=LONG_S)
                    break
            yield url
        finally:
            server.kill()


class Proxy:
    """Stands before a store; some requests fail: ``503``, ``cut before`` or ``cut after`` the store did its work."""

    bucket = BUCKET

    def __init__(self, url: str) -> None:
        self.target = url.removeprefix("http://")
        self._fault, self._every, self._only = "none", 1, ""
        self._lock = threading.Lock()
        self.forwarding = threading.Lock()
        self._seen: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._count = self.failed = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def variables(self) -> dict[str, str]:
        """The environment by which a client comes here."""
        keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test")
        return {**keys, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}"}

    def fail(self, fault: str, *, every: int, only: str = "") -> None:
        """Have every so many of the requests (of a key that ends so) meet a fault, but no retry of one that did."""
        with self._lock:
            self._fault, self._every, self._only = fault, every, only
            self._count = self.failed = 0
            self._seen.clear()

    def take_counts(self) -> Counter[str]:
        """How many requests of each kind there were since this was asked last: GET, HEAD, LIST, PUT, DELETE."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    def choose(self, request: str) -> str:
        """The fault that a request meets."""
        with self._lock:
            self._counts[_name_kind(request)] += 1
            if self._fault == "none" or not request.partition("?")[0].endswith(self._only):
                return "none"
            self._count += 1
            if self._count % self._every:
                return "none"
            if request in self._seen:
                self._seen.discard(request)
                return "none"
            self._seen.add(request)
            self.failed += 1
            return self._fault

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fault = proxy.choose(f"{self.command} {self.path}")
                if fault == "cut before":
                    self.close_connection = True
                    return
                if fault == "503":
                    self.send_response(503)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                connection = http.client.HTTPConnection(proxy.target, timeout=LONG_S)
                with proxy.forwarding:
                    connection.request(self.command, self.path, body, dict(self.headers))
                    answer = connection.getresponse()
                    data = answer.read()
                connection.close()
                if fault == "cut after":
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in {"transfer-encoding", "connection", "date", "server", "content-length"}:
                        self.send_header(name, value)
                length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
                self.send_header("Content-Length", length or "0")
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _forward  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def _name_kind(request: str) -> str:
    method, _, path = request.partition(" ")
    if method == "GET" and "list-type=" in path:
        return "LIST"
    return "DELETE" if method == "POST" and path.endswith("?delete") else method
