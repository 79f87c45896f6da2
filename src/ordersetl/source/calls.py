"""Requests for what a page's records lack: each order's lines or refunds, several at a time, in the pace of all."""

import json
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple

import msgspec

from ordersetl.errors import InvalidResponseError, SourceError
from ordersetl.source.ask import HINT_GONE, Answer, Ask, TryAgainError
from ordersetl.source.asker import Asker
from ordersetl.source.call_tasks import CallTask, list_tasks
from ordersetl.source.complete import HINT
from ordersetl.source.description.model import Call, Paging
from ordersetl.source.envelope import find_next, note_envelope
from ordersetl.source.head import DECODING
from ordersetl.source.joined import CallAnswer, encode_answers
from ordersetl.source.listing import ListPath
from ordersetl.source.page import Page, page_text
from ordersetl.source.parser import parse_json
from ordersetl.source.proof import Progress, ShiftedError, find_total, prove_end
from ordersetl.source.reading import explain_problem, find_answer_charset, locate_problem
from ordersetl.source.record_keys import hash_texts
from ordersetl.source.session import SourceSession, fill_headers
from ordersetl.source.template import Value, fill_body, fill_params, keep_alone

__all__ = ["CallFetcher"]

log = logging.getLogger(__name__)

_AT_ONCE = 4
_MAX_PAGES = 1000
_MAX_RESTARTS = 3
_MIB = 1 << 20


class _Part(NamedTuple):
    """One answer of a call: its list's size and content, what its envelope says, its headers, the next page.

    ``named`` are hashes of its elements that have an id.
    """

    answer: CallAnswer
    elements: int
    content: int
    named: frozenset[int]
    claims: Mapping[str, Any]
    headers: Mapping[str, str]
    next_cursor: str | None
    bytes: int


class _Search(msgspec.Struct):
    """The pages of one call so far."""

    number: int = 0
    received: int = 0
    page_records: int | None = None
    cursor: str | None = None
    cursors: set[str] = msgspec.field(default_factory=set)
    contents: set[int] = msgspec.field(default_factory=set)
    named: set[int] = msgspec.field(default_factory=set)


class CallFetcher:
    """Makes the calls of a description for the records of its pages.

    Args:
        session: of the source.
        asker: asks one after the other, and again what failed.
        open_asker: opens one more, for calls that are made at the same time; None makes them one after the other.
    """

    def __init__(self, session: SourceSession, asker: Asker, open_asker: Callable[[], Asker] | None = None) -> None:
        self._session = session
        self._asker = asker
        self._open_asker = open_asker
        self._others: SimpleQueue[Asker] | None = None

    def fetch(self, page: Page, group: Mapping[str, Value]) -> bytes | None:
        """What the calls answered for a page's records, as it is kept beside the page; None where none was made.

        Args:
            page: the page.
            group: the values of variables that are lists, of its request.

        Raises:
            SourceError: the API refused, kept failing, or sent too much.
        """
        listed = list_tasks(self._session, page) if page.head.records else ()
        tasks = [task._replace(values={**group, **task.values}) for task in listed]
        if not tasks:
            return None
        answers, size, most = [], 0, self._session.settings.max_response_mb * _MIB
        for parts in self._run(tasks):
            size += sum(part.bytes for part in parts)
            if size > most:
                raise SourceError(
                    f"the calls for one page answered more than {most // _MIB} MiB together",
                    hint="Ask for smaller pages (page_size), or raise max_response_mb.",
                )
            answers += [part.answer for part in parts]
        return encode_answers(answers)

    def is_needed(self, page: Page) -> bool:
        """Whether any of a page's records needs a call."""
        return bool(page.head.records) and next(list_tasks(self._session, page), None) is not None

    def _run(self, tasks: list[CallTask]) -> Iterator[list[_Part]]:
        """The answers of each task, in their order: first ones at the same time, all that follows one by one."""
        if self._open_asker is None or len(tasks) == 1:
            for task in tasks:
                yield self._finish(task, None)
            return
        if self._others is None:
            self._others = SimpleQueue()
            for _ in range(_AT_ONCE):
                self._others.put(self._open_asker())
        waiting: deque[tuple[CallTask, Future[_Part]]] = deque()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="call") as pool:
            try:
                for task in tasks:
                    while len(waiting) >= 2 * _AT_ONCE or any(_has_failed(first) for _, first in waiting):
                        yield self._finish(*waiting.popleft())
                    self._asker.await_turn()
                    waiting.append((task, pool.submit(self._begin, self._others, task)))
                while waiting:
                    yield self._finish(*waiting.popleft())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, others: "SimpleQueue[Asker]", task: CallTask) -> _Part:
        """The first answer of a call, by one of those who ask at the same time."""
        asker, search = others.get(), _Search()
        try:
            ask = self._make_ask(task, search)
            return asker.ask_now(ask, partial(self._read, task, search, ask))
        finally:
            others.put(asker)

    def _finish(self, task: CallTask, first: "Future[_Part] | None") -> list[_Part]:
        """All answers of a call, which begins again where its pages shift."""
        for _ in range(_MAX_RESTARTS):
            try:
                return self._follow(task, first)
            except ShiftedError as error:
                log.debug("%s; the call begins again", error)
                first = None
        return self._follow(task, first)

    def _follow(self, task: CallTask, first: "Future[_Part] | None") -> list[_Part]:
        """All answers of a call; the first one is asked for again where it failed in a way that may pass."""
        search, parts = _Search(), list[_Part]()
        while True:
            ask = self._make_ask(task, search)
            read = partial(self._read, task, search, ask)
            try:
                part = first.result() if first is not None else self._asker.ask(ask, read)
            except TryAgainError as error:
                part = self._asker.ask_again(ask, read, error)
            first = None
            parts.append(part)
            if self._is_last(task, search, part, ask):
                return parts

    def _is_last(self, task: CallTask, search: _Search, part: _Part, ask: Ask) -> bool:
        """Whether a call's answer is its last, which is counted in."""
        search.number += 1
        search.received += part.elements
        try:
            last = _prove_last(task.call, search, part)
        except InvalidResponseError as error:
            if search.received == 0 and error.hint == HINT:  # GraphQL says null of an order that is no more
                error.hint = f"{HINT_GONE} If it stays so, look at what the API sends."
            raise locate_problem(error, ask, self._session.secrets) from None
        search.page_records = search.page_records or part.elements
        search.contents.add(part.content)
        search.named |= part.named
        search.cursor = part.next_cursor
        if part.next_cursor is not None:
            search.cursors.add(part.next_cursor)
        return last

    def _read(self, task: CallTask, search: _Search, ask: Ask, answer: Answer) -> _Part:
        try:
            charset = find_answer_charset(answer)
            text = page_text(answer.body, charset)
            found = parse_json(text) if text.strip() else None
            claims = found if isinstance(found, dict) else {}
            note_envelope(self._session, ask, answer, claims, task.call.records)
            elements, content, named = _read_list(task.call, text, found)
            next_cursor = find_next(task.call.paging or _ONE_PAGE, ask, answer, claims)
        except InvalidResponseError as error:
            raise explain_problem(error, ask, answer, self._session.secrets) from None
        kept = CallAnswer.of(task.key, search.number + 1, answer.body, charset)
        return _Part(kept, elements, content, named, claims, answer.headers, next_cursor, len(answer.body))

    def _make_ask(self, task: CallTask, search: _Search) -> Ask:
        call, paging = task.call, task.call.paging or _ONE_PAGE
        values: dict[str, Value] = {**self._session.variables, **task.values}
        if paging.page_size is not None:
            values["page_size"] = paging.page_size
        values["page"] = paging.begins_at + search.number
        values["offset"] = paging.begins_at + search.received
        if search.cursor is not None:
            values["cursor"] = search.cursor
        params, body = call.params, call.body
        if "cursor" in values and paging.cursor_alone:
            params, body = keep_alone(params), keep_alone(body)
        headers, content = fill_headers(self._session, values), None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(fill_body(body, values)).encode()
        ask = Ask(
            self._session.make_url(call.path, values),
            fill_params(params, values),
            call.method,
            headers,
            content,
            path=call.path,
            may_be_empty=True,
            is_call=True,
        )
        return replace(ask, url=search.cursor, params={}) if paging.kind in _BY_URL and search.cursor else ask


class _Named(msgspec.Struct):
    id: Any = None


_named = msgspec.json.Decoder(_Named)
_BY_URL = {"link", "next_url"}
_NUMBERED = {"page", "offset"}
_ONE_PAGE = Paging(kind="none")


def _has_failed(first: "Future[_Part]") -> bool:
    return first.done() and first.exception() is not None


def _prove_last(call: Call, search: _Search, part: _Part) -> bool:
    if search.number == 1 and not part.bytes:  # HTTP 204: nothing, and no word of more
        return True
    paging = call.paging or _ONE_PAGE
    total = find_total(paging, part.claims, part.headers)
    progress = Progress(search.number, search.received, part.elements, search.page_records, total, part.next_cursor)
    size = paging.page_size
    last = prove_end(paging, part.claims, part.headers, progress, records=call.records, is_call=True, page_size=size)
    if last and total is not None and search.received < total:
        raise InvalidResponseError(f"its pages ended after {search.received:,} of {total:,}", hint=HINT)
    if part.elements and part.content in search.contents:
        raise InvalidResponseError("its pages repeat: the same elements came for the second time", hint=HINT)
    if paging.kind in _NUMBERED and not part.named.isdisjoint(search.named):
        raise ShiftedError("an element came twice: its pages shifted while they were read", hint=HINT)
    is_stuck = part.next_cursor is not None and part.next_cursor in search.cursors
    is_stuck |= paging.kind in _NUMBERED and not part.elements
    if not last and (is_stuck or search.number >= _MAX_PAGES):
        raise InvalidResponseError("its pages do not end", hint=HINT)
    return last


def _read_list(call: Call, text: bytes, answer: object) -> tuple[int, int, frozenset[int]]:
    """How many elements the list of an answer has, a hash of them, and one of each that has an id.

    Raises:
        InvalidResponseError: there is no list, which is not the same as an empty one.
    """
    records = ListPath(call.records)
    if not records.is_named(answer, may_be_absent=call.may_be_absent):
        raise InvalidResponseError(f"there is no list at {call.records.text}", hint="Look at what the API sends.")
    try:
        elements = records.read(text)
    except DECODING:
        return len(records.parse(text)), hash(text), frozenset()
    named = frozenset(hash(found) for found in map(bytes, elements) if b'"id"' in found and _has_id(found))
    return len(elements), hash_texts(elements), named


def _has_id(element: bytes) -> bool:
    """Whether it is an object with an id of its own."""
    try:
        return _named.decode(element).id is not None
    except DECODING:
        return False
