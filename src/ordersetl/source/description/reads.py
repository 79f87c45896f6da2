"""Where in a record a mapping looks: what stands elsewhere, such as the answers of a call, nobody sees."""

from collections.abc import Iterator

from ordersetl.source.description.expressions import Expression
from ordersetl.source.description.mapping import Mapping
from ordersetl.source.description.table import Table
from ordersetl.source.paths import Chain, find_chains

__all__ = ["is_read"]


def is_read(mapping: Mapping, path: Chain) -> bool:
    """Whether a mapping looks at what is at a path from the record on, of elements of lists too."""
    return any(
        chain[: len(path)] == path or (whole and path[: len(chain)] == chain) for chain, whole in _find_reads(mapping)
    )


def _find_reads(table: Table, above: Chain = ()) -> Iterator[tuple[Chain, bool]]:
    """Paths from the record on that a table of the mapping looks at, and whether at all that is below them."""
    listed = getattr(table, "list", None)
    if listed is not None and listed.path is None:
        yield from (((*above, *chain), True) for chain in find_chains(listed.tree))
        return
    if listed is not None:
        above = (*above, *listed.path)
        yield above, False
    for name in type(table).model_fields:
        value = getattr(table, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Table):
                yield from _find_reads(part, above)
            elif isinstance(part, Expression) and name != "list":
                yield from (((*above, *chain), True) for chain in find_chains(part.tree))
