"""Requests in their turn, tried again with exponential backoff, with what shows who asks renewed where it expired."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from ordersetl.errors import SourceError
from ordersetl.settings import Settings
from ordersetl.source.answer import Secrets
from ordersetl.source.ask import Answer, Ask, Authorization, RefusedError, TryAgainError
from ordersetl.source.attempt import Attempts
from ordersetl.source.pace import Pace, read_rate_limit

__all__ = ["Asker", "Login"]

log = logging.getLogger(__name__)

_Read = TypeVar("_Read")
_HINT_UNREACHED = "Look at --api-url, and at the network."
_HINT_LATER = "Nothing was lost: run the same command later, and it goes on at the page where it stopped."


class Login(Protocol):
    """Shows who asks; shared by all that ask."""

    def authorize(self, asker: "Asker") -> Authorization:
        """What shows it now; it may have to be asked for."""

    def renew(self, status: int | None, used: Authorization) -> bool:
        """Whether a refusal with this status may mean that what was used has expired: another one is worth a try."""


class Asker:
    """Asks one API, with one connection.

    Args:
        http: an open client; tests give one with a transport of their own.
        settings: retries, time and size limits.
        login: shows who asks; None for nobody.
        secrets: what no message may show.
        pace: of requests, shared by all who ask this API.
        sleep: how to wait, in seconds; tests give one that does not.
        now: clock for a Retry-After that is a date.
        clock: seconds that only go forward, for the time an answer may take.
        read_wait: seconds to wait that headers of a refusal name in the API's own way.

    Attributes:
        retries: Attempts after the first, over all answers.
    """

    def __init__(
        self,
        http: httpx.Client,
        settings: Settings,
        *,
        login: Login | None,
        secrets: Secrets,
        pace: Pace,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        read_wait: Callable[[Mapping[str, str]], float | None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._login = login
        self._attempts = Attempts(http, settings, secrets, now=now, clock=clock, read_wait=read_wait)
        self._pace = pace
        self._sleep = sleep
        self._now = now
        self._backoff = wait_exponential(multiplier=0.5, max=30) + wait_random(0, 0.5)
        self._retrying = Retrying(
            retry=retry_if_exception_type(TryAgainError),
            wait=self._pause,
            stop=self._is_over,
            before_sleep=self._note_retry,
            sleep=sleep,
            reraise=True,
        )
        self.retries = 0

    def ask(self, ask: Ask, read: Callable[[Answer], _Read]) -> _Read:
        """What is read of the answer, which is asked for again where that fails in a way that may pass.

        Raises:
            SourceError: the API refused, or kept failing; or what ``read`` raises.
        """
        try:
            return self.ask_once(ask, read)  # most succeed at once: to prepare for others takes a tenth of a request
        except TryAgainError as error:
            failed = error
        return self._retry(ask, read, failed, self._retrying)

    def ask_again(self, ask: Ask, read: Callable[[Answer], _Read], failed: TryAgainError) -> _Read:
        """As :func:`ask`, where the first attempt was one by :func:`ask_now`, which counts, and perhaps a while ago.

        What its answer asked to wait all wait already: of that it waits for what is left, so that many who ran into
        one limit wait for it once.

        Raises:
            SourceError: as there.
        """

        def pause(state: RetryCallState) -> float:
            asked = failed.wait_s
            if state.attempt_number > 1 or not asked or asked > self._settings.retry_total_s:
                return self._pause(state)
            return min(asked, self._pace.left())

        return self._retry(ask, read, failed, self._retrying.copy(wait=pause))

    def _retry(self, ask: Ask, read: Callable[[Answer], _Read], failed: TryAgainError, retrying: Retrying) -> _Read:
        """All attempts after the first, which failed."""
        first = [failed]

        def try_again() -> _Read:
            if first:
                raise first.pop()
            return self.ask_once(ask, read)

        try:
            read_answer: _Read = retrying(try_again)
        except TryAgainError as error:
            raise _give_up(ask, error, retrying.statistics["attempt_number"]) from error
        return read_answer

    def ask_apart(self, ask: Ask, read: Callable[[Answer], _Read]) -> _Read:
        """As :func:`ask`, of another origin perhaps: without what shows who asks, and out of turn.

        Raises:
            SourceError: it refused, or kept failing; or what ``read`` raises.
        """
        try:
            read_answer: _Read = self._retrying.copy()(lambda: read(self._attempts.send(ask)))
        except TryAgainError as error:
            raise SourceError(f"{ask.shown} failed: {error}", hint=_HINT_LATER) from error
        return read_answer

    def ask_once(self, ask: Ask, read: Callable[[Answer], _Read]) -> _Read:
        """One attempt, in its turn; what the API says of its limits slows all who ask it.

        Raises:
            TryAgainError: what failed may pass.
            SourceError: it will not.
        """
        self.await_turn()
        return self.ask_now(ask, read)

    def await_turn(self) -> None:
        """Wait until it is time to ask."""
        if (wait_s := self._pace.take_turn()) > 0:
            self._sleep(wait_s)

    def ask_now(self, ask: Ask, read: Callable[[Answer], _Read]) -> _Read:
        """As :func:`ask_once`, by one whose turn it is."""
        try:
            answer = self._send(ask)
            if (wait := read_rate_limit(answer.headers, self._now())) is not None:
                self._pace.hold(min(wait, self._settings.retry_total_s))
            return read(answer)
        except TryAgainError as error:
            if error.wait_s is not None and error.wait_s <= self._settings.retry_total_s:  # else the command ends
                self._pace.hold(error.wait_s)  # for the others: this one waits before it tries again
            raise

    def _send(self, ask: Ask) -> Answer:
        """The answer; asked for a second time where what shows who asks had expired."""
        if self._login is None:
            return self._attempts.send(ask)
        used = self._login.authorize(self)
        try:
            return self._attempts.send(replace(ask, authorization=used))
        except (RefusedError, TryAgainError) as error:
            if not self._login.renew(error.status, used):
                raise
        return self._attempts.send(replace(ask, authorization=self._login.authorize(self)))

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: the backoff, or what the server asked for where that is longer."""
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.wait_s if isinstance(failure, TryAgainError) else None
        return max(self._backoff(state), asked or 0.0)

    def _is_over(self, state: RetryCallState) -> bool:
        return (
            state.attempt_number > self._settings.max_retries
            or state.idle_for + state.upcoming_sleep > self._settings.retry_total_s
        )

    def _note_retry(self, state: RetryCallState) -> None:
        self.retries += 1
        failure = state.outcome.exception() if state.outcome else None
        log.info("%s; trying again in %.1f s (attempt %d)", failure, state.upcoming_sleep, state.attempt_number + 1)


def _give_up(ask: Ask, error: TryAgainError, attempts: int) -> SourceError:
    failed = "failed" if attempts == 1 else f"failed {attempts} times, the last time"
    asked = "" if error.wait_s is None else f"; it asked to wait {error.wait_s:.0f} s"
    hint = f"{_HINT_UNREACHED} {_HINT_LATER}" if str(error).startswith("ConnectError") else _HINT_LATER
    return SourceError(f"{ask.shown} {failed}: {error}{asked}", hint=hint)
