"""Extractions that were interrupted: taken up again, committed, or dropped."""

import hashlib
import logging
from collections.abc import Callable, Collection, Hashable, Sequence
from functools import cache, partial

import msgspec

from ordersetl.errors import CorruptedError, SourceError
from ordersetl.extract.batch import Batch
from ordersetl.extract.coverage import have_one_origin
from ordersetl.extract.news import settle_batch
from ordersetl.lake import raw, unfinished
from ordersetl.lake.layout import RAW, calls_name, page_name
from ordersetl.lake.listing import list_batches, list_unfinished, look_at_each
from ordersetl.lake.manifest import read_manifest
from ordersetl.lake.raw import BatchRequest, CallsEntry, PageEntry
from ordersetl.lake.staged import read_stage
from ordersetl.runtime import RunContext
from ordersetl.source.answer import find_charset
from ordersetl.source.client import OrdersClient, max_records
from ordersetl.source.description.kept import read_kept
from ordersetl.source.page import Page
from ordersetl.source.slices import find_youngest
from ordersetl.source.times import find_newest
from ordersetl.source.trail import PageTrail

__all__ = ["remake_markers", "take_up"]

log = logging.getLogger(__name__)


def take_up(
    context: RunContext, client: OrdersClient, requests: Sequence[BatchRequest], *, in_order: bool = True
) -> list[Batch | None]:
    """The interrupted extraction of each of the requests, None where there is none that can be taken up.

    Of the others, those that lack nothing but their marker (which may also have been deleted) are committed if they
    bring anything new, unless an earlier window lacks pages: who continues from the later one would never ask for it.
    The rest is dropped; but none that was committed, as curated holds it or it is staged: what lacks its marker there
    was deleted, and its pages are all that a repair may have. Nor is one whose pages nobody can read now.

    Args:
        context: of the command.
        client: knows how a batch's pages follow one another.
        requests: what is to be fetched now.
        in_order: take up none whose id is older than that of a batch committed since, as its newer pages would count
            as older. Windows that do not overlap need no order.
    """
    taken: list[Batch | None] = [None] * len(requests)
    wanted = {_asked(request): at for at, request in enumerate(requests)}
    sources = {request.source for request in requests}
    newest = max(list_batches(context.lake), default="")
    left = list_unfinished(context.lake)
    held = _find_held(context, left)
    kept = _read_all(context, client, left)
    lacking = [found.request for found in kept.values() if found and not found.complete and found.id not in held]
    for batch, found in reversed(kept.items()):
        at = None if found is None else wanted.get(_asked(found.request))
        is_fresh = found is not None and at is not None and _is_fresh(context, found, requests[at])
        if batch not in held and found and at is not None and is_fresh and not (in_order and found.id <= newest):
            log.info("going on with the interrupted extraction %s after page %d", found.id, len(found.pages))
            unfinished.prune_batch(context.lake, batch, pages=len(found.pages))
            taken[at] = found
            del wanted[_asked(found.request)]
        elif (
            found is not None
            and found.complete
            and found.request.source in sources
            and (batch in held or not any(_is_before(request, found.request) for request in lacking))
        ):
            newest = max(newest, _commit(context, found, is_held=batch in held) or "")
        elif batch not in held:
            if found is not None and found.complete and found.request.source in sources:
                log.warning("dropping %s, to be fetched again: an earlier window lacks pages", found.id)
            unfinished.drop_unfinished(context.lake, batch)
    return taken


def remake_markers(context: RunContext, client: OrdersClient, source: str) -> None:
    """Commit again the batches of a source that lost their marker and that no listing misses, as many have followed.

    They are those that curated holds, and each batch is looked at; one that lacks a page stays as it is.
    """
    lost = sorted(set(look_at_each(context.lake)[1]).difference(list_unfinished(context.lake)))
    for found in _read_all(context, client, lost).values():
        if found is not None and found.complete and found.request.source == source:
            _commit(context, found, is_held=True)


def _commit(context: RunContext, found: Batch, *, is_held: bool) -> str | None:
    log.warning("committing %s: all its pages were there, but not its marker", found.id)
    unfinished.prune_batch(context.lake, found.id, pages=len(found.pages))
    return settle_batch(context, found, is_held=is_held).batch


def _is_before(one: BatchRequest, other: BatchRequest) -> bool:
    """Whether a window of the same origin begins before another one."""
    if not have_one_origin(one, other) or other.since is None:
        return False
    return one.since is None or one.since < other.since


def _find_held(context: RunContext, left: Sequence[str]) -> Collection[str]:
    """Those of the batches that were committed once; all of them where nobody can tell.

    Curated holds them; or they are staged, which none is before it is committed.
    """
    if not left:
        return ()
    try:
        manifest = read_manifest(context.lake)
    except CorruptedError:
        return left
    applied = set(manifest.batches) if manifest else set()
    return {batch for batch in left if batch in applied or read_stage(context.lake, batch) is not None}


def _is_fresh(context: RunContext, found: Batch, request: BatchRequest) -> bool:
    """Whether its extraction began not too long before this one, nor after it, by a clock that was ahead."""
    return abs(request.began_at - found.request.began_at) <= context.settings.resume_within


def _asked(request: BatchRequest) -> Hashable:
    """All of a request but when it began and what its files were called."""
    contents = tuple(sorted((kind, entry.sha256) for kind, entry in request.references.items()))
    window = (request.since, request.until, request.continues, request.part_of)
    described = (request.description, tuple(sorted(request.selection.items())))
    return request.source, request.url, window, request.page_size, contents, described


def _read_all(context: RunContext, client: OrdersClient, batches: Sequence[str]) -> dict[str, Batch | None]:
    """What is there of each batch, as :func:`_read_pages` has it, but of those that it cannot read."""
    kept, describe = dict[str, Batch | None](), cache(partial(_describe, context, client))
    for batch in batches:
        try:
            kept[batch] = _read_pages(context, describe, batch)
        except CorruptedError as error:
            log.warning("%s has no marker, and stays as it is: %s", context.lake.locate(RAW) / batch, error.message)
    return kept


def _read_pages(context: RunContext, describe: Callable[[str | None], OrdersClient], batch: str) -> Batch | None:
    """The pages that were kept, up to the first that is missing, unreadable or no page that may follow.

    None where nobody knows what was asked. One that is not UTF-8 is fetched again: nothing says in which charset it
    came.

    Raises:
        CorruptedError: the description by which they were fetched, which alone says what is in them, is not there.
    """
    request = raw.read_request(context.lake, batch)
    if request is None:
        return None
    reader = describe(request.description)
    if request.shown_until is None:  # as in batches of before 0.3
        youngest = find_youngest(reader.session.description.window, request.began_at)
        request = msgspec.structs.replace(request, shown_until=youngest)
    trail = reader.begin_trail(request)
    found = Batch(batch, request, trail)
    if not isinstance(trail, PageTrail):
        return _read_described(context, reader, found) or found
    while not found.complete:
        number = len(found.pages) + 1
        body = unfinished.read_unfinished_page(context.lake, batch, number)
        if body is None:
            break
        try:
            page = Page(number, body, find_charset(body, ""), max_records(request))
            trail.admit(page.head)
        except SourceError:
            break
        newest = find_newest(page, request.began_at)
        found.pages.append(PageEntry(page_name(number), _hash(body), len(body), page.head.records, newest))
        found.complete = page.head.next_cursor is None
    found.resumed = len(found.pages)
    return found


def _describe(context: RunContext, client: OrdersClient, description: str | None) -> OrdersClient:
    """What reads pages that were fetched by a description: today's may be another version of it."""
    return client if description is None else client.describe_as(read_kept(context.lake, description))


def _read_described(context: RunContext, client: OrdersClient, found: Batch) -> Batch | None:
    """The pages of a described source that were kept with where they go on; None where that is not known."""
    kept = unfinished.read_position(context.lake, found.id)
    trail = None if kept is None else client.resume_trail(found.request, kept[1], now=context.now())
    if kept is None or trail is None:
        return None
    pages = []
    for number in range(1, kept[0] + 1):
        body = unfinished.read_unfinished_page(context.lake, found.id, number)
        calls = unfinished.read_unfinished_calls(context.lake, found.id, number)
        if body is None:
            return None
        try:
            charset = find_charset(body, "")
            page = Page(number, body, charset, max_records(found.request), client.session.shape, calls)
            records, newest = page.head.records, find_newest(page, found.request.began_at)
        except SourceError:
            return None
        if not client.is_complete(page):  # the power went: of two names in a folder the later one may survive
            return None
        trail.replay(page)
        answered = None if calls is None else CallsEntry(calls_name(number), _hash(calls), len(calls))
        pages.append(PageEntry(page_name(number), _hash(body), len(body), records, newest, charset, answered))
    return Batch(found.id, found.request, trail, pages, len(pages), trail.position.is_done)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
