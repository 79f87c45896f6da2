"""The raw pages of the applied batches as the deep check reads them; those of a described source also mapped."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from ordersetl.errors import CorruptedError, InvalidResponseError
from ordersetl.lake.in_force import InForce
from ordersetl.lake.kept_files import read_description, read_reference
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import list_batches
from ordersetl.lake.manifest import Manifest
from ordersetl.lake.raw import BatchMarker, BatchRequest, PageEntry, read_marker, read_page_body, read_page_calls
from ordersetl.source.kept_pages import KeptPages, describe_request
from ordersetl.star.values import to_naive

__all__ = ["RawPage", "Unreadable", "read_pages"]


class RawPage(NamedTuple):
    """A page and its window, ``content`` None where the bytes are not UTF-8; then the bytes, and their records.

    ``mapped`` is what ``mapped_pages`` makes of it; None where the records are orders already.
    """

    batch: str
    page: int
    since: datetime | None
    until: datetime | None
    began_at: datetime
    content: str | None
    body: bytes
    records: int
    mapped: Sequence[tuple[int, str | None, str | None]] | None = None


class Unreadable(NamedTuple):
    """What of raw cannot be read: where it is and what is wrong with it, for people, and what to do about it."""

    row: dict[str, str]
    hint: str | None


def _describe(error: CorruptedError | InvalidResponseError, **where: str) -> Unreadable:
    return Unreadable({**where, "problem": error.message}, error.hint if isinstance(error, CorruptedError) else None)


def read_pages(lake: Lake, manifest: Manifest, damaged: list[Unreadable]) -> Iterator[RawPage]:
    """Every page of the applied batches; what of raw cannot be read, batches that wait too, is added to ``damaged``."""
    read: set[str] = set()
    in_force = _find_applied(lake, manifest, damaged)
    for batch in manifest.batches:
        try:
            marker = read_marker(lake, batch)
            _verify_files(lake, marker, read, damaged)
            kept = KeptPages(lake, batch, marker.since, describe_request(lake, marker.request, in_force))
        except CorruptedError as error:
            damaged.append(_describe(error, batch=batch))
            continue
        for number, entry in enumerate(marker.pages, start=1):
            try:
                yield _read_page(kept, marker.request, number, entry)
            except (CorruptedError, InvalidResponseError) as error:
                damaged.append(_describe(error, batch=batch, page=entry.name))
    for batch in sorted(set(list_batches(lake)).difference(manifest.batches)):
        _verify_waiting(lake, batch, read, damaged)


def _verify_waiting(lake: Lake, batch: str, read: set[str], damaged: list[Unreadable]) -> None:
    """Read all of a batch that no load took in yet: it is as much of raw as the others."""
    try:
        marker = read_marker(lake, batch)
    except CorruptedError as error:
        damaged.append(_describe(error, batch=batch))
        return
    _verify_files(lake, marker, read, damaged)
    for entry in marker.pages:
        for read_part in (read_page_body, read_page_calls):
            try:
                read_part(lake, batch, entry, since=marker.since)
            except CorruptedError as error:
                damaged.append(_describe(error, batch=batch, page=entry.name))


def _verify_files(lake: Lake, marker: BatchMarker, read: set[str], damaged: list[Unreadable]) -> None:
    """Read the files that are kept with a batch, those that were ``read`` before excepted."""
    for kept in marker.references.values():
        if kept.sha256 not in read:
            read.add(kept.sha256)
            try:
                read_reference(lake, kept)
            except CorruptedError as error:
                damaged.append(_describe(error, batch=marker.batch, reference=kept.name))
    described = marker.request.description
    if described is not None and described not in read:
        read.add(described)
        try:
            read_description(lake, described)
        except CorruptedError as error:
            damaged.append(_describe(error, batch=marker.batch, description=f"{described}.toml"))


def _find_applied(lake: Lake, manifest: Manifest, damaged: list[Unreadable]) -> InForce:
    """The description by whose mapping the curated layer was folded; a newer one may wait for the next load."""
    mapping = manifest.settings.mapping
    for batch in reversed(manifest.batches):
        try:
            request = read_marker(lake, batch).request
        except CorruptedError:
            continue  # read_pages says so
        if request.mapping == mapping:
            return InForce.of(request)
    if mapping:
        problem = "no batch is left that has the description of the source which they are mapped by"
        damaged.append(Unreadable({"problem": problem}, None))
    return InForce(None, mapping)


def _read_page(kept: KeptPages, request: BatchRequest, number: int, entry: PageEntry) -> RawPage:
    page = kept.read(number, entry)
    try:
        content = page.text.decode()
    except UnicodeDecodeError:
        content = None
    since, until = (time and to_naive(time) for time in (request.enforced_since, request.enforced_until))
    mapped, description = None, kept.description
    if description is not None and description.mapping is not None:
        from ordersetl.check.mapped_pages import map_page  # noqa: PLC0415 - the generic API does without

        mapped = list(map_page(page, description.mapping))
    began_at = to_naive(request.began_at)
    return RawPage(kept.batch, number, since, until, began_at, content, page.text, entry.records, mapped)
