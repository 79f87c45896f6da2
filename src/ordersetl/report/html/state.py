"""What the page says of the raw log: how fresh it is, which time it covers, what waits."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import msgspec

from ordersetl.errors import CorruptedError
from ordersetl.lake.journal import read_journal
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import list_batches
from ordersetl.lake.manifest import Manifest, read_manifest
from ordersetl.lake.raw import BatchMarker, Interval, read_marker

__all__ = ["RawState", "read_state"]


class RawState(msgspec.Struct, frozen=True):
    """The raw log by its newest batch: ``covered`` by it and the earlier ones of its origin, oldest first.

    ``newest`` and what comes of it are None where there is no batch, or its marker is damaged: ``problem`` says that.
    ``waiting`` counts the batches that the curated layer is not yet the fold of. ``asked`` is up to when the source was
    last asked, by this machine's clock, None where nobody noted it.
    """

    batches: int
    waiting: int
    newest: BatchMarker | None
    timezone: str
    problem: str = ""
    asked: datetime | None = None

    @property
    def covered(self) -> Sequence[Interval]:
        """Intervals of the source's time; of a batch of before 0.2 its own alone."""
        if self.newest is None:
            return ()
        if self.newest.covered or self.newest.window_end is None:
            return self.newest.covered
        return ((self.newest.since, self.newest.window_end),)

    @property
    def gaps(self) -> list[tuple[datetime, datetime]]:
        """What was never fetched between intervals that were."""
        return [(end, since) for (_, end), (since, _) in pairwise(self.covered) if since is not None]


def read_state(lake: Lake, now: datetime | None = None) -> RawState:
    """The state of the raw log as it is now; it never fails over what is damaged, which is for the checks to say.

    What was noted for after ``now`` a clock wrote that was ahead; None believes all.

    Raises:
        StorageError: the disk refused.
    """
    batches = list_batches(lake)
    manifest, problem = None, ""
    try:
        manifest = read_manifest(lake)
    except CorruptedError as error:
        problem = error.message
    manifest = manifest or Manifest()
    newest = None
    try:
        newest = read_marker(lake, batches[-1]) if batches else None
    except CorruptedError as error:
        problem = error.message
    waiting = len(set(batches) - set(manifest.batches))
    asked = read_journal(lake).asked
    if asked is not None and now is not None and asked > now:
        asked = None
    return RawState(len(batches), waiting, newest, manifest.settings.timezone, problem, asked)
