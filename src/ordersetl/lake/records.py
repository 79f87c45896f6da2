"""What the records on disk may hold: checked where each is decoded, before anything is done by it.

A record's digest protects from accidents, not from people: anybody can compute one, and batches are copied between
machines. So the names in a record are input. Each must be one that this program writes, and no path can be made of
them that leads out of the output; each value must be one that later steps can work with.

A record with anything else is damaged, like one whose digest does not match.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from ordersetl.errors import CorruptedError
from ordersetl.lake.layout import calls_name, file_day, is_batch_id, page_name
from ordersetl.text import look_up_charset
from ordersetl.zones import list_zones

if TYPE_CHECKING:
    from ordersetl.lake.fold_settings import FoldSettings
    from ordersetl.lake.kept_files import ReferenceEntry
    from ordersetl.lake.manifest import FileEntry, Manifest
    from ordersetl.lake.raw import BatchMarker, BatchRequest
    from ordersetl.lake.staged import StageMarker

__all__ = ["check_manifest", "check_marker", "check_request", "check_stage"]

_SHA256 = re.compile("[0-9a-f]{64}").fullmatch
_KIND = re.compile("[a-z_]{1,40}").fullmatch
_DIMENSION = re.compile(r"dim_[a-z_]{1,40}\.csv").fullmatch
_ZONE_DATA = re.compile("(?:[0-9a-f]{16})?").fullmatch
_EMAILS = re.compile("keep|drop|hash:[0-9a-f]{8}").fullmatch
_SEGMENT = re.compile(r"[0-9a-f]{16,64}\.[a-z]{1,10}").fullmatch
_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,10})?").fullmatch
"""No exponent, which makes gigabytes of a few characters, and no more digits than a sum of money can have."""
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_LONGEST_AGO = datetime(1860, 1, 1, tzinfo=UTC)
"""A window may begin before the earliest order: the longest lookback is a hundred years."""
_MAX_COUNT = 2**63 - 1
_MAX_SHOWN = 80


def check_request(request: "BatchRequest") -> None:
    """Check what an extraction asked for.

    Raises:
        CorruptedError: it holds a value that no request has.
    """
    _check_values(request)
    _check_references(request.references)
    for digest in (request.description or "", request.mapping):
        _require(not digest or _SHA256(digest), "the description", digest)


def check_marker(marker: "BatchMarker", batch: str) -> None:
    """Check the marker in the folder of a batch.

    Raises:
        CorruptedError: it holds a value that no marker of that batch has.
    """
    _require(marker.batch == batch, "the batch", marker.batch)
    _require(is_batch_id(batch), "the batch", batch)
    check_request(marker.request)
    _check_values(marker)
    _check_references(marker.references)
    for number, page in enumerate(marker.pages, 1):
        _require(page.name == page_name(number), "the page", page.name)
        charset = page.charset
        _require(charset is None or look_up_charset(charset) == charset, "the charset", charset or "")
        _require(page.calls is None or page.calls.name == calls_name(number), "the file of calls of", page.name)
    for begin, end in marker.covered:
        _require(begin is None or begin <= end, "the interval to", str(end))
    settled = marker.settled
    _require(settled is None or (marker.covered and settled <= marker.covered[-1][1]), "what is settled", str(settled))


def check_stage(marker: "StageMarker", batch: str) -> None:
    """Check the marker of a staged batch.

    Raises:
        CorruptedError: it holds a value that no marker of that batch has.
    """
    _require(marker.batch == batch, "the batch", marker.batch)
    _check_values(marker)
    _check_references(marker.references)
    _check_settings(marker.settings)
    for number, part in enumerate(marker.parts, 1):
        for role in part.__struct_fields__:
            name = getattr(getattr(part, role), "name", None)
            if name is not None:
                wanted = {f"{role}-{number:05d}.{ending}" for ending in ("parquet", "ndjson")}
                _require(name in wanted, "the file", name)


def check_manifest(manifest: "Manifest") -> None:
    """Check a manifest, the current or the pending one.

    Raises:
        CorruptedError: it holds a value that no manifest has.
    """
    for batch in (*manifest.batches, *manifest.quarantine):
        _require(is_batch_id(batch), "the batch", batch)
    for file in (*manifest.files, *manifest.removed):
        _require(_is_curated_file(file), "the file", file)
    for kind, sha256 in manifest.references.items():
        _require(_KIND(kind), "the kind of reference file", kind)
        _require(_SHA256(sha256), "the SHA-256", sha256)
    for file, entry in manifest.files.items():
        _check_file(file, entry)
    _check_settings(manifest.settings)
    for found in manifest.fields.drift:
        _require(is_batch_id(found.batch), "the batch", found.batch)
    for name in ("quarantine", "index", "tombstones", "mentions", "members", "uses", "rejected", "fields"):
        _check_values(getattr(manifest, name, ()))
    for kind in manifest.members:
        _require(_KIND(kind), "the kind of dimension", kind)
    for segment in manifest.segments:
        _require(_SEGMENT(segment.name), "the segment", segment.name)


def _is_curated_file(file: str) -> bool:
    return file_day(file) is not None or _DIMENSION(file) is not None


def _check_file(file: str, entry: "FileEntry") -> None:
    """Check an entry as :func:`_check_values` would, faster: there is one a day of history."""
    _require(_SHA256(entry.sha256), "the SHA-256", entry.sha256)
    counts = (entry.bytes, entry.rows, entry.orders)
    _require(min(counts) >= 0 and max(counts) <= _MAX_COUNT, "a size or count of", file)
    for amount in entry.sums.values():
        _require(_DECIMAL(amount), "the sum", amount)


def _check_settings(settings: "FoldSettings") -> None:
    """Check what SQL and file names are made of."""
    _require(settings.timezone in list_zones(), "the time zone", settings.timezone)
    _require(_ZONE_DATA(settings.zone_data), "the version of zone data", settings.zone_data)
    _require(_EMAILS(settings.emails), "the setting of emails", settings.emails)
    _require(not settings.mapping or _SHA256(settings.mapping), "the mapping", settings.mapping)


def _check_references(references: Mapping[str, "ReferenceEntry"]) -> None:
    for kind in references:
        _require(_KIND(kind), "the kind of reference file", kind)


def _check_values(value: object, name: str = "") -> None:
    """Check times, counts and hashes, however deep they are: by their type, and by the name of their member."""
    if isinstance(value, msgspec.Struct):
        for member in value.__struct_fields__:
            _check_values(getattr(value, member), member)
    elif isinstance(value, str):
        if name.endswith("sha256") or (name == "source_digest" and value):
            _require(_SHA256(value), "the SHA-256", value)
    elif isinstance(value, Iterable):
        for member in value.values() if isinstance(value, Mapping) else value:
            _check_values(member, name)
    elif isinstance(value, datetime):
        earliest = _LONGEST_AGO if name in {"since", "part_of"} else _EARLIEST
        _require(value.tzinfo is not None and earliest <= value < _LATEST, f"the {name}", str(value))
    elif isinstance(value, int):
        _require(name == "mtime_ns" or 0 <= value <= _MAX_COUNT, "the number", name)


def _require(fits: object, what: str, found: str) -> None:
    if not fits:
        raise CorruptedError(f"{what} {found[:_MAX_SHOWN]!r} in it is not one that ordersetl writes")
