"""What all clients of one command share of a source: the pace, the login, its rights, values that it lists itself."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

from ordersetl.errors import InvalidResponseError, SourceError
from ordersetl.settings import Settings
from ordersetl.source.ask import Answer, Ask, DeniedError
from ordersetl.source.asker import Asker
from ordersetl.source.description.loading import load_builtin
from ordersetl.source.description.model import Description, Right
from ordersetl.source.login import SourceLogin
from ordersetl.source.pace import Pace
from ordersetl.source.parser import parse_json
from ordersetl.source.reading import explain_problem
from ordersetl.source.shape import PageShape, shape_of
from ordersetl.source.slices import REACH_MARGIN, group_values
from ordersetl.source.template import Value, fill_params, fill_path, fill_text
from ordersetl.source.throttle import Throttling

__all__ = ["SourceSession", "generic_session"]

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SourceSession:
    """One source, as one command asks it, by one client or several.

    Args:
        description: of the source.
        url: its base, without a slash at the end.
        variables: of the description, as :func:`resolve_variables` has them.
        settings: credentials and limits.
        pace: of requests; None for one of its own.
        now: clock of this machine.
        clock: seconds that only go forward.

    Attributes:
        shape: How its pages are read; None as those of the generic API.
    """

    def __init__(
        self,
        description: Description,
        url: str,
        variables: Mapping[str, str],
        settings: Settings,
        *,
        pace: Pace | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.description = description
        self.url = url
        self.settings = settings
        self.shape: PageShape | None = shape_of(description)
        self.pace = pace or Pace(settings.max_requests_per_second, clock=clock)
        self.throttling = Throttling(description.throttle, self.pace, most_s=settings.retry_total_s)
        self.login = SourceLogin(description, url, variables, settings, clock=clock)
        self.secrets = self.login.secrets
        self._variables = dict(variables)
        self._now = now
        self._lock = threading.Lock()
        self._is_ready = False
        self._told: set[str] = set()
        self._missing: dict[str, Right] = {}

    @property
    def variables(self) -> Mapping[str, Value]:
        """Values by name, those that are lists as lists; complete once it is ready."""
        listed = {name for name, variable in self.description.variables.items() if variable.per_request is not None}
        given = {name: text.split(",") if name in listed else text for name, text in self._variables.items()}
        return {**given, "api_url": self.url}

    @property
    def groups(self) -> list[dict[str, tuple[str, ...]]]:
        """Values that go into one request together; once it is ready."""
        return group_values(self.description, self._variables)

    @property
    def version(self) -> str | None:
        """The version of the API that is asked for."""
        version = self.description.request.version
        return None if version is None else fill_text(version, self.variables)

    def lacks(self, right: str | None) -> bool:
        """Whether the credentials are known not to have a right."""
        return right in self._missing

    def make_url(self, path: str, values: Mapping[str, Value] | None = None) -> str:
        """The URL of a path of the description.

        Raises:
            InvalidResponseError: a value cannot be part of a path.
        """
        filled = fill_path(path, values if values is not None else self.variables)
        if filled is None:
            raise InvalidResponseError(
                f"the path {path} of the source {self.description.name} has no value for a name in it",
                hint="Look at the variables of the source, and at what the API sends.",
            )
        return self.url + filled

    def make_ready(self, asker: Asker, since: datetime | None) -> None:
        """Ask for the values of variables that are not set, and for the rights of the credentials, once.

        Args:
            asker: asks the source.
            since: from when on orders are wanted; None for all.

        Raises:
            SourceError: the API refused, or kept failing.
        """
        with self._lock:
            if self._is_ready:
                return
            self._discover(asker)
            self._find_rights(asker)
            self._warn_of_reach(since)
            self._is_ready = True

    def find_reach(self, began_at: datetime) -> datetime | None:
        """Since when the source shows orders, once it is ready; None where it shows all.

        Args:
            began_at: when the extraction began.
        """
        window = self.description.window
        spans = [part.reaches_back for part in (window, *self._missing.values()) if part is not None]
        shortest = min((span for span in spans if span is not None), default=None)
        return None if shortest is None else began_at - min(shortest, began_at - _EPOCH) + REACH_MARGIN

    def warn_once(self, topic: str, text: str) -> None:
        """Say something for the first time."""
        with self._lock:
            if topic in self._told:
                return
            self._told.add(topic)
        log.warning("%s", text)

    def warn_unencrypted(self) -> None:
        """Say that a secret would travel where everybody on the way can read it."""
        self.login.warn_unencrypted()

    def _discover(self, asker: Asker) -> None:
        for name, variable in self.description.variables.items():
            if name in self._variables or variable.discover is None:
                continue
            values = self._list(asker, variable.discover.path, variable.discover.values.search)
            if not values:
                raise SourceError(
                    f"{self.url}: the API lists no {name}: {variable.description}",
                    hint=f"Set ORDERSETL_VAR_{name.upper()}, or {name} under [variables] in the settings file.",
                )
            if variable.per_request and (odd := next((value for value in values if "," in value), None)):
                raise SourceError(
                    f"{self.url}: the API lists {name} with a comma in one, {odd!r}, where commas part them",
                    hint=f"Set ORDERSETL_VAR_{name.upper()}, or {name} under [variables] in the settings file.",
                )
            log.debug("%s: %s", name, ", ".join(values))
            self._variables[name] = ",".join(values)

    def _find_rights(self, asker: Asker) -> None:
        rights = self.description.rights
        if rights is None:
            return
        try:
            found = self._list(asker, rights.path, rights.names.search)
        except SourceError as error:  # whoever may not ask for the rights may have them
            if isinstance(error, DeniedError) and error.status != HTTPStatus.FORBIDDEN:
                raise
            log.warning("the rights of the credentials cannot be asked for: %s", error.message)
        else:
            self._missing = {right.name: right for right in rights.wanted if right.name not in found}

    def _warn_of_reach(self, since: datetime | None) -> None:
        now, window = self._now(), self.description.window
        for right in self._missing.values():
            if right.reaches_back is None or since is None or since < now - right.reaches_back:
                text = f"the credentials lack the right {right.name}: {right.without.rstrip('.')}."
                later = right.reaches_back and " With the right, ordersetl run --full fetches what is older."
                log.warning("%s%s", text, later or "")
        reach = window.reaches_back if window is not None else None
        if reach is not None and (since is None or since < now - reach):
            log.warning("%s goes back %d days: older orders are not there.", self.description.title, reach.days)

    def _list(self, asker: Asker, path: str, search: Callable[[Any], Any]) -> list[str]:
        def read(answer: Answer) -> list[str]:
            try:
                return _list_names(search(parse_json(answer.body)))
            except InvalidResponseError as error:
                raise explain_problem(error, ask, answer, self.secrets) from None

        headers = fill_headers(self, self.variables)
        ask = Ask(self.make_url(path), headers=headers, path=path)
        return asker.ask(ask, read)


def _list_names(values: object) -> list[str]:
    if not isinstance(values, list):
        raise InvalidResponseError("there is no list of names in it", hint="Look at what the API sends.")
    return [str(value) for value in values if isinstance(value, str | int) and str(value).strip()]


def fill_headers(session: SourceSession, values: Mapping[str, Value]) -> dict[str, str]:
    """Headers of a request to the source, those left out that name another value than these."""
    return fill_params(session.description.request.headers, values)


@cache
def _generic() -> Description:
    return load_builtin("generic").description


def generic_session(url: str, settings: Settings, **given: Any) -> SourceSession:  # noqa: ANN401 - as above
    """A session with the generic API."""
    return SourceSession(_generic(), url, {}, settings, **given)
