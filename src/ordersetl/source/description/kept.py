"""Descriptions as batches keep them: which one maps which batch."""

import hashlib

import msgspec

from ordersetl.errors import ConfigError, CorruptedError
from ordersetl.lake.kept_files import read_description
from ordersetl.lake.layout import Lake, source_key
from ordersetl.source.description.loading import parse_description
from ordersetl.source.description.model import Description

__all__ = ["describe_batch", "hash_mapping", "read_kept"]

_OF_ANSWERS = {"name", "records", "each", "into", "append", "keep_unanswered"}
"""Keys of a call that say which answers are put where."""


def hash_mapping(description: Description) -> str:
    """Tells what of a description the values of its orders depend on; empty where its records are orders as they are.

    Those are the mapping, and which answers of calls it finds where.
    """
    if description.mapping is None:
        return ""
    parts = {
        "mapping": description.mapping.model_dump(mode="json", exclude_defaults=True),
        "calls": [
            call.model_dump(mode="json", include=_OF_ANSWERS, exclude_defaults=True) for call in description.calls
        ],
    }
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


def read_kept(lake: Lake, sha256: str) -> Description:
    """A description that batches were fetched by.

    Raises:
        CorruptedError: it is not what was kept, or this version of the tool cannot read it.
    """
    where = str(lake.locate(source_key(sha256)))
    try:
        return parse_description(read_description(lake, sha256), where, kept=True)
    except ConfigError as error:
        raise CorruptedError(
            f"this version of ordersetl cannot read the description of the source that is kept with the batches: "
            f"{error.message}",
            hint="Run with a description that it can read, or with the version that kept this one.",
        ) from error


def describe_batch(lake: Lake, own: str, in_force: str) -> Description:
    """How the pages of a batch are read and mapped.

    Args:
        lake: the output.
        own: SHA-256 of the description by which it was fetched. Where the records are in a page is its to say.
        in_force: of the newest batch's, whose mapping, and place of the answers of calls, count for all batches.

    Raises:
        CorruptedError: as :func:`read_kept`.
    """
    newest = read_kept(lake, in_force)
    if own == in_force:
        return newest
    fetched = read_kept(lake, own)
    named = {call.name for call in newest.calls}
    calls = (*newest.calls, *(call for call in fetched.calls if call.name not in named))
    changes = {"records": fetched.records, "bare_list": fetched.bare_list, "calls": calls}
    return newest.model_copy(update=changes)
