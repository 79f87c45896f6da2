"""Pages as batches keep them: read as they were when they came."""

from typing import TYPE_CHECKING

from ordersetl.errors import CorruptedError, InvalidResponseError
from ordersetl.lake import raw
from ordersetl.lake.in_force import InForce
from ordersetl.lake.layout import RAW, Lake
from ordersetl.lake.raw import BatchRequest, PageEntry
from ordersetl.source.page import Page

if TYPE_CHECKING:
    from datetime import datetime

    from ordersetl.source.description.model import Description
    from ordersetl.source.shape import PageShape

__all__ = ["describe_request", "read_kept_page"]


def describe_request(lake: Lake, request: BatchRequest, in_force: InForce) -> "Description | None":
    """How the pages of a batch are read and mapped; None where their records are orders as they are.

    Raises:
        CorruptedError: a description that is needed is not what was kept.
    """
    if not in_force.mapping or in_force.description is None or request.description is None:
        return None
    from ordersetl.source.description.kept import describe_batch  # noqa: PLC0415 - the generic API does without

    return describe_batch(lake, request.description, in_force.description)


def read_kept_page(
    lake: Lake,
    batch: str,
    number: int,
    entry: PageEntry,
    *,
    since: "datetime | None",
    description: "Description | None" = None,
) -> Page:
    """The ``number``-th page of a batch, from 1, with the answers of its calls.

    Args:
        lake: the output.
        batch: its id.
        number: of the page.
        entry: what the batch's marker says of it.
        since: of the batch, for the hint how to fetch it again.
        description: how it is read, as :func:`describe_request` has it.

    Raises:
        CorruptedError: it is missing or not what was received.
    """
    body = raw.read_page_body(lake, batch, entry, since=since)
    calls = raw.read_page_calls(lake, batch, entry, since=since)
    try:
        return Page(number, body, entry.charset, shape=_find_shape(description), calls=calls)
    except InvalidResponseError as error:  # it was read so when it came
        raise CorruptedError(
            f"the marker of the raw batch {batch} is damaged: {entry.name}: {error.message}",
            hint=f"Restore {lake.locate(RAW) / batch} from a backup, or move it away and fetch its window again.",
        ) from error


def _find_shape(description: "Description | None") -> "PageShape | None":
    if description is None:
        return None
    from ordersetl.source.shape import shape_of  # noqa: PLC0415 - likewise

    return shape_of(description)
