"""Records of described sources validated in bulk and one by one, which must give the same."""

from native_orders import write_page

from ordersetl.source.description.loading import load_builtin
from ordersetl.source.description.model import Description
from ordersetl.source.page import Page
from ordersetl.source.shape import PageShape
from ordersetl.star.lines import merge_lines, merge_refunds
from ordersetl.transform.validate import Validated, validate_pages
from ordersetl.window import Window

__all__ = ["assert_paths_agree", "describe"]

NO_WINDOW = Window()


def describe(source: str) -> Description:
    """A built-in source."""
    return load_builtin(source).description


def validate(source: str, records: list[str], window: Window = NO_WINDOW, *, bulk: bool) -> Validated:
    description = describe(source)
    page = Page(1, write_page(source, records), shape=PageShape(description))
    return validate_pages([page], window, mapping=description.mapping, bulk=bulk)


def assert_paths_agree(source: str, records: list[str], window: Window = NO_WINDOW) -> Validated:
    """What both ways make of records of a source; their JSON."""
    fast, slow = (validate(source, records, window, bulk=bulk) for bulk in (True, False))
    assert fast.counts == slow.counts
    assert fast.counts.reconciles
    assert fast.orders.sort("pos").rows() == slow.orders.sort("pos").rows()
    assert sorted(fast.items.rows(), key=repr) == sorted(slow.items.rows(), key=repr)
    lines = []
    for found in (fast, slow):
        refunds = merge_refunds(found.orders, found.refunds)
        lines.append((refunds.rows(), merge_lines(found.orders, found.items, refunds).rows()))
    assert lines[0] == lines[1]
    rejects = [[reject.to_json("b") for reject in found.rejects] for found in (fast, slow)]
    assert rejects[0] == rejects[1]
    seen = [{path: count for path, count in found.seen.items() if count.of} for found in (fast, slow)]
    assert seen[0] == seen[1]
    return fast
