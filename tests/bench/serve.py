"""Answer like an orders API from pre-rendered pages, with next to no work of its own.

    python tests/bench/serve.py DIR [--later DIR]

``DIR`` is a folder of generate.py: its pages are the answer to ``GET /orders``, and a cursor is a page's number.
Who asks for what changed since a moment about that of the last order of ``DIR`` (a run goes on from there, less its
lookback) gets the pages of ``--later``, or an empty list while that folder does not exist.

Prints its URL when it is ready, and ends when its standard input closes.
"""

import argparse
import contextlib
import json
import socketserver
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import parse_qs, urlsplit

LOOKBACK = timedelta(hours=1)
EMPTY = b'{"orders": [], "next_cursor": null}'


@dataclass(frozen=True)
class PageSets:
    """The bulk of the orders, the moment it ends, and what came later."""

    bulk: Path
    bulk_ends: datetime
    later: Path | None

    @classmethod
    def open(cls, bulk: Path, later: Path | None) -> Self:
        meta = json.loads((bulk / "meta.json").read_text(encoding="utf-8"))
        return cls(bulk, datetime.fromisoformat(meta["last_updated_at"]), later)

    def page(self, since: datetime | None, cursor: int) -> Path | None:
        """The file that answers, or None where nothing is new."""
        is_later = since is not None and since > self.bulk_ends - LOOKBACK
        if is_later and not (self.later and self.later.exists()):
            return None
        folder = self.later if is_later and self.later else self.bulk
        return folder / "pages" / f"page-{cursor:05d}.json"


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Handler(socketserver.StreamRequestHandler):
    """One connection: requests one after the other until the client has enough."""

    page_sets: ClassVar[PageSets]
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while request := self.rfile.readline():
                while self.rfile.readline().strip():
                    pass  # headers
                self._answer(request.split(b" ")[1].decode("ascii"))

    def _answer(self, target: str) -> None:
        url = urlsplit(target)
        query = parse_qs(url.query)
        if not url.path.endswith("/orders"):
            self._send_head("404 Not Found", 0)
            return
        since = _moment(query.get("updated_since", [None])[0])
        page = self.page_sets.page(since, int(query.get("cursor", ["1"])[0]))
        if page is None:
            self._send_head("200 OK", len(EMPTY))
            self.wfile.write(EMPTY)
            return
        with page.open("rb") as file:
            self._send_head("200 OK", page.stat().st_size)
            self.request.sendfile(file)

    def _send_head(self, status: str, length: int) -> None:
        self.wfile.write(
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()
        )


class Server(socketserver.ThreadingTCPServer):
    """A thread a connection; none outlives the process."""

    daemon_threads = True
    allow_reuse_address = True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--later", type=Path)
    args = parser.parse_args()
    Handler.page_sets = PageSets.open(args.folder, args.later)
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
