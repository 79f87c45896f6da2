"""Pages as batches keep them: read as they were when they came."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ordersetl.errors import CorruptedError, InvalidResponseError
from ordersetl.lake import raw
from ordersetl.lake.in_force import InForce
from ordersetl.lake.layout import RAW, Lake
from ordersetl.lake.raw import BatchRequest, PageEntry
from ordersetl.source.page import Page, read_records

if TYPE_CHECKING:
    from datetime import datetime

    from ordersetl.source.description.model import Description
    from ordersetl.source.shape import PageShape

__all__ = ["KeptPages", "describe_request"]


def describe_request(lake: Lake, request: BatchRequest, in_force: InForce) -> "Description | None":
    """How the pages of a batch are read and mapped; None where their records are orders as they are.

    Raises:
        CorruptedError: a description that is needed is not what was kept.
    """
    if not in_force.mapping or in_force.description is None or request.description is None:
        return None
    from ordersetl.source.description.kept import describe_batch  # noqa: PLC0415 - the generic API does without

    return describe_batch(lake, request.description, in_force.description)


@dataclass(frozen=True)
class KeptPages:
    """The pages of one batch.

    ``since`` is the batch's, for the hint how to fetch it again; ``description`` says how its pages are read, as
    :func:`describe_request` has it.
    """

    lake: Lake
    batch: str
    since: "datetime | None"
    description: "Description | None" = None

    def read(self, number: int, entry: PageEntry) -> Page:
        """The ``number``-th page, from 1, with the answers of its calls; ``entry`` is what the marker says of it.

        Raises:
            CorruptedError: it is missing or not what was received.
        """
        body = raw.read_page_body(self.lake, self.batch, entry, since=self.since)
        calls = raw.read_page_calls(self.lake, self.batch, entry, since=self.since)
        try:
            return Page(number, body, entry.charset, shape=self._shape, calls=calls)
        except InvalidResponseError as error:  # it was read so when it came
            raise CorruptedError(
                f"the marker of the raw batch {self.batch} is damaged: {entry.name}: {error.message}",
                hint=f"Restore {self.lake.locate(RAW) / self.batch} from a backup, or move it away and fetch its "
                "window again.",
            ) from error

    def read_orders(self, number: int, entry: PageEntry) -> list[Any]:
        """The records of the ``number``-th page as orders, by position; None for those that the mapping skips.

        Raises:
            CorruptedError: as above.
        """
        records = read_records(self.read(number, entry))
        mapping = None if self.description is None else self.description.mapping
        if mapping is None:
            return records
        from ordersetl.source.mapping.record import map_record, name_skipped  # noqa: PLC0415 - likewise

        return [map_record(mapping, record) if name_skipped(mapping, record) is None else None for record in records]

    @cached_property
    def _shape(self) -> "PageShape | None":
        if self.description is None:
            return None
        from ordersetl.source.shape import shape_of  # noqa: PLC0415 - the generic API does without

        return shape_of(self.description)
