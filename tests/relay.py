"""A loopback relay to a PostgreSQL server: it cuts a connection at a chosen moment, or passes as a Redshift cluster."""

import contextlib
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

from warehouses import socket_folder

__all__ = ["RedshiftSql", "Relay", "open_relay"]

Cut = Literal["before commit", "after commit", "in copy"]
_STARTUP = {b"user", b"database", b"application_name", b"client_encoding", b"options"}
"""What a PostgreSQL server takes at the start of a session; Redshift's driver says more."""


@dataclass
class Relay:
    """Where it listens, what it does to statements, and when it cuts the next connection that comes so far.

    ``on_statement`` is told of each statement before the server is.
    """

    server: str
    translate: Callable[[str], str] = str
    cut: Cut | None = None
    port: int = 0
    on_statement: Callable[[str], object] = str

    def handle(self, client: socket.socket) -> None:
        """Relay one session until either side ends it."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self.server)
            answers = threading.Thread(target=self._answer, args=(server, client), daemon=True)
            with contextlib.suppress(OSError, EOFError):
                server.sendall(_read_startup(client))
                answers.start()
                while True:
                    kind = _read(client, 1)
                    body = _read(client, struct.unpack(">i", _read(client, 4))[0] - 4)
                    if kind in b"PQ":
                        body = self._rewrite(kind, body)
                    if kind == b"d" and self._cuts("in copy"):
                        break
                    server.sendall(kind + struct.pack(">i", len(body) + 4) + body)
            for end in (server, client):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            if answers.ident:
                answers.join()

    def _rewrite(self, kind: bytes, body: bytes) -> bytes:
        name, rest = (body.split(b"\0", 1)) if kind == b"P" else (b"", body)
        statement, rest = rest.split(b"\0", 1)
        text = statement.decode()
        self.on_statement(text)
        if text == "COMMIT" and self._cuts("before commit"):
            raise EOFError
        return (name + b"\0" if kind == b"P" else b"") + self.translate(text).encode() + b"\0" + rest

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if b"COMMIT\0" in data and self._cuts("after commit"):
                    break
                client.sendall(data)
        for end in (server, client):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _cuts(self, moment: Cut) -> bool:
        if self.cut != moment:
            return False
        self.cut = None
        return True


@contextlib.contextmanager
def open_relay(server_uri: str, translate: Callable[[str], str] = str) -> Iterator[Relay]:
    """A relay to the server of a URI that names the folder of its socket."""
    relay = Relay(f"{socket_folder(server_uri)}/.s.PGSQL.5432", translate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay.port = listener.getsockname()[1]
        threading.Thread(target=_accept, args=(listener, relay), daemon=True).start()
        yield relay


def _accept(listener: socket.socket, relay: Relay) -> None:
    with contextlib.suppress(OSError):  # the listener is closed
        while True:
            client, _ = listener.accept()
            threading.Thread(target=relay.handle, args=(client,), daemon=True).start()


def _read(source: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        some = source.recv(size - len(data))
        if not some:
            raise EOFError
        data += some
    return bytes(data)


def _read_startup(client: socket.socket) -> bytes:
    body = _read(client, struct.unpack(">i", _read(client, 4))[0] - 4)
    fields = body[4:].rstrip(b"\0").split(b"\0")
    kept = [(name, value) for name, value in zip(fields[::2], fields[1::2], strict=True) if name in _STARTUP]
    said = body[:4] + b"".join(name + b"\0" + value + b"\0" for name, value in kept) + b"\0"
    return struct.pack(">i", len(said) + 4) + said


@dataclass
class RedshiftSql:
    """Statements of Redshift as PostgreSQL takes them: without encodings and distribution, and with keys not enforced.

    A COPY from S3 reads the COPY manifest and its files by a client of S3, and becomes a COPY of the same bytes;
    while ``fails`` is set, of a file that is not there.
    """

    s3: Any
    folder: Path
    fails: bool = False
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    COPY = re.compile(
        r"COPY (?P<table>\w+) \((?P<columns>[\w, ]+)\) FROM 's3://(?P<bucket>[^/]+)/(?P<key>[^']+)' "
        r"(IAM_ROLE (DEFAULT|'arn:[^']+')|ACCESS_KEY_ID '\w+' SECRET_ACCESS_KEY '\w+')( REGION '[\w-]+')? MANIFEST "
        r"FORMAT CSV IGNOREHEADER 1 EMPTYASNULL NULL AS ' ordersetl:null ' DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' "
        r"COMPUPDATE OFF STATUPDATE OFF"
    )
    ATTRIBUTES = re.compile(r" ENCODE \w+|\s+DISTSTYLE \w+|\s+DISTKEY \(\w+\)|\s+COMPOUND SORTKEY \([\w, ]+\)")
    KEYS = re.compile(r",\s+(PRIMARY KEY|UNIQUE|FOREIGN KEY) \([\w, ]+\)( REFERENCES [\w\".]+ \(\w+\))?")

    def __call__(self, statement: str) -> str:
        """The statement as PostgreSQL takes it."""
        if statement.startswith("COPY"):
            return self._copy(statement)
        if statement.startswith("CREATE T"):
            return self.KEYS.sub("", self.ATTRIBUTES.sub("", statement))
        return statement

    def _copy(self, statement: str) -> str:
        copy = self.COPY.fullmatch(statement)
        if copy is None:
            raise AssertionError(f"no COPY that this stand-in knows: {statement}")
        manifest = json.loads(self._get(copy["bucket"], copy["key"]))
        path = self.folder / f"copy-{next(self._numbers)}.csv"
        with path.open("wb") as rows:
            for entry in manifest["entries"]:
                assert entry["mandatory"] is True
                bucket, _, key = entry["url"].removeprefix("s3://").partition("/")
                rows.write(self._get(bucket, key).partition(b"\n")[2])
        path.chmod(0o644)
        if self.fails:
            path.unlink()
        return f"COPY {copy['table']} ({copy['columns']}) FROM '{path}' (FORMAT csv, NULL '')"

    def _get(self, bucket: str, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content
