"""The built-in sample API: a small WSGI shop that speaks the generic contract, and fails on request."""

import hashlib
import itertools
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from ordersetl.resources import locate
from ordersetl.source.sample.faults import FaultSource, find_fault, name_status, spoil_answer

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["SAMPLE_URL", "page_cursor", "sample_app", "sample_orders", "sample_references"]

SAMPLE_URL = "http://sample.ordersetl.invalid"
"""Base URL of the sample API where it is called in process; the name never resolves (RFC 2606)."""


@dataclass(frozen=True)
class _Answer:
    status: int
    content: object
    headers: Mapping[str, str] = field(default_factory=dict)


def sample_orders() -> list[object]:
    """Return the records of the sample shop, one per order version as the API sends it, by ``updated_at``.

    Some are broken on purpose; ``README.md`` in ``fixtures/sample`` counts what is in there.
    """
    records: list[object] = json.loads((locate("fixtures") / "sample" / "orders.json").read_text(encoding="utf-8"))
    return records


def sample_references() -> tuple[Path, Path]:
    """Return the paths of the sample shop's users and products CSV files."""
    folder = locate("fixtures") / "sample"
    return folder / "users.csv", folder / "products.csv"


def page_cursor(position: int, orders: Sequence[object] = ()) -> str:
    """Return the cursor of what follows the first ``position`` of the orders; a client passes it back as it is.

    It names the last order before it, by content and time, so that it stays valid when orders are added or changed.
    """
    if not 0 < position <= len(orders):
        return _encode_cursor(position, "", "")
    time = next((time for at in range(position - 1, -1, -1) if (time := _record_time(orders[at]))), None)
    return _encode_cursor(position, _digest(orders[position - 1]), time.isoformat() if time else "")


def sample_app(
    orders: Sequence[object] | None = None,
    *,
    faults: Sequence[FaultSource] = (),
    token: str | None = None,
    max_limit: int = 100,
) -> "WSGIApplication":
    """Return a WSGI app that answers ``GET .../orders?updated_since&updated_until&limit&cursor``.

    A page is ``{"orders": [...], "next_cursor": ... | null}``, the orders in the sequence given. The window is on
    ``updated_at`` (``created_at`` where absent or null), since inclusive, until exclusive, naive times UTC; a record
    without a readable time was updated when the one before it was: a shop knows its own times. What cannot be answered
    gets ``{"error": ...}``: 400 for a parameter, 401 for the token, 404 for the path, 405 for the method.

    Args:
        orders: The records, read again at each request; the sample shop's by default.
        faults: The first that concerns a request changes its answer. All requests of the app are counted together.
        token: The bearer token a request must carry; None asks for none.
        max_limit: The longest page, in orders; a higher ``limit`` is lowered to it, an absent one is it.
    """
    records = sample_orders() if orders is None else orders
    requests = itertools.count(1)

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        number = next(requests)
        fault = find_fault(faults, number)
        answer = _answer_request(environ, records, token=token, max_limit=max_limit)
        content = answer.content
        if fault.next_cursor is not None and isinstance(content, dict):
            content = content | {"next_cursor": fault.next_cursor}
        status, body, headers = spoil_answer(fault, answer.status, json.dumps(content).encode(), answer.headers)
        start_response(f"{status} {name_status(status)}", list(headers.items()))
        return [body]

    return app


def _answer_request(
    environ: "WSGIEnvironment", records: Sequence[object], *, token: str | None, max_limit: int
) -> _Answer:
    if not environ.get("PATH_INFO", "").endswith("/orders"):
        return _Answer(404, {"error": "there is only /orders here"})
    if environ["REQUEST_METHOD"] != "GET":
        return _Answer(405, {"error": "orders can only be read: use GET"}, {"Allow": "GET"})
    if token is not None and environ.get("HTTP_AUTHORIZATION") != f"Bearer {token}":
        return _Answer(401, {"error": "the bearer token is missing or wrong"}, {"WWW-Authenticate": "Bearer"})
    query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    try:
        return _Answer(200, _select_page(records, query, max_limit=max_limit))
    except ValueError as error:
        return _Answer(400, {"error": str(error)})


def _select_page(records: Sequence[object], query: Mapping[str, str], *, max_limit: int) -> dict[str, object]:
    since, until = _read_bound(query, "updated_since"), _read_bound(query, "updated_until")
    limit = _read_limit(query, max_limit=max_limit)
    start = _read_cursor(query, records)
    if since is None and until is None:  # nothing is copied: a large list stays quick to page through
        end = min(start + limit, len(records))
        more = end < len(records)
        return {"orders": records[start:end], "next_cursor": page_cursor(end, records) if more else None}
    following = enumerate(_with_times(records), 1)
    inside = (
        (position, record)
        for position, (record, time) in following
        if position > start and _in_window(time, since, until)
    )
    page = list(itertools.islice(inside, limit))
    more = next(inside, None) is not None
    return {"orders": [r for _, r in page], "next_cursor": page_cursor(page[-1][0], records) if more else None}


def _with_times(records: Sequence[object]) -> Iterator[tuple[object, datetime | None]]:
    latest: datetime | None = None
    for record in records:
        latest = _record_time(record) or latest
        yield record, latest


def _in_window(time: datetime | None, since: datetime | None, until: datetime | None) -> bool:
    return time is None or ((since is None or since <= time) and (until is None or time < until))


def _read_bound(query: Mapping[str, str], name: str) -> datetime | None:
    if name not in query:
        return None
    time = _parse_time(query[name])
    if time is None:
        raise ValueError(f"{name} is not an ISO 8601 time: {query[name]!r}")
    return time


def _read_limit(query: Mapping[str, str], *, max_limit: int) -> int:
    text = query.get("limit", str(max_limit))
    try:
        limit = int(text)
    except ValueError:
        limit = 0
    if limit < 1:
        raise ValueError(f"limit is not a number of orders from 1: {text!r}")
    return min(limit, max_limit)


def _read_cursor(query: Mapping[str, str], records: Sequence[object]) -> int:
    """How many of the records come before what the cursor names: those up to the last one that was sent.

    Where that one was changed since, those before its time; some that were sent come again then, and none is skipped.
    """
    text = query.get("cursor")
    if text is None:
        return 0
    position, digest, time = _decode_cursor(text)
    if position == 0:
        return 0
    if position <= len(records) and _digest(records[position - 1]) == digest:
        return position
    moved = next((at for at, record in enumerate(records, 1) if _digest(record) == digest), None)
    if moved is not None:
        return moved
    known = enumerate(_with_times(records))
    return next(
        (at for at, (_, passed) in known if time is None or (passed is not None and passed >= time)), len(records)
    )


def _decode_cursor(text: str) -> tuple[int, str, datetime | None]:
    try:
        position, digest, time = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        # base64 decoding skips what it does not know: only a cursor that encodes back to itself was made here
        is_ours = _encode_cursor(position, digest, time) == text and type(position) is int and position >= 0
        if is_ours and bool(digest) is bool(position):
            return position, digest, datetime.fromisoformat(time) if time else None
    except (ValueError, TypeError):
        pass  # as one of another shop
    raise ValueError(f"cursor is none of this listing: {text!r}")


def _encode_cursor(position: int, digest: str, time: str) -> str:
    return urlsafe_b64encode(json.dumps([position, digest, time]).encode()).decode().rstrip("=")


def _digest(record: object) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _record_time(record: object) -> datetime | None:
    if not isinstance(record, dict):
        return None
    updated_at = record.get("updated_at")
    return _parse_time(record.get("created_at") if updated_at is None else updated_at)


def _parse_time(value: object) -> datetime | None:
    # a number as text is no time, although fromisoformat reads some as YYYYMMDD
    if not isinstance(value, str) or value.strip().isdigit():
        return None
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
