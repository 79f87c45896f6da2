"""What is wrong with the raw log, however well a command goes: batches that are lost, or passed over."""

from ordersetl.errors import CorruptedError
from ordersetl.lake.layout import RAW, Lake
from ordersetl.lake.listing import list_batches, list_misnamed
from ordersetl.lake.manifest import read_manifest

__all__ = ["describe_raw"]


def describe_raw(lake: Lake) -> list[str]:
    """A sentence each; none where all is well."""
    warnings = []
    try:
        manifest = read_manifest(lake)
    except CorruptedError:
        manifest = None
    there = set(list_batches(lake)) if manifest else set()
    if manifest and (gone := sorted(set(manifest.batches) - there)):
        warnings.append(
            f"{len(gone):,} of {len(manifest.batches):,} batches that curated holds are no longer in "
            f"{lake.locate(RAW)}, the first is {gone[0]}: what they held cannot be rebuilt. Restore them from a backup."
        )
    warnings += [
        f"{lake.locate(RAW) / name} is passed over: no batch can be of that time. Move it out of raw/."
        for name in list_misnamed(lake)
    ]
    return warnings
