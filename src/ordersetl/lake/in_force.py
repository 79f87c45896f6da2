"""Which description of the source is in force: the newest batch's, for all batches of the output."""

from collections.abc import Sequence

import msgspec

from ordersetl.errors import CorruptedError
from ordersetl.lake.layout import Lake
from ordersetl.lake.listing import list_batches
from ordersetl.lake.manifest import read_manifest
from ordersetl.lake.raw import BatchRequest, read_marker

__all__ = ["NOTHING_IN_FORCE", "InForce", "find_in_force"]


class InForce(msgspec.Struct, frozen=True):
    """``description`` is its SHA-256, None where it is not known; ``mapping`` as in a batch's request."""

    description: str | None = None
    mapping: str = ""

    @classmethod
    def of(cls, request: BatchRequest) -> "InForce":
        """What a batch's request says."""
        return cls(request.description, request.mapping)


NOTHING_IN_FORCE = InForce()
"""Of an output without batches, or whose batches hold orders as they are."""


def find_in_force(lake: Lake, batches: Sequence[str] | None = None) -> InForce:
    """What the newest batch says whose marker can be read; where raw has none, what curated was folded by.

    ``batches`` are those to look at, oldest first, instead of all: the manifest's for what curated was folded by.
    """
    for batch in reversed(list_batches(lake) if batches is None else batches):
        try:
            return InForce.of(read_marker(lake, batch).request)
        except CorruptedError:
            continue  # whoever needs that batch says so
    try:
        manifest = read_manifest(lake)
    except CorruptedError:
        manifest = None
    return InForce(None, manifest.settings.mapping) if manifest is not None else NOTHING_IN_FORCE
