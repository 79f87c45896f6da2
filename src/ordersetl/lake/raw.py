"""The raw log: one folder a batch, its pages exactly as received, committed by the appearance of ``batch.json``.

Where a source answers some of an order by requests of their own, the answers for a page's orders are beside the page.

An extraction that did not end leaves a folder without that marker; ``_request.json`` in it says what was asked, so
that the same request can go on at the page where it stopped.
"""

import hashlib
from datetime import datetime

import msgspec

from ordersetl.errors import CorruptedError
from ordersetl.lake.checksum import decode_record, encode_record
from ordersetl.lake.kept_files import ReferenceEntry
from ordersetl.lake.layout import MANIFEST, RAW, Lake, calls_name, page_name, raw_key
from ordersetl.lake.listing import MARKER
from ordersetl.lake.reading import read_content, read_verified
from ordersetl.lake.records import check_marker, check_request
from ordersetl.window import Window

__all__ = [
    "FORMAT",
    "REQUEST",
    "BatchMarker",
    "BatchRequest",
    "CallsEntry",
    "Interval",
    "PageEntry",
    "read_marker",
    "read_marker_digest",
    "read_page_body",
    "read_page_calls",
    "read_request",
    "write_marker",
    "write_page",
    "write_request",
]

REQUEST = "_request.json"
_MAX_RECORD_BYTES = 1 << 30

FORMAT = 2
"""Of the markers that are written now."""

Interval = tuple[datetime | None, datetime]
"""Since, inclusive, None for the beginning; and end, exclusive."""


class BatchRequest(msgspec.Struct, frozen=True):
    """What an extraction asked for. Times are aware and UTC; ``began_at`` ends the window where ``until`` is None.

    ``continues``: the tool itself chose ``since``, so that it is only asked for, and whatever comes is folded in. None
    in batches of before 0.2, which did not record it.

    ``description`` is the SHA-256 of the source's description, its name in ``raw/source``, and ``mapping`` tells what
    of it values depend on: empty where its records are orders as they are. ``selection`` are the values of its
    variables that say which orders come. Batches of before 0.3 have none of them.

    ``part_of`` is the user's window where the tool cut this one out of it: its own bounds are only asked for then.

    ``shown_since`` is since when the source shows orders at all, by what it says of itself and the rights that there
    were; None where it shows all. ``shown_until`` is before when it was asked at most, as it wants no younger end; None
    where it takes any, and in batches of before 0.3.
    """

    source: str
    url: str
    since: datetime | None
    until: datetime | None
    page_size: int
    began_at: datetime
    references: dict[str, ReferenceEntry] = {}
    continues: bool | None = None
    description: str | None = None
    mapping: str = ""
    selection: dict[str, str] = {}
    part_of: tuple[datetime | None, datetime | None] | None = None
    shown_since: datetime | None = None
    shown_until: datetime | None = None

    @property
    def covered_since(self) -> datetime | None:
        """Where what it covers begins: what lies before that was not asked for, or the source does not show it."""
        return max(filter(None, (self.since, self.shown_since)), default=None)

    @property
    def covered_until(self) -> datetime | None:
        """Before when what it covers ends at the latest: what lies after that was not asked for. None where all was."""
        return min(filter(None, (self.until, self.shown_until)), default=None)

    @property
    def enforced_since(self) -> datetime | None:
        """From when on records count: the user's own ``since``, None where the tool chose it.

        Where a batch does not say who chose it, the fraction does: the tool continued from a clock's microseconds,
        people name whole seconds.
        """
        if self.part_of is not None:
            return self.part_of[0]
        if self.since is None or self.continues or (self.continues is None and self.since.microsecond):
            return None
        return self.since

    @property
    def enforced_until(self) -> datetime | None:
        """Before when records count: the user's own ``until``."""
        return self.until if self.part_of is None else self.part_of[1]

    @property
    def window(self) -> Window:
        """What of its records counts."""
        return Window(self.enforced_since, self.enforced_until, began_at=self.began_at)


class CallsEntry(msgspec.Struct, frozen=True):
    """The file of what calls answered for a page's orders."""

    name: str
    sha256: str
    bytes: int


class PageEntry(msgspec.Struct, frozen=True):
    """One page of a committed batch.

    ``newest`` is the newest time that a record on it shows; None where none does, and in batches of before 0.2.
    ``charset`` is how its bytes are read where they are not UTF-8 or its kin. ``calls`` is the file of what calls
    answered for its orders; None where there were none.
    """

    name: str
    sha256: str
    bytes: int
    records: int
    newest: datetime | None = None
    charset: str | None = None
    calls: CallsEntry | None = None

    @property
    def all_bytes(self) -> int:
        """Of the page and of what calls answered for it."""
        return self.bytes + (self.calls.bytes if self.calls else 0)


class BatchMarker(msgspec.Struct, frozen=True):
    """The commit marker of a batch: window, source, request, pages, reference files.

    ``since`` is inclusive and ``until`` exclusive; None is open. It covers what lies between ``since`` and
    ``window_end``, or nothing where that is None.

    ``format`` is 2 where the end goes by the source's clock, 1 where by ours (before 0.2). ``covered`` is what this and
    the earlier batches of its origin cover together, ``shown`` the newest time that a record of theirs shows, and
    ``covered_of`` a hash of the ids of all batches that were there then. ``settled`` is up to when the newest of the
    intervals lacks nothing, whatever the lookback; None where that is unknown, and in batches of before 0.3.
    """

    batch: str
    source: str
    url: str
    since: datetime | None
    until: datetime | None
    window_end: datetime | None
    request: BatchRequest
    committed_at: datetime
    tool: str
    pages: tuple[PageEntry, ...]
    references: dict[str, ReferenceEntry] = {}
    format: int = 1
    shown: datetime | None = None
    covered: tuple[Interval, ...] = ()
    covered_of: str = ""
    settled: datetime | None = None

    @property
    def records(self) -> int:
        """Order records over all pages."""
        return sum(page.records for page in self.pages)


def read_marker(lake: Lake, batch: str) -> BatchMarker:
    """Read a committed batch's marker.

    Raises:
        CorruptedError: it is not what was written; the hint says how the batch is fetched again.
    """
    return read_marker_digest(lake, batch)[0]


def read_marker_digest(lake: Lake, batch: str) -> tuple[BatchMarker, str]:
    """As :func:`read_marker`, and the SHA-256 of its file, which identifies all of the batch."""
    key = raw_key(batch, MARKER)
    try:
        data = read_content(lake, key, _MAX_RECORD_BYTES)
        marker = decode_record(data, BatchMarker)
        check_marker(marker, batch)
    except CorruptedError as error:
        raise CorruptedError(
            f"the raw batch {batch} is damaged: {lake.locate(key)}: {error.message}",
            hint=_hint_at_marker(lake, batch),
        ) from error
    return marker, hashlib.sha256(data).hexdigest()


def _hint_at_marker(lake: Lake, batch: str) -> str:
    """What to do about a marker that is damaged: what can be made again from the batch's own pages is not fetched."""
    marker = lake.locate(raw_key(batch, MARKER))
    if read_request(lake, batch) and lake.storage.exists(raw_key(batch, page_name(1))):
        remove = f", then remove {marker} alone" if lake.storage.exists(raw_key(batch, MARKER)) else ""
        return (
            f"Copy {marker.parent} to another place{remove}: `ordersetl run --verify` makes it again from the pages "
            "beside it, where all are there."
        )
    return (
        f"Restore it from a backup. Without one, move {marker.parent} away and fetch its window again: ordersetl run "
        "--full, or --since and --until."
    )


def read_request(lake: Lake, batch: str) -> BatchRequest | None:
    """What an unfinished batch asked for; None where that was not yet, or not completely, written."""
    try:
        request = decode_record(read_content(lake, raw_key(batch, REQUEST), _MAX_RECORD_BYTES), BatchRequest)
        check_request(request)
    except CorruptedError:
        return None
    return request


def write_request(lake: Lake, batch: str, request: BatchRequest) -> None:
    """Begin a batch: keep what is asked for."""
    lake.storage.put(raw_key(batch, REQUEST), encode_record(request))


def write_page(
    lake: Lake,
    batch: str,
    number: int,
    body: bytes,
    *,
    records: int,
    newest: datetime | None = None,
    charset: str | None = None,
    calls: bytes | None = None,
) -> PageEntry:
    """Keep the ``number``-th page of an unfinished batch, from 1: complete and synced where it has its name.

    The name itself is durable once the batch is committed. What calls answered for the page is written before it.
    """
    name, called = page_name(number), None
    if calls is not None:
        kept = lake.storage.put(raw_key(batch, calls_name(number)), calls, durability="content")
        called = CallsEntry(calls_name(number), kept.sha256, kept.bytes)
    written = lake.storage.put(raw_key(batch, name), body, durability="content")
    return PageEntry(name, written.sha256, written.bytes, records, newest, charset, called)


def write_marker(lake: Lake, marker: BatchMarker) -> None:
    """Commit a batch: from now on it counts, and nothing in it changes any more."""
    for prefix in (f"{RAW}/{marker.batch}", RAW, ""):  # a run that died may have made them unsynced
        lake.storage.sync(prefix)
    lake.storage.put(raw_key(marker.batch, MARKER), encode_record(marker))


def read_page_body(lake: Lake, batch: str, page: PageEntry, *, since: datetime | None) -> bytes:
    """Body of a page of a batch that began at ``since``, verified to be what was received.

    Raises:
        CorruptedError: it is missing or differs; the message names the page and the hint says how to fetch it again.
    """
    return _read_raw(lake, raw_key(batch, page.name), page, since)


def read_page_calls(lake: Lake, batch: str, page: PageEntry, *, since: datetime | None) -> bytes | None:
    """What calls answered for a page's orders, verified as the page itself; None where there were no calls.

    Raises:
        CorruptedError: as :func:`read_page_body`.
    """
    return None if page.calls is None else _read_raw(lake, raw_key(batch, page.calls.name), page.calls, since)


def _read_raw(lake: Lake, key: str, recorded: PageEntry | CallsEntry, since: datetime | None) -> bytes:
    try:
        return read_verified(lake, key, recorded)
    except CorruptedError as error:
        window = f"--since {since.isoformat()}" if since else "--full"
        raise CorruptedError(
            f"the raw page {lake.locate(key)} is damaged: {error.message}",
            hint=f"Restore it from a backup. Without one, move {lake.locate(key).parent} away, delete "
            f"{lake.locate(MANIFEST)}, and fetch it again: ordersetl run {window}",
        ) from error
