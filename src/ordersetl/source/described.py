"""Pages of a described source: each slice of the window asked for page by page, to its proven end."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ordersetl.errors import InvalidResponseError
from ordersetl.lake.raw import BatchRequest
from ordersetl.source.ask import Answer, Ask, CursorRefusedError
from ordersetl.source.asker import Asker
from ordersetl.source.calls import CallFetcher
from ordersetl.source.description.kinds import EPOCHS
from ordersetl.source.envelope import find_next, note_envelope
from ordersetl.source.page import Page
from ordersetl.source.parser import parse_json
from ordersetl.source.proof import ShiftedError
from ordersetl.source.reading import explain_problem, locate_problem, open_page
from ordersetl.source.session import SourceSession, fill_headers
from ordersetl.source.slices import Slice, plan_slices, write_bounds
from ordersetl.source.template import Value, fill_body, fill_params, fill_text, keep_alone
from ordersetl.source.trail import RepeatedError
from ordersetl.source.traversal import Traversal

__all__ = ["DescribedPages"]

log = logging.getLogger(__name__)


class DescribedPages:
    """Fetches pages as a description says.

    Args:
        session: of the source.
        asker: asks it.
        calls: fetch what is elsewhere.
        now: clock of this machine.
    """

    def __init__(
        self, session: SourceSession, asker: Asker, calls: CallFetcher, *, now: Callable[[], datetime]
    ) -> None:
        self._session = session
        self._description = session.description
        self._asker = asker
        self._calls = calls
        self._now = now

    def pages(self, request: BatchRequest, traversal: Traversal, max_records: int) -> Iterator[Page]:
        """Pages after those that the traversal knows, to the end of the last slice.

        A slice whose pages shift, or whose cursor is refused, begins again; its pages so far are kept.

        Raises:
            SourceError: the API refused, kept failing, or cannot be fetched completely.
        """
        self._session.make_ready(self._asker, request.since)
        self._plan(request, traversal)
        while not traversal.position.is_done:
            group = traversal.position.slices[0].group
            try:
                page = self._fetch(request, traversal, max_records)
            except (ShiftedError, RepeatedError, CursorRefusedError) as error:
                traversal.restart(error)
                log.warning("%s; the window begins again", error)
                continue
            if page is not None:
                yield page.with_calls(self._calls.fetch(page, group), traversal.encode(self._now()))

    def _plan(self, request: BatchRequest, traversal: Traversal) -> None:
        position, window = traversal.position, self._description.window
        if not position.is_planned:
            groups, numbered = self._session.groups, self._description.paging.kind in {"page", "offset"}
            bounds = (request.since, request.until, request.began_at)
            position.slices = plan_slices(window, *bounds, groups, numbered=numbered)
            position.is_planned = True

    def _fetch(self, request: BatchRequest, traversal: Traversal, max_records: int) -> Page | None:
        """The next page; None where the slice was halved in its place."""
        position = traversal.position
        ask = self._make_ask(request, traversal)

        def read(answer: Answer) -> tuple[Page, str | None, Mapping[str, str]]:
            try:
                page = open_page(answer, position.pages + 1, max_records, self._session.shape)
                claims = self._read_claims(page, ask, answer)
                return page, find_next(self._description.paging, ask, answer, claims), answer.headers
            except InvalidResponseError as error:
                raise explain_problem(error, ask, answer, self._session.secrets) from None

        page, next_cursor, headers = self._asker.ask(ask, read)
        try:
            if traversal.must_look_back:
                again = self._make_ask(request, traversal, back=True)
                traversal.look_back(self._asker.ask(again, read)[0])
            is_kept = traversal.admit(page, headers, next_cursor)
        except InvalidResponseError as error:
            raise locate_problem(error, ask, self._session.secrets) from None
        return page if is_kept else None

    def _read_claims(self, page: Page, ask: Ask, answer: Answer) -> Mapping[str, Any]:
        """The page's envelope; an error in it counts before that there are no records."""
        records = self._description.records
        try:
            claims = page.head.claims
        except InvalidResponseError:
            envelope = parse_json(page.text)
            note_envelope(self._session, ask, answer, envelope if isinstance(envelope, dict) else {}, records)
            raise
        note_envelope(self._session, ask, answer, claims, records)
        return claims

    def _make_ask(self, request: BatchRequest, traversal: Traversal, *, back: bool = False) -> Ask:
        """The request for the next page, or ``back`` for the one before it."""
        how, position = self._description.request, traversal.position
        values = self._values(request, traversal, back=back)
        cursor, kind = position.cursor, self._description.paging.kind
        named, body = how.params, how.body
        if cursor is not None and self._description.paging.cursor_alone:
            named, body = keep_alone(named), keep_alone(body)
        params = fill_params(named, values)
        headers = fill_headers(self._session, values)
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(fill_body(body, values)).encode()
        url = self._session.make_url(how.path, values)
        if cursor is not None and kind in {"link", "next_url"}:
            url, params = cursor, {}
        return Ask(
            url,
            params,
            how.method,
            headers,
            content,
            path=how.path,
            with_cursor=cursor is not None,
            may_be_empty=True,
            ends_ahead=self._ends_ahead(request, position.slices[0]),
        )

    def _ends_ahead(self, request: BatchRequest, part: Slice) -> bool:
        """Whether a window that is open is asked for with an end, which has not passed yet."""
        if request.until is not None or part.until is None or part.until < request.began_at:
            return False
        return self._description.window is not None and self._description.window.min_age is None

    def _values(self, request: BatchRequest, traversal: Traversal, *, back: bool) -> dict[str, Value]:
        description, position = self._description, traversal.position
        part: Slice = position.slices[0]
        values: dict[str, Value] = {**self._session.variables, **part.group}
        values["page_size"] = min(request.page_size, description.request.max_page_size)
        window = description.window
        bounds = write_bounds(window, part, fill_text(window.zone, values) if window is not None else None)
        is_epoch = window is not None and window.format in EPOCHS  # a number, where it is all of a body's member
        values.update({name: int(time) if is_epoch else time for name, time in bounds.items()})
        if position.cursor is not None:
            values["cursor"] = position.cursor
        values["page"] = description.paging.begins_at + position.number - back
        values["offset"] = traversal.last_offset if back else traversal.offset
        return values
