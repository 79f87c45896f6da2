"""The network below the client: bounded in bytes and in time from the first byte sent to the last one received.

httpx bounds each read, but neither the time until the headers are in nor what arrives before its decoder yields.
So each answer has an allowance, which every read of the network is charged to.
"""

import os
import ssl
import time
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import httpcore
import httpx
import msgspec

from ordersetl.errors import ConfigError
from ordersetl.settings import Settings
from ordersetl.version import __version__

__all__ = ["Allowance", "BrokenBodyError", "Inflater", "TooLargeError", "bound_client", "open_http"]

_HEADER_BYTES = 1 << 20
_READ_BYTES = 1 << 18
"""Read at a time, four times what httpx asks for: each read costs a round through its layers."""
_FRAMING = 8
"""Bytes on the wire a byte of body: chunks may be as small as one byte."""


class TooLargeError(Exception):
    """A body passes its limit."""


class BrokenBodyError(Exception):
    """A body ends early, or cannot be decompressed: another attempt may be complete."""


def open_http(settings: Settings, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """Open an HTTP client with the tool's headers and timeouts, which follows no redirect by itself.

    Raises:
        ConfigError: the proxy or the certificates that the environment names cannot be used.
    """
    headers = {
        "User-Agent": f"ordersetl/{__version__}",
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
    }
    try:
        context = _read_certificates(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        return httpx.Client(
            headers=headers, timeout=settings.timeout_s, follow_redirects=False, transport=transport, verify=context
        )
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        # the error's own words may hold a proxy's password
        raise ConfigError(
            f"the proxy or certificates of the environment cannot be used ({type(error).__name__})",
            hint="Look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from None


@cache
def _read_certificates(file: str | None, folder: str | None) -> ssl.SSLContext:
    """What servers are verified by: read once, which takes as long as many requests; by what the environment names."""
    del file, folder
    return httpx.create_ssl_context()


class Allowance(msgspec.Struct):
    """What one answer may still take: seconds by ``clock``, bytes off the wire; and whom it was asked of."""

    clock: Callable[[], float] = time.monotonic
    connected_to: tuple[str, int] | None = None
    _ends: float = msgspec.field(default=float("inf"))
    _bytes: float = msgspec.field(default=float("inf"))
    _seconds: float = msgspec.field(default=float("inf"))

    def begin(self, seconds: float) -> None:
        """Begin an answer, of which the headers come first."""
        self.connected_to = None
        self._seconds = seconds
        self._ends = self.clock() + seconds
        self._bytes = _HEADER_BYTES

    def begin_headers(self) -> None:
        """Another answer's headers come, in the same time: of the target of a redirect."""
        self.connected_to = None
        self._bytes = _HEADER_BYTES

    def begin_body(self, most: int) -> None:
        """The headers are in; a body of so many bytes may follow."""
        self._bytes = _FRAMING * most + _HEADER_BYTES

    def shorten(self, seconds: float) -> None:
        """Limit what is left to so many seconds."""
        self._ends = min(self._ends, self.clock() + seconds)

    def left(self, timeout: float | None = None) -> float:
        """Seconds that one more step may take, at most ``timeout``.

        Raises:
            httpcore.ReadTimeout: none are left.
        """
        left = self._ends - self.clock()
        if left <= 0:
            raise httpcore.ReadTimeout(f"the response took more than {self._seconds:.0f} s")
        return left if timeout is None else min(left, timeout)

    def spend(self, count: int) -> None:
        """Count bytes that came in.

        Raises:
            httpcore.RemoteProtocolError: they are too many.
        """
        self._bytes -= count
        if self._bytes < 0:
            raise httpcore.RemoteProtocolError("the server sends without end")


def bound_client(http: httpx.Client, allowance: Allowance) -> None:
    """Charge what the client's connections read to an allowance, those through proxies too.

    httpx lets nobody choose the network below its own transports, hence the private names; tests over sockets notice
    where a new version has others. Transports that are given (of tests, of the sample) are left alone.
    """
    backend = _BoundBackend(allowance)
    for transport in (http._transport, *http._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = backend  # noqa: SLF001


class _BoundStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, allowance: Allowance) -> None:
        self._stream = stream
        self._allowance = allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            data = self._stream.read(max(max_bytes, _READ_BYTES), self._allowance.left(timeout))
        except httpcore.ReadTimeout:
            self._allowance.left()  # says so where it is the whole answer that took too long
            raise
        self._allowance.spend(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._allowance.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:  # noqa: ANN401
        stream = self._stream.start_tls(ssl_context, server_hostname, self._allowance.left(timeout))
        return _BoundStream(stream, self._allowance)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as the base class has it
        return self._stream.get_extra_info(info)


class _BoundBackend(httpcore.NetworkBackend):
    def __init__(self, allowance: Allowance) -> None:
        self._backend = httpcore.SyncBackend()
        self._allowance = allowance

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        self._allowance.connected_to = (host, port)
        left = self._allowance.left(timeout)
        stream = self._backend.connect_tcp(host, port, left, local_address, socket_options)
        return _BoundStream(stream, self._allowance)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class Inflater:
    """Decodes a body as it comes in: one coding, gzip or deflate or none, and no more than ``most`` bytes of it.

    gzip may have several members (RFC 1952), zero bytes after the last, and nothing else.
    """

    def __init__(self, coding: str, most: int) -> None:
        self._gzip = coding == "gzip"
        self._plain = coding not in {"gzip", "deflate"}
        self._most = most
        self._inflate: Any = None
        self._start = b""
        self.size = 0

    def feed(self, data: bytes) -> bytes:
        """What so many raw bytes decode to.

        Raises:
            TooLargeError: the body passes its limit.
            BrokenBodyError: it cannot be decompressed.
        """
        pieces = []
        while data:
            if self._plain:
                piece, data = data, b""
            else:
                piece, data = self._inflate_some(data)
            self.size += len(piece)
            if self.size > self._most:
                raise TooLargeError
            pieces.append(piece)
        return b"".join(pieces)

    def finish(self) -> None:
        """Make sure that the body is complete.

        Raises:
            BrokenBodyError: it was cut short.
        """
        if not self._plain and not (self._inflate is not None and self._inflate.eof):
            raise BrokenBodyError("the compressed body was cut short")

    def _inflate_some(self, data: bytes) -> tuple[bytes, bytes]:
        if self._inflate is None:
            self._start += data
            if len(self._start) < 2:  # noqa: PLR2004 - two bytes tell whether deflate comes in its wrapper
                return b"", b""
            data, self._start = self._start, b""
            self._inflate = zlib.decompressobj(self._window_bits(data))
        elif self._inflate.eof:
            data = data.lstrip(b"\0")
            if not data:
                return b"", b""
            if not self._gzip or not b"\x1f\x8b".startswith(data[:2]):
                raise BrokenBodyError("DecodingError: there are bytes after the end of the compressed body")
            self._inflate = None
            return b"", data
        try:
            piece = self._inflate.decompress(data, self._most - self.size + 1)
        except zlib.error as error:
            raise BrokenBodyError(f"DecodingError: {error}") from None
        return piece, self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail

    def _window_bits(self, start: bytes) -> int:
        if self._gzip:
            return 16 + zlib.MAX_WBITS
        wrapped = start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start[:2]) % 31 == 0
        return zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS
