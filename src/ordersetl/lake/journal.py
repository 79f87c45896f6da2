"""What the writing commands last did, for ``status`` and the checks that ask how new the data is.

Nothing is decided by it, and nothing is lost with it: raw alone is state. So it is not synced, and one that is missing
or damaged is as good as none.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import msgspec

from ordersetl.errors import CorruptedError, OrdersetlError
from ordersetl.lake.checksum import decode_record, encode_record
from ordersetl.lake.layout import RUNS, Lake
from ordersetl.lake.manifest import Manifest, read_manifest
from ordersetl.lake.runs import describe_error
from ordersetl.unforeseen import is_failure

__all__ = [
    "JOURNAL",
    "Failure",
    "Journal",
    "JournalKeeper",
    "UnderWay",
    "describe_death",
    "keep_journal",
    "read_journal",
]

JOURNAL = f"{RUNS}/_journal"
_MAX_BYTES = 1 << 20


class UnderWay(msgspec.Struct, frozen=True):
    """A command that did not end yet, or died: which process it is, and the stage that it was last in."""

    command: str
    pid: int
    host: str
    since: datetime
    stage: str
    stage_since: datetime


class Failure(msgspec.Struct, frozen=True):
    """How the last command failed, with nothing of its kind having ended well since."""

    command: str
    stage: str
    at: datetime
    code: str
    message: str


class Journal(msgspec.Struct, frozen=True):
    """Times are aware UTC.

    ``succeeded`` says when each stage last ended well. ``asked`` is up to when the source was last asked, by this
    machine's clock; ``loaded`` likewise, of what was then in curated, of whose batches ``loaded_batch`` was the newest.
    ``quiet`` counts the extractions since the newest batch that brought nothing new.
    """

    under_way: UnderWay | None = None
    failure: Failure | None = None
    succeeded: dict[str, datetime] = {}
    asked: datetime | None = None
    loaded: datetime | None = None
    loaded_batch: str = ""
    quiet: int = 0


def read_journal(lake: Lake) -> Journal:
    """What was noted last; an empty journal where nothing was, or nobody can tell."""
    try:
        return decode_record(lake.storage.read(JOURNAL, _MAX_BYTES), Journal)
    except (OSError, CorruptedError):
        return Journal()


def describe_death(noted: UnderWay) -> Failure:
    """How a command failed that is noted as under way, and is not."""
    where = f"the process {noted.pid} on {noted.host} ended without a word"
    return Failure(noted.command, noted.stage, noted.stage_since, "died", where)


class JournalKeeper:
    """Notes what one command does, stage by stage."""

    def __init__(self, lake: Lake, command: str, now: Callable[[], datetime]) -> None:
        self._lake = lake
        self._command = command
        self._now = now
        self._since = now()
        self._stage = ""
        self._journal = read_journal(lake)
        if (died := self._journal.under_way) is not None:  # it can no longer hold the lock
            self._change(under_way=None, failure=describe_death(died))

    def begin(self, stage: str) -> None:
        """Note that a stage begins; the one before it has ended well."""
        self._close_stage()
        self._stage = stage
        place = UnderWay(self._command, os.getpid(), socket.gethostname(), self._since, stage, self._now())
        self._put(under_way=place)

    def note_asked(self, asked: datetime | None, *, is_news: bool) -> None:
        """Note up to when the source was asked (None: nothing new), and whether that left a batch.

        What lies after now does not count, nor where it was noted before: a clock that was ahead wrote that.
        """
        now = self._now()
        times = [time for time in (asked, self._journal.asked) if time is not None and time <= now]
        self._change(asked=max(times, default=None), quiet=0 if is_news else self._journal.quiet + 1)

    def end(self) -> None:
        """Note that all has ended well."""
        self._close_stage()
        failed = self._journal.failure
        is_over = failed is None or self._command in {"run", failed.command}
        self._put(under_way=None, failure=None if is_over else failed)

    def fail(self, error: BaseException) -> None:
        """Note that it failed."""
        told = describe_error(error)
        failure = Failure(self._command, self._stage, self._now(), told["code"], told["message"])
        self._put(under_way=None, failure=failure)

    def _close_stage(self) -> None:
        if self._stage:
            self._change(succeeded=self._journal.succeeded | {self._stage: self._now()})
        if self._stage == "load":
            manifest = read_manifest(self._lake) or Manifest()
            self._change(loaded=self._journal.asked, loaded_batch=max(manifest.batches, default=""))

    def _change(self, **members: object) -> None:
        self._journal = msgspec.structs.replace(self._journal, **members)

    def _put(self, **members: object) -> None:
        self._change(**members)
        self._lake.storage.put(JOURNAL, encode_record(self._journal), durability="none")


@contextmanager
def keep_journal(lake: Lake, command: str, now: Callable[[], datetime]) -> Iterator[JournalKeeper]:
    """Note what the command in the block does, and how it ends."""
    keeper = JournalKeeper(lake, command, now)
    try:
        yield keeper
    except BaseException as error:
        if is_failure(error):
            with suppress(OrdersetlError):  # the error itself matters more than its note
                keeper.fail(error)
        raise
    keeper.end()
