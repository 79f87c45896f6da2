"""The batch that is being extracted, staged as its pages come in."""

from typing import Self

from ordersetl.lake.in_force import InForce
from ordersetl.lake.raw import BatchMarker, BatchRequest, PageEntry
from ordersetl.runtime import RunContext
from ordersetl.source.page import Page
from ordersetl.transform.chunks import BatchStaging

__all__ = ["StagingAhead"]


class StagingAhead:
    """Stages the batch that is being extracted, as its pages come in. A context manager: what is not taken is dropped.

    Args:
        context: the run context.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._staging: BatchStaging | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._drop()

    def add(self, batch: str, request: BatchRequest, entry: PageEntry, page: Page | None = None) -> None:
        """Take in the next page of a batch; another one, or a first page again, says that what was there is void."""
        if self._staging is None or self._staging.batch != batch or entry.name == self._staging.pages[0].name:
            self._drop()
            self._staging = BatchStaging(self._context, batch, request, InForce.of(request))
        self._staging.add(entry, page)

    def take(self, source: BatchMarker, in_force: InForce) -> BatchStaging | None:
        """The staging of a batch that is now committed, and mapped by what is in force.

        None where another one was begun, or not page by page.
        """
        staging = self._staging
        if staging is None or (staging.batch, tuple(staging.pages)) != (source.batch, source.pages):
            return None
        if staging.in_force != in_force:
            return None
        taken, self._staging = self._staging, None
        return taken

    def _drop(self) -> None:
        if self._staging is not None:
            self._staging.abandon()
            self._staging = None
