"""Names by which envelopes say something of errors, of more pages and of totals, in all their spellings."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

__all__ = ["CLAIM_NAMES", "COUNTS", "ERROR_NAMES", "KINDS", "is_container", "may_be_order", "normalize"]

_ERRORS = (
    *("error", "errors", "error_message", "error_messages", "exception", "fault"),
    *("failures", "partial_failure", "partial_failures"),
)
_SUCCESS = ("success", "ok")
_MESSAGES = ("message", "messages", "msg", "detail", "details", "reason", "error_description", "error_code", "err_msg")
_CODES = ("code", "status", "status_code")
ERROR_NAMES = ("error", "errors", "success")
"""Members by which an answer of any API says that it is an error, or lacks something."""
_MORE = (
    *("has_more", "more", "has_next", "has_next_page", "has_more_pages", "has_more_items", "has_more_results"),
    *("has_more_orders", "has_more_records", "has_more_data", "has_more_page"),
    *("more_pages", "more_results", "more_items", "more_available", "more_pages_available", "more_results_available"),
    *("more_records", "is_truncated", "truncated", "incomplete", "is_incomplete", "incomplete_results", "partial"),
    "is_partial",
)
_LAST = ("last", "is_last", "last_page", "is_last_page", "done", "is_done", "complete", "is_complete", "finished")
_CURSORS = (
    *("next", "next_cursor", "next_page", "next_page_token", "next_token", "next_url", "next_uri", "next_link"),
    *("next_href", "next_page_url", "next_page_link", "next_page_cursor", "next_page_info", "next_offset"),
    *("next_marker", "next_key", "next_records_url", "next_results_url", "next_page_number", "continuation"),
    *("continuation_token", "last_evaluated_key", "cursor_next", "odata_next_link"),
)
_CONTAINERS = (
    *("meta", "metadata", "links", "link", "pagination", "paging", "page_info", "page", "pages", "pager", "paginator"),
    *("cursor", "cursors", "response_metadata", "paging_info", "pagination_info", "page_meta", "list_info", "info"),
    *("navigation", "content_range", "data", "result", "results", "response", "body", "payload", "query"),
    *("search_metadata", "meta_data", "page_context", "paging_metadata", "pagination_response_model"),
)
_PAGES = (
    *("total_pages", "wp_total_pages", "page_count", "pages", "last_page", "num_pages", "pages_count", "total_page"),
    *("total_pages_count", "number_of_pages", "last_page_number"),
)
_TOTALS = (
    *("total", "total_count", "total_results", "total_records", "total_items", "total_orders", "total_elements"),
    *("total_size", "orders_count", "order_count", "total_entries", "total_rows", "count_total", "totals_count"),
    *("total_order_count", "total_records_amount", "results_available", "odata_count"),
)
_EXACT_CONTAINERS = ("@attributes", "hydra:view")
"""Of an envelope that was XML, and of Hydra's; ``attributes`` and ``view`` are of anything."""
_EXACT = (
    *("@odata.nextLink", "odata.nextLink", "@odata.count", "odata.count", "@nextLink", "__next"),
    *(*_EXACT_CONTAINERS, "hydra:totalItems"),
)
_NAMES = (*_ERRORS, *_SUCCESS, "status", *_MORE, *_LAST, *_CURSORS, *_CONTAINERS, *_PAGES, *_TOTALS)


@lru_cache(maxsize=1024)
def normalize(name: str) -> str:
    """A name without what its variants differ in: ``hasMore``, ``HAS-MORE`` and ``hydra:hasMore`` are one."""
    return re.sub(r"[^a-z0-9]", "", name.removeprefix("hydra:").lower())


def is_container(name: str) -> bool:
    """Whether an object by this name may say something of pages."""
    return normalize(name) in KINDS["containers"] or name in _EXACT_CONTAINERS


def _list_variants(name: str) -> Iterator[str]:
    words = name.split("_")
    pascal = "".join(word.title() for word in words)
    if words[-1] in {"url", "uri"}:
        initials = f"{''.join(word.title() for word in words[:-1])}{words[-1].upper()}"  # NextURL
        yield from (initials, initials[0].lower() + initials[1:])
    yield from (name, f"_{name}", name.upper(), name.replace("_", "-"), "".join(words))
    yield from (pascal, pascal[0].lower() + pascal[1:], name.title(), name.title().replace("_", "-"))


CLAIM_NAMES: Mapping[str, None] = dict.fromkeys(
    variant
    for name in (*_NAMES, *_EXACT)
    for variant in ([name] if name in _EXACT else _list_variants(name))
    if variant != "next_cursor"
)
"""Names beside ``orders`` and ``next_cursor`` that may say something of the page, each in all its variants."""

KINDS = {
    kind: frozenset(map(normalize, names))
    for kind, names in {
        "errors": _ERRORS,
        "success": _SUCCESS,
        "messages": (*_MESSAGES, "code"),
        "codes": _CODES,
        "more": _MORE,
        "last": _LAST,
        "cursors": (*_CURSORS, "nextlink"),
        "containers": _CONTAINERS,
        "pages": _PAGES,
        "totals": _TOTALS,
    }.items()
}
COUNTS = KINDS["pages"] | KINDS["totals"]
_LISTS = {"data", "result", "results", "nodes", "edges", "records", "elements", "entries", "rows", "values", "content"}
"""Names of lists of anything."""


def may_be_order(where: str, path: Sequence[str]) -> bool:
    """Whether an object on the way to a list may be an order, by the names: neither it nor the list is of anything."""
    is_around = where == "".join(f"{name}." for name in path[:-1])  # the list itself
    is_wrapper = normalize(where.rstrip(".").rpartition(".")[2]) in KINDS["containers"]
    return bool(where) and not is_wrapper and not (is_around and normalize(path[-1]) in _LISTS)
