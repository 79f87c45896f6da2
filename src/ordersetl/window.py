"""A window on time: what of it is fetched, and what of an answer counts."""

from datetime import datetime, timedelta

import msgspec

__all__ = ["MAX_AHEAD", "Backfill", "Window"]

MAX_AHEAD = timedelta(days=1)
"""What a time of the source may be ahead of ours: two clocks differ, but not by more."""


class Window(msgspec.Struct, frozen=True):
    """A window on an order's ``updated_at`` (``created_at`` where it has none): since inclusive, until exclusive.

    Times are aware; None is open. To be fetched, a window without ``since`` begins where the batches so far end, or
    with ``full`` at the beginning. Of an answer, what lies outside is dropped. ``began_at`` is when the extraction
    began: a version that claims to be more than a day newer counts as of that time; None caps nothing.
    """

    since: datetime | None = None
    until: datetime | None = None
    full: bool = False
    began_at: datetime | None = None

    def holds(self, time: datetime) -> bool:
        """Whether the time, aware, lies inside."""
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)

    @property
    def latest(self) -> datetime | None:
        """The latest time that a version may claim, aware; None where it may claim any."""
        return None if self.began_at is None else self.began_at + MAX_AHEAD

    def cap(self, time: datetime) -> datetime:
        """The time as which a version's own counts: the extraction's beginning where it lies in the future."""
        return time if self.began_at is None or time <= self.began_at + MAX_AHEAD else self.began_at


class Backfill(msgspec.Struct, frozen=True):
    """A window is cut into shorter ones of this span, and so many are fetched at a time, each as its own batch."""

    span: timedelta
    concurrency: int = 4
