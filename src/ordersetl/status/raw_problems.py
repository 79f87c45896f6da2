"""What is wrong with the raw log, however well a command goes: batches that are lost, or passed over."""

from ordersetl.errors import CorruptedError
from ordersetl.lake.layout import RAW, Lake
from ordersetl.lake.listing import HINT_AT_LOST, MARKER, list_batches, list_misnamed, list_unfinished, look_at_each
from ordersetl.lake.manifest import read_manifest
from ordersetl.text import many

__all__ = ["describe_raw"]


def describe_raw(lake: Lake, *, each: bool = False) -> list[str]:
    """A sentence each; none where all is well. ``each``: old batches are looked at too."""
    warnings = []
    try:
        manifest = read_manifest(lake)
    except CorruptedError:
        manifest = None
    there, left = look_at_each(lake) if each else (list_batches(lake) if manifest else [], None)
    gone = sorted(set(manifest.batches).difference(there)) if manifest else []
    unmarked = sorted(set(gone).intersection(list_unfinished(lake) if left is None else left)) if gone else []
    if manifest and (lost := sorted(set(gone).difference(unmarked))):
        warnings.append(
            f"{lake.locate(RAW)} lacks {len(lost):,} of {many(len(manifest.batches), 'batch', 'batches')} that curated "
            f"holds, from {lost[0]} on: what was in them cannot be rebuilt. Restore what is missing from a backup."
        )
    if unmarked:
        warnings.append(
            f"{lake.locate(RAW)} lacks the {MARKER} of {many(len(unmarked), 'batch', 'batches')} that curated holds, "
            f"from {unmarked[0]} on. {HINT_AT_LOST} Else restore it from a backup."
        )
    warnings += [
        f"{lake.locate(RAW) / name} is passed over: no batch can be of that time. Move it out of raw/."
        for name in list_misnamed(lake)
    ]
    return warnings
