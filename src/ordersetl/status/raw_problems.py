"""What is wrong with the raw log, however well a command goes: batches that are lost, or passed over."""

from ordersetl.errors import CorruptedError
from ordersetl.lake.layout import RAW, Lake
from ordersetl.lake.listing import list_batches, list_misnamed
from ordersetl.lake.manifest import read_manifest
from ordersetl.text import many

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
            f"{lake.locate(RAW)} lacks {len(gone):,} of {many(len(manifest.batches), 'batch', 'batches')} that curated "
            f"holds, from {gone[0]} on: what was in them cannot be rebuilt. Restore what is missing from a backup."
        )
    warnings += [
        f"{lake.locate(RAW) / name} is passed over: no batch can be of that time. Move it out of raw/."
        for name in list_misnamed(lake)
    ]
    return warnings
